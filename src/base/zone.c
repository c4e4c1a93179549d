/* SPDX-License-Identifier: Apache-2.0 */
#include "base/zone.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>

#define ZONE_DIR     "/usr/share/zoneinfo"
#define MAX_FILE     ((size_t)256 * 1024)
#define HEADER       44
#define RULES_UNTIL  2100 /* changes by rule are counted out up to this year */
#define DAY_S        86400
#define MAX_OFFSET_S (26 * 3600)

/* ---- bytes of a TZif file ---- */

static int64_t big_endian(const char *p, int n)
{
    uint64_t value = p[0] < 0 && n < 8 ? UINT64_MAX : 0;

    for (int i = 0; i < n; i++)
        value = value << 8 | (unsigned char)p[i];
    return (int64_t)value;
}

struct counts {
    size_t utc, std, leaps, times, types, chars;
};

static bool read_header(struct str s, struct counts *ret_counts)
{
    size_t n[6];

    if (s.len < HEADER || !str_starts(s, STR("TZif")))
        return false;
    for (size_t i = 0; i < 6; i++) {
        int64_t value = big_endian(s.p + 20 + i * 4, 4);
        if (value < 0 || value > (int64_t)MAX_FILE)
            return false;
        n[i] = (size_t)value;
    }
    *ret_counts = (struct counts){n[0], n[1], n[2], n[3], n[4], n[5]};
    return true;
}

static size_t block_len(const struct counts *c, size_t time_len)
{
    return c->times * time_len + c->times + c->types * 6 + c->chars + c->leaps * (time_len + 4) +
           c->std + c->utc;
}

static bool add_change(struct zone *z, int64_t at_s, int64_t east_s)
{
    if (z->n == ZONE_MAX_CHANGES || east_s < -MAX_OFFSET_S || east_s > MAX_OFFSET_S)
        return false;
    z->at_s[z->n] = at_s;
    z->east_s[z->n++] = (int32_t)east_s;
    return true;
}

static bool read_changes(struct str s, const struct counts *c, struct zone *z)
{
    const char *types = s.p + c->times * 9; /* behind 8 bytes and an index for each */

    if (c->types == 0)
        return false;
    z->first_s = (int32_t)big_endian(types, 4);
    if (z->first_s < -MAX_OFFSET_S || z->first_s > MAX_OFFSET_S)
        return false;
    for (size_t i = 0; i < c->times; i++) {
        size_t type = (unsigned char)s.p[c->times * 8 + i];
        int64_t at_s = big_endian(s.p + i * 8, 8);
        bool is_later = z->n == 0 || at_s > z->at_s[z->n - 1];
        if (type >= c->types || !is_later || !add_change(z, at_s, big_endian(types + type * 6, 4)))
            return false;
    }
    return true;
}

/* ---- the rule for all later years: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

struct rule {
    int64_t month, week, day; /* the week-th such day of the month; 5: the last */
    int64_t at_s;             /* local time of that day */
};

static bool number(struct str *s, int64_t max, int64_t *ret_value)
{
    size_t n = 0;

    while (n < s->len && n < 4 && isdigit((unsigned char)s->p[n]))
        n++;
    if (!str_to_i64((struct str){s->p, n}, 0, max, ret_value))
        return false;
    *s = (struct str){s->p + n, s->len - n};
    return true;
}

static bool literal(struct str *s, char c)
{
    if (s->len == 0 || s->p[0] != c)
        return false;
    *s = (struct str){s->p + 1, s->len - 1};
    return true;
}

static bool skip_name(struct str *s)
{
    size_t from = s->len;

    if (literal(s, '<')) {
        while (s->len > 0 && s->p[0] != '>')
            literal(s, s->p[0]);
        return literal(s, '>');
    }
    while (s->len > 0 && isalpha((unsigned char)s->p[0]))
        literal(s, s->p[0]);
    return s->len < from;
}

/* [+-]hh[:mm[:ss]] */
static bool clock_time(struct str *s, int64_t *ret_s)
{
    int64_t sign = literal(s, '-') ? -1 : 1, part = 0, total;

    if (sign > 0)
        literal(s, '+');
    if (!number(s, 167, &part))
        return false;
    total = part * 3600;
    for (int unit = 60; unit >= 1 && literal(s, ':'); unit /= 60) {
        if (!number(s, 59, &part))
            return false;
        total += part * unit;
    }
    *ret_s = sign * total;
    return true;
}

