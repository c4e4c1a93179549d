/* geckotape load: the tape of a collector into sinks, in a process of its own. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/mem.h"
#include "base/pulse.h"
#include "cmd/progress.h"
#include "cmd/service.h"
#include "cmd/streams.h"
#include "load/known.h"
#include "tape/reader.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_SINKS 16
#define LOOK_US   (100 * US_PER_MS) /* for progress */
#define RESCAN_US (2 * US_PER_S)    /* for streams that are new */
#define NOTE_US   (10 * US_PER_S)   /* how far the sinks are, beside the tape */

struct load_verb;

/* One sink and its thread. */
struct work {
    struct load_verb *verb;
    struct sink_url url;
    struct loader *loader;
    pthread_t thread;
    struct pulse pulse;
    bool is_running; /* its thread is to be joined */
    atomic_bool has_ended;
    enum st st; /* how; after the join */
    struct err err;
    atomic_bool is_down; /* its outage is logged; its thread's, others may look */
    bool is_warned;
    atomic_uint_least64_t n_polls, n_rows, n_unchanged, n_refused;
    struct {
        uint64_t n_polls, n_rows, n_unchanged, n_refused;
    } uncommitted; /* of the batch under way */
};

struct load_verb {
    const char *data_dir;
    bool is_following;
    struct loader_stream streams[LOADER_MAX_STREAMS];
    uint64_t first[LOADER_MAX_STREAMS], last[LOADER_MAX_STREAMS]; /* offsets, for progress */
    size_t n_streams;
    struct work works[MAX_SINKS];
    size_t n_works;
    bool is_note_told; /* that the sinks cannot be noted */
    bool is_stopped;   /* by a signal */
    struct service service;
};

/* ---- what the loaders tell; on their threads ---- */

static void on_undone(void *ctx)
{
    struct work *w = ctx;

    memset(&w->uncommitted, 0, sizeof(w->uncommitted));
}

static void on_loaded(void *ctx, const struct sink_load *load, const struct sink_result *result,
                      int64_t duration_us)
{
    struct work *w = ctx;

    (void)duration_us;
    w->uncommitted.n_polls++;
    w->uncommitted.n_rows += result->n_stored;
    w->uncommitted.n_unchanged += result->n_unchanged;
    w->uncommitted.n_refused += load->rows ? load->rows->n_refusals + result->n_refused : 0;
    if (!load->is_last)
        return;
    atomic_fetch_add(&w->n_polls, w->uncommitted.n_polls);
    atomic_fetch_add(&w->n_rows, w->uncommitted.n_rows);
    atomic_fetch_add(&w->n_unchanged, w->uncommitted.n_unchanged);
    atomic_fetch_add(&w->n_refused, w->uncommitted.n_refused);
    on_undone(w);
}

static void on_failed(void *ctx, const char *job, enum st st, const struct err *err)
{
    struct work *w = ctx;

    if (st == ST_AGAIN && w->is_down)
        return; /* an outage is logged at its start and its end */
    if (st == ST_AGAIN)
        w->is_down = true;
    log_event(st == ST_FATAL ? LOG_ERROR : LOG_WARN, "load",
              st == ST_AGAIN    ? "sink refuses for now; it will be tried again"
              : st == ST_REJECT ? "stepped over"
                                : "sink stopped",
              LOG_FIELDS(LOG_Z("sink", w->url.shown), LOG_Z("job", job ? job : ""),
                         LOG_Z("error", err->msg)));
}

static void on_expected(void *ctx, int64_t within_us)
{
    struct work *w = ctx;

    pulse_expect(&w->pulse, within_us);
}

static void on_recovered(void *ctx)
{
    struct work *w = ctx;

    if (w->is_down)
        log_info("load", "sink works again", LOG_Z("sink", w->url.shown));
    w->is_down = false;
}

static void on_told(void *ctx, const char *text)
{
    const struct work *w = ctx;

    log_info("load", "a sink tells something", LOG_Z("sink", w->url.shown), LOG_Z("note", text));
}

static void on_warned(void *ctx, const char *text)
{
    struct work *w = ctx;
    const bool was_warned = w->is_warned;

    w->is_warned = text[0] != '\0';
    if (w->is_warned && !was_warned)
        log_warn("load", "a sink warns", LOG_Z("sink", w->url.shown), LOG_Z("note", text));
    if (!w->is_warned && was_warned)
        log_info("load", "what a sink warned of is over", LOG_Z("sink", w->url.shown));
}

