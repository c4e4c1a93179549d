/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/spare.h"

#define LEAST_PART 10

static uint64_t under_way(const struct status_snapshot *s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s->n_jobs; i++)
        if (!s->jobs[i].is_gone && !s->jobs[i].is_idle)
            n += s->jobs[i].calls_per_poll;
    return n;
}

struct spare spare_now(struct status *status, int64_t now_us)
{
    const struct status_snapshot *s = status_lock(status);
    const struct status_budget *b = &s->budget;
    const uint64_t spent = b->own + b->others;
    struct spare spare = {
        .has_bound = b->calls > 0 && b->until_us > now_us, /* else of a period that is over */
        .all = b->calls,
        .left = spent < b->calls ? b->calls - spent : 0,
        .wanted = b->wanted + under_way(s),
        .until_us = b->until_us,
    };

    status_unlock(status);
    spare.calls = spare.left / LEAST_PART;
    if (spare.left > spare.wanted && spare.left - spare.wanted > spare.calls)
        spare.calls = spare.left - spare.wanted;
    return spare;
}

bool spare_has_one(const struct spare *now, const struct spare *first, uint64_t n)
{
    if (!now->has_bound)
        return true;
    return now->left > 0 && (now->left > now->wanted || n < first->left / LEAST_PART);
}
