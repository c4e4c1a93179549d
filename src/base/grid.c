/* SPDX-License-Identifier: Apache-2.0 */
#include "base/grid.h"

#include "base/clock.h"

#define DAY_US      (86400 * US_PER_S)
#define MAX_CRON_US (9 * 366 * DAY_US)
#define MAX_SPANS   3000 /* looked through for a slot: a year has 366 days of at most 6 */

/* A time in which one interval holds. */
struct span {
    int64_t from_us, until_us;
    int64_t every_us; /* 0: no slots */
};

static void cut(struct span *s, int64_t at_us, int64_t edge_us)
{
    if (edge_us <= at_us && edge_us > s->from_us)
        s->from_us = edge_us;
    if (edge_us > at_us && edge_us < s->until_us)
        s->until_us = edge_us;
}

static void cut_by_hours(const struct grid *g, int64_t at_us, struct span *s)
{
    const int64_t day_us = time_floor(at_us, DAY_US);

    if (g->from_us == g->to_us)
        return;
    for (int day = -1; day <= 1; day++) {
        cut(s, at_us, day_us + day * DAY_US + g->from_us);
        cut(s, at_us, day_us + day * DAY_US + g->to_us);
    }
    if (!time_is_in_hours(at_us, g->from_us, g->to_us))
        s->every_us = 0;
}

static void cut_by_offpeak(const struct grid *g, int64_t at_us, struct span *s)
{
    const struct zone *zone = g->offpeak.zone;
    bool is_offpeak = false;

    if (zone == NULL)
        return;
    const int64_t day_us = time_floor(at_us + zone_east_us(zone, at_us), DAY_US);
    const int64_t next_us = g->offpeak.to_us > g->offpeak.from_us ? 0 : DAY_US;
    for (int day = -2; day <= 1; day++) {
        const int64_t of_us = day_us + day * DAY_US;
        const int64_t on_us = zone_first_us(zone, of_us + g->offpeak.from_us);
        const int64_t off_us = zone_first_us(zone, of_us + next_us + g->offpeak.to_us);
        cut(s, at_us, on_us);
        cut(s, at_us, off_us);
        is_offpeak = is_offpeak || (at_us >= on_us && at_us < off_us);
    }
    if (is_offpeak)
        s->every_us = g->offpeak.every_us;
}

static struct span span_at(const struct grid *g, int64_t at_us)
{
    struct span s = {INT64_MIN / 2, INT64_MAX / 2, g->every_us};

    cut_by_offpeak(g, at_us, &s);
    cut_by_hours(g, at_us, &s);
    return s;
}

/* Points in [from, to). */
static int64_t points(int64_t from_us, int64_t to_us, int64_t every_us)
{
    if (to_us <= from_us || every_us == 0)
        return 0;
    return (time_floor(to_us - 1, every_us) - time_floor(from_us - 1, every_us)) / every_us;
}

/* When the hours begin that hold at this moment, or else the next ones. */
static int64_t hours_at(const struct grid *g, int64_t at_us)
{
    const int64_t begin_us = time_floor(at_us, DAY_US) + g->from_us;

    if (time_is_in_hours(at_us, g->from_us, g->to_us))
        return at_us;
    return begin_us > at_us ? begin_us : begin_us + DAY_US;
}

static int64_t cron_next_within(const struct grid *g, int64_t after_us)
{
    const int64_t last_us = after_us + MAX_CRON_US;
    int64_t slot_us = cron_next(&g->cron, after_us);

    while (slot_us != 0 && slot_us < last_us) {
        if (time_is_in_hours(slot_us, g->from_us, g->to_us))
            return slot_us;
        slot_us = cron_next(&g->cron, hours_at(g, slot_us) - 1);
    }
    return 0;
}

/* As grid_count(). */
static uint64_t cron_count_within(const struct grid *g, int64_t after_us, int64_t before_us)
{
    const int64_t long_us =
        g->to_us > g->from_us ? g->to_us - g->from_us : DAY_US - g->from_us + g->to_us;
    uint64_t n = 0;

    if (g->from_us == g->to_us)
        return cron_count(&g->cron, after_us, before_us);
    for (int64_t on_us = time_floor(after_us, DAY_US) - DAY_US + g->from_us; on_us < before_us;
         on_us += DAY_US) {
        const int64_t from_us = on_us - 1 > after_us ? on_us - 1 : after_us;
        const int64_t until_us = on_us + long_us < before_us ? on_us + long_us : before_us;
        if (from_us < until_us)
            n += cron_count(&g->cron, from_us, until_us);
    }
    return n;
}

