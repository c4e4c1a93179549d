/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/charts.h"

#include "base/clock.h"

#include <stdio.h>

#define MINUTE (60 * US_PER_S)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* /coins/{id}/market_chart/range and /coins/{id}/ohlc: OpenAPI of 2026-06-22, both hosts */
#define DAYS_SINCE    INT64_C(1367107200000000) /* 2013-04-28 */
#define HOURS_SINCE   INT64_C(1517270400000000) /* 2018-01-30 */
#define CANDLES_SINCE INT64_C(1518134400000000) /* 2018-02-09 */
#define LATEST_US     (36 * MINUTE) /* as transform/chart.h: what is younger may change */

#define SLACK HOUR /* so that a request is clearly beyond where a grain ends */

/* clang-format off */
static const struct chart_grain grains[] = {
    {"daily",  false, DAY,         INT64_MAX, DAYS_SINCE,    90 * DAY + SLACK, INT64_MAX, false},
    {"hourly", false, HOUR,        INT64_MAX, HOURS_SINCE,   DAY + SLACK,      90 * DAY,  false},
    {"5m",     false, 5 * MINUTE,  DAY,       HOURS_SINCE,   0,                DAY,       false},
    {"daily",  true,  DAY,         INT64_MAX, CANDLES_SINCE, 0,                180 * DAY, true},
    {"hourly", true,  HOUR,        INT64_MAX, CANDLES_SINCE, 0,                31 * DAY,  true},
    {"4d",     true,  4 * DAY,     365 * DAY, DAYS_SINCE,    0,                365 * DAY, false},
    {"4h",     true,  4 * HOUR,    30 * DAY,  DAYS_SINCE,    0,                30 * DAY,  false},
    {"30m",    true,  30 * MINUTE, DAY,       DAYS_SINCE,    0,                DAY,       false},
};
/* clang-format on */

#define N_GRAINS (sizeof(grains) / sizeof(grains[0]))

/* Days of history; 0: all. CoinGecko's docs and prices, 2026-11; `pro` is any paid plan, taken for
 * one with all of it: the smallest, basic, has a name of its own. */
static const int history_days[] = {[PLAN_KEYLESS] = 365, [PLAN_DEMO] = 365, [PLAN_BASIC] = 730,
                                   [PLAN_ANALYST] = 0,   [PLAN_LITE] = 0,   [PLAN_PRO] = 0};

static bool has_ranges_of_candles(int api_plan)
{
    return history_days[api_plan] == 0;
}

const struct chart_grain *chart_grain_find(struct str name, bool is_candle)
{
    for (size_t i = 0; i < N_GRAINS; i++)
        if (grains[i].is_candle == is_candle && str_eq(name, str_of(grains[i].name)))
            return &grains[i];
    return NULL;
}

void chart_grain_list(bool is_candle, int api_plan, struct buf *b)
{
    const char *separator = "";

    for (size_t i = 0; i < N_GRAINS; i++) {
        if (grains[i].is_candle != is_candle ||
            (grains[i].is_paid && !has_ranges_of_candles(api_plan)))
            continue;
        buf_addf(b, "%s%s", separator, grains[i].name);
        separator = ", ";
    }
}

int64_t chart_wall(const struct chart_grain *grain, int api_plan, int64_t now_us, int64_t margin_us)
{
    const int days = history_days[api_plan];
    int64_t wall_us = grain->first_us, from_us;

    if (grain->is_paid && !has_ranges_of_candles(api_plan))
        return INT64_MAX;
    if (days > 0 && (from_us = now_us - days * DAY + margin_us) > wall_us)
        wall_us = from_us;
    if (grain->reach_us < INT64_MAX && (from_us = now_us - grain->reach_us + margin_us) > wall_us)
        wall_us = from_us;
    return wall_us;
}

int64_t chart_newest(int64_t now_us)
{
    return time_floor(now_us - LATEST_US, US_PER_S);
}

/* As many days as free candles can be asked for, that reach back to from_us and are so fine. */
static bool choose_days(const struct chart_grain *grain, int64_t now_us, int64_t from_us,
                        int *ret_days)
{
    static const int choices[] = {1, 7, 14, 30, 90, 180, 365};
    int fallback = 0;

    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        const int64_t span_us = choices[i] * DAY;
        const int64_t step_us = span_us <= 2 * DAY    ? 30 * MINUTE
                                : span_us <= 30 * DAY ? 4 * HOUR
                                                      : 4 * DAY;
        if (step_us != grain->step_us)
            continue;
        fallback = *ret_days = choices[i];
        if (now_us - span_us <= from_us)
            return true;
    }
    return fallback > 0;
}

