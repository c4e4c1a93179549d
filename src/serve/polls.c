/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/polls.h"

#include "base/clock.h"
#include "serve/json.h"

#include <inttypes.h>
#include <stdio.h>

#define MAX_JOB 64 /* of a name, NUL included */

/* What who is refused is told to wait for at most: by then a budget may have been raised. */
#define LONGEST_WAIT_US (3600 * US_PER_S)

/* ---- reading ---- */

void polls_get(struct own *own, const struct http_request *req, struct http_response *res)
{
    struct poll_query args = {
        .job = http_query(req, "job"), .before_us = INT64_MAX, .limit = POLLS_LIMIT};
    struct rows rows;
    struct err err = ERR_INIT;

    if (!own->query || !own->query->driver->polls) {
        own_refuse_store(own, "polls", res);
        return;
    }
    if (!own_read_limit(req, POLLS_MAX_LIMIT, &args.limit, res) ||
        !own_read_time(req, "before", &args.before_us, res) || !own_choose_job(own, &args.job, res))
        return;
    enum st st = own->query->driver->polls(own->query, &args, own->arena, &rows, &err);
    if (st != ST_OK) {
        own_fail(res, st, &err);
        return;
    }
    if (rows.n == 0 && !own_check_job(own, args.job, res))
        return;
    own_add_job(&res->body, args.job);
    own_add_rows(&res->body, "polls", &rows);
    json_add_key(&res->body, "next_before"); /* of the next page; null: this is the last one */
    own_add_value(&res->body, rows.n >= args.limit ? &rows_at(&rows, rows.n - 1)[POLL_COLUMN_SLOT]
                                                   : &CELL_NONE);
    buf_add_z(&res->body, "}\n");
}

void gaps_get(struct own *own, const struct http_request *req, struct http_response *res)
{
    const int64_t now_us = clock_wall_us(clock_system());
    struct gap_query args = {
        .job = http_query(req, "job"), .since_us = now_us - GAPS_SINCE_US, .now_us = now_us};
    struct rows rows;
    struct err err = ERR_INIT;

    if (!own->query || !own->query->driver->gaps) {
        own_refuse_store(own, "polls", res);
        return;
    }
    if (!own_read_time(req, "since", &args.since_us, res) || !own_choose_job(own, &args.job, res))
        return;
    enum st st = own->query->driver->gaps(own->query, &args, own->arena, &rows, &err);
    if (st != ST_OK) {
        own_fail(res, st, &err);
        return;
    }
    if (rows.n == 0 && !own_check_job(own, args.job, res))
        return;
    const struct cell since = cell_of_time(args.since_us);
    own_add_job(&res->body, args.job);
    json_add_key(&res->body, "since");
    own_add_value(&res->body, &since);
    own_add_rows(&res->body, "gaps", &rows);
    buf_add_z(&res->body, "}\n");
}

/* ---- poll now ---- */

/* {"job":"…"}, nothing else in it. */
static enum st read_body(struct own *own, struct str body, struct str *ret_job, struct err *err)
{
    struct str text = json_pad(own->arena, body);
    struct json_token token;

    if (text.p == NULL)
        return err_set(err, ST_AGAIN, "no memory for the body");
    enum st st = json_open(own->json, text, own->arena, err);
    if (st == ST_OK)
        st = json_next(own->json, &token, err);
    if (st == ST_OK && token.event != JSON_OBJECT_BEGIN)
        return err_set(err, ST_REJECT, "it is no object");
    while (st == ST_OK && (st = json_next(own->json, &token, err)) == ST_OK) {
        if (token.event == JSON_DONE)
            return ST_OK;
        if (token.event == JSON_OBJECT_END)
            continue;
        if (token.is_bad || !str_eq(token.text, STR("job")))
            return err_set(err, ST_REJECT, "it has a key that is not \"job\"");
        st = json_next(own->json, &token, err);
        if (st == ST_OK && (token.event != JSON_STRING || token.is_bad || ret_job->p))
            return err_set(err, ST_REJECT, "\"job\" is no text, or there twice");
        *ret_job = token.text;
    }
    return st;
}

