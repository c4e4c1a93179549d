/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/demand.h"

#include <stdio.h>
#include <time.h>

#define GLANCE_US (100 * US_PER_MS)
#define GRID_US   (86400 * US_PER_S) /* of which no slot is ever polled */

/* `change` is held. */
static enum st open_stream(struct pipeline *p, const struct stream_id *id,
                           const struct selection *selection, struct stream **ret_stream,
                           struct err *err)
{
    struct stream *stream;
    bool is_new;

    enum st st = streams_check_room(&p->streams, id, err);
    if (st == ST_OK)
        st = streams_open(&p->streams, id, &stream, &is_new, err);
    if (st != ST_OK)
        return st;
    if (is_new && p->sinks)
        sinks_add_stream(p->sinks, stream);
    *ret_stream = stream;
    if (!atomic_load(&stream->is_idle))
        return ST_OK;
    if (stream->job.status == STREAM_NO_PLACE)
        return err_set(err, ST_REJECT,
                       "job %s: too many jobs and streams are shown already; a restart makes room",
                       id->job);
    stream->job.selection = *selection;
    stream->job.every_us = GRID_US;
    stream->job.grid = (struct grid){.every_us = GRID_US};
    stream->job.is_on_demand = true;
    atomic_store(&stream->is_demanded, true);
    pipeline_set_jobs(p);
    return ST_OK;
}

enum st demand_begin(struct pipeline *p, const struct stream_id *id,
                     const struct selection *selection, struct stream **ret_stream, struct err *err)
{
    pthread_mutex_lock(&p->change);
    enum st st = open_stream(p, id, selection, ret_stream, err);
    pthread_mutex_unlock(&p->change);
    return st;
}

void demand_end(struct pipeline *p, struct stream *stream)
{
    pthread_mutex_lock(&p->change);
    if (atomic_load(&stream->is_demanded)) {
        atomic_store(&stream->is_demanded, false);
        pipeline_set_jobs(p);
    }
    pthread_mutex_unlock(&p->change);
    streams_show_idle(&p->streams);
}

static bool was_permanent(struct pipeline *p, const struct stream *stream)
{
    const struct status_job *job = &status_lock(p->status)->jobs[stream->job.status];
    const bool is_permanent = strcmp(job->last_cause, "permanent") == 0;

    status_unlock(p->status);
    return is_permanent;
}

enum st demand_poll(struct pipeline *p, const struct stream *stream, const struct chart_ask *chart,
                    bool (*go_on)(void *ctx), void *ctx, struct asked_poll *ret_poll,
                    bool *ret_is_permanent, struct err *err)
{
    int place;

    while ((place = polls_ask(&p->polls, p->extract, stream->job.id.job, chart)) < 0) {
        nanosleep(&(struct timespec){.tv_nsec = GLANCE_US * 1000}, NULL);
        if (!go_on(ctx) || atomic_load(&p->is_stopping))
            return err_set(err, ST_AGAIN, "stopped");
    }
    while (!polls_wait(&p->polls, place, GLANCE_US, ret_poll)) {
        if (go_on(ctx) && !atomic_load(&p->is_stopping))
            continue;
        polls_leave(&p->polls, place);
        return err_set(err, ST_AGAIN, "stopped");
    }
    if (ret_poll->outcome == POLL_ABORTED)
        return err_set(err, ST_AGAIN, "stopped");
    *ret_is_permanent = ret_poll->outcome != POLL_OK && was_permanent(p, stream);
    return ST_OK;
}
