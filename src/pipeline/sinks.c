/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/sinks.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "load/known.h"
#include "pipeline/sinks_inner.h"
#include "pipeline/watch.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#define MAX_POLL_BYTES (UINT64_C(512) * 1024 * 1024)
#define NAP_US         (5 * US_PER_MS)
#define GLANCE_US      (100 * US_PER_MS) /* at a replay */

/* ---- who there is ---- */

struct sinks *sinks_new(const struct sinks_setup *setup)
{
    struct sinks *s = mem_new(1, sizeof(*s));

    s->setup = *setup;
    s->watch = watch_new(setup->status, setup->clock);
    pthread_rwlock_init(&s->lock, NULL);
    pthread_mutex_init(&s->noting, NULL);
    return s;
}

static void free_one(struct one_sink *sink)
{
    loader_free(sink->loader);
    mem_free(sink);
}

void sinks_free(struct sinks *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < STATUS_MAX_SINKS; i++)
        if (s->at[i])
            free_one(s->at[i]);
    watch_free(s->watch);
    pthread_mutex_destroy(&s->noting);
    pthread_rwlock_destroy(&s->lock);
    mem_free(s);
}

/* Put a sink into its place, or take it out; nobody looks at it through the array any more. */
static void put(struct sinks *s, size_t place, struct one_sink *sink)
{
    pthread_rwlock_wrlock(&s->lock);
    s->at[place] = sink;
    pthread_rwlock_unlock(&s->lock);
}

static struct one_sink *find(const struct sinks *s, const char *url)
{
    for (size_t i = 0; i < STATUS_MAX_SINKS; i++)
        if (s->at[i] && strcmp(s->at[i]->url.text, url) == 0)
            return s->at[i];
    return NULL;
}

bool sinks_has(struct sinks *s, const char *url)
{
    pthread_rwlock_rdlock(&s->lock);
    bool has = find(s, url) != NULL;
    pthread_rwlock_unlock(&s->lock);
    return has;
}

bool sinks_has_name(struct sinks *s, const char *name)
{
    char other[KNOWN_NAME_MAX];
    struct err why = ERR_INIT;
    bool has = false;

    pthread_rwlock_rdlock(&s->lock);
    for (size_t i = 0; i < STATUS_MAX_SINKS; i++)
        has |= s->at[i] && known_name(&s->at[i]->url, other, &why) == ST_OK &&
               strcmp(other, name) == 0;
    pthread_rwlock_unlock(&s->lock);
    return has;
}

const struct sink_url *sinks_at(struct sinks *s, size_t i)
{
    pthread_rwlock_rdlock(&s->lock);
    const struct sink_url *url = i < STATUS_MAX_SINKS && s->at[i] ? &s->at[i]->url : NULL;
    pthread_rwlock_unlock(&s->lock);
    return url;
}

/* ---- adding ---- */

static void show_new(struct sinks *s, const struct one_sink *sink)
{
    struct status_snapshot *now = status_lock(s->setup.status);
    struct status_sink *shown = &now->sinks[sink->place];

    *shown = (struct status_sink){.state = SINK_STARTING,
                                  .state_since_us = clock_wall_us(s->setup.clock)};
    snprintf(shown->url, sizeof(shown->url), "%.255s", sink->url.shown);
    if (now->n_sinks <= sink->place)
        now->n_sinks = sink->place + 1;
    status_unlock(s->setup.status);
}

static struct loader *make_loader(struct sinks *s, struct one_sink *sink)
{
    size_t n = streams_count(s->setup.streams);
    struct loader_stream *streams = mem_new(n, sizeof(*streams));

    for (size_t i = 0; i < n; i++)
        streams[i] = stream_for_loader(streams_at(s->setup.streams, i));
    const struct loader_setup setup = {
        .url = &sink->url,
        .streams = streams,
        .n_streams = n,
        .tape = s->setup.tape,
        .clock = s->setup.clock,
        .data_dir = tape_data_dir(s->setup.tape),
        .is_simulated = s->setup.is_simulated,
        .retain_rows_us = s->setup.retain_rows_us,
        .retain_5m_us = s->setup.retain_5m_us,
        .accepts_gap = s->setup.accepts_gap,
        .events = sinks_events_of(sink),
        .max_poll_bytes = MAX_POLL_BYTES,
    };
    struct loader *loader = loader_new(&setup);
    mem_free(streams);
    return loader;
}

