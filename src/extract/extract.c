/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/extract.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "extract/mailbox.h"
#include "extract/poll.h"
#include "extract/schedule.h"

#include <stdio.h>

#define SLOT_MARGIN_US  US_PER_S       /* the last request starts so long before the next slot */
#define LEAST_BUDGET_US (5 * US_PER_S) /* of a poll that begins late in its slot */
#define LONGEST_NAP_US  US_PER_S       /* then look at the wall clock again: it may have jumped */

/* A slot whose poll failed is polled again, ever later, as long as it lasts. */
#define RETRY_FIRST_US (30 * US_PER_S)
#define RETRY_LAST_US  (300 * US_PER_S)

/* A poll out of turn has the time of its calls at the limiter's pace, and so much for retries. */
#define RETRIES_US (120 * US_PER_S)

/* A job with its times and its trouble. */
struct task {
    struct extract_job of;
    struct poll_job job;
    struct schedule schedule;
    const char *trouble; /* the cause of the outage under way; NULL: all is well */
    uint32_t n_trouble;  /* polls in it */
    int64_t failed_slot_us;
    int64_t retry_at_us; /* monotonic: not before this again for failed_slot_us */
    int64_t retry_wait_us;
};

struct extract {
    struct extract_setup setup; /* its jobs: see mailbox */
    struct mailbox mailbox;
    struct waiter waiter;
    struct poller poller;
    struct task **tasks; /* one a job, in the jobs' order */
    size_t n_tasks;
    size_t next;     /* who comes first among those equally due */
    bool is_running; /* extract_run(): what failed will be tried again */
};

static enum st check(const struct extract_job *job, struct err *err)
{
    const struct endpoint *ep = endpoint_find(job->id.endpoint);

    if (ep == NULL)
        return err_set(err, ST_FATAL, "job %s: no endpoint %s", job->id.job, job->id.endpoint);
    if (job->selection.top == 0 || endpoint_pages(ep, job->selection.top) > TAPE_MAX_PAGES)
        return err_set(err, ST_FATAL, "job %s: top %u is not from 1 to %u", job->id.job,
                       (unsigned)job->selection.top, (unsigned)(TAPE_MAX_PAGES * ep->max_per_page));
    if (job->every_us < US_PER_MS)
        return err_set(err, ST_FATAL, "job %s: polls less than 1 ms apart", job->id.job);
    return ST_OK;
}

/* Begin where the tape ends: the slot that its last poll brought rows for is taken, and the
 * snapshot shows how it went. A poll off the grid (run now, once) takes no slot. */
static void resume(struct extract *e, struct task *t)
{
    const struct extract_job *job = t->job.job;
    struct tape_record end;

    if (!tape_writer_last_end(job->writer, &end))
        return;
    if (outcome_bears_rows(end.outcome) && end.slot_us % job->every_us == 0)
        schedule_took(&t->schedule, end.slot_us);
    if (e->setup.status == NULL)
        return;
    struct status_job *s = &status_lock(e->setup.status)->jobs[job->status];
    s->last_slot_us = end.slot_us;
    s->last_ended_us = end.fetched_at_us;
    s->last_ok_us = end.outcome == POLL_OK ? end.fetched_at_us : 0;
    snprintf(s->last_outcome, sizeof(s->last_outcome), "%s", poll_outcome_name(end.outcome));
    s->head = tape_head_get(tape_writer_head(job->writer));
    status_unlock(e->setup.status);
}

static struct task *find_task(const struct extract *e, const char *job)
{
    for (size_t i = 0; i < e->n_tasks; i++)
        if (e->tasks[i] && strcmp(e->tasks[i]->of.id.job, job) == 0)
            return e->tasks[i];
    return NULL;
}

static struct task *new_task(struct extract *e, const struct extract_job *job)
{
    struct task *t = mem_new(1, sizeof(*t));

    t->of = *job;
    poll_job_init(&t->job, &t->of, &e->poller);
    schedule_init(&t->schedule, job->every_us);
    resume(e, t);
    return t;
}

/* The same job, to be polled otherwise. */
static void change_task(struct extract *e, struct task *t, const struct extract_job *job)
{
    bool is_same_tape = t->of.writer == job->writer;

    t->of = *job;
    t->schedule.every_us = job->every_us;
    if (!is_same_tape)
        poll_job_init(&t->job, &t->of, &e->poller);
}

/* Between two polls: take up the jobs that were set. */
static void take_jobs(struct extract *e)
{
    struct extract_job *jobs;
    struct err err = ERR_INIT;
    size_t n_jobs, n = 0;

    if (!mailbox_take_jobs(&e->mailbox, &jobs, &n_jobs))
        return;
    struct task **tasks = mem_new(n_jobs, sizeof(struct task *));
    for (size_t i = 0; i < n_jobs; i++) {
        struct task *t = find_task(e, jobs[i].id.job);
        if (check(&jobs[i], &err) != ST_OK) {
            log_error("extract", "a job is left out", LOG_Z("error", err.msg));
            continue;
        }
        if (t)
            change_task(e, t, &jobs[i]);
        for (size_t old = 0; t && old < e->n_tasks; old++)
            if (e->tasks[old] == t)
                e->tasks[old] = NULL;
        tasks[n++] = t ? t : new_task(e, &jobs[i]);
    }
    mem_free(jobs);
    for (size_t i = 0; i < e->n_tasks; i++)
        mem_free(e->tasks[i]);
    mem_free(e->tasks);
    e->tasks = tasks;
    e->n_tasks = n;
    e->next = 0;
    mailbox_in_force(&e->mailbox);
}

