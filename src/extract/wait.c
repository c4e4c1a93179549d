/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/wait.h"

#include <time.h>

#define LONGEST_NAP_US US_PER_S /* then look again: a clock of the tests may have moved on */

void waiter_init(struct waiter *w, struct clock *clock)
{
    pthread_condattr_t attr;

    w->clock = clock;
    w->is_stopped = w->is_nudged = false;
    pulse_init(&w->pulse);
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->woken, &attr);
    pthread_condattr_destroy(&attr);
}

void waiter_release(struct waiter *w)
{
    pthread_cond_destroy(&w->woken);
    pthread_mutex_destroy(&w->lock);
}

static struct timespec from_now(int64_t us)
{
    int64_t at_us = clock_mono_us(clock_system()) + us;
    return (struct timespec){.tv_sec = at_us / US_PER_S, .tv_nsec = at_us % US_PER_S * 1000};
}

static bool wait_until(struct waiter *w, int64_t until_us, bool is_for_news)
{
    int64_t left_us;

    pthread_mutex_lock(&w->lock);
    while (!w->is_stopped && !(is_for_news && w->is_nudged) &&
           (left_us = until_us - clock_mono_us(w->clock)) > 0) {
        struct timespec at = from_now(left_us < LONGEST_NAP_US ? left_us : LONGEST_NAP_US);
        pulse_expect(&w->pulse, LONGEST_NAP_US);
        pthread_cond_timedwait(&w->woken, &w->lock, &at);
    }
    pulse_expect(&w->pulse, 0);
    if (is_for_news)
        w->is_nudged = false;
    bool is_stopped = w->is_stopped;
    pthread_mutex_unlock(&w->lock);
    return !is_stopped;
}

bool waiter_until(struct waiter *w, int64_t until_us)
{
    return wait_until(w, until_us, false);
}

bool waiter_until_news(struct waiter *w, int64_t until_us)
{
    return wait_until(w, until_us, true);
}

void waiter_nudge(struct waiter *w)
{
    pthread_mutex_lock(&w->lock);
    w->is_nudged = true;
    pthread_cond_broadcast(&w->woken);
    pthread_mutex_unlock(&w->lock);
}

void waiter_stop(struct waiter *w)
{
    pthread_mutex_lock(&w->lock);
    w->is_stopped = true;
    pthread_cond_broadcast(&w->woken);
    pthread_mutex_unlock(&w->lock);
}

bool waiter_is_stopped(struct waiter *w)
{
    pthread_mutex_lock(&w->lock);
    bool is_stopped = w->is_stopped;
    pthread_mutex_unlock(&w->lock);
    return is_stopped;
}
