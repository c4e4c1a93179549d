/* The cache in front of CoinGecko, as its headers tell of it: answers age, and are made anew on
 * their endpoint's period. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_CACHE_H
#define SIM_CACHE_H

#include "serve/api_v3.h"

#define CACHE_SLOTS 1024 /* targets of which it is known when they were asked for; others go */

struct cache {
    struct {
        uint64_t target; /* hash */
        int64_t made_us;
    } slots[CACHE_SLOTS];
};

/* How one request meets the cache. */
struct cached {
    int64_t age_us;     /* of the answer; 0: it is made now */
    const char *status; /* as in CF-Cache-Status */
    unsigned s_maxage;  /* seconds, as in Cache-Control; 0: it is private */
};

/* is_kept: false where every answer is to be fresh. */
struct cached cache_meet(struct cache *c, const struct http_request *req, enum api_v3_host host,
                         bool is_kept, int64_t now_us);

/* Add what CoinGecko sends with data. Who has it already (If-None-Match) gets a 304. */
void cache_label(const struct cached *cached, const struct http_request *req,
                 struct http_response *res);

#endif
