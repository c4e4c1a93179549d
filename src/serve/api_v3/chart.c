/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "serve/api_v3/call.h"

#include <stdio.h>

#define MINUTE_US (60 * US_PER_S)
#define HOUR_US   (60 * MINUTE_US)
#define DAY_US    (24 * HOUR_US)
#define DAYS_MAX  (100 * 366) /* as good as all of them */

/* What one endpoint takes and how coarse its answers are. */
struct chart_rules {
    int64_t (*step_us)(int64_t span_us, bool is_recent); /* when no interval was asked for */
    struct {
        const char *name;
        int64_t step_us;
        int64_t span_us; /* as much as one call may span */
    } intervals[3];
};

static int64_t chart_step(int64_t span_us, bool is_recent)
{
    if (span_us <= DAY_US && is_recent)
        return 5 * MINUTE_US;
    return span_us <= 90 * DAY_US ? HOUR_US : DAY_US;
}

static int64_t candle_step(int64_t span_us, bool is_recent)
{
    (void)is_recent;
    return span_us <= 2 * DAY_US    ? 30 * MINUTE_US
           : span_us <= 30 * DAY_US ? 4 * HOUR_US
                                    : 4 * DAY_US;
}

static const struct chart_rules chart_rules = {chart_step,
                                               {{"5m", 5 * MINUTE_US, 10 * DAY_US},
                                                {"hourly", HOUR_US, 100 * DAY_US},
                                                {"daily", DAY_US, INT64_MAX}}};
static const struct chart_rules candle_rules = {
    candle_step, {{"hourly", HOUR_US, 90 * DAY_US}, {"daily", DAY_US, 180 * DAY_US}, {"", 0, 0}}};
static const struct chart_rules candle_range_rules = {
    candle_step, {{"hourly", HOUR_US, 31 * DAY_US}, {"daily", DAY_US, 180 * DAY_US}, {"", 0, 0}}};

/* ---- parameters; those that return false have refused ---- */

/* "max" or a number: since when. */
static bool need_days(struct call *call, struct chart_query *chart)
{
    int64_t days = DAYS_MAX;
    struct str text;

    if (!call_need(call, "days", &text))
        return false;
    if (!str_eq(text, STR("max")) && !str_to_i64(text, 0, INT64_MAX, &days)) {
        call_refuse(call, 422, "Invalid parameter days");
        return false;
    }
    if (days > DAYS_MAX)
        days = DAYS_MAX;
    chart->from_us = call->now_us - days * DAY_US;
    chart->to_us = call->now_us;
    return true;
}

/* Seconds since 1970; "2026-01-31" or "2026-01-31T12:00" but on the Demo host. */
static bool need_time(struct call *call, const char *name, int64_t *ret_ts_us)
{
    char whole[TIME_TEXT], message[64];
    struct str text;
    int64_t seconds;

    if (!call_need(call, name, &text))
        return false;
    if (str_to_i64(text, 0, INT64_C(253402300799), &seconds)) {
        *ret_ts_us = seconds * US_PER_S;
        return true;
    }
    snprintf(whole, sizeof(whole), "%.*s%s", (int)(text.len < 20 ? text.len : 20), text.p,
             text.len == 10   ? "T00:00:00Z"
             : text.len == 16 ? ":00Z"
                              : "");
    if (call->api->plan.host != HOST_DEMO && time_parse(str_of(whole), ret_ts_us))
        return true;
    snprintf(message, sizeof(message), "Invalid parameter %s", name);
    call_refuse(call, 422, message);
    return false;
}

static bool need_range(struct call *call, struct chart_query *chart)
{
    return need_time(call, "from", &chart->from_us) && need_time(call, "to", &chart->to_us);
}

/* The step that was asked for, or that the span has of itself. */
static bool choose_step(struct call *call, const struct chart_rules *rules,
                        struct chart_query *chart)
{
    const struct str name = call_param(call, "interval");
    const int64_t span_us = chart->to_us - chart->from_us;
    char message[128];

