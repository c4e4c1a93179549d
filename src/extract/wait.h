/* Waiting that another thread can end at once and for good. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_WAIT_H
#define EXTRACT_WAIT_H

#include "base/clock.h"
#include "base/pulse.h"

#include <pthread.h>

struct waiter {
    struct clock *clock;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool is_stopped, is_nudged; /* under the lock */
    struct pulse pulse;         /* of the thread that waits here: any thread may look */
};

void waiter_init(struct waiter *w, struct clock *clock);
void waiter_release(struct waiter *w);

/* Wait until the clock's monotonic time is until_us. False when stopped, at once. */
bool waiter_until(struct waiter *w, int64_t until_us);

/* The same, but news end it too; also those that came since the last call. */
bool waiter_until_news(struct waiter *w, int64_t until_us);

/* Any thread: there are news. */
void waiter_nudge(struct waiter *w);

/* Any thread. */
void waiter_stop(struct waiter *w);
bool waiter_is_stopped(struct waiter *w);

#endif
