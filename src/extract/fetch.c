/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/fetch.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>

void fetcher_init(struct fetcher *f, const struct extract_job *upstream,
                  const struct extract_events *events, struct poller *p)
{
    *f = (struct fetcher){.events = events, .is_on = upstream != NULL};
    pthread_mutex_init(&f->lock, NULL);
    if (upstream == NULL)
        return;
    f->waiting = mem_new(FETCH_MAX_WAITING, sizeof(*f->waiting));
    f->of = *upstream;
    f->of.selection = (struct selection){.kind = SELECT_WHOLE, .target = ""};
    poll_job_init(&f->job, &f->of, p);
}

void fetcher_release(struct fetcher *f)
{
    if (f->is_on)
        poll_job_release(&f->job);
    mem_free(f->waiting);
    pthread_mutex_destroy(&f->lock);
}

uint64_t fetch_add(struct fetcher *f, struct str target, int64_t deadline_us)
{
    uint64_t ticket = 0;

    pthread_mutex_lock(&f->lock);
    if (f->is_on && !f->is_closed && f->n_waiting < FETCH_MAX_WAITING &&
        target.len <= ENDPOINT_MAX_TARGET) {
        struct fetch *fetch = &f->waiting[f->n_waiting++];
        fetch->ticket = ticket = ++f->last_ticket;
        fetch->deadline_us = deadline_us;
        memcpy(fetch->target, target.p, target.len);
        fetch->target[target.len] = '\0';
    }
    pthread_mutex_unlock(&f->lock);
    return ticket;
}

/* Take the ith out; the lock is held. */
static void drop(struct fetcher *f, size_t i)
{
    f->n_waiting--;
    memmove(&f->waiting[i], &f->waiting[i + 1], (f->n_waiting - i) * sizeof(f->waiting[0]));
}

static void tell(const struct fetcher *f, uint64_t ticket, const struct extract_fetched *fetched)
{
    if (f->events->fetched)
        f->events->fetched(f->events->ctx, ticket, fetched);
}

static bool is_cause(const char *cause, const char *name)
{
    return cause && strcmp(cause, name) == 0;
}

/* One line when upstream is in trouble, one when that is over. What a caller asked for wrongly is
 * none. */
static void report(struct fetcher *f, const char *cause, struct str error)
{
    if (is_cause(cause, answer_class_name(ANSWER_PERMANENT)) || is_cause(cause, CAUSE_STOPPED))
        return;
    if (cause && f->trouble == NULL)
        log_warn("extract", "what callers ask for cannot be fetched", LOG_Z("cause", cause),
                 LOG_S("error", error));
    else if (cause == NULL && f->trouble)
        log_info("extract", "what callers ask for is fetched again", LOG_Z("after", f->trouble));
    f->trouble = cause;
}

int64_t fetch_ready_at(const struct poller *p, int64_t now_us)
{
    const int64_t wall_us = clock_wall_us(p->clock);
    const int64_t ready_us = limiter_ready_at(&p->limiter, now_us);
    const struct budget_state budget = budget_now(&p->budget, wall_us);
    const int64_t period_us = now_us + (budget.period.until_us - wall_us);

    return budget.left == 0 && period_us > ready_us ? period_us : ready_us;
}

/* Why nobody can have a turn before then. */
static void refuse(struct fetcher *f, const struct poller *p, uint64_t ticket, int64_t wait_us)
{
    const struct budget_state budget = budget_now(&p->budget, clock_wall_us(p->clock));
    char error[BUDGET_MAX_TEXT] = "the limit of calls leaves it no turn in time";

    if (budget.left == 0) {
        budget_explain(&p->budget, &budget, error);
        report(f, CAUSE_BUDGET, str_of(error));
    }
    tell(f, ticket,
         &(struct extract_fetched){.end = FETCH_NO_TURN, .wait_us = wait_us, .error = error});
}

