/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/schedule.h"

#include "base/clock.h"

/* A clock set back by at most this (or two slots) catches up by waiting. */
#define SET_BACK_US (3600 * US_PER_S)

void schedule_init(struct schedule *s, int64_t every_us)
{
    *s = (struct schedule){.every_us = every_us};
}

void schedule_took(struct schedule *s, int64_t slot_us)
{
    s->polled[s->n_polled++ % SCHEDULE_MEMORY] = slot_us;
}

bool schedule_is_due(const struct schedule *s, int64_t wall_us, int64_t *ret_slot_us)
{
    int64_t slot_us = time_floor(wall_us, s->every_us), near_us = SET_BACK_US;

    if (near_us < 2 * s->every_us)
        near_us = 2 * s->every_us;
    for (size_t i = 0; i < s->n_polled && i < SCHEDULE_MEMORY; i++)
        if (slot_us <= s->polled[i] && slot_us >= s->polled[i] - near_us)
            return false;
    *ret_slot_us = slot_us;
    return true;
}

int64_t schedule_next(const struct schedule *s, int64_t wall_us)
{
    return time_floor(wall_us, s->every_us) + s->every_us;
}

uint64_t schedule_missed(const struct schedule *s, int64_t slot_us, int64_t wall_us,
                         int64_t elapsed_us)
{
    int64_t by_wall = (time_floor(wall_us, s->every_us) - slot_us) / s->every_us - 1;
    int64_t by_elapsed = elapsed_us / s->every_us;
    int64_t n = by_wall < by_elapsed ? by_wall : by_elapsed;

    return n > 0 ? (uint64_t)n : 0;
}