/* A place that is free: not of one that has not left it yet. */
static size_t find_place(const struct sinks *s)
{
    for (size_t i = 0; i < STATUS_MAX_SINKS; i++) {
        bool is_free = s->at[i] == NULL;
        for (const struct one_sink *sink = s->stuck; sink; sink = sink->next)
            is_free &= sink->place != i;
        if (is_free)
            return i;
    }
    return STATUS_MAX_SINKS;
}

enum st sinks_add(struct sinks *s, const struct sink_url *url, struct err *err)
{
    size_t place = find_place(s);

    if (place == STATUS_MAX_SINKS)
        return err_set(err, ST_REJECT, "sink %s: there are %d already", url->shown,
                       STATUS_MAX_SINKS);
    struct one_sink *sink = mem_new(1, sizeof(*sink));
    sink->all = s;
    sink->url = *url;
    sink->place = place;
    sink->loader = make_loader(s, sink);
    show_new(s, sink);
    put(s, place, sink);
    return ST_OK;
}

void sinks_add_stream(struct sinks *s, const struct stream *stream)
{
    const struct loader_stream of = stream_for_loader(stream);

    for (size_t i = 0; i < STATUS_MAX_SINKS; i++) {
        struct err err = ERR_INIT;
        if (s->at[i] == NULL)
            continue;
        /* as many fit as there can be streams */
        if (loader_add_stream(s->at[i]->loader, &of, &err) != ST_OK)
            log_error("load", "a stream cannot be loaded before a restart",
                      LOG_Z("sink", s->at[i]->url.shown), LOG_Z("error", err.msg));
    }
}

static void *sink_main(void *arg)
{
    struct one_sink *sink = arg;
    struct err err = ERR_INIT;

    err_ignore(loader_run(sink->loader, &err)); /* what went wrong was told to on_failed() */
    atomic_store(&sink->has_left, true);
    return NULL;
}

enum st sinks_start(struct sinks *s, struct err *err)
{
    for (size_t i = 0; i < STATUS_MAX_SINKS; i++) {
        struct one_sink *sink = s->at[i];
        if (sink == NULL || sink->is_running)
            continue;
        int rc = pthread_create(&sink->thread, NULL, sink_main, sink);
        if (rc != 0)
            return err_sys(err, ST_FATAL, rc, "start a thread");
        sink->is_running = true;
    }
    return ST_OK;
}

/* ---- looking ---- */

void sinks_show_lag(struct sinks *s)
{
    pthread_rwlock_rdlock(&s->lock);
    for (size_t i = 0; i < STATUS_MAX_SINKS; i++) {
        if (s->at[i] == NULL)
            continue;
        uint64_t lag = sinks_lag_of(s->at[i]);
        struct status_sink *sink = &status_lock(s->setup.status)->sinks[i];
        sinks_set_lag(sink, lag, clock_wall_us(s->setup.clock));
        sink->gathers_us = loader_gathers_us(s->at[i]->loader);
        status_unlock(s->setup.status);
    }
    pthread_rwlock_unlock(&s->lock);
}

/* Every stream is kept for every sink, also for one that cannot be reached or has not begun. */
static enum st expect(const struct sinks *s, struct one_sink *sink, struct err *err)
{
    size_t n = streams_count(s->setup.streams);
    struct known_stream *all = mem_new(n, sizeof(*all));

    for (size_t i = 0; i < n; i++) {
        const struct stream_id *id = &streams_at(s->setup.streams, i)->job.id;
        sink_uuid_text(id, all[i].uuid);
        snprintf(all[i].job, sizeof(all[i].job), "%s", id->job);
    }
    enum st st = known_expect(tape_data_dir(s->setup.tape), &sink->url, all, n, err);
    atomic_store(&sink->n_noted, st == ST_OK ? n : 0);
    mem_free(all);
    return st;
}

enum st sinks_note(struct sinks *s, struct err *err)
{
    enum st st = ST_OK;

