/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/extract.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "extract/fetch.h"
#include "extract/mailbox.h"
#include "extract/shown.h"

#include <stdio.h>

#define LONGEST_NAP_US US_PER_S /* then look at the wall clock again: it may have jumped */
#define ASK_KEY_US     (6 * 3600 * US_PER_S)
#define DOUBT_KEY_US   (600 * US_PER_S)
#define SILENT_KEY_US  (3600 * US_PER_S)
#define RECONSIDER_US  (600 * US_PER_S) /* what is promised, by what the budget has left */
#define SWEEP_SHARE    4 /* of so many calls while a sweep is under way one may be another's */

struct extract {
    struct extract_setup setup; /* its jobs: see mailbox */
    struct mailbox mailbox;
    struct waiter waiter;
    struct poller poller;
    struct fetcher fetcher;
    struct task **tasks; /* one a job, in the jobs' order; then those that are leaving */
    size_t n_tasks;
    size_t next;              /* who comes first among those equally due */
    size_t next_sweep;        /* whose page is next */
    bool was_slot;            /* the turn before was a slot's, not a wish's */
    bool is_key_met;          /* asked for, or known to be good */
    bool is_settled;          /* what the process before had under way is on the tape */
    bool is_running;          /* extract_run(): what failed will be tried again */
    int64_t reconsider_at_us; /* monotonic */
    int64_t ask_key_at_us;    /* monotonic: /key again, for what others spend … */
    int64_t doubt_key_at_us;  /* … and not before this when calls are refused */
};

/* ---- the jobs ---- */

static struct task *find_task(const struct extract *e, const char *job)
{
    for (size_t i = 0; i < e->n_tasks; i++)
        if (e->tasks[i] && strcmp(e->tasks[i]->of.id.job, job) == 0)
            return e->tasks[i];
    return NULL;
}

/* Take the task out of the list of before. */
static void move_task(struct extract *e, const struct task *t)
{
    for (size_t i = 0; i < e->n_tasks; i++)
        if (e->tasks[i] == t)
            e->tasks[i] = NULL;
}

/* The poll under way of a job that is no more goes on to its end. */
static void add_leaving(struct extract *e, struct task **tasks, size_t *n)
{
    for (size_t i = 0; i < e->n_tasks; i++) {
        struct task *t = e->tasks[i];
        if (t == NULL)
            continue;
        if (t->job.is_polling) {
            t->is_leaving = true;
            t->has_next = false;
            tasks[(*n)++] = t;
        } else {
            task_free(t);
        }
    }
}

/* Those that are leaving promise nothing. */
static void set_governed(struct extract *e)
{
    struct governor *g = &e->poller.governor;

    g->all = mem_grow(g->all, e->n_tasks + 1, sizeof(*g->all));
    g->n = 0;
    for (size_t i = 0; i < e->n_tasks; i++)
        if (!e->tasks[i]->is_leaving)
            g->all[g->n++] = &e->tasks[i]->governed;
}

/* Between two pages: take up the jobs that were set. */
static void take_jobs(struct extract *e)
{
    struct extract_job *jobs;
    struct err err = ERR_INIT;
    size_t n_jobs, n = 0;

    if (!mailbox_take_jobs(&e->mailbox, &jobs, &n_jobs))
        return;
    struct task **tasks = mem_new(n_jobs + e->n_tasks, sizeof(struct task *));
    for (size_t i = 0; i < n_jobs; i++) {
        if (task_check(&jobs[i], &err) != ST_OK) {
            log_error("extract", "a job is left out", LOG_Z("error", err.msg));
            continue;
        }
        struct task *t = find_task(e, jobs[i].id.job);
        if (t) {
            move_task(e, t);
            t->is_leaving = false;
            task_change(t, &jobs[i], &e->poller);
        } else {
            t = task_new(&jobs[i], &e->poller);
        }
        tasks[n++] = t;
    }
    add_leaving(e, tasks, &n);
    mem_free(jobs);
    mem_free(e->tasks);
    e->tasks = tasks;
    e->n_tasks = n;
    e->next = e->next_sweep = 0;
    e->reconsider_at_us = 0;
    set_governed(e);
}

