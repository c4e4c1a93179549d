/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/market.h"
#include "tap.h"

#define NOW  INT64_C(1795444200123456) /* 2026-11-23T14:30:00.123456Z */
#define DAY  (86400 * US_PER_S)
#define HOUR (3600 * US_PER_S)

static int64_t now_us;

static int64_t get_now(struct clock *c)
{
    (void)c;
    return now_us;
}

static struct clock test_clock = {.wall_us = get_now, .mono_us = get_now};
static struct market *market;
static struct query *q;
static struct arena arena;
static struct err err;

static void start(uint32_t n_coins)
{
    const struct market_setup setup = {
        .n_coins = n_coins, .seed = 1, .speed = 1, .clock = &test_clock};

    now_us = NOW;
    market = market_new(&setup);
    q = market_query(market);
    arena_init(&arena, 64u * 1024 * 1024);
}

static void stop(void)
{
    market_free(market);
    arena_release(&arena);
}

static struct chart_query ask(const char *id, int64_t from_us, int64_t to_us, int64_t step_us)
{
    return (struct chart_query){.id = str_of(id),
                                .vs_currency = STR("usd"),
                                .from_us = from_us,
                                .to_us = to_us,
                                .step_us = step_us};
}

/* No rows when the market refuses. */
static struct rows series(const struct chart_query *args)
{
    struct rows rows = {.n = 0};

    if (q->driver->series(q, args, &arena, &rows, &err) != ST_OK)
        rows.n = 0;
    return rows;
}

static double value(const struct cell *c)
{
    return c->kind == CELL_NUM ? strtod(c->text, NULL) : -1;
}

static double price_now(const char *id)
{
    const struct str ids[] = {str_of(id)};
    const struct market_query args = {
        .vs_currency = STR("usd"), .ids = ids, .n_ids = 1, .per_page = 1, .page = 1};
    struct rows rows;

    if (q->driver->market(q, &args, &arena, &rows, &err) != ST_OK || rows.n != 1)
        return -1;
    return value(&rows_at(&rows, 0)[MARKET_CURRENT_PRICE]);
}

static void chart_points_lie_near_their_grid_and_end_now(void)
{
    static const struct {
        int64_t span_us, step_us, late_us;
    } cases[] = {{DAY, 300 * US_PER_S, 75 * US_PER_S},
                 {90 * DAY, HOUR, 300 * US_PER_S},
                 {365 * DAY, DAY, 0}};

    start(100);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const int64_t step_us = cases[i].step_us;
        const struct chart_query args = ask("bitcoin", NOW - cases[i].span_us, NOW, step_us);
        struct rows rows = series(&args);
        const int64_t n = cases[i].span_us / step_us;
        CHECK((int64_t)rows.n >= n && (int64_t)rows.n <= n + 2);
        for (size_t p = 0; p + 1 < rows.n; p++) {
            const int64_t ts_us = rows_at(&rows, p)[SERIES_TIME].number;
            CHECK(ts_us > args.from_us && ts_us - time_floor(ts_us, step_us) <= cases[i].late_us);
            CHECK(ts_us < rows_at(&rows, p + 1)[SERIES_TIME].number);
        }
        CHECK_EQ(rows_at(&rows, rows.n - 1)[SERIES_TIME].number, time_floor(NOW, US_PER_S));
    }
    now_us = time_floor(NOW, US_PER_S) + US_PER_S; /* a second begins while the call is answered */
    const struct chart_query args = ask("bitcoin", now_us - DAY, now_us - 1, HOUR);
    struct rows rows = series(&args);
    CHECK_EQ(rows_at(&rows, rows.n - 1)[SERIES_TIME].number, time_floor(NOW, US_PER_S));
    stop();
}

static void a_chart_tells_what_the_market_was(void)
{
    start(100);
    const struct chart_query past = ask("bitcoin", NOW - DAY, NOW, 300 * US_PER_S);
    struct rows before = series(&past);
    const struct cell *point = rows_at(&before, 100);

    now_us = point[SERIES_TIME].number;
    double price = price_now("bitcoin");
    CHECK(value(&point[SERIES_PRICE]) > price - 1 && value(&point[SERIES_PRICE]) < price + 1);
    now_us = NOW;
    struct rows again = series(&past);
    CHECK_EQ(again.n, before.n);
    for (size_t i = 0; i < again.n; i++)
        for (size_t column = 0; column < N_SERIES_COLUMNS; column++)
            CHECK(cell_equal(&rows_at(&again, i)[column], &rows_at(&before, i)[column]));
    stop();
}

