/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/head.h"

#include "base/clock.h"

#include <assert.h>
#include <time.h>

static void init_cond(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

/* The moment, on the clock of the conditions, when timeout_us is over. */
static struct timespec until(int64_t timeout_us)
{
    struct timespec t;

    if (timeout_us < 0)
        timeout_us = 0;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_us / US_PER_S;
    t.tv_nsec += timeout_us % US_PER_S * 1000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* ---- the bell of a tape ---- */

void bell_init(struct bell *b)
{
    b->n = 0;
    pthread_mutex_init(&b->mutex, NULL);
    init_cond(&b->rung);
}

void bell_release(struct bell *b)
{
    pthread_cond_destroy(&b->rung);
    pthread_mutex_destroy(&b->mutex);
}

void bell_ring(struct bell *b)
{
    pthread_mutex_lock(&b->mutex);
    b->n++;
    pthread_cond_broadcast(&b->rung);
    pthread_mutex_unlock(&b->mutex);
}

uint64_t tape_moves(struct tape *t)
{
    struct bell *b = tape_bell(t);

    pthread_mutex_lock(&b->mutex);
    uint64_t n = b->n;
    pthread_mutex_unlock(&b->mutex);
    return n;
}

uint64_t tape_wait(struct tape *t, uint64_t seen, int64_t timeout_us)
{
    struct bell *b = tape_bell(t);
    struct timespec end = until(timeout_us);

    pthread_mutex_lock(&b->mutex);
    while (b->n <= seen)
        if (pthread_cond_timedwait(&b->rung, &b->mutex, &end) != 0)
            break;
    uint64_t n = b->n;
    pthread_mutex_unlock(&b->mutex);
    return n;
}

void tape_wake(struct tape *t)
{
    bell_ring(tape_bell(t));
}

/* ---- the head of a stream ---- */

void tape_head_init(struct tape_head *h, struct bell *bell, uint64_t offset, uint64_t ended)
{
    h->bell = bell;
    h->offset = offset;
    h->ended = ended;
    h->is_woken = false;
    pthread_mutex_init(&h->mutex, NULL);
    init_cond(&h->moved);
}

void tape_head_release(struct tape_head *h)
{
    pthread_cond_destroy(&h->moved);
    pthread_mutex_destroy(&h->mutex);
}

void tape_head_set(struct tape_head *h, uint64_t offset, bool is_end)
{
    pthread_mutex_lock(&h->mutex);
    assert(offset > h->offset);
    h->offset = offset;
    if (is_end)
        h->ended = offset;
    pthread_cond_broadcast(&h->moved);
    pthread_mutex_unlock(&h->mutex);
    bell_ring(h->bell);
}

uint64_t tape_head_get(struct tape_head *h)
{
    pthread_mutex_lock(&h->mutex);
    uint64_t offset = h->offset;
    pthread_mutex_unlock(&h->mutex);
    return offset;
}

uint64_t tape_head_ended(struct tape_head *h)
{
    pthread_mutex_lock(&h->mutex);
    uint64_t ended = h->ended;
    pthread_mutex_unlock(&h->mutex);
    return ended;
}

uint64_t tape_head_wait(struct tape_head *h, uint64_t seen, int64_t timeout_us)
{
    struct timespec end = until(timeout_us);

    pthread_mutex_lock(&h->mutex);
    while (h->offset <= seen && !h->is_woken)
        if (pthread_cond_timedwait(&h->moved, &h->mutex, &end) != 0)
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