/* The job of the query or the body. False: answered. */
static bool read_job(struct own *own, const struct http_request *req, struct str *ret_job,
                     struct http_response *res)
{
    struct str body = str_trim(http_request_body(req)), in_body = STR_NONE;
    struct err err = ERR_INIT;

    *ret_job = http_query(req, "job");
    if (body.len > 0 && read_body(own, body, &in_body, &err) != ST_OK) {
        own_refuse(res, 400, "body: %s; send {\"job\":\"NAME\"}, or nothing", err.msg);
        return false;
    }
    if (ret_job->len > 0 && in_body.len > 0 && !str_eq(*ret_job, in_body)) {
        own_refuse(res, 400, "job: one in the query and another in the body; send one");
        return false;
    }
    if (ret_job->len == 0)
        *ret_job = in_body;
    return own_choose_job(own, ret_job, res);
}

/* A poll that no call is left for would be one more failure on the tape. */
static void refuse_spent(const struct status_budget *b, int64_t now_us, struct http_response *res)
{
    const int64_t wait_us = b->until_us - now_us;
    char until[TIME_TEXT];

    time_format(b->until_us, until);
    own_refuse(res, 429,
               "the budget of %" PRIu64 " calls is spent: nothing is polled until %.10s; raise "
               "api.budget if the plan has more",
               b->calls, until);
    http_add_header(
        res, "Retry-After", "%lld",
        (long long)((wait_us < LONGEST_WAIT_US ? wait_us : LONGEST_WAIT_US) / US_PER_S) + 1);
}

void polls_post(struct own *own, const struct http_request *req, struct http_response *res)
{
    char name[MAX_JOB], asked[TIME_TEXT];
    struct str job;

    if (own->is_reader) {
        own_refuse(res, 501,
                   "nothing polls here: this process serves a store alone; ask the collector");
        return;
    }
    if (!read_job(own, req, &job, res))
        return;
    if (!own_is_any_polled(own)) { /* while a reload changes them all */
        own_refuse(res, 503, "no job is polled now; ask again");
        http_add_header(res, "Retry-After", "1");
        return;
    }
    if (!own_is_polled(own, job)) {
        own_refuse_job(own, job, res);
        return;
    }
    if (own->poll_now == NULL || own->snapshot->is_stopping) {
        own_refuse(res, 503, "%s",
                   own->poll_now ? "the process is stopping; ask the next one"
                                 : "nothing polls here");
        return;
    }
    const int64_t now_us = clock_wall_us(clock_system());
    if (status_is_spent(&own->snapshot->budget, now_us)) {
        refuse_spent(&own->snapshot->budget, now_us, res);
        return;
    }
    time_format(now_us, asked);
    snprintf(name, sizeof(name), "%.*s", STR_ARG(job));
    const uint64_t ticket = own->poll_now(own->ctx, name);
    if (ticket == 0) {
        own_refuse(res, 429, "too many polls wait already; ask again when some are done");
        http_add_header(res, "Retry-After", "10");
        return;
    }
    res->status = 202;
    own_add_job(&res->body, job);
    /* its slot is the moment when it starts: not before now */
    buf_addf(&res->body, ",\"ticket\":%" PRIu64 ",\"slot_from\":\"%s\"}\n", ticket, asked);
}

const struct operation op_polls = {
    .summary = "polls of a job, newest first",
    .takes = (const struct parameter[]){TAKES_JOB, TAKES_LIMIT(POLLS_LIMIT, POLLS_MAX_LIMIT),
                                        TAKES_TIME("before", "slots before it alone"), TAKES_END},
    .gives = "{job:s,polls:[@poll],next_before:t?}",
    .refuses = {404, 501},
};

const struct operation op_poll_now = {
    .summary = "poll a job now",
    .takes = (const struct parameter[]){TAKES_JOB, TAKES_END},
    .body = "{job?:s}",
    .gives = "{job:s,ticket:i,slot_from:t}",
    .status = 202,
    .refuses = {403, 404, 413, 429, 501},
};

const struct operation op_gaps = {
    .summary = "promised polls of a job that did not happen, newest first",
    .takes = (const struct parameter[]){TAKES_JOB,
                                        TAKES_TIME("since", "gaps that lasted beyond it alone"),
                                        TAKES_END},
    .gives = "{job:s,since:t,gaps:[@gap]}",
    .refuses = {404, 501},
};
