/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/polls.h"

#include "base/clock.h"
#include "serve/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#define MAX_JOB 64 /* of a name, NUL included */

/* {"error":"place: cause; mend"} */
static void answer_error(struct http_response *res, int status, const char *fmt, ...) PRINTF(3, 4);

static void answer_error(struct http_response *res, int status, const char *fmt, ...)
{
    struct buf text = BUF_INIT(ERR_MSG_SIZE * 2);
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&text, fmt, ap);
    va_end(ap);
    res->status = status;
    buf_clear(&res->body);
    buf_add_z(&res->body, "{\"error\":");
    buf_add_json_str(&res->body, buf_str(&text));
    buf_add_z(&res->body, "}\n");
    buf_release(&text);
}

/* ---- the job ---- */

/* Does the process poll a job of this name? */
static bool is_polled(const struct status_snapshot *now, struct str name)
{
    for (size_t i = 0; i < now->n_jobs; i++)
        if (!now->jobs[i].is_gone && !now->jobs[i].is_idle &&
            str_eq(name, str_of(now->jobs[i].name)))
            return true;
    return false;
}

static void add_names(const struct status_snapshot *now, struct buf *b)
{
    for (size_t i = 0; i < now->n_jobs; i++)
        if (!now->jobs[i].is_gone && !now->jobs[i].is_idle)
            buf_addf(b, "%s%s", b->len > 0 ? ", " : "", now->jobs[i].name);
}

/* The one job that is polled, where none is named. False: answered. */
static bool choose_job(struct polls_api *api, struct str *name, struct http_response *res)
{
    const struct status_snapshot *now = api->snapshot;
    struct buf names = BUF_INIT(STATUS_MAX_JOBS * (MAX_JOB + 2));
    size_t n = 0;

    status_copy(api->status, api->snapshot);
    if (name->len > 0)
        return true;
    for (size_t i = 0; i < now->n_jobs; i++)
        if (!now->jobs[i].is_gone && !now->jobs[i].is_idle) {
            *name = str_of(now->jobs[i].name);
            n++;
        }
    if (n == 1)
        return true;
    add_names(now, &names);
    answer_error(res, 400, "job: which one? name it as ?job=NAME%s%s", n > 0 ? ": " : "",
                 buf_z(&names));
    buf_release(&names);
    return false;
}

static void answer_unknown_job(struct polls_api *api, struct str name, struct http_response *res)
{
    struct buf b = BUF_INIT(STATUS_MAX_JOBS * (MAX_JOB + 2)), clean = BUF_INIT(MAX_JOB * 4);

    buf_add_clean(&clean, name, MAX_JOB);
    add_names(api->snapshot, &b);
    answer_error(res, 404, "job: there is none called \"%s\"; there are: %s", buf_z(&clean),
                 b.len > 0 ? buf_z(&b) : "none");
    buf_release(&b);
    buf_release(&clean);
}

/* Is there nothing under this name, neither polled nor stored? */
static bool is_unknown(struct polls_api *api, struct str job)
{
    const struct poll_query args = {.job = job, .before_us = INT64_MAX, .limit = 1};
    struct rows rows;
    struct err err = ERR_INIT;

    return !is_polled(api->snapshot, job) &&
           api->query->driver->polls(api->query, &args, api->arena, &rows, &err) == ST_OK &&
           rows.n == 0;
}

/* ---- reading ---- */

/* Times to the microsecond: slots of polls that were asked for have them. */
static void add_value(struct buf *b, const struct cell *value)
{
    char text[TIME_TEXT];

    if (value->kind != CELL_TIME) {
        cell_add_json(b, value);
        return;
    }
    time_format(value->number, text);
    buf_addf(b, "\"%s\"", text);
}

