/* The read interface of every store: SQLite, memory, the simulator's market.
 *
 * Threads: one query object belongs to one thread at a time. Answers live in the caller's arena.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUERY_QUERY_H
#define QUERY_QUERY_H

#include "base/err.h"
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
    enum market_order order;
    uint32_t per_page; /* 1..250; 0: all */
    uint32_t page;     /* from 1 */
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
