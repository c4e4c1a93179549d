/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/poll.h"

#include "base/log.h"
#include "base/metric.h"
#include "extract/answer.h"

#include <stdio.h>
#include <sys/random.h>
#include <xxhash.h>

#define BACKOFF_BASE_US  US_PER_S
#define BACKOFF_CAP_US   (30 * US_PER_S)
#define LEAST_TIMEOUT_US US_PER_S /* a request that may start may also take so long */
#define USER_AGENT       "geckotape/" GECKOTAPE_VERSION " (records the CoinGecko API)"
#define MAX_URL          2048
#define MAX_ARENA        (2 * POLL_MAX_BODY + 1024 * 1024) /* strings unescaped, a body repaired */

/* A poll under way. */
struct poll {
    struct poller *p;
    struct poll_job *j;
    const struct poll_plan *plan;
    const char *name; /* the job's */
    int64_t started_us;
    uint32_t n_pages, n_good;
    uint32_t attempts;
    uint64_t bytes;
    int64_t latency_us; /* of the last request */
    const char *cause;  /* why the first lost page is lost; NULL: none is. Its text: p->error */
    bool is_over;       /* nothing more will be asked */
};

/* What became of one request. */
struct attempt {
    bool is_good;
    bool can_retry;
    bool is_hopeless; /* when all attempts are used up: the other pages need not be tried */
    const char *cause;
    char error[POLL_MAX_ERROR];
};

enum st poller_init(struct poller *p, const struct extract_setup *setup, struct waiter *waiter,
                    struct err *err)
{
    const struct extract_api *api = &setup->api;
    struct str key = str_of(api->key);

    *p = (struct poller){.api = api, .clock = setup->clock, .status = setup->status};
    p->waiter = waiter;
    limiter_init(&p->limiter, api->calls_per_minute);
    http_answer_init(&p->answer, POLL_MAX_BODY);
    arena_init(&p->arena, MAX_ARENA);
    buf_init(&p->url, MAX_URL);
    buf_init(&p->kept, ANSWER_MAX_KEPT);
    p->random = setup->random_seed;
    if (p->random == 0 && getrandom(&p->random, sizeof(p->random), 0) < 0)
        p->random = (uint64_t)clock_mono_us(p->clock);
    if (key.len > 0 && api->key_header)
        snprintf(p->key_line, sizeof(p->key_line), "%s: %s", api->key_header, api->key);
    p->key_hash = key.len > 0 ? XXH3_64bits(key.p, key.len) : 0;
    const char *host = strstr(api->base_url, "://");
    host = host ? host + 3 : api->base_url;
    p->base_path_at = (size_t)(host - api->base_url) + strcspn(host, "/");
    p->json = json_new();
    if (p->json == NULL)
        return err_set(err, ST_FATAL, "no memory for the JSON parser");
    return http_client_new(
        &(struct http_client_setup){.user_agent = USER_AGENT,
                                    .connect_timeout_us = api->connect_timeout_us,
                                    .stall_timeout_us = api->stall_timeout_us,
                                    .max_body = POLL_MAX_BODY},
        &p->http, err);
}

void poller_release(struct poller *p)
{
    http_client_free(p->http);
    http_answer_release(&p->answer);
    json_free(p->json);
    arena_release(&p->arena);
    buf_release(&p->url);
    buf_release(&p->kept);
}

void poll_job_init(struct poll_job *j, const struct extract_job *job, const struct poller *p)
{
    struct tape_record end;

    *j = (struct poll_job){.job = job, .endpoint = endpoint_find(job->id.endpoint)};
    j->tape_bytes = tape_writer_bytes(job->writer);
    if (tape_writer_last_end(job->writer, &end) && end.credits_key == p->key_hash) {
        j->credits_from_us = end.credits_from_us;
        j->credits_spent = end.credits_spent;
    }
}

