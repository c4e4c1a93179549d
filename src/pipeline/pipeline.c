/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/pipeline.h"

#include "base/file.h"
#include "base/http_client.h"
#include "base/mem.h"
#include "base/metric.h"
#include "extract/extract.h"
#include "load/loader.h"
#include "pipeline/setup.h"
#include "serve/serve.h"
#include "sim/sim.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SEGMENT_SPAN_US   (3600 * US_PER_S)
#define SEGMENT_MAX_BYTES (UINT64_C(256) * 1024 * 1024)
#define MAX_POLL_BYTES    (UINT64_C(512) * 1024 * 1024)
#define LAG_POLL_US       (5 * US_PER_MS)

struct sink_thread {
    struct pipeline *pipeline;
    struct sink_url url;
    struct loader *loader;
    pthread_t thread;
    size_t index;                   /* in the status snapshot */
    bool is_running;                /* its thread was started and not joined */
    atomic_bool has_left;           /* its thread has nothing more to do */
    bool is_down;                   /* a failure was logged, its end was not */
    struct status_sink uncommitted; /* counts of the batch under way; other fields unused */
};

struct pipeline {
    struct pipeline_setup setup;
    struct clock *clock;
    struct tape *tape;
    struct sim *sim;
    struct tape_writer *writer;
    struct extract_job job;
    struct extract_api api;
    struct status *status;
    struct extract *extract;
    pthread_t extract_thread;
    bool is_extracting;
    enum st extract_st;
    struct err extract_err;
    struct sink_thread sinks[PIPELINE_MAX_SINKS];
    size_t n_sinks;
    struct query *query;
    struct serve *serve;
};

struct status *pipeline_status(struct pipeline *p)
{
    return p->status;
}

uint16_t pipeline_port(const struct pipeline *p)
{
    return p->serve ? serve_port(p->serve) : 0;
}

const char *pipeline_api_url(const struct pipeline *p)
{
    return p->api.base_url;
}

/* ---- what the sinks tell ---- */

static void note_simulated(struct pipeline *p, const struct sink_load *load)
{
    if (load->n_pages == 0 ||
        http_answer_header(load->pages[0].record.headers, "x-simulated").p == NULL)
        return;
    status_lock(p->status)->is_simulated = true;
    status_unlock(p->status);
}