    chart->step_us = rules->step_us(span_us, chart->from_us >= call->now_us - DAY_US);
    for (size_t i = 0; name.len > 0 && i < 3; i++) {
        if (!str_eq(name, str_of(rules->intervals[i].name)))
            continue;
        chart->step_us = rules->intervals[i].step_us;
        if (chart->step_us < HOUR_US && !call_paid_parameter(call, "interval"))
            return false;
        if (span_us <= rules->intervals[i].span_us)
            return true;
        snprintf(
            message, sizeof(message),
            "Your request exceeds the allowed time range. interval=%s is limited to %lld days.",
            rules->intervals[i].name, (long long)(rules->intervals[i].span_us / DAY_US));
        call_refuse_range(call, message);
        return false;
    }
    if (name.len > 0)
        call_refuse(call, 422, "Invalid parameter interval");
    return name.len == 0;
}

/* Everything of a chart but its span. */
static bool need_chart(struct call *call, const struct chart_rules *rules,
                       struct chart_query *chart)
{
    chart->id = call->id;
    if (!choose_step(call, rules, chart) || !call_history(call, chart->from_us) ||
        !call_coin(call, chart->vs_currency))
        return false;
    if (chart->to_us > call->now_us)
        chart->to_us = call->now_us;
    const int64_t oldest_us = chart->to_us - CHART_MAX * chart->step_us;
    if (chart->from_us < oldest_us)
        chart->from_us = oldest_us;
    return true;
}

/* ---- answers ---- */

static void add_ms(struct buf *b, const struct cell *time)
{
    buf_add_char(b, '[');
    buf_add_i64(b, time->number / US_PER_MS);
}

static void add_line(struct buf *b, const char *key, const struct rows *points, size_t column,
                     int places)
{
    json_add_key(b, key);
    buf_add_char(b, '[');
    for (size_t i = 0; i < points->n; i++) {
        const struct cell *point = rows_at(points, i);
        if (i > 0)
            buf_add_char(b, ',');
        add_ms(b, &point[SERIES_TIME]);
        buf_add_char(b, ',');
        add_rounded(b, &point[column], places);
        buf_add_char(b, ']');
    }
    buf_add_char(b, ']');
}

static void answer_chart(struct call *call, const struct chart_query *chart)
{
    const int places = call_places(call);
    struct buf *b = &call->res->body;
    struct query *q = call_query(call);
    struct err err = ERR_INIT;
    struct rows points;

    enum st st = q->driver->series(q, chart, call_arena(call), &points, &err);
    if (st != ST_OK) {
        call_fail(call, st, &err);
        return;
    }
    buf_add_char(b, '{');
    add_line(b, "prices", &points, SERIES_PRICE, places);
    add_line(b, "market_caps", &points, SERIES_MARKET_CAP, PLACES_ALL);
    add_line(b, "total_volumes", &points, SERIES_TOTAL_VOLUME, PLACES_ALL);
    buf_add_char(b, '}');
}

static void answer_candles(struct call *call, const struct chart_query *chart)
{
    const int places = call_places(call);
    struct buf *b = &call->res->body;
    struct query *q = call_query(call);
    struct err err = ERR_INIT;
    struct rows candles;

    enum st st = q->driver->ohlc(q, chart, call_arena(call), &candles, &err);
    if (st != ST_OK) {
        call_fail(call, st, &err);
        return;
    }
    buf_add_char(b, '[');
    for (size_t i = 0; i < candles.n; i++) {
        const struct cell *candle = rows_at(&candles, i);
        if (i > 0)
            buf_add_char(b, ',');
        add_ms(b, &candle[OHLC_TIME]);
        for (size_t column = OHLC_OPEN; column <= OHLC_CLOSE; column++) {
            buf_add_char(b, ',');
            add_rounded(b, &candle[column], places);
        }
        buf_add_char(b, ']');
    }
    buf_add_char(b, ']');
}

/* ---- endpoints ---- */

static bool has_charts(struct call *call)
{
    if (!call_query(call)->driver->series)
        call_unknown(call, "charts");
    return call_query(call)->driver->series != NULL;
}