/* The task's poll is over: what waited for that. */
static void release_task(struct extract *e, struct task *t)
{
    if (t->has_next) {
        task_change(t, &t->next, &e->poller);
    } else if (t->is_leaving) {
        size_t n = 0;
        for (size_t i = 0; i < e->n_tasks; i++)
            if (e->tasks[i] != t)
                e->tasks[n++] = e->tasks[i];
        e->n_tasks = n;
        task_free(t);
    }
}

/* ---- the budget ---- */

static void show_budget(const struct extract *e)
{
    shown_budget(&e->poller, e->tasks, e->n_tasks);
}

/* There may be more to spend than when polls were promised. */
static void reconsider(struct extract *e)
{
    const int64_t mono_us = clock_mono_us(e->setup.clock);

    if (mono_us < e->reconsider_at_us)
        return;
    e->reconsider_at_us = mono_us + RECONSIDER_US;
    for (size_t i = 0; i < e->n_tasks; i++)
        if (!e->tasks[i]->is_leaving && e->poller.budget.calls > 0)
            task_reconsider(e->tasks[i], &e->poller);
    show_budget(e);
}

/* What the process before may have had under way when it was killed, at most one request: as a poll
 * that was aborted, so that no later start forgets it. False: nobody has noted it. */
static bool charge_killed(struct extract *e)
{
    const struct poller *p = &e->poller;
    const int64_t now_us = clock_wall_us(p->clock);
    struct poll_job *j = e->n_tasks > 0 ? &e->tasks[0]->job : &e->fetcher.job;
    struct err err = ERR_INIT;
    struct tape_record last;
    uint64_t offset;

    if (p->key_hash == 0 && p->budget.calls == 0)
        return true;
    if (e->n_tasks == 0 && !e->fetcher.is_on)
        return false;
    bool has_last = tape_writer_last_end(j->job->writer, &last);
    budget_count(&p->budget, j->credits, now_us, false, 1);
    const struct tape_record end = {
        .slot_us = now_us,
        .fetched_at_us = now_us,
        .outcome = POLL_ABORTED,
        .started_us = now_us,
        .next_due_us = has_last ? last.next_due_us : 0,
        .n_skipped = has_last ? last.n_skipped : 0,
        .attempts = 1,
        .credits_key = j->credits->key_hash,
        .credits_from_us = j->credits->from_us,
        .credits_spent = j->credits->spent,
        .error = STR("the collector before did not stop by itself: the request that may have been "
                     "under way is charged"),
    };
    if (tape_append_end(j->job->writer, &end, &offset, &err) == ST_OK)
        return true;
    log_warn("extract", "cannot note a call that may have been charged",
             LOG_Z("job", j->job->id.job), LOG_Z("error", err.msg));
    return false;
}

static void begin_budget(struct extract *e)
{
    const int64_t now_us = clock_wall_us(e->setup.clock);
    struct tape_record end;

    for (size_t i = 0; i < e->setup.n_idle; i++)
        if (tape_writer_last_end(e->setup.idle[i], &end))
            budget_of(&e->poller.budget, tape_writer_stream(e->setup.idle[i])->job, now_us, &end);
    e->is_settled = !e->setup.was_killed || charge_killed(e);
    show_budget(e);
}

/* ---- life ---- */

