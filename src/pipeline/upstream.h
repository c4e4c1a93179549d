/* What callers ask for and is not here, fetched from the API: between serve/ and extract/, and
 * alone beside a store that others write.
 *
 * Threads: of a struct upstream_alone one, the extractor's.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_UPSTREAM_H
#define PIPELINE_UPSTREAM_H

#include "config/config.h"
#include "extract/extract.h"
#include "serve/serve.h"

/* The stream that it is kept on. */
void upstream_stream_id(struct stream_id *ret_id);

/* How serve/ asks an extractor: serve_upstream.fetch, its ctx being that. */
uint64_t upstream_fetch(void *extract, struct str target, int64_t wait_us);

/* What the extractor tells, for serve/: extract_events.fetched, but for its ctx. */
void upstream_fetched(struct serve *s, uint64_t ticket, const struct extract_fetched *fetched);

/* An extractor without jobs, with the tape of the data directory to itself. */
struct upstream_alone;

/* ST_AGAIN: another process holds the directory. Owner: upstream_close(). */
enum st upstream_open(const struct config *config, const char *data_dir, struct status *status,
                      struct upstream_alone **ret_upstream, struct err *err) MUST_USE;

/* What serve_start() is told of it. */
struct serve_upstream upstream_for_serve(struct upstream_alone *u);

/* Begin to fetch for this server. When it cannot go on later the process gets SIGTERM, and
 * upstream_stop() tells why. */
enum st upstream_start(struct upstream_alone *u, struct serve *serve, struct err *err) MUST_USE;
enum st upstream_stop(struct upstream_alone *u, struct err *err) MUST_USE;   /* NULL is fine */
bool upstream_is_stuck(const struct upstream_alone *u, int64_t patience_us); /* NULL: it is not */
void upstream_close(struct upstream_alone *u);                               /* NULL is fine */

#endif
