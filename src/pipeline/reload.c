/* Read the configuration again, and apply what can be applied while running: jobs, sinks, the
 * log. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/inner.h"

#include "base/log.h"
#include "base/mem.h"
#include "pipeline/alerts.h"
#include "pipeline/setup.h"

#include <stdio.h>
#include <time.h>

#define MAX_WORDS 8
#define NAP_US    (5 * US_PER_MS)

/* One reload: the new configuration, whom to tell, what was done. */
struct reload {
    struct pipeline *p;
    struct control_reply *reply; /* NULL: the log alone */
    struct config config;
    struct sink_url *urls; /* STATUS_MAX_SINKS, and one of the alerts */
    struct alerts *alerts; /* NULL: none, or what they were */
    size_t n_urls;
    size_t n_added, n_changed, n_removed, n_refused; /* jobs */
    size_t n_sinks_added, n_sinks_removed, n_sinks_refused;
};

static void say(const struct reload *r, enum log_level level, const char *msg, const char *what)
{
    log_event(level, "reload", msg, LOG_FIELDS(LOG_Z("what", what)));
    if (r->reply)
        control_say(r->reply, "%s: %s", msg, what);
}

/* ---- reading ---- */

/* Their sink is one of those that are wanted; the same rules are the same sink. */
static enum st read_alerts(struct reload *r, struct err *err)
{
    enum st st = setup_alerts(&r->config, r->p->setup.data_dir, r->p->clock, &r->alerts, err);
    if (st != ST_OK || r->alerts == NULL)
        return st;
    st = setup_alerts_sink(r->alerts, &r->urls[r->n_urls], err);
    r->n_urls += st == ST_OK;
    return st;
}

static enum st read_config(struct reload *r, struct err *err)
{
    struct opt_problems problems = OPT_PROBLEMS_INIT;
    struct settings settings = {.all = NULL, .n = 0};
    const char *words[MAX_WORDS];
    size_t n_words;
    struct str rest, line;

    config_load(r->p->setup.config->sources, r->p->setup.verb, &r->config, &settings, words,
                MAX_WORDS, &n_words, &problems);
    setup_check_alerts(&r->config, &settings, &problems);
    settings_release(&settings);
    for (rest = buf_str(&problems.warnings); str_cut(&rest, '\n', &line);) {
        log_warn("reload", "about the configuration", LOG_S("what", line));
        if (r->reply)
            control_say(r->reply, "warning: %.*s", STR_ARG(line));
    }
    for (rest = buf_str(&problems.text); str_cut(&rest, '\n', &line);) {
        log_error("reload", "the configuration has a mistake", LOG_S("what", line));
        if (r->reply)
            control_say(r->reply, "%.*s", STR_ARG(line));
    }
    size_t n = problems.n;
    opt_problems_release(&problems);
    if (n > 0)
        return err_set(err, ST_REJECT, "%zu mistake%s in the configuration: nothing was changed", n,
                       n == 1 ? "" : "s");
    if (r->p->sinks == NULL)
        return ST_OK;
    enum st st = setup_sinks(&r->config, r->p->setup.data_dir, r->urls, &r->n_urls, err);
    return st == ST_OK ? read_alerts(r, err) : st;
}

/* ---- jobs ---- */

static bool has_changed(const struct stream *stream, const struct extract_job *before)
{
    return !grid_is_same(&stream->job.grid, &before->grid) ||
           stream->job.priority != before->priority;
}

/* *ret_stream: what is polled now, NULL when the job is refused and was not there before. */
static void apply_job(struct reload *r, const struct job_config *config, struct stream **ret_stream)
{
    struct pipeline *p = r->p;
    struct stream_id id;
    struct err err = ERR_INIT;
    bool is_new;

    setup_stream_id(config, &id);
    enum st st = streams_check_room(&p->streams, &id, &err);
    if (st == ST_OK)
        st = streams_open(&p->streams, &id, ret_stream, &is_new, &err);
    if (st == ST_OK) {
        if (is_new && p->sinks)
            sinks_add_stream(p->sinks, *ret_stream);
        struct extract_job before = (*ret_stream)->job;
        bool was_idle = atomic_load(&(*ret_stream)->is_idle);
        st = stream_configure(&p->streams, *ret_stream, config, &err);
        r->n_added += st == ST_OK && was_idle;
        r->n_changed += st == ST_OK && !was_idle && has_changed(*ret_stream, &before);
    }
    if (st == ST_OK)
        return;
    r->n_refused++;
    say(r, LOG_ERROR, "a job is refused, and goes on as it was if it was there", err.msg);
    *ret_stream = streams_find(&p->streams, id.job);
    if (*ret_stream && atomic_load(&(*ret_stream)->is_idle))
        *ret_stream = NULL;
}