enum st extract_new(const struct extract_setup *setup, struct extract **ret_extract,
                    struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; i < setup->n_jobs && st == ST_OK; i++)
        st = task_check(&setup->jobs[i], err);
    if (st != ST_OK)
        return st;
    struct extract *e = mem_new(1, sizeof(*e));
    e->setup = *setup;
    mailbox_init(&e->mailbox, setup->jobs, setup->n_jobs);
    waiter_init(&e->waiter, setup->clock);
    st = poller_init(&e->poller, &e->setup, &e->waiter, err);
    if (st != ST_OK) {
        fetcher_init(&e->fetcher, NULL, &e->setup.events, &e->poller);
        extract_free(e);
        return st;
    }
    take_jobs(e);
    fetcher_init(&e->fetcher, setup->upstream, &e->setup.events, &e->poller);
    begin_budget(e);
    *ret_extract = e;
    return ST_OK;
}

void extract_free(struct extract *e)
{
    if (e == NULL)
        return;
    fetcher_release(&e->fetcher);
    poller_release(&e->poller);
    waiter_release(&e->waiter);
    mailbox_release(&e->mailbox);
    for (size_t i = 0; i < e->n_tasks; i++)
        task_free(e->tasks[i]);
    mem_free(e->tasks);
    mem_free(e);
}

bool extract_has_settled(const struct extract *e)
{
    return e->is_settled;
}

/* ---- other threads ---- */

void extract_set_jobs(struct extract *e, const struct extract_job *jobs, size_t n_jobs)
{
    mailbox_set_jobs(&e->mailbox, jobs, n_jobs);
    waiter_nudge(&e->waiter);
}

uint64_t extract_poll_now(struct extract *e, const char *job)
{
    return extract_poll_chart(e, job, NULL);
}

uint64_t extract_poll_chart(struct extract *e, const char *job, const struct chart_ask *chart)
{
    uint64_t ticket = mailbox_wish(&e->mailbox, job, chart);

    waiter_nudge(&e->waiter);
    return ticket;
}

uint64_t extract_fetch(struct extract *e, struct str target, int64_t wait_us)
{
    const int64_t deadline_us = clock_mono_us(e->setup.clock) + wait_us;
    uint64_t ticket = fetch_add(&e->fetcher, target, deadline_us);

    waiter_nudge(&e->waiter);
    return ticket;
}

const struct pulse *extract_pulse(const struct extract *e)
{
    return &e->waiter.pulse;
}

void extract_stop(struct extract *e)
{
    waiter_stop(&e->waiter);
    http_client_cancel(e->poller.http);
}

/* ---- the key ---- */

void extract_check_key(struct extract *e, struct key_finding *ret_finding)
{
    key_check(&e->poller, ret_finding);
}

/* The bound is the one that /key tells, and it has not yet. */
static bool is_bound_missing(const struct extract *e)
{
    const struct extract_api *api = e->poller.api;

    return e->poller.budget.is_by_key && e->poller.budget.calls == 0 && api->key[0] != '\0' &&
           api->key_path && strcmp(api->key_path, "/key") == 0;
}

/* When others spent what was left, polls are silent on the word of /key alone, which may be late.
 */
static void ask_key_later(struct extract *e, enum key_state state)
{
    const struct budget_state now = budget_now(&e->poller.budget, clock_wall_us(e->setup.clock));
    const bool is_told = state == KEY_GOOD || state == KEY_IGNORED || state == KEY_UNASKED;
    const int64_t after_us = is_bound_missing(e) && !is_told   ? DOUBT_KEY_US
                             : now.left == 0 && now.others > 0 ? SILENT_KEY_US
                                                               : ASK_KEY_US;

    e->ask_key_at_us = clock_mono_us(e->setup.clock) + after_us;
}

/* Before the first poll. The API lies about keys too: polling goes on whatever it says. */
static void meet_key(struct extract *e)
{
    struct key_finding f;

    e->is_key_met = true;
    extract_check_key(e, &f);
    ask_key_later(e, f.state);
    if (f.state == KEY_UNASKED || waiter_is_stopped(&e->waiter))
        return;
    shown_key(&e->poller, &f);
    if (f.state == KEY_GOOD)
        log_info("extract", "the API key is good", LOG_Z("plan", f.plan),
                 LOG_I("calls_per_minute", f.calls_per_minute),
                 LOG_I("credits", (int64_t)f.credits),
                 LOG_I("credits_left", (int64_t)f.credits_left));
    else if (f.state == KEY_UNKNOWN)
        log_warn("extract", "the API says nothing about the key", LOG_Z("error", f.text));
    else
        log_error("extract",
                  f.state == KEY_REFUSED ? "the API refuses the key; polls try it all the same"
                                         : "the API ignores the key; polls go on without it",
                  LOG_Z("error", f.text));
}

