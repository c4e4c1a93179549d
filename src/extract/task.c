/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/task.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "extract/taken.h"

#include <stdio.h>

#define SLOT_MARGIN_US    US_PER_S        /* the last request starts so long before the next slot */
#define LATE_US           (60 * US_PER_S) /* a poll that is due has so long to come: as in the view gap */
#define FAR_OWED_US       (367 * 86400 * US_PER_S) /* no slot is further: a clock was wrong */
#define FAR_US            (3600 * US_PER_S)        /* of a clock that was set back */
#define LEAST_BUDGET_US   (5 * US_PER_S)           /* of a poll that begins late in its slot */
#define LONGEST_BUDGET_US (86400 * US_PER_S)       /* though its slot may last for months */

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
    if (job->grid.every_us < US_PER_MS)
        return err_set(err, ST_FATAL, "job %s: polls less than 1 ms apart", job->id.job);
    return ST_OK;
}

/* The snapshot shows how the last poll on the tape went, unless it knows, as of a job that comes
 * back; and what it promised, which holds until the first one here. */
static void show_last(const struct task *t, const struct poller *p)
{
    const struct extract_job *job = &t->of;
    struct tape_record end;

    if (p->status == NULL || !tape_writer_last_end(job->writer, &end))
        return;
    const int64_t next_slot_us = grid_next(&job->grid, end.slot_us);
    struct status_job *s = &status_lock(p->status)->jobs[job->status];
    if (s->n_polls == 0)
        poll_show_end(s, &end);
    if (s->next_due_us == 0) {
        s->next_due_us = end.next_due_us;
        s->next_slot_us = next_slot_us;
    }
    s->head = tape_head_get(tape_writer_head(job->writer));
    status_unlock(p->status);
}

/* What nobody can foresee is no part of a plan. */
static uint32_t foreseen_calls(const struct extract_job *job)
{
    return job->is_on_demand ? 0 : job->calls > 0 ? job->calls : 1;
}

/* The promise of the last poll on the tape holds, when slots are left out. Nothing is promised by a
 * tape whose budget was without bound: then the present slot is due. */
static void begin_governed(struct task *t, const struct poller *p)
{
    struct tape_record end;
    bool is_kept = tape_writer_last_end(t->of.writer, &end) && end.n_skipped > 0 &&
                   end.next_due_us > clock_wall_us(p->clock);

    t->governed = (struct governed){
        .schedule = &t->schedule,
        .priority = t->of.priority,
        .calls = foreseen_calls(&t->of),
        .promised_us = is_kept ? end.next_due_us : 0,
        .least_us = is_kept && t->of.most_us > 0 ? end.next_due_us : 0,
    };
    t->last_slot_us = is_kept ? end.slot_us : 0;
}

/* A grid begins with the slots of it that are on the tape. */
static void begin_schedule(struct task *t, const struct poller *p)
{
    schedule_init(&t->schedule, &t->of.grid);
    taken_find(t->of.writer, clock_wall_us(p->clock), &t->schedule);
}

/* What the last poll on the tape promised is kept also when the grid has become another: else the
 * time from there to the next slot would pass for a gap. A promise that nobody was there to keep is
 * made up for at once, unless the present slot does that. */
static void begin_owed(struct task *t, const struct poller *p)
{
    const struct grid *grid = &t->schedule.grid;
    const int64_t wall_us = clock_wall_us(p->clock);
    struct tape_record end;
    int64_t slot_us;

    t->owed_us = 0;
    if (!tape_writer_last_end(t->of.writer, &end) || end.next_due_us == 0 ||
        end.next_due_us > wall_us + FAR_OWED_US || grid_has(grid, end.next_due_us))
        return;
    if (end.next_due_us > wall_us - LATE_US)
        t->owed_us = end.next_due_us;
    else if (grid_slot(grid, wall_us, &slot_us) && slot_us < end.next_due_us)
        t->owed_us = wall_us;
}

struct task *task_new(const struct extract_job *job, struct poller *p)
{
    struct task *t = mem_new(1, sizeof(*t));

