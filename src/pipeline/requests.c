/* What verbs ask of the running process. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/requests.h"

#include "base/log.h"
#include "base/mem.h"
#include "serve/health.h"
#include "status/render.h"

#include <stdio.h>

#define MAX_STATUS ((size_t)4 * 1024 * 1024)
#define GLANCE_US  (200 * US_PER_MS) /* is who asked still there? */

const char *request_word(const struct request *r, const char *name)
{
    return control_arg(r->words, name);
}

bool request_is_set(const struct request *r, const char *name)
{
    const char *value = request_word(r, name);
    return value && strcmp(value, "1") == 0;
}

enum st request_number(const struct request *r, const char *name, int64_t fallback,
                       int64_t *ret_number, struct err *err)
{
    const char *value = request_word(r, name);

    *ret_number = fallback;
    if (value == NULL || str_to_i64(str_of(value), INT64_MIN, INT64_MAX, ret_number))
        return ST_OK;
    return err_set(err, ST_REJECT, "%s=%.40s: not a number", name, value);
}

/* ---- status ---- */

static enum st do_status(const struct request *r, struct err *err)
{
    struct status_snapshot *now = mem_new(1, sizeof(*now));
    struct buf text = BUF_INIT(MAX_STATUS);
    int64_t width, now_us = clock_wall_us(r->p->clock);

    status_copy(r->p->status, now);
    enum st st = request_number(r, "width", STATUS_WIDTH, &width, err);
    if (request_is_set(r, "json"))
        health_add_status(&text, now, now_us);
    else
        status_render(&text, now, now_us, width < STATUS_MAX_WIDTH ? (int)width : STATUS_MAX_WIDTH,
                      request_is_set(r, "color"));
    if (st == ST_OK)
        st = buf_check(&text, "status", err);
    if (st == ST_OK)
        control_say(r->reply, "%s", buf_z(&text));
    buf_release(&text);
    mem_free(now);
    return st;
}

/* ---- polls ---- */

static bool is_polled(const struct pipeline *p, const char *job)
{
    const struct stream *stream = streams_find(&p->streams, job);
    return stream && !atomic_load(&stream->is_idle);
}

/* Poll one job and wait for it. */
static enum st poll_job(const struct request *r, const char *job, size_t *n_bad, struct err *err)
{
    struct polls *polls = &r->p->polls;
    struct asked_poll done;
    int place;

    while ((place = polls_ask(polls, r->p->extract, job, NULL)) < 0) { /* many ask; or it is gone */
        if (!is_polled(r->p, job))
            return err_set(err, ST_FATAL, "no job %.64s is polled here", job);
        nanosleep(&(struct timespec){.tv_nsec = GLANCE_US * 1000}, NULL);
        if (!control_is_open(r->reply))
            return err_set(err, ST_AGAIN, "stopping");
    }
    while (!polls_wait(polls, place, GLANCE_US, &done)) {
        if (control_is_open(r->reply))
            continue;
        polls_leave(polls, place);
        return err_set(err, ST_AGAIN, "stopping");
    }
    *n_bad += done.outcome != POLL_OK;
    control_say(r->reply, "%s: %s%s%s", job, poll_outcome_name(done.outcome),
                done.error[0] ? ": " : "", done.error);
    return ST_OK;
}

/* ST_AGAIN: no call is left, and a poll without one would be one more failure on the tape. */
static enum st check_budget(const struct request *r, struct err *err)
{
    const struct status_budget b = status_lock(r->p->status)->budget;
    char until[TIME_TEXT];

    status_unlock(r->p->status);
    if (!status_is_spent(&b, clock_wall_us(r->p->clock)))
        return ST_OK;
    time_format(b.until_us, until);
    return err_set(err, ST_AGAIN,
                   "the budget of %llu calls is spent: nothing is polled until %.10s",
                   (unsigned long long)b.calls, until);
}

static enum st do_poll(const struct request *r, struct err *err)
{
    const char *only = request_word(r, "job");
    size_t n = 0, n_bad = 0;
    enum st st = ST_OK;

    if (only && !is_polled(r->p, only))
        return err_set(err, ST_FATAL, "no job %.64s is polled here; geckotape status lists them",
                       only);
    st = check_budget(r, err);
    for (size_t i = 0; st == ST_OK && i < streams_count(&r->p->streams); i++) {
        const struct stream *stream = streams_at(&r->p->streams, i);
        const char *job = stream->job.id.job;
        if (atomic_load(&stream->is_idle) || (only && strcmp(only, job) != 0))
            continue;
        st = poll_job(r, job, &n_bad, err);
        n++;
    }
    if (st == ST_OK && n_bad > 0)
        return err_set(err, ST_AGAIN, "%zu of %zu poll%s did not bring everything", n_bad, n,
                       n == 1 ? "" : "s");
    return st;
}

/* ---- configuration ---- */

static enum st do_reload(const struct request *r, struct err *err)
{
    return reload_apply(r->p, r->reply, err);
}

static enum st do_log_level(const struct request *r, struct err *err)
{
    static const enum log_level levels[] = {LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG};
    const char *wanted = request_word(r, "level");

    for (size_t i = 0; wanted && i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (strcmp(wanted, log_level_name(levels[i])) != 0)
            continue;
        log_set_level(levels[i]);
        log_info("control", "log level set", LOG_Z("log_level", wanted));
        control_say(r->reply, "log level: %s", wanted);
        return ST_OK;
    }
    return err_set(err, ST_REJECT, "\"%.40s\" is no log level; there are error, warn, info, debug",
                   wanted ? wanted : "");
}

/* ---- the table ---- */

static const struct verb_row {
    const char *name;
    enum st (*run)(const struct request *r, struct err *err);
} rows[] = {
    {"status", do_status},
    {"poll", do_poll},
    {"reload", do_reload},
    {"log-level", do_log_level},
    {"import", request_import},
    {"compact", request_compact},
    {"prune", request_prune},
    {"replay", request_replay},
    {"sink-forget", request_sink_forget},
    {"backfill", request_backfill},
};

enum st requests_handle(void *ctx, const struct control_request *words, struct control_reply *reply,
                        struct err *err)
{
    const struct request r = {.p = ctx, .words = words, .reply = reply};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].name, control_verb(words)) == 0)
            return rows[i].run(&r, err);
    return err_set(err, ST_REJECT,
                   "%.40s: the geckotape that runs there (%s) knows no such request; is it of "
                   "another version?",
                   control_verb(words), GECKOTAPE_VERSION);
}