static void a_chart_begins_when_its_coin_was_listed(void)
{
    start(100);
    const struct chart_query args = ask("bitcoin", NOW - 10000 * DAY, NOW, DAY);
    struct rows rows = series(&args);
    CHECK_EQ(rows_at(&rows, 0)[SERIES_TIME].number, INT64_C(1367193600000000)); /* 2013-04-29 */
    stop();
}

static void charts_of_nobody_are_empty(void)
{
    static const char *const ids[] = {"nobody", ""};

    start(100);
    for (size_t i = 0; i < 2; i++) {
        const struct chart_query args = ask(ids[i], NOW - DAY, NOW, HOUR);
        CHECK_EQ(series(&args).n, 0);
    }
    struct chart_query args = ask("bitcoin", NOW - DAY, NOW, HOUR);
    args.vs_currency = STR("xyz");
    CHECK_EQ(series(&args).n, 0);
    args = ask("bitcoin", NOW, NOW - DAY, HOUR); /* from behind to */
    CHECK_EQ(series(&args).n, 0);
    stop();
}

static void candles_close_on_their_grid_and_hold_their_prices(void)
{
    struct rows rows;

    start(100);
    const struct chart_query args = ask("ethereum", NOW - DAY, NOW, 1800 * US_PER_S);
    CHECK_OK(q->driver->ohlc(q, &args, &arena, &rows, &err), err);
    CHECK_EQ(rows.n, 49); /* a part of the first, and of the one at hand */
    for (size_t i = 0; i < rows.n; i++) {
        const struct cell *candle = rows_at(&rows, i);
        double open = value(&candle[OHLC_OPEN]), close = value(&candle[OHLC_CLOSE]);
        double high = value(&candle[OHLC_HIGH]), low = value(&candle[OHLC_LOW]);
        CHECK_EQ(candle[OHLC_TIME].number % (1800 * US_PER_S), 0);
        CHECK(low <= open && low <= close && open <= high && close <= high && low > 0);
        if (i > 0)
            CHECK(value(&rows_at(&rows, i - 1)[OHLC_CLOSE]) == open);
    }
    CHECK(rows_at(&rows, rows.n - 1)[OHLC_TIME].number > NOW);
    CHECK(value(&rows_at(&rows, rows.n - 1)[OHLC_CLOSE]) == price_now("ethereum"));
    const struct chart_query backwards = ask("ethereum", NOW, NOW - 60 * US_PER_S, DAY);
    CHECK_OK(q->driver->ohlc(q, &backwards, &arena, &rows, &err), err);
    CHECK_EQ(rows.n, 0);
    stop();
}

static void charts_say_again_when_the_arena_is_full(void)
{
    const struct chart_query args = ask("bitcoin", NOW - 30 * DAY, NOW, HOUR);
    struct arena small;
    struct rows rows;

    start(100);
    for (size_t max = 1000; max < 1024u * 1024; max *= 2) {
        arena_init(&small, max);
        enum st st = q->driver->series(q, &args, &small, &rows, &err);
        CHECK(st == ST_OK || st == ST_AGAIN);
        CHECK(st == ST_AGAIN || max > 64000);
        st = q->driver->ohlc(q, &args, &small, &rows, &err);
        CHECK(st == ST_OK || st == ST_AGAIN);
        CHECK(st == ST_AGAIN || max > 64000);
        arena_release(&small);
    }
    stop();
}

TAP_MAIN(TAP_CASE(chart_points_lie_near_their_grid_and_end_now),
         TAP_CASE(a_chart_tells_what_the_market_was),
         TAP_CASE(a_chart_begins_when_its_coin_was_listed), TAP_CASE(charts_of_nobody_are_empty),
         TAP_CASE(candles_close_on_their_grid_and_hold_their_prices),
         TAP_CASE(charts_say_again_when_the_arena_is_full))
