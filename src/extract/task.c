/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/task.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "extract/taken.h"

#include <stdio.h>

#define SLOT_MARGIN_US  US_PER_S       /* the last request starts so long before the next slot */
#define LEAST_BUDGET_US (5 * US_PER_S) /* of a poll that begins late in its slot */

/* A slot whose poll failed is polled again, ever later, as long as it lasts. */
#define RETRY_FIRST_US (30 * US_PER_S)
#define RETRY_LAST_US  (300 * US_PER_S)

enum st task_check(const struct extract_job *job, struct err *err)
{
    const struct endpoint *ep = endpoint_find(job->id.endpoint);
    const struct selection *s = &job->selection;

    if (ep == NULL)
        return err_set(err, ST_FATAL, "job %s: no endpoint %s", job->id.job, job->id.endpoint);
    bool is_empty = s->kind == SELECT_TOP ? s->top == 0 : s->kind == SELECT_IDS && s->n_ids == 0;
    if (is_empty || endpoint_pages(ep, &job->id, s) > TAPE_MAX_PAGES)
        return err_set(err, ST_FATAL, "job %s: its selection takes %s", job->id.job,
                       is_empty ? "no coin" : "more pages than a poll can have");
    if (job->every_us < US_PER_MS)
        return err_set(err, ST_FATAL, "job %s: polls less than 1 ms apart", job->id.job);
    return ST_OK;
}

/* The snapshot shows how the last poll on the tape went, unless it knows, as of a job that comes
 * back. */
static void show_last(const struct task *t, const struct poller *p)
{
    const struct extract_job *job = &t->of;
    struct tape_record end;

    if (p->status == NULL || !tape_writer_last_end(job->writer, &end))
        return;
    struct status_job *s = &status_lock(p->status)->jobs[job->status];
    if (s->n_polls == 0)
        poll_show_end(s, &end);
    s->head = tape_head_get(tape_writer_head(job->writer));
    status_unlock(p->status);
}

static struct schedule_plan plan_of(const struct extract_job *job)
{
    return (struct schedule_plan){job->every_us, job->from_us, job->to_us};
}

/* A grid begins with the slots of it that are on the tape. */
static void begin_schedule(struct task *t, const struct poller *p)
{
    schedule_init(&t->schedule, plan_of(&t->of));
    taken_find(t->of.writer, clock_wall_us(p->clock), &t->schedule);
}

struct task *task_new(const struct extract_job *job, struct poller *p)
{
    struct task *t = mem_new(1, sizeof(*t));

    t->of = *job;
    poll_job_init(&t->job, &t->of, p);
    begin_schedule(t, p);
    show_last(t, p);
    return t;
}

void task_free(struct task *t)
{
    if (t == NULL)
        return;
    poll_job_release(&t->job);
    mem_free(t);
}

void task_change(struct task *t, const struct extract_job *job, struct poller *p)
{
    bool is_same_tape = t->of.writer == job->writer;
    bool is_same_grid = is_same_tape && t->of.every_us == job->every_us;

    t->has_next = t->job.is_polling;
    if (t->has_next) {
        t->next = *job;
        return;
    }
    t->of = *job;
    t->schedule.plan = plan_of(job);
    t->has_begun = false;
    if (!is_same_grid)
        begin_schedule(t, p);
    if (is_same_tape)
        return;
    poll_job_release(&t->job);
    poll_job_init(&t->job, &t->of, p);
}

bool task_is_due(const struct task *t, const struct poller *p, int64_t wall_us,
                 int64_t *ret_slot_us)
{
    return !t->job.is_polling && !t->is_leaving &&
           schedule_is_due(&t->schedule, wall_us, ret_slot_us) &&
           !(*ret_slot_us == t->failed_slot_us && clock_mono_us(p->clock) < t->retry_at_us);
}

/* Slots that passed since the last one that was polled, whatever held this one up. */
static void count_missed(const struct task *t, const struct poller *p, int64_t wall_us)
{
    if (!t->has_begun)
        return;
    uint64_t n = schedule_missed(&t->schedule, t->last_slot_us, wall_us,
                                 clock_mono_us(p->clock) - t->last_begun_us);
    if (n == 0)
        return;
    metric_add(METRIC_MISSED_SLOTS, t->of.id.job, NULL, (double)n);
    if (p->status) {
        status_lock(p->status)->jobs[t->of.status].n_gaps += n;
        status_unlock(p->status);
    }
}

