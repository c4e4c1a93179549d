/* Which requests a span of the past takes, and what the plans do not have. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/charts.h"

#include "base/clock.h"
#include "tap.h"

#include <stdio.h>

#define NOW  INT64_C(1795442400000000) /* 2026-11-23T14:00:00Z */
#define HOUR (3600 * US_PER_S)
#define DAY  (24 * HOUR)

static const struct chart_grain *grain(const char *name, bool is_candle)
{
    return chart_grain_find(str_of(name), is_candle);
}

/* The requests for [since, until), in hours before NOW: "from-to days interval", parted by ", ". */
static const char *asks(const struct chart_grain *g, int plan, int64_t since, int64_t until)
{
    static char text[1024];
    int64_t from_us = NOW - since * HOUR, until_us = NOW - until * HOUR;
    size_t n = 0;

    text[0] = '\0';
    while (from_us < until_us) {
        struct chart_ask ask = {.coin = "bitcoin"};
        if (!chart_cut(g, NOW, chart_wall(g, plan, NOW, 0), &from_us, until_us, &ask))
            continue;
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%lld-%lld", n > 0 ? ", " : "",
                              (long long)((NOW - ask.from_us) / HOUR),
                              (long long)((NOW - ask.to_us) / HOUR));
        if (ask.days > 0)
            n += (size_t)snprintf(text + n, sizeof(text) - n, " days=%d", ask.days);
        if (ask.interval)
            n += (size_t)snprintf(text + n, sizeof(text) - n, " %s", ask.interval);
    }
    return text;
}

static void a_span_is_cut_as_fine_as_it_is_wanted(void)
{
    CHECK_Z(asks(grain("daily", false), PLAN_DEMO, 365 * 24, 1), "8760-1");
    CHECK_Z(asks(grain("hourly", false), PLAN_DEMO, 200 * 24, 1), "4800-2640, 2640-480, 480-1");
    CHECK_Z(asks(grain("5m", false), PLAN_DEMO, 24, 1), "24-1");
    /* candles are cut between two of them: NOW is 14:00 */
    CHECK_Z(asks(grain("daily", true), PLAN_ANALYST, 200 * 24, 0), "4814-494 daily, 494-0 daily");
    CHECK_Z(asks(grain("hourly", true), PLAN_LITE, 40 * 24, 0), "960-216 hourly, 216-0 hourly");
}

/* Else CoinGecko would answer finer than that, which costs the same and is not what is missing. */
static void a_short_span_is_extended_into_the_past(void)
{
    CHECK_Z(asks(grain("daily", false), PLAN_DEMO, 48, 1), "2162-1");
    CHECK_Z(asks(grain("hourly", false), PLAN_DEMO, 3, 1), "26-1");
    /* or to the other side, where the wall is near */
    CHECK_Z(asks(grain("daily", false), PLAN_DEMO, 364 * 24, 363 * 24), "8760-6599");
    CHECK_Z(asks(grain("hourly", false), PLAN_DEMO, 365 * 24, 365 * 24 - 2), "8760-8735");
}

static void free_candles_are_asked_for_by_days(void)
{
    CHECK_Z(asks(grain("30m", true), PLAN_DEMO, 20, 1), "20-0 days=1");
    CHECK_Z(asks(grain("4h", true), PLAN_DEMO, 5 * 24, 1), "120-0 days=7");
    CHECK_Z(asks(grain("4h", true), PLAN_DEMO, 29 * 24, 1), "696-0 days=30");
    CHECK_Z(asks(grain("4d", true), PLAN_DEMO, 100 * 24, 1), "2400-0 days=180");
}

