/* Reading a store in SQL through query.h, over any engine: each answer is one transaction.
 *
 * What was known at a moment is what the polls brought that were whole by then: of each job the
 * rows up to the last of them, without the coins that it had found to be absent. Rows that were
 * left out, as they had not changed, are the rows before.
 *
 * Threads: the query's. Limits: an answer takes at most query.timeout_us.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_QUERY_H
#define LOAD_SQL_QUERY_H

#include "load/sink.h"
#include "load/sql/db.h"

/* A reader of the store behind db, which it takes over: db_begin() connects where that is needed.
 * Owner: query->driver->close(). */
struct query *sql_query_new(const struct sink_url *url, const struct db *db);

/* ---- between the files of the reader ---- */

struct reader {
    struct query query;
    struct db db;
    char shown[SINK_URL_MAX];
};

#define READER_NOW INT64_MAX /* a moment that every poll is before */

/* The moment that answers are of. */
static inline int64_t reader_moment(const struct reader *r)
{
    return r->query.at_us != 0 ? r->query.at_us : READER_NOW;
}

/* Begin an answer, and end it: st, or why it is not so. */
enum st reader_begin(struct reader *r, struct err *err) MUST_USE;
enum st reader_end(struct reader *r, enum st st, struct err *err) MUST_USE;

/* Rows that grow in an arena. */
struct collected {
    struct rows *rows;
    struct arena *arena;
    size_t max;
};

/* Room for max rows; false when there is none. */
bool reader_make_room(struct collected *c, size_t max);

/* Add all rows of a statement; it has the table's columns by their names. ST_AGAIN also when the
 * arena is full. */
enum st reader_collect(struct reader *r, struct stmt *stmt, struct collected *c,
                       struct err *err) MUST_USE;

/* Gives a statement its parameters. */
typedef void reader_binder(struct stmt *stmt, const void *args);

/* All rows of a statement; bind NULL: it has no parameters. */
enum st reader_ask(struct reader *r, enum db_statement which, reader_binder *bind, const void *args,
                   struct collected *c, struct err *err) MUST_USE;

/* Texts as a JSON array in the arena, for :ids, but for those that cannot be an id. */
enum st reader_ids(const struct str *ids, size_t n, struct arena *arena, struct str *ret_ids,
                   struct err *err) MUST_USE;
/* query_filled.c: points or candles that were backfilled, finest first, then by time, each moment
 * once, as it was known at moment_us. */
enum {
    FILLED_AT, /* of a candle its close */
    FILLED_STEP,
    FILLED_OPEN,
    FILLED_HIGH,
    FILLED_LOW,
    FILLED_CLOSE,
    FILLED_MARKET_CAP,
    FILLED_TOTAL_VOLUME,
    N_FILLED
};
struct filled_query {
    struct str id, vs_currency;
    int64_t after_us, until_us; /* what is in (after, until] */
    int64_t moment_us;
    bool is_candles;
};
enum st reader_filled(struct reader *r, const struct filled_query *args, struct arena *arena,
                      struct rows *ret_rows, struct err *err) MUST_USE;

/* query_upkeep.c: of the driver. */
enum st reader_refusals(struct query *q, uint32_t limit, struct arena *arena, struct rows *ret_rows,
                        struct err *err) MUST_USE;
enum st reader_flags(struct query *q, uint32_t limit, struct arena *arena, struct rows *ret_rows,
                     struct err *err) MUST_USE;
enum st reader_coverage(struct query *q, const struct coverage_query *args, struct arena *arena,
                        struct rows *ret_rows, struct err *err) MUST_USE;

/* query_driver's, in query_sparks.c */
enum st reader_sparks(struct query *q, const struct spark_query *args, struct arena *arena,
                      struct rows *ret_rows, struct err *err) MUST_USE;

/* The answer needs more than the arena has. */
enum st reader_no_room(const struct arena *arena, struct err *err);

/* A job of an endpoint as it was at a moment. */
struct reader_job {
    int64_t job_id;
    int64_t at_us;        /* the moment */
    int64_t slot_us;      /* of its last poll that was whole by then */
    int64_t told_us;      /* when its last ok poll began, which had all coins that are present */
    int64_t since_us;     /* of a poll up to that one, which was stored whole, or a little before */
    struct str selection; /* in the arena */
};

/* Those that had a poll by then, in the order of their numbers; vs_currency empty where the
 * endpoint has none. */
enum st reader_jobs(struct reader *r, enum row_table table, struct str vs_currency, int64_t at_us,
                    struct arena *arena, struct reader_job **ret_jobs, size_t *ret_n,
                    struct err *err) MUST_USE;

/* Parameters :job_id, :slot, :since, :at of a job: struct reader_job. */
void reader_bind_job(struct stmt *stmt, const void *args);

/* query_driver's, in query_past.c: market() of the past, and what goes by lists of coins */
enum st past_market(struct reader *r, const struct market_query *args, int64_t at_us,
                    struct arena *arena, struct rows *ret_rows, struct err *err) MUST_USE;
enum st reader_coins(struct query *q, struct arena *arena, struct rows *ret_rows,
                     struct err *err) MUST_USE;
enum st reader_inactive(struct query *q, struct arena *arena, struct rows *ret_rows,
                        struct err *err) MUST_USE;
enum st reader_newest(struct query *q, struct arena *arena, struct rows *ret_rows,
                      struct err *err) MUST_USE;
enum st reader_names(struct query *q, struct arena *arena, struct rows *ret_rows,
                     struct err *err) MUST_USE;
enum st reader_info(struct query *q, struct str id, struct arena *arena, struct coin_info *ret_info,
                    bool *ret_is_known, struct err *err) MUST_USE;

/* Of an endpoint nothing is there: ST_OK when no job collects it, or did so by then; ST_AGAIN: it
 * comes with the first poll. */
enum st reader_check_collected(struct reader *r, enum row_table table, const char *selection,
                               struct err *err) MUST_USE;

/* query_driver's, in query_chart.c */
enum st reader_series(struct query *q, const struct chart_query *args, struct arena *arena,
                      struct rows *ret_rows, struct err *err) MUST_USE;
enum st reader_ohlc(struct query *q, const struct chart_query *args, struct arena *arena,
                    struct rows *ret_rows, struct err *err) MUST_USE;
/* query_driver's, in query_rows.c */
enum st reader_rows(struct query *q, const struct rows_query *args, struct arena *arena,
                    struct rows *ret_rows, struct err *err) MUST_USE;
/* query_driver's, in query_price.c */
enum st reader_price(struct query *q, const struct price_query *args, struct arena *arena,
                     struct known_price *ret_price, bool *ret_is_known, struct err *err) MUST_USE;

#endif
