/* A market that never was: a store behind query.h, the same for everyone who has the seed and the
 * time.
 *
 * Every coin moves once a minute (at its own second, so half of them between two polls 30 s apart);
 * its figures are a pure function of seed, coin and that minute. Time is the clock's, so a moved
 * clock gives the same market again. speed shortens the minute: the market moves that many times as
 * fast, last_updated stays real time.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_MARKET_H
#define SIM_MARKET_H

#include "base/clock.h"
#include "query/query.h"

struct market;

struct market_setup {
    uint32_t n_coins; /* 1..20000 */
    uint64_t seed;
    uint32_t speed; /* 1: as it is; 0 counts as 1 */
    struct clock *clock;
};

/* Owner: market_free(). */
struct market *market_new(const struct market_setup *setup);
void market_free(struct market *m); /* NULL is fine */

/* The market in CoinGecko's currencies, with its past; lives as long as m. Its categories: of
 * made-up coins "decentralized-finance-defi" (three of ten), "meme-token" (two) and
 * "artificial-intelligence" (one), of known ones "layer-1" and "stablecoins". */
struct query *market_query(struct market *m);

#endif
