/* What the sinks' loaders tell, on the sinks' threads. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_client.h"
#include "base/log.h"
#include "pipeline/sinks_inner.h"
#include "pipeline/watch.h"

#include <stdio.h>

uint64_t sinks_lag_of(const struct one_sink *sink)
{
    const struct streams *streams = sink->all->setup.streams;
    uint64_t lag = 0;

    for (size_t i = 0; i < streams_count(streams); i++) {
        uint64_t ended = tape_head_ended(tape_writer_head(streams_at(streams, i)->job.writer));
        uint64_t done = loader_offset(sink->loader, i);
        lag += ended > done ? ended - done : 0;
    }
    return lag;
}

void sinks_set_lag(struct status_sink *s, uint64_t lag, int64_t now_us)
{
    s->lag = lag;
    if (lag == 0)
        s->behind_since_us = 0;
    else if (s->behind_since_us == 0)
        s->behind_since_us = now_us;
}

static void set_state(struct status_sink *s, enum sink_state state, int64_t now_us)
{
    if (s->state != state)
        s->state_since_us = now_us;
    s->state = state;
}

static void note_simulated(struct sinks *all, const struct sink_load *load)
{
    if (load->n_pages == 0 ||
        http_answer_header(load->pages[0].record.headers, "x-simulated").p == NULL)
        return;
    status_lock(all->setup.status)->is_simulated = true;
    status_unlock(all->setup.status);
}

/* What a batch holds counts when its last poll is committed; a batch that failed is told again. */
static void count_load(struct one_sink *sink, const struct sink_load *load,
                       const struct sink_result *result)
{
    struct status_sink *n = &sink->uncommitted;

    n->n_polls++;
    n->n_rows += result->n_stored;
    n->n_unchanged += result->n_unchanged;
    n->n_refused += load->rows ? load->rows->n_refusals : 0;
    if (load->rows && load->rows->rows.n > 0)
        n->newest_row_us = load->end->fetched_at_us;
}

static void show_commit(struct one_sink *sink, int64_t duration_us)
{
    const struct sinks_setup *setup = &sink->all->setup;
    uint64_t lag = sinks_lag_of(sink);
    int64_t now_us = clock_wall_us(setup->clock);
    struct status_sink *s = &status_lock(setup->status)->sinks[sink->place];
    struct status_sink *n = &sink->uncommitted;

    set_state(s, SINK_WORKING, now_us);
    sinks_set_lag(s, lag, now_us);
    s->last_error[0] = '\0';
    s->n_polls += n->n_polls;
    s->n_rows += n->n_rows;
    s->n_unchanged += n->n_unchanged;
    s->n_refused += n->n_refused;
    s->newest_row_us = n->newest_row_us ? n->newest_row_us : s->newest_row_us;
    s->last_load_us = now_us;
    s->last_load_duration_us = duration_us;
    status_unlock(setup->status);
    *n = (struct status_sink){.n_polls = 0};
}

/* Is it the one that tells of polls? The first that there is. */
static bool is_first(const struct one_sink *sink)
{
    struct sinks *all = sink->all;
    bool is_first = true;

    pthread_rwlock_rdlock(&all->lock);
    for (size_t i = 0; i < sink->place; i++)
        is_first &= all->at[i] == NULL;
    pthread_rwlock_unlock(&all->lock);
    return is_first;
}

static void on_loaded(void *ctx, const struct sink_load *load, const struct sink_result *result,
                      int64_t duration_us)
{
    struct one_sink *sink = ctx;
    const struct sinks_setup *setup = &sink->all->setup;

    count_load(sink, load, result);
    if (load->is_last)
        show_commit(sink, duration_us);
    watch_poll(sink->all->watch, load);
    if (setup->sink_loaded && load->is_last)
        setup->sink_loaded(setup->sink_ctx, &(struct sinks_loaded){.url = &sink->url,
                                                                   .is_first = is_first(sink),
                                                                   .is_behind = sink->is_in_batch,
                                                                   .load = load,
                                                                   .result = result});
    sink->is_in_batch = !load->is_last;
    if (!is_first(sink))
        return;
    note_simulated(sink->all, load);
    if (setup->poll_loaded)
        setup->poll_loaded(setup->ctx, load, result);
}

static void on_undone(void *ctx)
{
    struct one_sink *sink = ctx;

    sink->uncommitted = (struct status_sink){.n_polls = 0};
}

static void on_failed(void *ctx, const char *job, enum st st, const struct err *err)
{
    struct one_sink *sink = ctx;
    const struct sinks_setup *setup = &sink->all->setup;

    if (st != ST_REJECT) {
        struct status_sink *s = &status_lock(setup->status)->sinks[sink->place];
        set_state(s, st == ST_AGAIN ? SINK_WAITING : SINK_STOPPED, clock_wall_us(setup->clock));
        snprintf(s->last_error, sizeof(s->last_error), "%.255s", err->msg);
        status_unlock(setup->status);
    }
    if (st == ST_AGAIN && sink->is_down)
        return; /* an outage is logged at its start and its end */
    sink->is_down |= st == ST_AGAIN;
    log_event(st == ST_FATAL ? LOG_ERROR : LOG_WARN, "load",
              st == ST_AGAIN
                  ? "sink refuses for now; the tape keeps everything, it will be tried again"
              : st == ST_REJECT ? "a poll was stored without rows"
                                : "sink stopped",
              LOG_FIELDS(LOG_Z("sink", sink->url.shown), LOG_Z("job", job ? job : ""),
                         LOG_Z("error", err->msg)));
}

static void on_recovered(void *ctx)
{
    struct one_sink *sink = ctx;
    struct status *status = sink->all->setup.status;
    struct status_sink *s = &status_lock(status)->sinks[sink->place];

    if (s->state == SINK_WAITING) /* open again, and nothing to load */
        set_state(s, SINK_WORKING, clock_wall_us(sink->all->setup.clock));
    s->last_error[0] = '\0';
    status_unlock(status);
    if (sink->is_down)
        log_info("load", "sink works again", LOG_Z("sink", sink->url.shown));
    sink->is_down = false;
}

static void on_told(void *ctx, const char *text)
{
    const struct one_sink *sink = ctx;

    log_info("load", "a sink tells something", LOG_Z("sink", sink->url.shown), LOG_Z("note", text));
}

static void on_warned(void *ctx, const char *text)
{
    struct one_sink *sink = ctx;
    struct status *status = sink->all->setup.status;
    struct status_sink *s = &status_lock(status)->sinks[sink->place];
    const bool was_warned = s->warning[0] != '\0';

    snprintf(s->warning, sizeof(s->warning), "%.511s", text);
    status_unlock(status);
    if (text[0] != '\0' && !was_warned)
        log_warn("load", "a sink warns", LOG_Z("sink", sink->url.shown), LOG_Z("note", text));
    if (text[0] == '\0' && was_warned)
        log_info("load", "what a sink warned of is over", LOG_Z("sink", sink->url.shown));
}

struct loader_events sinks_events_of(struct one_sink *sink)
{
    return (struct loader_events){.ctx = sink,
                                  .loaded = on_loaded,
                                  .undone = on_undone,
                                  .failed = on_failed,
                                  .recovered = on_recovered,
                                  .told = on_told,
                                  .warned = on_warned};
}
