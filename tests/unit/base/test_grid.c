/* Cron lines and off-peak hours, against a search through every minute that asks libc what the
 * clock shows: another reader of the zone files than ours. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/grid.h"
#include "tap.h"

#include <stdlib.h>
#include <time.h>

#define MINUTE (60 * US_PER_S)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct err err = ERR_INIT;

/* Zones, each with a time in which its clock is set. */
static const struct {
    const char *name, *around;
} places[] = {
    {"Europe/Berlin", "2026-03-29T01:00:00Z"},
    {"Europe/Berlin", "2026-10-25T01:00:00Z"},
    {"America/New_York", "2026-03-08T07:00:00Z"},
    {"America/New_York", "2026-11-01T06:00:00Z"},
    {"Asia/Kolkata", "2026-06-01T00:00:00Z"},
    {"Australia/Lord_Howe", "2026-04-04T15:00:00Z"},
    {"Australia/Lord_Howe", "2026-10-03T15:30:00Z"},
    {"Pacific/Apia", "2011-12-30T10:00:00Z"},
    {"Pacific/Apia", "2026-06-01T00:00:00Z"},
    {"UTC", "2028-02-29T00:00:00Z"},
};
#define N_PLACES (sizeof(places) / sizeof(places[0]))

static int64_t at(const char *text)
{
    int64_t ts_us = 0;
    return time_parse(str_of(text), &ts_us) ? ts_us : -1;
}

/* splitmix64 */
static uint64_t state;
static int draw(int n)
{
    uint64_t z = state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (int)((z ^ (z >> 31)) % (uint64_t)n);
}

/* ---- the oracle ---- */

/* What the clock shows, as microseconds of its own calendar. */
static int64_t shown_at(int64_t ts_us)
{
    time_t s = (time_t)(ts_us / US_PER_S);
    struct tm tm;

    localtime_r(&s, &tm);
    return (int64_t)timegm(&tm) * US_PER_S;
}

static void set_zone(const char *name)
{
    setenv("TZ", name, 1);
    tzset();
}

/* A line as sets, and the text that says the same. */
struct line {
    bool minutes[60], hours[24], days[32], months[13], weekdays[7];
    bool is_every_hour, is_any_day, is_any_weekday;
    char text[400];
};

static void draw_field(bool *set, int min, int max, const char *const *names, bool *ret_is_any,
                       struct buf *b)
{
    int kind = draw(6);

    *ret_is_any = kind <= 1;
    if (kind == 0) {
        buf_add_z(b, "*");
        for (int i = min; i <= max; i++)
            set[i] = true;
    } else if (kind == 1) {
        int step = 2 + draw(max / 2 + 1);
        buf_addf(b, "*/%d", step);
        for (int i = min; i <= max; i += step)
            set[i] = true;
    } else {
        for (int n = 1 + draw(3), k = 0; k < n; k++) {
            int from = min + draw(max - min + 1), to = from + draw(max - from + 1),
                step = 1 + draw(4);
            if (k > 0)
                buf_add_z(b, ",");
            if (names && draw(2) == 0)
                buf_add_z(b, names[from - min]);
            else
                buf_addf(b, "%d", from);
            if (kind == 2) {
                set[from] = true;
                continue;
            }
            buf_addf(b, "-%d", to);
            if (kind > 3)
                buf_addf(b, "/%d", step);
            for (int i = from; i <= to; i += kind > 3 ? step : 1)
                set[i] = true;
        }
    }
}

static void draw_line(struct line *l)
{
    static const char *const months[] = {"JAN", "feb", "Mar", "apr", "may", "JUN",
                                         "jul", "aug", "SEP", "oct", "nov", "dec"};
    static const char *const days[] = {"SUN", "mon", "Tue", "wed", "thu", "fri", "SAT"};
    struct buf b = BUF_INIT(sizeof(l->text) - 1);
    bool ignored;

    memset(l, 0, sizeof(*l));
    draw_field(l->minutes, 0, 59, NULL, &ignored, &b);
    buf_add_z(&b, " ");
    draw_field(l->hours, 0, 23, NULL, &l->is_every_hour, &b);
    buf_add_z(&b, draw(2) ? "  " : " ");
    draw_field(l->days, 1, 31, NULL, &l->is_any_day, &b);
    buf_add_z(&b, " ");
    if (draw(3) == 0) {
        draw_field(l->months, 1, 12, months, &ignored, &b);
    } else {
        buf_add_z(&b, "*");
        memset(l->months, 1, sizeof(l->months));
    }
    buf_add_z(&b, " ");
    draw_field(l->weekdays, 0, 6, days, &l->is_any_weekday, &b);
    snprintf(l->text, sizeof(l->text), "%s", buf_z(&b));
    buf_release(&b);
}