static void apply_jobs(struct reload *r)
{
    struct pipeline *p = r->p;
    struct stream **wanted = mem_new(r->config.n_jobs, sizeof(struct stream *));

    for (size_t i = 0; i < r->config.n_jobs; i++)
        apply_job(r, &r->config.jobs[i], &wanted[i]);
    for (size_t i = 0; i < streams_count(&p->streams); i++) {
        struct stream *stream = streams_at(&p->streams, i);
        bool is_wanted = false;
        for (size_t k = 0; k < r->config.n_jobs; k++)
            is_wanted |= wanted[k] == stream;
        if (is_wanted || atomic_load(&stream->is_idle))
            continue;
        stream_set_idle(&p->streams, stream);
        r->n_removed++;
    }
    mem_free(wanted);
    pipeline_set_jobs(p);
}

/* ---- sinks ---- */

static bool is_wanted(const struct reload *r, const char *url)
{
    for (size_t i = 0; i < r->n_urls; i++)
        if (strcmp(r->urls[i].text, url) == 0)
            return true;
    return false;
}

static void note_sinks(const struct reload *r)
{
    struct err err = ERR_INIT;

    if (sinks_note(r->p->sinks, &err) != ST_OK)
        log_warn("tape", "cannot note how far the sinks are", LOG_Z("error", err.msg));
}

static int64_t deadline(const struct reload *r)
{
    return clock_mono_us(r->p->clock) + r->p->setup.config->stop_timeout_us + US_PER_S;
}

static void add_sinks(struct reload *r)
{
    struct sinks *sinks = r->p->sinks;

    for (size_t i = 0; i < r->n_urls; i++) {
        struct err err = ERR_INIT, ignored = ERR_INIT;
        if (sinks_has(sinks, r->urls[i].text))
            continue;
        enum st st = sinks_add(sinks, &r->urls[i], &err);
        if (st == ST_OK) {
            note_sinks(r); /* before it begins: nothing is removed in front of it */
            st = sinks_start(sinks, &err);
            if (st != ST_OK) /* it has no thread: the next reload shall try again */
                err_ignore(sinks_remove(sinks, r->urls[i].text, deadline(r), &ignored));
        }
        r->n_sinks_added += st == ST_OK;
        r->n_sinks_refused += st != ST_OK;
        if (st != ST_OK)
            say(r, LOG_ERROR, "a sink is refused", err.msg);
    }
}

static void remove_sinks(struct reload *r)
{
    struct pipeline *p = r->p;
    int64_t deadline_us = deadline(r);

    for (size_t i = 0; i < STATUS_MAX_SINKS; i++) {
        const struct sink_url *url = sinks_at(p->sinks, i);
        struct err err = ERR_INIT;
        if (url == NULL || is_wanted(r, url->text))
            continue;
        if (strcmp(url->text, p->query_url) == 0)
            say(r, LOG_WARN, "restart to apply: the page and the API go on reading", url->shown);
        if (sinks_remove(p->sinks, url->text, deadline_us, &err) != ST_OK)
            say(r, LOG_WARN, "a sink is removed", err.msg);
        r->n_sinks_removed++;
    }
}

/* ---- alerts ---- */

static bool has_same_alerts(const struct reload *r)
{
    char before[17] = "", now[17] = "";

    if (r->p->alerts)
        alerts_fingerprint(r->p->alerts, before);
    if (r->alerts)
        alerts_fingerprint(r->alerts, now);
    return strcmp(before, now) == 0;
}

/* Those of before deliver nothing more: what they left in the outbox is the new ones'. */
static void remove_alerts(struct reload *r)
{
    struct pipeline *p = r->p;

    if (has_same_alerts(r) || p->alerts == NULL)
        return;
    alerts_stop(p->alerts, clock_mono_us(p->clock) + US_PER_S);
    p->former = mem_grow(p->former, p->n_former + 1, sizeof(struct alerts *));
    p->former[p->n_former++] = p->alerts;
    p->alerts = NULL;
    if (r->alerts == NULL)
        setup_forget_alerts(p->setup.data_dir);
}

static void add_alerts(struct reload *r)
{
    struct pipeline *p = r->p;
    struct err err = ERR_INIT;

    if (has_same_alerts(r) || r->alerts == NULL)
        return;
    p->alerts = r->alerts;
    r->alerts = NULL;
    if (alerts_start(p->alerts, &err) != ST_OK)
        say(r, LOG_ERROR, "alerts are not delivered before a restart", err.msg);
}

/* ---- the rest ---- */

static void apply_log(const struct reload *r)
{
    log_set_level((enum log_level)r->config.log_level);
}

/* Also when the configuration is what it was: certificates are renewed in place. */
static void apply_certificate(const struct reload *r)
{
    struct err err = ERR_INIT;

    if (r->p->serve && serve_reload(r->p->serve, &err) != ST_OK)
        say(r, LOG_ERROR, "the certificate cannot be read again; the old one is kept", err.msg);
}

static void tell_restart(const struct reload *r)
{
    struct buf names = BUF_INIT(4096);

    config_add_restart(r->p->setup.config, &r->config, &names);
    if (names.len > 0)
        say(r, LOG_WARN, "restart to apply", buf_z(&names));
    buf_release(&names);
}

