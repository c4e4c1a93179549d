/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/inner.h"
#include "sim/number.h"

#define HOUR_US        (3600 * US_PER_S)
#define CANDLE_SAMPLES 48 /* prices that make a candle */

/* What is drawn: one coin in one currency. */
struct drawing {
    const struct market *m;
    const struct coin *coin;
    size_t currency;
    struct arena *arena;
    bool is_full; /* the arena */
};

static double price_when(const struct drawing *d, int64_t ts_us)
{
    int64_t began_us;

    return market_price(d->m, d->coin, d->currency, market_step(d->m, d->coin, ts_us, &began_us));
}

static void put(struct drawing *d, struct cell *cell, double value)
{
    d->is_full |= !number_cell(number_float, value, d->arena, cell);
}

/* False: nothing can be drawn. */
static bool init(struct drawing *d, const struct market *m, const struct chart_query *args,
                 struct arena *arena)
{
    *d = (struct drawing){.m = m,
                          .coin = market_find(m, args->id),
                          .currency = currency_find(args->vs_currency),
                          .arena = arena};
    return d->coin && d->coin->life != LIFE_BLANK && d->currency < N_CURRENCIES;
}

/* The first moment of what was asked for at which the coin was listed. */
static int64_t since_us(const struct drawing *d, const struct chart_query *args)
{
    const int64_t listed_us = coin_listed(d->coin, clock_wall_us(d->m->setup.clock));

    return args->from_us > listed_us ? args->from_us : listed_us;
}

static bool make_rows(struct drawing *d, const struct table *table, int64_t span_us,
                      int64_t step_us, struct rows *ret_rows)
{
    const int64_t n = (span_us > 0 ? span_us : 0) / step_us + 3; /* both ends, and now */

    *ret_rows = (struct rows){.table = table};
    ret_rows->cells =
        arena_zalloc(d->arena, (size_t)n, table->n_columns * sizeof(*ret_rows->cells));
    return ret_rows->cells != NULL;
}

/* Points of a day lie at midnight; others a little behind their grid, as the real ones do. */
static int64_t point_us(const struct coin *c, int64_t grid_us, int64_t step_us)
{
    if (step_us >= DAY_US)
        return grid_us;
    const double late_us = step_us >= HOUR_US ? 300e6 : 75e6;
    const double share = coin_roll(c, DICE_NOISE + (uint64_t)(grid_us / US_PER_S));
    return grid_us + (int64_t)(share * late_us) / US_PER_MS * US_PER_MS;
}

static void add_point(struct drawing *d, struct rows *rows, int64_t ts_us)
{
    const struct coin *c = d->coin;
    struct cell *row = rows_at(rows, rows->n++);
    int64_t began_us;
    const int64_t step = market_step(d->m, c, ts_us, &began_us);
    const double price = market_price(d->m, c, d->currency, step);

    row[SERIES_TIME] = cell_of_time(ts_us);
    put(d, &row[SERIES_PRICE], price);
    put(d, &row[SERIES_MARKET_CAP], c->rank > 0 ? price * c->supply : 0);
    put(d, &row[SERIES_TOTAL_VOLUME], market_volume(c, price, step));
}

enum st market_series(struct query *q, const struct chart_query *args, struct arena *arena,
                      struct rows *ret_rows, struct err *err)
{
    const struct market *m = q->state;
    const int64_t now_us = clock_wall_us(m->setup.clock), step_us = args->step_us;
    struct drawing d;

    *ret_rows = (struct rows){.table = &series_table};
    if (!init(&d, m, args, arena))
        return ST_OK;
    const int64_t from_us = since_us(&d, args);
    if (!make_rows(&d, &series_table, args->to_us - from_us, step_us, ret_rows))
        return market_no_room(err);
    for (int64_t grid_us = time_floor(from_us, step_us); grid_us <= args->to_us;
         grid_us += step_us) {
        const int64_t ts_us = point_us(d.coin, grid_us, step_us);
        if (ts_us > from_us && ts_us <= args->to_us)
            add_point(&d, ret_rows, ts_us);
    }
    const int64_t last_us = time_floor(args->to_us, US_PER_S);
    if (now_us - args->to_us < US_PER_S && last_us > from_us) /* the last one is now */
        add_point(&d, ret_rows, last_us);
    return d.is_full ? market_no_room(err) : ST_OK;
}

static void add_candle(struct drawing *d, struct rows *rows, int64_t begin_us, int64_t end_us,
                       int64_t close_us)
{
    struct cell *row = rows_at(rows, rows->n++);
    double open = price_when(d, begin_us), close = price_when(d, end_us);
    double high = open > close ? open : close, low = open < close ? open : close;

    for (int64_t i = 1; i < CANDLE_SAMPLES; i++) {
        double price = price_when(d, begin_us + (end_us - begin_us) / CANDLE_SAMPLES * i);
        high = price > high ? price : high;
        low = price < low ? price : low;
    }
    row[OHLC_TIME] = cell_of_time(close_us);
    put(d, &row[OHLC_OPEN], number_as_price(open));
    put(d, &row[OHLC_HIGH], number_as_price(high));
    put(d, &row[OHLC_LOW], number_as_price(low));
    put(d, &row[OHLC_CLOSE], number_as_price(close));
    row[OHLC_MARKET_CAP] = row[OHLC_TOTAL_VOLUME] = CELL_NONE;
}

enum st market_ohlc(struct query *q, const struct chart_query *args, struct arena *arena,
                    struct rows *ret_rows, struct err *err)
{
    const struct market *m = q->state;
    const int64_t step_us = args->step_us;
    struct drawing d;

    *ret_rows = (struct rows){.table = &ohlc_table};
    if (!init(&d, m, args, arena))
        return ST_OK;
    const int64_t from_us = since_us(&d, args);
    if (from_us >= args->to_us)
        return ST_OK;
    if (!make_rows(&d, &ohlc_table, args->to_us - from_us, step_us, ret_rows))
        return market_no_room(err);
    for (int64_t open_us = time_floor(from_us, step_us); open_us < args->to_us;
         open_us += step_us) {
        const int64_t close_us = open_us + step_us;
        add_candle(&d, ret_rows, open_us > from_us ? open_us : from_us,
                   close_us < args->to_us ? close_us : args->to_us, close_us);
    }
    return d.is_full ? market_no_room(err) : ST_OK;
}
