/* One request of a verb; its handlers are rows of requests.c's table. Private to pipeline/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_REQUESTS_H
#define PIPELINE_REQUESTS_H

#include "pipeline/inner.h"

struct request {
    struct pipeline *p;
    const struct control_request *words;
    struct control_reply *reply;
    int64_t reference_us; /* prune: what old counts from */
};

/* The handler of the control socket; on the client's thread. */
enum st requests_handle(void *ctx, const struct control_request *words, struct control_reply *reply,
                        struct err *err);

/* work.c: those that take long. They give up when who asked has gone, or the process stops. */
enum st request_backfill(const struct request *r, struct err *err) MUST_USE;
enum st request_import(const struct request *r, struct err *err);
enum st request_compact(const struct request *r, struct err *err);
enum st request_prune(const struct request *r, struct err *err);
enum st request_replay(const struct request *r, struct err *err);
enum st request_sink_forget(const struct request *r, struct err *err);

/* The value of a word; NULL when it was not given. */
const char *request_word(const struct request *r, const char *name);
bool request_is_set(const struct request *r, const char *name); /* "1" */

/* A number of the request, `fallback` when it was not given. ST_REJECT when it is none. */
enum st request_number(const struct request *r, const char *name, int64_t fallback,
                       int64_t *ret_number, struct err *err) MUST_USE;

#endif
