/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/extract.h"

#include "base/log.h"
#include "base/mem.h"
#include "extract/mailbox.h"
#include "extract/task.h"

#define LONGEST_NAP_US US_PER_S /* then look at the wall clock again: it may have jumped */

struct extract {
    struct extract_setup setup; /* its jobs: see mailbox */
    struct mailbox mailbox;
    struct waiter waiter;
    struct poller poller;
    struct task **tasks; /* one a job, in the jobs' order; then those that are leaving */
    size_t n_tasks;
    size_t next;       /* who comes first among those equally due */
    size_t next_sweep; /* whose page is next */
    bool was_slot;     /* the turn before was a slot's, not a wish's */
    bool is_running;   /* extract_run(): what failed will be tried again */
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
        extract_free(e);
        return st;
    }
    take_jobs(e);
    *ret_extract = e;
    return ST_OK;
}

void extract_free(struct extract *e)
{
    if (e == NULL)
        return;
    poller_release(&e->poller);
    waiter_release(&e->waiter);
    mailbox_release(&e->mailbox);
    for (size_t i = 0; i < e->n_tasks; i++)
        task_free(e->tasks[i]);
    mem_free(e->tasks);
    mem_free(e);
}

/* ---- other threads ---- */

void extract_set_jobs(struct extract *e, const struct extract_job *jobs, size_t n_jobs)
{
    mailbox_set_jobs(&e->mailbox, jobs, n_jobs);
    waiter_nudge(&e->waiter);
}

uint64_t extract_poll_now(struct extract *e, const char *job)
{
    uint64_t ticket = mailbox_wish(&e->mailbox, job);

    waiter_nudge(&e->waiter);
    return ticket;
}

void extract_stop(struct extract *e)
{
    waiter_stop(&e->waiter);
    http_client_cancel(e->poller.http);
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

    *ret_slot_us = time_floor(wall_us, s->plan.every_us);
    if (!schedule_is_within_hours(s, *ret_slot_us))
        return SLOT_OUT_OF_HOURS;
    return schedule_is_due(s, wall_us, &slot_us) ? SLOT_DUE : SLOT_POLLED;
}

enum st extract_once(struct extract *e, size_t job, int64_t slot_us, int64_t budget_us,
                     enum poll_outcome *ret_outcome, struct err *err)
{
    struct task *t = e->tasks[job];
    enum st st = ST_OK;

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
            task_begin_wish(t, &e->poller, wish.ticket);
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
        int64_t wait_us = schedule_slot_end(&t->schedule, wall_us) - wall_us;
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

/* Poll what is to be polled, whole; then one page of a sweep, so that neither holds up the other. A
 * poll that the tape refused is over; it may take the next slot's. */
static enum st work(struct extract *e, struct err *err)
{
    int64_t wait_us = 0;
    enum st st = ST_OK;

    struct task *t = begin_next(e, &wait_us);
    bool is_idle = t == NULL;
    while (st == ST_OK && t && t->job.is_polling && !t->job.poll.is_sweep)
        st = step(e, t, err);
    t = next_sweep(e);
    if (t && (st == ST_OK || st == ST_AGAIN))
        st = step(e, t, err);
    else if (is_idle && t == NULL)
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
}

enum st extract_run(struct extract *e, struct err *err)
{
    enum st st = ST_OK;

    e->is_running = true;
    while (st == ST_OK && !waiter_is_stopped(&e->waiter)) {
        take_jobs(e);
        st = work(e, err);
    }
    leave(e, st);
    return st;
}
