/* Requests that take long: what verbs would do alone, done beside the collector. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/requests.h"

#include "base/log.h"
#include "import/import.h"

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
    if (pthread_mutex_trylock(&r->p->importing) != 0)
        return err_set(err, ST_AGAIN, "another import is at work; try again when it is done");
    enum st st = import(r, err);
    pthread_mutex_unlock(&r->p->importing);
    return st;
}
