/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "serve/api_v3.h"
#include "tap.h"
#include "unit/serve/client.h"

#define NOW INT64_C(1795444200123456) /* 2026-11-23T14:30:00.123456Z */
#define DAY (86400 * US_PER_S)

/* ---- a store of one coin, which remembers what it was asked for ---- */

static enum st fails_with;
static struct chart_query asked;
static char asked_text[64]; /* its texts, which go with the request */
static size_t n_asked;

static struct cell num(const char *lexeme)
{
    struct cell c = CELL_NONE;

    if (lexeme && cell_of_num(str_of(lexeme), &c) != DEC_OK)
        abort();
    return c;
}

static enum st fake_market(struct query *q, const struct market_query *args, struct arena *arena,
                           struct rows *ret_rows, struct err *err)
{
    (void)q;
    (void)err;
    *ret_rows = (struct rows){.table = &market_table, .n = 1};
    ret_rows->cells = arena_zalloc(arena, 1, N_MARKET_COLUMNS * sizeof(struct cell));
    ret_rows->cells[MARKET_ID] = cell_of_text(STR("1move token"));
    query_arrange(args, ret_rows);
    return ST_OK;
}

static enum st fake_currencies(struct query *q, struct arena *arena, struct str **ret_currencies,
                               size_t *ret_n, struct err *err)
{
    (void)q;
    (void)err;
    *ret_currencies = arena_alloc(arena, 1, sizeof(**ret_currencies));
    (*ret_currencies)[0] = STR("usd");
    *ret_n = 1;
    return ST_OK;
}

/* n rows: a time, then numbers of which some are null. */
static enum st fill(const struct table *table, const struct chart_query *args, struct arena *arena,
                    struct rows *ret_rows, struct err *err)
{
    static const char *const numbers[] = {"40107.575", NULL, "9.68e-06", "0.0", "1e9", NULL};

    asked = *args;
    snprintf(asked_text, sizeof(asked_text), "%.*s in %.*s", STR_ARG(args->id),
             STR_ARG(args->vs_currency));
    n_asked++;
    if (fails_with != ST_OK)
        return err_set(err, fails_with, "store: broken");
    *ret_rows = (struct rows){.table = table, .n = 2};
    ret_rows->cells = arena_zalloc(arena, 2, table->n_columns * sizeof(struct cell));
    for (size_t row = 0; row < 2; row++) {
        rows_at(ret_rows, row)[0] = cell_of_time(NOW + (int64_t)row * DAY);
        for (size_t i = 1; i < table->n_columns; i++)
            rows_at(ret_rows, row)[i] = num(numbers[i - 1]);
    }
    return ST_OK;
}

static enum st fake_series(struct query *q, const struct chart_query *args, struct arena *arena,
                           struct rows *ret_rows, struct err *err)
{
    (void)q;
    return fill(&series_table, args, arena, ret_rows, err);
}

static enum st fake_ohlc(struct query *q, const struct chart_query *args, struct arena *arena,
                         struct rows *ret_rows, struct err *err)
{
    (void)q;
    return fill(&ohlc_table, args, arena, ret_rows, err);
}

static const struct query_driver driver = {
    .market = fake_market, .currencies = fake_currencies, .series = fake_series, .ohlc = fake_ohlc};
static struct query store = {.driver = &driver};

/* ---- asking it ---- */

static int64_t later_us; /* how much later it is each time somebody looks */
static int64_t late_us;

static int64_t get_now(struct clock *c)
{
    (void)c;
    late_us += later_us;
    return NOW + late_us - later_us;
}

static struct clock test_clock = {.wall_us = get_now, .mono_us = get_now};
static struct api_v3 api;
static struct http_server *server;
static struct err err;

static void handle(void *ctx, const struct http_request *req, struct http_response *res)
{
    api_v3_handle(ctx, req, res);
}

