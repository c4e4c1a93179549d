/* What a pipeline is made of. Private to pipeline/.
 *
 * Owners: streams.c, sinks.c, housekeeper.c and polls.c of their structs; `change` is held by
 * whoever adds or takes away streams, jobs or sinks: one at a time, never the extractor's thread.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_INNER_H
#define PIPELINE_INNER_H

#include "alert/alerts.h"
#include "control/control.h"
#include "pipeline/housekeeper.h"
#include "pipeline/pipeline.h"
#include "pipeline/polls.h"
#include "pipeline/sinks.h"
#include "pipeline/streams.h"
#include "serve/serve.h"
#include "sim/sim.h"

#include <pthread.h>

struct pipeline {
    struct pipeline_setup setup;
    struct clock *clock;
    struct status *status;
    atomic_bool is_stopping;

    struct tape *tape;
    struct sim *sim;
    struct extract_api api;
    struct streams streams;
    struct stream *upstream; /* of what callers ask for; NULL: it is not fetched */
    struct sinks *sinks;     /* NULL: none are wanted here */
    struct alerts *alerts;   /* NULL: there are none */
    struct alerts **former;  /* of before a reload: a sink that does not stop may hold them */
    size_t n_former;
    struct upkeep upkeep;
    struct housekeeper *housekeeper;
    struct polls polls;
    struct query *query;
    char query_url[SINK_URL_MAX]; /* of the sink that query reads; "": none */
    struct serve *serve;
    struct control *control;

    struct extract *extract;
    pthread_t extract_thread;
    bool is_extracting;
    enum st extract_st;
    struct err extract_err;

    pthread_mutex_t change;
    pthread_mutex_t importing;   /* one import at a time: it writes a stream */
    pthread_mutex_t backfilling; /* one backfill: the same */

    /* reloads that a signal asked for; guarded by reload_lock */
    pthread_mutex_t reload_lock;
    pthread_t reload_thread;
    bool has_reload_thread, is_reloading, is_reload_wanted;
};

/* reload.c: read the configuration again and apply what can be applied; says on the log, and to
 * `reply` unless it is NULL, what was done. ST_REJECT: it has mistakes, nothing was changed. */
enum st reload_apply(struct pipeline *p, struct control_reply *reply, struct err *err) MUST_USE;

/* Wait for the one under way that a signal asked for. ST_FATAL when it does not end in time: then p
 * must live on. */
enum st reload_stop(struct pipeline *p, int64_t deadline_us, struct err *err) MUST_USE;

/* Tell the extractor which streams are polled; `change` is held, or no thread runs yet. */
void pipeline_set_jobs(struct pipeline *p);

#endif
