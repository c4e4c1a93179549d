/* Messages go from the outbox to their receivers: one at a time to each, to all at once, so that
 * who hangs holds up nobody else. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/inner.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

#define BACKOFF_FIRST (2 * US_PER_S)
#define LOOK_US       US_PER_S        /* after an error of the outbox */
#define IDLE_US       (60 * US_PER_S) /* who puts something in wakes us */
#define NAP_US        (5 * US_PER_MS)

void deliver_init(struct alerts *a)
{
    a->receivers = mem_new(ALERTS_MAX, sizeof(*a->receivers));
    buf_init(&a->text, ALERT_TEXT_MAX);
    buf_init(&a->json, ALERT_TEXT_MAX);
    pthread_mutex_init(&a->lock, NULL);
    a->multi = curl_multi_init();
}

/* An end of what is on its way, whatever becomes of it. */
static void drop_send(struct alerts *a, struct receiver *r)
{
    if (r->send == NULL)
        return;
    if (alert_send_handle(r->send))
        curl_multi_remove_handle(a->multi, alert_send_handle(r->send));
    alert_send_free(r->send);
    r->send = NULL;
}

/* Whom was stopped wakes nobody any more, and keeps no files. */
static void close_all(struct alerts *a)
{
    for (size_t i = 0; i < ALERTS_MAX; i++)
        drop_send(a, &a->receivers[i]);
    alert_store_close(a->store);
    a->store = NULL;
    pthread_mutex_lock(&a->lock);
    curl_multi_cleanup(a->multi);
    a->multi = NULL;
    pthread_mutex_unlock(&a->lock);
}

void deliver_release(struct alerts *a)
{
    close_all(a);
    buf_release(&a->text);
    buf_release(&a->json);
    pthread_mutex_destroy(&a->lock);
    mem_free(a->receivers);
}

/* ---- what became of a message ---- */

static void note_outage(struct alerts *a, struct receiver *r, const struct err *why)
{
    if (r->retry_at_us == 0) /* an outage is logged at its start and its end */
        log_warn("alert", "an alert cannot be delivered now; it is kept, and tried again",
                 LOG_Z("rule", a->all[r->rule].rule.when), LOG_Z("error", why->msg));
    r->backoff_us = r->backoff_us == 0 ? BACKOFF_FIRST : 2 * r->backoff_us;
    if (r->backoff_us > ALERT_BACKOFF_MAX_US)
        r->backoff_us = ALERT_BACKOFF_MAX_US;
    r->retry_at_us = clock_mono_us(a->clock) + r->backoff_us;
}

/* The receiver works, and does not want this one: the next goes on, this one later again, and at
 * last it is put aside. */
static enum st note_refusal(struct alerts *a, struct receiver *r, const struct err *why,
                            struct err *err)
{
    const struct alert_rule *rule = &a->all[r->rule].rule;
    const int64_t n_tries = r->message.n_tries + 1;

    r->retry_at_us = r->backoff_us = 0;
    if (n_tries >= ALERT_TRIES_MAX) {
        metric_add(METRIC_ALERTS_PUT_ASIDE, rule->when, NULL, 1);
        log_error("alert", "an alert is refused again and again, and put aside",
                  LOG_Z("rule", rule->when), LOG_Z("what", r->message.fact.said),
                  LOG_Z("error", why->msg));
        return alert_store_put_aside(a->store, r->message.number, why->msg, err);
    }
    if (n_tries == 1)
        log_warn("alert", "an alert is refused; it is tried some more times",
                 LOG_Z("rule", rule->when), LOG_Z("error", why->msg));
    int64_t backoff_us = BACKOFF_FIRST << (n_tries - 1);
    if (backoff_us > ALERT_BACKOFF_MAX_US)
        backoff_us = ALERT_BACKOFF_MAX_US;
    return alert_store_put_off(a->store, r->message.number, n_tries,
                               clock_wall_us(a->clock) + backoff_us, err);
}

static void note_success(struct alerts *a, struct receiver *r)
{
    const struct alert *alert = &a->all[r->rule];
    const char *refusal = alert_send_refusal(r->send);

    metric_add(METRIC_ALERTS_DELIVERED, alert->rule.when, NULL, 1);
    log_info("alert", "an alert was delivered", LOG_Z("rule", alert->rule.when),
             LOG_Z("to", alert->to.shown), LOG_Z("what", r->message.fact.said));
    if (refusal[0])
        log_warn("alert", "not all addresses of an alert were taken",
                 LOG_Z("rule", alert->rule.when), LOG_Z("to", alert->to.shown),
                 LOG_Z("error", refusal));
    r->retry_at_us = r->backoff_us = 0;
    r->taken = r->message.number;
}

/* Nothing is sent before it is done: a full disk does not make one alert a hundred. */
static enum st drop_taken(struct alerts *a, struct receiver *r, struct err *err)
{
    enum st st = r->taken != 0 ? alert_store_delete(a->store, r->taken, err) : ST_OK;

