/* What the parts of the simulated market share: its struct, and one function of each part. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_INNER_H
#define SIM_INNER_H

#include "sim/coin.h"
#include "sim/currency.h"
#include "sim/market.h"

struct market {
    struct market_setup setup;
    struct coin *coins; /* by rank */
    uint32_t *by_id;    /* indexes of coins, ordered by id */
    struct currencies currencies;
    struct query query;
};

/* The coin of that id; NULL: there is none. */
const struct coin *market_find(const struct market *m, struct str id);

/* The step that a coin is in, and when it began. */
static inline int64_t market_step(const struct market *m, const struct coin *c, int64_t now_us,
                                  int64_t *ret_began_us)
{
    return coin_step(c, m->setup.speed, now_us, ret_began_us);
}

/* In a currency: an index of m->currencies. */
double market_price(const struct market *m, const struct coin *c, size_t currency, int64_t step);

/* Traded in 24 hours, of that price. */
double market_volume(const struct coin *c, double price, int64_t step);

/* The row of one coin at a moment. False when the arena is full. cells: zeroed, of market_table */
bool market_fill_row(const struct market *m, const struct coin *c, size_t currency, int64_t now_us,
                     const struct market_query *args, struct arena *arena, struct cell *cells);

/* Where its logo is. False when the arena is full. */
bool market_image(const struct coin *c, struct arena *arena, struct str *ret_url);

bool market_is_in_category(const struct coin *c, struct str category);

/* The name of the category that a coin is in; empty: in none. */
struct str market_category_of(const struct coin *c);

enum st market_no_room(struct err *err);

/* ---- the functions of its driver that stand in files of their own ---- */

bool market_has_category(struct query *q, struct str category);
enum st market_categories(struct query *q, struct arena *arena, struct category **ret_categories,
                          size_t *ret_n, struct err *err);
enum st market_global(struct query *q, struct arena *arena, struct figure **ret_figures,
                      size_t *ret_n, struct err *err);
enum st market_series(struct query *q, const struct chart_query *args, struct arena *arena,
                      struct rows *ret_rows, struct err *err);
enum st market_ohlc(struct query *q, const struct chart_query *args, struct arena *arena,
                    struct rows *ret_rows, struct err *err);
enum st market_info(struct query *q, struct str id, struct arena *arena, struct coin_info *ret_info,
                    bool *ret_is_known, struct err *err);
enum st market_inactive(struct query *q, struct arena *arena, struct rows *ret_rows,
                        struct err *err);
enum st market_newest(struct query *q, struct arena *arena, struct rows *ret_rows, struct err *err);
enum st market_platforms(struct query *q, struct arena *arena, struct platform **ret_platforms,
                         size_t *ret_n, struct err *err);

#endif
