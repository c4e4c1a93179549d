/* SPDX-License-Identifier: Apache-2.0 */
#include "load/postgres/dial.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

struct dial {
    pthread_mutex_t lock;
    pthread_cond_t over;
    struct postgres_url url;
    PGconn *pg;
    bool is_over, is_given_up; /* guarded by lock, as pg is */
};

static void release(struct dial *d)
{
    pthread_cond_destroy(&d->over);
    pthread_mutex_destroy(&d->lock);
    postgres_url_release(&d->url);
    mem_free(d);
}

static void *dial_main(void *arg)
{
    struct dial *d = arg;
    PGconn *pg = PQconnectdbParams((const char *const *)d->url.keywords,
                                   (const char *const *)d->url.values, 0);

    pthread_mutex_lock(&d->lock);
    const bool is_given_up = d->is_given_up;
    d->pg = pg;
    d->is_over = true;
    pthread_cond_signal(&d->over);
    pthread_mutex_unlock(&d->lock);
    if (is_given_up) {
        PQfinish(pg);
        release(d);
    }
    return NULL;
}

enum st dial_start(const struct postgres_url *url, struct dial **ret_dial, struct err *err)
{
    struct dial *d = mem_new(1, sizeof(*d));
    pthread_condattr_t monotonic;
    pthread_t thread;

    d->url = postgres_url_copy(url);
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&d->over, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int code = pthread_create(&thread, NULL, dial_main, d);
    if (code != 0) {
        release(d);
        return err_sys(err, ST_AGAIN, code, "no thread to connect with");
    }
    pthread_detach(thread);
    *ret_dial = d;
    return ST_OK;
}

static struct timespec after(int64_t us)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    const int64_t ns = at.tv_nsec + us % US_PER_S * 1000;
    at.tv_sec += (time_t)(us / US_PER_S + ns / 1000000000);
    at.tv_nsec = (long)(ns % 1000000000);
    return at;
}

bool dial_wait(struct dial *d, int64_t timeout_us)
{
    const struct timespec until = after(timeout_us > 0 ? timeout_us : 0);
    int code = 0;

    pthread_mutex_lock(&d->lock);
    while (!d->is_over && code != ETIMEDOUT)
        code = timeout_us < 0 ? pthread_cond_wait(&d->over, &d->lock)
                              : pthread_cond_timedwait(&d->over, &d->lock, &until);
    const bool is_over = d->is_over;
    pthread_mutex_unlock(&d->lock);
    return is_over;
}

PGconn *dial_take(struct dial *d)
{
    PGconn *pg = d->pg;

    release(d);
    return pg;
}

void dial_give_up(struct dial *d)
{
    if (d == NULL)
        return;
    pthread_mutex_lock(&d->lock);
    d->is_given_up = true;
    const bool is_over = d->is_over;
    pthread_mutex_unlock(&d->lock);
    if (is_over)
        PQfinish(dial_take(d));
}
