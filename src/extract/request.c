/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/request.h"

#include "base/log.h"
#include "base/metric.h"
#include "extract/answer.h"
#include "extract/keep.h"

#include <stdio.h>

#define BACKOFF_BASE_US  US_PER_S
#define BACKOFF_CAP_US   (30 * US_PER_S)
#define LEAST_TIMEOUT_US US_PER_S /* a request that may start may also take so long */

/* The request at hand. */
struct request {
    struct poller *p;
    struct poll_job *j;
    struct poll *poll; /* j's */
    const char *name;  /* the job's */
    uint32_t page, attempt;
    bool can_be_empty;
};

/* Full jitter: anything from nothing to the exponential delay, so that collectors which failed
 * together do not come back together. */
static int64_t backoff_us(struct poller *p, uint32_t attempt)
{
    int64_t most_us = BACKOFF_BASE_US;

    for (uint32_t i = 2; i < attempt && most_us < BACKOFF_CAP_US; i++)
        most_us *= 2;
    if (most_us > BACKOFF_CAP_US)
        most_us = BACKOFF_CAP_US;
    return (int64_t)(poller_random(p) % (uint64_t)most_us);
}

void page_fail(struct page_answer *a, const char *cause, const char *fmt, ...)
{
    va_list ap;

    a->cause = cause;
    va_start(ap, fmt);
    vsnprintf(a->error, sizeof(a->error), fmt, ap);
    va_end(ap);
}

/* No call is made beyond the budget, whatever it is for. */
static bool can_pay(const struct request *r, struct page_answer *a)
{
    const struct budget_state now = budget_now(&r->p->budget, clock_wall_us(r->p->clock));

    if (now.left > 0)
        return true;
    r->poll->is_over = true;
    a->cause = CAUSE_BUDGET;
    budget_explain(&r->p->budget, &now, a->error);
    return false;
}

/* Wait for backoff and pace. False when the slot ends before, or the extractor is stopped: then the
 * poll is over. `a` keeps the reason of the attempt before. */
static bool wait_turn(const struct request *r, struct page_answer *a)
{
    struct poller *p = r->p;
    int64_t now_us = clock_mono_us(p->clock);
    int64_t at_us = r->attempt > 1 ? now_us + backoff_us(p, r->attempt) : now_us;
    int64_t ready_us = limiter_ready_at(&p->limiter, at_us);
    char text[TIME_TEXT];

    if (!can_pay(r, a))
        return false;
    if (ready_us > r->poll->plan.deadline_us) {
        r->poll->is_over = true;
        if (r->attempt == 1) {
            duration_format((ready_us - now_us + US_PER_S - 1) / US_PER_S * US_PER_S, text);
            page_fail(a, CAUSE_PACE, "the slot ends before the next request may start, in %s",
                      text);
        }
        return false;
    }
    if (ready_us > at_us)
        metric_add(METRIC_LIMITER_WAIT_SECONDS, NULL, NULL, (double)(ready_us - at_us) / 1e6);
    if (!waiter_until(p->waiter, ready_us)) {
        r->poll->is_over = true;
        page_fail(a, CAUSE_STOPPED, "stopped");
        return false;
    }
    limiter_take(&p->limiter, clock_mono_us(p->clock));
    return true;
}

/* rule: of classify.h's table; "" when there was no answer. */
static void count_request(const struct request *r, const char *class, const char *rule)
{
    const struct http_answer *answer = &r->p->answer;
    bool is_answer = strcmp(class, CAUSE_TRANSPORT) != 0;

    metric_add(METRIC_REQUESTS, r->name, class, 1);
    if (r->attempt > 1)
        metric_add(METRIC_RETRIES, r->name, NULL, 1);
    if (is_answer) {
        metric_observe_us(METRIC_REQUEST_SECONDS, r->name, answer->latency_us);
        metric_add(METRIC_RESPONSE_BYTES, r->name, NULL, (double)answer->body.len);
        r->poll->bytes += answer->body.len;
        r->poll->latency_us = answer->latency_us;
    }
    log_debug("extract", "request", LOG_Z("job", r->name), LOG_I("page", r->page),
              LOG_I("attempt", r->attempt), LOG_Z("class", class), LOG_Z("rule", rule),
              LOG_I("status", is_answer ? answer->status : 0),
              LOG_I("bytes", is_answer ? answer->body.len : 0),
              LOG_I("latency_ms", is_answer ? answer->latency_us / US_PER_MS : 0));
}

