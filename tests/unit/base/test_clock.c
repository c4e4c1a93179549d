/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "tap.h"

#define FIRST (INT64_C(-62135596800) * US_PER_S)     /* 0001-01-01T00:00:00Z */
#define LAST  (INT64_C(253402300800) * US_PER_S - 1) /* 9999-12-31T23:59:59.999999Z */

static void a_time_is_read_as_rfc_3339(void)
{
    static const struct {
        const char *text;
        int64_t ts_us;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"2026-11-23T14:30:00Z", 1795444200000000},
        {"2026-11-23t14:30:00z", 1795444200000000},
        {"2026-11-23 14:30:00.5Z", 1795444200500000},
        {"2026-11-23T14:30:00.123456789Z", 1795444200123456},
        {"2026-11-23T14:30:00.0000009Z", 1795444200000000},
        {"2026-11-23T16:30:00+02:00", 1795444200000000},
        {"2026-11-23T09:00:00-05:30", 1795444200000000},
        {"2024-02-29T00:00:00Z", 1709164800000000},
        {"2000-02-29T00:00:00Z", 951782400000000},
        {"2016-12-31T23:59:60Z", 1483228800000000},
        {"0001-01-01T00:00:00Z", FIRST},
        {"9999-12-31T23:59:59.999999Z", LAST},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t ts_us;
        if (!time_parse(str_of(rows[i].text), &ts_us))
            TAP_FAIL("%s is refused", rows[i].text);
        CHECK_EQ(ts_us, rows[i].ts_us);
    }
}

static void what_is_no_time_is_refused(void)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-11-23",
        "2026-11-23T14:30",
        "2026-11-23T14:30:00",
        "2026-11-23T14:30:00.Z",
        "2026-11-23T14:30:00.1234567890Z",
        "2026-11-23T14:30:00+0200",
        "2026-11-23T14:30:00+2:00",
        "2026-11-23T14:30:00+24:00",
        "2026-11-23T14:30:00+00:60",
        "2026-11-23T14:30:00Z ",
        " 2026-11-23T14:30:00Z",
        "2026-11-23T14:30:00ZZ",
        "2026-11-23X14:30:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2026-11-00T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T14:60:00Z",
        "2026-11-23T14:30:61Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
        "-001-01-01T00:00:00Z",
        "2026-1-23T14:30:00Z",
        "20261123T143000Z",
        "2026-11-23T14:30:0\xC2\xB2Z",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ts_us;
        if (time_parse(str_of(bad[i]), &ts_us))
            TAP_FAIL("%s is read", bad[i]);
    }
}

/* xorshift: the same numbers on every machine */
static uint64_t next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void a_formatted_time_is_read_back(void)
{
    uint64_t seed = 20261123;

    for (int i = 0; i < 20000; i++) {
        int64_t ts_us = FIRST + (int64_t)(next(&seed) % (uint64_t)(LAST - FIRST + 1)), again;
        char text[TIME_TEXT];
        if (i % 3 == 0)
            ts_us = time_floor(ts_us, US_PER_S);
        if (i % 3 == 1)
            ts_us = time_floor(ts_us, US_PER_MS);
        size_t n = time_format(ts_us, text);
        CHECK_EQ(n, strlen(text));
        CHECK(time_parse((struct str){text, n}, &again));
        CHECK_EQ(again, ts_us);
        n = time_format_ms(ts_us, text);
        CHECK(time_parse((struct str){text, n}, &again));
        CHECK_EQ(again, time_floor(ts_us, US_PER_MS));
    }
}

