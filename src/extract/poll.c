/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/poll.h"

#include "base/mem.h"
#include "base/metric.h"
#include "extract/answer.h"
#include "extract/keep.h"
#include "extract/request.h"

#include <stdio.h>

#define RETRIES_US (120 * US_PER_S) /* of a poll that has no slot to end with */
#define MAX_LOST   2                /* pages in a row; then a sweep gives up */

void poll_job_init(struct poll_job *j, const struct extract_job *job, struct poller *p)
{
    struct tape_record end;
    bool has_end = tape_writer_last_end(job->writer, &end);

    *j = (struct poll_job){.job = job, .endpoint = endpoint_find(job->id.endpoint)};
    j->tape_bytes = tape_writer_bytes(job->writer);
    j->credits = budget_of(&p->budget, job->id.job, clock_wall_us(p->clock), has_end ? &end : NULL);
}

void poll_job_release(struct poll_job *j)
{
    mem_free(j->poll.pages);
}

bool poll_job_is_sweep(const struct poll_job *j)
{
    return endpoint_pages(j->endpoint, &j->job->id, &j->job->selection) == 0;
}

int64_t poll_job_budget_us(const struct poll_job *j, const struct poller *p)
{
    uint32_t n_pages = endpoint_pages(j->endpoint, &j->job->id, &j->job->selection);

    if (n_pages == 0)
        n_pages = POLL_MAX_SWEEP;
    return n_pages * p->limiter.interval_us + RETRIES_US;
}

bool poll_clock_jumped(const struct poll *poll, const struct poller *p, int64_t now_us,
                       char ret_error[POLL_MAX_ERROR])
{
    int64_t jump_us =
        (now_us - poll->started_us) - (clock_mono_us(p->clock) - poll->started_mono_us);
    char by[TIME_TEXT];

    if (jump_us >= -ANSWER_MAX_SKEW_US && jump_us <= ANSWER_MAX_SKEW_US)
        return false;
    duration_format((jump_us < 0 ? -jump_us : jump_us) / US_PER_S * US_PER_S, by);
    snprintf(
        ret_error, POLL_MAX_ERROR,
        "clock: it went %s by %s within the poll: it was set, or this machine slept; nothing to "
        "do if it is right now",
        jump_us < 0 ? "back" : "on", by);
    return true;
}