static void add_rows(struct buf *b, const char *key, const struct rows *rows)
{
    json_add_key(b, key);
    buf_add_char(b, '[');
    for (size_t i = 0; i < rows->n; i++) {
        buf_add_z(b, i > 0 ? ",{" : "{");
        for (size_t column = 0; column < rows->table->n_columns; column++) {
            json_add_key(b, rows->table->columns[column].name);
            add_value(b, &rows_at(rows, i)[column]);
        }
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
}

static void add_job(struct buf *b, struct str job)
{
    buf_add_char(b, '{');
    json_add_key(b, "job");
    buf_add_json_str(b, job);
}

/* RFC 3339, or microseconds since 1970. Leaves *ret_us when the parameter is not there. */
static bool read_time(const struct http_request *req, const char *name, int64_t *ret_us,
                      struct http_response *res)
{
    struct str text = http_query(req, name);

    if (text.len == 0 || time_parse(text, ret_us) || str_to_i64(text, 0, INT64_MAX, ret_us))
        return true;
    answer_error(res, 400, "%s: not a time; write it like 2026-11-23T14:30:00Z", name);
    return false;
}

static void answer_failure(struct http_response *res, enum st st, const struct err *err)
{
    answer_error(res, st == ST_AGAIN ? 503 : 500, "%s", err->msg);
    if (st == ST_AGAIN)
        http_add_header(res, "Retry-After", "1");
}

static void get_polls(struct polls_api *api, const struct http_request *req,
                      struct http_response *res)
{
    struct poll_query args = {.job = http_query(req, "job"), .before_us = INT64_MAX};
    struct str limit = http_query(req, "limit");
    int64_t n = POLLS_LIMIT;
    struct rows rows;
    struct err err = ERR_INIT;

    if (limit.len > 0 && !str_to_i64(limit, 1, POLLS_MAX_LIMIT, &n)) {
        answer_error(res, 400, "limit: not a number from 1 to %d", POLLS_MAX_LIMIT);
        return;
    }
    args.limit = (uint32_t)n;
    if (!read_time(req, "before", &args.before_us, res) || !choose_job(api, &args.job, res))
        return;
    enum st st = api->query->driver->polls(api->query, &args, api->arena, &rows, &err);
    if (st != ST_OK) {
        answer_failure(res, st, &err);
        return;
    }
    if (rows.n == 0 && is_unknown(api, args.job)) {
        answer_unknown_job(api, args.job, res);
        return;
    }
    add_job(&res->body, args.job);
    add_rows(&res->body, "polls", &rows);
    json_add_key(&res->body, "next_before"); /* of the next page; null: this is the last one */
    add_value(&res->body,
              rows.n >= args.limit ? &rows_at(&rows, rows.n - 1)[POLL_COLUMN_SLOT] : &CELL_NONE);
    buf_add_z(&res->body, "}\n");
}

static void get_gaps(struct polls_api *api, const struct http_request *req,
                     struct http_response *res)
{
    const int64_t now_us = clock_wall_us(clock_system());
    struct gap_query args = {
        .job = http_query(req, "job"), .since_us = now_us - GAPS_SINCE_US, .now_us = now_us};
    struct rows rows;
    struct err err = ERR_INIT;

    if (!read_time(req, "since", &args.since_us, res) || !choose_job(api, &args.job, res))
        return;
    enum st st = api->query->driver->gaps(api->query, &args, api->arena, &rows, &err);
    if (st != ST_OK) {
        answer_failure(res, st, &err);
        return;
    }
    if (rows.n == 0 && is_unknown(api, args.job)) {
        answer_unknown_job(api, args.job, res);
        return;
    }
    const struct cell since = cell_of_time(args.since_us);
    add_job(&res->body, args.job);
    json_add_key(&res->body, "since");
    add_value(&res->body, &since);
    add_rows(&res->body, "gaps", &rows);
    buf_add_z(&res->body, "}\n");
}

/* ---- poll now ---- */

/* False: answered. What has no token configured is closed, however the request looks. */
static bool is_allowed(const struct polls_api *api, const struct http_request *req,
                       struct http_response *res)
{
    const struct str scheme = STR("Bearer ");
    struct str given = http_header(req, "Authorization");

    if (api->token[0] == '\0') {
        answer_error(res, 403,
                     "no token is configured, so nobody may ask for polls here; set "
                     "GECKOTAPE_HTTP_TOKEN (or --http-token) and restart");
        return false;
    }
    if (given.len > scheme.len && strncasecmp(given.p, scheme.p, scheme.len) == 0 &&
        str_eq_secret((struct str){given.p + scheme.len, given.len - scheme.len},
                      str_of(api->token)))
        return true;
    answer_error(res, 401,
                 "%s; send \"Authorization: Bearer TOKEN\" with the token of "
                 "GECKOTAPE_HTTP_TOKEN",
                 given.p ? "the token is not the right one" : "a token is needed");
    http_add_header(res, "WWW-Authenticate", "Bearer realm=\"geckotape\"");
    return false;
}

/* {"job":"…"}, nothing else in it. */
static enum st read_body(struct polls_api *api, struct str body, struct str *ret_job,
                         struct err *err)
{
    struct str text = json_pad(api->arena, body);
    struct json_token token;

    if (text.p == NULL)
        return err_set(err, ST_AGAIN, "no memory for the body");
    enum st st = json_open(api->json, text, api->arena, err);
    if (st == ST_OK)
        st = json_next(api->json, &token, err);
    if (st == ST_OK && token.event != JSON_OBJECT_BEGIN)
        return err_set(err, ST_REJECT, "it is no object");
    while (st == ST_OK && (st = json_next(api->json, &token, err)) == ST_OK) {
        if (token.event == JSON_DONE)
            return ST_OK;
        if (token.event == JSON_OBJECT_END)
            continue;
        if (token.is_bad || !str_eq(token.text, STR("job")))
            return err_set(err, ST_REJECT, "it has a key that is not \"job\"");
        st = json_next(api->json, &token, err);
        if (st == ST_OK && (token.event != JSON_STRING || token.is_bad || ret_job->p))
            return err_set(err, ST_REJECT, "\"job\" is no text, or there twice");
        *ret_job = token.text;
    }
    return st;
}

/* The job of the query or the body. False: answered. */
static bool read_job(struct polls_api *api, const struct http_request *req, struct str *ret_job,
                     struct http_response *res)
{
    struct str body = str_trim(http_request_body(req)), in_body = STR_NONE;
    struct err err = ERR_INIT;

    *ret_job = http_query(req, "job");
    if (body.len > 0 && read_body(api, body, &in_body, &err) != ST_OK) {
        answer_error(res, 400, "body: %s; send {\"job\":\"NAME\"}, or nothing", err.msg);
        return false;
    }
    if (ret_job->len > 0 && in_body.len > 0 && !str_eq(*ret_job, in_body)) {
        answer_error(res, 400, "job: one in the query and another in the body; send one");
        return false;
    }
    if (ret_job->len == 0)
        *ret_job = in_body;
    return choose_job(api, ret_job, res);
}

static void post_poll(struct polls_api *api, const struct http_request *req,
                      struct http_response *res)
{
    char name[MAX_JOB], asked[TIME_TEXT];
    struct str job;

    if (!is_allowed(api, req, res) || !read_job(api, req, &job, res))
        return;
    if (!is_polled(api->snapshot, job)) {
        answer_unknown_job(api, job, res);
        return;
    }
    if (api->poll_now == NULL || api->snapshot->is_stopping) {
        answer_error(res, 503, "%s",
                     api->poll_now ? "the process is stopping; ask the next one"
                                   : "nothing polls here");
        return;
    }
    time_format(clock_wall_us(clock_system()), asked);
    snprintf(name, sizeof(name), "%.*s", STR_ARG(job));
    const uint64_t ticket = api->poll_now(api->ctx, name);
    if (ticket == 0) {
        answer_error(res, 429, "too many polls wait already; ask again when some are done");
        http_add_header(res, "Retry-After", "10");
        return;
    }
    res->status = 202;
    add_job(&res->body, job);
    /* its slot is the moment when it starts: not before now */
    buf_addf(&res->body, ",\"ticket\":%" PRIu64 ",\"slot_from\":\"%s\"}\n", ticket, asked);
}

/* ---- routes ---- */

static void answer_no_store(struct polls_api *api, struct http_response *res)
{
    answer_error(res, 501, "%s; add a sink that does, such as --sink sqlite:market.db",
                 api->query ? "the store that is served keeps no polls"
                            : "no sink here can be read");
}

bool polls_handle(struct polls_api *api, const struct http_request *req, struct http_response *res)
{
    const bool is_polls = str_eq(http_path(req), STR(POLLS_PATH));

    if (!is_polls && !str_eq(http_path(req), STR("/api/gaps")))
        return false;
    if (http_is_post(req))
        post_poll(api, req, res);
    else if (!api->query || !api->query->driver->polls || !api->query->driver->gaps)
        answer_no_store(api, res);
    else if (is_polls)
        get_polls(api, req, res);
    else
        get_gaps(api, req, res);
    arena_release(api->arena);
    return true;
}