/* For too many calls, though we keep to the pace. */
static bool is_refused(const struct extract *e)
{
    for (size_t i = 0; i < e->n_tasks; i++)
        if (e->tasks[i]->trouble &&
            strcmp(e->tasks[i]->trouble, answer_class_name(ANSWER_RATE_LIMITED)) == 0)
            return true;
    return false;
}

/* Others may spend with the same key: where /key tells, it is asked again now and then, and when
 * calls are refused. */
static void doubt_key(struct extract *e)
{
    const struct extract_api *api = e->poller.api;
    const int64_t mono_us = clock_mono_us(e->setup.clock);
    struct key_finding f;

    if (api->key[0] == '\0' || api->key_path == NULL || strcmp(api->key_path, "/key") != 0 ||
        (e->poller.budget.calls == 0 && !e->poller.budget.is_by_key))
        return;
    if (mono_us < e->ask_key_at_us && (mono_us < e->doubt_key_at_us || !is_refused(e)))
        return;
    e->doubt_key_at_us = mono_us + DOUBT_KEY_US;
    extract_check_key(e, &f);
    ask_key_later(e, f.state);
    if (f.state != KEY_GOOD || waiter_is_stopped(&e->waiter))
        return;
    shown_key(&e->poller, &f);
    show_budget(e);
    const struct budget_state now = budget_now(&e->poller.budget, clock_wall_us(e->setup.clock));
    if (now.left == 0)
        log_warn("extract", "no call is left in this period: polls go on with the next one",
                 LOG_I("own", (int64_t)now.own), LOG_I("others", (int64_t)now.others));
}

/* A tape's last poll counts what this key was charged: it was good for an answer. */
static bool is_key_known(const struct extract *e)
{
    for (size_t i = 0; i < e->n_tasks; i++)
        if (e->tasks[i]->job.credits->spent > 0)
            return true;
    return false;
}

/* ---- polls ---- */

static void answer_wish(const struct extract *e, uint64_t ticket, enum poll_outcome outcome,
                        const char *error)
{
    if (e->setup.events.polled_now)
        e->setup.events.polled_now(e->setup.events.ctx, ticket, outcome, error);
}

/* One page of the poll under way, or its end. */
static enum st step(struct extract *e, struct task *t, struct err *err)
{
    struct poll_result result = {.outcome = POLL_FAILED};

    enum st st = poll_step(&e->poller, &t->job, &result, err);
    if (t->job.is_polling)
        return st;
    if (st != ST_OK && st != ST_AGAIN) {
        if (t->turn == TURN_WISH)
            answer_wish(e, t->ticket, POLL_FAILED, err->msg);
        return st;
    }
    task_end(t, &e->poller, &result, st == ST_OK, e->is_running);
    show_budget(e);
    if (st == ST_OK && e->setup.events.poll_ended)
        e->setup.events.poll_ended(e->setup.events.ctx, &t->of, &result.end);
    if (t->turn == TURN_WISH)
        answer_wish(e, t->ticket, result.outcome, t->job.poll.error);
    release_task(e, t);
    return st;
}

enum slot_state extract_slot(const struct extract *e, size_t job, int64_t *ret_slot_us)
{
    const struct schedule *s = &e->tasks[job]->schedule;
    int64_t wall_us = clock_wall_us(e->setup.clock), slot_us;

