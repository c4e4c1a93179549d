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

#include "serve/own.h"

#define POLLS_PATH      "/api/polls"
#define POLLS_LIMIT     100 /* polls of an answer, unless asked otherwise */
#define POLLS_MAX_LIMIT 1000
#define GAPS_SINCE_US   (30 * INT64_C(86400000000)) /* before now, unless asked otherwise */

void polls_get(struct own *own, const struct http_request *req, struct http_response *res);
void polls_post(struct own *own, const struct http_request *req, struct http_response *res);
void gaps_get(struct own *own, const struct http_request *req, struct http_response *res);

extern const struct operation op_polls, op_poll_now, op_gaps;

#endif
