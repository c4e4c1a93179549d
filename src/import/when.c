/* SPDX-License-Identifier: Apache-2.0 */
#include "import/when.h"

#include "base/clock.h"
#include "base/dec.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

struct scan {
    struct str rest; /* what is not read yet */
    char text[64];   /* the time as RFC 3339 has it, without a zone */
    bool has_clock;  /* a time of day was there */
    bool has_zone;
    int64_t east_us;
};

static bool is_digit(struct str s, size_t i)
{
    return i < s.len && isdigit((unsigned char)s.p[i]);
}

static size_t run_of_digits(struct str s)
{
    size_t n = 0;

    while (is_digit(s, n))
        n++;
    return n;
}

static void advance(struct str *s, size_t n)
{
    *s = (struct str){s->p + n, s->len - n};
}

/* Two digits, behind the separator where there is one (0: none). */
static bool two(struct str *s, char separator, char ret_digits[2])
{
    size_t at = separator != 0;

    if (separator != 0 && (s->len == 0 || s->p[0] != separator))
        return false;
    if (!is_digit(*s, at) || !is_digit(*s, at + 1))
        return false;
    memcpy(ret_digits, s->p + at, 2);
    advance(s, at + 2);
    return true;
}

static char separator_of(struct str s, const char *allowed)
{
    return s.len > 0 && s.p[0] != '\0' && strchr(allowed, s.p[0]) ? s.p[0] : 0;
}

/* [.,]digits, or in 20061102150405123 the digits alone. */
static size_t fraction(struct str s, bool is_compact, char ret_digits[10])
{
    bool has_point = s.len > 0 && (s.p[0] == '.' || s.p[0] == ',');
    struct str rest = {s.p + has_point, s.len - has_point};
    size_t n = run_of_digits(rest);

    if (n == 0 || n > 9 || (!has_point && !(is_compact && (n == 3 || n == 6))))
        return 0;
    memcpy(ret_digits, rest.p, n);
    ret_digits[n] = '\0';
    return n + has_point;
}

/* Z, +hh, +hh:mm, +hhmm. After a minus four digits may be a counter: only what can be a zone. */
static void read_zone(struct scan *s)
{
    struct str rest = s->rest;
    char hh[2], mm[2] = {'0', '0'};

    if (rest.len > 0 && (rest.p[0] == 'Z' || rest.p[0] == 'z')) {
        s->has_zone = true;
        advance(&s->rest, 1);
        return;
    }
    if (rest.len == 0 || (rest.p[0] != '+' && rest.p[0] != '-'))
        return;
    bool is_west = rest.p[0] == '-';
    advance(&rest, 1);
    if (!two(&rest, 0, hh))
        return;
    bool has_colon = two(&rest, ':', mm);
    bool has_minutes = has_colon || two(&rest, 0, mm);
    int hours = (hh[0] - '0') * 10 + hh[1] - '0', minutes = (mm[0] - '0') * 10 + mm[1] - '0';
    if (is_digit(rest, 0) || hours > 14 || minutes % 15 != 0 || minutes > 45 ||
        (is_west && !has_minutes))
        return;
    s->rest = rest;
    s->has_zone = true;
    s->east_us = (hours * 60 + minutes) * 60 * US_PER_S * (is_west ? -1 : 1);
}

/* hh[:mm[:ss[.f]]] behind the date; false and nothing read when there is none. */
static bool read_clock(struct scan *s, bool is_compact, char ret_clock[24])
{
    struct str rest = s->rest;
    char between = separator_of(rest, "Tt _-.");
    char hh[2], mm[2] = {'0', '0'}, ss[2] = {'0', '0'}, digits[10] = "";

    if (between == 0 && !is_compact)
        return false;
    if (!two(&rest, between, hh))
        return false;
    char colon = separator_of(rest, ":-_.h");
    if (!two(&rest, colon, mm) && between != 'T' && between != 't')
        return false; /* an hour alone may be a counter */
    bool has_seconds = two(&rest, colon == 'h' ? 'm' : colon, ss);
    if (has_seconds)
        advance(&rest, fraction(rest, is_compact && colon == 0, digits));
    if (is_digit(rest, 0) || memcmp(hh, "23", 2) > 0)
        return false;
    snprintf(ret_clock, 24, "%.2s:%.2s:%.2s%s%s", hh, mm, ss, digits[0] ? "." : "", digits);
    s->rest = rest;
    return true;
}

