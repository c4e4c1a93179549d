/* SPDX-License-Identifier: Apache-2.0 */
#include "load/lake/held.h"

#include "base/mem.h"

#include <stdio.h>

void held_release(struct held *h)
{
    for (size_t i = 0; i < h->n_jobs; i++) {
        for (size_t k = 0; k < h->jobs[i].n; k++)
            mem_free(h->jobs[i].polls[k].partial);
        mem_free(h->jobs[i].polls);
    }
    mem_free(h->jobs);
    *h = (struct held){.n_jobs = 0};
}

static struct held_job *find_job(const struct held *h, struct str name)
{
    for (size_t i = 0; i < h->n_jobs; i++)
        if (str_eq(str_of(h->jobs[i].name), name))
            return &h->jobs[i];
    return NULL;
}

/* Where the slot is, or would be. Most are behind all others. */
static size_t place_of(const struct held_job *job, int64_t slot_us)
{
    size_t low = 0, high = job->n;

    if (job->n > 0 && slot_us > job->polls[job->n - 1].slot_us)
        return job->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (job->polls[middle].slot_us < slot_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct held_poll *held_find(const struct held *h, const char *name, int64_t slot_us)
{
    const struct held_job *job = find_job(h, str_of(name));

    if (job == NULL)
        return NULL;
    const size_t i = place_of(job, slot_us);
    return i < job->n && job->polls[i].slot_us == slot_us ? &job->polls[i] : NULL;
}

int64_t held_newest(const struct held *h, const char *name)
{
    const struct held_job *job = find_job(h, str_of(name));

    return job && job->n > 0 ? job->polls[job->n - 1].slot_us : INT64_MIN;
}

static struct held_job *add_job(struct held *h, struct str name)
{
    h->jobs = mem_grow(h->jobs, h->n_jobs + 1, sizeof(*h->jobs));
    struct held_job *job = &h->jobs[h->n_jobs++];
    *job = (struct held_job){.n = 0};
    snprintf(job->name, sizeof(job->name), "%.*s", STR_ARG(name));
    return job;
}

void held_put(struct held *h, struct str name, int64_t slot_us, const struct str *partial)
{
    struct held_job *job = find_job(h, name);

    job = job ? job : add_job(h, name);
    const size_t i = place_of(job, slot_us);
    if (i == job->n || job->polls[i].slot_us != slot_us) {
        if (job->n == job->max) {
            job->max = job->max > 0 ? job->max * 2 : 64;
            job->polls = mem_grow(job->polls, job->max, sizeof(*job->polls));
        }
        memmove(&job->polls[i + 1], &job->polls[i], (job->n - i) * sizeof(*job->polls));
        job->n++;
        job->polls[i] = (struct held_poll){.slot_us = slot_us};
    }
    mem_free(job->polls[i].partial);
    job->polls[i].partial = partial ? mem_strndup(partial->p, partial->len) : NULL;
}

void held_take(struct held *h, const struct node *polls)
{
    for (const struct node *job = node_first(polls); job; job = job->next) {
        const struct node *n = node_first(node_get(job, "ok"));
        for (; n; n = n->next)
            held_put(h, job->key, node_int(n, 0), NULL);
        for (n = node_first(node_get(job, "partial")); n; n = n->next) {
            const struct node *slot = node_first(n);
            const struct str path = node_text(slot ? slot->next : NULL);
            held_put(h, job->key, node_int(slot, 0), &path);
        }
    }
}
