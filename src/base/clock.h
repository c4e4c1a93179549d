/* Time: the two clocks, RFC 3339 text, durations.
 *
 * A time is int64_t microseconds since 1970-01-01T00:00:00Z, UTC, without leap seconds; readable
 * times lie in the years 0001..9999. A duration is int64_t microseconds. Waiting uses the monotonic
 * clock; the wall clock only labels.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/str.h"

#define US_PER_S  INT64_C(1000000)
#define US_PER_MS INT64_C(1000)

/* 2025-01-01: before geckotape was made. A clock that says less is wrong, as that of a machine
 * without a battery, which begins in 1970. */
#define CLOCK_LEAST_US INT64_C(1735689600000000)

/* The end of the year 9999: sums and differences of times up to it do not overflow. */
#define TIME_LAST_US (INT64_C(253402300800) * US_PER_S - 1)

/* The clocks as the core sees them; tests own another one. */
struct clock {
    int64_t (*wall_us)(struct clock *c);
    int64_t (*mono_us)(struct clock *c);
};

/* The system's clocks; lives as long as the program. */
struct clock *clock_system(void);

static inline int64_t clock_wall_us(struct clock *c)
{
    return c->wall_us(c);
}

static inline int64_t clock_mono_us(struct clock *c)
{
    return c->mono_us(c);
}

#define TIME_TEXT 32 /* bytes, NUL included, that the formatters below write at most */

/* "2026-11-23T14:30:00Z", or with milliseconds/microseconds where the time has them. */
size_t time_format(int64_t ts_us, char ret_text[TIME_TEXT]);

/* "2026-11-23T14-30-00Z" (".123456" where the time has a fraction): the same for file names. */
size_t time_format_file(int64_t ts_us, char ret_text[TIME_TEXT]);

/* "20261123T143000Z", whole seconds: for segment names. */
size_t time_format_compact(int64_t ts_us, char ret_text[TIME_TEXT]);

/* CoinGecko's own form, always milliseconds: "2026-11-23T14:30:00.000Z". */
size_t time_format_ms(int64_t ts_us, char ret_text[TIME_TEXT]);

/* Parse RFC 3339 ("T", "t" or a space between date and time; 0-9 fraction digits, those beyond
 * microseconds dropped; "Z" or an offset). False when s is anything else. */
bool time_parse(struct str s, int64_t *ret_ts_us);

/* An HTTP date: "Mon, 23 Nov 2026 14:30:00 GMT". */
size_t time_format_http(int64_t ts_us, char ret_text[TIME_TEXT]);

/* Parse an HTTP date (RFC 9110 IMF-fixdate: "Mon, 23 Nov 2026 14:30:00 GMT"). */
bool time_parse_http(struct str s, int64_t *ret_ts_us);

/* Parse "500ms 30s 5m 1h 7d"-style durations: one number, one unit; never negative. */
bool duration_parse(struct str s, int64_t *ret_us);

/* "30s", "2m", "1h", "7d": whole seconds in the largest unit that is exact. "1.5s", "12ms", "7us":
 * else in the largest unit up to seconds, rounded to two decimals. */
size_t duration_format(int64_t us, char ret_text[TIME_TEXT]);

/* The last point at or before ts of the grid whose points are k * step. */
int64_t time_floor(int64_t ts_us, int64_t step_us);

/* Whether ts lies in some hours of its UTC day, given in microseconds since midnight: from is
 * included, to is not, from beyond to is over midnight, both equal is always. */
bool time_is_in_hours(int64_t ts_us, int64_t from_us, int64_t to_us);

#endif