static void each_form_of_a_time_has_its_text(void)
{
    static const struct {
        int64_t ts_us;
        const char *plain, *file, *compact, *ms;
    } rows[] = {
        {1795444200000000, "2026-11-23T14:30:00Z", "2026-11-23T14-30-00Z", "20261123T143000Z",
         "2026-11-23T14:30:00.000Z"},
        {1795444200120000, "2026-11-23T14:30:00.120Z", "2026-11-23T14-30-00.120Z",
         "20261123T143000Z", "2026-11-23T14:30:00.120Z"},
        {1795444200120001, "2026-11-23T14:30:00.120001Z", "2026-11-23T14-30-00.120001Z",
         "20261123T143000Z", "2026-11-23T14:30:00.120Z"},
        {-1, "1969-12-31T23:59:59.999999Z", "1969-12-31T23-59-59.999999Z", "19691231T235959Z",
         "1969-12-31T23:59:59.999Z"},
        {INT64_MIN, "0001-01-01T00:00:00Z", "0001-01-01T00-00-00Z", "00010101T000000Z",
         "0001-01-01T00:00:00.000Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999999Z", "9999-12-31T23-59-59.999999Z",
         "99991231T235959Z", "9999-12-31T23:59:59.999Z"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[TIME_TEXT];
        CHECK_EQ(time_format(rows[i].ts_us, text), strlen(rows[i].plain));
        CHECK_Z(text, rows[i].plain);
        CHECK_EQ(time_format_file(rows[i].ts_us, text), strlen(rows[i].file));
        CHECK_Z(text, rows[i].file);
        CHECK_EQ(time_format_compact(rows[i].ts_us, text), strlen(rows[i].compact));
        CHECK_Z(text, rows[i].compact);
        CHECK_EQ(time_format_ms(rows[i].ts_us, text), strlen(rows[i].ms));
        CHECK_Z(text, rows[i].ms);
    }
}

static void an_http_date_is_read(void)
{
    static const char *const bad[] = {
        "",
        "Mon, 23 Nov 2026 14:30:00 UTC",
        "Mon, 23 Nov 2026 14:30:00",
        "Mon, 23 Foo 2026 14:30:00 GMT",
        "Mon, 23 anF 2026 14:30:00 GMT",
        "Mon, 32 Jan 2026 14:30:00 GMT",
        "Mon, 23 Nov 2026 25:30:00 GMT",
        "Mon, +3 Nov 2026 14:30:00 GMT",
        "Mon, 23 Nov +026 14:30:00 GMT",
        "Mon, 23 Nov 2026 14: 3:00 GMT",
        "Monday, 23-Nov-26 14:30:00 GM",
        "Mon Nov 23 14:30:00 2026     ",
    };
    int64_t ts_us;

    CHECK(time_parse_http(STR("Mon, 23 Nov 2026 14:30:00 GMT"), &ts_us));
    CHECK_EQ(ts_us, 1795444200000000);
    CHECK(time_parse_http(STR("Thu, 01 Jan 1970 00:00:00 GMT"), &ts_us));
    CHECK_EQ(ts_us, 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (time_parse_http(str_of(bad[i]), &ts_us))
            TAP_FAIL("%s is read", bad[i]);
}

static void http_dates_are_written_as_they_are_read(void)
{
    static const char *const dates[] = {
        "Mon, 23 Nov 2026 14:30:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT",
        "Wed, 31 Dec 1969 23:59:59 GMT", "Thu, 29 Feb 2024 23:59:59 GMT",
        "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT",
    };
    char text[TIME_TEXT];
    int64_t ts_us;

    for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
        CHECK(time_parse_http(str_of(dates[i]), &ts_us));
        CHECK_EQ(time_format_http(ts_us, text), 29);
        CHECK_Z(text, dates[i]);
    }
}

static void a_duration_is_a_number_and_a_unit(void)
{
    static const struct {
        const char *text;
        int64_t us;
    } rows[] = {
        {"30s", 30000000},  {"5m", 300000000},
        {"1h", 3600000000}, {"7d", 604800000000},
        {"500ms", 500000},  {"1us", 1},
        {"0s", 0},          {"106751991d", 9223372022400000000},
    };
    static const char *const bad[] = {"",    "s",     "5",          "-5s",
                                      "5 s", "5S",    "5sec",       "1.5s",
                                      "+1s", "1h30m", "106751992d", "9223372036854775808us"};
    int64_t us;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[TIME_TEXT];
        CHECK(duration_parse(str_of(rows[i].text), &us));
        CHECK_EQ(us, rows[i].us);
        CHECK_EQ(duration_format(us, text), strlen(rows[i].text));
        CHECK_Z(text, rows[i].text);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (duration_parse(str_of(bad[i]), &us))
            TAP_FAIL("%s is read", bad[i]);
}

static void a_part_of_a_second_is_rounded(void)
{
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = {
        {1500000, "1.5s"}, {90500000, "90.5s"}, {1234567, "1.23s"}, {3600000001, "3600s"},
        {12000, "12ms"},   {5432, "5.43ms"},    {999, "999us"},     {-1500000, "-1500000us"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[TIME_TEXT];
        CHECK_EQ(duration_format(rows[i].us, text), strlen(rows[i].text));
        CHECK_Z(text, rows[i].text);
    }
}

static void a_grid_has_its_points_before_1970_too(void)
{
    CHECK_EQ(time_floor(59, 30), 30);
    CHECK_EQ(time_floor(60, 30), 60);
    CHECK_EQ(time_floor(0, 30), 0);
    CHECK_EQ(time_floor(-1, 30), -30);
    CHECK_EQ(time_floor(-30, 30), -30);
}

static void hours_of_the_day_may_go_over_midnight(void)
{
    static const struct {
        int64_t from_h, to_h, at_h;
        bool is_in;
    } rows[] = {
        {8, 18, 7, false},   {8, 18, 8, true},  {8, 18, 17, true},  {8, 18, 18, false},
        {22, 4, 21, false},  {22, 4, 22, true}, {22, 4, 3, true},   {22, 4, 4, false},
        {0, 0, 5, true},     {0, 24, 23, true}, {18, 24, 0, false}, {8, 18, -16, true},
        {8, 18, -17, false},
    };
    const int64_t hour_us = 3600 * US_PER_S;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (int64_t day = -1; day <= 20000; day += 10000)
            CHECK_EQ(time_is_in_hours((day * 24 + rows[i].at_h) * hour_us, rows[i].from_h * hour_us,
                                      rows[i].to_h * hour_us),
                     rows[i].is_in);
}

static void the_clocks_run(void)
{
    struct clock *c = clock_system();
    int64_t wall_us = clock_wall_us(c), mono_us = clock_mono_us(c);

    CHECK(wall_us > INT64_C(1700000000) * US_PER_S);
    CHECK(clock_mono_us(c) >= mono_us);
}

TAP_MAIN(TAP_CASE(a_time_is_read_as_rfc_3339), TAP_CASE(what_is_no_time_is_refused),
         TAP_CASE(a_formatted_time_is_read_back), TAP_CASE(each_form_of_a_time_has_its_text),
         TAP_CASE(an_http_date_is_read), TAP_CASE(http_dates_are_written_as_they_are_read),
         TAP_CASE(a_duration_is_a_number_and_a_unit), TAP_CASE(a_part_of_a_second_is_rounded),
         TAP_CASE(a_grid_has_its_points_before_1970_too),
         TAP_CASE(hours_of_the_day_may_go_over_midnight), TAP_CASE(the_clocks_run))