    if (st == ST_OK)
        r->taken = 0;
    return st;
}

static enum st finish(struct alerts *a, struct receiver *r, CURLcode code, struct err *err)
{
    struct err why = ERR_INIT;
    enum st st = ST_OK;

    switch (alert_send_result(r->send, (int)code, &why)) {
    case ST_OK:
        note_success(a, r);
        st = drop_taken(a, r, err);
        break;
    case ST_REJECT:
        metric_add(METRIC_ALERTS_FAILED, a->all[r->rule].rule.when, NULL, 1);
        st = note_refusal(a, r, &why, err);
        break;
    case ST_AGAIN:
    case ST_FATAL:
        metric_add(METRIC_ALERTS_FAILED, a->all[r->rule].rule.when, NULL, 1);
        note_outage(a, r, &why);
        break;
    }
    drop_send(a, r);
    return st;
}

/* ---- what goes on its way ---- */

/* The oldest message of the receiver's rules that is due. *wait_us shrinks to when one will be. */
static enum st find_message(struct alerts *a, size_t first, struct alert_waiting *ret_message,
                            size_t *ret_rule, int64_t *wait_us, struct err *err)
{
    const int64_t now_us = clock_wall_us(a->clock);
    struct alert_waiting m;
    enum st st = ST_OK;

    ret_message->number = 0;
    for (size_t i = first; st == ST_OK && i < a->n; i++) {
        if (strcmp(a->all[i].to.text, a->all[first].to.text) != 0)
            continue;
        st = alert_store_next(a->store, a->all[i].key, now_us, &m, err);
        if (st != ST_OK || m.number == 0)
            continue;
        if (m.due_in_us > 0) {
            *wait_us = m.due_in_us < *wait_us ? m.due_in_us : *wait_us;
        } else if (ret_message->number == 0 || m.number < ret_message->number) {
            *ret_message = m;
            *ret_rule = i;
        }
    }
    return st;
}

static void wake(void *ctx)
{
    alerts_wake(ctx);
}

static bool begin(struct alerts *a, struct alert_send *send)
{
    return alert_send_handle(send)
               ? curl_multi_add_handle(a->multi, alert_send_handle(send)) == CURLM_OK
               : alert_send_begin(send, wake, a);
}

static void send_message(struct alerts *a, struct receiver *r)
{
    const struct alert *alert = &a->all[r->rule];
    const struct alert_fact *fact = &r->message.fact;
    const int64_t now_us = clock_wall_us(a->clock);
    struct err why = ERR_INIT;

    alert_fact_write(&alert->rule, fact, now_us, &a->text, &a->json);
    const struct alert_message message = {.id = fact->id,
                                          .subject = buf_str(&a->text),
                                          .text = buf_str(&a->text),
                                          .json = buf_str(&a->json),
                                          .now_us = now_us};
    r->send = alert_send_new(&alert->to, &message);
    if (r->send == NULL || !begin(a, r->send)) {
        alert_send_free(r->send);
        r->send = NULL;
        err_ignore(err_set(&why, ST_AGAIN, "%s: no memory", alert->to.shown));
        note_outage(a, r, &why);
    }
}

/* The first rule with this one's channel. */
static size_t receiver_of(const struct alerts *a, size_t rule)
{
    size_t i = 0;

    while (strcmp(a->all[i].to.text, a->all[rule].to.text) != 0)
        i++;
    return i;
}

static enum st start_next(struct alerts *a, size_t i, int64_t *wait_us, struct err *err)
{
    struct receiver *r = &a->receivers[i];
    const int64_t left_us = r->retry_at_us - clock_mono_us(a->clock);

    if (receiver_of(a, i) != i || r->send)
        return ST_OK;
    enum st st = drop_taken(a, r, err);
    if (st != ST_OK)
        return st;
    if (r->retry_at_us != 0 && left_us > 0) {
        *wait_us = left_us < *wait_us ? left_us : *wait_us;
        return ST_OK;
    }
    st = find_message(a, i, &r->message, &r->rule, wait_us, err);
    if (st == ST_OK && r->message.number != 0)
        send_message(a, r);
    return st;
}

/* ---- rounds ---- */

static bool has_sends(const struct alerts *a)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->receivers[i].send)
            return true;
    return false;
}

static void take_result(struct alerts *a, struct receiver *r, CURLcode code, enum st *st,
                        struct err *err)
{
    struct err why = ERR_INIT;
    enum st one = finish(a, r, code, &why);

    if (one == ST_OK || *st != ST_OK)
        return;
    *st = one;
    *err = why;
}

/* *ret_n: messages of which it is known now what became of them. */
static enum st take_results(struct alerts *a, size_t *ret_n, struct err *err)
{
    enum st st = ST_OK;
    int n_left;

