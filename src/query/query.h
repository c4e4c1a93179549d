/* The read interface of every store: SQLite, memory, the simulator's market.
 *
 * Threads: one query object belongs to one thread at a time. Answers live in the caller's arena.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include "base/err.h"
#include "query/history.h"
#include "row/market.h"

enum market_order {
    ORDER_MARKET_CAP_DESC, /* coins without a market cap last, as CoinGecko sorts */
    ORDER_MARKET_CAP_ASC,
    ORDER_VOLUME_DESC,
    ORDER_VOLUME_ASC,
    ORDER_ID_ASC,
    ORDER_ID_DESC,
};

struct market_query {
    struct str vs_currency;
    const struct str *ids; /* only these coins; n_ids 0: all */
    size_t n_ids;
    struct str category; /* only its coins; empty: all. Only one that has_category() knows */
    enum market_order order;
    uint32_t per_page; /* 1..250; 0: all */
    uint32_t page;     /* from 1 */
};

struct poll_query {
    struct str job;
    int64_t before_us; /* only slots before it; INT64_MAX: from the newest on */
    uint32_t limit;    /* about so many, as slots come whole */
};

struct gap_query {
    struct str job;
    int64_t since_us; /* only gaps that lasted beyond it */
    int64_t now_us;   /* a gap that nothing ended lasts until now */
};

struct query;

struct query_driver {
    /* The latest row of each coin, columns of market_table. No such currency: no rows. */
    enum st (*market)(struct query *q, const struct market_query *args, struct arena *arena,
                      struct rows *ret_rows, struct err *err) MUST_USE;

    /* Every coin known, ordered by id: rows of coin_table. */
    enum st (*coins)(struct query *q, struct arena *arena, struct rows *ret_rows,
                     struct err *err) MUST_USE;

    /* Currencies that market() can answer. */
    enum st (*currencies)(struct query *q, struct arena *arena, struct str **ret_currencies,
                          size_t *ret_n, struct err *err) MUST_USE;

    /* True when market() knows the coins of this category. NULL: the store knows none. */
    bool (*has_category)(struct query *q, struct str category);

    /* What happened, NULL in stores that do not keep it; of a job not known: no rows. */

    /* Polls of a job, newest slot first: rows of poll_table. */
    enum st (*polls)(struct query *q, const struct poll_query *args, struct arena *arena,
                     struct rows *ret_rows, struct err *err) MUST_USE;

    /* Gaps of a job, newest first: rows of gap_table. */
    enum st (*gaps)(struct query *q, const struct gap_query *args, struct arena *arena,
                    struct rows *ret_rows, struct err *err) MUST_USE;

    /* Spans of transform versions, by job: rows of span_table. Reads every poll: not for a thread
     * that somebody waits for. */
    enum st (*spans)(struct query *q, struct arena *arena, struct rows *ret_rows,
                     struct err *err) MUST_USE;

    void (*close)(struct query *q);
};

struct query {
    const struct query_driver *driver;
    void *state;
};

/* coin_table's columns: id, symbol, name */
extern const struct table coin_table;
enum { COIN_ID, COIN_SYMBOL, COIN_NAME, N_COIN_COLUMNS };

/* Order and cut rows of market_table in place as args ask: for stores without SQL. */
void query_arrange(const struct market_query *args, struct rows *rows);

#endif
