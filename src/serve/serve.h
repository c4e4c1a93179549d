/* The collector's own web server: /healthz /readyz /metrics / /api/… /api/v3/…. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

#include "query/query.h"
#include "serve/http.h"
#include "status/status.h"

struct serve_setup {
    char address[64];
    uint16_t port;
    struct status *status;
    struct query *query; /* NULL: no store that can be read; the API answers 501 and says why */
    const char *token;   /* of POST /api/polls; NULL or "": closed. Borrowed */
    /* extract_poll_now() of the process; on the server's thread. NULL: nothing polls here */
    uint64_t (*poll_now)(void *ctx, const char *job);
    void *ctx;
};

struct serve;

enum st serve_start(const struct serve_setup *setup, struct serve **ret_serve,
                    struct err *err) MUST_USE;
uint16_t serve_port(const struct serve *s);
void serve_stop(struct serve *s); /* NULL is fine */

#endif