static bool start(struct api_v3_plan plan)
{
    const struct http_setup setup = {.address = "127.0.0.1", .handler = handle, .ctx = &api};

    fails_with = ST_OK;
    n_asked = 0;
    api = (struct api_v3){.query = &store, .clock = &test_clock, .plan = plan};
    arena_init(&api.arena, 1024 * 1024);
    return http_start(&setup, &server, &err) == ST_OK;
}

static void stop(void)
{
    http_stop(server);
    arena_release(&api.arena);
}

/* path: below a coin whose id has a space */
static struct client get(const char *path)
{
    char target[256];

    snprintf(target, sizeof(target), "/api/v3/coins/1move%%20token/%s", path);
    return client_get(http_port(server), target, "");
}

static const struct api_v3_plan demo = {.host = HOST_DEMO, .is_free = true, .history_days = 365};
static const struct api_v3_plan pro = {.host = HOST_PRO};

static void charts_write_three_lines_and_round_prices_only(void)
{
    CHECK(start(pro));
    struct client c = get("market_chart?vs_currency=usd&days=1");
    CHECK_EQ(client_status(&c), 200);
    CHECK_STR(c.body, "{\"prices\":[[1795444200123,40107.575],[1795530600123,40107.575]],"
                      "\"market_caps\":[[1795444200123,null],[1795530600123,null]],"
                      "\"total_volumes\":[[1795444200123,9.68e-06],[1795530600123,9.68e-06]]}");
    CHECK_Z(asked_text, "1move token in usd");
    c = get("market_chart?vs_currency=usd&days=1&precision=2");
    CHECK_STR(c.body, "{\"prices\":[[1795444200123,40107.58],[1795530600123,40107.58]],"
                      "\"market_caps\":[[1795444200123,null],[1795530600123,null]],"
                      "\"total_volumes\":[[1795444200123,9.68e-06],[1795530600123,9.68e-06]]}");
    c = get("market_chart?vs_currency=usd&days=1&precision=full");
    CHECK(memmem(c.body.p, c.body.len, "40107.575", 9) != NULL);
    stop();
}

static void candles_are_arrays_of_five(void)
{
    CHECK(start(pro));
    struct client c = get("ohlc?vs_currency=usd&days=1&precision=0");
    CHECK_EQ(client_status(&c), 200);
    CHECK_STR(c.body, "[[1795444200123,40108,null,0,0.0],[1795530600123,40108,null,0,0.0]]");
    stop();
}

static void charts_are_as_fine_as_their_span_allows(void)
{
    static const struct {
        const char *path;
        int64_t span_us, step_s;
    } cases[] = {
        {"market_chart?vs_currency=usd&days=1", DAY, 300},
        {"market_chart?vs_currency=usd&days=2", 2 * DAY, 3600},
        {"market_chart?vs_currency=usd&days=90", 90 * DAY, 3600},
        {"market_chart?vs_currency=usd&days=91", 91 * DAY, 86400},
        {"market_chart?vs_currency=usd&days=7&interval=daily", 7 * DAY, 86400},
        {"market_chart?vs_currency=usd&days=100&interval=hourly", 100 * DAY, 3600},
        {"market_chart?vs_currency=usd&days=10&interval=5m", 10 * DAY, 300},
        /* no more points than CHART_MAX, whatever was asked for */
        {"market_chart?vs_currency=usd&days=max", CHART_MAX * DAY, 86400},
        {"market_chart?vs_currency=usd&days=9223372036854775807", CHART_MAX * DAY, 86400},
        {"market_chart/range?vs_currency=usd&from=0&to=253402300799", CHART_MAX * DAY, 86400},
        {"market_chart/range?vs_currency=usd&from=2026-11-23&to=2026-11-23T12:00", DAY / 2, 300},
        {"market_chart/range?vs_currency=usd&from=2026-01-01&to=2026-01-02", DAY, 3600},
        {"market_chart/range?vs_currency=usd&from=1767225600&to=1767312000", DAY, 3600},
        {"ohlc?vs_currency=usd&days=1", DAY, 1800},
        {"ohlc?vs_currency=usd&days=7", 7 * DAY, 4 * 3600},
        {"ohlc?vs_currency=usd&days=30", 30 * DAY, 4 * 3600},
        {"ohlc?vs_currency=usd&days=90", 90 * DAY, 4 * 86400},
        {"ohlc?vs_currency=usd&days=180&interval=daily", 180 * DAY, 86400},
        {"ohlc?vs_currency=usd&days=90&interval=hourly", 90 * DAY, 3600},
        {"ohlc/range?vs_currency=usd&from=2026-01-01&to=2026-02-01&interval=hourly", 31 * DAY,
         3600},
    };

    CHECK(start(pro));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client c = get(cases[i].path);
        CHECK_EQ(client_status(&c), 200);
        CHECK_EQ(asked.to_us - asked.from_us, cases[i].span_us);
        CHECK_EQ(asked.step_us, cases[i].step_s * US_PER_S);
        CHECK(asked.to_us <= NOW);
    }
    CHECK_EQ(n_asked, sizeof(cases) / sizeof(cases[0]));
    stop();
}