static void tell_done(const struct reload *r)
{
    log_info("reload", "configuration applied", LOG_I("jobs_added", r->n_added),
             LOG_I("jobs_changed", r->n_changed), LOG_I("jobs_removed", r->n_removed),
             LOG_I("jobs_refused", r->n_refused), LOG_I("sinks_added", r->n_sinks_added),
             LOG_I("sinks_removed", r->n_sinks_removed),
             LOG_I("sinks_refused", r->n_sinks_refused));
    if (r->reply)
        control_say(r->reply,
                    "jobs: %zu added, %zu changed, %zu removed, %zu refused; sinks: %zu added, "
                    "%zu removed, %zu refused",
                    r->n_added, r->n_changed, r->n_removed, r->n_refused, r->n_sinks_added,
                    r->n_sinks_removed, r->n_sinks_refused);
}

static enum st apply(struct reload *r, struct err *err)
{
    struct err log_err = ERR_INIT;

    if (log_reopen(&log_err) != ST_OK) /* first: whatever else is said goes to the new file */
        say(r, LOG_ERROR, "the log file cannot be opened again; the old one is kept", log_err.msg);
    enum st st = read_config(r, err);
    if (st == ST_OK && atomic_load(&r->p->is_stopping)) /* nobody waits for us any more */
        st = err_set(err, ST_AGAIN, "stopping");
    if (st != ST_OK)
        return st;
    apply_log(r);
    apply_certificate(r);
    apply_jobs(r);
    if (r->p->sinks) {
        remove_sinks(r); /* first: there is room for so many */
        remove_alerts(r);
        add_alerts(r); /* before their sink: it wakes them */
        add_sinks(r);
    }
    tell_restart(r);
    tell_done(r);
    if (r->n_refused + r->n_sinks_refused > 0)
        return err_set(err, ST_REJECT, "refused: %zu jobs, %zu sinks; the rest was applied",
                       r->n_refused, r->n_sinks_refused);
    return ST_OK;
}

enum st reload_apply(struct pipeline *p, struct control_reply *reply, struct err *err)
{
    struct reload r = {.p = p, .reply = reply};

    r.urls = mem_new(STATUS_MAX_SINKS + 1, sizeof(*r.urls));
    pthread_mutex_lock(&p->change);
    enum st st = atomic_load(&p->is_stopping) ? err_set(err, ST_AGAIN, "stopping") : apply(&r, err);
    pthread_mutex_unlock(&p->change);
    alerts_free(r.alerts); /* what was taken over is the pipeline's */
    config_release(&r.config);
    mem_free(r.urls);
    return st;
}

/* ---- asked for by a signal ---- */

static bool take_wish(struct pipeline *p)
{
    pthread_mutex_lock(&p->reload_lock);
    bool is_wanted = p->is_reload_wanted && !atomic_load(&p->is_stopping);
    p->is_reload_wanted = false;
    p->is_reloading = is_wanted;
    pthread_mutex_unlock(&p->reload_lock);
    return is_wanted;
}

static void *reload_main(void *arg)
{
    struct pipeline *p = arg;

    while (take_wish(p)) {
        struct err err = ERR_INIT;
        if (reload_apply(p, NULL, &err) == ST_REJECT)
            log_error("reload", "not all was applied", LOG_Z("error", err.msg));
    }
    return NULL;
}

void pipeline_reload(struct pipeline *p)
{
    pthread_mutex_lock(&p->reload_lock);
    p->is_reload_wanted = true;
    if (!p->is_reloading) {
        if (p->has_reload_thread)
            pthread_join(p->reload_thread, NULL); /* it has nothing more to do */
        p->is_reloading = pthread_create(&p->reload_thread, NULL, reload_main, p) == 0;
        p->has_reload_thread = p->is_reloading;
        if (!p->is_reloading)
            log_error("reload", "the system gives no more threads; try again later");
    }
    pthread_mutex_unlock(&p->reload_lock);
}

bool pipeline_is_reloading(struct pipeline *p)
{
    pthread_mutex_lock(&p->reload_lock);
    bool is_reloading = p->is_reloading;
    pthread_mutex_unlock(&p->reload_lock);
    return is_reloading;
}

enum st reload_stop(struct pipeline *p, int64_t deadline_us, struct err *err)
{
    if (!p->has_reload_thread)
        return ST_OK;
    while (pipeline_is_reloading(p)) {
        if (clock_mono_us(p->clock) >= deadline_us)
            return err_set(err, ST_FATAL,
                           "a reload did not end in time: look at what the configuration is read "
                           "from");
        nanosleep(&(struct timespec){.tv_nsec = NAP_US * 1000}, NULL);
    }
    pthread_join(p->reload_thread, NULL); /* it has nothing more to do */
    p->has_reload_thread = false;
    return ST_OK;
}