static bool is_shown(const struct line *l, int64_t shown_us)
{
    time_t s = (time_t)(shown_us / US_PER_S);
    struct tm tm;

    gmtime_r(&s, &tm);
    bool day = l->days[tm.tm_mday], weekday = l->weekdays[tm.tm_wday];
    bool is_day = l->is_any_day || l->is_any_weekday ? day && weekday : day || weekday;
    return is_day && l->months[tm.tm_mon + 1] && l->hours[tm.tm_hour] && l->minutes[tm.tm_min];
}

/* Does the line come at this minute? before[]: what the clock showed in the minutes before. */
static bool comes(const struct line *l, int64_t ts_us, const int64_t *before, size_t n_before)
{
    int64_t shown_us = shown_at(ts_us), last_us = before[n_before - 1];

    if (is_shown(l, shown_us)) {
        bool is_again = false;
        for (size_t i = 0; i < n_before && !l->is_every_hour; i++)
            is_again = is_again || before[i] == shown_us;
        if (!is_again)
            return true;
    }
    /* what the clock skips just now */
    for (int64_t skipped_us = last_us + MINUTE; !l->is_every_hour && skipped_us < shown_us;
         skipped_us += MINUTE)
        if (is_shown(l, skipped_us))
            return true;
    return false;
}

#define N_BEFORE 180 /* minutes; no clock is set back farther here */
static int64_t before[N_BEFORE];

static void a_cron_line_comes_when_a_search_through_all_minutes_says_so(void)
{
    static struct line l;

    for (int seed = 0; seed < 200; seed++) {
        const struct zone *zone;
        struct cron c;
        size_t place = (size_t)seed % N_PLACES;
        state = (uint64_t)seed;
        draw_line(&l);
        set_zone(places[place].name);
        CHECK_OK(zone_get(places[place].name, &zone, &err), err);
        enum st st = cron_parse(l.text, zone, &c, &err);
        if (st != ST_OK && strstr(err.msg, "never comes"))
            continue;
        CHECK_OK(st, err);
        int64_t from = at(places[place].around) - 2 * DAY - draw(1000) * MINUTE;
        int64_t next = cron_next(&c, from - 1);
        uint64_t n = 0;
        for (size_t i = 0; i < N_BEFORE; i++)
            before[i] = shown_at(from - (int64_t)(N_BEFORE - i) * MINUTE);
        for (int64_t ts = from; ts < from + 5 * DAY; ts += MINUTE) {
            bool is_due = comes(&l, ts, before, N_BEFORE);
            if (is_due != (next == ts)) {
                char text[TIME_TEXT];
                time_format(ts, text);
                TAP_FAIL("seed %d, %s, \"%s\": %s it %s", seed, places[place].name, l.text, text,
                         is_due ? "comes" : "does not come");
                break;
            }
            if (next == ts)
                next = cron_next(&c, ts);
            n += is_due;
            if (ts % (7 * MINUTE) == 0 && cron_count(&c, from - 1, ts + 1) != n) {
                TAP_FAIL("seed %d, %s, \"%s\": not %llu", seed, places[place].name, l.text,
                         (unsigned long long)n);
                break;
            }
            memmove(before, before + 1, sizeof(before) - sizeof(before[0]));
            before[N_BEFORE - 1] = shown_at(ts);
        }
    }
}

static void what_is_no_cron_line_is_refused_with_the_mend(void)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "has 0 fields"},
        {"* * * *", "has 4 fields"},
        {"* * * * * *", "has 6 fields"},
        {"60 * * * *", "\"60\" is no minute from 0 to 59"},
        {"* 24 * * *", "\"24\" is no hour from 0 to 23"},
        {"* * 0 * *", "no day of the month"},
        {"* * * 13 *", "no month"},
        {"* * * * 8", "no weekday"},
        {"* * * foo *", "\"foo\" is no month"},
        {"5-1 * * * *", "\"5-1\" is no minute"},
        {"*/0 * * * *", "\"*/0\""},
        {"1,,2 * * * *", "\"1,,2\""},
        {"1, * * * *", "\"1,\""},
        {"-1 * * * *", "\"-1\""},
        {"1-2-3 * * * *", "\"1-2-3\""},
        {"0 0 30 2 *", "never comes"},
        {"0 0 31 4,6,9,11 *", "never comes"},
        {"@reboot", "has 1 field,"},
    };
    const struct zone *utc;

    CHECK_OK(zone_get("UTC", &utc, &err), err);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cron c;
        err = (struct err)ERR_INIT;
        if (cron_parse(rows[i].text, utc, &c, &err) != ST_REJECT || !strstr(err.msg, rows[i].says))
            TAP_FAIL("\"%s\": %s", rows[i].text, err.msg);
    }
}

