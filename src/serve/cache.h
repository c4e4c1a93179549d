/* Answers that are given again, for as long as the store has not changed.
 *
 * Limits: so many answers and bytes; who was asked for longest ago goes first. Threads: the HTTP
 * server's.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_CACHE_H
#define SERVE_CACHE_H

#include "serve/page.h"

struct cache;

struct cache *cache_new(void);
void cache_free(struct cache *c); /* NULL is fine */
void cache_clear(struct cache *c);

/* Forget all, unless they are of this version of the store. */
void cache_set_version(struct cache *c, uint64_t version);

/* The answer to a request of this key, for the caller to drop; NULL when there is none (any more).
 */
struct http_page *cache_find(struct cache *c, struct str key, int64_t now_us);

/* Keep it, shared with the caller, until then (monotonic). */
void cache_add(struct cache *c, struct str key, struct http_page *page, int64_t until_us);

#endif