/* What a batch holds counts when its last poll is committed; a batch that failed is told again. */
static void count_load(struct sink_thread *sink, const struct sink_load *load,
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

static void show_commit(struct sink_thread *sink, uint64_t offset, int64_t duration_us)
{
    struct pipeline *p = sink->pipeline;
    uint64_t head = tape_head_get(tape_writer_head(p->writer));
    struct status_sink *s = &status_lock(p->status)->sinks[sink->index], *n = &sink->uncommitted;

    s->state = SINK_WORKING;
    s->last_error[0] = '\0';
    s->lag = head > offset ? head - offset : 0;
    s->n_polls += n->n_polls;
    s->n_rows += n->n_rows;
    s->n_unchanged += n->n_unchanged;
    s->n_refused += n->n_refused;
    s->newest_row_us = n->newest_row_us ? n->newest_row_us : s->newest_row_us;
    s->last_load_us = clock_wall_us(p->clock);
    s->last_load_duration_us = duration_us;
    status_unlock(p->status);
    *n = (struct status_sink){.n_polls = 0};
}

static void on_loaded(void *ctx, const struct sink_load *load, const struct sink_result *result,
                      int64_t duration_us)
{
    struct sink_thread *sink = ctx;
    struct pipeline *p = sink->pipeline;

    count_load(sink, load, result);
    if (load->is_last)
        show_commit(sink, load->new.offset, duration_us);
    if (sink->index == 0) {
        note_simulated(p, load);
        if (p->setup.poll_loaded)
            p->setup.poll_loaded(p->setup.ctx, load, result);
    }
}

static void on_failed(void *ctx, const char *job, enum st st, const struct err *err)
{
    struct sink_thread *sink = ctx;
    struct pipeline *p = sink->pipeline;

    if (st != ST_REJECT) {
        sink->uncommitted = (struct status_sink){.n_polls = 0};
        struct status_sink *s = &status_lock(p->status)->sinks[sink->index];
        s->state = st == ST_AGAIN ? SINK_WAITING : SINK_STOPPED;
        snprintf(s->last_error, sizeof(s->last_error), "%.255s", err->msg);
        status_unlock(p->status);
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
    struct sink_thread *sink = ctx;

    if (sink->is_down)
        log_info("load", "sink works again", LOG_Z("sink", sink->url.shown));
    sink->is_down = false;
}

/* ---- opening ---- */

static enum st open_writer(struct pipeline *p, struct err *err)
{
    struct tape_writer_setup setup = {
        .tape = p->tape,
        .clock = p->clock,
        .id = p->job.id,
        .segment_span_us = SEGMENT_SPAN_US,
        .segment_max_bytes = SEGMENT_MAX_BYTES,
    };
    struct tape_recovery recovery = {.head = 0};

    enum st st = tape_writer_open(&setup, &p->writer, &recovery, err);
    if (st != ST_OK)
        return st;
    p->job.writer = p->writer;
    if (recovery.torn_bytes > 0) {
        metric_add(METRIC_TAPE_TORN, p->job.id.job, NULL, 1);
        log_warn("tape", "a torn tail was cut off and kept", LOG_Z("job", p->job.id.job),
                 LOG_I("bytes", recovery.torn_bytes), LOG_Z("file", recovery.torn_file));
    }
    if (recovery.unreadable_file[0] != '\0')
        log_warn("tape", "the disk cannot read all of a segment; a new one is begun behind it",
                 LOG_Z("job", p->job.id.job), LOG_Z("file", recovery.unreadable_file));
    if (recovery.is_poll_aborted)
        log_info("tape", "the last run stopped within a poll; it is marked aborted",
                 LOG_Z("job", p->job.id.job));
    metric_set(METRIC_TAPE_HEAD, p->job.id.job, NULL, (double)recovery.head);
    return ST_OK;
}

static enum st open_sinks(struct pipeline *p, struct err *err)
{
    struct sink_url urls[PIPELINE_MAX_SINKS];

    enum st st = setup_sinks(p->setup.config, p->setup.data_dir, urls, &p->n_sinks, err);
    for (size_t i = 0; st == ST_OK && i < p->n_sinks; i++) {
        struct sink_thread *sink = &p->sinks[i];
        struct loader_stream stream = {.head = tape_writer_head(p->writer)};
        sink->pipeline = p;
        sink->url = urls[i];
        sink->index = i;
        snprintf(stream.job, sizeof(stream.job), "%s", p->job.id.job);
        st = tape_stream_dir(p->setup.data_dir, p->job.id.job, stream.dir, err);
        if (st != ST_OK)
            break;
        struct loader_setup setup = {
            .url = &sink->url,
            .streams = &stream,
            .n_streams = 1,
            .clock = p->clock,
            .is_simulated = p->setup.config->is_simulated,
            .events = {.ctx = sink,
                       .loaded = on_loaded,
                       .failed = on_failed,
                       .recovered = on_recovered},
            .max_poll_bytes = MAX_POLL_BYTES,
        };
        sink->loader = loader_new(&setup);
    }
    return st;
}

static enum st open_simulator(struct pipeline *p, struct err *err)
{
    struct sim_setup setup = {.address = "127.0.0.1", .port = 0, .clock = p->clock};

    enum st st = setup_simulator(p->setup.config, &setup, err);
    if (st == ST_OK)
        st = sim_start(&setup, &p->sim, err);
    if (st == ST_OK)
        snprintf(p->api.base_url, sizeof(p->api.base_url), "http://127.0.0.1:%u/api/v3",
                 sim_port(p->sim));
    return st;
}

static void open_status(struct pipeline *p)
{
    struct status_snapshot *s = mem_new(1, sizeof(*s));

    snprintf(s->version, sizeof(s->version), "%s", GECKOTAPE_VERSION);
    snprintf(s->data_dir, sizeof(s->data_dir), "%.255s", p->setup.data_dir);
    s->is_simulated = p->setup.config->is_simulated;
    s->started_us = clock_wall_us(p->clock);
    setup_status_job(&p->job, &s->jobs[0]);
    s->jobs[0].head = tape_head_get(tape_writer_head(p->writer));
    s->n_jobs = 1;
    for (size_t i = 0; i < p->n_sinks; i++)
        snprintf(s->sinks[i].url, sizeof(s->sinks[i].url), "%.255s", p->sinks[i].url.shown);
    s->n_sinks = p->n_sinks;
    p->status = status_new(s);
    mem_free(s);
}

static enum st open_extract(struct pipeline *p, struct err *err)
{
    struct extract_setup setup = {
        .api = p->api,
        .jobs = &p->job,
        .n_jobs = 1,
        .clock = p->clock,
        .status = p->status,
    };
    return extract_new(&setup, &p->extract, err);
}

enum st pipeline_open(const struct pipeline_setup *setup, struct pipeline **ret_pipeline,
                      struct err *err)
{
    struct pipeline *p = mem_new(1, sizeof(*p));

    p->setup = *setup;
    p->clock = clock_system();
    metric_set(METRIC_BUILD_INFO, GECKOTAPE_VERSION, NULL, 1);
    metric_set(METRIC_PROCESS_START, NULL, NULL, (double)clock_wall_us(p->clock) / 1e6);
    setup_api(setup->config, &p->api);
    setup_job(setup->config, &p->job);
    enum st st = setup_mark_simulated(setup->config, setup->data_dir, err);
    if (st == ST_OK)
        st = tape_open(setup->data_dir, &p->tape, err);
    if (st == ST_OK && setup->config->is_simulated)
        st = open_simulator(p, err);
    if (st == ST_OK)
        st = open_writer(p, err);
    if (st == ST_OK)
        st = open_sinks(p, err);
    if (st == ST_OK) {
        open_status(p);
        st = open_extract(p, err);
    }
    if (st != ST_OK) {
        pipeline_close(p);
        return st;
    }
    *ret_pipeline = p;
    return ST_OK;
}

void pipeline_close(struct pipeline *p)
{
    if (p == NULL)
        return;
    serve_stop(p->serve);
    if (p->query)
        p->query->driver->close(p->query);
    for (size_t i = 0; i < p->n_sinks; i++)
        loader_free(p->sinks[i].loader);
    extract_free(p->extract);
    tape_writer_close(p->writer);
    sim_stop(p->sim);
    tape_close(p->tape);
    status_free(p->status);
    mem_free(p);
}

/* ---- running ---- */

static void *extract_main(void *arg)
{
    struct pipeline *p = arg;

    p->extract_st = extract_run(p->extract, &p->extract_err);
    if (p->extract_st != ST_OK) {
        log_error("extract", "cannot go on", LOG_Z("error", p->extract_err.msg));
        kill(getpid(), SIGTERM); /* the main thread waits for signals; it will find extract_st */
    }
    return NULL;
}

static void *sink_main(void *arg)
{
    struct sink_thread *sink = arg;
    struct err err = ERR_INIT;

    err_ignore(loader_run(sink->loader, &err)); /* what went wrong was told to on_failed() */
    atomic_store(&sink->has_left, true);
    return NULL;
}

/* The first sink that can be read back serves the API and the page. */
static enum st open_query(struct pipeline *p, struct err *err)
{
    for (size_t i = 0; i < p->n_sinks; i++) {
        const struct sink_driver *driver;
        enum st st = sink_driver_find(str_of(p->sinks[i].url.scheme), &driver, err);
        if (st != ST_OK)
            return st;
        if (driver->open_query)
            return driver->open_query(&p->sinks[i].url, &p->query, err);
    }
    return ST_OK;
}

static enum st start_serving(struct pipeline *p, struct err *err)
{
    struct serve_setup setup = {.status = p->status};
    int port;

    enum st st = config_listen(p->setup.config->listen, setup.address, &port, err);
    if (st != ST_OK || port < 0)
        return st;
    setup.port = (uint16_t)port;
    st = open_query(p, err);
    setup.query = p->query;
    return st == ST_OK ? serve_start(&setup, &p->serve, err) : st;
}

enum st pipeline_start(struct pipeline *p, struct err *err)
{
    enum st st = start_serving(p, err);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < p->n_sinks; i++) {
        int rc = pthread_create(&p->sinks[i].thread, NULL, sink_main, &p->sinks[i]);
        if (rc != 0)
            return err_sys(err, ST_FATAL, rc, "start a thread");
        p->sinks[i].is_running = true;
    }
    int rc = pthread_create(&p->extract_thread, NULL, extract_main, p);
    if (rc != 0)
        return err_sys(err, ST_FATAL, rc, "start a thread");
    p->is_extracting = true;
    return ST_OK;
}

static bool all_caught_up(struct pipeline *p)
{
    uint64_t head = tape_head_get(tape_writer_head(p->writer));
    bool is_done = true;

    for (size_t i = 0; i < p->n_sinks; i++) {
        struct status_sink *s = &status_lock(p->status)->sinks[i];
        bool can_work = s->state == SINK_STARTING || s->state == SINK_WORKING;
        status_unlock(p->status);
        if (p->sinks[i].is_running && can_work && loader_offset(p->sinks[i].loader, 0) < head)
            is_done = false;
    }
    return is_done;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = LAG_POLL_US * 1000}, NULL);
}