static bool month_rule(struct str *s, struct rule *ret_rule)
{
    struct rule r = {.at_s = 7200};

    if (!literal(s, ',') || !literal(s, 'M') || !number(s, 12, &r.month) || r.month < 1 ||
        !literal(s, '.') || !number(s, 5, &r.week) || r.week < 1 || !literal(s, '.') ||
        !number(s, 6, &r.day))
        return false;
    if (literal(s, '/') && !clock_time(s, &r.at_s))
        return false;
    *ret_rule = r;
    return true;
}

/* Midnight of a date, in days since 1970. */
static int64_t day_of(int64_t year, int64_t month, int64_t day)
{
    char text[64];
    int64_t us;

    snprintf(text, sizeof(text), "%04lld-%02lld-%02lldT00:00:00Z", (long long)year,
             (long long)month, (long long)day);
    return time_parse(str_of(text), &us) ? us / US_PER_S / DAY_S : 0;
}

static int64_t local_s(const struct rule *r, int64_t year)
{
    int64_t first = day_of(year, r->month, 1);
    int64_t end = r->month == 12 ? day_of(year + 1, 1, 1) : day_of(year, r->month + 1, 1);
    int64_t day = first + (r->day - (first + 4) % 7 + 7) % 7 + (r->week - 1) * 7;

    while (day >= end)
        day -= 7;
    return day * DAY_S + r->at_s;
}

static bool add_rules(struct str rule, struct zone *z)
{
    int64_t west_s, summer_s;
    struct rule begin, end;

    if (rule.len == 0)
        return true;
    if (!skip_name(&rule) || !clock_time(&rule, &west_s))
        return false;
    if (rule.len == 0) /* no summer time: what the last change said */
        return z->n > 0 || add_change(z, INT64_MIN / 2, -west_s);
    if (!skip_name(&rule))
        return false;
    summer_s = west_s - 3600;
    if (rule.len > 0 && rule.p[0] != ',' && !clock_time(&rule, &summer_s))
        return false;
    if (!month_rule(&rule, &begin) || !month_rule(&rule, &end) || rule.len > 0)
        return false;
    int64_t last_s = z->n > 0 ? z->at_s[z->n - 1] : INT64_MIN;
    for (int64_t year = 1970; year < RULES_UNTIL; year++) {
        int64_t on = local_s(&begin, year) + west_s, off = local_s(&end, year) + summer_s;
        int64_t first = on < off ? on : off, second = on < off ? off : on;
        if (first > last_s && !add_change(z, first, on < off ? -summer_s : -west_s))
            return false;
        if (second > last_s && !add_change(z, second, on < off ? -west_s : -summer_s))
            return false;
    }
    return true;
}

bool zone_parse(struct str bytes, struct zone *ret_zone)
{
    struct counts c;
    struct str line;

    ret_zone->n = 0;
    if (!read_header(bytes, &c) || bytes.p[4] < '2' || block_len(&c, 4) > bytes.len - HEADER)
        return false;
    size_t at = HEADER + block_len(&c, 4); /* of version 1: 32 bits are not enough */
    bytes = (struct str){bytes.p + at, bytes.len - at};
    if (!read_header(bytes, &c) || block_len(&c, 8) > bytes.len - HEADER)
        return false;
    bytes = (struct str){bytes.p + HEADER, bytes.len - HEADER};
    if (!read_changes(bytes, &c, ret_zone))
        return false;
    at = block_len(&c, 8);
    bytes = (struct str){bytes.p + at, bytes.len - at};
    return literal(&bytes, '\n') && str_cut(&bytes, '\n', &line) && add_rules(line, ret_zone);
}

/* ---- by name ---- */

static bool is_offset(struct str s, int64_t *ret_s)
{
    bool is_west = literal(&s, '-');
    int64_t hours, minutes = 0;

    if ((!is_west && !literal(&s, '+')) || s.len < 2)
        return false;
    struct str hh = {s.p, 2};
    s = (struct str){s.p + 2, s.len - 2};
    if (!number(&hh, 14, &hours) || hh.len > 0)
        return false;
    literal(&s, ':');
    if (s.len > 0 && (s.len != 2 || !number(&s, 59, &minutes) || s.len > 0))
        return false;
    *ret_s = (hours * 3600 + minutes * 60) * (is_west ? -1 : 1);
    return true;
}

/* A name that leads nowhere but into the database. */
static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isalnum((unsigned char)s.p[i]) && !memchr("_+-/", s.p[i], 4))
            return false;
    return s.len > 0 && s.len < 64 && s.p[0] != '/' && s.p[0] != '-';
}

enum st zone_open(const char *name, struct zone *ret_zone, struct err *err)
{
    struct buf bytes = BUF_INIT(MAX_FILE);
    struct str s = str_of(name);
    char path[FILE_MAX_PATH];
    int64_t east_s = 0;

