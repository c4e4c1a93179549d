/* geckotape serve: the API and the page over a store that others write, now or as of a moment. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/mem.h"
#include "cmd/instant.h"
#include "cmd/news.h"
#include "cmd/service.h"
#include "load/sink.h"
#include "pipeline/setup.h"
#include "pipeline/upstream.h"
#include "serve/serve.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define QUERY_TIMEOUT_US (2 * US_PER_S) /* all requests wait while the store answers one */
#define LOOK_US          (2 * US_PER_S) /* how often the store is looked at */
#define MAX_LOOK         ((size_t)4 * 1024 * 1024)

/* A clock that says a moment of the past, which moves or stands still, and never passes now. */
struct past_clock {
    struct clock clock;
    int64_t at_us, began_us; /* the moment to begin with; when, on the monotonic clock */
    int64_t speed;           /* 0: it stands still */
};

struct served {
    char address[64];
    int port;
    struct sink_url url;
    struct query *query; /* of the server's thread, once that runs; NULL: of upstream alone */
    struct query *watch; /* of this one; NULL: too */
    struct upstream_alone *upstream; /* NULL: none */
    struct arena arena;
    struct past_clock past;
    bool is_past;
    struct status *status;
    struct serve *serve;
    struct news *news; /* NULL: nobody can watch yet */
    struct service service;
};

static int64_t past_wall_us(struct clock *c)
{
    const struct past_clock *p = (const struct past_clock *)c; /* its first member */
    const int64_t now_us = clock_wall_us(clock_system());
    int64_t us = 0;

    if (__builtin_mul_overflow(clock_mono_us(c) - p->began_us, p->speed, &us) ||
        __builtin_add_overflow(us, p->at_us, &us) || us > now_us)
        return now_us;
    return us;
}

static int64_t past_mono_us(struct clock *c)
{
    (void)c;
    return clock_mono_us(clock_system());
}

/* ---- what the store is like ---- */

/* In the snapshot the jobs that poll in a currency are what the API and the page go by. */
static void show_job(struct status_snapshot *now, const struct cell *row, bool is_past)
{
    struct status_job *job = &now->jobs[now->n_jobs++];
    const struct str name = cell_text(&row[KNOWN_JOB_NAME]),
                     endpoint = cell_text(&row[KNOWN_JOB_ENDPOINT]),
                     currency = cell_text(&row[KNOWN_JOB_VS_CURRENCY]),
                     outcome = cell_text(&row[KNOWN_JOB_OUTCOME]);

    *job = (struct status_job){.is_idle = row[KNOWN_JOB_NEXT_DUE].kind == CELL_NULL};
    /* how often it polls: as its last poll promised the next */
    if (!job->is_idle && row[KNOWN_JOB_SLOT].kind != CELL_NULL)
        job->every_us = row[KNOWN_JOB_NEXT_DUE].number - row[KNOWN_JOB_SLOT].number;
    snprintf(job->name, sizeof(job->name), "%.*s", STR_ARG(name));
    snprintf(job->vs_currency, sizeof(job->vs_currency), "%.*s", STR_ARG(currency));
    snprintf(job->what, sizeof(job->what), "%.*s, by another process", STR_ARG(endpoint));
    if (is_past || row[KNOWN_JOB_SLOT].kind == CELL_NULL)
        return;
    snprintf(job->last_outcome, sizeof(job->last_outcome), "%.*s", STR_ARG(outcome));
    job->last_slot_us = row[KNOWN_JOB_SLOT].number;
    job->last_ended_us = row[KNOWN_JOB_FINISHED].number;
    job->next_due_us = job->is_idle ? 0 : row[KNOWN_JOB_NEXT_DUE].number;
}

/* Jobs that have shown nothing by the moment are not there. */
static enum st read_store(struct served *s, struct status_snapshot *ret, struct err *err)
{
    struct query *q = s->watch;
    struct rows jobs;
    struct err later = ERR_INIT;

    q->at_us = s->is_past ? clock_wall_us(&s->past.clock) : 0;
    enum st st = q->driver->jobs(q, &s->arena, &jobs, err);
    for (size_t i = 0; st == ST_OK && i < jobs.n && ret->n_jobs < STATUS_MAX_JOBS; i++) {
        const struct cell *row = rows_at(&jobs, i);
        int64_t known_us = 0;
        st = q->driver->known_at(q, cell_text(&row[KNOWN_JOB_VS_CURRENCY]), &known_us, err);
        if (st == ST_OK && (known_us > 0 || !s->is_past))
            show_job(ret, row, s->is_past);
        if (known_us > ret->sinks[0].newest_row_us)
            ret->sinks[0].newest_row_us = known_us;
    }
    if (st == ST_OK && s->news && news_look(s->news, &jobs, &later) != ST_OK)
        log_debug("serve", "what is new is told with the next look", LOG_Z("error", later.msg));
    return st;
}

