/* The pace of all requests of the process: evenly spaced starts, never a burst.
 *
 * Errors count like answers do, as CoinGecko counts them. All times are monotonic microseconds.
 * Thread: the extractor's.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_LIMITER_H
#define EXTRACT_LIMITER_H

#include <stdint.h>

struct limiter {
    int64_t interval_us;
    int64_t next_us; /* no request starts before this; INT64_MIN at first: the first one at once */
};

void limiter_init(struct limiter *l, uint32_t calls_per_minute);

/* When the next request may start: now_us or later. */
int64_t limiter_ready_at(const struct limiter *l, int64_t now_us);

/* A request starts now. */
void limiter_take(struct limiter *l, int64_t now_us);

/* The API asked for silence: nothing starts before until_us. */
void limiter_pause(struct limiter *l, int64_t until_us);

#endif