static bool is_clock_off(const struct request *r, int64_t now_us, struct page_answer *a)
{
    char theirs[TIME_TEXT], ours[TIME_TEXT];
    int64_t date_us;

    if (answer_clock_is_off(buf_str(&r->p->answer.headers), now_us, &date_us)) {
        time_format(date_us, theirs);
        time_format_ms(now_us, ours);
        page_fail(a, CAUSE_CLOCK,
                  "clock: the API says %s, this machine %s; set this machine's clock",
                  date_us == 0 ? "nothing" : theirs, ours);
        return true;
    }
    if (!poll_clock_jumped(r->poll, r->p, now_us, a->error))
        return false;
    a->cause = CAUSE_CLOCK;
    return true;
}

/* The silence that the answer asks for, or earns; what it asked for is returned. Of those in a row
 * only the first is worth a line. */
static int64_t pause_for(const struct request *r, bool is_refused, int64_t now_us)
{
    struct poller *p = r->p;
    int64_t mono_us = clock_mono_us(p->clock), wait_us;
    struct str asked;

    int64_t asked_us = answer_wait_us(buf_str(&p->answer.headers), now_us, &asked);
    wait_us = asked_us;
    if (is_refused)
        wait_us = limiter_refused(&p->limiter, mono_us, asked_us);
    else if (asked_us > 0)
        limiter_pause(&p->limiter, mono_us + asked_us);
    if (wait_us <= 0)
        return 0;
    log_event(p->has_paused ? LOG_DEBUG : LOG_INFO, "extract", "no request for a while",
              LOG_FIELDS(LOG_Z("job", r->name), LOG_I("status", p->answer.status),
                         LOG_S("asked", asked), LOG_I("wait_ms", wait_us / US_PER_MS)));
    p->has_paused = true;
    return asked_us;
}

/* An answer that is none of the endpoint's. */
static void take_refusal(const struct request *r, const struct answer_facts *facts,
                         const struct answer_verdict *verdict, int64_t now_us,
                         struct page_answer *a)
{
    struct poller *p = r->p;
    const struct http_answer *answer = &p->answer;
    char text[ANSWER_MAX_TEXT];

    int64_t wait_us = pause_for(r, verdict->class == ANSWER_RATE_LIMITED, now_us);
    const struct answer_reply reply = {answer->status, buf_str(&answer->headers),
                                       buf_str(&answer->body), wait_us};
    answer_describe(&reply, facts, verdict, r->j->endpoint, text);
    page_fail(a, answer_class_name(verdict->class), "%s", text);
    a->can_retry = verdict->can_retry;
    a->is_hopeless = verdict->class == ANSWER_RATE_LIMITED;
}

/* A whole answer came: keep it, then judge it. */
static enum st take_answer(const struct request *r, struct page_answer *a, struct err *err)
{
    struct poller *p = r->p;
    int64_t now_us = clock_wall_us(p->clock);
    struct answer_facts facts;

