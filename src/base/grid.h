/* A grid of slots in time: the points k * every of UTC, within some hours of the day, more rarely
 * in off-peak hours of a zone, or those of a cron line. Pure arithmetic. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_GRID_H
#define BASE_GRID_H

#include "base/cron.h"

struct grid {
    int64_t every_us;       /* > 0; of a cron line: 60 s */
    int64_t from_us, to_us; /* hours of the UTC day, as time_is_in_hours() takes them */
    /* Hours of a zone's day in which another interval holds: as microseconds since midnight, from
     * included, to not, over midnight when to is not beyond from. They begin and end when the clock
     * first shows these times, or right after, when it skips them. zone NULL: there are none. */
    struct {
        int64_t every_us, from_us, to_us;
        const struct zone *zone;
    } offpeak;
    struct cron cron; /* zone NULL: there is none; else all but from and to is without meaning */
};

/* The slot that holds at this moment: the last point at or before it. False: that one is outside
 * the hours, or there is none. */
bool grid_slot(const struct grid *g, int64_t at_us, int64_t *ret_slot_us);

/* The first slot after this moment; 0: there is none within a year (of cron: nine). */
int64_t grid_next(const struct grid *g, int64_t after_us);

bool grid_is_same(const struct grid *a, const struct grid *b);

bool grid_has(const struct grid *g, int64_t ts_us);

/* When the slot that holds at this moment ends: with the next one, or where another interval or the
 * hours begin or end; also where none holds. INT64_MAX: never. */
int64_t grid_end(const struct grid *g, int64_t at_us);

/* The interval that holds at this moment; 0: none does. Not of a cron line. */
int64_t grid_every(const struct grid *g, int64_t at_us);

/* How many slots lie after the one moment and before the other; for spans of up to some months. */
uint64_t grid_count(const struct grid *g, int64_t after_us, int64_t before_us);

#endif