int64_t grid_next(const struct grid *g, int64_t after_us)
{
    int64_t at_us = after_us + 1;

    if (g->cron.zone)
        return cron_next_within(g, after_us);
    for (int i = 0; i < MAX_SPANS; i++) {
        const struct span s = span_at(g, at_us);
        if (s.every_us != 0) {
            int64_t slot_us = time_floor(at_us - 1, s.every_us) + s.every_us;
            if (slot_us < s.until_us)
                return slot_us;
        }
        at_us = s.until_us;
    }
    return 0;
}

/* Of a cron line: the longest that one looks back. */
static const int64_t back_us[] = {120 * US_PER_S, 3600 * US_PER_S, DAY_US,
                                  8 * DAY_US,     32 * DAY_US,     400 * DAY_US};

static bool cron_slot(const struct grid *g, int64_t at_us, int64_t *ret_slot_us)
{
    for (size_t i = 0; i < sizeof(back_us) / sizeof(back_us[0]); i++) {
        int64_t slot_us = 0, next_us = cron_next(&g->cron, at_us - back_us[i]);
        while (next_us != 0 && next_us <= at_us) {
            slot_us = next_us;
            next_us = cron_next(&g->cron, slot_us);
        }
        if (slot_us != 0) {
            *ret_slot_us = slot_us;
            return true;
        }
    }
    return false;
}

/* The last point, whatever the hours. */
static bool last_point(const struct grid *g, int64_t at_us, int64_t *ret_slot_us)
{
    struct span s = {INT64_MIN / 2, INT64_MAX / 2, g->every_us};

    if (g->cron.zone)
        return cron_slot(g, at_us, ret_slot_us);
    cut_by_offpeak(g, at_us, &s);
    int64_t slot_us = time_floor(at_us, s.every_us);
    if (slot_us < s.from_us) { /* of the interval before */
        const int64_t until_us = s.from_us;
        s = (struct span){INT64_MIN / 2, INT64_MAX / 2, g->every_us};
        cut_by_offpeak(g, until_us - 1, &s);
        slot_us = time_floor(until_us - 1, s.every_us);
    }
    *ret_slot_us = slot_us;
    return slot_us >= s.from_us;
}

bool grid_slot(const struct grid *g, int64_t at_us, int64_t *ret_slot_us)
{
    int64_t slot_us;

    if (!last_point(g, at_us, &slot_us) || !time_is_in_hours(slot_us, g->from_us, g->to_us))
        return false;
    *ret_slot_us = slot_us;
    return true;
}

bool grid_is_same(const struct grid *a, const struct grid *b)
{
    const bool is_same_cron = a->cron.zone == b->cron.zone && a->cron.minutes == b->cron.minutes &&
                              a->cron.hours == b->cron.hours && a->cron.days == b->cron.days &&
                              a->cron.months == b->cron.months &&
                              a->cron.weekdays == b->cron.weekdays &&
                              a->cron.is_any_day == b->cron.is_any_day &&
                              a->cron.is_any_weekday == b->cron.is_any_weekday &&
                              a->cron.is_every_hour == b->cron.is_every_hour;

    return is_same_cron && a->every_us == b->every_us && a->from_us == b->from_us &&
           a->to_us == b->to_us && a->offpeak.zone == b->offpeak.zone &&
           a->offpeak.every_us == b->offpeak.every_us && a->offpeak.from_us == b->offpeak.from_us &&
           a->offpeak.to_us == b->offpeak.to_us;
}

bool grid_has(const struct grid *g, int64_t ts_us)
{
    return grid_next(g, ts_us - 1) == ts_us;
}

int64_t grid_every(const struct grid *g, int64_t at_us)
{
    return span_at(g, at_us).every_us;
}

int64_t grid_end(const struct grid *g, int64_t at_us)
{
    if (g->cron.zone) {
        const int64_t slot_us = grid_next(g, at_us);
        return slot_us != 0 ? slot_us : INT64_MAX;
    }
    const struct span s = span_at(g, at_us);
    const int64_t next_us =
        s.every_us == 0 ? s.until_us : time_floor(at_us, s.every_us) + s.every_us;
    return next_us < s.until_us ? next_us : s.until_us;
}

uint64_t grid_count(const struct grid *g, int64_t after_us, int64_t before_us)
{
    int64_t n = 0;

    if (g->cron.zone)
        return cron_count_within(g, after_us, before_us);
    for (int64_t at_us = after_us + 1; at_us < before_us;) {
        const struct span s = span_at(g, at_us);
        n += points(at_us, s.until_us < before_us ? s.until_us : before_us, s.every_us);
        at_us = s.until_us;
    }
    return (uint64_t)n;
}
