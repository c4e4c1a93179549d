/* What a store's new polls have changed, for those who watch a server that loads nothing itself.
 *
 * Somebody else writes the store, so it is compared: of each job the polls behind the last that was
 * told, of each currency the rows with those of before. Nothing is asked, nor kept, while nobody
 * watches. Owner: news_free(). Threads: the one that owns the query.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_NEWS_H
#define CMD_NEWS_H

#include "query/query.h"

struct news;
struct serve;

/* is_past: the query's moment moves, of which the store does not list the polls: rows are told
 * alone. The query and the server are borrowed. */
struct news *news_new(struct query *query, struct serve *serve, bool is_past);
void news_free(struct news *n); /* NULL is fine */

/* Tell what is new. jobs: rows of known_job_table, as of now. ST_AGAIN: the rest is told with the
 * next look. */
enum st news_look(struct news *n, const struct rows *jobs, struct err *err) MUST_USE;

#endif