enum st extract_new(const struct extract_setup *setup, struct extract **ret_extract,
                    struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; i < setup->n_jobs && st == ST_OK; i++)
        st = check(&setup->jobs[i], err);
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
        mem_free(e->tasks[i]);
    mem_free(e->tasks);
    mem_free(e);
}

void extract_set_jobs(struct extract *e, const struct extract_job *jobs, size_t n_jobs)
{
    mailbox_set_jobs(&e->mailbox, jobs, n_jobs);
    waiter_nudge(&e->waiter);
}

bool extract_has_jobs(struct extract *e)
{
    return mailbox_is_in_force(&e->mailbox);
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

static bool is_cause(const struct poll_result *result, const char *cause)
{
    return result->cause && strcmp(result->cause, cause) == 0;
}

static void log_trouble(const struct extract *e, const struct task *t,
                        const struct poll_result *result)
{
    enum log_level level = LOG_WARN;
    const char *msg = result->outcome == POLL_PARTIAL ? "poll is partial" : "poll failed";

    if (is_cause(result, CAUSE_TAPE)) {
        level = LOG_ERROR;
        msg = "the tape refuses to be written: nothing can be recorded until it is mended";
    } else if (is_cause(result, CAUSE_CLOCK) ||
               is_cause(result, answer_class_name(ANSWER_PERMANENT))) {
        level = LOG_ERROR;
    } else if (is_cause(result, CAUSE_TRANSPORT) && e->is_running) {
        msg = "no whole answer from the API; every slot tries again (`make run SIM=1`, or another "
              "--api-url, runs against the built-in simulator)";
    }
    log_event(level, "extract", msg,
              LOG_FIELDS(LOG_Z("job", t->job.job->id.job), LOG_Z("cause", result->cause),
                         LOG_S("error", result->end.error)));
}

/* One line when trouble begins or changes its cause, one when it is over; not one per poll. */
static void report(const struct extract *e, struct task *t, const struct poll_result *result)
{
    bool is_new = t->trouble == NULL || (result->cause && strcmp(t->trouble, result->cause) != 0);

    if (is_cause(result, CAUSE_STOPPED))
        return;
    if (result->cause == NULL) {
        if (t->trouble)
            log_info("extract", "polls are ok again", LOG_Z("job", t->job.job->id.job),
                     LOG_Z("after", t->trouble), LOG_I("polls", t->n_trouble));
        t->trouble = NULL;
        t->n_trouble = 0;
        return;
    }
    t->n_trouble++;
    /* waiting for the pace belongs to whatever made it so slow */
    if (!is_new || (t->trouble && is_cause(result, CAUSE_PACE)))
        return;
    t->trouble = result->cause;
    log_trouble(e, t, result);
}

/* What brought rows takes its slot; what did not may try it again. */
static void note_slot(struct extract *e, struct task *t, int64_t slot_us, enum poll_outcome outcome)
{
    if (outcome_bears_rows(outcome)) {
        schedule_took(&t->schedule, slot_us);
        return;
    }
    bool is_again = t->retry_wait_us > 0 && t->failed_slot_us == slot_us;
    t->retry_wait_us = is_again ? 2 * t->retry_wait_us : RETRY_FIRST_US;
    if (t->retry_wait_us > RETRY_LAST_US)
        t->retry_wait_us = RETRY_LAST_US;
    t->failed_slot_us = slot_us;
    t->retry_at_us = clock_mono_us(e->setup.clock) + t->retry_wait_us / 2 +
                     (int64_t)(poller_random(&e->poller) % (uint64_t)(t->retry_wait_us / 2));
}

static enum st run_poll(struct extract *e, struct task *t, const struct poll_plan *plan,
                        struct poll_result *ret_result, struct err *err)
{
    *ret_result = (struct poll_result){.outcome = POLL_FAILED};

    enum st st = poll_run(&e->poller, &t->job, plan, ret_result, err);
    if (st != ST_OK && st != ST_AGAIN)
        return st;
    report(e, t, ret_result);
    if (st == ST_OK && e->setup.events.poll_ended)
        e->setup.events.poll_ended(e->setup.events.ctx, t->job.job, &ret_result->end);
    return st;
}

enum st extract_once(struct extract *e, size_t job, int64_t slot_us, int64_t budget_us,
                     enum poll_outcome *ret_outcome, struct err *err)
{
    struct clock *clock = e->setup.clock;
    struct poll_plan plan = {
        .slot_us = slot_us != 0 ? slot_us : clock_wall_us(clock),
        .deadline_us = clock_mono_us(clock) + budget_us,
    };
    struct poll_result result;

    enum st st = run_poll(e, e->tasks[job], &plan, &result, err);
    *ret_outcome = result.outcome;
    return st;
}

/* The poll of a slot on the grid, as far as the next slot leaves it time. */
static enum st poll_slot(struct extract *e, struct task *t, int64_t slot_us, struct err *err)
{
    struct clock *clock = e->setup.clock;
    int64_t begun_us = clock_mono_us(clock), wall_us = clock_wall_us(clock);
    int64_t next_us = schedule_next(&t->schedule, wall_us);
    int64_t budget_us = next_us - wall_us - SLOT_MARGIN_US;
    struct poll_result result;

    if (budget_us < LEAST_BUDGET_US)
        budget_us = LEAST_BUDGET_US;
    struct poll_plan plan = {
        .slot_us = slot_us,
        .deadline_us = begun_us + budget_us,
        .next_due_us = next_us,
    };
    enum st st = run_poll(e, t, &plan, &result, err);
    note_slot(e, t, slot_us, st == ST_OK ? result.outcome : POLL_FAILED);
    uint64_t n_missed = schedule_missed(&t->schedule, slot_us, clock_wall_us(clock),
                                        clock_mono_us(clock) - begun_us);
    if (n_missed > 0)
        metric_add(METRIC_MISSED_SLOTS, t->job.job->id.job, NULL, (double)n_missed);
    return st == ST_AGAIN ? ST_OK : st; /* the tape may take the next slot's */
}

static void answer_wish(struct extract *e, const struct wish *wish, enum poll_outcome outcome,
                        const char *error)
{
    if (e->setup.events.polled_now)
        e->setup.events.polled_now(e->setup.events.ctx, wish->ticket, outcome, error);
}

/* A poll out of turn: it takes no slot of the grid, and the grid goes on. */
static enum st poll_wish(struct extract *e, const struct wish *wish, struct err *err)
{
    struct clock *clock = e->setup.clock;
    struct task *t = find_task(e, wish->job);
    struct poll_result result;

    if (t == NULL) {
        answer_wish(e, wish, POLL_FAILED, "there is no such job any more");
        return ST_OK;
    }
    uint32_t n_pages = endpoint_pages(t->job.endpoint, t->of.selection.top);
    struct poll_plan plan = {
        .slot_us = clock_wall_us(clock),
        .deadline_us = clock_mono_us(clock) + n_pages * e->poller.limiter.interval_us + RETRIES_US,
        .next_due_us = schedule_next(&t->schedule, clock_wall_us(clock)),
    };
    enum st st = run_poll(e, t, &plan, &result, err);
    if (st == ST_OK || st == ST_AGAIN)
        answer_wish(e, wish, result.outcome, e->poller.error);
    else
        answer_wish(e, wish, POLL_FAILED, err->msg);
    return st == ST_AGAIN ? ST_OK : st;
}

/* Whose slot has been due for longest; NULL: nobody's. Then *ret_wait_us is the time to the next
 * grid point. */
static struct task *find_due(struct extract *e, int64_t *ret_slot_us, int64_t *ret_wait_us)
{
    int64_t wall_us = clock_wall_us(e->setup.clock), slot_us;
    struct task *due = NULL;
    size_t n = e->n_tasks, chosen = 0;

    *ret_wait_us = LONGEST_NAP_US;
    for (size_t k = 0; k < n; k++) {
        size_t i = (e->next + k) % n;
        struct task *t = e->tasks[i];
        int64_t wait_us = schedule_next(&t->schedule, wall_us) - wall_us;
        if (wait_us < *ret_wait_us)
            *ret_wait_us = wait_us;
        if (schedule_is_due(&t->schedule, wall_us, &slot_us) &&
            !(slot_us == t->failed_slot_us && clock_mono_us(e->setup.clock) < t->retry_at_us) &&
            (due == NULL || slot_us < *ret_slot_us)) {
            due = t;
            chosen = i;
            *ret_slot_us = slot_us;
        }
    }
    if (due)
        e->next = (chosen + 1) % n;
    return due;
}

enum st extract_run(struct extract *e, struct err *err)
{
    struct clock *clock = e->setup.clock;
    int64_t slot_us, wait_us;
    struct wish wish;
    enum st st = ST_OK;

    e->is_running = true;
    while (st == ST_OK && !waiter_is_stopped(&e->waiter)) {
        bool is_wished = mailbox_wish_at(&e->mailbox, 0, &wish);
        take_jobs(e); /* behind that, for the wish may be of a new one */
        if (is_wished) {
            mailbox_drop_wish(&e->mailbox, 0);
            st = poll_wish(e, &wish, err);
            continue;
        }
        struct task *t = find_due(e, &slot_us, &wait_us);
        if (t)
            st = poll_slot(e, t, slot_us, err);
        else
            waiter_until_news(&e->waiter, clock_mono_us(clock) + wait_us);
    }
    for (; mailbox_wish_at(&e->mailbox, 0, &wish); mailbox_drop_wish(&e->mailbox, 0))
        answer_wish(e, &wish, POLL_ABORTED, "stopped");
    return st;
}