/* As far as the next slot leaves it time; but a sweep that is cut short lacks the same coins every
 * time: it may take the next slots' too. */
void task_begin_slot(struct task *t, struct poller *p, int64_t slot_us)
{
    int64_t wall_us = clock_wall_us(p->clock);
    int64_t budget_us = schedule_slot_end(&t->schedule, wall_us) - wall_us - SLOT_MARGIN_US;
    int64_t least_us =
        poll_job_is_sweep(&t->job) ? poll_job_budget_us(&t->job, p) : LEAST_BUDGET_US;

    count_missed(t, p, wall_us);
    t->turn = TURN_SLOT;
    t->has_begun = true;
    t->last_slot_us = slot_us;
    t->last_begun_us = clock_mono_us(p->clock);
    poll_begin(p, &t->job,
               &(struct poll_plan){
                   .slot_us = slot_us,
                   .deadline_us = t->last_begun_us + (budget_us > least_us ? budget_us : least_us),
                   .next_due_us = schedule_next(&t->schedule, wall_us),
               });
}

/* It takes no slot of the grid, and the grid goes on. */
void task_begin_wish(struct task *t, struct poller *p, uint64_t ticket)
{
    int64_t wall_us = clock_wall_us(p->clock);

    t->turn = TURN_WISH;
    t->ticket = ticket;
    poll_begin(p, &t->job,
               &(struct poll_plan){
                   .slot_us = wall_us,
                   .deadline_us = clock_mono_us(p->clock) + poll_job_budget_us(&t->job, p),
                   .next_due_us = schedule_next(&t->schedule, wall_us),
               });
}

void task_begin_once(struct task *t, struct poller *p, int64_t slot_us, int64_t budget_us)
{
    t->turn = TURN_ONCE;
    poll_begin(p, &t->job,
               &(struct poll_plan){
                   .slot_us = slot_us != 0 ? slot_us : clock_wall_us(p->clock),
                   .deadline_us = clock_mono_us(p->clock) + budget_us,
               });
}

static bool is_cause(const struct poll_result *result, const char *cause)
{
    return result->cause && strcmp(result->cause, cause) == 0;
}

static void log_trouble(const struct task *t, const struct poll_result *result, bool is_running)
{
    enum log_level level = LOG_WARN;
    const char *msg = result->outcome == POLL_PARTIAL ? "poll is partial" : "poll failed";

    if (is_cause(result, CAUSE_TAPE)) {
        level = LOG_ERROR;
        msg = "the tape refuses to be written: nothing can be recorded until it is mended";
    } else if (is_cause(result, CAUSE_CLOCK) ||
               is_cause(result, answer_class_name(ANSWER_PERMANENT))) {
        level = LOG_ERROR;
    } else if (is_cause(result, CAUSE_TRANSPORT) && is_running) {
        msg = "no whole answer from the API; every slot tries again (`make run SIM=1`, or another "
              "--api-url, runs against the built-in simulator)";
    }
    log_event(level, "extract", msg,
              LOG_FIELDS(LOG_Z("job", t->of.id.job), LOG_Z("cause", result->cause),
                         LOG_S("error", result->end.error)));
}

/* One line when trouble begins or changes its cause, one when it is over; not one per poll. */
static void report(struct task *t, const struct poll_result *result, bool is_running)
{
    bool is_new = t->trouble == NULL || (result->cause && strcmp(t->trouble, result->cause) != 0);

    if (is_cause(result, CAUSE_STOPPED))
        return;
    if (result->cause == NULL) {
        if (t->trouble)
            log_info("extract", "polls are ok again", LOG_Z("job", t->of.id.job),
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
    log_trouble(t, result, is_running);
}

/* What brought rows takes its slot; what did not may try it again. */
static void note_slot(struct task *t, struct poller *p, int64_t slot_us, enum poll_outcome outcome)
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
    t->retry_at_us = clock_mono_us(p->clock) + t->retry_wait_us / 2 +
                     (int64_t)(poller_random(p) % (uint64_t)(t->retry_wait_us / 2));
}

void task_end(struct task *t, struct poller *p, const struct poll_result *result, bool is_on_tape,
              bool is_running)
{
    t->outcome = result->outcome;
    if (t->turn == TURN_SLOT)
        note_slot(t, p, t->last_slot_us, is_on_tape ? result->outcome : POLL_FAILED);
    report(t, result, is_running);
}