    ret_zone->n = 0;
    ret_zone->first_s = 0;
    if (str_eq(s, STR("UTC")) || str_eq(s, STR("Z")) || is_offset(s, &east_s)) {
        ret_zone->first_s = (int32_t)east_s;
        return ST_OK;
    }
    if (!is_name(s))
        return err_set(err, ST_REJECT,
                       "\"%.64s\" is no time zone; write UTC, +02:00 or Europe/Berlin", name);
    enum st st = file_path(path, err, ZONE_DIR "/%s", name);
    if (st == ST_OK)
        st = file_read(path, &bytes, err);
    if (st != ST_OK)
        st = err_set(err, ST_REJECT,
                     "there is no %s in " ZONE_DIR "; write an offset like +02:00, or "
                     "install tzdata",
                     name);
    else if (!zone_parse(buf_str(&bytes), ret_zone))
        st = err_set(err, ST_REJECT, "%s is not a zone file; write an offset like +02:00", path);
    buf_release(&bytes);
    return st;
}

int64_t zone_to_utc(const struct zone *z, int64_t local_us, bool *ret_is_twice)
{
    int64_t found = 0, before = local_us - z->first_s * US_PER_S;
    int n_found = 0;

    for (size_t i = 0; i <= z->n; i++) { /* span i: from change i - 1 to change i */
        int64_t utc_us = local_us - (i > 0 ? z->east_s[i - 1] : z->first_s) * US_PER_S;
        int64_t utc_s = time_floor(utc_us, US_PER_S) / US_PER_S;
        bool is_after = i == 0 || utc_s >= z->at_s[i - 1];
        bool is_before = i == z->n || utc_s < z->at_s[i];
        if (is_after && is_before && n_found++ == 0)
            found = utc_us;
        if (n_found == 0 && is_after)
            before = utc_us;
    }
    if (n_found > 1)
        *ret_is_twice = true;
    return n_found > 0 ? found : before;
}

/* Changes up to this moment. */
static size_t changes_until(const struct zone *z, int64_t utc_s)
{
    size_t low = 0, high = z->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (z->at_s[middle] <= utc_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t east_of_span(const struct zone *z, size_t span)
{
    return span > 0 ? z->east_s[span - 1] : z->first_s;
}

int64_t zone_east_us(const struct zone *z, int64_t utc_us)
{
    return east_of_span(z, changes_until(z, time_floor(utc_us, US_PER_S) / US_PER_S)) * US_PER_S;
}

static int64_t change_us(const struct zone *z, size_t i)
{
    return z->at_s[i] > INT64_MIN / US_PER_S ? z->at_s[i] * US_PER_S : INT64_MIN;
}

void zone_span(const struct zone *z, int64_t utc_us, int64_t *ret_from_us, int64_t *ret_until_us)
{
    const size_t span = changes_until(z, time_floor(utc_us, US_PER_S) / US_PER_S);

    *ret_from_us = span > 0 ? change_us(z, span - 1) : INT64_MIN;
    *ret_until_us = span < z->n ? change_us(z, span) : INT64_MAX;
}

int64_t zone_first_us(const struct zone *z, int64_t local_us)
{
    const int64_t local_s = time_floor(local_us, US_PER_S) / US_PER_S;
    size_t span = changes_until(z, local_s - MAX_OFFSET_S);

    /* the first span that the local time is not behind: it is in it, or was skipped before it */
    while (span < z->n && local_s - east_of_span(z, span) >= z->at_s[span])
        span++;
    const int64_t utc_us = local_us - east_of_span(z, span) * US_PER_S;
    const int64_t begin_us = span > 0 ? change_us(z, span - 1) : INT64_MIN;
    return utc_us > begin_us ? utc_us : begin_us;
}

/* ---- kept ---- */

struct kept {
    struct kept *next;
    char name[64];
    struct zone zone;
};

enum st zone_get(const char *name, const struct zone **ret_zone, struct err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct kept *all;
    struct kept *kept;
    enum st st = ST_OK;

    pthread_mutex_lock(&lock);
    for (kept = all; kept && strcmp(kept->name, name) != 0;)
        kept = kept->next;
    if (kept == NULL) {
        kept = mem_new(1, sizeof(*kept));
        st = zone_open(name, &kept->zone, err);
        if (st == ST_OK) {
            snprintf(kept->name, sizeof(kept->name), "%s", name);
            kept->next = all;
            all = kept;
        } else {
            mem_free(kept);
        }
    }
    pthread_mutex_unlock(&lock);
    if (st == ST_OK)
        *ret_zone = &kept->zone;
    return st;
}
