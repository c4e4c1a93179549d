/* One request of a verb; its handlers are rows of requests.c's table. Private to pipeline/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_REQUESTS_H
#define PIPELINE_REQUESTS_H

#include "pipeline/inner.h"

struct request {
    struct pipeline *p;
    const struct control_request *words;
    struct control_reply *reply;
};

/* The handler of the control socket; on the client's thread. */
enum st requests_handle(void *ctx, const struct control_request *words, struct control_reply *reply,
                        struct err *err);

/* work.c: those that take long. They give up when who asked has gone, or the process stops. */
enum st request_import(const struct request *r, struct err *err);

#endif
