/* What happened, and poll now: /api/polls and /api/gaps.
 *
 *   GET  /api/polls?job=&limit=&before=   the polls of a job, newest first, slots before a time
 *   GET  /api/gaps?job=&since=            promised polls that did not happen
 *   POST /api/polls?job=                  poll it now; or {"job":"…"} as the body; bearer token
 *
 * `job` can be left out where there is only one.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_POLLS_H
#define SERVE_POLLS_H

#include "base/json.h"
#include "query/query.h"
#include "serve/http.h"
#include "status/status.h"

#define POLLS_PATH      "/api/polls"
#define POLLS_LIMIT     100 /* polls of an answer, unless asked otherwise */
#define POLLS_MAX_LIMIT 1000
#define GAPS_SINCE_US   (30 * INT64_C(86400000000)) /* before now, unless asked otherwise */

struct polls_api {
    struct query *query; /* NULL: no store that can be read */
    struct status *status;
    struct status_snapshot *snapshot; /* room for a copy */
    struct arena *arena;              /* reset after each request */
    struct json *json;
    const char *token; /* "": nobody may ask for polls */
    /* extract_poll_now(); NULL: nothing polls here */
    uint64_t (*poll_now)(void *ctx, const char *job);
    void *ctx;
};

/* Answer when the path is one of the above; false: not ours, nothing written. */
bool polls_handle(struct polls_api *api, const struct http_request *req, struct http_response *res);

#endif