    t->of = *job;
    poll_job_init(&t->job, &t->of, p);
    begin_schedule(t, p);
    begin_governed(t, p);
    begin_owed(t, p);
    show_last(t, p);
    return t;
}

void task_free(struct task *t)
{
    if (t == NULL)
        return;
    poll_job_release(&t->job);
    adapt_release(&t->adapt);
    mem_free(t);
}

void task_change(struct task *t, const struct extract_job *job, struct poller *p)
{
    bool is_same_tape = t->of.writer == job->writer;
    bool is_same_grid = is_same_tape && grid_is_same(&t->of.grid, &job->grid);

    t->has_next = t->job.is_polling;
    if (t->has_next) {
        t->next = *job;
        return;
    }
    t->of = *job;
    t->schedule.grid = job->grid;
    t->governed.priority = job->priority;
    t->governed.calls = foreseen_calls(job);
    t->has_begun = false;
    if (t->of.most_us == 0)
        t->governed.least_us = 0;
    if (!is_same_grid) {
        begin_schedule(t, p);
        begin_governed(t, p);
        begin_owed(t, p);
    }
    if (is_same_tape)
        return;
    poll_job_release(&t->job);
    poll_job_init(&t->job, &t->of, p);
}

/* By the budget, or because answers repeat. A promise far from now was made by a clock that was
 * wrong. */
static bool is_left_out(const struct task *t, const struct poller *p, int64_t slot_us)
{
    const int64_t from_us = t->last_slot_us;

    return (p->budget.calls > 0 || t->of.most_us > 0) && slot_us < t->governed.promised_us &&
           (slot_us > from_us || from_us - slot_us < FAR_US);
}

void task_reconsider(struct task *t, struct poller *p)
{
    int64_t wall_us = clock_wall_us(p->clock);
    const struct budget_state budget = budget_now(&p->budget, wall_us);

    for (size_t i = 0; i < p->governor.n; i++)
        if (p->governor.all[i] == &t->governed && !t->job.is_polling)
            governor_reconsider(&p->governor, i, t->last_slot_us, wall_us, &budget);
}

/* Promise the next poll. */
static int64_t plan_next(struct task *t, struct poller *p, int64_t wall_us)
{
    const struct budget_state budget = budget_now(&p->budget, wall_us);

    for (size_t i = 0; i < p->governor.n; i++)
        if (p->governor.all[i] == &t->governed)
            return governor_next(&p->governor, i, wall_us, &budget, &t->n_skipped);
    return grid_next(&t->schedule.grid, wall_us); /* it is leaving */
}

bool task_is_due(const struct task *t, const struct poller *p, int64_t wall_us,
                 int64_t *ret_slot_us)
{
    if (t->job.is_polling || t->is_leaving || t->of.is_on_demand)
        return false;
    if (t->owed_us != 0 && wall_us >= t->owed_us) {
        *ret_slot_us = t->owed_us;
        return true;
    }
    if (!schedule_is_due(&t->schedule, wall_us, ret_slot_us))
        return false;
    if (*ret_slot_us == t->failed_slot_us)
        return clock_mono_us(p->clock) >= t->retry_at_us;
    return !is_left_out(t, p, *ret_slot_us);
}

/* Slots that passed since the last one that was polled, whatever held this one up. */
static void count_missed(const struct task *t, const struct poller *p, int64_t wall_us)
{
    if (!t->has_begun)
        return;
    /* those that were left out on purpose are not missed */
    const int64_t promised_us = t->governed.promised_us;
    const uint64_t n_left_out = t->n_skipped > 0 && promised_us > t->last_slot_us
                                    ? grid_count(&t->schedule.grid, t->last_slot_us,
                                                 promised_us < wall_us ? promised_us : wall_us)
                                    : 0;
    uint64_t n = schedule_missed(&t->schedule, t->last_slot_us, wall_us,
                                 clock_mono_us(p->clock) - t->last_begun_us);
    n -= n_left_out < n ? n_left_out : n;
    if (n == 0)
        return;
    metric_add(METRIC_MISSED_SLOTS, t->of.id.job, NULL, (double)n);
    if (p->status) {
        status_lock(p->status)->jobs[t->of.status].n_gaps += n;
        status_unlock(p->status);
    }
}