static enum st join_sinks(struct pipeline *p, int64_t deadline_us, struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; i < p->n_sinks; i++)
        loader_stop(p->sinks[i].loader);
    tape_head_wake(tape_writer_head(p->writer));
    deadline_us += US_PER_S; /* a load may need a moment to notice */
    for (size_t i = 0; i < p->n_sinks; i++) {
        struct sink_thread *sink = &p->sinks[i];
        if (!sink->is_running)
            continue;
        while (!atomic_load(&sink->has_left) && clock_mono_us(p->clock) < deadline_us)
            nap();
        if (!atomic_load(&sink->has_left)) {
            st = err_set(err, ST_FATAL,
                         "sink %s did not stop in time; what it had not committed will be loaded "
                         "at the next start",
                         sink->url.shown);
            continue;
        }
        pthread_join(sink->thread, NULL);
        sink->is_running = false;
    }
    return st;
}

enum st pipeline_stop(struct pipeline *p, struct err *err)
{
    int64_t deadline_us = clock_mono_us(p->clock) + p->setup.config->stop_timeout_us;

    status_lock(p->status)->is_stopping = true;
    status_unlock(p->status);
    if (p->is_extracting) {
        extract_stop(p->extract);
        pthread_join(p->extract_thread, NULL);
        p->is_extracting = false;
    }
    while (!all_caught_up(p) && clock_mono_us(p->clock) < deadline_us)
        nap();
    enum st st = join_sinks(p, deadline_us, err);
    if (st == ST_OK && p->extract_st != ST_OK) {
        *err = p->extract_err;
        st = ST_FATAL;
    }
    return st;
}