    *ret_n = 0;
    for (size_t i = 0; i < a->n; i++) {
        if (a->receivers[i].send == NULL || !alert_send_is_over(a->receivers[i].send))
            continue;
        take_result(a, &a->receivers[i], CURLE_OK, &st, err);
        *ret_n += 1;
    }
    for (const CURLMsg *m; (m = curl_multi_info_read(a->multi, &n_left)) != NULL;) {
        const CURLcode code = m->data.result;
        size_t i = 0;
        while (a->receivers[i].send == NULL ||
               alert_send_handle(a->receivers[i].send) != m->easy_handle)
            i++;
        take_result(a, &a->receivers[i], code, &st, err);
        *ret_n += 1;
    }
    return st;
}

/* Put on its way what may go, and see what became of the rest. */
static enum st go_on(struct alerts *a, size_t *ret_n_done, int64_t *ret_wait_us, struct err *err)
{
    struct err start_err = ERR_INIT;
    int n_running;

    *ret_wait_us = IDLE_US;
    enum st started = a->store ? ST_OK : alert_store_open(a->path, &a->store, &start_err);
    for (size_t i = 0; started == ST_OK && i < a->n; i++)
        started = start_next(a, i, ret_wait_us, &start_err);
    curl_multi_perform(a->multi, &n_running);
    enum st st = take_results(a, ret_n_done, err);
    if (st == ST_OK && started != ST_OK) {
        *err = start_err;
        st = started;
    }
    if (st != ST_OK)
        *ret_wait_us = LOOK_US;
    return st;
}

static void tell_of_outbox(bool *is_down, enum st st, const struct err *err)
{
    if (st != ST_OK && !*is_down)
        log_warn("alert", "the outbox cannot be read or written now; it is tried again",
                 LOG_Z("error", err->msg));
    if (st == ST_OK && *is_down)
        log_info("alert", "the outbox works again");
    *is_down = st != ST_OK;
}

static void *deliver_main(void *arg)
{
    struct alerts *a = arg;
    int64_t wait_us = IDLE_US; /* at first: the sink makes the file, and then wakes us */
    size_t n_done = 0;
    bool is_down = false;

    while (!atomic_load(&a->is_cancelled)) {
        struct err err = ERR_INIT;
        if (n_done == 0) /* else its receiver may have another */
            curl_multi_poll(a->multi, NULL, 0, (int)(wait_us / US_PER_MS) + 1, NULL);
        const bool is_last = atomic_load(&a->is_stopping); /* seen before: nothing comes after it */
        tell_of_outbox(&is_down, go_on(a, &n_done, &wait_us, &err), &err);
        if (is_last && n_done == 0 && !has_sends(a))
            break;
    }
    atomic_store(&a->has_left, true);
    return NULL;
}

enum st alerts_start(struct alerts *a, struct err *err)
{
    int rc = a->multi ? pthread_create(&a->thread, NULL, deliver_main, a) : ENOMEM;

    if (rc != 0)
        return err_sys(err, ST_FATAL, rc, "start a thread");
    a->is_running = true;
    return ST_OK;
}

void alerts_wake(struct alerts *a)
{
    pthread_mutex_lock(&a->lock);
    if (a->multi)
        curl_multi_wakeup(a->multi);
    pthread_mutex_unlock(&a->lock);
}

void alerts_stop(struct alerts *a, int64_t deadline_us)
{
    if (a == NULL || !a->is_running)
        return;
    atomic_store(&a->is_stopping, true);
    alerts_wake(a);
    while (!atomic_load(&a->has_left) && clock_mono_us(a->clock) < deadline_us)
        nanosleep(&(struct timespec){.tv_nsec = NAP_US * 1000}, NULL);
    atomic_store(&a->is_cancelled, true);
    alerts_wake(a);
    pthread_join(a->thread, NULL);
    a->is_running = false;
    close_all(a); /* a reload keeps who was stopped */
}

enum st alerts_flush(struct alerts *a, struct err *err)
{
    size_t n_done = 0, n_left = 0;
    int64_t wait_us;

    enum st st = a->store ? ST_OK : alert_store_open(a->path, &a->store, err);
    if (st == ST_OK)
        st = alert_store_retry(a->store, err);
    while (st == ST_OK) {
        st = go_on(a, &n_done, &wait_us, err);
        if (st == ST_OK && n_done == 0 && !has_sends(a))
            break;
        if (st == ST_OK && n_done == 0)
            curl_multi_poll(a->multi, NULL, 0, (int)(LOOK_US / US_PER_MS), NULL);
    }
    if (st == ST_OK)
        st = alert_store_count(a->store, &n_left, err);
    if (st == ST_OK && n_left > 0)
        st =
            err_set(err, ST_AGAIN, "%zu alert%s could not be delivered, and wait for the next time",
                    n_left, n_left == 1 ? "" : "s");
    return st;
}
