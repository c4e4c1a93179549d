/* A store that lies: another one's query with rows changed on the way.
 *
 * Whoever asks gets the other store's answers, but for market rows: coins leave the list before
 * pages are cut from it, and the rows of a page go through the lies of the moment. So every source
 * can be lied about, the seeded market and a tape alike.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_LIAR_H
#define SIM_LIAR_H

#include "query/query.h"

/* What a change of rows may know. */
struct liar_request {
    const struct market_query *args;
    uint64_t number; /* of the request */
    int64_t now_us;
    struct arena *arena;
};

/* Change the rows of a page in place. False when the arena is full. */
typedef bool liar_rows(struct rows *rows, const struct liar_request *request);

/* Is this coin off the list? What is asked for by id never is. rank: NULL or INT */
typedef bool liar_leaves(struct str id, const struct cell *rank,
                         const struct liar_request *request);

liar_rows liar_nulls, liar_duplicate, liar_bogus, liar_huge, liar_unrank, liar_backend;
liar_leaves liar_leaves_in_turns, liar_leaves_rehypo, liar_leaves_backend;

#define LIAR_MAX 16

struct liar {
    struct query query; /* what to ask */
    struct query_driver driver;
    struct query *inner;
    uint64_t request;
    int64_t now_us;
    liar_leaves *leaves[LIAR_MAX];
    liar_rows *rows[LIAR_MAX];
    size_t n_leaves, n_rows;
    bool is_first_page;
};

/* inner is borrowed, and outlives it. */
void liar_init(struct liar *l, struct query *inner);

/* Tell the truth from now on, to this request. */
void liar_begin(struct liar *l, uint64_t request, int64_t now_us);

#endif
