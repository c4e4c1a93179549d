/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/limiter.h"

#define MINUTE_US INT64_C(60000000)

void limiter_init(struct limiter *l, uint32_t calls_per_minute)
{
    *l = (struct limiter){
        .interval_us = calls_per_minute > 0 ? MINUTE_US / calls_per_minute : 0,
        .next_us = INT64_MIN,
    };
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
