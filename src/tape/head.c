/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/head.h"

#include "base/clock.h"

#include <assert.h>
#include <time.h>

void tape_head_init(struct tape_head *h, uint64_t offset)
{
    pthread_condattr_t attr;

    h->offset = offset;
    h->is_woken = false;
    pthread_mutex_init(&h->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&h->moved, &attr);
    pthread_condattr_destroy(&attr);
}

void tape_head_release(struct tape_head *h)
{
    pthread_cond_destroy(&h->moved);
    pthread_mutex_destroy(&h->mutex);
}

void tape_head_set(struct tape_head *h, uint64_t offset)
{
    pthread_mutex_lock(&h->mutex);
    assert(offset > h->offset);
    h->offset = offset;
    pthread_cond_broadcast(&h->moved);
    pthread_mutex_unlock(&h->mutex);
}

uint64_t tape_head_get(struct tape_head *h)
{
    pthread_mutex_lock(&h->mutex);
    uint64_t offset = h->offset;
    pthread_mutex_unlock(&h->mutex);
    return offset;
}

uint64_t tape_head_wait(struct tape_head *h, uint64_t seen, int64_t timeout_us)
{
    struct timespec until;

    if (timeout_us < 0)
        timeout_us = 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_us / US_PER_S;
    until.tv_nsec += timeout_us % US_PER_S * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&h->mutex);
    while (h->offset <= seen && !h->is_woken)
        if (pthread_cond_timedwait(&h->moved, &h->mutex, &until) != 0)
            break;
    uint64_t offset = h->offset;
    pthread_mutex_unlock(&h->mutex);
    return offset;
}

void tape_head_wake(struct tape_head *h)
{
    pthread_mutex_lock(&h->mutex);
    h->is_woken = true;
    pthread_cond_broadcast(&h->moved);
    pthread_mutex_unlock(&h->mutex);
}
