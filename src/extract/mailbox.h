/* What other threads ask of the extractor: other jobs, and polls out of turn. Inside extract/ only.
 *
 * Threads: a mutex inside. What was taken out is the extractor's thread's alone.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_MAILBOX_H
#define EXTRACT_MAILBOX_H

#include "extract/charts.h"
#include "extract/extract.h"

#include <pthread.h>

#define MAILBOX_MAX_WISHES 16

/* A poll that somebody waits for; one a job, but of charts one each. */
struct wish {
    uint64_t ticket;
    char job[TAPE_MAX_JOB + 1];
    bool has_chart;
    struct chart_ask chart;
};

struct mailbox {
    pthread_mutex_t lock;
    struct extract_job *jobs; /* the last ones that were set */
    size_t n_jobs;
    uint64_t n_set, n_taken; /* jobs were set so many times */
    struct wish wishes[MAILBOX_MAX_WISHES];
    size_t n_wishes;
    uint64_t last_ticket;
};

void mailbox_init(struct mailbox *m, const struct extract_job *jobs, size_t n_jobs);
void mailbox_release(struct mailbox *m);

/* Any thread: see extract_set_jobs(), extract_poll_chart(); chart may be NULL. */
void mailbox_set_jobs(struct mailbox *m, const struct extract_job *jobs, size_t n_jobs);
uint64_t mailbox_wish(struct mailbox *m, const char *job, const struct chart_ask *chart);

/* Extractor: the jobs, when they were set since it last took them. Owner: mem_free(). */
bool mailbox_has_news(struct mailbox *m);
bool mailbox_take_jobs(struct mailbox *m, struct extract_job **ret_jobs, size_t *ret_n);

/* Extractor: the ith wish, oldest first; false when there are fewer. A wish stays until it is
 * dropped. */
bool mailbox_wish_at(struct mailbox *m, size_t i, struct wish *ret_wish);
void mailbox_drop_wish(struct mailbox *m, size_t i);

#endif