static bool is_cause(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

/* The page is lost for this poll. The first loss is the poll's reason, but for what spoils the poll
 * as a whole. */
static void lose_page(struct poller *p, struct poll *poll, uint32_t page, struct page_answer *a)
{
    poll->n_lost_in_row++;
    poll->is_over = poll->is_over || !a->can_retry || a->is_hopeless ||
                    (poll->is_sweep && poll->n_lost_in_row == MAX_LOST);
    if (poll->cause && !is_cause(a->cause, CAUSE_STOPPED) && !is_cause(a->cause, CAUSE_CLOCK))
        return;
    poll->cause = a->cause;
    answer_mask_key(a->error, strlen(a->error), str_of(p->api->key));
    if (poll->is_sweep || poll->n_pages > 1)
        snprintf(poll->error, sizeof(poll->error), "page %u: %.*s", (unsigned)page,
                 (int)sizeof(poll->error) - 32, a->error);
    else
        snprintf(poll->error, sizeof(poll->error), "%s", a->error);
}

/* True when a page that should follow another is that other again. The order of ids proves nothing:
 * CoinGecko's is no order of bytes. But no coin begins two pages, and two pages have not the same
 * coins, however ranks moved in between. */
static bool is_repeated(const struct poll *poll, const struct page_answer *a)
{
    return a->all_ids != 0 &&
           (a->all_ids == poll->all_ids || (a->first_id != 0 && a->first_id == poll->first_id));
}

/* A good page: is it the last one? For the first `top` coins a short page proves nothing, but for
 * an empty one. A sweep, or a category, ends at a clearly short one too. */
static void take_page(struct poll_job *j, uint32_t page, const struct page_answer *a)
{
    struct poll *poll = &j->poll;
    const struct selection *selection = &j->job->selection;
    uint32_t per_page = endpoint_per_page(j->endpoint, selection);
    bool is_list = selection->kind == SELECT_IDS;
    bool ends_short = selection->kind == SELECT_ALL || selection->kind == SELECT_CATEGORY;

    poll->pages[page - 1] = a->offset;
    poll->n_good++;
    poll->n_lost_in_row = 0;
    poll->n_rows += a->n_rows;
    poll->first_id = a->first_id;
    poll->all_ids = a->all_ids;
    bool is_end = (!is_list && a->n_rows == 0) ||
                  (ends_short && (uint64_t)a->n_rows * 10 < (uint64_t)per_page * 9);
    if (j->endpoint->top == JSON_ARRAY_BEGIN && is_end)
        poll->n_pages = page;
    else if (poll->is_sweep)
        poll->n_pages = page + 1;
}

/* Fetch the next page. The return value is the tape's. */
static enum st fetch_page(struct poller *p, struct poll_job *j, struct err *err)
{
    struct poll *poll = &j->poll;
    bool is_list = j->job->selection.kind == SELECT_IDS;
    bool is_chart = j->job->selection.kind == SELECT_CHART; /* of a time before the coin: empty */
    struct page_answer a = {.is_good = false};
    uint32_t page = ++poll->page;
    enum st st = ST_OK;

    if (poll->is_sweep && page > POLL_MAX_SWEEP)
        page_fail(&a, answer_class_name(ANSWER_DRIFT),
                  "%llu coins and no end; a sweep has at most %d pages",
                  (unsigned long long)poll->n_rows, POLL_MAX_SWEEP);
    else /* ids that are unknown are left out; then others of the list must be known */
        st = request_page(p, j, page, is_list ? poll->n_pages > 1 : page > 1 || is_chart, &a, err);
    if (st != ST_OK)
        return st;
    if (a.is_good && !is_list && is_repeated(poll, &a)) {
        a.is_good = a.can_retry = false;
        page_fail(&a, answer_class_name(ANSWER_DRIFT),
                  "the coins of the page before again: the server ignores the parameter page; ask "
                  "another --api-url, or for 250 coins at most");
    }
    if (a.is_good) {
        take_page(j, page, &a);
        if (poll->plan.adapt)
            adapt_see(poll->plan.adapt, buf_str(&p->answer.headers), buf_str(&p->answer.body),
                      clock_wall_us(p->clock));
        return ST_OK;
    }
    lose_page(p, poll, page, &a);
    if (poll->is_sweep && !poll->is_over)
        poll->n_pages = page + 1;
    return ST_OK;
}

static enum poll_outcome outcome_of(const struct poll *poll)
{
    if (poll->cause == NULL)
        return POLL_OK;
    if (is_cause(poll->cause, CAUSE_STOPPED))
        return POLL_ABORTED;
    /* a page behind the last is a good one, but no poll is made of such alone */
    if (is_cause(poll->cause, CAUSE_CLOCK) || poll->n_good == 0 || poll->n_rows == 0)
        return POLL_FAILED;
    return POLL_PARTIAL;
}

void poll_show_end(struct status_job *s, const struct tape_record *end)
{
    struct status_poll *shown = &s->polls[s->n_polls++ % STATUS_MAX_POLLS];

    *shown = (struct status_poll){.slot_us = end->slot_us, .ended_us = end->fetched_at_us};
    snprintf(shown->outcome, sizeof(shown->outcome), "%s", poll_outcome_name(end->outcome));
    snprintf(s->last_outcome, sizeof(s->last_outcome), "%s", poll_outcome_name(end->outcome));
    s->last_slot_us = end->slot_us;
    s->last_ended_us = end->fetched_at_us;
    if (end->outcome == POLL_OK)
        s->last_ok_us = end->fetched_at_us;
}

static void show(const struct poller *p, const struct poll_job *j, const struct poll_result *result)
{
    const struct poll *poll = &j->poll;

    if (p->status == NULL)
        return;
    const int64_t next_slot_us = grid_next(&j->job->grid, poll->plan.slot_us);
    struct status_job *s = &status_lock(p->status)->jobs[j->job->status];
    poll_show_end(s, &result->end);
    s->next_slot_us = next_slot_us;
    s->is_polling = false;
    s->last_latency_us = poll->latency_us;
    s->last_bytes = poll->bytes;
    s->last_attempts = poll->attempts;
    snprintf(s->last_error, sizeof(s->last_error), "%s", poll->error);
    snprintf(s->last_cause, sizeof(s->last_cause), "%s", result->cause ? result->cause : "");
    s->failed_in_row = j->failed_in_row;
    s->next_due_us = poll->plan.next_due_us;
    if (poll->plan.adapt)
        s->apart_us = poll->plan.next_due_us - poll->plan.slot_us;
    s->head = tape_head_get(tape_writer_head(j->job->writer));
    status_unlock(p->status);
}

/* Not one of the ids is known: that is no market. */
static void judge_list(struct poll_job *j)
{
    struct poll *poll = &j->poll;

    if (j->job->selection.kind != SELECT_IDS || poll->cause || poll->n_rows > 0)
        return;
    poll->cause = answer_class_name(ANSWER_DRIFT);
    poll->n_good = 0;
    snprintf(poll->error, sizeof(poll->error), "none of %zu ids is known to the API; check --ids",
             j->job->selection.n_ids);
}

/* By what a whole poll showed: its promise may be of a later slot, those before it are left out. */
static void put_off(const struct extract_job *job, struct poll_plan *plan)
{
    const int64_t from_us =
        adapt_settle(plan->adapt, plan->slot_us, job->grid.every_us, job->most_us);
    const int64_t next_us = grid_next(&job->grid, from_us - 1);

    if (plan->next_due_us == 0 || next_us <= plan->next_due_us)
        return;
    plan->n_skipped += grid_count(&job->grid, plan->next_due_us - 1, next_us);
    plan->next_due_us = next_us;
}

/* What was found, as the last record of the poll. */
static enum st end_poll(struct poller *p, struct poll_job *j, struct poll_result *ret_result,
                        struct err *err)
{
    struct poll *poll = &j->poll;
    int64_t now_us = clock_wall_us(p->clock);
    uint64_t offset;

    judge_list(j);
    if (!is_cause(poll->cause, CAUSE_CLOCK) && poll->n_good > 0 &&
        poll_clock_jumped(poll, p, now_us, poll->error))
        poll->cause = CAUSE_CLOCK;
    ret_result->outcome = outcome_of(poll);
    if (ret_result->outcome == POLL_FAILED) /* a page by a wrong clock is no good one */
        memset(poll->pages, 0, poll->n_pages * sizeof(poll->pages[0]));
    ret_result->cause = poll->cause;
    if (poll->plan.adapt && ret_result->outcome == POLL_OK)
        put_off(j->job, &poll->plan);
    ret_result->end = (struct tape_record){
        .type = TAPE_END,
        .slot_us = poll->plan.slot_us,
        .fetched_at_us = now_us,
        .outcome = ret_result->outcome,
        .started_us = poll->started_us,
        .next_due_us = poll->plan.next_due_us,
        .n_skipped = poll->plan.n_skipped,
        .pages = poll->pages,
        .n_pages = poll->n_pages,
        .attempts = poll->attempts,
        .bytes = poll->bytes,
        .credits_key = j->credits->key_hash,
        .credits_from_us = j->credits->from_us,
        .credits_spent = j->credits->spent,
        .error = str_of(poll->error),
    };
    enum st st = keep_end(j, &ret_result->end, &offset, err);
    if (st != ST_OK)
        return st;
    ret_result->end.offset = offset;
    ret_result->end.stream = tape_writer_stream(j->job->writer);
    metric_add(METRIC_POLLS, j->job->id.job, poll_outcome_name(ret_result->outcome), 1);
    return ST_OK;
}

/* The tape did not take a record: say so in place of whatever else went wrong. */
static void blame_tape(struct poll *poll, const struct err *err)
{
    poll->cause = CAUSE_TAPE;
    snprintf(poll->error, sizeof(poll->error), "%.*s", POLL_MAX_ERROR - 1, err->msg);
}

void poll_begin(struct poller *p, struct poll_job *j, const struct poll_plan *plan)
{
    struct poll *poll = &j->poll;
    uint32_t n_pages = endpoint_pages(j->endpoint, &j->job->id, &j->job->selection);
    uint32_t most = n_pages > 0 ? n_pages : POLL_MAX_SWEEP + 1;
    uint32_t max_pages = poll->max_pages;
    uint64_t *pages = poll->pages;

    if (most > max_pages) {
        pages = mem_grow(pages, most, sizeof(*pages));
        max_pages = most;
    }
    memset(pages, 0, most * sizeof(*pages));
    *poll = (struct poll){
        .plan = *plan,
        .started_us = clock_wall_us(p->clock),
        .started_mono_us = clock_mono_us(p->clock),
        .n_pages = n_pages > 0 ? n_pages : 1,
        .is_sweep = n_pages == 0,
        .pages = pages,
        .max_pages = max_pages,
    };
    j->is_polling = true;
    if (p->status) {
        status_lock(p->status)->jobs[j->job->status].is_polling = true;
        status_unlock(p->status);
    }
}

enum st poll_step(struct poller *p, struct poll_job *j, struct poll_result *ret_result,
                  struct err *err)
{
    struct poll *poll = &j->poll;
    enum st st = fetch_page(p, j, err);

    if (st == ST_OK && poll->page < poll->n_pages && !poll->is_over)
        return ST_OK;
    j->is_polling = false;
    if (st == ST_AGAIN)
        blame_tape(poll, err);
    if (st == ST_OK || st == ST_AGAIN)
        st = end_poll(p, j, ret_result, err);
    if (st == ST_AGAIN) {
        blame_tape(poll, err);
        ret_result->outcome = ret_result->end.outcome = POLL_FAILED;
        ret_result->cause = CAUSE_TAPE;
        ret_result->end.error = str_of(poll->error);
    } else if (st != ST_OK) {
        return st == ST_REJECT ? ST_FATAL : st;
    }
    j->failed_in_row = outcome_bears_rows(ret_result->outcome) ? 0 : j->failed_in_row + 1;
    show(p, j, ret_result);
    return st;
}