#define WALL                                                                                   \
    "{\"error\":{\"status\":{\"timestamp\":\"2026-11-23T14:30:00.123+00:00\",\"error_code\":"  \
    "10012,"                                                                                   \
    "\"error_message\":\"Your request exceeds the allowed time range. Public API users are "   \
    "limited to querying historical data within the past 365 days. Upgrade to a paid plan to " \
    "enjoy full historical data access: https://www.coingecko.com/en/api/pricing. \"}}}"
#define UNPAID                                                                                    \
    "{\"status\":{\"error_code\":10005,\"error_message\":\"This request is limited to PRO API "   \
    "subscribers. Please visit https://www.coingecko.com/en/api/pricing to subscribe to our API " \
    "plans.\"}}"

struct refusal {
    const char *path;
    int status;
    const char *body;
};

static void check_refusals(const struct refusal *refusals, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct client c = get(refusals[i].path);
        CHECK_EQ(client_status(&c), refusals[i].status);
        CHECK_STR(c.body, refusals[i].body);
    }
    CHECK_EQ(n_asked, 0);
}

static void charts_refuse_absurd_parameters(void)
{
    static const struct refusal refusals[] = {
        {"market_chart?days=1", 422, "{\"error\":\"Missing parameter vs_currency\"}"},
        {"market_chart?vs_currency=usd", 422, "{\"error\":\"Missing parameter days\"}"},
        {"market_chart?vs_currency=xyz&days=1", 400, "{\"error\":\"invalid vs_currency\"}"},
        {"market_chart?vs_currency=usd&days=-1", 422, "{\"error\":\"Invalid parameter days\"}"},
        {"market_chart?vs_currency=usd&days=1e9", 422, "{\"error\":\"Invalid parameter days\"}"},
        {"market_chart?vs_currency=usd&days=99999999999999999999", 422,
         "{\"error\":\"Invalid parameter days\"}"},
        {"market_chart?vs_currency=usd&days=1&interval=yearly", 422,
         "{\"error\":\"Invalid parameter interval\"}"},
        {"market_chart/range?vs_currency=usd&to=1", 422, "{\"error\":\"Missing parameter from\"}"},
        {"market_chart/range?vs_currency=usd&from=1", 422, "{\"error\":\"Missing parameter to\"}"},
        {"market_chart/range?vs_currency=usd&from=2026-13-01&to=2", 422,
         "{\"error\":\"Invalid parameter from\"}"},
        {"market_chart/range?vs_currency=usd&from=1&to=99999999999999999999", 422,
         "{\"error\":\"Invalid parameter to\"}"},
        {"ohlc?days=1", 422, "{\"error\":\"Missing parameter vs_currency\"}"},
        {"ohlc?vs_currency=usd&days=3", 422, "{\"error\":\"Invalid parameter days\"}"},
        {"ohlc?vs_currency=usd&days=1&interval=5m", 422,
         "{\"error\":\"Invalid parameter interval\"}"},
        {"ohlc/range?vs_currency=usd&from=1&to=2", 422,
         "{\"error\":\"Missing parameter interval\"}"},
        {"ohlc/range?vs_currency=usd&from=1&to=2&interval=", 422,
         "{\"error\":\"Missing parameter interval\"}"},
        {"../nobody/ohlc?vs_currency=usd&days=1", 404,
         "{\"error\":\"Incorrect path. Please check https://www.coingecko.com/api/\"}"},
    };

    CHECK(start(pro));
    check_refusals(refusals, sizeof(refusals) / sizeof(refusals[0]));
    struct client c = client_get(http_port(server),
                                 "/api/v3/coins/nobody/market_chart?vs_currency=usd&days=1", "");
    CHECK_EQ(client_status(&c), 404);
    CHECK_STR(c.body, "{\"error\":\"coin not found\"}");
    c = get("market_chart?vs_currency=usd&days=101&interval=hourly");
    CHECK_EQ(client_status(&c), 401);
    CHECK(memmem(c.body.p, c.body.len, "\"error_code\":10012", 18) != NULL);
    CHECK_EQ(n_asked, 0);
    stop();
}

