/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/schedule.h"

#include "base/clock.h"

/* A clock set back by at most this (or two slots) catches up by waiting. */
#define SET_BACK_US (3600 * US_PER_S)

#define DAY_US   (86400 * US_PER_S)
#define MAX_DAYS 366 /* searched for a slot within the hours */

void schedule_init(struct schedule *s, struct schedule_plan plan)
{
    *s = (struct schedule){.plan = plan};
}

void schedule_took(struct schedule *s, int64_t slot_us)
{
    s->polled[s->n_polled++ % SCHEDULE_MEMORY] = slot_us;
}

bool schedule_is_within_hours(const struct schedule *s, int64_t slot_us)
{
    return time_is_in_hours(slot_us, s->plan.from_us, s->plan.to_us);
}

bool schedule_is_due(const struct schedule *s, int64_t wall_us, int64_t *ret_slot_us)
{
    int64_t slot_us = time_floor(wall_us, s->plan.every_us), near_us = SET_BACK_US;

    if (!schedule_is_within_hours(s, slot_us))
        return false;
    if (near_us < 2 * s->plan.every_us)
        near_us = 2 * s->plan.every_us;
    for (size_t i = 0; i < s->n_polled && i < SCHEDULE_MEMORY; i++)
        if (slot_us <= s->polled[i] && slot_us >= s->polled[i] - near_us)
            return false;
    *ret_slot_us = slot_us;
    return true;
}

int64_t schedule_slot_end(const struct schedule *s, int64_t wall_us)
{
    return time_floor(wall_us, s->plan.every_us) + s->plan.every_us;
}

int64_t schedule_next(const struct schedule *s, int64_t wall_us)
{
    int64_t slot_us = schedule_slot_end(s, wall_us);

    for (int day = 0; day < MAX_DAYS; day++) {
        if (schedule_is_within_hours(s, slot_us))
            return slot_us;
        /* not before the hours begin: the first grid point then */
        int64_t begin_us = time_floor(slot_us, DAY_US) + s->plan.from_us;
        if (begin_us < slot_us)
            begin_us += DAY_US;
        slot_us = schedule_slot_end(s, begin_us - 1);
    }
    return 0;
}

uint64_t schedule_missed(const struct schedule *s, int64_t slot_us, int64_t wall_us,
                         int64_t elapsed_us)
{
    int64_t every_us = s->plan.every_us;
    int64_t by_wall = (time_floor(wall_us, every_us) - slot_us) / every_us - 1;
    int64_t by_elapsed = elapsed_us / every_us;
    int64_t n = by_wall < by_elapsed ? by_wall : by_elapsed;
    uint64_t n_missed = 0;

    for (int64_t i = 1; i <= n; i++)
        n_missed += schedule_is_within_hours(s, slot_us + i * every_us);
    return n_missed;
}
