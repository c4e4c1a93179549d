/* What the files of the sinks share. Private to pipeline/sinks.c and pipeline/sinks_told.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_SINKS_INNER_H
#define PIPELINE_SINKS_INNER_H

#include "load/loader.h"
#include "pipeline/sinks.h"

#include <pthread.h>

struct one_sink {
    struct sinks *all;
    struct sink_url url;
    struct loader *loader;
    pthread_t thread;
    size_t place;                   /* in the snapshot, and in sinks.at */
    atomic_size_t n_noted;          /* of the streams; what it lacks of the others may be removed */
    bool is_running;                /* its thread was started and not joined */
    atomic_bool has_left;           /* its thread has nothing more to do */
    bool is_in_batch;               /* the poll before is not committed yet */
    bool is_down;                   /* a failure was logged, its end was not */
    struct status_sink uncommitted; /* counts of the batch under way; other fields unused */
    struct one_sink *next;          /* of those that did not stop in time */
};

struct sinks {
    struct sinks_setup setup;
    /* of the array alone: written for a moment, read for as long as needed */
    pthread_rwlock_t lock;
    struct watch *watch;
    pthread_mutex_t noting; /* a sink is noted by one at a time */
    struct one_sink *at[STATUS_MAX_SINKS];
    struct one_sink *stuck;
};

/* Records of polls that have ended, and that it has not. */
uint64_t sinks_lag_of(const struct one_sink *sink);
void sinks_set_lag(struct status_sink *s, uint64_t lag, int64_t now_us);

/* What its loader tells: shown, counted, logged, and told on. */
struct loader_events sinks_events_of(struct one_sink *sink);

#endif