/* Tell by the snapshot what the store says, or why it does not. */
static enum st look(struct served *s, struct err *err)
{
    if (s->watch == NULL)
        return ST_OK;
    struct status_snapshot *seen = mem_new(1, sizeof(*seen));
    const enum st st = read_store(s, seen, err);
    struct status_snapshot *now = status_lock(s->status);
    struct status_sink *store = &now->sinks[0];
    const enum sink_state state = st == ST_OK ? SINK_WORKING : SINK_WAITING;

    if (state != store->state)
        store->state_since_us = clock_wall_us(clock_system());
    store->state = state;
    snprintf(store->last_error, sizeof(store->last_error), "%.255s", st == ST_OK ? "" : err->msg);
    if (st == ST_OK) {
        store->newest_row_us = seen->sinks[0].newest_row_us;
        memcpy(now->jobs, seen->jobs, sizeof(now->jobs));
        now->n_jobs = seen->n_jobs;
    }
    status_unlock(s->status);
    mem_free(seen);
    arena_reset(&s->arena);
    return st;
}

/* ---- life ---- */

static enum st choose_moment(struct served *s, const struct config *config, struct err *err)
{
    const int64_t now_us = clock_wall_us(clock_system());

    s->past.clock = (struct clock){.wall_us = past_wall_us, .mono_us = past_mono_us};
    s->past.speed = config->speed;
    s->past.began_us = clock_mono_us(clock_system());
    s->is_past = config->at[0] != '\0';
    if (!s->is_past)
        return config->speed == 0 ? ST_OK
                                  : err_set(err, ST_REJECT,
                                            "--speed: of a moment that moves; say with --at where "
                                            "it begins, or leave --speed out");
    enum st st = instant_parse("--at", config->at, now_us, &s->past.at_us, err);
    if (st == ST_OK && (s->past.at_us <= 0 || s->past.at_us > now_us))
        st = err_set(err, ST_REJECT, "--at: a moment that is not yet, or of before 1970");
    return st;
}

static enum st open_store(struct served *s, const struct config *config, struct err *err)
{
    if (config->from[0] == '\0' && config->is_upstream)
        return ST_OK;
    if (config->from[0] == '\0')
        return err_set(err, ST_REJECT,
                       "--from: which store? name it, as sqlite:data/market.db or postgres://…");
    enum st st = cmd_open_store(config, &s->url, &s->query, err);
    if (st == ST_OK)
        st = cmd_open_store(config, &s->url, &s->watch, err);
    if (st == ST_OK && (!s->watch->driver->jobs || !s->watch->driver->has_moments))
        st = err_set(err, ST_REJECT, "--from: %s cannot be served; sqlite: and postgres: can",
                     s->url.shown);
    if (st == ST_OK)
        s->query->timeout_us = s->watch->timeout_us = QUERY_TIMEOUT_US;
    return st;
}

static void open_status(struct served *s)
{
    struct status_snapshot *now = mem_new(1, sizeof(*now));

    snprintf(now->version, sizeof(now->version), "%s", GECKOTAPE_VERSION);
    now->started_us = clock_wall_us(clock_system());
    now->pid = (long)getpid();
    now->is_reader = true;
    now->speed = s->is_past ? s->past.speed : 0;
    now->n_sinks = s->watch != NULL;
    snprintf(now->sinks[0].url, sizeof(now->sinks[0].url), "%.255s", s->url.shown);
    s->status = status_new(now);
    mem_free(now);
}

static enum st open_upstream(struct served *s, const struct config *config, struct err *err)
{
    if (!config->is_upstream)
        return ST_OK;
    if (s->is_past)
        return err_set(err, ST_REJECT,
                       "--upstream: the API knows only the present; leave --at or --upstream out");
    enum st st = upstream_open(config, cmd_data_dir(config), s->status, &s->upstream, err);
    if (st == ST_AGAIN)
        return err_wrap(err, st,
                        "--upstream needs a --data of its own, or give --upstream to the collector "
                        "that is there: ");
    return st;
}

static enum st start(struct served *s, const struct config *config, struct err *err)
{
    struct serve_setup setup = {.is_reader = true,
                                .guard = setup_guard(config),
                                .tls_cert = config->http_tls_cert,
                                .tls_key = config->http_tls_key};

    enum st st = config_listen(config->listen, s->address, &s->port, err);
    if (st == ST_OK && s->port < 0)
        st = err_set(err, ST_REJECT,
                     "--listen none: nobody could ask; write 127.0.0.1:8080, or "
                     "port 0 for any free one");
    if (st == ST_OK)
        st = choose_moment(s, config, err);
    if (st == ST_OK)
        st = open_store(s, config, err);
    if (st != ST_OK)
        return st;
    open_status(s);
    st = open_upstream(s, config, err);
    if (st != ST_OK)
        return st;
    st = look(s, err);
    if (st == ST_AGAIN)
        log_warn("serve", "the store cannot be read so far", LOG_Z("error", err->msg));
    else if (st != ST_OK)
        return st;
    memcpy(setup.address, s->address, sizeof(setup.address));
    setup.port = (uint16_t)s->port;
    setup.status = s->status;
    setup.query = s->query;
    setup.past = s->is_past ? &s->past.clock : NULL;
    if (s->upstream)
        setup.upstream = upstream_for_serve(s->upstream);
    st = serve_start(&setup, &s->serve, err);
    if (st == ST_OK && s->watch)
        s->news = news_new(s->watch, s->serve, s->is_past);
    return st == ST_OK && s->upstream ? upstream_start(s->upstream, s->serve, err) : st;
}

