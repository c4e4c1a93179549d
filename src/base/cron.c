/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cron.h"

#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#define MINUTE_US (60 * US_PER_S)
#define DAY_US    (86400 * US_PER_S)
#define MAX_DAYS  (9 * 366) /* two 29ths of February may be 8 years apart */

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

struct field {
    const char *what;
    int min, max;
    const char *const *names; /* of min, min + 1, … */
    const char *like;
};

static bool value_of(const struct field *f, struct str s, int *ret_value)
{
    int64_t number;

    for (int i = 0; f->names && f->names[i]; i++)
        if (s.len == 3 && strncasecmp(s.p, f->names[i], 3) == 0) {
            *ret_value = f->min + i;
            return true;
        }
    if (s.len == 0 || s.len > 2 || !str_to_i64(s, f->min, f->max, &number))
        return false;
    *ret_value = (int)number;
    return true;
}

/* One of a field's list: "*", "5", "1-5", any of them with "/N". */
static bool read_item(const struct field *f, struct str item, uint64_t *bits)
{
    struct str rest = item, head, low;
    int from = f->min, to = f->max, step = 1;
    bool has_step = memchr(item.p, '/', item.len) != NULL;
    int64_t number = 1;

    str_cut(&rest, '/', &head);
    if (has_step && !str_to_i64(rest, 1, f->max, &number))
        return false;
    step = (int)number;
    if (!str_eq(head, STR("*"))) {
        bool is_range = memchr(head.p, '-', head.len) != NULL;
        str_cut(&head, '-', &low);
        if (!value_of(f, low, &from))
            return false;
        to = is_range ? to : has_step ? f->max : from;
        if (is_range && !value_of(f, head, &to))
            return false;
        if (is_range && f->names == day_names && from > 0 && to == 0)
            to = 7; /* FRI-SUN */
        if (to < from)
            return false;
    }
    for (int i = from; i <= to; i += step)
        *bits |= UINT64_C(1) << i;
    return true;
}

static enum st read_field(const struct field *f, struct str text, uint64_t *ret_bits,
                          struct err *err)
{
    struct str rest = text, item;

    *ret_bits = 0;
    while (rest.len > 0) {
        bool ends_in_comma = rest.p[rest.len - 1] == ',';
        str_cut(&rest, ',', &item);
        if (item.len == 0 || !read_item(f, item, ret_bits) || (rest.len == 0 && ends_in_comma))
            return err_set(err, ST_REJECT, "\"%.*s\" is no %s from %d to %d; write it like %s",
                           (int)(text.len > 40 ? 40 : text.len), text.p, f->what, f->min, f->max,
                           f->like);
    }
    return ST_OK;
}