static void count_skipped(const struct task *t, int64_t slot_us)
{
    int64_t until_us = slot_us < t->governed.promised_us ? slot_us : t->governed.promised_us;
    uint64_t n = t->has_begun && t->n_skipped > 0
                     ? grid_count(&t->schedule.grid, t->last_slot_us, until_us)
                     : 0;

    if (n > 0)
        metric_add(METRIC_SKIPPED_SLOTS, t->of.id.job, NULL, (double)n);
}

/* As far as the next slot leaves it time; but a sweep that is cut short lacks the same coins every
 * time: it may take the next slots' too. */
void task_begin_slot(struct task *t, struct poller *p, int64_t slot_us)
{
    int64_t wall_us = clock_wall_us(p->clock);
    int64_t budget_us = grid_end(&t->schedule.grid, wall_us) - wall_us - SLOT_MARGIN_US;
    budget_us = budget_us < LONGEST_BUDGET_US ? budget_us : LONGEST_BUDGET_US;
    int64_t least_us =
        poll_job_is_sweep(&t->job) ? poll_job_budget_us(&t->job, p) : LEAST_BUDGET_US;

    count_missed(t, p, wall_us);
    count_skipped(t, slot_us);
    t->turn = TURN_SLOT;
    t->has_begun = true;
    if (slot_us >= t->owed_us)
        t->owed_us = 0;
    t->last_slot_us = slot_us;
    t->last_begun_us = clock_mono_us(p->clock);
    /* the same slot once more: what it promised stays */
    bool is_again = slot_us == t->failed_slot_us && t->governed.promised_us > wall_us;
    int64_t next_us = is_again ? t->governed.promised_us : plan_next(t, p, wall_us);
    adapt_begin(&t->adapt);
    poll_begin(p, &t->job,
               &(struct poll_plan){
                   .slot_us = slot_us,
                   .deadline_us = t->last_begun_us + (budget_us > least_us ? budget_us : least_us),
                   .next_due_us = next_us,
                   .n_skipped = t->n_skipped,
                   .adapt = t->of.most_us > 0 ? &t->adapt : NULL,
               });
}

/* It takes no slot of the grid, and the grid goes on. */
void task_begin_wish(struct task *t, struct poller *p, const struct wish *wish)
{
    int64_t wall_us = clock_wall_us(p->clock);

    t->turn = TURN_WISH;
    t->ticket = wish->ticket;
    if (wish->has_chart) {
        t->chart = wish->chart;
        t->of.selection.chart = &t->chart;
    }
    poll_begin(p, &t->job,
               &(struct poll_plan){
                   .slot_us = wall_us,
                   .deadline_us = clock_mono_us(p->clock) + poll_job_budget_us(&t->job, p),
                   .next_due_us = t->of.is_on_demand ? 0
                                  : t->governed.promised_us > wall_us
                                      ? t->governed.promised_us
                                      : grid_next(&t->schedule.grid, wall_us),
                   .n_skipped = t->n_skipped,
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

/* What brought rows takes its slot; what did not may try it again, unless no call is left. */
static void note_slot(struct task *t, struct poller *p, int64_t slot_us, enum poll_outcome outcome,
                      bool is_spent)
{
    if (outcome_bears_rows(outcome) || is_spent) {
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

/* What the poll promised later than the budget would have: calls that are saved for others. */
static void take_promise(struct task *t, const struct poll_plan *plan)
{
    if (plan->adapt == NULL || plan->next_due_us <= t->governed.promised_us)
        return;
    t->governed.promised_us = t->governed.least_us = plan->next_due_us;
    t->n_skipped = plan->n_skipped;
}

void task_end(struct task *t, struct poller *p, const struct poll_result *result, bool is_on_tape,
              bool is_running)
{
    t->outcome = result->outcome;
    take_promise(t, &t->job.poll.plan);
    if (t->turn == TURN_SLOT)
        note_slot(t, p, t->last_slot_us, is_on_tape ? result->outcome : POLL_FAILED,
                  is_cause(result, CAUSE_BUDGET));
    report(t, result, is_running);
}