    if (!grid_slot(&s->grid, wall_us, ret_slot_us))
        return SLOT_OUT_OF_HOURS;
    return schedule_is_due(s, wall_us, &slot_us) ? SLOT_DUE : SLOT_POLLED;
}

enum st extract_once(struct extract *e, size_t job, int64_t slot_us, int64_t budget_us,
                     enum poll_outcome *ret_outcome, struct err *err)
{
    struct task *t = e->tasks[job];
    enum st st = ST_OK;

    /* each call of a timer's would cost two more, but no bound must be passed unseen */
    if (!e->is_key_met && (!is_key_known(e) || is_bound_missing(e)))
        meet_key(e);
    task_begin_once(t, &e->poller, slot_us, budget_us);
    while (st == ST_OK && t->job.is_polling)
        st = step(e, t, err);
    *ret_outcome = t->outcome;
    return st;
}

/* Begin what somebody waits for; NULL: nothing. A job that is being polled comes later. */
static struct task *begin_wish(struct extract *e)
{
    struct wish wish;

    for (size_t i = 0; mailbox_wish_at(&e->mailbox, i, &wish);) {
        struct task *t = find_task(e, wish.job);
        if (t ? t->job.is_polling : mailbox_has_news(&e->mailbox)) { /* a job not yet taken up */
            i++;
            continue;
        }
        mailbox_drop_wish(&e->mailbox, i);
        if (t) {
            task_begin_wish(t, &e->poller, &wish);
            return t;
        }
        answer_wish(e, wish.ticket, POLL_FAILED, "there is no such job any more");
    }
    return NULL;
}

/* Begin the slot that has been due for longest; NULL: none is. Then *ret_wait_us is the time to the
 * next one. */
static struct task *begin_due(struct extract *e, int64_t *ret_wait_us)
{
    int64_t wall_us = clock_wall_us(e->setup.clock), slot_us, due_us = 0;
    struct task *due = NULL;
    size_t n = e->n_tasks, chosen = 0;

    *ret_wait_us = LONGEST_NAP_US;
    for (size_t k = 0; k < n; k++) {
        size_t i = (e->next + k) % n;
        struct task *t = e->tasks[i];
        int64_t wait_us = grid_end(&t->schedule.grid, wall_us) - wall_us;
        if (wait_us < *ret_wait_us)
            *ret_wait_us = wait_us;
        if (task_is_due(t, &e->poller, wall_us, &slot_us) && (due == NULL || slot_us < due_us)) {
            due = t;
            chosen = i;
            due_us = slot_us;
        }
    }
    if (due) {
        e->next = (chosen + 1) % n;
        task_begin_slot(due, &e->poller, due_us);
    }
    return due;
}

/* Slots and wishes take turns when both wait: neither holds up the other. NULL, *ret_wait_us:
 * see begin_due(). */
static struct task *begin_next(struct extract *e, int64_t *ret_wait_us)
{
    struct task *t = e->was_slot ? begin_wish(e) : NULL;

    if (t == NULL)
        t = begin_due(e, ret_wait_us);
    if (t == NULL)
        t = begin_wish(e);
    e->was_slot = t && t->turn == TURN_SLOT;
    return t;
}

/* The sweep under way whose turn it is; NULL: there is none. */
static struct task *next_sweep(struct extract *e)
{
    for (size_t k = 0; k < e->n_tasks; k++) {
        size_t i = (e->next_sweep + k) % e->n_tasks;
        if (e->tasks[i]->job.is_polling) {
            e->next_sweep = i + 1;
            return e->tasks[i];
        }
    }
    return NULL;
}

/* When the next slot of any job begins, on the monotonic clock. */
static int64_t next_slot_at(const struct extract *e, int64_t mono_us)
{
    const int64_t wall_us = clock_wall_us(e->setup.clock);
    int64_t at_us = INT64_MAX;

    for (size_t i = 0; i < e->n_tasks; i++) {
        const int64_t end_us = grid_end(&e->tasks[i]->schedule.grid, wall_us);
        if (end_us != INT64_MAX && end_us - wall_us < at_us - mono_us)
            at_us = mono_us + (end_us - wall_us);
    }
    return at_us;
}