static const char *spelled_out(const char *text)
{
    static const struct {
        const char *name, *line;
    } names[] = {{"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
                 {"@weekly", "0 0 * * 0"},  {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
                 {"@annually", "0 0 1 1 *"}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcasecmp(text, names[i].name) == 0)
            return names[i].line;
    return text;
}

static size_t count_words(struct str rest)
{
    struct str word;
    size_t n = 0;

    for (; rest.len > 0; n++) {
        str_cut(&rest, ' ', &word);
        rest = str_trim(rest);
    }
    return n;
}

enum st cron_parse(const char *text, const struct zone *zone, struct cron *ret_cron,
                   struct err *err)
{
    static const struct field fields[] = {
        {"minute", 0, 59, NULL, "0, */5 or 0,30"},
        {"hour", 0, 23, NULL, "*, 6 or 8-18"},
        {"day of the month", 1, 31, NULL, "*, 1 or 1-7"},
        {"month", 1, 12, month_names, "*, 1 or JAN"},
        {"weekday", 0, 7, day_names, "*, 1-5 or MON-FRI"},
    };
    struct str rest = str_trim(str_of(spelled_out(text))), word;
    const size_t n_fields = count_words(rest);
    uint64_t bits[5] = {0};
    bool is_any[5] = {false};
    enum st st = ST_OK;

    if (n_fields != 5)
        return err_set(err, ST_REJECT,
                       "\"%.60s\" has %zu field%s, a cron line has five: minute, hour, day, month, "
                       "weekday; write it like \"*/5 8-18 * * MON-FRI\"",
                       text, n_fields, n_fields == 1 ? "" : "s");
    for (size_t n = 0; n < 5 && st == ST_OK; n++) {
        str_cut(&rest, ' ', &word);
        rest = str_trim(rest);
        is_any[n] = word.p[0] == '*';
        st = read_field(&fields[n], word, &bits[n], err);
    }
    if (st != ST_OK)
        return st;
    *ret_cron = (struct cron){
        .minutes = bits[0],
        .hours = (uint32_t)bits[1],
        .days = (uint32_t)bits[2],
        .months = (uint32_t)bits[3],
        .weekdays = (uint32_t)(bits[4] | (bits[4] >> 7 & 1)),
        .is_every_hour = is_any[1],
        .is_any_day = is_any[2],
        .is_any_weekday = is_any[4],
        .zone = zone,
    };
    if (cron_next(ret_cron, INT64_C(1767225600) * US_PER_S) == 0) /* 2026 */
        return err_set(err, ST_REJECT, "\"%.60s\" never comes: no month of it has such a day",
                       text);
    return ST_OK;
}

/* Of a day since 1970, by years that begin in March: H. Hinnant's civil_from_days. */
static void date_of(int64_t days, int64_t *ret_month, int64_t *ret_day)
{
    days += 719468; /* since 0000-03-01 */
    const int64_t of_era = days - time_floor(days, 146097);
    const int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    const int64_t month = (5 * of_year + 2) / 153; /* 0: March */

    *ret_day = of_year - (153 * month + 2) / 5 + 1;
    *ret_month = month < 10 ? month + 3 : month - 9;
}

/* Local time, as microseconds of its own calendar. */
static bool is_day(const struct cron *c, int64_t local_us)
{
    int64_t month, day, days = time_floor(local_us, DAY_US) / DAY_US;
    int weekday = (int)(((days + 4) % 7 + 7) % 7);

    date_of(days, &month, &day);
    if (!(c->months >> month & 1))
        return false;
    bool is_of_month = c->days >> day & 1, is_of_week = c->weekdays >> weekday & 1;
    return c->is_any_day || c->is_any_weekday ? is_of_month && is_of_week
                                              : is_of_month || is_of_week;
}

/* The lowest bit from this one on; 64: none. */
static int64_t bit_from(uint64_t bits, int64_t from)
{
    bits = from < 64 ? bits >> from << from : 0;
    return bits != 0 ? __builtin_ctzll(bits) : 64;
}

static int64_t minute_up(int64_t us)
{
    return time_floor(us + MINUTE_US - 1, MINUTE_US);
}

/* By the time that passes: whole minutes, looked at as the clock shows them. */
static int64_t next_passing(const struct cron *c, int64_t after_us)
{
    int64_t at_us = time_floor(after_us, MINUTE_US) + MINUTE_US, day_us = INT64_MIN;
    const int64_t last_us = at_us + MAX_DAYS * DAY_US;
    bool is_good_day = false;

    while (at_us < last_us) {
        int64_t local_us = at_us + zone_east_us(c->zone, at_us);
        int64_t minute = time_floor(local_us, MINUTE_US) / MINUTE_US % 60;
        int64_t hour = time_floor(local_us, 60 * MINUTE_US) / (60 * MINUTE_US) % 24;
        if (time_floor(local_us, DAY_US) != day_us) {
            day_us = time_floor(local_us, DAY_US);
            is_good_day = is_day(c, local_us);
        }
        if (!is_good_day) { /* to its end, or to where the clock is set */
            int64_t since_us, until_us;
            zone_span(c->zone, at_us, &since_us, &until_us);
            const int64_t end_us = at_us + (day_us + DAY_US - local_us);
            at_us = minute_up(end_us < until_us ? end_us : until_us);
            continue;
        }
        const int64_t next = c->hours >> hour & 1 ? bit_from(c->minutes, minute) : 64;
        if (next == minute)
            return at_us;
        /* no further than the next quarter, as zones are set by no less */
        const int64_t quarter = minute + 15 - minute % 15;
        at_us += ((next < quarter ? next : quarter) - minute) * MINUTE_US;
    }
    return 0;
}

/* The first minute of the clock's day that it first shows after this moment; 1440: none. */
static int64_t first_minute(const struct cron *c, int64_t day_us, int64_t after_us)
{
    int64_t low = 0, high = 1440;

    if (zone_first_us(c->zone, day_us) > after_us)
        return 0;
    while (high - low > 1) { /* low is not after it, high is */
        const int64_t middle = low + (high - low) / 2;
        if (zone_first_us(c->zone, day_us + middle * MINUTE_US) > after_us)
            high = middle;
        else
            low = middle;
    }
    return high;
}

/* Of a day of the line, from this minute of the day on; 1440: none. */
static int64_t minute_from(const struct cron *c, int64_t from)
{
    int64_t hour = bit_from(c->hours, from / 60);
    int64_t minute = hour == from / 60 ? bit_from(c->minutes, from % 60) : 64;

    if (minute == 64) {
        hour = bit_from(c->hours, from / 60 + 1);
        minute = bit_from(c->minutes, 0);
    }
    return hour < 24 ? hour * 60 + minute : 1440;
}

/* By what the clock shows: the times of its days, one after the other. */
static int64_t next_shown(const struct cron *c, int64_t after_us)
{
    /* of the day before, too: the clock may have skipped its end */
    int64_t day_us = time_floor(after_us + zone_east_us(c->zone, after_us), DAY_US) - DAY_US;

    for (int n = 0; n < MAX_DAYS; n++, day_us += DAY_US) {
        if (!is_day(c, day_us))
            continue;
        const int64_t minute = minute_from(c, first_minute(c, day_us, after_us));
        if (minute < 1440)
            return zone_first_us(c->zone, day_us + minute * MINUTE_US);
    }
    return 0;
}

int64_t cron_next(const struct cron *c, int64_t after_us)
{
    return c->is_every_hour ? next_passing(c, after_us) : next_shown(c, after_us);
}

/* ---- many at once ---- */

static int64_t n_bits(uint64_t bits)
{
    return __builtin_popcountll(bits);
}

/* Of a day of the line, before this minute of the day. */
static int64_t n_until(const struct cron *c, int64_t minute)
{
    const int64_t hour = minute / 60;
    const uint64_t hours_before = c->hours & ((UINT64_C(1) << hour) - 1);
    const uint64_t minutes_before = c->minutes & ((UINT64_C(1) << minute % 60) - 1);

    return n_bits(hours_before) * n_bits(c->minutes) +
           (c->hours >> hour & 1 ? n_bits(minutes_before) : 0);
}

/* Minutes of the clock in [from, until), as its calendar has them. */
static int64_t count_shown(const struct cron *c, int64_t from_us, int64_t until_us)
{
    int64_t n = 0;

    for (int64_t day_us = time_floor(from_us, DAY_US); day_us < until_us; day_us += DAY_US) {
        const int64_t first_us = from_us > day_us ? from_us - day_us : 0;
        const int64_t end_us = until_us - day_us < DAY_US ? until_us - day_us : DAY_US;
        if (is_day(c, day_us))
            n += n_until(c, minute_up(end_us) / MINUTE_US) -
                 n_until(c, minute_up(first_us) / MINUTE_US);
    }
    return n;
}

/* From this moment to the end of its span all that the clock shows is new, and by whole minutes:
 * it was not set back just before. When it was set at this very moment, what it skipped comes now.
 */
static bool is_calm(const struct cron *c, int64_t at_us, int64_t since_us, int64_t east_us)
{
    if (east_us % MINUTE_US != 0)
        return false;
    return c->is_every_hour ||
           (at_us > since_us && zone_first_us(c->zone, at_us + east_us) == at_us);
}

/* Step by step. */
static int64_t count_steps(const struct cron *c, int64_t from_us, int64_t until_us)
{
    int64_t n = 0;

    for (int64_t at_us = cron_next(c, from_us - 1); at_us != 0 && at_us < until_us;
         at_us = cron_next(c, at_us))
        n++;
    return n;
}

uint64_t cron_count(const struct cron *c, int64_t after_us, int64_t before_us)
{
    int64_t at_us = after_us + 1, n = 0, since_us, until_us;

    while (at_us < before_us) {
        zone_span(c->zone, at_us, &since_us, &until_us);
        const int64_t east_us = zone_east_us(c->zone, at_us);
        if (is_calm(c, at_us, since_us, east_us)) {
            until_us = until_us < before_us ? until_us : before_us;
            n += count_shown(c, at_us + east_us, until_us + east_us);
        } else {
            int64_t calm_us = at_us;
            if (since_us != INT64_MIN) {
                const int64_t back_us = zone_east_us(c->zone, since_us - 1) - east_us;
                calm_us = since_us + (back_us > 0 ? back_us : 0);
            }
            const int64_t next_us = (calm_us > at_us ? calm_us : at_us) + MINUTE_US;
            until_us = until_us < next_us ? until_us : next_us;
            until_us = until_us < before_us ? until_us : before_us;
            n += count_steps(c, at_us, until_us);
        }
        at_us = until_us;
    }
    return (uint64_t)n;
}