static bool has_candles(struct call *call)
{
    if (!call_query(call)->driver->ohlc)
        call_unknown(call, "candles");
    return call_query(call)->driver->ohlc != NULL;
}

void answer_market_chart(struct call *call)
{
    struct chart_query chart;

    if (has_charts(call) && call_currency(call, &chart.vs_currency) && need_days(call, &chart) &&
        need_chart(call, &chart_rules, &chart))
        answer_chart(call, &chart);
}

void answer_market_chart_range(struct call *call)
{
    struct chart_query chart;

    if (has_charts(call) && call_currency(call, &chart.vs_currency) && need_range(call, &chart) &&
        need_chart(call, &chart_rules, &chart))
        answer_chart(call, &chart);
}

void answer_ohlc(struct call *call)
{
    static const char *const allowed[] = {"1", "7", "14", "30", "90", "180", "365", "max"};
    const struct str days = call_param(call, "days");
    struct chart_query chart;
    size_t i = 0;

    if (!has_candles(call) || !call_currency(call, &chart.vs_currency) ||
        !need_days(call, &chart) || !call_paid_parameter(call, "interval"))
        return;
    while (i < sizeof(allowed) / sizeof(allowed[0]) && !str_eq(days, str_of(allowed[i])))
        i++;
    if (i == sizeof(allowed) / sizeof(allowed[0]))
        call_refuse(call, 422, "Invalid parameter days");
    else if (need_chart(call, &candle_rules, &chart))
        answer_candles(call, &chart);
}

void answer_ohlc_range(struct call *call)
{
    struct chart_query chart;
    struct str interval;

    if (has_candles(call) && call_currency(call, &chart.vs_currency) && need_range(call, &chart) &&
        call_need(call, "interval", &interval) && need_chart(call, &candle_range_rules, &chart))
        answer_candles(call, &chart);
}

#define TAKES_DAYS(pattern_or_choices, kind) \
    {"days", kind, "how far back from now", pattern_or_choices, 0, 0, true}
#define TAKES_STEP(choices, is_needed) \
    {"interval", PARAMETER_CHOICE, "between two points", choices, 0, 0, is_needed}
#define CHART_SHAPE   "{prices:[[n?;2]],market_caps:[[n?;2]],total_volumes:[[n?;2]]}"
#define CANDLES_SHAPE "[[n;5]]"

const struct operation op_market_chart = {
    .summary = "prices, market caps and volumes of a coin up to now",
    .takes = (const struct parameter[]){TAKES_CURRENCY,
                                        TAKES_DAYS("^(max|[0-9]{1,9})$", PARAMETER_PATTERN),
                                        TAKES_STEP("5m|hourly|daily", false), TAKES_PRECISION,
                                        TAKES_END},
    .gives = CHART_SHAPE,
    .refuses = {404, 422, 501},
    .has_spans = true,
};

const struct operation op_market_chart_range = {
    .summary = "prices, market caps and volumes of a coin within a time",
    .takes = (const struct parameter[]){TAKES_CURRENCY, TAKES_FROM_TO,
                                        TAKES_STEP("5m|hourly|daily", false), TAKES_PRECISION,
                                        TAKES_END},
    .gives = CHART_SHAPE,
    .refuses = {404, 422, 501},
    .has_spans = true,
};

const struct operation op_ohlc = {
    .summary = "candles of a coin up to now",
    .takes =
        (const struct parameter[]){TAKES_CURRENCY,
                                   TAKES_DAYS("1|7|14|30|90|180|365|max", PARAMETER_CHOICE),
                                   TAKES_STEP("hourly|daily", false), TAKES_PRECISION, TAKES_END},
    .gives = CANDLES_SHAPE,
    .refuses = {404, 422, 501},
    .has_spans = true,
};

const struct operation op_ohlc_range = {
    .summary = "candles of a coin within a time",
    .takes =
        (const struct parameter[]){TAKES_CURRENCY, TAKES_FROM_TO, TAKES_STEP("hourly|daily", true),
                                   TAKES_PRECISION, TAKES_END},
    .gives = CANDLES_SHAPE,
    .refuses = {404, 422, 501},
    .has_spans = true,
};
