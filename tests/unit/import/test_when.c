/* SPDX-License-Identifier: Apache-2.0 */
#include "import/when.h"

#include "base/clock.h"
#include "base/file.h"
#include "tap.h"

static struct zone zone;
static struct when when = {.zone = &zone};

static void shown(int64_t us, char text[TIME_TEXT])
{
    time_format(us, text);
}

static void a_name_gives_its_time(void)
{
    static const struct {
        const char *name, *time; /* NULL: it has none */
    } rows[] = {
        {"market_2006-01-02T15-04-05", "2006-01-02T15:04:05Z"},
        {"market_2006-01-02T15-04-05Z", "2006-01-02T15:04:05Z"},
        {"market_2026-11-23T14-30-00.123456Z_p2", "2026-11-23T14:30:00.123456Z"},
        {"20060102T150405Z", "2006-01-02T15:04:05Z"},
        {"2006-01-02_15:04:05", "2006-01-02T15:04:05Z"},
        {"2006-01-02 15:04", "2006-01-02T15:04:00Z"},
        {"20060102150405", "2006-01-02T15:04:05Z"},
        {"20060102150405123", "2006-01-02T15:04:05.123Z"},
        {"20060102_150405", "2006-01-02T15:04:05Z"},
        {"200601021504", "2006-01-02T15:04:00Z"},
        {"2006_01_02_15_04_05", "2006-01-02T15:04:05Z"},
        {"2006.01.02-15.04.05", "2006-01-02T15:04:05Z"},
        {"2006-01-02-15h04m05", "2006-01-02T15:04:05Z"},
        {"2006-01-02T15", "2006-01-02T15:00:00Z"},
        {"madjin_2023-03-20_usd_100", "2023-03-20T00:00:00Z"},
        {"2023-03-20_100", "2023-03-20T00:00:00Z"},
        {"2023-03-20-7", "2023-03-20T00:00:00Z"},
        {"20230320", "2023-03-20T00:00:00Z"},
        {"top250_1700000000", "2023-11-14T22:13:20Z"},
        {"1700000000123", "2023-11-14T22:13:20.123Z"},
        {"x1700000000123456y", "2023-11-14T22:13:20.123456Z"},
        {"1700000000123456789", "2023-11-14T22:13:20.123456Z"},
        {"2006-01-02T15-04-05+0200", "2006-01-02T13:04:05Z"},
        {"2006-01-02T15-04-05+02:00", "2006-01-02T13:04:05Z"},
        {"2006-01-02T15-04-05-0330", "2006-01-02T18:34:05Z"},
        {"2006-01-02T15-04-05-0001", "2006-01-02T15:04:05Z"}, /* a counter */
        {"v2_2006-01-02", "2006-01-02T00:00:00Z"},
        {"top100 20260230 20240229", "2024-02-29T00:00:00Z"}, /* the first that is a day */
        {"", NULL},
        {"market", NULL},
        {"12345678901", NULL},
        {"2006-13-02", NULL},
        {"2006-02-30T00-00-00", NULL},
        {"02-01-2006", NULL},
        {"2006", NULL},
        {"2006-01", NULL},
        {"2006-01-0", NULL},
        {"2006-01-023", NULL},
        {"99999999999999", NULL},
        {"\xff\xfe\x00", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[TIME_TEXT] = "";
        size_t at, end;
        int64_t us;
        if (when_find(&when, str_of(rows[i].name), &us, &at, &end))
            shown(us, text);
        if (strcmp(text, rows[i].time ? rows[i].time : "") != 0)
            TAP_FAIL("%s: got %s, want %s", rows[i].name, text, rows[i].time);
    }
}

static void a_text_is_a_time_or_not(void)
{
    static const struct {
        const char *text, *time;
    } rows[] = {
        {"2026-11-23T14:30:00Z", "2026-11-23T14:30:00Z"},
        {"2026-11-23T14:30:00.123456789+02:00", "2026-11-23T12:30:00.123456Z"},
        {" 2026-11-23 14:30:00 ", "2026-11-23T14:30:00Z"},
        {"2026-11-23 14:30:00 UTC", "2026-11-23T14:30:00Z"},
        {"2026-11-23 14:30:00.000000+00:00", "2026-11-23T14:30:00Z"},
        {"2026-11-23", "2026-11-23T00:00:00Z"},
        {"1700000000", "2023-11-14T22:13:20Z"},
        {"1700000000.25", "2023-11-14T22:13:20.250Z"},
        {"1.7e9", "2023-11-14T22:13:20Z"},
        {"1700000000123.0", "2023-11-14T22:13:20.123Z"},
        {"1700000000123456", "2023-11-14T22:13:20.123456Z"},
        {"1700000000123456789", "2023-11-14T22:13:20.123456Z"},
        {"", NULL},
        {"now", NULL},
        {"2026", NULL},
        {"250", NULL},
        {"-1700000000", NULL},
        {"1e999", NULL},
        {"1.7e300", NULL},
        {"2026-11-23 top", NULL},
        {"23/11/2026", NULL},
        {"2026-11-23T25:00:00Z", NULL},
        {"NaN", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[TIME_TEXT] = "";
        int64_t us;
        if (when_parse(&when, str_of(rows[i].text), &us))
            shown(us, text);
        if (strcmp(text, rows[i].time ? rows[i].time : "") != 0)
            TAP_FAIL("%s: got %s, want %s", rows[i].text, text, rows[i].time);
    }
}

/* ---- zones ---- */

static void add_number(struct buf *b, int64_t value, int n)
{
    while (n-- > 0)
        buf_add_char(b, (char)((uint64_t)value >> (8 * n)));
}

static void add_header(struct buf *b, int64_t times, int64_t types)
{
    buf_add_z(b, "TZif2");
    for (int i = 0; i < 15; i++)
        buf_add_char(b, '\0');
    const int64_t counts[] = {0, 0, 0, times, types, 4};
    for (size_t i = 0; i < 6; i++)
        add_number(b, counts[i], 4);
}

/* A zone as the database has it: UTC+1, summer time from `at` on; then a rule. */
static void make_zone(struct buf *b, const char *rule)
{
    add_header(b, 0, 1);
    add_number(b, 0, 6);
    buf_add(b, "UTC", 4);
    add_header(b, 2, 2);
    add_number(b, INT64_C(1364691600), 8); /* 2013-03-31T01:00:00Z */
    add_number(b, INT64_C(1382835600), 8); /* 2013-10-27T01:00:00Z */
    buf_add(b, "\1\0", 2);
    add_number(b, 3600, 4);
    add_number(b, 0, 2);
    add_number(b, 7200, 4);
    add_number(b, 1 << 8, 2);
    buf_add(b, "CET", 4);
    buf_addf(b, "\n%s\n", rule);
}

static void local_time_follows_changes_and_rules(void)
{
    static const struct {
        const char *local, *utc;
        bool is_twice;
    } rows[] = {
        {"2013-01-01T00:00:00Z", "2012-12-31T23:00:00Z", false},
        {"2013-07-01T00:00:00Z", "2013-06-30T22:00:00Z", false},
        {"2013-12-01T00:00:00Z", "2013-11-30T23:00:00Z", false},
        {"2013-10-27T02:30:00Z", "2013-10-27T00:30:00Z", true}, /* the first of two */
        {"2013-10-27T03:00:00Z", "2013-10-27T02:00:00Z", false},
        {"2013-03-31T02:30:00Z", "2013-03-31T01:30:00Z", false}, /* the clock skipped it */
        {"2024-03-31T01:59:59Z", "2024-03-31T00:59:59Z", false}, /* by rule from here on */
        {"2024-03-31T03:00:00Z", "2024-03-31T01:00:00Z", false},
        {"2024-07-01T00:00:00Z", "2024-06-30T22:00:00Z", false},
        {"2024-10-27T02:00:00Z", "2024-10-27T00:00:00Z", true},
        {"2026-11-23T14:30:00Z", "2026-11-23T13:30:00Z", false},
        {"2026-12-31T23:59:59Z", "2026-12-31T22:59:59Z", false},
    };
    struct buf bytes = BUF_INIT(4096);
    static struct zone z;

    make_zone(&bytes, "CET-1CEST,M3.5.0,M10.5.0/3");
    CHECK(zone_parse(buf_str(&bytes), &z));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[TIME_TEXT];
        bool is_twice = false;
        int64_t us;
        CHECK(time_parse(str_of(rows[i].local), &us));
        shown(zone_to_utc(&z, us, &is_twice), text);
        if (strcmp(text, rows[i].utc) != 0 || is_twice != rows[i].is_twice)
            TAP_FAIL("%s: got %s %d, want %s", rows[i].local, text, is_twice, rows[i].utc);
    }
    buf_release(&bytes);
}

static void a_damaged_zone_file_is_refused(void)
{
    static const char *const rules[] = {
        "CET-1CEST,M3.5.0",          "CET-1CEST,M13.5.0,M10.5.0", "-1",
        "CET-99CEST,M3.5.0,M10.5.0", "CET-1CEST,J60,J300",        "<CET-1"};
    struct buf bytes = BUF_INIT(4096);
    static struct zone z;

    make_zone(&bytes, "CET-1");
    CHECK(zone_parse(buf_str(&bytes), &z));
    for (size_t len = 0; len < bytes.len; len++)
        CHECK(!zone_parse((struct str){bytes.p, len}, &z));
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        buf_clear(&bytes);
        make_zone(&bytes, rules[i]);
        if (zone_parse(buf_str(&bytes), &z))
            TAP_FAIL("taken: %s", rules[i]);
    }
    buf_release(&bytes);
}

