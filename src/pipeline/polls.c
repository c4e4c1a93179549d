/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/polls.h"

#include <stdio.h>
#include <time.h>

void polls_init(struct polls *p)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void polls_release(struct polls *p)
{
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
}

int polls_ask(struct polls *p, struct extract *e, const char *job, const struct chart_ask *chart)
{
    int place = -1;

    pthread_mutex_lock(&p->lock); /* the poll may be done before its ticket is noted */
    for (int i = 0; i < POLLS_MAX && place < 0; i++)
        if (p->asked[i].ticket == 0)
            place = i;
    uint64_t ticket = place >= 0 ? extract_poll_chart(e, job, chart) : 0;
    if (ticket != 0)
        p->asked[place] = (struct asked_poll){.ticket = ticket};
    pthread_mutex_unlock(&p->lock);
    return ticket != 0 ? place : -1;
}

bool polls_wait(struct polls *p, int place, int64_t timeout_us, struct asked_poll *ret_poll)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (timeout_us % US_PER_S) * 1000;
    until.tv_sec += (time_t)(timeout_us / US_PER_S + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&p->lock);
    while (!p->asked[place].is_done && pthread_cond_timedwait(&p->done, &p->lock, &until) == 0)
        ;
    *ret_poll = p->asked[place];
    if (ret_poll->is_done)
        p->asked[place].ticket = 0;
    pthread_mutex_unlock(&p->lock);
    return ret_poll->is_done;
}

void polls_leave(struct polls *p, int place)
{
    pthread_mutex_lock(&p->lock);
    p->asked[place].ticket = 0;
    pthread_mutex_unlock(&p->lock);
}

void polls_on_done(struct polls *p, uint64_t ticket, enum poll_outcome outcome, const char *error)
{
    pthread_mutex_lock(&p->lock);
    for (int i = 0; i < POLLS_MAX; i++) {
        struct asked_poll *asked = &p->asked[i];
        if (asked->ticket != ticket)
            continue;
        asked->is_done = true;
        asked->outcome = outcome;
        snprintf(asked->error, sizeof(asked->error), "%.255s", error ? error : "");
    }
    pthread_cond_broadcast(&p->done);
    pthread_mutex_unlock(&p->lock);
}