bool chart_cut(const struct chart_grain *grain, int64_t now_us, int64_t wall_us, int64_t *from_us,
               int64_t until_us, struct chart_ask *ret_ask)
{
    struct chart_ask ask = {.path = grain->is_candle ? CHART_OHLC : CHART_RANGE};
    int64_t from = time_floor(*from_us, US_PER_S), to = until_us;

    if (grain->is_candle && !grain->is_paid) {
        *from_us = until_us;
        ask.from_us = from;
        ask.to_us = now_us;
        if (!choose_days(grain, now_us, from, &ask.days))
            return false;
        memcpy(ask.coin, ret_ask->coin, sizeof(ask.coin));
        *ret_ask = ask;
        return true;
    }
    if (grain->is_paid) { /* a candle that the cut falls into would be whole in neither request */
        ask.path = CHART_OHLC_RANGE;
        ask.interval = grain->name;
        from = time_floor(from, grain->step_us);
    }
    if (grain->most_us < to - from)
        to = from + grain->most_us;
    *from_us = to;
    if (to - from < grain->least_us)
        from = to - grain->least_us;
    if (from < wall_us && to - wall_us < grain->least_us) { /* extend it to the other side */
        from = wall_us;
        to = from + grain->least_us;
        if (to > now_us)
            return false;
    } else if (from < wall_us) {
        from = wall_us;
    }
    ask.from_us = time_floor(from, US_PER_S);
    ask.to_us = time_floor(to, US_PER_S);
    memcpy(ask.coin, ret_ask->coin, sizeof(ask.coin));
    *ret_ask = ask;
    return true;
}

static void add_encoded(struct buf *b, const char *z)
{
    for (; *z; z++) {
        const char c = *z;
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || strchr("-._~", c);
        buf_addf(b, is_plain ? "%c" : "%%%02X", (unsigned)(unsigned char)c);
    }
}

void chart_target(const struct chart_ask *ask, const char *vs_currency, struct buf *ret_target)
{
    buf_add_z(ret_target, "/coins/");
    add_encoded(ret_target, ask->coin);
    buf_add_z(ret_target, ask->path == CHART_RANGE  ? "/market_chart/range"
                          : ask->path == CHART_OHLC ? "/ohlc"
                                                    : "/ohlc/range");
    buf_add_z(ret_target, "?vs_currency=");
    add_encoded(ret_target, vs_currency);
    if (ask->path == CHART_OHLC)
        buf_addf(ret_target, "&days=%d", ask->days);
    else
        buf_addf(ret_target, "&from=%lld&to=%lld", (long long)(ask->from_us / US_PER_S),
                 (long long)(ask->to_us / US_PER_S));
    if (ask->interval)
        buf_addf(ret_target, "&interval=%s", ask->interval);
}

/* ---- back from the tape ---- */

/* The number behind "name=" in a query, which no other parameter's name ends with. */
static bool read_number(struct str query, const char *name, int64_t *ret_value)
{
    struct str pair, key;

    while (query.len > 0) {
        str_cut(&query, '&', &pair);
        str_cut(&pair, '=', &key);
        if (str_eq(key, str_of(name)))
            return str_to_i64(pair, 0, INT64_C(253402300799), ret_value);
    }
    return false;
}

static bool has_pair(struct str query, struct str wanted)
{
    struct str pair;

    while (query.len > 0) {
        str_cut(&query, '&', &pair);
        if (str_eq(pair, wanted))
            return true;
    }
    return false;
}

static int64_t step_of_points(int64_t from_us, int64_t to_us, int64_t made_us)
{
    if (to_us - from_us <= DAY && from_us >= made_us - DAY - HOUR)
        return 5 * MINUTE;
    return to_us - from_us <= 90 * DAY ? HOUR : DAY;
}

static int64_t step_of_candles(int64_t span_us)
{
    return span_us <= 2 * DAY ? 30 * MINUTE : span_us <= 30 * DAY ? 4 * HOUR : 4 * DAY;
}

bool chart_read_target(struct str target, int64_t made_us, struct chart_asked *ret_asked)
{
    static const struct str coins = STR("/coins/");
    struct str query = target, path, id;
    int64_t from, to, days;

    str_cut(&query, '?', &path);
    while (path.len > 0 && !str_starts(path, coins))
        path = (struct str){path.p + 1, path.len - 1};
    if (path.len == 0)
        return false;
    path = (struct str){path.p + coins.len, path.len - coins.len};
    str_cut(&path, '/', &id);
    ret_asked->is_candle = str_starts(path, STR("ohlc"));
    if (!str_percent_decode(id, ret_asked->coin, sizeof(ret_asked->coin)))
        return false;
    if (read_number(query, "days", &days) && days < 36500) {
        ret_asked->to_us = made_us;
        ret_asked->from_us = made_us - days * DAY;
    } else if (read_number(query, "from", &from) && read_number(query, "to", &to)) {
        ret_asked->from_us = from * US_PER_S;
        ret_asked->to_us = to * US_PER_S;
    } else {
        return false;
    }
    const int64_t span_us = ret_asked->to_us - ret_asked->from_us;
    ret_asked->step_us = has_pair(query, STR("interval=daily"))    ? DAY
                         : has_pair(query, STR("interval=hourly")) ? HOUR
                         : ret_asked->is_candle
                             ? step_of_candles(span_us)
                             : step_of_points(ret_asked->from_us, ret_asked->to_us, made_us);
    return true;
}
