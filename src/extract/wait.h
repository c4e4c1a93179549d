/* Waiting that another thread can end at once and for good. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_WAIT_H
#define EXTRACT_WAIT_H

#include "base/clock.h"

#include <pthread.h>

struct waiter {
    struct clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool is_stopped; /* under the lock */
};

void waiter_init(struct waiter *w, struct clock *clock);
void waiter_release(struct waiter *w);

/* Wait until the clock's monotonic time is until_us. False when stopped, at once. */
bool waiter_until(struct waiter *w, int64_t until_us);

/* Any thread. */
void waiter_stop(struct waiter *w);
bool waiter_is_stopped(struct waiter *w);

#endif
