/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/governor.h"

#include "base/clock.h"

#include <math.h>

static double demand(const struct governed *of, int64_t after_us, int64_t until_us)
{
    return (double)of->calls * (double)grid_count(&of->schedule->grid, after_us, until_us);
}

/* What is left for the slots after now_us, as a share of them. reserved: calls of all[i] that are
 * under way or due besides. Below 0: not even one poll of it. */
static double share(const struct governor *g, size_t i, int64_t now_us, double reserved,
                    const struct budget_state *budget)
{
    const struct governed *own = g->all[i];
    const int64_t until_us = budget->period.until_us;
    double left = (double)budget->left - reserved, wanted = demand(own, now_us, until_us);

    for (size_t k = 0; k < g->n; k++) {
        const struct governed *other = g->all[k];
        int64_t after_us = other->promised_us > now_us ? other->promised_us : now_us;
        if (k == i)
            continue;
        if (after_us < until_us)
            left -= other->calls;
        if (other->priority > own->priority && after_us < until_us)
            left -= demand(other, after_us, until_us);
        else if (other->priority == own->priority && after_us < until_us)
            wanted += demand(other, after_us, until_us);
    }
    if (left < own->calls || wanted <= 0)
        return left < own->calls ? -1 : 1;
    return left / wanted;
}

/* The nth slot after after_us; the caller knows that there are so many before until_us. */
static int64_t nth_slot(const struct schedule *s, int64_t after_us, uint64_t n, int64_t until_us)
{
    int64_t low_us = after_us, high_us = until_us; /* the slot is in (low, high) */

    while (high_us - low_us > 1) {
        int64_t middle_us = low_us + (high_us - low_us) / 2;
        if (grid_count(&s->grid, after_us, middle_us) >= n)
            high_us = middle_us;
        else
            low_us = middle_us;
    }
    return low_us;
}

/* How many slots on is the next poll, of a share above 0? UINT64_MAX: too many. */
static uint64_t steps(double owed, double part, uint64_t most)
{
    double n = part >= 1 ? 1 : ceil((1 - owed) / part - 1e-9);

    if (n > (double)most)
        return UINT64_MAX;
    return n < 1 ? 1 : (uint64_t)n;
}

int64_t governor_next(const struct governor *g, size_t i, int64_t now_us,
                      const struct budget_state *budget, uint64_t *ret_skipped)
{
    struct governed *own = g->all[i];
    const int64_t until_us = budget->period.until_us;

    *ret_skipped = 0;
    if (budget->left == UINT64_MAX) {
        own->owed = 0;
        return own->promised_us = grid_next(&own->schedule->grid, now_us);
    }
    const uint64_t most = grid_count(&own->schedule->grid, now_us, until_us);
    const double part = share(g, i, now_us, own->calls, budget);
    const uint64_t n = most == 0 ? 1 : part <= 0 ? UINT64_MAX : steps(own->owed, part, most);
    if (most == 0 || n == UINT64_MAX) {
        own->owed = 0;
        own->promised_us = grid_next(&own->schedule->grid, until_us - 1);
        *ret_skipped = most;
        return own->promised_us;
    }
    own->owed = part >= 1 ? 0 : own->owed + (double)n * part - 1;
    if (own->owed < 0 || own->owed >= 1)
        own->owed = 0;
    own->promised_us = n == 1 ? grid_next(&own->schedule->grid, now_us)
                              : nth_slot(own->schedule, now_us, n, until_us);
    *ret_skipped = n - 1;
    return own->promised_us;
}

void governor_reconsider(const struct governor *g, size_t i, int64_t last_us, int64_t now_us,
                         const struct budget_state *budget)
{
    struct governed *own = g->all[i];
    int64_t earlier_us = grid_next(&own->schedule->grid, now_us);

    if (own->promised_us <= now_us || earlier_us == 0)
        return;
    if (budget->left != UINT64_MAX) {
        const double part = share(g, i, now_us, 0, budget);
        const int64_t from_us =
            last_us < budget->period.from_us ? budget->period.from_us - 1 : last_us;
        const uint64_t most = grid_count(&own->schedule->grid, from_us, budget->period.until_us);
        const uint64_t n = part <= 0 ? UINT64_MAX : steps(own->owed, part, most);
        if (n == UINT64_MAX)
            return;
        int64_t slot_us = nth_slot(own->schedule, from_us, n, budget->period.until_us);
        if (slot_us > earlier_us)
            earlier_us = slot_us;
    }
    if (earlier_us < own->least_us)
        earlier_us = own->least_us;
    if (earlier_us < own->promised_us)
        own->promised_us = earlier_us;
}

double governor_share(const struct governor *g, size_t i, int64_t now_us,
                      const struct budget_state *budget)
{
    double part = budget->left == UINT64_MAX ? 1 : share(g, i, now_us, 0, budget);

    return part < 0 ? 0 : part > 1 ? 1 : part;
}
