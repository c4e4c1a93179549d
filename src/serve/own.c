/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/own.h"

#include "base/clock.h"
#include "serve/json.h"

#define MAX_JOB 64 /* of a name, NUL included */

/* ---- refusals ---- */

void own_refuse(struct http_response *res, int status, const char *fmt, ...)
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

void own_fail(struct http_response *res, enum st st, const struct err *err)
{
    own_refuse(res, st == ST_AGAIN ? 503 : 500, "%s", err->msg);
    if (st == ST_AGAIN)
        http_add_header(res, "Retry-After", "1");
}

void own_refuse_store(const struct own *own, const char *what, struct http_response *res)
{
    if (own->query)
        own_refuse(res, 501,
                   "the store that is served keeps no %s; add a sink that does, such as "
                   "--sink sqlite:market.db",
                   what);
    else
        own_refuse(
            res, 501,
            "no sink here can be read; add a sink that does, such as --sink sqlite:market.db");
}

/* ---- the job ---- */

static bool is_polled(const struct status_job *job)
{
    return !job->is_gone && !job->is_idle;
}

bool own_is_any_polled(const struct own *own)
{
    for (size_t i = 0; i < own->snapshot->n_jobs; i++)
        if (is_polled(&own->snapshot->jobs[i]))
            return true;
    return false;
}

bool own_is_polled(const struct own *own, struct str name)
{
    const struct status_snapshot *now = own->snapshot;

    for (size_t i = 0; i < now->n_jobs; i++)
        if (is_polled(&now->jobs[i]) && str_eq(name, str_of(now->jobs[i].name)))
            return true;
    return false;
}

/* The name of the last job that is polled, or of the last of all; how many there are. */
static size_t find_jobs(const struct own *own, bool is_any, struct str *ret_name, struct buf *names)
{
    const struct status_snapshot *now = own->snapshot;
    size_t n = 0;

    for (size_t i = 0; i < now->n_jobs; i++) {
        if (!is_any && !is_polled(&now->jobs[i]))
            continue;
        buf_addf(names, "%s%s", n > 0 ? ", " : "", now->jobs[i].name);
        *ret_name = str_of(now->jobs[i].name);
        n++;
    }
    return n;
}

/* Of a store that `once` fills no job promises a next poll, nor does one before its first: then all
 * there are. */
static size_t find_choice(const struct own *own, struct str *ret_name, struct buf *names)
{
    const size_t n = find_jobs(own, false, ret_name, names);
    return n > 0 ? n : find_jobs(own, true, ret_name, names);
}

bool own_choose_job(struct own *own, struct str *name, struct http_response *res)
{
    struct buf names = BUF_INIT(STATUS_MAX_JOBS * (MAX_JOB + 2));
    struct str found = STR_NONE;

    status_copy(own->status, own->snapshot);
    if (name->len > 0)
        return true;
    const size_t n = find_choice(own, &found, &names);
    if (n == 1)
        *name = found;
    else if (n == 0)
        own_refuse(res, 503, "there is no job yet");
    else
        own_refuse(res, 400, "job: which one? name it as ?job=NAME: %s", buf_z(&names));
    buf_release(&names);
    return n == 1;
}

void own_refuse_job(const struct own *own, struct str name, struct http_response *res)
{
    struct buf b = BUF_INIT(STATUS_MAX_JOBS * (MAX_JOB + 2)), clean = BUF_INIT(MAX_JOB * 4);
    struct str last;

    buf_add_clean(&clean, name, MAX_JOB);
    const size_t n = find_choice(own, &last, &b);
    own_refuse(res, 404, "job: there is none called \"%s\"; there are: %s", buf_z(&clean),
               n > 0 ? buf_z(&b) : "none");
    buf_release(&b);
    buf_release(&clean);
}

bool own_check_job(struct own *own, struct str name, struct http_response *res)
{
    const struct poll_query args = {.job = name, .before_us = INT64_MAX, .limit = 1};
    struct rows rows;
    struct err err = ERR_INIT;

    if (own_is_polled(own, name) ||
        own->query->driver->polls(own->query, &args, own->arena, &rows, &err) != ST_OK ||
        rows.n > 0)
        return true;
    own_refuse_job(own, name, res);
    return false;
}

/* ---- parameters ---- */

bool own_read_time(const struct http_request *req, const char *name, int64_t *ret_us,
                   struct http_response *res)
{
    struct str text = http_query(req, name);

    if (text.len == 0 || time_parse(text, ret_us) || str_to_i64(text, 0, TIME_LAST_US, ret_us))
        return true;
    own_refuse(res, 400, "%s: not a time; write it like 2026-11-23T14:30:00Z", name);
    return false;
}

int64_t own_now_us(const struct own *own)
{
    return clock_wall_us(own->past ? own->past : clock_system());
}

bool own_read_moment(const struct own *own, const struct http_request *req, const char *name,
                     int64_t *ret_us, struct http_response *res)
{
    const int64_t now_us = own_now_us(own);

    if (!own_read_time(req, name, ret_us, res))
        return false;
    if (own->past && *ret_us > now_us)
        *ret_us = now_us;
    return true;
}

bool own_read_limit(const struct http_request *req, uint32_t max, uint32_t *ret_n,
                    struct http_response *res)
{
    struct str limit = http_query(req, "limit");
    int64_t n = *ret_n;

    if (limit.len > 0 && !str_to_i64(limit, 1, max, &n)) {
        own_refuse(res, 400, "limit: not a number from 1 to %u", (unsigned)max);
        return false;
    }
    *ret_n = (uint32_t)n;
    return true;
}

bool own_read_ids(const struct own *own, const struct http_request *req, size_t max,
                  const struct str **ret_ids, size_t *ret_n, struct http_response *res)
{
    struct str text = http_query(req, "ids");
    struct str *ids = text.len > 0 ? arena_alloc(own->arena, max, sizeof(*ids)) : NULL;
    struct str part;
    bool is_more = ids != NULL;
    size_t n = 0;

    if (text.len > 0 && !ids) {
        own_refuse(res, 503, "ids: no memory for so many");
        return false;
    }
    while (is_more) {
        is_more = str_cut(&text, ',', &part);
        if (part.len == 0)
            continue;
        if (n == max) {
            own_refuse(res, 400, "ids: more than %zu; ask for fewer at once", max);
            return false;
        }
        ids[n++] = part;
    }
    *ret_ids = ids;
    *ret_n = n;
    return true;
}

/* ---- answers ---- */

void own_add_job(struct buf *b, struct str job)
{
    buf_add_char(b, '{');
    json_add_key(b, "job");
    buf_add_json_str(b, job);
}

void own_add_value(struct buf *b, const struct cell *value)
{
    char text[TIME_TEXT];

    if (value->kind != CELL_TIME) {
        cell_add_json(b, value);
        return;
    }
    time_format(value->number, text);
    buf_addf(b, "\"%s\"", text);
}

void own_add_rows(struct buf *b, const char *key, const struct rows *rows)
{
    json_add_key(b, key);
    buf_add_char(b, '[');
    for (size_t i = 0; i < rows->n; i++) {
        buf_add_z(b, i > 0 ? ",{" : "{");
        for (size_t column = 0; column < rows->table->n_columns; column++) {
            json_add_key(b, rows->table->columns[column].name);
            own_add_value(b, &rows_at(rows, i)[column]);
        }
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
}