/* Nothing is due: fetch what somebody waits for, if the next slot of a job need not wait for that,
 * neither for the turn nor for the answer. *ret_is_done false: not now; then *wait_us is no longer
 * than until that turn. */
static enum st fetch_if_free(struct extract *e, bool is_sweeping, int64_t *wait_us,
                             bool *ret_is_done, struct err *err)
{
    struct poller *p = &e->poller;
    const int64_t now_us = clock_mono_us(e->setup.clock);
    const int64_t ready_us = fetch_ready_at(p, now_us);
    const int64_t slot_us = next_slot_at(e, now_us);
    const int64_t nap_us = is_sweeping ? p->limiter.interval_us : 0;

    *ret_is_done = false;
    if (!fetch_is_wanted(&e->fetcher, p) || (is_sweeping && ++e->fetcher.n_passed < SWEEP_SHARE))
        return ST_OK;
    if (ready_us - now_us > nap_us) {
        if (ready_us - now_us < *wait_us)
            *wait_us = ready_us - now_us;
        return ST_OK;
    }
    if (slot_us - ready_us < p->limiter.interval_us || slot_us - ready_us < US_PER_S)
        return ST_OK;
    *ret_is_done = true;
    enum st st = fetch_next(
        &e->fetcher, p, slot_us - ready_us < FETCH_MAX_US ? slot_us : ready_us + FETCH_MAX_US, err);
    show_budget(e);
    return st;
}

/* Poll what is to be polled, whole; then one page of a sweep, so that neither holds up the other. A
 * poll that the tape refused is over; it may take the next slot's. */
static enum st work(struct extract *e, struct err *err)
{
    int64_t wait_us = 0;
    bool is_fetched = false;
    enum st st = ST_OK;

    struct task *t = begin_next(e, &wait_us);
    bool is_idle = t == NULL;
    while (st == ST_OK && t && t->job.is_polling && !t->job.poll.is_sweep)
        st = step(e, t, err);
    t = next_sweep(e);
    if (is_idle)
        st = fetch_if_free(e, t != NULL, &wait_us, &is_fetched, err);
    if (t && (st == ST_OK || st == ST_AGAIN))
        st = step(e, t, err);
    else if (is_idle && t == NULL && !is_fetched)
        waiter_until_news(&e->waiter, clock_mono_us(e->setup.clock) + wait_us);
    return st == ST_AGAIN ? ST_OK : st;
}

/* Nobody is left without an answer, and no poll without its end, if the tape can be written. */
static void leave(struct extract *e, enum st st)
{
    struct err err = ERR_INIT;
    struct wish wish;
    struct task *t;

    while (st == ST_OK && (t = next_sweep(e)))
        st = step(e, t, &err);
    for (size_t i = 0; i < e->n_tasks; i++)
        if (e->tasks[i]->job.is_polling && e->tasks[i]->turn == TURN_WISH)
            answer_wish(e, e->tasks[i]->ticket, POLL_ABORTED, "stopped");
    for (; mailbox_wish_at(&e->mailbox, 0, &wish); mailbox_drop_wish(&e->mailbox, 0))
        answer_wish(e, wish.ticket, POLL_ABORTED, "stopped");
    fetch_close(&e->fetcher);
}

enum st extract_run(struct extract *e, struct err *err)
{
    enum st st = ST_OK;

    e->is_running = true;
    meet_key(e);
    while (st == ST_OK && !waiter_is_stopped(&e->waiter)) {
        pulse_expect(&e->waiter.pulse, 0);
        take_jobs(e);
        reconsider(e);
        doubt_key(e);
        st = work(e, err);
    }
    leave(e, st);
    pulse_rest(&e->waiter.pulse);
    return st;
}