static void *run_loader(void *ctx)
{
    struct work *w = ctx;

    w->st = w->verb->is_following ? loader_run(w->loader, &w->err)
                                  : loader_catch_up(w->loader, &w->err);
    pulse_rest(&w->pulse);
    atomic_store(&w->has_ended, true);
    return NULL;
}

static void reopen_log(void)
{
    struct err err = ERR_INIT;

    if (log_reopen(&err) != ST_OK)
        log_error("load", "the log file cannot be opened again; the old one is kept",
                  LOG_Z("error", err.msg));
}

/* ---- streams and sinks ---- */

/* Who a stream is, and from where to where it goes; false while it has no record. */
static bool look_at(const struct loader_stream *stream, struct known_stream *ret_known,
                    uint64_t *ret_first, uint64_t *ret_last)
{
    struct tape_reader *reader;
    struct tape_record record;
    struct err err = ERR_INIT;

    if (tape_reader_open(stream->dir, &reader, &err) != ST_OK)
        return false;
    bool is_there = tape_reader_bounds(reader, ret_first, ret_last, &err) == ST_OK &&
                    *ret_last > 0 && tape_reader_next(reader, UINT64_MAX, &record, &err) == ST_OK;
    if (is_there) {
        *ret_known = (struct known_stream){.offset = 0};
        sink_uuid_text(record.stream, ret_known->uuid);
        memcpy(ret_known->job, record.stream->job, sizeof(ret_known->job));
    }
    tape_reader_close(reader);
    return is_there;
}

/* The tape need not wait for a sink that it cannot know of: that is told once. */
static void tell_unnoted(struct load_verb *v, const struct err *err)
{
    if (!v->is_note_told)
        log_warn("load",
                 "the collector cannot be told how far sinks are: its tape will not wait "
                 "for them",
                 LOG_Z("error", err->msg));
    v->is_note_told = true;
}

/* Nothing is removed from the tape before these sinks have it. */
static void expect_streams(struct load_verb *v, size_t from)
{
    struct known_stream *known = mem_new(LOADER_MAX_STREAMS, sizeof(*known));
    struct err err = ERR_INIT;
    size_t n = 0;

    for (size_t i = from; i < v->n_streams; i++)
        n += look_at(&v->streams[i], &known[n], &v->first[i], &v->last[i]);
    for (size_t i = 0; i < v->n_works && n > 0; i++)
        if (known_expect(v->data_dir, &v->works[i].url, known, n, &err) != ST_OK)
            tell_unnoted(v, &err);
    mem_free(known);
}

static void note_sinks(struct load_verb *v)
{
    struct err err = ERR_INIT;

    for (size_t i = 0; i < v->n_works; i++)
        if (v->works[i].loader && loader_note(v->works[i].loader, v->data_dir, &err) != ST_OK)
            tell_unnoted(v, &err);
}

/* Streams that were made since. */
static void add_new_streams(struct load_verb *v)
{
    struct loader_stream *now = mem_new(LOADER_MAX_STREAMS, sizeof(*now));
    struct err err = ERR_INIT;
    size_t n = 0, n_before = v->n_streams;

    if (cmd_list_streams(v->data_dir, "", now, &n, &err) != ST_OK)
        log_warn("load", "cannot look for new jobs", LOG_Z("error", err.msg));
    for (size_t i = 0; i < n && v->n_streams < LOADER_MAX_STREAMS; i++) {
        size_t k = 0;
        while (k < v->n_streams && strcmp(v->streams[k].job, now[i].job) != 0)
            k++;
        if (k == v->n_streams)
            v->streams[v->n_streams++] = now[i];
    }
    if (v->n_streams > n_before)
        expect_streams(v, n_before);
    for (size_t k = n_before; k < v->n_streams; k++) {
        log_info("load", "new job", LOG_Z("job", v->streams[k].job));
        for (size_t i = 0; i < v->n_works; i++)
            if (loader_add_stream(v->works[i].loader, &v->streams[k], &err) != ST_OK)
                log_error("load", "job is not loaded", LOG_Z("error", err.msg));
    }
    mem_free(now);
}

