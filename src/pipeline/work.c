/* Requests that take long: what verbs would do alone, done beside the collector. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/requests.h"

#include "base/log.h"
#include "import/import.h"
#include "load/known.h"
#include "pipeline/upkeep_text.h"

#include <stdio.h>

#define MAX_SUMMARY 8192
#define MAX_TOLD    20 /* lines of an import about what it skips */
#define REDRAW_US   (200 * US_PER_MS)

/* ---- import ---- */

struct import_work {
    const struct request *request;
    size_t n_told;
    int64_t drawn_us;
};

static const char *get_word(void *ctx, const char *name)
{
    const struct request *r = ctx;
    return control_arg(r->words, name);
}

/* The stream of an import is one of ours: opened once, loaded by all sinks from then on. */
static enum st open_import(void *ctx, const struct stream_id *id, struct tape_writer **ret_writer,
                           struct err *err)
{
    const struct import_work *work = ctx;
    struct pipeline *p = work->request->p;
    struct stream *stream;
    bool is_new;

    pthread_mutex_lock(&p->change);
    enum st st = streams_open(&p->streams, id, &stream, &is_new, err);
    if (st == ST_OK && is_new && p->sinks)
        sinks_add_stream(p->sinks, stream);
    pthread_mutex_unlock(&p->change);
    if (st == ST_OK)
        *ret_writer = stream->job.writer;
    return st;
}

static bool import_progress(void *ctx, const struct import_progress *progress)
{
    struct import_work *work = ctx;
    struct control_reply *reply = work->request->reply;
    int64_t now_us = clock_mono_us(work->request->p->clock);
    char text[256];

    if (now_us - work->drawn_us < REDRAW_US)
        return true;
    work->drawn_us = now_us;
    if (progress->n_total == 0)
        snprintf(text, sizeof(text), "looking: %zu found · %.64s", progress->n_done,
                 progress->name ? progress->name : "");
    else
        snprintf(text, sizeof(text), "%zu of %zu · %.64s", progress->n_done, progress->n_total,
                 progress->name ? progress->name : "");
    return control_progress(reply, text);
}

static void import_skipped(void *ctx, enum import_skip why, const char *text)
{
    struct import_work *work = ctx;

    (void)why;
    if (work->n_told == MAX_TOLD)
        control_say(work->request->reply, "more is skipped, which the summary counts");
    else if (work->n_told < MAX_TOLD)
        control_say(work->request->reply, "skipped: %s", text);
    work->n_told++;
}

static void import_note(void *ctx, const char *text)
{
    const struct import_work *work = ctx;
    control_say(work->request->reply, "%s", text);
}

static enum st import(const struct request *r, struct err *err)
{
    struct import_work work = {.request = r};
    struct import_setup setup = {
        .tape = r->p->tape,
        .data_dir = r->p->setup.data_dir,
        .clock = r->p->clock,
        .open = open_import,
        .ctx = &work,
        .progress = import_progress,
        .skipped = import_skipped,
        .note = import_note,
    };
    struct buf summary = BUF_INIT(MAX_SUMMARY);
    struct import_result result;
    struct request words = *r;

    enum st st = import_setup_read(get_word, &words, &setup, err);
    if (st != ST_OK)
        return st;
    st = import_run(&setup, &result, err);
    streams_show_idle(&r->p->streams);
    if (st == ST_OK || result.n_found > 0)
        import_summary(&setup, &result, &summary);
    if (summary.len > 0)
        control_say(r->reply, "%s", buf_z(&summary));
    log_info("control", "import done", LOG_Z("job", result.job), LOG_I("polls", result.n_polls));
    buf_release(&summary);
    if (st == ST_OK && result.is_stopped)
        return err_set(err, ST_AGAIN, "stopped; the same import goes on where it was");
    return st;
}

enum st request_import(const struct request *r, struct err *err)
{
    if (r->p->setup.config->is_simulated)
        return err_set(err, ST_REJECT,
                       "%s: holds simulated data, real history may not mix with it; give --data "
                       "another directory",
                       r->p->setup.data_dir);
    if (pthread_mutex_trylock(&r->p->importing) != 0)
        return err_set(err, ST_AGAIN, "another import is at work; try again when it is done");
    enum st st = import(r, err);
    pthread_mutex_unlock(&r->p->importing);
    return st;
}