static void charts_end_at_the_wall_of_a_free_plan(void)
{
    static const struct refusal refusals[] = {
        {"market_chart?vs_currency=usd&days=366", 401, WALL},
        {"market_chart?vs_currency=usd&days=max", 401, WALL},
        {"market_chart/range?vs_currency=usd&from=1&to=2", 401, WALL},
        {"market_chart/range?vs_currency=usd&from=2026-11-01&to=2", 422,
         "{\"error\":\"Invalid parameter from\"}"},
        {"ohlc?vs_currency=usd&days=max", 401, WALL},
        {"ohlc?vs_currency=usd&days=1&interval=daily", 401,
         "{\"status\":{\"error_code\":401,\"error_message\":\"interval=daily is exclusive to paid "
         "plan subscribers\"}}"},
        {"ohlc/range?vs_currency=usd&from=1&to=2&interval=daily", 401, UNPAID},
        {"market_chart?vs_currency=usd&days=1&interval=5m", 401,
         "{\"status\":{\"error_code\":401,\"error_message\":\"interval=5m is exclusive to paid "
         "plan subscribers\"}}"},
    };

    CHECK(start(demo));
    check_refusals(refusals, sizeof(refusals) / sizeof(refusals[0]));
    later_us = 1;
    struct client c = get("market_chart?vs_currency=usd&days=365");
    CHECK_EQ(client_status(&c), 200);
    c = get("ohlc?vs_currency=usd&days=365");
    CHECK_EQ(client_status(&c), 200);
    later_us = late_us = 0;
    stop();
}

static void charts_say_when_the_store_fails(void)
{
    CHECK(start(pro));
    fails_with = ST_AGAIN;
    struct client c = get("market_chart?vs_currency=usd&days=1");
    CHECK_EQ(client_status(&c), 503);
    c = get("ohlc?vs_currency=usd&days=1");
    CHECK_EQ(client_status(&c), 503);
    CHECK_STR(c.body, "{\"error\":\"store: broken\"}");
    stop();
}

TAP_MAIN(TAP_CASE(charts_write_three_lines_and_round_prices_only),
         TAP_CASE(candles_are_arrays_of_five), TAP_CASE(charts_are_as_fine_as_their_span_allows),
         TAP_CASE(charts_refuse_absurd_parameters), TAP_CASE(charts_end_at_the_wall_of_a_free_plan),
         TAP_CASE(charts_say_when_the_store_fails))
