/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/requests.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "pipeline/alerts.h"
#include "pipeline/backfill.h"
#include "pipeline/records.h"
#include "pipeline/setup.h"
#include "pipeline/told.h"
#include "pipeline/upstream.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define NAP_US           (5 * US_PER_MS)
#define QUERY_TIMEOUT_US (2 * US_PER_S) /* all requests wait while the store answers one */

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

/* ---- opening ---- */

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
    s->pid = (long)getpid();
    p->status = status_new(s);
    mem_free(s);
}

static enum st open_upstream(struct pipeline *p, struct err *err)
{
    struct stream_id id;
    bool is_new;

    upstream_stream_id(&id);
    enum st st = streams_check_room(&p->streams, &id, err);
    return st == ST_OK ? streams_open(&p->streams, &id, &p->upstream, &is_new, err) : st;
}

/* Those of the configured jobs first: they have the first places in the snapshot. */
static enum st open_streams(struct pipeline *p, struct err *err)
{
    const struct config *config = p->setup.config;
    enum st st = ST_OK;

    streams_init(&p->streams, p->tape, p->clock, p->status);
    for (size_t i = 0; st == ST_OK && i < config->n_jobs; i++) {
        struct stream *stream;
        struct stream_id id;
        bool is_new;
        setup_stream_id(&config->jobs[i], &id);
        st = streams_open(&p->streams, &id, &stream, &is_new, err);
        if (st == ST_OK)
            st = stream_configure(&p->streams, stream, &config->jobs[i], err);
    }
    if (st == ST_OK && config->is_upstream)
        st = open_upstream(p, err);
    return st == ST_OK ? streams_open_rest(&p->streams, err) : st;
}

/* Those who watch are told what the store has that they read; without one, what the first sink has.
 */
static void on_sink_loaded(void *ctx, const struct sinks_loaded *loaded)
{
    const struct pipeline *p = ctx;
    const bool is_read =
        p->query_url[0] ? strcmp(loaded->url->text, p->query_url) == 0 : loaded->is_first;

    if (p->serve && is_read && serve_is_watched(p->serve))
        told_poll(p->serve, loaded->load, loaded->result, loaded->is_behind);
}

/* Behind the others: it tells nobody of polls. */
static enum st open_alerts(struct pipeline *p, struct err *err)
{
    struct sink_url *url = mem_new(1, sizeof(*url));

    enum st st = setup_alerts(p->setup.config, p->setup.data_dir, p->clock, &p->alerts, err);
    if (st == ST_OK && p->alerts == NULL)
        setup_forget_alerts(p->setup.data_dir);
    if (st == ST_OK && p->alerts)
        st = setup_alerts_sink(p->alerts, url, err);
    if (st == ST_OK && p->alerts)
        st = sinks_add(p->sinks, url, err);
    mem_free(url);
    return st;
}

static enum st open_sinks(struct pipeline *p, struct err *err)
{
    const struct sinks_setup setup = {
        .tape = p->tape,
        .clock = p->clock,
        .streams = &p->streams,
        .status = p->status,
        .is_simulated = p->setup.config->is_simulated,
        .accepts_gap = p->setup.config->is_gap_accepted,
        .retain_rows_us = p->setup.config->retain_rows_us,
        .retain_5m_us = p->setup.config->retain_5m_us,
        .is_stopping = &p->is_stopping,
        .poll_loaded = p->setup.poll_loaded,
        .ctx = p->setup.ctx,
        .sink_loaded = on_sink_loaded,
        .sink_ctx = p,
    };
    struct sink_url *urls = mem_new(STATUS_MAX_SINKS, sizeof(*urls));
    size_t n;

    p->sinks = sinks_new(&setup);
    enum st st = setup_sinks(p->setup.config, p->setup.data_dir, urls, &n, err);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        st = sinks_add(p->sinks, &urls[i], err);
    mem_free(urls);
    return st == ST_OK ? open_alerts(p, err) : st;
}

static void on_poll_ended(void *ctx, const struct extract_job *job, const struct tape_record *end)
{
    struct pipeline *p = ctx;

    (void)job, (void)end;
    if (p->sinks)
        sinks_show_lag(p->sinks);
}

static void on_polled_now(void *ctx, uint64_t ticket, enum poll_outcome outcome, const char *error)
{
    struct pipeline *p = ctx;
    polls_on_done(&p->polls, ticket, outcome, error);
}

static void on_fetched(void *ctx, uint64_t ticket, const struct extract_fetched *fetched)
{
    const struct pipeline *p = ctx;
    upstream_fetched(p->serve, ticket, fetched);
}

/* The jobs that are polled, in the order of their streams. Owner: the caller, mem_free(). */
static struct extract_job *polled_jobs(const struct pipeline *p, size_t *ret_n)
{
    size_t n_streams = streams_count(&p->streams), n = 0;
    struct extract_job *jobs = mem_new(n_streams, sizeof(*jobs));

