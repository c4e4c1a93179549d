/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/streams.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "pipeline/setup.h"

#include <errno.h>
#include <stdio.h>

#define SEGMENT_SPAN_US   (3600 * US_PER_S)
#define SEGMENT_MAX_BYTES (UINT64_C(256) * 1024 * 1024)
#define MAX_NAMES         ((size_t)1024 * 1024) /* bytes of the names of the jobs on a tape */

void streams_init(struct streams *s, struct tape *tape, struct clock *clock, struct status *status)
{
    s->tape = tape;
    s->clock = clock;
    s->status = status;
}

void streams_release(struct streams *s)
{
    for (size_t i = 0; i < streams_count(s); i++) {
        tape_writer_close(s->all[i]->job.writer);
        setup_release_selection(&s->all[i]->selected);
        mem_free(s->all[i]);
    }
    atomic_store(&s->n, 0);
}

size_t streams_count(const struct streams *s)
{
    return atomic_load(&s->n);
}

struct stream *streams_at(const struct streams *s, size_t i)
{
    return s->all[i];
}

struct stream *streams_find(const struct streams *s, const char *job)
{
    for (size_t i = 0; i < streams_count(s); i++)
        if (strcmp(s->all[i]->job.id.job, job) == 0)
            return s->all[i];
    return NULL;
}

/* ---- the snapshot ---- */

static void show_idle(struct status_job *job, const struct stream_id *id)
{
    job->is_idle = true;
    job->next_due_us = 0;
    snprintf(job->name, sizeof(job->name), "%s", id->job);
    snprintf(job->vs_currency, sizeof(job->vs_currency), "%s", id->vs_currency);
    snprintf(job->what, sizeof(job->what), "%.60s of %s%s%s, not polled", id->selection,
             id->endpoint, id->vs_currency[0] ? " in " : "", id->vs_currency);
}

static void show_last_end(struct status_job *job, struct tape_writer *writer)
{
    struct tape_record end;

    job->head = tape_head_get(tape_writer_head(writer));
    if (!tape_writer_last_end(writer, &end))
        return;
    job->last_slot_us = end.slot_us;
    job->last_ended_us = end.fetched_at_us;
    job->last_ok_us = end.outcome == POLL_OK ? end.fetched_at_us : 0;
    snprintf(job->last_outcome, sizeof(job->last_outcome), "%s", poll_outcome_name(end.outcome));
}

static void take_place(struct streams *s, struct stream *stream)
{
    struct status_snapshot *now = status_lock(s->status);

    stream->job.status = STREAM_NO_PLACE;
    if (now->n_jobs < STATUS_MAX_JOBS) {
        stream->job.status = now->n_jobs++;
        show_idle(&now->jobs[stream->job.status], &stream->job.id);
        show_last_end(&now->jobs[stream->job.status], stream->job.writer);
    }
    status_unlock(s->status);
}

void streams_show_idle(struct streams *s)
{
    for (size_t i = 0; i < streams_count(s); i++) {
        const struct stream *stream = s->all[i];
        if (atomic_load(&stream->is_removed))
            metric_drop("job", stream->job.id.job);
        if (stream->job.status == STREAM_NO_PLACE || !atomic_load(&stream->is_idle))
            continue;
        uint64_t head = tape_head_get(tape_writer_head(stream->job.writer));
        status_lock(s->status)->jobs[stream->job.status].head = head;
        status_unlock(s->status);
    }
}

/* ---- opening ---- */

static void log_recovery(const char *job, const struct tape_recovery *recovery)
{
    if (recovery->torn_bytes > 0) {
        metric_add(METRIC_TAPE_TORN, job, NULL, 1);
        log_warn("tape", "a torn tail was cut off and kept", LOG_Z("job", job),
                 LOG_I("bytes", recovery->torn_bytes), LOG_Z("file", recovery->torn_file));
    }
    if (recovery->unreadable_file[0] != '\0')
        log_warn("tape", "the disk cannot read all of a segment; a new one is begun behind it",
                 LOG_Z("job", job), LOG_Z("file", recovery->unreadable_file));
    if (recovery->is_poll_aborted)
        log_info("tape", "the last run stopped within a poll; it is marked aborted",
                 LOG_Z("job", job));
    metric_set(METRIC_TAPE_HEAD, job, NULL, (double)recovery->head);
}

static enum st open_writer(struct streams *s, const struct stream_id *id,
                           struct tape_writer **ret_writer, struct err *err)
{
    const struct tape_writer_setup setup = {
        .tape = s->tape,
        .clock = s->clock,
        .id = *id,
        .segment_span_us = SEGMENT_SPAN_US,
        .segment_max_bytes = SEGMENT_MAX_BYTES,
    };
    struct tape_recovery recovery = {.head = 0};

    enum st st = tape_writer_open(&setup, ret_writer, &recovery, err);
    if (st == ST_OK)
        log_recovery(id->job, &recovery);
    return st;
}

static bool is_same(const struct stream_id *a, const struct stream_id *b)
{
    return strcmp(a->endpoint, b->endpoint) == 0 && strcmp(a->vs_currency, b->vs_currency) == 0 &&
           strcmp(a->selection, b->selection) == 0;
}