/* ST_FATAL: what fetches could not go on. */
static enum st stop(struct served *s, struct err *err)
{
    enum st st = upstream_stop(s->upstream, err);

    news_free(s->news);
    serve_stop(s->serve);
    upstream_close(s->upstream);
    if (s->query)
        s->query->driver->close(s->query);
    if (s->watch)
        s->watch->driver->close(s->watch);
    if (s->status)
        status_free(s->status);
    arena_release(&s->arena);
    return st;
}

static void log_started(const struct served *s)
{
    char at[TIME_TEXT] = "now";

    if (s->is_past)
        time_format(s->past.at_us, at);
    log_info("serve", "started", LOG_I("port", serve_port(s->serve)),
             LOG_Z("from", s->watch ? s->url.shown : "upstream"), LOG_Z("at", at),
             LOG_I("speed", s->past.speed));
}

/* Which part has not come round when it promised to; NULL: none. */
static const char *stuck(const struct served *s)
{
    const int64_t patience_us = service_patience_us(&s->service);

    if (pulse_is_late(serve_pulse(s->serve), patience_us))
        return "http";
    return upstream_is_stuck(s->upstream, patience_us) ? "extract" : NULL;
}

static void reload(struct served *s)
{
    struct err err = ERR_INIT;

    service_reloading(&s->service);
    if (log_reopen(&err) != ST_OK)
        log_warn("serve", "the log file cannot be opened again", LOG_Z("error", err.msg));
    if (serve_reload(s->serve, &err) != ST_OK)
        log_error("serve", "the certificate cannot be read again; the old one is kept",
                  LOG_Z("error", err.msg));
    service_ready(&s->service);
}

/* Until a signal says to stop; failures of the store are told as they begin and end. */
static void watch_store(struct served *s)
{
    struct err err = ERR_INIT;
    bool was_there = true;
    int sig = 0;

    while (sig == 0 || sig == SIGHUP) {
        const bool is_there = look(s, &err) == ST_OK;
        if (is_there != was_there && is_there)
            log_info("serve", "the store can be read");
        else if (is_there != was_there)
            log_warn("serve", "the store cannot be read", LOG_Z("error", err.msg));
        was_there = is_there;
        if (service_tend(&s->service, stuck(s)))
            service_show_status(&s->service, s->status);
        sig = cmd_poll_signal(service_nap_us(&s->service, LOOK_US));
        if (sig == SIGHUP)
            reload(s);
    }
}

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    struct served s = {.port = 0};
    struct err err = ERR_INIT, stop_err = ERR_INIT;

    (void)words, (void)n_words;
    arena_init(&s.arena, MAX_LOOK);
    cmd_block_signals();
    enum st st = cmd_start_log(config, STDERR_FILENO, false, &err);
    service_open(&s.service, "serve");
    if (st == ST_OK)
        st = start(&s, config, &err);
    if (st != ST_OK) {
        err_ignore(stop(&s, &stop_err));
        return cmd_fail(st, &err, st == ST_REJECT ? EXIT_USAGE : EXIT_FAILED);
    }
    log_started(&s);
    service_ready(&s.service);
    watch_store(&s);
    service_stopping(&s.service);
    st = stop(&s, &err);
    log_info("serve", "stopped");
    log_close();
    return st == ST_OK ? EXIT_DONE : cmd_fail(st, &err, EXIT_FAILED);
}

const struct verb verb_serve = {
    .name = "serve",
    .bit = VERB_SERVE,
    .summary = "Serve the API and the page of a store that others write, now or as of a moment.",
    .form = "geckotape serve --from URL | --upstream [options]",
    .examples =
        "  geckotape serve --from sqlite:data/market.db --listen 127.0.0.1:8090\n"
        "      beside a collector, which keeps its own; read-only, and as many as you like. A "
        "store "
        "that is not\n"
        "      there yet, or away, is waited for: 503 and /readyz say why until it answers\n"
        "  geckotape serve --from postgres://reader@db/etl --at 2026-11-23T14:30:00Z\n"
        "      every answer as it was known then\n"
        "  geckotape serve --from sqlite:data/market.db --at -1d --speed 60\n"
        "      the last day again, an hour of it in a minute, for a client that knows nothing of "
        "it\n"
        "  geckotape serve --upstream --api-plan demo --data shared\n"
        "      one address for all programs behind one key (in GECKOTAPE_API_KEY): each answer is "
        "fetched\n"
        "      once, kept on the tape in ./shared, and given to all who ask within 60 s\n",
    .run = run,
};