/* ---- compact and prune ---- */

/* Do it to each of the first n streams, or to the one of job=NAME. */
static enum st for_streams(const struct request *r, size_t n,
                           enum st (*run)(const struct request *r, const struct stream *stream,
                                          struct err *err),
                           struct err *err)
{
    const char *only = request_word(r, "job");
    bool is_found = false;
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < n; i++) {
        const struct stream *stream = streams_at(&r->p->streams, i);
        if (only && strcmp(only, stream->job.id.job) != 0)
            continue;
        is_found = true;
        st = run(r, stream, err);
        if (st == ST_OK && !control_is_open(r->reply))
            st = err_set(err, ST_AGAIN, "stopped; what is done is done");
    }
    if (st == ST_OK && !is_found)
        return err_set(err, ST_FATAL, "no tape of job %.64s here; geckotape tape ls lists them",
                       only ? only : "");
    return st;
}

static void say(const struct request *r, struct buf *line)
{
    control_say(r->reply, "%s", buf_z(line));
    buf_release(line);
}

static bool say_progress(const struct request *r, const char *job, const struct sealed_totals *t,
                         const struct tape_usage *usage)
{
    size_t n_open = usage->n_segments - usage->n_sealed;
    struct buf line = BUF_INIT(512);

    upkeep_add_progress(&line, job, t, n_open - (n_open > 0)); /* one is written */
    bool goes_on = control_progress(r->reply, buf_z(&line));
    buf_release(&line);
    return goes_on;
}

static enum st seal_all(const struct request *r, const struct stream *stream, int level,
                        struct sealed_totals *t, struct err *err)
{
    const char *job = stream->job.id.job;
    enum st st, result = ST_OK;
    struct tape_usage usage;
    char after[64] = "";

    st = tape_usage(stream->dir, clock_wall_us(r->p->clock), &usage, err);
    while (st == ST_OK && say_progress(r, job, t, &usage)) {
        struct tape_sealed sealed = {.segment = ""};
        st = upkeep_seal_stream(&r->p->upkeep, stream, level, after, &sealed, err);
        if (st == ST_OK && sealed.segment[0] == '\0')
            break;
        if (st == ST_OK)
            sealed_totals_add(t, &sealed);
        if (st != ST_REJECT)
            continue;
        control_say(r->reply, "%s", err->msg); /* damaged: it stays, the others go on */
        result = err_set(err, ST_REJECT, "job %s: not every segment could be sealed", job);
        st = ST_OK;
    }
    return st == ST_OK ? result : st;
}

static enum st compact_stream(const struct request *r, const struct stream *stream, struct err *err)
{
    struct sealed_totals totals = {.n = 0};
    struct buf line = BUF_INIT(512);
    int64_t level;

    enum st st = request_number(r, "level", r->p->setup.config->tape_seal_level, &level, err);
    if (st == ST_OK && (level < 0 || level > 19))
        st = err_set(err, ST_REJECT, "level=%lld: not from 1 to 19", (long long)level);
    if (st != ST_OK)
        return st;
    st = seal_all(r, stream, (int)level, &totals, err);
    if (st != ST_OK && totals.n == 0)
        return st;
    upkeep_add_sealed(&line, stream->job.id.job, &totals);
    say(r, &line);
    return st;
}

enum st request_compact(const struct request *r, struct err *err)
{
    return for_streams(r, streams_count(&r->p->streams), compact_stream, err);
}

static enum st prune_stream(const struct request *r, const struct stream *stream, struct err *err)
{
    bool is_dry_run = request_is_set(r, "dry_run");
    struct buf line = BUF_INIT(UPKEEP_HOLDER + 512);
    int64_t keep_us;
    char holder[UPKEEP_HOLDER];
    struct tape_pruned pruned;

    if (stream_is_history(&stream->job.id) && request_word(r, "job") == NULL) {
        upkeep_add_import(&line, stream->job.id.job);
        say(r, &line);
        return ST_OK;
    }