static void each_plan_has_its_wall(void)
{
    const struct chart_grain *daily = grain("daily", false), *hourly = grain("hourly", false);

    CHECK_EQ(chart_wall(daily, PLAN_KEYLESS, NOW, 0), NOW - 365 * DAY);
    CHECK_EQ(chart_wall(daily, PLAN_DEMO, NOW, HOUR), NOW - 365 * DAY + HOUR);
    CHECK_EQ(chart_wall(hourly, PLAN_BASIC, NOW, 0), NOW - 730 * DAY);
    CHECK_EQ(chart_wall(daily, PLAN_ANALYST, NOW, 0), INT64_C(1367107200000000));
    CHECK_EQ(chart_wall(hourly, PLAN_LITE, NOW, 0), INT64_C(1517270400000000));
    CHECK_EQ(chart_wall(grain("5m", false), PLAN_LITE, NOW, 0), NOW - DAY);
    CHECK_EQ(chart_wall(grain("4h", true), PLAN_DEMO, NOW, 0), NOW - 30 * DAY);
    CHECK_EQ(chart_wall(grain("hourly", true), PLAN_DEMO, NOW, 0), INT64_MAX);
    CHECK_EQ(chart_wall(grain("hourly", true), PLAN_ANALYST, NOW, 0), INT64_C(1518134400000000));
    CHECK(grain("4h", false) == NULL && grain("5m", true) == NULL && grain("", false) == NULL);
}

static const char *target_of(const struct chart_ask *ask)
{
    static char text[512];
    struct buf b = BUF_INIT(sizeof(text) - 1);

    chart_target(ask, "usd", &b);
    snprintf(text, sizeof(text), "%s", buf_z(&b));
    buf_release(&b);
    return text;
}

static void a_target_says_what_it_was_for(void)
{
    struct chart_asked asked;
    struct chart_ask ask = {.coin = "a [b]", .from_us = NOW - 9 * DAY, .to_us = NOW - HOUR};

    CHECK_Z(target_of(&ask),
            "/coins/a%20%5Bb%5D/market_chart/range?vs_currency=usd&from=1794664800&to=1795438800");
    CHECK(chart_read_target(str_of(target_of(&ask)), NOW, &asked));
    CHECK_Z(asked.coin, "a [b]");
    CHECK(!asked.is_candle && asked.step_us == HOUR && asked.from_us == ask.from_us &&
          asked.to_us == ask.to_us);
    ask.from_us = NOW - DAY + 600 * US_PER_S;
    CHECK(chart_read_target(str_of(target_of(&ask)), NOW, &asked));
    CHECK_EQ(asked.step_us, 300 * US_PER_S);
    ask.from_us = NOW - 91 * DAY - HOUR;
    CHECK(chart_read_target(str_of(target_of(&ask)), NOW, &asked));
    CHECK_EQ(asked.step_us, DAY);
    ask = (struct chart_ask){.coin = "btc", .path = CHART_OHLC, .days = 30};
    CHECK_Z(target_of(&ask), "/coins/btc/ohlc?vs_currency=usd&days=30");
    CHECK(chart_read_target(STR("/api/v3/coins/btc/ohlc?vs_currency=usd&days=30"), NOW, &asked));
    CHECK(asked.is_candle && asked.step_us == 4 * HOUR && asked.from_us == NOW - 30 * DAY);
    ask = (struct chart_ask){
        .coin = "btc", .path = CHART_OHLC_RANGE, .to_us = 60 * US_PER_S, .interval = "daily"};
    CHECK_Z(target_of(&ask), "/coins/btc/ohlc/range?vs_currency=usd&from=0&to=60&interval=daily");
    CHECK(chart_read_target(str_of(target_of(&ask)), NOW, &asked));
    CHECK_EQ(asked.step_us, DAY);
    CHECK(!chart_read_target(STR("/coins/list"), NOW, &asked));
    CHECK(!chart_read_target(STR("/coins/a/ohlc?days=x"), NOW, &asked));
    CHECK(!chart_read_target(STR("/coins/%zz/ohlc?days=1"), NOW, &asked));
    CHECK(!chart_read_target(STR(""), NOW, &asked));
}

TAP_MAIN(TAP_CASE(a_span_is_cut_as_fine_as_it_is_wanted),
         TAP_CASE(a_short_span_is_extended_into_the_past),
         TAP_CASE(free_candles_are_asked_for_by_days), TAP_CASE(each_plan_has_its_wall),
         TAP_CASE(a_target_says_what_it_was_for))