static enum st open_works(struct load_verb *v, const struct config *config, struct err *err)
{
    bool is_simulated = cmd_is_simulated(v->data_dir);
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < v->n_works; i++) {
        struct work *w = &v->works[i];
        const struct sink_driver *driver;
        w->verb = v;
        w->err = (struct err)ERR_INIT;
        pulse_init(&w->pulse);
        st = sink_url_parse(str_of(config->sinks.items[i]), &w->url, err);
        if (st == ST_OK)
            st = sink_driver_find(str_of(w->url.scheme), &driver, err);
        if (st == ST_OK)
            st = driver->check(&w->url, err);
        for (size_t k = 0; st == ST_OK && k < i; k++)
            if (strcmp(v->works[k].url.text, w->url.text) == 0)
                st = err_set(err, ST_REJECT, "--sink %s is given twice", w->url.shown);
        if (st != ST_OK)
            break;
        w->loader = loader_new(&(struct loader_setup){
            .url = &w->url,
            .streams = v->streams,
            .n_streams = v->n_streams,
            .clock = clock_system(),
            .data_dir = v->data_dir,
            .is_simulated = is_simulated,
            .retain_rows_us = config->retain_rows_us,
            .retain_5m_us = config->retain_5m_us,
            .accepts_gap = config->is_gap_accepted,
            .events = {.ctx = w,
                       .loaded = on_loaded,
                       .undone = on_undone,
                       .failed = on_failed,
                       .expected = on_expected,
                       .recovered = on_recovered,
                       .told = on_told,
                       .warned = on_warned},
            .max_poll_bytes = CMD_MAX_POLL_BYTES,
        });
    }
    return st;
}

/* ---- the loop ---- */

static bool have_all_ended(struct load_verb *v)
{
    for (size_t i = 0; i < v->n_works; i++)
        if (v->works[i].is_running && !atomic_load(&v->works[i].has_ended))
            return false;
    return true;
}

static void show(struct load_verb *v, struct progress *progress)
{
    uint64_t done = 0, total = 0, rows = 0;

    for (size_t i = 0; i < v->n_works; i++) {
        rows += atomic_load(&v->works[i].n_rows) + atomic_load(&v->works[i].n_unchanged);
        for (size_t k = 0; k < v->n_streams; k++) {
            uint64_t at = loader_offset(v->works[i].loader, k), before = v->first[k] - 1;
            if (v->last[k] == 0)
                continue;
            total += v->last[k] - before;
            done += at > before ? at - before : 0;
        }
    }
    progress_show(progress, done, total, rows);
}

/* The sink that has not come round when it promised to; NULL: none. */
static const char *stuck(const struct load_verb *v)
{
    for (size_t i = 0; i < v->n_works; i++)
        if (pulse_is_late(&v->works[i].pulse, service_patience_us(&v->service)))
            return v->works[i].url.shown;
    return NULL;
}

static void show_service(struct load_verb *v)
{
    char text[sizeof(v->service.text)];
    uint64_t n_polls = 0;
    size_t n_down = 0;

    for (size_t i = 0; i < v->n_works; i++) {
        n_polls += atomic_load(&v->works[i].n_polls);
        n_down += atomic_load(&v->works[i].is_down);
    }
    snprintf(text, sizeof(text), "jobs %zu, sinks %zu, of them waiting %zu; polls loaded %llu",
             v->n_streams, v->n_works, n_down, (unsigned long long)n_polls);
    service_show(&v->service, text);
}

static void stop_all(struct load_verb *v)
{
    service_stopping(&v->service);
    for (size_t i = 0; i < v->n_works; i++)
        loader_stop(v->works[i].loader);
}

static double work(struct load_verb *v)
{
    struct progress progress;
    int64_t scanned_us = clock_mono_us(clock_system()), noted_us = scanned_us;

    progress_begin(&progress, "load", "records");
    for (size_t i = 0; i < v->n_works; i++) {
        struct work *w = &v->works[i];
        w->is_running = pthread_create(&w->thread, NULL, run_loader, w) == 0;
        if (!w->is_running)
            w->st = err_set(&w->err, ST_AGAIN, "%s: no thread for it; try again", w->url.shown);
    }
    service_ready(&v->service);
    while (!have_all_ended(v)) {
        if (service_tend(&v->service, stuck(v)))
            show_service(v);
        int sig = cmd_poll_signal(LOOK_US);
        int64_t now_us = clock_mono_us(clock_system());
        if (sig == SIGHUP) {
            service_reloading(&v->service);
            reopen_log();
            service_ready(&v->service);
        } else if (sig != 0) {
            v->is_stopped = true;
            stop_all(v);
        }
        if (!v->is_following)
            show(v, &progress);
        if (v->is_following && now_us - scanned_us >= RESCAN_US) {
            add_new_streams(v);
            scanned_us = now_us;
        }
        if (now_us - noted_us >= NOTE_US) {
            note_sinks(v);
            noted_us = now_us;
        }
    }
    for (size_t i = 0; i < v->n_works; i++)
        if (v->works[i].is_running)
            pthread_join(v->works[i].thread, NULL);
    note_sinks(v);
    return progress_end(&progress);
}