static void zones_are_found_by_name(void)
{
    static const struct {
        const char *name;
        int64_t east_s; /* of 2024-01-01 */
    } rows[] = {{"UTC", 0},        {"Z", 0},       {"+02:00", 7200},
                {"-0330", -12600}, {"+14", 50400}, {"-08:00", -28800}};
    static const char *const bad[] = {
        "",   "utc+1",        "../../etc/passwd", "/etc/passwd", "+25:00",
        "+2", "Mars/Olympus", "+02:60",           "Europe",      "Europe/Berlin\n"};
    const int64_t noon = INT64_C(1704110400000000);
    static struct zone z;
    struct err err = ERR_INIT;
    bool is_twice = false;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (zone_open(rows[i].name, &z, &err) != ST_OK)
            TAP_FAIL("%s: %s", rows[i].name, err.msg);
        CHECK_EQ(zone_to_utc(&z, noon, &is_twice), noon - rows[i].east_s * US_PER_S);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err.msg[0] = '\0';
        if (zone_open(bad[i], &z, &err) == ST_OK || strstr(err.msg, "+02:00") == NULL)
            TAP_FAIL("%s: %s", bad[i], err.msg);
    }
}

static void the_systems_zones_are_read(void)
{
    static struct zone z;
    struct err err = ERR_INIT;
    bool is_twice = false;
    int64_t us;

    if (zone_open("America/New_York", &z, &err) != ST_OK)
        SKIP("no zone database here");
    CHECK(time_parse(STR("2024-07-04T12:00:00Z"), &us));
    CHECK_EQ(zone_to_utc(&z, us, &is_twice), us + 4 * 3600 * US_PER_S);
    CHECK(time_parse(STR("2024-12-04T12:00:00Z"), &us));
    CHECK_EQ(zone_to_utc(&z, us, &is_twice), us + 5 * 3600 * US_PER_S);
}

TAP_MAIN(TAP_CASE(a_name_gives_its_time), TAP_CASE(a_text_is_a_time_or_not),
         TAP_CASE(local_time_follows_changes_and_rules), TAP_CASE(a_damaged_zone_file_is_refused),
         TAP_CASE(zones_are_found_by_name), TAP_CASE(the_systems_zones_are_read))