    pthread_mutex_lock(&s->noting);
    pthread_rwlock_rdlock(&s->lock);
    for (size_t i = 0; i < STATUS_MAX_SINKS; i++) {
        struct err why = ERR_INIT;
        if (s->at[i] == NULL)
            continue;
        enum st one_st = expect(s, s->at[i], &why);
        if (one_st == ST_OK)
            one_st = loader_note(s->at[i]->loader, tape_data_dir(s->setup.tape), &why);
        if (one_st != ST_OK && st == ST_OK) {
            *err = why;
            st = one_st;
        }
    }
    pthread_rwlock_unlock(&s->lock);
    pthread_mutex_unlock(&s->noting);
    return st;
}

bool sinks_are_noted(struct sinks *s, size_t stream)
{
    bool are_noted = true;

    pthread_rwlock_rdlock(&s->lock);
    for (size_t i = 0; i < STATUS_MAX_SINKS; i++)
        are_noted &= s->at[i] == NULL || atomic_load(&s->at[i]->n_noted) > stream;
    pthread_rwlock_unlock(&s->lock);
    return are_noted;
}

void sinks_hurry(struct sinks *s)
{
    for (size_t i = 0; i < STATUS_MAX_SINKS; i++)
        if (s->at[i])
            loader_hurry(s->at[i]->loader);
}

bool sinks_are_caught_up(struct sinks *s)
{
    bool is_done = true;

    for (size_t i = 0; i < STATUS_MAX_SINKS; i++) {
        const struct one_sink *sink = s->at[i];
        if (sink == NULL)
            continue;
        enum sink_state state = status_lock(s->setup.status)->sinks[i].state;
        status_unlock(s->setup.status);
        bool can_work = state == SINK_STARTING || state == SINK_WORKING;
        if (sink->is_running && can_work && sinks_lag_of(sink) > 0)
            is_done = false;
    }
    return is_done;
}

enum st sinks_load(struct sinks *s, struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; i < STATUS_MAX_SINKS; i++) {
        struct err why = ERR_INIT;
        if (s->at[i] == NULL)
            continue;
        enum st load_st = loader_open(s->at[i]->loader, &why);
        if (load_st == ST_OK)
            load_st = loader_catch_up(s->at[i]->loader, &why);
        if (load_st != ST_OK && st == ST_OK) {
            *err = why;
            st = err_wrap(err, load_st, "sink %s: ", s->at[i]->url.shown);
        }
    }
    return st;
}

/* ---- replay ---- */

static enum st no_such_sink(const struct sinks *s, const char *url, struct err *err)
{
    struct buf names = BUF_INIT(STATUS_MAX_SINKS * (size_t)SINK_URL_MAX);

    for (size_t i = 0; i < STATUS_MAX_SINKS; i++)
        if (s->at[i])
            buf_addf(&names, "%s%s", names.len > 0 ? ", " : "", s->at[i]->url.shown);
    enum st st =
        err_set(err, ST_REJECT, "%.128s: no sink of the running process; there are: %.300s", url,
                buf_z(&names));
    buf_release(&names);
    return st;
}

/* Look at a replay, and cancel it when it is wanted no more. ST_AGAIN: it has gone with its sink.
 */
static enum st look_at_replay(struct sinks *s, const char *url, bool is_wanted,
                              struct loader_replay_progress *ret_now, struct err *err)
{
    enum st st = ST_OK;

    pthread_rwlock_rdlock(&s->lock);
    struct one_sink *sink = find(s, url);
    if (sink == NULL)
        st = err_set(err, ST_AGAIN, "the sink was removed");
    if (st == ST_OK && !is_wanted)
        loader_replay_cancel(sink->loader);
    if (st == ST_OK)
        loader_replay_progress(sink->loader, ret_now);
    pthread_rwlock_unlock(&s->lock);
    return st;
}

enum st sinks_replay(struct sinks *s, const char *url, const struct loader_replay *what,
                     bool (*go_on)(void *ctx, const struct loader_replay_progress *now), void *ctx,
                     struct loader_replay_progress *ret_done, struct err *err)
{
    bool is_wanted = true;

