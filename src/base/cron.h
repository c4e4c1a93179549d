/* Cron lines: five fields, "MINUTE HOUR DAY MONTH WEEKDAY", in a time zone.
 *
 * Fields have "*", numbers, names (JAN … DEC, SUN … SAT; 7 is Sunday too), ranges "A-B", steps
 * "A-B/N", "A/N", "*" "/N", and lists of these; @hourly, @daily, @weekly, @monthly, @yearly stand
 * for lines. When both day and weekday are restricted, either will do, as in cron(8).
 *
 * Where clocks are set, a line with certain hours goes by what the clock shows: a time that it
 * skips comes right after, one that it shows twice comes once, the first time. A line whose hour
 * begins with "*" goes by the time that passes: each hour has its turn, also the one shown twice.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_CRON_H
#define BASE_CRON_H

#include "base/zone.h"

struct cron {
    uint64_t minutes; /* bits */
    uint32_t hours, days, months, weekdays;
    bool is_every_hour, is_any_day, is_any_weekday; /* begins with "*" */
    const struct zone *zone; /* not NULL; lives as long as the line is used */
};

/* ST_REJECT with what is wrong, and the mend. A line that never comes is one too. zone: as in
 * struct cron. */
enum st cron_parse(const char *text, const struct zone *zone, struct cron *ret_cron,
                   struct err *err) MUST_USE;

/* The first time after this moment, a whole minute; 0: none within nine years. */
int64_t cron_next(const struct cron *c, int64_t after_us);

/* How many lie after the one moment and before the other: day by day, not one by one. */
uint64_t cron_count(const struct cron *c, int64_t after_us, int64_t before_us);

#endif
