/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/limiter.h"

#define MINUTE_US      INT64_C(60000000)
#define REFUSED_MIN_US INT64_C(1000000)
#define REFUSED_MAX_US INT64_C(30000000)

void limiter_init(struct limiter *l, uint32_t calls_per_minute)
{
    *l = (struct limiter){.next_us = INT64_MIN};
    limiter_set_pace(l, calls_per_minute);
}

void limiter_set_pace(struct limiter *l, uint32_t calls_per_minute)
{
    l->interval_us = calls_per_minute > 0 ? MINUTE_US / calls_per_minute : 0;
}

uint32_t limiter_pace(uint32_t limit_per_minute)
{
    uint32_t pace = (uint32_t)((uint64_t)limit_per_minute * 3 / 5);
    return pace > 0 ? pace : 1;
}

int64_t limiter_ready_at(const struct limiter *l, int64_t now_us)
{
    return l->next_us > now_us ? l->next_us : now_us;
}

void limiter_take(struct limiter *l, int64_t now_us)
{
    limiter_pause(l, now_us + l->interval_us);
}

void limiter_pause(struct limiter *l, int64_t until_us)
{
    if (until_us > l->next_us)
        l->next_us = until_us;
}

int64_t limiter_refused(struct limiter *l, int64_t now_us, int64_t asked_us)
{
    l->refused_us = l->refused_us == 0 ? REFUSED_MIN_US : 2 * l->refused_us;
    if (l->refused_us > REFUSED_MAX_US)
        l->refused_us = REFUSED_MAX_US;
    int64_t wait_us = asked_us > 0 ? asked_us : l->refused_us;
    limiter_pause(l, now_us + wait_us);
    return wait_us;
}

void limiter_accepted(struct limiter *l)
{
    l->refused_us = 0;
}