/* splitmix64, S. Vigna */
uint64_t poller_random(struct poller *p)
{
    uint64_t z = p->random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

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

static int64_t month_start(int64_t ts_us)
{
    char text[TIME_TEXT];

    time_format(ts_us, text);
    memcpy(text + 8, "01T00:00:00Z", sizeof("01T00:00:00Z"));
    return time_parse(str_of(text), &ts_us) ? ts_us : 0;
}

/* CoinGecko charges answers with status 200, by calendar month. A clock that is off must not begin
 * another month. */
static void count_credit(struct poll_job *j, int64_t now_us, bool is_clock_off)
{
    int64_t from_us = month_start(now_us);

    if (!is_clock_off && from_us != j->credits_from_us) {
        j->credits_from_us = from_us;
        j->credits_spent = 0;
    }
    j->credits_spent++;
}

static void fail(struct attempt *a, const char *cause, const char *fmt, ...) PRINTF(3, 4);
static void fail(struct attempt *a, const char *cause, const char *fmt, ...)
{
    va_list ap;

    a->cause = cause;
    va_start(ap, fmt);
    vsnprintf(a->error, sizeof(a->error), fmt, ap);
    va_end(ap);
}

static bool is_cause(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

/* The page is lost for this poll. The first loss is the poll's reason, but for what spoils the poll
 * as a whole. */
static void lose_page(struct poll *poll, uint32_t page, struct attempt *a)
{
    struct poller *p = poll->p;

    if (poll->cause && !is_cause(a->cause, CAUSE_STOPPED) && !is_cause(a->cause, CAUSE_CLOCK))
        return;
    poll->cause = a->cause;
    answer_mask_key(a->error, strlen(a->error), str_of(p->api->key));
    if (poll->n_pages > 1)
        snprintf(p->error, sizeof(p->error), "page %u: %.*s", (unsigned)page,
                 (int)sizeof(p->error) - 32, a->error);
    else
        snprintf(p->error, sizeof(p->error), "%s", a->error);
}

/* Wait for backoff and pace. False when the slot ends before, or the extractor is stopped: then the
 * poll is over. `a` keeps the reason of the attempt before. */
static bool wait_turn(struct poll *poll, uint32_t attempt, struct attempt *a)
{
    struct poller *p = poll->p;
    int64_t now_us = clock_mono_us(p->clock);
    int64_t at_us = attempt > 1 ? now_us + backoff_us(p, attempt) : now_us;
    int64_t ready_us = limiter_ready_at(&p->limiter, at_us);
    char text[TIME_TEXT];

    if (ready_us > poll->plan->deadline_us) {
        poll->is_over = true;
        if (attempt == 1) {
            duration_format((ready_us - now_us + US_PER_S - 1) / US_PER_S * US_PER_S, text);
            fail(a, CAUSE_PACE, "the slot ends before the next request may start, in %s", text);
        }
        return false;
    }
    if (ready_us > at_us)
        metric_add(METRIC_LIMITER_WAIT_SECONDS, NULL, NULL, (double)(ready_us - at_us) / 1e6);
    if (!waiter_until(p->waiter, ready_us)) {
        poll->is_over = true;
        fail(a, CAUSE_STOPPED, "stopped");
        return false;
    }
    limiter_take(&p->limiter, clock_mono_us(p->clock));
    return true;
}

static void count_request(struct poll *poll, uint32_t page, uint32_t attempt, const char *class)
{
    const struct http_answer *answer = &poll->p->answer;
    bool is_answer = !is_cause(class, CAUSE_TRANSPORT);

    metric_add(METRIC_REQUESTS, poll->name, class, 1);
    if (attempt > 1)
        metric_add(METRIC_RETRIES, poll->name, NULL, 1);
    if (is_answer) {
        metric_observe_us(METRIC_REQUEST_SECONDS, poll->name, answer->latency_us);
        metric_add(METRIC_RESPONSE_BYTES, poll->name, NULL, (double)answer->body.len);
        poll->bytes += answer->body.len;
        poll->latency_us = answer->latency_us;
    }
    log_debug("extract", "request", LOG_Z("job", poll->name), LOG_I("page", page),
              LOG_I("attempt", attempt), LOG_Z("class", class),
              LOG_I("status", is_answer ? answer->status : 0),
              LOG_I("bytes", is_answer ? answer->body.len : 0),
              LOG_I("latency_ms", is_answer ? answer->latency_us / US_PER_MS : 0));
}

static void count_tape(struct poll *poll, uint64_t offset)
{
    uint64_t bytes = tape_writer_bytes(poll->j->job->writer);

    metric_set(METRIC_TAPE_HEAD, poll->name, NULL, (double)offset);
    metric_add(METRIC_TAPE_BYTES, poll->name, NULL, (double)(bytes - poll->j->tape_bytes));
    poll->j->tape_bytes = bytes;
}

/* Append a record. After a refusal the writer goes on in a new segment, so what an I/O error hit
 * is tried once more, at once; a full disk refuses that too. */
static enum st append(struct poll *poll, const struct tape_record *record, struct str body,
                      uint64_t *ret_offset, struct err *err)
{
    struct tape_writer *w = poll->j->job->writer;
    enum st st = ST_AGAIN;

    for (int try = 0; try < 2 && st == ST_AGAIN; try++) {
        st = record->type == TAPE_PAGE ? tape_append_page(w, record, body, ret_offset, err)
                                       : tape_append_end(w, record, ret_offset, err);
        if (st != ST_OK)
            metric_add(METRIC_TAPE_ERRORS, poll->name, NULL, 1);
        else if (try > 0)
            log_warn("extract", "the tape took a record only at the second try",
                     LOG_Z("job", poll->name), LOG_I("offset", *ret_offset),
                     LOG_Z("error", err->msg));
    }
    if (st == ST_OK)
        count_tape(poll, *ret_offset);
    return st;
}

/* The answer goes onto the tape as it came, before anything is made of it. */
static enum st keep_answer(struct poll *poll, uint32_t page, uint32_t attempt, int64_t now_us,
                           struct answer_facts *ret_facts, uint64_t *ret_offset, struct err *err)
{
    struct poller *p = poll->p;
    struct http_answer *answer = &p->answer;
    struct str key = str_of(p->api->key);
    uint32_t latency_us =
        answer->latency_us < UINT32_MAX ? (uint32_t)answer->latency_us : UINT32_MAX;

    bool is_masked = answer_mask_key(answer->body.p, answer->body.len, key);
    answer_mask_key(answer->headers.p, answer->headers.len, key);
    arena_reset(&p->arena);
    answer_read(p->json, buf_str(&answer->body), &p->arena, ret_facts);
    buf_clear(&p->kept);
    answer_keep_headers(buf_str(&answer->headers), &p->kept);
    struct tape_record record = {
        .type = TAPE_PAGE,
        .is_json = ret_facts->is_json,
        .is_masked = is_masked,
        .slot_us = poll->plan->slot_us,
        .page = page,
        .attempt = attempt,
        .fetched_at_us = now_us,
        .status = (uint32_t)answer->status,
        .latency_us = latency_us,
        .target = {p->url.p + p->base_path_at, p->url.len - p->base_path_at},
        .headers = buf_str(&p->kept),
    };
    return append(poll, &record, buf_str(&answer->body), ret_offset, err);
}

static bool is_clock_off(struct poll *poll, int64_t now_us, struct attempt *ret_attempt)
{
    char theirs[TIME_TEXT], ours[TIME_TEXT];
    int64_t date_us;

    if (!answer_clock_is_off(buf_str(&poll->p->answer.headers), now_us, &date_us))
        return false;
    time_format(date_us, theirs);
    time_format_ms(now_us, ours);
    fail(ret_attempt, CAUSE_CLOCK,
         "clock: the API says %s, this machine %s; set this machine's clock", theirs, ours);
    return true;
}

/* A whole answer came: keep it, then judge it. */
static enum st take_answer(struct poll *poll, uint32_t page, uint32_t attempt,
                           struct attempt *ret_attempt, struct err *err)
{
    struct poller *p = poll->p;
    const struct endpoint *ep = poll->j->endpoint;
    struct http_answer *answer = &p->answer;
    int64_t now_us = clock_wall_us(p->clock);
    struct answer_facts facts;
    char text[ANSWER_MAX_TEXT];
    uint64_t offset;

    enum st st = keep_answer(poll, page, attempt, now_us, &facts, &offset, err);
    if (st != ST_OK)
        return st;
    struct answer_verdict verdict = answer_classify(answer->status, &facts, ep, page > 1);
    count_request(poll, page, attempt, answer_class_name(verdict.class));
    bool is_off = verdict.class == ANSWER_OK && is_clock_off(poll, now_us, ret_attempt);
    if (answer->status == 200)
        count_credit(poll->j, now_us, is_off);
    if (is_off) {
        poll->is_over = true;
        return ST_OK;
    }
    if (verdict.class == ANSWER_OK) {
        ret_attempt->is_good = true;
        p->pages[page - 1] = offset;
        poll->n_good++;
        /* nothing on a page: there are no more. A page that is merely short proves nothing. */
        if (ep->top == JSON_ARRAY_BEGIN && facts.n_elements == 0)
            poll->n_pages = page;
        return ST_OK;
    }
    int64_t wait_us = answer_wait_us(buf_str(&answer->headers), now_us);
    if (wait_us > 0)
        limiter_pause(&p->limiter, clock_mono_us(p->clock) + wait_us);
    answer_describe(answer->status, &facts, &verdict, ep, buf_str(&answer->body), wait_us, text);
    fail(ret_attempt, answer_class_name(verdict.class), "%s", text);
    ret_attempt->can_retry = verdict.can_retry;
    ret_attempt->is_hopeless = verdict.class == ANSWER_RATE_LIMITED;
    return ST_OK;
}

/* Send one request. The return value is the tape's. */
static enum st ask(struct poll *poll, uint32_t page, uint32_t attempt, struct attempt *ret_attempt,
                   struct err *err)
{
    struct poller *p = poll->p;
    const struct extract_job *job = poll->j->job;
    int64_t left_us = poll->plan->deadline_us - clock_mono_us(p->clock);
    struct err why = ERR_INIT;

    if (left_us < LEAST_TIMEOUT_US)
        left_us = LEAST_TIMEOUT_US;
    if (left_us > p->api->total_timeout_us)
        left_us = p->api->total_timeout_us;
    buf_clear(&p->url);
    buf_add_z(&p->url, p->api->base_url);
    endpoint_target(poll->j->endpoint, &job->id, job->selection.top, page, &p->url);
    poll->attempts++;
    enum st st = buf_check(&p->url, "the request's URL", &why);
    if (st == ST_OK)
        st = http_client_get(p->http, buf_z(&p->url), p->key_line[0] ? p->key_line : NULL, left_us,
                             &p->answer, &why);
    else
        st = ST_FATAL;
    *ret_attempt = (struct attempt){.can_retry = false};
    switch (st) {
    case ST_OK:
        return take_answer(poll, page, attempt, ret_attempt, err);
    case ST_AGAIN:
        count_request(poll, page, attempt, CAUSE_TRANSPORT);
        fail(ret_attempt, CAUSE_TRANSPORT, "no answer: %.*s", ANSWER_MAX_TEXT, why.msg);
        ret_attempt->can_retry = ret_attempt->is_hopeless = true;
        return ST_OK;
    case ST_REJECT:
        poll->is_over = true;
        fail(ret_attempt, CAUSE_STOPPED, "stopped");
        return ST_OK;
    case ST_FATAL:
        break;
    }
    fail(ret_attempt, answer_class_name(ANSWER_PERMANENT), "%.*s", ANSWER_MAX_TEXT, why.msg);
    return ST_OK;
}

/* Ask until there is a good answer, no hope or no time. The return value is the tape's. */
static enum st fetch_page(struct poll *poll, uint32_t page, struct err *err)
{
    struct attempt a = {.can_retry = true};
    uint32_t most = poll->p->api->max_attempts > 0 ? poll->p->api->max_attempts : 1;

    for (uint32_t attempt = 1; attempt <= most && a.can_retry && !poll->is_over; attempt++) {
        if (!wait_turn(poll, attempt, &a))
            break;
        enum st st = ask(poll, page, attempt, &a, err);
        if (st != ST_OK || a.is_good)
            return st;
    }
    lose_page(poll, page, &a);
    poll->is_over = poll->is_over || !a.can_retry || a.is_hopeless;
    return ST_OK;
}

static enum poll_outcome outcome_of(const struct poll *poll)
{
    if (poll->cause == NULL)
        return POLL_OK;
    if (is_cause(poll->cause, CAUSE_STOPPED))
        return POLL_ABORTED;
    if (is_cause(poll->cause, CAUSE_CLOCK) || poll->n_good == 0)
        return POLL_FAILED;
    return POLL_PARTIAL;
}

static void show(struct poll *poll, const struct poll_result *result, bool is_on_tape)
{
    struct poller *p = poll->p;

    if (p->status == NULL)
        return;
    struct status_job *s = &status_lock(p->status)->jobs[poll->j->job->status];
    s->is_polling = false;
    s->last_slot_us = poll->plan->slot_us;
    s->last_ended_us = result->end.fetched_at_us;
    if (result->outcome == POLL_OK && is_on_tape)
        s->last_ok_us = result->end.fetched_at_us;
    s->last_latency_us = poll->latency_us;
    s->last_bytes = poll->bytes;
    s->last_attempts = poll->attempts;
    snprintf(s->last_outcome, sizeof(s->last_outcome), "%s", poll_outcome_name(result->outcome));
    snprintf(s->last_error, sizeof(s->last_error), "%s", p->error);
    snprintf(s->last_cause, sizeof(s->last_cause), "%s", result->cause ? result->cause : "");
    s->failed_in_row = poll->j->failed_in_row;
    s->next_due_us = poll->plan->next_due_us;
    s->head = tape_head_get(tape_writer_head(poll->j->job->writer));
    status_unlock(p->status);
}

/* What was found, as the last record of the poll. */
static enum st end_poll(struct poll *poll, struct poll_result *ret_result, struct err *err)
{
    struct poller *p = poll->p;
    struct poll_job *j = poll->j;
    uint64_t offset;

    ret_result->outcome = outcome_of(poll);
    if (ret_result->outcome == POLL_FAILED) /* a page by a wrong clock is no good one */
        memset(p->pages, 0, poll->n_pages * sizeof(p->pages[0]));
    ret_result->cause = poll->cause;
    ret_result->end = (struct tape_record){
        .type = TAPE_END,
        .slot_us = poll->plan->slot_us,
        .fetched_at_us = clock_wall_us(p->clock),
        .outcome = ret_result->outcome,
        .started_us = poll->started_us,
        .next_due_us = poll->plan->next_due_us,
        .pages = p->pages,
        .n_pages = poll->n_pages,
        .attempts = poll->attempts,
        .bytes = poll->bytes,
        .credits_key = p->key_hash,
        .credits_from_us = j->credits_from_us,
        .credits_spent = j->credits_spent,
        .error = str_of(p->error),
    };
    enum st st = append(poll, &ret_result->end, STR_NONE, &offset, err);
    if (st != ST_OK)
        return st;
    ret_result->end.offset = offset;
    ret_result->end.stream = tape_writer_stream(j->job->writer);
    metric_add(METRIC_POLLS, poll->name, poll_outcome_name(ret_result->outcome), 1);
    return ST_OK;
}

/* The tape did not take a record: say so in place of whatever else went wrong. */
static void blame_tape(struct poll *poll, const struct err *err)
{
    poll->cause = CAUSE_TAPE;
    snprintf(poll->p->error, sizeof(poll->p->error), "%.*s", POLL_MAX_ERROR - 1, err->msg);
}

enum st poll_run(struct poller *p, struct poll_job *j, const struct poll_plan *plan,
                 struct poll_result *ret_result, struct err *err)
{
    struct poll poll = {
        .p = p,
        .j = j,
        .plan = plan,
        .name = j->job->id.job,
        .started_us = clock_wall_us(p->clock),
        .n_pages = endpoint_pages(j->endpoint, j->job->selection.top),
    };
    enum st st = ST_OK;

    memset(p->pages, 0, poll.n_pages * sizeof(p->pages[0]));
    p->error[0] = '\0';
    if (p->status) {
        status_lock(p->status)->jobs[j->job->status].is_polling = true;
        status_unlock(p->status);
    }
    for (uint32_t page = 1; page <= poll.n_pages && !poll.is_over && st == ST_OK; page++)
        st = fetch_page(&poll, page, err);
    if (st == ST_AGAIN)
        blame_tape(&poll, err);
    if (st == ST_OK || st == ST_AGAIN)
        st = end_poll(&poll, ret_result, err);
    if (st == ST_AGAIN) {
        blame_tape(&poll, err);
        ret_result->outcome = POLL_FAILED;
        ret_result->cause = CAUSE_TAPE;
        ret_result->end.error = str_of(p->error);
    } else if (st != ST_OK) {
        return st == ST_REJECT ? ST_FATAL : st;
    }
    j->failed_in_row = outcome_bears_rows(ret_result->outcome) ? 0 : j->failed_in_row + 1;
    show(&poll, ret_result, st == ST_OK);
    return st;
}
