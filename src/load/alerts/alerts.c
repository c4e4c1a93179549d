/* alerts:DATA/alerts.db judges the polls that pass, and fills the outbox: rows it keeps none.
 *
 * It is a sink so that it is a reader of the tape like any other: a thread, an offset that moves
 * in the transaction of what was made of the polls, retention, lag, retries. The rules come from
 * the settings, not from the URL. A stream it has not read begins with what is not old yet, as
 * nobody wants to be told of last year; so does one whose tape is another now.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/store.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "load/alerts/past.h"
#include "load/alerts/see.h"
#include "load/drivers.h"
#include "tape/tape.h"

#include <stdio.h>

#define MAX_STREAMS 256 /* as LOADER_MAX_STREAMS */

struct watched {
    char uuid[SINK_UUID_TEXT];
    struct alert_position at; /* within a batch */
};

struct alerts_sink {
    struct alerts *alerts;
    struct alert_store *store;
    struct watched *streams;
    size_t n_streams;
    struct alert_state *states; /* of each rule, on the stream of its job */
    bool is_in_batch;
    bool has_fired;     /* … in it */
    bool is_outbox_new; /* since it was tidied */
};

static enum st alerts_check(const struct sink_url *url, struct err *err)
{
    if (url->given == NULL)
        return err_set(err, ST_REJECT,
                       "%s: alerts are no sink to name; write them under alerts: in geckotape.yaml",
                       url->shown);
    return ST_OK;
}

static void tell(struct sink *s, const char *text)
{
    if (s->tell)
        s->tell(s->tell_ctx, text);
}

static enum st alerts_open(struct sink *s, struct err *err)
{
    struct alerts_sink *me = s->state;
    struct alert_name names[ALERTS_MAX];
    int64_t n_dropped = 0;
    char text[128];

    me->alerts = s->url->given;
    me->states = mem_new(ALERTS_MAX, sizeof(*me->states));
    me->streams = mem_new(MAX_STREAMS, sizeof(*me->streams));
    me->is_outbox_new = true;
    for (size_t i = 0; i < alerts_count(me->alerts); i++)
        names[i] = (struct alert_name){.key = alerts_at(me->alerts, i)->key,
                                       .when = alerts_at(me->alerts, i)->rule.when};
    enum st st = alert_store_open(s->url->rest, &me->store, err);
    if (st == ST_OK)
        st = alert_store_begin(me->store, err);
    if (st == ST_OK)
        st = alert_store_keep(me->store, names, alerts_count(me->alerts), &n_dropped, err);
    if (st == ST_OK)
        st = alert_store_commit(me->store, err);
    if (st == ST_OK && n_dropped > 0) {
        snprintf(text, sizeof(text), "%lld messages of rules that are gone are not sent",
                 (long long)n_dropped);
        tell(s, text);
    }
    return st;
}

static void drop_batch(struct alerts_sink *me)
{
    alert_store_rollback(me->store);
    me->is_in_batch = me->has_fired = false;
}

static struct watched *find_stream(const struct alerts_sink *me, const char *uuid)
{
    for (size_t i = 0; i < me->n_streams; i++)
        if (strcmp(me->streams[i].uuid, uuid) == 0)
            return &me->streams[i];
    return NULL;
}

static bool is_of(const struct alert *alert, const struct stream_id *stream)
{
    return strcmp(alert->rule.job, stream->job) == 0;
}

/* ---- where a stream begins ---- */

/* Values from before a rule that compares with them. */
static enum st warm_up(const struct alert *alert, const char *dir, uint64_t until, int64_t now_us,
                       struct alert_state *state, struct err *err)
{
    const struct stream_id *stream;
    struct gathered *poll = NULL;
    struct alerts_past *past = NULL;
    struct alert_seen seen;

    enum st st = alerts_past_open(dir, now_us - 2 * alert->rule.span_us, until, &past, err);
    do {
        if (st == ST_OK)
            st = alerts_past_next(past, &stream, &poll, err);
        if (st != ST_OK || poll == NULL)
            break;
        const struct alerts_poll what = {
            .stream = stream, .end = &poll->end, .rows = poll->has_rows ? &poll->rows : NULL};
        if (alerts_see(&alert->rule, &what, &seen))
            alert_note(&alert->rule, state, &seen);
    } while (poll);
    alerts_past_close(past);
    return st;
}

static enum st write_state(struct alerts_sink *me, const struct alert *alert, const char *uuid,
                           struct alert_state *state, struct err *err)
{
    enum st st = alert_store_set_state(me->store, alert->key, uuid, state, err);
    state->has_new_sample = state->has_new_sample && st != ST_OK;
    return st;
}

/* The first state of a rule: its samples, one after the other. */
static enum st write_first(struct alerts_sink *me, const struct alert *alert, const char *uuid,
                           struct alert_state *state, struct err *err)
{
    const size_t n = state->n_samples;
    size_t i = n > 0;
    enum st st;

