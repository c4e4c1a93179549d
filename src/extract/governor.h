/* Which slots are polled, so that a budget lasts to the end of its period: slots are left out,
 * those of the lowest priority first, evenly spread. Pure arithmetic. Inside extract/ only.
 *
 * When a job's poll begins, its next one is fixed and promised (`next_due` of its `end`): the slots
 * in between are left out on purpose, and are no gap. What is promised is kept free for it, so that
 * only calls that nobody foresaw (others who spend the key) can break a promise.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_GOVERNOR_H
#define EXTRACT_GOVERNOR_H

#include "extract/budget.h"
#include "extract/schedule.h"

/* A job as the governor sees it. */
struct governed {
    const struct schedule *schedule;
    int priority;        /* a higher one goes first */
    uint32_t calls;      /* of a poll */
    int64_t promised_us; /* slot of the next poll; 0: none is promised, the first due one is next */
    int64_t least_us;    /* no earlier than this is it promised anew */
    double owed;         /* part of a poll that rounding to slots has kept back: 0 … 1 */
};

struct governor {
    struct governed **all;
    size_t n;
};

/* The slot of all[i]'s next poll after now_us, where one of its polls begins now: *ret_skipped
 * slots before it are left out. When nothing is left, the first one of the next period. 0: there is
 * none within a year. Sets promised_us and owed. */
int64_t governor_next(const struct governor *g, size_t i, int64_t now_us,
                      const struct budget_state *budget, uint64_t *ret_skipped);

/* There may be more than there was when all[i]'s next poll was promised (budget raised, polls that
 * failed, jobs that left): promise it earlier then. last_us: the slot of its last poll; 0: none. */
void governor_reconsider(const struct governor *g, size_t i, int64_t last_us, int64_t now_us,
                         const struct budget_state *budget);

/* The part of its slots that all[i] may poll from now on: 0 … 1. */
double governor_share(const struct governor *g, size_t i, int64_t now_us,
                      const struct budget_state *budget);

#endif