    for (size_t i = 0; i < n_streams; i++) {
        const struct stream *stream = streams_at(&p->streams, i);
        if (!atomic_load(&stream->is_idle) || atomic_load(&stream->is_demanded))
            jobs[n++] = stream->job;
    }
    *ret_n = n;
    return jobs;
}

/* What the others spent counts too. Owner: the caller, mem_free(). */
static const struct tape_writer **idle_writers(const struct pipeline *p, size_t *ret_n)
{
    size_t n_streams = streams_count(&p->streams), n = 0;
    const struct tape_writer **writers = mem_new(n_streams, sizeof(*writers));

    for (size_t i = 0; i < n_streams; i++)
        if (atomic_load(&streams_at(&p->streams, i)->is_idle))
            writers[n++] = streams_at(&p->streams, i)->job.writer;
    *ret_n = n;
    return writers;
}

void pipeline_set_jobs(struct pipeline *p)
{
    size_t n;
    struct extract_job *jobs = polled_jobs(p, &n);

    extract_set_jobs(p->extract, jobs, n);
    mem_free(jobs);
}

static enum st open_extract(struct pipeline *p, struct err *err)
{
    size_t n, n_idle;
    struct extract_job *jobs = polled_jobs(p, &n);
    const struct tape_writer **idle = idle_writers(p, &n_idle);
    const struct extract_setup setup = {
        .api = p->api,
        .jobs = jobs,
        .n_jobs = n,
        .idle = idle,
        .n_idle = n_idle,
        .was_killed = tape_was_left(p->tape),
        .clock = p->clock,
        .status = p->status,
        .events = {.ctx = p,
                   .poll_ended = on_poll_ended,
                   .polled_now = on_polled_now,
                   .fetched = on_fetched},
        .upstream = p->upstream ? &p->upstream->job : NULL,
    };

    enum st st = extract_new(&setup, &p->extract, err);
    if (st == ST_OK && extract_has_settled(p->extract))
        tape_settle(p->tape);
    mem_free(jobs);
    mem_free(idle);
    return st;
}

static struct pipeline *new_pipeline(const struct pipeline_setup *setup)
{
    struct pipeline *p = mem_new(1, sizeof(*p));

    p->setup = *setup;
    p->clock = clock_system();
    polls_init(&p->polls);
    upkeep_init(&p->upkeep, setup->data_dir, setup->config->tape_ship, p->clock, &p->is_stopping);
    pthread_mutex_init(&p->change, NULL);
    pthread_mutex_init(&p->importing, NULL);
    pthread_mutex_init(&p->backfilling, NULL);
    pthread_mutex_init(&p->reload_lock, NULL);
    metric_set(METRIC_BUILD_INFO, GECKOTAPE_VERSION, NULL, 1);
    metric_set(METRIC_PROCESS_START, NULL, NULL, (double)clock_wall_us(p->clock) / 1e6);
    setup_api(setup->config, &p->api);
    open_status(p);
    return p;
}

enum st pipeline_open(const struct pipeline_setup *setup, struct pipeline **ret_pipeline,
                      struct err *err)
{
    struct pipeline *p = new_pipeline(setup);

    enum st st = setup_mark_simulated(setup->config, setup->data_dir, err);
    if (st == ST_OK)
        st = tape_open(setup->data_dir, &p->tape, err);
    if (st == ST_OK && setup->config->is_simulated)
        st = open_simulator(p, err);
    if (st == ST_OK)
        st = open_streams(p, err);
    if (st == ST_OK && setup->has_sinks)
        st = open_sinks(p, err);
    if (st == ST_OK)
        st = open_extract(p, err);
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
    sinks_free(p->sinks);
    alerts_free(p->alerts);
    for (size_t i = 0; i < p->n_former; i++)
        alerts_free(p->former[i]);
    mem_free(p->former);
    extract_free(p->extract);
    streams_release(&p->streams);
    sim_stop(p->sim);
    tape_close(p->tape);
    status_free(p->status);
    pthread_mutex_destroy(&p->reload_lock);
    pthread_mutex_destroy(&p->backfilling);
    pthread_mutex_destroy(&p->importing);
    pthread_mutex_destroy(&p->change);
    upkeep_release(&p->upkeep);
    polls_release(&p->polls);
    mem_free(p);
}

/* ---- starting ---- */

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

