/* Polls and promises of a job, counted by UTC days: what a calendar shows.
 *
 * A poll says when the next one is due. Slots that were so promised and had no poll are missed:
 * from the one that was due to the next poll, as far apart as the polls before the gap were
 * promised.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUERY_COVERAGE_H
#define QUERY_COVERAGE_H

#include "query/history.h"

#define COVERAGE_MAX_DAYS 400 /* and parts of one more */

struct coverage {
    int64_t from_us, until_us; /* days that begin in [from, until) */
    struct rows rows;          /* of coverage_table */
    int64_t slot_us;           /* of the polls seen last; 0: none was */
    int64_t due_us;            /* what they promised last; 0: nothing */
    int64_t every_us;          /* the shortest of the last two promises */
    int64_t last_every_us;
};

struct coverage_poll {
    int64_t slot_us;
    int64_t next_due_us; /* 0: none was promised */
    struct str outcome;
};

/* Begin: from and until lie at midnight, at most COVERAGE_MAX_DAYS apart. False: no room. */
bool coverage_begin(struct coverage *c, int64_t from_us, int64_t until_us, struct arena *arena);

/* In the order of slots. Those before from_us tell what was due; the first at or behind until_us
 * ends a gap. */
void coverage_add(struct coverage *c, const struct coverage_poll *poll);

/* Nothing came until now_us: what is due since more than a minute is missed. */
void coverage_end(struct coverage *c, int64_t now_us);

#endif