    pthread_rwlock_rdlock(&s->lock);
    struct one_sink *sink = find(s, url);
    enum st st = sink ? loader_replay_start(sink->loader, what, err) : no_such_sink(s, url, err);
    pthread_rwlock_unlock(&s->lock);
    if (st != ST_OK)
        return st;
    while (st == ST_OK && is_wanted) {
        st = look_at_replay(s, url, true, ret_done, err);
        if (st != ST_OK || !ret_done->is_running)
            break;
        is_wanted = go_on(ctx, ret_done);
        nanosleep(&(struct timespec){.tv_nsec = GLANCE_US * 1000}, NULL);
    }
    if (st == ST_OK && !is_wanted)
        st = look_at_replay(s, url, false, ret_done, err);
    if (st != ST_OK)
        return st;
    if (ret_done->is_running)
        return err_set(err, ST_AGAIN, "stopped; the same replay goes on where it was");
    return ret_done->st == ST_OK ? ST_OK : err_set(err, ret_done->st, "%s", ret_done->error);
}

/* ---- stopping ---- */

/* Wait for its thread; true when it was joined, or never ran. */
static bool join(struct one_sink *sink, int64_t deadline_us)
{
    const struct sinks_setup *setup = &sink->all->setup;

    if (!sink->is_running)
        return true;
    while (!atomic_load(&sink->has_left) && clock_mono_us(setup->clock) < deadline_us)
        nanosleep(&(struct timespec){.tv_nsec = NAP_US * 1000}, NULL);
    if (!atomic_load(&sink->has_left))
        return false;
    pthread_join(sink->thread, NULL);
    sink->is_running = false;
    return true;
}

/* At a stop, where nobody waits for it again: it ends by itself, or with the process. */
static bool join_or_leave(struct one_sink *sink, int64_t deadline_us)
{
    if (join(sink, deadline_us))
        return true;
    pthread_detach(sink->thread);
    return false;
}

/* Unless another has the same: two may differ in secrets alone. */
static void drop_metrics(const struct sinks *s, const char *url_shown)
{
    for (size_t i = 0; i < STATUS_MAX_SINKS; i++)
        if (s->at[i] && strcmp(s->at[i]->url.shown, url_shown) == 0)
            return;
    metric_drop("sink", url_shown);
}

static void show_gone(struct sinks *s, size_t place)
{
    status_lock(s->setup.status)->sinks[place].is_gone = true;
    status_unlock(s->setup.status);
}

enum st sinks_remove(struct sinks *s, const char *url, int64_t deadline_us, struct err *err)
{
    struct one_sink *sink = find(s, url);
    struct err why = ERR_INIT;

    assert(sink != NULL);
    loader_stop(sink->loader);
    tape_wake(s->setup.tape);
    bool is_joined = false; /* short waits, so that a stop of the whole is seen */
    while (!is_joined && !atomic_load(s->setup.is_stopping) &&
           clock_mono_us(s->setup.clock) < deadline_us)
        is_joined = join(sink, clock_mono_us(s->setup.clock) + 10 * NAP_US);
    pthread_mutex_lock(&s->noting);
    enum st st = loader_note(sink->loader, tape_data_dir(s->setup.tape), &why);
    pthread_mutex_unlock(&s->noting);
    if (st != ST_OK)
        log_warn("tape", "cannot note how far a sink is", LOG_Z("sink", sink->url.shown),
                 LOG_Z("error", why.msg));
    put(s, sink->place, NULL);
    show_gone(s, sink->place);
    drop_metrics(s, sink->url.shown);
    if (is_joined) {
        free_one(sink);
        return ST_OK;
    }
    sink->next = s->stuck;
    s->stuck = sink;
    return err_set(err, ST_AGAIN,
                   "sink %s: it does not stop; what it had not committed is not there",
                   sink->url.shown);
}

enum st sinks_stop(struct sinks *s, int64_t deadline_us, struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; i < STATUS_MAX_SINKS; i++)
        if (s->at[i])
            loader_stop(s->at[i]->loader);
    tape_wake(s->setup.tape);
    deadline_us += US_PER_S; /* a load may need a moment to notice */
    for (size_t i = 0; i < STATUS_MAX_SINKS; i++) {
        if (s->at[i] == NULL || join_or_leave(s->at[i], deadline_us))
            continue;
        st = err_set(err, ST_FATAL,
                     "sink %s did not stop in time; what it had not committed will be loaded at "
                     "the next start",
                     s->at[i]->url.shown);
    }
    while (s->stuck) {
        struct one_sink *sink = s->stuck;
        s->stuck = sink->next;
        if (join_or_leave(sink, deadline_us))
            free_one(sink);
        else
            st = err_set(err, ST_FATAL, "sink %s was removed and never stopped", sink->url.shown);
    }
    return st;
}