    do {
        state->n_samples = i;
        state->has_new_sample = i > 0;
        st = write_state(me, alert, uuid, state, err);
    } while (st == ST_OK && ++i <= n);
    state->n_samples = n;
    return st;
}

static enum st read_states(struct sink *s, const struct stream_id *stream, const char *dir,
                           const struct watched *w, struct err *err)
{
    struct alerts_sink *me = s->state;
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < alerts_count(me->alerts); i++) {
        const struct alert *alert = alerts_at(me->alerts, i);
        struct alert_state *state = &me->states[i];
        bool is_there;
        if (!is_of(alert, stream))
            continue;
        alert_state_release(state);
        st = alert_store_state(me->store, alert->key, w->uuid, &is_there, state, err);
        if (st != ST_OK || is_there)
            continue;
        if (alert->rule.kind == ALERT_CHANGE && w->at.offset > 0)
            st = warm_up(alert, dir, w->at.offset, clock_wall_us(s->clock), state, err);
        if (st == ST_OK)
            st = write_first(me, alert, w->uuid, state, err);
    }
    return st;
}

static enum st find_begin(struct sink *s, const char *dir, struct watched *w, struct err *err)
{
    struct alerts_sink *me = s->state;
    bool is_there = false, is_ours = false;
    struct position at = {.offset = 0};

    enum st st = alert_store_position(me->store, w->uuid, &is_there, &w->at, err);
    if (st == ST_OK && is_there) {
        at = (struct position){.offset = w->at.offset, .hash = w->at.hash};
        st = alerts_past_has(dir, &at, &is_ours, err);
        if (st == ST_OK && !is_ours)
            tell(s, "the tape is not the one that was read last, or lacks what "
                    "follows; alerts go on with its newest polls");
    }
    if (st != ST_OK || is_ours)
        return st;
    st = alerts_past_position(dir, clock_wall_us(s->clock) - ALERT_OLD_US, &at, err);
    w->at = (struct alert_position){.offset = at.offset, .hash = at.hash};
    return st;
}

static enum st begin_stream(struct sink *s, const struct stream_id *stream, struct watched *w,
                            struct err *err)
{
    struct alerts_sink *me = s->state;
    char dir[1024];

    enum st st = tape_stream_dir(alerts_data_dir(me->alerts), stream->job, dir, err);
    if (st == ST_OK)
        st = alert_store_begin(me->store, err);
    if (st == ST_OK)
        st = find_begin(s, dir, w, err);
    if (st == ST_OK)
        st = read_states(s, stream, dir, w, err);
    if (st == ST_OK)
        st = alert_store_set_position(me->store, w->uuid, stream->job, &w->at, err);
    if (st == ST_OK)
        st = alert_store_commit(me->store, err);
    return st;
}

static enum st alerts_attach(struct sink *s, const struct stream_id *stream,
                             struct position *ret_position, struct err *err)
{
    struct alerts_sink *me = s->state;
    char uuid[SINK_UUID_TEXT];

    drop_batch(me);
    sink_uuid_text(stream, uuid);
    struct watched *w = find_stream(me, uuid);
    if (w == NULL && me->n_streams == MAX_STREAMS)
        return err_set(err, ST_FATAL, "%s: more than %d streams", s->url->shown, MAX_STREAMS);
    w = w ? w : &me->streams[me->n_streams];
    snprintf(w->uuid, sizeof(w->uuid), "%s", uuid);
    enum st st = begin_stream(s, stream, w, err);
    if (st != ST_OK) {
        drop_batch(me);
        return err_wrap(err, st == ST_REJECT ? ST_FATAL : st, "job %s: ", stream->job);
    }
    me->n_streams += w == &me->streams[me->n_streams];
    *ret_position = (struct position){.offset = w->at.offset, .hash = w->at.hash};
    return ST_OK;
}

/* ---- polls ---- */

static enum st fire(struct sink *s, const struct alert *alert, const struct alerts_poll *poll,
                    const struct alert_event *event, struct err *err)
{
    struct alerts_sink *me = s->state;
    const bool is_old = clock_wall_us(s->clock) - event->at_us > ALERT_OLD_US;
    struct alert_fact fact;

    alerts_fact(alert, poll, event, &fact);
    enum st st = alert_store_add(me->store, alert->key, is_old, &fact, err);
    if (st != ST_OK)
        return st;
    me->has_fired = true;
    metric_add(METRIC_ALERTS_FIRED, alert->rule.when, NULL, 1);
    log_info("alert", "an alert fires", LOG_Z("rule", alert->rule.when), LOG_Z("job", fact.job),
             LOG_Z("what", fact.said));
    return ST_OK;
}

static bool is_same(const struct alert_state *a, const struct alert_state *b)
{
    return a->since_us == b->since_us && a->has_fired == b->has_fired && a->mark_us == b->mark_us &&
           !a->has_new_sample;
}

