/* Polls that somebody asked for and waits for. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_POLLS_H
#define PIPELINE_POLLS_H

#include "extract/extract.h"

#include <pthread.h>

#define POLLS_MAX 16 /* that wait at once */

struct asked_poll {
    uint64_t ticket; /* 0: free */
    bool is_done;
    enum poll_outcome outcome;
    char error[256]; /* "" when ok */
};

struct polls {
    pthread_mutex_t lock;
    pthread_cond_t done;
    struct asked_poll asked[POLLS_MAX];
};

void polls_init(struct polls *p);
void polls_release(struct polls *p);

/* Ask for a poll of this job; of this chart, unless it is NULL. Returns the place to wait at, -1
 * when there is no such job or too many wait. Any thread. */
int polls_ask(struct polls *p, struct extract *e, const char *job, const struct chart_ask *chart);

/* Wait at most timeout_us; true when it was done: then the place is free again. */
bool polls_wait(struct polls *p, int place, int64_t timeout_us, struct asked_poll *ret_poll);

/* Wait no longer: the poll takes place all the same. */
void polls_leave(struct polls *p, int place);

/* For extract_events.polled_now. */
void polls_on_done(struct polls *p, uint64_t ticket, enum poll_outcome outcome, const char *error);

#endif
