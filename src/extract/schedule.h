/* When a job is due: the slots of its grid, by a wall clock that nobody trusts.
 *
 * The clock may jump anywhere and come back. A slot is polled once: never one that was polled
 * before or lies shortly before one that was (a clock set back waits until it has caught up). A
 * slot far from all that were polled comes from a clock that is, or was, plainly wrong: it is
 * polled, and the API's Date tells which of the two it is. So a jump makes neither burst nor stall.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_SCHEDULE_H
#define EXTRACT_SCHEDULE_H

#include "base/grid.h"

#define SCHEDULE_MEMORY 8 /* polled slots remembered */

struct schedule {
    struct grid grid;                /* may be changed at any time */
    int64_t polled[SCHEDULE_MEMORY]; /* a ring */
    size_t n_polled;                 /* ever */
};

void schedule_init(struct schedule *s, const struct grid *grid);

/* This slot is taken: polled now, or found on the tape. It need not lie on the grid. */
void schedule_took(struct schedule *s, int64_t slot_us);

/* True when the slot of the moment wall_us is to be polled now. */
bool schedule_is_due(const struct schedule *s, int64_t wall_us, int64_t *ret_slot_us);

/* Slots that passed unpolled while the poll of slot_us ran until wall_us, for elapsed_us by the
 * monotonic clock (so that a jump of the wall clock counts none). The slot of wall_us itself is not
 * among them: it can still be polled. */
uint64_t schedule_missed(const struct schedule *s, int64_t slot_us, int64_t wall_us,
                         int64_t elapsed_us);

#endif