bool fetch_is_wanted(struct fetcher *f, struct poller *p)
{
    bool is_late;

    if (!f->is_on)
        return false;
    const int64_t now_us = clock_mono_us(p->clock);
    const int64_t ready_us = fetch_ready_at(p, now_us);
    do {
        pthread_mutex_lock(&f->lock);
        uint64_t ticket = 0;
        for (size_t i = 0; ticket == 0 && i < f->n_waiting; i++)
            if (f->waiting[i].deadline_us < ready_us) {
                ticket = f->waiting[i].ticket;
                drop(f, i);
            }
        is_late = ticket != 0;
        pthread_mutex_unlock(&f->lock);
        if (is_late)
            refuse(f, p, ticket, ready_us - now_us);
    } while (is_late);
    pthread_mutex_lock(&f->lock);
    const bool is_wanted = f->n_waiting > 0;
    pthread_mutex_unlock(&f->lock);
    return is_wanted;
}

/* By the poll that was made of it. A clock that is off spoils the poll, and not the answer. */
static void judge(const struct fetcher *f, const struct poller *p, const struct poll_result *result,
                  bool is_on_tape, struct extract_fetched *ret)
{
    const struct poll *poll = &f->job.poll;
    const int64_t now_us = clock_mono_us(p->clock);

    *ret = (struct extract_fetched){.end = FETCH_ANSWERED, .error = poll->error};
    if (!is_on_tape || is_cause(result->cause, CAUSE_TAPE))
        ret->end = FETCH_NOT_KEPT;
    else if (is_cause(result->cause, CAUSE_STOPPED))
        ret->end = FETCH_STOPPED;
    else if (poll->attempts == 0)
        ret->end = FETCH_NO_TURN;
    else if (is_cause(result->cause, CAUSE_TRANSPORT))
        ret->end = FETCH_NO_ANSWER;
    ret->wait_us = fetch_ready_at(p, now_us) - now_us;
    if (ret->end != FETCH_ANSWERED)
        return;
    ret->is_good = result->cause == NULL || is_cause(result->cause, CAUSE_CLOCK);
    ret->status = p->answer.status;
    ret->headers = buf_str(&p->answer.headers);
    ret->body = buf_str(&p->answer.body);
}

enum st fetch_next(struct fetcher *f, struct poller *p, int64_t until_us, struct err *err)
{
    struct poll_result result = {.outcome = POLL_FAILED};
    struct extract_fetched fetched;
    struct fetch fetch;
    enum st st = ST_OK;

    pthread_mutex_lock(&f->lock);
    fetch = f->waiting[0];
    drop(f, 0);
    pthread_mutex_unlock(&f->lock);
    f->of.selection.target = fetch.target;
    f->n_passed = 0;
    poll_begin(p, &f->job,
               &(struct poll_plan){
                   .slot_us = clock_wall_us(p->clock), .deadline_us = until_us, .max_attempts = 1});
    while (st == ST_OK && f->job.is_polling)
        st = poll_step(p, &f->job, &result, err);
    f->of.selection.target = "";
    if (st == ST_OK || st == ST_AGAIN)
        report(f, result.cause, result.end.error);
    judge(f, p, &result, st == ST_OK, &fetched);
    if (st != ST_OK)
        fetched.error = err->msg;
    tell(f, fetch.ticket, &fetched);
    return st;
}

void fetch_close(struct fetcher *f)
{
    const struct extract_fetched stopped = {.end = FETCH_STOPPED, .error = "stopped"};
    uint64_t ticket;

    do {
        pthread_mutex_lock(&f->lock);
        f->is_closed = true;
        ticket = f->n_waiting > 0 ? f->waiting[0].ticket : 0;
        if (ticket != 0)
            drop(f, 0);
        pthread_mutex_unlock(&f->lock);
        if (ticket != 0)
            tell(f, ticket, &stopped);
    } while (ticket != 0);
}