static void lines_that_are_worth_knowing(void)
{
    static const struct {
        const char *line, *zone, *after, *next;
    } rows[] = {
        {"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z",
         "2026-03-29T01:00:00Z"}, /* skipped */
        {"30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
        {"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"}, /* twice */
        {"30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
        {"0 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z",
         "2026-10-25T01:00:00Z"}, /* no hole */
        {"0 12 30 12 *", "Pacific/Apia", "2011-01-01T00:00:00Z",
         "2011-12-30T10:00:00Z"}, /* no such day */
        {"0 0 29 2 *", "UTC", "2097-01-01T00:00:00Z", "2104-02-29T00:00:00Z"},
        {"@daily", "Asia/Kolkata", "2026-06-01T00:00:00Z", "2026-06-01T18:30:00Z"},
        {"0 9 * * fri-sun", "UTC", "2026-11-28T10:00:00Z", "2026-11-29T09:00:00Z"},
        {"0 9 * * 7", "UTC", "2026-11-23T10:00:00Z", "2026-11-29T09:00:00Z"},
        {"0 9 13 * FRI", "UTC", "2026-11-13T10:00:00Z", "2026-11-20T09:00:00Z"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct zone *zone;
        struct cron c;
        char text[TIME_TEXT] = "";
        CHECK_OK(zone_get(rows[i].zone, &zone, &err), err);
        CHECK_OK(cron_parse(rows[i].line, zone, &c, &err), err);
        time_format(cron_next(&c, at(rows[i].after)), text);
        if (strcmp(text, rows[i].next) != 0)
            TAP_FAIL("%s in %s after %s: %s", rows[i].line, rows[i].zone, rows[i].after, text);
    }
}

/* ---- off-peak hours ---- */

/* Off-peak, by the oracle: since the clock first showed `from` (or skipped it), until it first
 * shows `to`. */
struct watch {
    int64_t from_us, to_us, last_us;
    bool is_offpeak;
};

static bool passes(const struct watch *w, int64_t shown_us, int64_t of_day_us)
{
    for (int64_t us = w->last_us + MINUTE; us <= shown_us; us += MINUTE)
        if (us - time_floor(us, DAY) == of_day_us)
            return true;
    return false;
}

static bool look(struct watch *w, int64_t ts_us)
{
    int64_t shown_us = shown_at(ts_us);

    if (shown_us <= w->last_us) /* shown again */
        return w->is_offpeak;
    bool on = passes(w, shown_us, w->from_us), off = passes(w, shown_us, w->to_us);
    if (on || off)
        w->is_offpeak = on && off ? w->from_us > w->to_us : on;
    w->last_us = shown_us;
    return w->is_offpeak;
}

static void off_peak_hours_begin_and_end_once_a_day_by_the_clock_of_the_zone(void)
{
    for (int seed = 0; seed < 150; seed++) {
        size_t place = (size_t)seed % N_PLACES;
        struct grid g = {.every_us = 5 * MINUTE};
        uint64_t n = 0;
        state = (uint64_t)seed;
        if (strcmp(places[place].name, "Pacific/Apia") == 0 && places[place].around[3] == '1')
            continue; /* a day that was not: both at once */
        g.offpeak.every_us = (1 + draw(4)) * 15 * MINUTE;
        g.offpeak.from_us = draw(96) * 15 * MINUTE;
        g.offpeak.to_us = (g.offpeak.from_us + (8 + draw(80)) * 15 * MINUTE) % DAY;
        if (draw(2) == 0) {
            g.from_us = draw(24) * HOUR;
            g.to_us = draw(24) * HOUR;
        }
        set_zone(places[place].name);
        CHECK_OK(zone_get(places[place].name, &g.offpeak.zone, &err), err);
        int64_t from = at(places[place].around) - 3 * DAY, until = from + 6 * DAY, slot;
        struct watch w = {.from_us = g.offpeak.from_us,
                          .to_us = g.offpeak.to_us,
                          .last_us = shown_at(from - 3 * DAY)};
        for (int64_t ts = from - 3 * DAY; ts <= from; ts += MINUTE)
            look(&w, ts);
        int64_t next = grid_next(&g, from - 1), last = 0;
        for (int64_t ts = from; ts < until; ts += MINUTE) {
            int64_t every = look(&w, ts) ? g.offpeak.every_us : g.every_us;
            bool is_due = ts % every == 0 && time_is_in_hours(ts, g.from_us, g.to_us);
            if (is_due)
                last = ts;
            if (is_due != (next == ts)) {
                char text[TIME_TEXT];
                time_format(ts, text);
                TAP_FAIL("seed %d, %s: %s is %s", seed, places[place].name, text,
                         is_due ? "a slot" : "none");
                break;
            }
            n += is_due;
            if (is_due)
                next = grid_next(&g, ts);
            if (grid_slot(&g, ts, &slot) && last != 0 && slot != last)
                TAP_FAIL("seed %d: another slot holds", seed);
        }
        if (grid_count(&g, from - 1, until) != n)
            TAP_FAIL("seed %d: %llu slots, counted %llu", seed, (unsigned long long)n,
                     (unsigned long long)grid_count(&g, from - 1, until));
    }
}

static void a_cron_grid_holds_its_last_slot(void)
{
    struct grid g = {.every_us = MINUTE};
    const struct zone *zone;
    int64_t slot = 0;

    CHECK_OK(zone_get("Europe/Berlin", &zone, &err), err);
    CHECK_OK(cron_parse("40 2 1 * *", zone, &g.cron, &err), err);
    CHECK(grid_slot(&g, at("2026-11-29T00:00:00Z"), &slot));
    CHECK_EQ(slot, at("2026-11-01T01:40:00Z"));
    CHECK_EQ(grid_count(&g, at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z")), 12);
    CHECK_EQ(grid_next(&g, slot), at("2026-12-01T01:40:00Z"));
}

/* From any moment, within any hours, over the days on which clocks are set. */
static void the_slots_of_a_line_are_counted_as_they_are_stepped_through(void)
{
    static struct line l;

    for (int seed = 0; seed < 600; seed++) {
        const size_t place = (size_t)seed % N_PLACES;
        struct grid g = {.every_us = MINUTE};
        const struct zone *zone;
        uint64_t n = 0;
        state = (uint64_t)seed + 1000;
        draw_line(&l);
        CHECK_OK(zone_get(places[place].name, &zone, &err), err);
        if (cron_parse(l.text, zone, &g.cron, &err) != ST_OK)
            continue;
        if (draw(2) == 0) {
            g.from_us = draw(1440) * MINUTE;
            g.to_us = draw(1440) * MINUTE;
        }
        const int64_t after = at(places[place].around) - draw(5 * 86400) * US_PER_S;
        const int64_t end = after + draw(20 * 86400) * US_PER_S + draw(2);
        for (int64_t slot = grid_next(&g, after); slot != 0 && slot < end;
             slot = grid_next(&g, slot))
            n++;
        if (n != grid_count(&g, after, end))
            TAP_FAIL("seed %d, %s, \"%s\": %llu, counted %llu", seed, places[place].name, l.text,
                     (unsigned long long)n, (unsigned long long)grid_count(&g, after, end));
    }
}

/* Of hours in which it never comes nobody looks through thousands of years. */
static void a_line_outside_its_hours_never_comes(void)
{
    struct grid g = {.every_us = MINUTE, .from_us = 8 * HOUR, .to_us = 9 * HOUR};
    const struct zone *zone;

    CHECK_OK(zone_get("UTC", &zone, &err), err);
    CHECK_OK(cron_parse("0 3 29 2 *", zone, &g.cron, &err), err);
    CHECK_EQ(grid_next(&g, at("2026-01-01T00:00:00Z")), 0);
    CHECK_EQ(grid_next(&g, at("9990-01-01T00:00:00Z")), 0);
    CHECK_EQ(grid_end(&g, at("2026-01-01T00:00:00Z")), INT64_MAX); /* not in the past: no hurry */
    CHECK_EQ(grid_count(&g, at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z")), 0);
    g.to_us = 3 * HOUR + 1;
    CHECK_EQ(grid_next(&g, at("2026-01-01T00:00:00Z")), at("2028-02-29T03:00:00Z"));
}

TAP_MAIN(TAP_CASE(a_cron_line_comes_when_a_search_through_all_minutes_says_so),
         TAP_CASE(what_is_no_cron_line_is_refused_with_the_mend),
         TAP_CASE(lines_that_are_worth_knowing),
         TAP_CASE(off_peak_hours_begin_and_end_once_a_day_by_the_clock_of_the_zone),
         TAP_CASE(a_cron_grid_holds_its_last_slot),
         TAP_CASE(the_slots_of_a_line_are_counted_as_they_are_stepped_through),
         TAP_CASE(a_line_outside_its_hours_never_comes))