static enum st add(struct streams *s, const struct stream_id *id, struct stream **ret_stream,
                   struct err *err)
{
    struct stream *stream = mem_new(1, sizeof(*stream));
    size_t n = streams_count(s);

    enum st st = tape_stream_dir(tape_data_dir(s->tape), id->job, stream->dir, err);
    if (st == ST_OK && n == LOADER_MAX_STREAMS)
        st = err_set(err, ST_REJECT,
                     "job %s: the tape has %d streams already; give it a --data of its own",
                     id->job, LOADER_MAX_STREAMS);
    if (st == ST_OK)
        st = open_writer(s, id, &stream->job.writer, err);
    if (st != ST_OK) {
        mem_free(stream);
        return st;
    }
    stream->job.id = *tape_writer_stream(stream->job.writer);
    atomic_store(&stream->is_idle, true);
    take_place(s, stream);
    s->all[n] = stream;
    atomic_store(&s->n, n + 1);
    *ret_stream = stream;
    return ST_OK;
}

static enum st no_place(const char *job, struct err *err)
{
    return err_set(err, ST_REJECT,
                   "job %s: %d jobs and streams of before are shown already; a restart shows the "
                   "jobs first",
                   job, STATUS_MAX_JOBS);
}

enum st streams_check_room(struct streams *s, const struct stream_id *id, struct err *err)
{
    if (streams_find(s, id->job))
        return ST_OK;
    bool has_room = status_lock(s->status)->n_jobs < STATUS_MAX_JOBS;
    status_unlock(s->status);
    return has_room ? ST_OK : no_place(id->job, err);
}

enum st streams_open(struct streams *s, const struct stream_id *id, struct stream **ret_stream,
                     bool *ret_is_new, struct err *err)
{
    struct stream *there = streams_find(s, id->job);

    *ret_is_new = there == NULL;
    if (there == NULL)
        return add(s, id, ret_stream, err);
    if (!is_same(&there->job.id, id))
        return err_set(err, ST_REJECT,
                       "job %s: its tape is of %s %s %.120s, and cannot become %s %s %.120s; give "
                       "the job another name",
                       id->job, there->job.id.endpoint, there->job.id.vs_currency,
                       there->job.id.selection, id->endpoint, id->vs_currency, id->selection);
    *ret_stream = there;
    return ST_OK;
}

enum st streams_open_rest(struct streams *s, struct err *err)
{
    const char **jobs;
    struct arena names;
    size_t n_jobs = 0;

    arena_init(&names, MAX_NAMES);
    enum st st = tape_jobs(tape_data_dir(s->tape), &names, &jobs, &n_jobs, err);
    for (size_t i = 0; st == ST_OK && i < n_jobs; i++) {
        struct stream_id id = {.endpoint = ""}; /* whatever it is */
        struct stream *stream;
        struct err why = ERR_INIT;
        if (streams_find(s, jobs[i]))
            continue;
        snprintf(id.job, sizeof(id.job), "%s", jobs[i]);
        enum st rest_st = add(s, &id, &stream, &why);
        if (rest_st == ST_REJECT && why.sys == ENOENT)
            continue; /* a directory without a record */
        if (rest_st != ST_OK)
            log_warn("tape", "a stream that no job polls cannot be opened and is left out",
                     LOG_Z("job", jobs[i]), LOG_Z("error", why.msg));
    }
    arena_release(&names);
    return st;
}

/* ---- jobs ---- */

enum st stream_configure(struct streams *s, struct stream *stream, const struct job_config *config,
                         struct err *err)
{
    struct status_job shown;

    if (stream->job.status == STREAM_NO_PLACE)
        return no_place(stream->job.id.job, err);
    if (!stream->is_configured)
        setup_copy_selection(config, &stream->selected);
    stream->is_configured = true;
    enum st st = setup_job(config, &stream->selected, &stream->job, err);
    if (st != ST_OK)
        return st;
    setup_status_job(&stream->job, &shown);
    struct status_job *job = &status_lock(s->status)->jobs[stream->job.status];
    snprintf(job->name, sizeof(job->name), "%s", shown.name);
    snprintf(job->vs_currency, sizeof(job->vs_currency), "%s", shown.vs_currency);
    snprintf(job->what, sizeof(job->what), "%s", shown.what);
    job->every_us = shown.every_us;
    job->apart_us = 0;
    job->from_us = shown.from_us;
    job->to_us = shown.to_us;
    job->is_idle = false;
    status_unlock(s->status);
    atomic_store(&stream->is_removed, false);
    atomic_store(&stream->is_idle, false);
    return ST_OK;
}

void stream_set_idle(struct streams *s, struct stream *stream)
{
    struct status_job *job = &status_lock(s->status)->jobs[stream->job.status];

    show_idle(job, &stream->job.id);
    status_unlock(s->status);
    atomic_store(&stream->is_idle, true);
    atomic_store(&stream->is_removed, true);
    metric_drop("job", stream->job.id.job);
}

struct loader_stream stream_for_loader(const struct stream *stream)
{
    struct loader_stream of = {.head = tape_writer_head(stream->job.writer)};

    snprintf(of.dir, sizeof(of.dir), "%s", stream->dir);
    snprintf(of.job, sizeof(of.job), "%s", stream->job.id.job);
    return of;
}
