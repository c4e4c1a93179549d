/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/mailbox.h"

#include "base/mem.h"

#include <stdio.h>

static struct extract_job *copy_jobs(const struct extract_job *jobs, size_t n)
{
    struct extract_job *copy = mem_new(n, sizeof(*copy));

    if (n > 0)
        memcpy(copy, jobs, n * sizeof(*copy));
    return copy;
}

void mailbox_init(struct mailbox *m, const struct extract_job *jobs, size_t n_jobs)
{
    *m = (struct mailbox){.jobs = copy_jobs(jobs, n_jobs), .n_jobs = n_jobs, .n_set = 1};
    pthread_mutex_init(&m->lock, NULL);
}

void mailbox_release(struct mailbox *m)
{
    mem_free(m->jobs);
    pthread_mutex_destroy(&m->lock);
}

void mailbox_set_jobs(struct mailbox *m, const struct extract_job *jobs, size_t n_jobs)
{
    struct extract_job *copy = copy_jobs(jobs, n_jobs);

    pthread_mutex_lock(&m->lock);
    mem_free(m->jobs);
    m->jobs = copy;
    m->n_jobs = n_jobs;
    m->n_set++;
    pthread_mutex_unlock(&m->lock);
}

/* A job of charts can be polled for one alone. */
static bool can_poll(const struct mailbox *m, const char *job, bool has_chart)
{
    for (size_t i = 0; i < m->n_jobs; i++)
        if (strcmp(m->jobs[i].id.job, job) == 0)
            return (m->jobs[i].selection.kind == SELECT_CHART) == has_chart;
    return false;
}

static uint64_t share_wish(const struct mailbox *m, const char *job)
{
    for (size_t i = 0; i < m->n_wishes; i++)
        if (strcmp(m->wishes[i].job, job) == 0)
            return m->wishes[i].ticket;
    return 0;
}

uint64_t mailbox_wish(struct mailbox *m, const char *job, const struct chart_ask *chart)
{
    uint64_t ticket = 0;

    pthread_mutex_lock(&m->lock);
    bool is_known = can_poll(m, job, chart != NULL);
    if (is_known && chart == NULL)
        ticket = share_wish(m, job);
    if (is_known && ticket == 0 && m->n_wishes < MAILBOX_MAX_WISHES) {
        struct wish *wish = &m->wishes[m->n_wishes++];
        *wish = (struct wish){.ticket = ++m->last_ticket, .has_chart = chart != NULL};
        ticket = wish->ticket;
        if (chart)
            wish->chart = *chart;
        snprintf(wish->job, sizeof(wish->job), "%s", job);
    }
    pthread_mutex_unlock(&m->lock);
    return ticket;
}

bool mailbox_has_news(struct mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    bool is_new = m->n_taken != m->n_set;
    pthread_mutex_unlock(&m->lock);
    return is_new;
}

bool mailbox_take_jobs(struct mailbox *m, struct extract_job **ret_jobs, size_t *ret_n)
{
    pthread_mutex_lock(&m->lock);
    bool is_new = m->n_taken != m->n_set;
    if (is_new) {
        *ret_jobs = copy_jobs(m->jobs, m->n_jobs);
        *ret_n = m->n_jobs;
        m->n_taken = m->n_set;
    }
    pthread_mutex_unlock(&m->lock);
    return is_new;
}

bool mailbox_wish_at(struct mailbox *m, size_t i, struct wish *ret_wish)
{
    pthread_mutex_lock(&m->lock);
    bool is_there = i < m->n_wishes;
    if (is_there)
        *ret_wish = m->wishes[i];
    pthread_mutex_unlock(&m->lock);
    return is_there;
}

void mailbox_drop_wish(struct mailbox *m, size_t i)
{
    pthread_mutex_lock(&m->lock);
    m->n_wishes--;
    memmove(&m->wishes[i], &m->wishes[i + 1], (m->n_wishes - i) * sizeof(m->wishes[0]));
    pthread_mutex_unlock(&m->lock);
}