/* A date, and the time of day behind it where there is one, at the start of rest. */
static bool read_civil(struct scan *s)
{
    char year[4], month[2], day[2], clock[24] = "00:00:00";
    struct str *rest = &s->rest;

    if (run_of_digits(*rest) < 4)
        return false;
    memcpy(year, rest->p, 4);
    advance(rest, 4);
    char separator = separator_of(*rest, "-_./");
    if (!two(rest, separator, month) || !two(rest, separator, day))
        return false;
    s->has_clock = read_clock(s, separator == 0, clock);
    if (is_digit(*rest, 0))
        return false;
    snprintf(s->text, sizeof(s->text),
             "%.4s-%.2s-%.2s"
             "T%sZ",
             year, month, day, clock);
    if (s->has_clock)
        read_zone(s);
    return true;
}

/* A count since 1970 in the unit that its size tells. */
static bool of_count(struct dec d, int64_t *ret_us)
{
    static const struct {
        int64_t below;
        int exp; /* 10^exp of it are a microsecond */
    } units[] = {{100000000000, 6}, {100000000000000, 3}, {100000000000000000, 0}, {INT64_MAX, -3}};
    int64_t whole = d.mant, us = d.mant;
    int exp = d.exp;

    if (!d.is_exact || d.mant <= 0)
        return false;
    for (int i = 0; i < exp; i++)
        if (__builtin_mul_overflow(whole, 10, &whole))
            return false;
    for (int i = 0; i > exp; i--)
        whole /= 10;
    size_t u = 0;
    while (u < 3 && whole >= units[u].below)
        u++;
    for (exp += units[u].exp; exp > 0; exp--)
        if (__builtin_mul_overflow(us, 10, &us))
            return false;
    for (; exp < 0; exp++)
        us /= 10;
    *ret_us = us;
    return true;
}

static bool is_count(size_t n_digits)
{
    return n_digits == 10 || n_digits == 13 || n_digits == 16 || n_digits == 19;
}

/* The time at the start of s; 0 when there is none, else its bytes. */
static size_t scan_time(struct when *w, struct str s, int64_t *ret_us)
{
    struct scan scan = {.rest = s};
    size_t n = run_of_digits(s);
    struct dec d;
    int64_t us;

    /* of nanoseconds the last three digits do not count, and are too many for an exact decimal */
    if (is_count(n) && dec_parse((struct str){s.p, n == 19 ? 16 : n}, &d) == DEC_OK)
        return of_count(d, ret_us) ? n : 0;
    if (!read_civil(&scan) || !time_parse(str_of(scan.text), &us))
        return 0;
    if (scan.has_zone) {
        us -= scan.east_us;
    } else {
        bool is_twice = false;
        us = zone_to_utc(w->zone, us, &is_twice);
        w->n_twice += is_twice;
    }
    *ret_us = us;
    return s.len - scan.rest.len;
}

bool when_find(struct when *w, struct str name, int64_t *ret_us, size_t *ret_at, size_t *ret_end)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!is_digit(name, i) || (i > 0 && is_digit(name, i - 1)))
            continue;
        size_t n = scan_time(w, (struct str){name.p + i, name.len - i}, ret_us);
        if (n > 0) {
            *ret_at = i;
            *ret_end = i + n;
            return true;
        }
    }
    return false;
}

bool when_parse(struct when *w, struct str text, int64_t *ret_us)
{
    struct str s = str_trim(text);
    struct dec d;
    int64_t us;

    if (s.len == 0)
        return false;
    size_t n = scan_time(w, s, &us);
    struct str rest = {s.p + n, s.len - n};
    if (n > 0 && rest.len > 0 && (str_eq(rest, STR(" UTC")) || str_eq(rest, STR(" GMT")))) {
        static const struct zone utc;
        struct when in_utc = {.zone = &utc};
        return scan_time(&in_utc, s, ret_us) == n;
    }
    if (n > 0 && n == s.len) {
        *ret_us = us;
        return true;
    }
    /* "1700000000.25", "1.7e9": shorter numbers are years or counters */
    return dec_parse(s, &d) == DEC_OK && of_count(d, ret_us) &&
           *ret_us >= INT64_C(1000000000) * US_PER_S;
}

bool when_is_name(struct str name, size_t *ret_rank)
{
    static const char *const names[] = {"fetched_at",  "fetchedat",   "timestamp",  "time",
                                        "ts",          "datetime",    "date",       "collected_at",
                                        "scraped_at",  "captured_at", "created_at", "snapshot_time",
                                        "snapshot_at", "recorded_at", "inserted_at"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (name.len == strlen(names[i]) && strncasecmp(name.p, names[i], name.len) == 0) {
            *ret_rank = i;
            return true;
        }
    return false;
}
