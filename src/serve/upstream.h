/* The API behind ours: what the store lacks, or has not fresh enough, is asked for there, kept for
 * a while, and served.
 *
 * Equal requests share one call, made by the collector under its one limit; what it puts onto the
 * tape comes back by upstream_tell(). Answers are kept in memory until there are too many. When
 * there can be no call, the newest of what is there is served, with its age and a warning.
 *
 * Threads: the HTTP server's, but for upstream_tell(). Limits: so many answers and bytes, those
 * that were asked for longest ago go first.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_UPSTREAM_H
#define SERVE_UPSTREAM_H

#include "serve/http.h"
#include "serve/serve.h"

struct upstream;

struct upstream *upstream_new(const struct serve_upstream *setup);
void upstream_free(struct upstream *u); /* NULL is fine */
void upstream_clear(struct upstream *u);

/* Make of *res, our own answer, what the caller is to get: our own, one of upstream's, or nothing
 * yet (res->wait_for). */
void upstream_answer(struct upstream *u, const struct http_request *req, struct http_response *res);

/* Any thread: what became of a ticket. Copied. */
void upstream_tell(struct upstream *u, uint64_t ticket, const struct serve_fetched *fetched);

/* Take in what was told: those who wait for it are resumed. */
void upstream_tick(struct upstream *u, struct http_server *http);

#endif
