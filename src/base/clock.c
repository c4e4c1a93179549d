/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define US_PER_DAY (86400 * US_PER_S)

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

static int64_t system_wall(struct clock *c)
{
    (void)c;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_mono(struct clock *c)
{
    (void)c;
    return read_clock(CLOCK_MONOTONIC);
}

struct clock *clock_system(void)
{
    static struct clock c = {.wall_us = system_wall, .mono_us = system_mono};
    return &c;
}

int64_t time_floor(int64_t ts_us, int64_t step_us)
{
    int64_t rest = ts_us % step_us;
    return ts_us - (rest < 0 ? rest + step_us : rest);
}

bool time_is_in_hours(int64_t ts_us, int64_t from_us, int64_t to_us)
{
    int64_t at_us = ts_us - time_floor(ts_us, 86400 * US_PER_S);

    if (from_us <= to_us)
        return from_us == to_us || (at_us >= from_us && at_us < to_us);
    return at_us >= from_us || at_us < to_us;
}

struct civil {
    int year, month, day, hour, minute, second, us;
};

/* Days since 1970-01-01 of a proleptic Gregorian date (era arithmetic, H. Hinnant's chrono notes).
 */
static int64_t days_of(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int yoe = (int)(y - era * 400);
    int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static struct civil civil_of(int64_t ts_us)
{
    int64_t midnight = time_floor(ts_us, US_PER_DAY), rest = ts_us - midnight;
    int64_t z = midnight / US_PER_DAY + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int doe = (int)(z - era * 146097);
    int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int mp = (5 * doy + 2) / 153;
    int month = mp < 10 ? mp + 3 : mp - 9;
    int64_t s = rest / US_PER_S;

    return (struct civil){
        .year = (int)(yoe + era * 400) + (month <= 2),
        .month = month,
        .day = doy - (153 * mp + 2) / 5 + 1,
        .hour = (int)(s / 3600),
        .minute = (int)(s / 60 % 60),
        .second = (int)(s % 60),
        .us = (int)(rest % US_PER_S),
    };
}

/* The years 0001..9999. */
static const int64_t first_us = INT64_C(-62135596800) * US_PER_S;
static const int64_t last_us = TIME_LAST_US;

/* A time outside them would not fit the texts: clamp it. */
static struct civil civil_clamped(int64_t ts_us)
{
    return civil_of(ts_us < first_us ? first_us : ts_us > last_us ? last_us : ts_us);
}

static size_t format(const struct civil *c, const char *colon, bool is_always_ms, char *ret_text)
{
    char fraction[12] = "";

    if (is_always_ms || (c->us != 0 && c->us % 1000 == 0))
        snprintf(fraction, sizeof(fraction), ".%03d", c->us / 1000 % 1000);
    else if (c->us != 0)
        snprintf(fraction, sizeof(fraction), ".%06d", c->us % 1000000);
    return (size_t)snprintf(ret_text, TIME_TEXT, "%04d-%02d-%02dT%02d%s%02d%s%02d%sZ",
                            c->year % 10000, c->month % 100, c->day % 100, c->hour % 100, colon,
                            c->minute % 100, colon, c->second % 100, fraction);
}

size_t time_format(int64_t ts_us, char ret_text[TIME_TEXT])
{
    struct civil c = civil_clamped(ts_us);
    return format(&c, ":", false, ret_text);
}

size_t time_format_file(int64_t ts_us, char ret_text[TIME_TEXT])
{
    struct civil c = civil_clamped(ts_us);
    return format(&c, "-", false, ret_text);
}

size_t time_format_ms(int64_t ts_us, char ret_text[TIME_TEXT])
{
    struct civil c = civil_clamped(ts_us);
    return format(&c, ":", true, ret_text);
}

size_t time_format_compact(int64_t ts_us, char ret_text[TIME_TEXT])
{
    struct civil c = civil_clamped(ts_us);
    return (size_t)snprintf(ret_text, TIME_TEXT, "%04d%02d%02dT%02d%02d%02dZ", c.year % 10000,
                            c.month % 100, c.day % 100, c.hour % 100, c.minute % 100,
                            c.second % 100);
}

/* Read exactly n digits at *p; -1 when they are not there. */
static int digits(const char **p, const char *end, int n)
{
    int value = 0;

    if (end - *p < n)
        return -1;
    for (int i = 0; i < n; i++, ++*p) {
        if (**p < '0' || **p > '9')
            return -1;
        value = value * 10 + (**p - '0');
    }
    return value;
}

static bool literal(const char **p, const char *end, char c)
{
    if (*p == end || **p != c)
        return false;
    ++*p;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && is_leap);
}

static bool is_valid(const struct civil *c)
{
    return c->year >= 1 && c->month >= 1 && c->month <= 12 && c->day >= 1 &&
           c->day <= days_in_month(c->year, c->month) && c->hour >= 0 && c->hour <= 23 &&
           c->minute >= 0 && c->minute <= 59 && c->second >= 0 && c->second <= 60;
}

static int64_t ts_of(const struct civil *c)
{
    int64_t s =
        days_of(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 + c->second;
    return s * US_PER_S + c->us;
}

static bool parse_fraction(const char **p, const char *end, int *ret_us)
{
    int n = 0, us = 0;

    for (; *p < end && **p >= '0' && **p <= '9'; ++*p, n++)
        if (n < 6)
            us = us * 10 + (**p - '0');
    for (int i = n; i < 6; i++)
        us *= 10;
    *ret_us = us;
    return n >= 1 && n <= 9;
}

static bool parse_offset(const char **p, const char *end, int64_t *ret_us)
{
    *ret_us = 0;
    if (literal(p, end, 'Z') || literal(p, end, 'z'))
        return true;
    bool is_west = *p < end && **p == '-';
    if (!is_west && (*p == end || **p != '+'))
        return false;
    ++*p;
    int hour = digits(p, end, 2);
    bool has_colon = literal(p, end, ':');
    int minute = digits(p, end, 2);
    if (!has_colon || hour < 0 || hour > 23 || minute < 0 || minute > 59)
        return false;
    *ret_us = (hour * 60 + minute) * 60 * US_PER_S * (is_west ? -1 : 1);
    return true;
}

bool time_parse(struct str s, int64_t *ret_ts_us)
{
    if (s.len == 0)
        return false; /* p may be NULL */
    const char *p = s.p, *end = s.p + s.len;
    struct civil c = {0};
    int64_t offset_us;

    c.year = digits(&p, end, 4);
    if (!literal(&p, end, '-'))
        return false;
    c.month = digits(&p, end, 2);
    if (!literal(&p, end, '-'))
        return false;
    c.day = digits(&p, end, 2);
    if (!literal(&p, end, 'T') && !literal(&p, end, 't') && !literal(&p, end, ' '))
        return false;
    c.hour = digits(&p, end, 2);
    if (!literal(&p, end, ':'))
        return false;
    c.minute = digits(&p, end, 2);
    if (!literal(&p, end, ':'))
        return false;
    c.second = digits(&p, end, 2);
    if (literal(&p, end, '.') && !parse_fraction(&p, end, &c.us))
        return false;
    if (!parse_offset(&p, end, &offset_us) || p != end || !is_valid(&c))
        return false;
    int64_t ts_us = ts_of(&c) - offset_us;
    if (ts_us < first_us || ts_us > last_us) /* the offset led out of it */
        return false;
    *ret_ts_us = ts_us;
    return true;
}

static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

size_t time_format_http(int64_t ts_us, char ret_text[TIME_TEXT])
{
    static const char days[7][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"}; /* of 1970 */
    const struct civil c = civil_clamped(ts_us);
    const int64_t day = days_of(c.year, c.month, c.day);

    return (size_t)snprintf(ret_text, TIME_TEXT, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                            days[(day % 7 + 7) % 7], c.day % 100, months[(c.month - 1) % 12],
                            c.year % 10000, c.hour % 100, c.minute % 100, c.second % 100);
}

static int month_of(const char **p, const char *end)
{
    for (int i = 0; i < 12 && end - *p >= 3; i++)
        if (memcmp(*p, months[i], 3) == 0) {
            *p += 3;
            return i + 1;
        }
    return 0;
}

bool time_parse_http(struct str s, int64_t *ret_ts_us)
{
    if (s.len != 29)
        return false;
    const char *p = s.p + 3, *end = s.p + s.len;
    struct civil c = {0};

    /* the day of the week says nothing new */
    bool is_date = literal(&p, end, ',') && literal(&p, end, ' ');
    c.day = digits(&p, end, 2);
    is_date = is_date && literal(&p, end, ' ');
    c.month = month_of(&p, end);
    is_date = is_date && literal(&p, end, ' ');
    c.year = digits(&p, end, 4);
    is_date = is_date && literal(&p, end, ' ');
    c.hour = digits(&p, end, 2);
    is_date = is_date && literal(&p, end, ':');
    c.minute = digits(&p, end, 2);
    is_date = is_date && literal(&p, end, ':');
    c.second = digits(&p, end, 2);
    if (!is_date || !str_eq((struct str){p, (size_t)(end - p)}, STR(" GMT")) || !is_valid(&c))
        return false;
    *ret_ts_us = ts_of(&c);
    return true;
}

static const struct unit {
    const char *name;
    int64_t us;
} units[] = {
    {"d", US_PER_DAY}, {"h", 3600 * US_PER_S}, {"m", 60 * US_PER_S},
    {"s", US_PER_S},   {"ms", US_PER_MS},      {"us", 1},
};

#define N_UNITS (sizeof(units) / sizeof(units[0]))

bool duration_parse(struct str s, int64_t *ret_us)
{
    size_t n = 0;
    int64_t number, us;

    while (n < s.len && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    struct str unit = {s.p + n, s.len - n};
    if (!str_to_i64((struct str){s.p, n}, 0, INT64_MAX, &number))
        return false;
    for (size_t i = 0; i < N_UNITS; i++)
        if (str_eq(unit, str_of(units[i].name)) &&
            !__builtin_mul_overflow(number, units[i].us, &us)) {
            *ret_us = us;
            return true;
        }
    return false;
}

size_t duration_format(int64_t us, char ret_text[TIME_TEXT])
{
    enum { SECOND = 3, MS = 4, US = 5 }; /* in units */
    size_t i = 0;

    if (us % US_PER_S == 0) {
        while (i < SECOND && (us < units[i].us || us % units[i].us != 0))
            i++;
        return (size_t)snprintf(ret_text, TIME_TEXT, "%lld%s", (long long)(us / units[i].us),
                                units[i].name);
    }
    i = us >= US_PER_S ? SECOND : us >= US_PER_MS ? MS : US;
    int n = snprintf(ret_text, TIME_TEXT, "%.2f", (double)us / (double)units[i].us);
    while (ret_text[n - 1] == '0')
        n--;
    n -= ret_text[n - 1] == '.';
    return (size_t)(n + snprintf(ret_text + n, TIME_TEXT - (size_t)n, "%s", units[i].name));
}
