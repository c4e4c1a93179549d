/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/schedule.h"

#include "base/clock.h"

/* A clock set back by at most this (or two slots) catches up by waiting. */
#define SET_BACK_US (3600 * US_PER_S)

void schedule_init(struct schedule *s, const struct grid *grid)
{
    *s = (struct schedule){.grid = *grid};
}

void schedule_took(struct schedule *s, int64_t slot_us)
{
    s->polled[s->n_polled++ % SCHEDULE_MEMORY] = slot_us;
}

bool schedule_is_due(const struct schedule *s, int64_t wall_us, int64_t *ret_slot_us)
{
    int64_t slot_us, near_us = SET_BACK_US;

    if (!grid_slot(&s->grid, wall_us, &slot_us))
        return false;
    const int64_t next_us = grid_next(&s->grid, slot_us);
    if (near_us < 2 * (next_us - slot_us))
        near_us = 2 * (next_us - slot_us);
    for (size_t i = 0; i < s->n_polled && i < SCHEDULE_MEMORY; i++)
        if (slot_us <= s->polled[i] && slot_us >= s->polled[i] - near_us)
            return false;
    *ret_slot_us = slot_us;
    return true;
}

uint64_t schedule_missed(const struct schedule *s, int64_t slot_us, int64_t wall_us,
                         int64_t elapsed_us)
{
    int64_t until_us = slot_us + elapsed_us + 1, present_us;

    if (until_us > wall_us + 1)
        until_us = wall_us + 1;
    if (grid_slot(&s->grid, wall_us, &present_us) && present_us < until_us)
        until_us = present_us;
    return grid_count(&s->grid, slot_us, until_us);
}