    enum st st = request_number(r, "keep_us", 0, &keep_us, err);
    if (st == ST_OK && keep_us <= 0)
        st = err_set(err, ST_REJECT, "keep_us: say how long to keep the tape");
    if (st == ST_OK)
        st = upkeep_prune_stream(&r->p->upkeep, stream, r->reference_us, keep_us, is_dry_run,
                                 &pruned, holder, err);
    if (st != ST_OK)
        return st;
    upkeep_add_pruned(&line, stream->job.id.job, &pruned, is_dry_run, holder);
    say(r, &line);
    return ST_OK;
}

enum st request_prune(const struct request *r, struct err *err)
{
    size_t n = streams_count(&r->p->streams); /* those that the sinks are noted for now */

    /* what the sinks have loaded a moment ago counts too */
    enum st st = r->p->sinks ? sinks_note(r->p->sinks, err) : ST_OK;
    struct request words = *r;

    if (st == ST_OK)
        st = upkeep_reference(&r->p->upkeep, &words.reference_us, err);
    return st == ST_OK ? for_streams(&words, n, prune_stream, err) : st;
}

/* ---- replay ---- */

static enum st read_replay(const struct request *r, struct loader_replay *ret_what, struct err *err)
{
    const char *job = request_word(r, "job");

    *ret_what = (struct loader_replay){.is_forced = request_is_set(r, "force")};
    if (job && strlen(job) >= sizeof(ret_what->job))
        return err_set(err, ST_REJECT, "job=%.64s…: no job has such a name", job);
    snprintf(ret_what->job, sizeof(ret_what->job), "%s", job ? job : "");
    enum st st = request_number(r, "since_us", 0, &ret_what->since_us, err);
    return st == ST_OK ? request_number(r, "until_us", INT64_MAX, &ret_what->until_us, err) : st;
}

static bool replay_goes_on(void *ctx, const struct loader_replay_progress *now)
{
    const struct request *r = ctx;
    char text[128];

    snprintf(text, sizeof(text), "%llu of %llu polls · %llu rows", (unsigned long long)now->n_done,
             (unsigned long long)now->n_due, (unsigned long long)now->n_rows);
    return control_progress(r->reply, text);
}

static void say_replayed(const struct request *r, const struct loader_replay_progress *p)
{
    struct buf line = BUF_INIT(2048);

    buf_addf(&line, "%llu of %llu polls made anew, %llu rows",
             (unsigned long long)(p->n_done - p->n_missing - p->n_refused),
             (unsigned long long)p->n_due, (unsigned long long)p->n_rows);
    if (p->n_missing > 0)
        buf_addf(&line, ", %llu not on the tape any more", (unsigned long long)p->n_missing);
    if (p->n_refused > 0)
        buf_addf(&line, ", %llu refused, which keep their rows", (unsigned long long)p->n_refused);
    if (p->n_current > 0)
        buf_addf(&line, ", %llu of today's transform already", (unsigned long long)p->n_current);
    if (p->n_other > 0)
        buf_addf(&line, ", %llu of other streams", (unsigned long long)p->n_other);
    say(r, &line);
}

enum st request_replay(const struct request *r, struct err *err)
{
    const char *url = request_word(r, "sink");
    struct loader_replay_progress done = {.n_due = 0};
    struct request context = *r;
    struct loader_replay what;

    if (url == NULL || r->p->sinks == NULL)
        return err_set(err, ST_REJECT, "replay: %s",
                       url ? "the running process loads no sinks" : "which sink?");
    enum st st = read_replay(r, &what, err);
    if (st == ST_OK)
        st = sinks_replay(r->p->sinks, url, &what, replay_goes_on, &context, &done, err);
    if (done.n_due > 0 || st == ST_OK)
        say_replayed(r, &done);
    if (st == ST_OK && done.n_refused > 0)
        return err_set(err, ST_REJECT, "%llu polls keep the rows they had: %s",
                       (unsigned long long)done.n_refused, done.first_refusal);
    return st;
}

/* ---- sink forget ---- */

enum st request_sink_forget(const struct request *r, struct err *err)
{
    const char *url = request_word(r, "sink");

    if (url == NULL)
        return err_set(err, ST_REJECT, "sink forget: which sink?");
    if (r->p->sinks && sinks_has_name(r->p->sinks, url))
        return err_set(err, ST_REJECT,
                       "%s: is at work here; take it out of the configuration first, and reload",
                       url);
    return known_forget(r->p->setup.data_dir, url, err);
}
