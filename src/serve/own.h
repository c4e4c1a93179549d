/* What the paths of our own API share: what they answer from, parameters, rows as JSON, refusals.
 *
 * Threads: the HTTP server's.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_OWN_H
#define SERVE_OWN_H

#include "base/json.h"
#include "query/query.h"
#include "serve/http.h"
#include "serve/operation.h"
#include "status/status.h"

struct clock;
struct events;
struct serve_record;

struct own {
    struct query *query; /* NULL: no store that can be read */
    struct status *status;
    struct status_snapshot *snapshot; /* room for a copy */
    struct arena *arena;              /* reset after each request */
    struct json *json;
    /* extract_poll_now(); NULL: nothing polls here */
    uint64_t (*poll_now)(void *ctx, const char *job);
    void *ctx;
    enum st (*read_record)(void *ctx, struct str stream, uint64_t offset, struct arena *arena,
                           struct serve_record *ret_record, struct err *err);
    void *record_ctx;
    struct events *events;
    struct clock *past; /* NULL: answers are of now */
    bool is_reader;     /* nothing polls or loads here */
};

/* What several operations take, for their tables. */
#define TAKES_TIME(name, help) {name, PARAMETER_TIME, help, NULL, 0, 0, false}
#define TAKES_JOB \
    {"job", PARAMETER_TEXT, "its name; may be left out where there is one", NULL, 0, 0, false}
#define TAKES_LIMIT(usual, max) \
    {"limit", PARAMETER_NUMBER, "at most so many", NULL, max, usual, false}

/* What the time is to an answer. */
int64_t own_now_us(const struct own *own);

/* ---- parameters; those that return false have refused ---- */

/* RFC 3339, or microseconds since 1970, up to the year 9999. Leaves *ret_us when the parameter is
 * not there. */
bool own_read_time(const struct http_request *req, const char *name, int64_t *ret_us,
                   struct http_response *res) MUST_USE;

/* The same, not beyond the moment that is served. */
bool own_read_moment(const struct own *own, const struct http_request *req, const char *name,
                     int64_t *ret_us, struct http_response *res) MUST_USE;

/* Ids of coins, comma-separated, at most max; none when the parameter is not there. In the arena
 * and the request. */
bool own_read_ids(const struct own *own, const struct http_request *req, size_t max,
                  const struct str **ret_ids, size_t *ret_n, struct http_response *res) MUST_USE;

/* A number in [1, max]; leaves *ret_n when the parameter is not there. */
bool own_read_limit(const struct http_request *req, uint32_t max, uint32_t *ret_n,
                    struct http_response *res) MUST_USE;

/* The one job that is polled where *name is empty; takes a new copy of the status. */
bool own_choose_job(struct own *own, struct str *name, struct http_response *res) MUST_USE;

/* Does the process poll a job of this name, as of the copy of the status? */
bool own_is_polled(const struct own *own, struct str name);
bool own_is_any_polled(const struct own *own); /* of whatever name */

/* The name is that of a job that is polled, or of which the store has polls; for answers that are
 * empty. */
bool own_check_job(struct own *own, struct str name, struct http_response *res) MUST_USE;

/* ---- answers ---- */

/* {"job":"…" */
void own_add_job(struct buf *b, struct str job);

/* Times to the microsecond: slots of polls that were asked for have them. */
void own_add_value(struct buf *b, const struct cell *value);

/* "key":[{…},…], each row an object of all its columns */
void own_add_rows(struct buf *b, const char *key, const struct rows *rows);

/* ---- refusals: {"error":"place: cause; mend"} ---- */

void own_refuse(struct http_response *res, int status, const char *fmt, ...) PRINTF(3, 4);

/* Why the store could not. */
void own_fail(struct http_response *res, enum st st, const struct err *err);

/* The store, if there is one, does not know. what: "polls" */
void own_refuse_store(const struct own *own, const char *what, struct http_response *res);

void own_refuse_job(const struct own *own, struct str name, struct http_response *res);

#endif