enum st pipeline_once(struct pipeline *p, struct pipeline_once *ret_once, struct err *err)
{
    const struct config *config = p->setup.config;
    int64_t slot_us = config->job.every_us ? time_floor(clock_wall_us(p->clock), config->job.every_us) : 0;
    struct tape_record last;
    struct err first = ERR_INIT;

    *ret_once = (struct pipeline_once){.outcome = POLL_OK};
    ret_once->is_already_polled = slot_us != 0 && tape_writer_last_end(p->writer, &last) &&
                                  outcome_bears_rows(last.outcome) && last.slot_us >= slot_us &&
                                  last.slot_us < slot_us + config->job.every_us;
    enum st st = ST_OK;
    if (!ret_once->is_already_polled)
        st = extract_once(p->extract, 0, slot_us, setup_poll_budget_us(config), &ret_once->outcome,
                          err);
    for (size_t i = 0; i < p->n_sinks; i++) {
        enum st load_st = loader_open(p->sinks[i].loader, &first);
        if (load_st == ST_OK)
            load_st = loader_catch_up(p->sinks[i].loader, &first);
        if (load_st != ST_OK && st == ST_OK) {
            *err = first;
            st = err_wrap(err, load_st, "sink %s: ", p->sinks[i].url.shown);
        }
    }
    return st;
}