/* The worst of the sinks: stopped for good, or to be tried again. */
static int tell_end(struct load_verb *v, double seconds)
{
    int code = EXIT_DONE;

    for (size_t i = 0; i < v->n_works; i++) {
        struct work *w = &v->works[i];
        uint64_t n_rows = atomic_load(&w->n_rows);
        printf("%s: %llu polls loaded, %llu rows stored, %llu unchanged, %llu in quarantine, %.0f "
               "rows/s\n",
               w->url.shown, (unsigned long long)atomic_load(&w->n_polls),
               (unsigned long long)n_rows, (unsigned long long)atomic_load(&w->n_unchanged),
               (unsigned long long)atomic_load(&w->n_refused), (double)n_rows / seconds);
    }
    fflush(stdout);
    for (size_t i = 0; i < v->n_works; i++) {
        const struct work *w = &v->works[i];
        if (w->st == ST_OK)
            continue;
        int own = cmd_fail(w->st, &w->err, EXIT_FAILED);
        code = code == EXIT_FAILED ? code : own;
    }
    if (code == EXIT_DONE && v->is_stopped && !v->is_following) {
        fprintf(stderr, "geckotape: stopped on the way; the same command goes on from there\n");
        code = EXIT_AGAIN;
    }
    return code;
}

/* ---- options ---- */

static enum st read_options(struct load_verb *v, const struct config *config, struct err *err)
{
    v->is_following = config->is_following;
    if (v->is_following && str_starts(str_of(config->from), STR("tape+")))
        return err_set(err, ST_REJECT,
                       "--follow: goes with tape:DIR; what is in a store is loaded "
                       "as it is now");
    if (config->sinks.n == 0)
        return err_set(err, ST_REJECT,
                       "load: where to? --sink names it, as --sink sqlite:./copy.db; repeat it for "
                       "several");
    if (config->sinks.n > MAX_SINKS)
        return err_set(err, ST_REJECT, "--sink: more than %d", MAX_SINKS);
    v->n_works = config->sinks.n;
    return cmd_tape_source(config->from, &v->data_dir, err);
}

static int load(struct load_verb *v, const struct config *config)
{
    struct err err = ERR_INIT;
    int code = EXIT_FAILED;

    enum st st = cmd_list_streams(v->data_dir, "", v->streams, &v->n_streams, &err);
    if (st == ST_OK && v->n_streams == 0 && !v->is_following)
        st = err_set(&err, ST_FATAL, "no tape in %s; --from tape:DIR names another directory",
                     v->data_dir);
    if (st == ST_OK) {
        st = open_works(v, config, &err);
        code = st == ST_REJECT ? EXIT_CONFIG : EXIT_FAILED;
    }
    if (st == ST_OK)
        expect_streams(v, 0);
    if (st == ST_OK)
        code = tell_end(v, work(v));
    else
        code = cmd_fail(st, &err, code);
    for (size_t i = 0; i < v->n_works; i++)
        loader_free(v->works[i].loader);
    return code;
}

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    struct load_verb *v = mem_new(1, sizeof(*v));
    struct err err = ERR_INIT;
    int code;

    (void)words, (void)n_words;
    cmd_block_signals();
    enum st st = read_options(v, config, &err);
    if (st != ST_OK) {
        code = cmd_fail(st, &err, st == ST_FATAL ? EXIT_FAILED : EXIT_USAGE);
    } else {
        st = cmd_start_log(config, STDERR_FILENO, cmd_is_simulated(v->data_dir), &err);
        service_open(&v->service, "load");
        code = st == ST_OK ? load(v, config) : cmd_fail(st, &err, EXIT_CONFIG);
        log_close();
        service_close(&v->service);
    }
    mem_free(v);
    return code;
}

const struct verb verb_load = {
    .name = "load",
    .bit = VERB_LOAD,
    .summary = "Load a collector's tape into sinks, in a process of its own.",
    .form = "geckotape load --from tape:DIR --sink URL [options]",
    .examples = "  geckotape load --from tape:./data --sink sqlite:./copy.db\n"
                "      everything up to now; started again, it goes on where it stopped\n"
                "  geckotape load --from tape:./data --sink sqlite:./copy.db --sink json:./files "
                "--follow\n"
                "      beside a running collector, until SIGTERM; new jobs are found\n",
    .run = run,
};