/* The first sink that can be read back serves the API and the page. */
static enum st open_query(struct pipeline *p, struct err *err)
{
    for (size_t i = 0; p->sinks && i < STATUS_MAX_SINKS; i++) {
        const struct sink_url *url = sinks_at(p->sinks, i);
        const struct sink_driver *driver;
        if (url == NULL)
            continue;
        enum st st = sink_driver_find(str_of(url->scheme), &driver, err);
        if (st != ST_OK)
            return st;
        if (driver->open_query == NULL)
            continue;
        snprintf(p->query_url, sizeof(p->query_url), "%s", url->text);
        st = driver->open_query(url, &p->query, err);
        if (st == ST_OK)
            p->query->timeout_us = QUERY_TIMEOUT_US;
        return st;
    }
    return ST_OK;
}

static uint64_t poll_now(void *ctx, const char *job)
{
    struct pipeline *p = ctx;
    return extract_poll_now(p->extract, job);
}

static enum st start_serving(struct pipeline *p, struct err *err)
{
    struct serve_setup setup = {
        .status = p->status,
        .guard = setup_guard(p->setup.config),
        .tls_cert = p->setup.config->http_tls_cert,
        .tls_key = p->setup.config->http_tls_key,
        .poll_now = poll_now,
        .ctx = p,
        .read_record = records_read,
        .record_ctx = &p->streams,
    };
    int port;

    enum st st = config_listen(p->setup.config->listen, setup.address, &port, err);
    if (st != ST_OK || port < 0)
        return st;
    setup.port = (uint16_t)port;
    if (p->upstream)
        setup.upstream = (struct serve_upstream){
            .fetch = upstream_fetch,
            .ctx = p->extract,
            .max_age_us = p->setup.config->upstream_max_age_us,
        };
    st = open_query(p, err);
    setup.query = p->query;
    return st == ST_OK ? serve_start(&setup, &p->serve, err) : st;
}

static enum st start_housekeeper(struct pipeline *p, struct err *err)
{
    const struct housekeeper_setup setup = {
        .data_dir = p->setup.data_dir,
        .clock = p->clock,
        .status = p->status,
        .streams = &p->streams,
        .sinks = p->sinks,
        .upkeep = &p->upkeep,
        .keep_us = p->setup.config->tape_keep_us,
        .seal_level = (int)p->setup.config->tape_seal_level,
        .ship_url = p->setup.config->tape_ship,
    };
    return housekeeper_start(&setup, &p->housekeeper, err);
}

/* Without it work goes on: a file system may know no sockets. */
static void start_control(struct pipeline *p)
{
    const struct control_setup setup = {
        .data_dir = p->setup.data_dir, .handle = requests_handle, .ctx = p};
    struct err err = ERR_INIT;

    if (control_start(&setup, &p->control, &err) != ST_OK)
        log_warn("control", "verbs cannot reach this process", LOG_Z("error", err.msg));
}

enum st pipeline_start(struct pipeline *p, struct err *err)
{
    enum st st = start_serving(p, err);
    if (st == ST_OK && p->sinks)
        st = sinks_start(p->sinks, err);
    if (st == ST_OK && p->alerts)
        st = alerts_start(p->alerts, err);
    if (st == ST_OK)
        st = start_housekeeper(p, err);
    if (st != ST_OK)
        return st;
    int rc = pthread_create(&p->extract_thread, NULL, extract_main, p);
    if (rc != 0)
        return err_sys(err, ST_FATAL, rc, "start a thread");
    p->is_extracting = true;
    start_control(p);
    return ST_OK;
}

/* ---- running ---- */

const char *pipeline_stuck(const struct pipeline *p, int64_t patience_us)
{
    if (p->is_extracting && pulse_is_late(extract_pulse(p->extract), patience_us))
        return "extract";
    if (p->housekeeper && pulse_is_late(housekeeper_pulse(p->housekeeper), patience_us))
        return "housekeeper";
    return p->serve && pulse_is_late(serve_pulse(p->serve), patience_us) ? "http" : NULL;
}

/* ---- stopping ---- */

static enum st stop_sinks(struct pipeline *p, int64_t deadline_us, struct err *err)
{
    struct err note_err = ERR_INIT;

    sinks_hurry(p->sinks);
    while (!sinks_are_caught_up(p->sinks) && clock_mono_us(p->clock) < deadline_us)
        nanosleep(&(struct timespec){.tv_nsec = NAP_US * 1000}, NULL);
    enum st st = sinks_stop(p->sinks, deadline_us, err);
    if (sinks_note(p->sinks, &note_err) != ST_OK)
        log_warn("tape", "cannot note how far the sinks are", LOG_Z("error", note_err.msg));
    return st;
}

enum st pipeline_stop(struct pipeline *p, struct err *err)
{
    int64_t deadline_us = clock_mono_us(p->clock) + p->setup.config->stop_timeout_us;
    struct err reload_err = ERR_INIT;
    enum st st = ST_OK;

