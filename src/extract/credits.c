/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/credits.h"

#include "base/clock.h"

#include <stdio.h>

#define DAY_US (86400 * US_PER_S)

/* Midnight of the day of a month in which a period begins. */
static int64_t begin_of(int64_t year, int64_t month, int day)
{
    char text[64];
    int64_t ts_us = 0;

    for (bool is_found = false; !is_found && day > 0; day--) {
        snprintf(text, sizeof(text), "%04lld-%02lld-%02dT00:00:00Z", (long long)year,
                 (long long)month, day);
        is_found = time_parse(str_of(text), &ts_us);
    }
    return ts_us;
}

static int64_t begin_after(int64_t year, int64_t month, int day)
{
    return month == 12 ? begin_of(year + 1, 1, day) : begin_of(year, month + 1, day);
}

struct period period_of(int64_t ts_us, int day)
{
    char text[TIME_TEXT];
    int64_t year = 0, month = 1;

    time_format(ts_us, text);
    bool is_date = str_to_i64((struct str){text, 4}, 1, 9999, &year) &&
                   str_to_i64((struct str){text + 5, 2}, 1, 12, &month);
    if (!is_date)
        return (struct period){0, INT64_MAX};
    int64_t begin_us = begin_of(year, month, day);
    if (ts_us >= begin_us)
        return (struct period){begin_us, begin_after(year, month, day)};
    return (struct period){
        month == 1 ? begin_of(year - 1, 12, day) : begin_of(year, month - 1, day), begin_us};
}

void credits_init(struct credits *c, uint64_t key_hash, int day, int64_t now_us,
                  const struct tape_record *end)
{
    const struct period now = period_of(now_us, day);

    *c = (struct credits){.key_hash = key_hash};
    if (end == NULL)
        return;
    bool is_before = end->credits_key != key_hash || end->credits_from_us < now.from_us;
    bool is_now = end->fetched_at_us >= now.from_us && end->fetched_at_us <= now_us;
    if (is_before && end->outcome == POLL_ABORTED && is_now) {
        c->from_us = now.from_us;
        c->spent = end->attempts;
    }
    if (end->credits_key != key_hash)
        return;
    bool is_other_day = end->credits_from_us != 0 &&
                        period_of(end->credits_from_us, day).from_us != end->credits_from_us;
    if (!is_before || c->from_us == 0) {
        c->from_us = is_other_day && is_now ? now.from_us : end->credits_from_us;
        c->spent = end->credits_spent;
    }
}

void credits_count(struct credits *c, int day, int64_t now_us, bool is_clock_good, uint64_t n)
{
    int64_t from_us = period_of(now_us, day).from_us;

    if (is_clock_good && from_us > c->from_us) {
        c->from_us = from_us;
        c->spent = c->unsure;
    }
    c->spent += n;
    c->unsure = is_clock_good ? 0 : c->unsure + n;
}

uint64_t credits_spent(const struct credits *c, int64_t from_us)
{
    return c->from_us >= from_us ? c->spent : c->unsure;
}