    enum st st = keep_answer(p, r->j, r->page, r->attempt, now_us, &facts, &a->offset, err);
    const bool is_wrong = is_clock_off(r, now_us, a);
    if (p->answer.status == 200) /* also when the tape does not take it */
        budget_count(&p->budget, r->j->credits, now_us, !is_wrong, 1);
    if (st != ST_OK)
        return st;
    struct answer_verdict verdict =
        answer_classify(p->answer.status, &facts, r->j->endpoint, r->can_be_empty);
    count_request(r, answer_class_name(verdict.class), verdict.rule);
    if (verdict.class == ANSWER_OK && is_wrong) {
        r->poll->is_over = true;
    } else if (verdict.class == ANSWER_OK) {
        limiter_accepted(&p->limiter);
        p->has_paused = false;
        a->is_good = true;
        a->n_rows = facts.n_elements;
        a->first_id = facts.first_id;
        a->all_ids = facts.all_ids;
    } else {
        take_refusal(r, &facts, &verdict, now_us, a);
    }
    return ST_OK;
}

/* Send one request. The return value is the tape's. */
static enum st ask(const struct request *r, struct page_answer *ret_answer, struct err *err)
{
    struct poller *p = r->p;
    const struct extract_job *job = r->j->job;
    int64_t left_us = r->poll->plan.deadline_us - clock_mono_us(p->clock);
    struct err why = ERR_INIT;

    if (left_us < LEAST_TIMEOUT_US)
        left_us = LEAST_TIMEOUT_US;
    if (left_us > p->api->total_timeout_us)
        left_us = p->api->total_timeout_us;
    buf_clear(&p->url);
    buf_add_z(&p->url, p->api->base_url);
    endpoint_target(r->j->endpoint, &job->id, &job->selection, r->page, &p->url);
    r->poll->attempts++;
    enum st st = buf_check(&p->url, "the request's URL", &why);
    pulse_expect(&p->waiter->pulse, left_us);
    if (st == ST_OK)
        st = http_client_get(p->http, buf_z(&p->url), p->key_line[0] ? p->key_line : NULL, left_us,
                             &p->answer, &why);
    else
        st = ST_FATAL;
    pulse_expect(&p->waiter->pulse, 0); /* the tape is next */
    *ret_answer = (struct page_answer){.is_good = false};
    if ((st == ST_AGAIN || st == ST_REJECT) &&
        p->answer.is_sent) /* for all we know it was charged */
        budget_count(&p->budget, r->j->credits, clock_wall_us(p->clock), false, 1);
    switch (st) {
    case ST_OK:
        return take_answer(r, ret_answer, err);
    case ST_AGAIN:
        count_request(r, CAUSE_TRANSPORT, "");
        page_fail(ret_answer, CAUSE_TRANSPORT, "no answer: %.*s", ANSWER_MAX_TEXT, why.msg);
        ret_answer->can_retry = ret_answer->is_hopeless = true;
        return ST_OK;
    case ST_REJECT:
        r->poll->is_over = true;
        page_fail(ret_answer, CAUSE_STOPPED, "stopped");
        return ST_OK;
    case ST_FATAL:
        break;
    }
    page_fail(ret_answer, answer_class_name(ANSWER_PERMANENT), "%.*s", ANSWER_MAX_TEXT, why.msg);
    return ST_OK;
}

enum st request_page(struct poller *p, struct poll_job *j, uint32_t page, bool can_be_empty,
                     struct page_answer *ret_answer, struct err *err)
{
    struct request r = {
        .p = p,
        .j = j,
        .poll = &j->poll,
        .name = j->job->id.job,
        .page = page,
        .can_be_empty = can_be_empty,
    };
    const uint32_t wanted = j->poll.plan.max_attempts;
    uint32_t most = wanted > 0 ? wanted : p->api->max_attempts > 0 ? p->api->max_attempts : 1;
    struct page_answer a = {.can_retry = true};
    enum st st = ST_OK;

    for (r.attempt = 1; r.attempt <= most && a.can_retry && !j->poll.is_over; r.attempt++) {
        if (!wait_turn(&r, &a))
            break;
        st = ask(&r, &a, err);
        if (st != ST_OK || a.is_good)
            break;
    }
    *ret_answer = a;
    return st;
}