    atomic_store(&p->is_stopping, true);
    status_lock(p->status)->is_stopping = true;
    status_unlock(p->status);
    if (p->is_extracting)
        extract_stop(p->extract); /* at once; what follows may take a moment */
    control_stop(p->control);
    p->control = NULL;
    enum st reload_st = reload_stop(p, deadline_us, &reload_err);
    if (p->is_extracting)
        pthread_join(p->extract_thread, NULL);
    p->is_extracting = false;
    housekeeper_stop(p->housekeeper);
    p->housekeeper = NULL;
    if (p->sinks)
        st = stop_sinks(p, deadline_us, err);
    alerts_stop(p->alerts, deadline_us);
    if (st == ST_OK && p->extract_st != ST_OK) {
        *err = p->extract_err;
        st = ST_FATAL;
    }
    if (st == ST_OK && reload_st != ST_OK) {
        *err = reload_err;
        st = reload_st;
    }
    return st;
}

/* ---- backfill ---- */

enum st pipeline_backfill(struct pipeline *p, const struct backfill *what,
                          struct backfill_result *ret_result, struct err *err)
{
    struct err load_err = ERR_INIT;

    if (!p->is_extracting) {
        int rc = pthread_create(&p->extract_thread, NULL, extract_main, p);
        if (rc != 0)
            return err_sys(err, ST_AGAIN, rc, "start a thread");
        p->is_extracting = true;
    }
    /* gaps are what the store does not have, so it must have all */
    enum st st = what->is_gaps && p->sinks ? sinks_load(p->sinks, err) : ST_OK;
    if (st == ST_OK)
        st = backfill_run(p, what, ret_result, err);
    if (p->sinks == NULL || what->is_dry_run)
        return st;
    enum st load_st = sinks_load(p->sinks, &load_err);
    if (load_st != ST_OK && st == ST_OK) {
        *err = load_err;
        st = load_st;
    }
    if (sinks_note(p->sinks, &load_err) != ST_OK && load_st == ST_OK)
        log_warn("tape", "cannot note how far the sinks are", LOG_Z("error", load_err.msg));
    return st;
}

void pipeline_backfill_end(struct pipeline *p)
{
    if (!p->is_extracting)
        return;
    extract_stop(p->extract);
    pthread_join(p->extract_thread, NULL);
    p->is_extracting = false;
}

/* ---- once ---- */

static enum st poll_once(struct pipeline *p, const struct job_config *config, size_t index,
                         struct pipeline_poll *ret_poll, struct err *err)
{
    enum slot_state state = SLOT_DUE;
    char name[TAPE_MAX_JOB + 1];
    int64_t slot_us = 0; /* now */

    config_job_name(config, name);
    const struct stream *stream = streams_find(&p->streams, name);
    assert(stream != NULL);
    *ret_poll = (struct pipeline_poll){.outcome = POLL_OK, .status = stream->job.status};
    snprintf(ret_poll->job, sizeof(ret_poll->job), "%s", name);
    if (config->every_us != 0)
        state = extract_slot(p->extract, index, &slot_us);
    ret_poll->is_already_polled = state == SLOT_POLLED;
    ret_poll->is_out_of_hours = state == SLOT_OUT_OF_HOURS;
    if (state != SLOT_DUE)
        return ST_OK;
    return extract_once(p->extract, index, slot_us, setup_poll_budget_us(p->setup.config, config),
                        &ret_poll->outcome, err);
}

/* What nobody takes now waits for the next time: the poll is a good one. */
static void deliver_alerts(struct pipeline *p)
{
    struct err err = ERR_INIT;

    if (alerts_flush(p->alerts, &err) != ST_OK)
        log_warn("alert", "not all alerts were delivered", LOG_Z("error", err.msg));
}

enum st pipeline_once(struct pipeline *p, const char *only, struct pipeline_poll *ret_polls,
                      size_t *ret_n, struct err *err)
{
    const struct config *config = p->setup.config;
    enum st st = ST_OK;

    *ret_n = 0;
    for (size_t i = 0; i < config->n_jobs; i++) {
        char name[TAPE_MAX_JOB + 1];
        struct err why = ERR_INIT;
        config_job_name(&config->jobs[i], name);
        if (only && strcmp(only, name) != 0)
            continue;
        enum st poll_st = poll_once(p, &config->jobs[i], i, &ret_polls[*ret_n], &why);
        *ret_n += 1;
        if (poll_st != ST_OK && st == ST_OK) {
            *err = why;
            st = poll_st;
        }
    }
    if (p->sinks == NULL)
        return st;
    struct err load_err = ERR_INIT;
    enum st load_st = sinks_load(p->sinks, &load_err);
    if (sinks_note(p->sinks, &load_err) != ST_OK && load_st == ST_OK)
        log_warn("tape", "cannot note how far the sinks are", LOG_Z("error", load_err.msg));
    if (p->alerts)
        deliver_alerts(p);
    if (load_st != ST_OK && st == ST_OK) {
        *err = load_err;
        st = load_st;
    }
    return st;
}
