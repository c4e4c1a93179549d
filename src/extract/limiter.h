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
    int64_t refused_us; /* the pause that the last of the refusals in a row earned; 0: none was */
};

void limiter_init(struct limiter *l, uint32_t calls_per_minute);

/* From the next request on, another pace; a pause stays. */
void limiter_set_pace(struct limiter *l, uint32_t calls_per_minute);

/* The pace under a plan's limit: 60 % of it, at least 1, which leaves the rest to retries and to
 * other programs behind the same key. */
uint32_t limiter_pace(uint32_t limit_per_minute);

/* When the next request may start: now_us or later. */
int64_t limiter_ready_at(const struct limiter *l, int64_t now_us);

/* A request starts now. */
void limiter_take(struct limiter *l, int64_t now_us);

/* The API asked for silence: nothing starts before until_us. */
void limiter_pause(struct limiter *l, int64_t until_us);

/* Too many calls, says the API: silence for as long as it asked, or, when it did not (0), ever
 * longer from one refusal to the next, up to 30 s. Every answer counts, refusals too, so asking on
 * would only keep us refused. Returns how long. */
int64_t limiter_refused(struct limiter *l, int64_t now_us, int64_t asked_us);

/* It took a call: the next refusal is a first one. */
void limiter_accepted(struct limiter *l);

#endif