static enum st judge(struct sink *s, const struct alerts_poll *poll, const char *uuid,
                     struct err *err)
{
    struct alerts_sink *me = s->state;
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < alerts_count(me->alerts); i++) {
        const struct alert *alert = alerts_at(me->alerts, i);
        struct alert_state *state = &me->states[i];
        const struct alert_state before = *state;
        struct alert_event event;
        struct alert_seen seen;
        if (!is_of(alert, poll->stream) || !alerts_see(&alert->rule, poll, &seen))
            continue;
        if (alert_judge(&alert->rule, state, &seen, &event))
            st = fire(s, alert, poll, &event, err);
        if (st == ST_OK && !is_same(state, &before))
            st = write_state(me, alert, uuid, state, err);
    }
    return st;
}

static enum st count_spent(struct alerts_sink *me, const struct watched *w,
                           struct alerts_poll *poll, struct err *err)
{
    int64_t others = 0;
    enum st st = ST_OK;

    poll->budget = alerts_budget(me->alerts);
    if (poll->budget > 0)
        st = alert_store_spent(me->store, w->uuid, poll->end->credits_key,
                               poll->end->credits_from_us, &others, err);
    poll->spent = (int64_t)poll->end->credits_spent + others;
    return st;
}

static enum st take(struct sink *s, const struct sink_load *load, struct watched *w,
                    struct err *err)
{
    struct alerts_sink *me = s->state;
    struct alerts_poll poll = {.stream = load->stream,
                               .end = load->end,
                               .pages = load->pages,
                               .n_pages = load->n_pages,
                               .rows = load->rows,
                               .is_simulated = s->is_simulated};

    enum st st = me->is_in_batch ? ST_OK : alert_store_begin(me->store, err);
    me->is_in_batch = st == ST_OK;
    if (st == ST_OK)
        st = count_spent(me, w, &poll, err);
    if (st == ST_OK)
        st = judge(s, &poll, w->uuid, err);
    w->at = (struct alert_position){.offset = load->new.offset,
                                    .hash = load->new.hash,
                                    .credits_key = load->end->credits_key,
                                    .credits_from_us = load->end->credits_from_us,
                                    .credits_spent = load->end->credits_spent};
    if (st == ST_OK && load->is_last)
        st = alert_store_set_position(me->store, w->uuid, load->stream->job, &w->at, err);
    if (st == ST_OK && load->is_last)
        st = alert_store_commit(me->store, err);
    return st;
}

static enum st alerts_load(struct sink *s, const struct sink_load *load,
                           struct sink_result *ret_result, struct err *err)
{
    struct alerts_sink *me = s->state;
    char uuid[SINK_UUID_TEXT];

    sink_uuid_text(load->stream, uuid);
    struct watched *w = find_stream(me, uuid);
    if (w == NULL || w->at.offset != load->old.offset)
        return err_set(err, ST_AGAIN, "%s: job %s is not attached there", s->url->shown,
                       load->stream->job);
    enum st st = take(s, load, w, err);
    if (st != ST_OK) {
        drop_batch(me);
        return st == ST_REJECT ? ST_FATAL : st; /* of the file, not of the poll */
    }
    if (load->is_last) {
        me->is_in_batch = false;
        if (me->has_fired)
            alerts_wake(me->alerts);
        me->is_outbox_new |= me->has_fired;
        me->has_fired = false;
    }
    *ret_result = (struct sink_result){.n_stored = 0};
    return ST_OK;
}

/* All is read: what a backlog held back may go, one message of each rule. */
static enum st alerts_tidy(struct sink *s, bool *ret_has_more, struct err *err)
{
    struct alerts_sink *me = s->state;

    *ret_has_more = false;
    if (!me->is_outbox_new)
        return ST_OK;
    enum st st = alert_store_release(me->store, err);
    if (st != ST_OK)
        return st == ST_REJECT ? ST_FATAL : st;
    me->is_outbox_new = false;
    alerts_wake(me->alerts);
    return ST_OK;
}

static void alerts_close(struct sink *s)
{
    struct alerts_sink *me = s->state;

    for (size_t i = 0; me->states && i < ALERTS_MAX; i++)
        alert_state_release(&me->states[i]);
    alert_store_close(me->store);
    mem_free(me->states);
    mem_free(me->streams);
    *me = (struct alerts_sink){.alerts = NULL};
}

const struct sink_driver sink_alerts = {
    .scheme = "alerts",
    .summary = "what alerts: of the settings makes of it",
    .example = NULL, /* the settings name rules, and not it */
    .state_size = sizeof(struct alerts_sink),
    .is_path = true,
    .check = alerts_check,
    .open = alerts_open,
    .attach = alerts_attach,
    .load = alerts_load,
    .tidy = alerts_tidy,
    .close = alerts_close,
};
