/* Steps of time, and what rows of polls tell of a coin's price in each: charts, candles and prices
 * are drawn by them. Private to the reader's files.
 *
 * A row counts when it was received. A poll that left the coin's row out, as it had not changed,
 * counts when it was over, with the row before. A row without a price does not count.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_CHART_H
#define LOAD_SQL_CHART_H

#include "load/sql/query.h"

/* What a stretch of time knew of the price. */
struct stretch {
    bool is_known;
    bool is_filled;            /* by what was backfilled: no poll knew it */
    int64_t first_us, last_us; /* when its first and its last price came */
    int64_t last_slot_us;      /* of the poll that told the last */
    struct cell open, high, low, close;
    struct cell first_cap, first_volume, last_cap, last_volume;
};

struct chart {
    struct reader *r;
    struct arena *arena;
    struct str id;
    int64_t coin_id;
    int64_t after_us, to_us;           /* what comes in (after, to] is drawn */
    int64_t begin_us;                  /* of the first step */
    int64_t rows_after_us, rows_to_us; /* what rows of (after, to] tell is drawn now */
    int64_t step_us;
    struct stretch *steps;
    size_t n_steps;
};

/* ST_OK and false: nobody has seen it. Sets coin_id. */
enum st chart_find_coin(struct chart *c, bool *ret_is_known, struct err *err) MUST_USE;

/* Into the step that it begins in. */
void chart_draw(struct chart *c, const struct stretch *s);

/* What polls of a job told of (rows_after, rows_to], of all their slots from since to until. */
enum st chart_draw_polls(struct chart *c, const struct reader_job *job, int64_t since_us,
                         int64_t until_us, struct err *err) MUST_USE;

#endif
