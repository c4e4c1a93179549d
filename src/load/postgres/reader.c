/* SPDX-License-Identifier: Apache-2.0 */
#include "load/postgres/reader.h"

#include "base/mem.h"
#include "load/postgres/dial.h"
#include "load/postgres/errors.h"
#include "load/postgres/statement.h"
#include "load/sql/query.h"

#include <stdio.h>

#define FIRST_WAIT_US                                                                    \
    (500 * US_PER_MS)          /* at most, of one who bounds his answers, for a new dial \
                                */
#define LEAST_PAUSE   US_PER_S /* between dials that fail */
#define LONGEST_PAUSE (30 * US_PER_S)
#define GRACE_MS      500 /* that the server has to say that a statement took too long */
#define NO_BOUND_MS   150000

struct server_reader {
    struct postgres_connection connection; /* first: db->own is either */
    struct dial *dial;                     /* NULL: none goes on */
    int64_t pause_us, next_us; /* after dials that failed: since when there may be one again */
    char why[ERR_MSG_SIZE];    /* the last one failed */
    bool has_schema;           /* it was seen */
};

static struct server_reader *reader_of(struct db *db)
{
    return db->own;
}

static int64_t now_us(void)
{
    return clock_mono_us(clock_system());
}

/* ---- the connection ---- */

static enum st start_dial(struct db *db, struct err *err)
{
    struct server_reader *r = reader_of(db);

    if (now_us() < r->next_us)
        return err_set(err, ST_AGAIN, "%s", r->why);
    return dial_start(&r->connection.url, &r->dial, err);
}

/* The connection that was made, or why there is none. */
static enum st end_dial(struct db *db, struct err *err)
{
    struct server_reader *r = reader_of(db);
    PGconn *pg = dial_take(r->dial);
    enum st st = ST_OK;

    r->dial = NULL;
    r->has_schema = false;
    if (pg == NULL)
        return err_set(err, ST_AGAIN, "%s: no memory for a connection", db->shown);
    if (PQstatus(pg) == CONNECTION_OK) {
        postgres_adopt(&r->connection, pg);
        r->pause_us = r->next_us = 0;
        return ST_OK;
    }
    st = postgres_connect_error(pg, db->shown, err);
    PQfinish(pg);
    snprintf(r->why, sizeof(r->why), "%s", err->msg);
    r->pause_us = r->pause_us == 0                  ? LEAST_PAUSE
                  : r->pause_us * 2 < LONGEST_PAUSE ? r->pause_us * 2
                                                    : LONGEST_PAUSE;
    r->next_us = now_us() + r->pause_us;
    return st;
}

static enum st connect_reader(struct db *db, struct err *err)
{
    struct server_reader *r = reader_of(db);
    int64_t wait_us = db->timeout_us == 0 ? -1 : 0;

    if (r->connection.pg)
        return ST_OK;
    if (r->dial == NULL) {
        enum st st = start_dial(db, err);
        if (st != ST_OK)
            return st;
        if (wait_us == 0)
            wait_us = db->timeout_us < FIRST_WAIT_US ? db->timeout_us : FIRST_WAIT_US;
    }
    if (!dial_wait(r->dial, wait_us))
        return err_set(err, ST_AGAIN, "%s: does not answer so far; it is being connected to",
                       db->shown);
    return end_dial(db, err);
}

static void hang_up(struct server_reader *r)
{
    PQfinish(r->connection.pg);
    r->connection.pg = NULL;
}

/* ---- transactions ---- */

static enum st begin_now(struct db *db, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);
    const int64_t timeout_ms = db->timeout_us / US_PER_MS;
    char sql[512];

    c->answer_timeout_ms = timeout_ms > 0 ? (int)timeout_ms + GRACE_MS : NO_BOUND_MS;
    snprintf(sql, sizeof(sql),
             "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
             "SET LOCAL search_path TO %s, pg_temp; SET LOCAL lock_timeout = '500ms';"
             "SET LOCAL statement_timeout = %lld;"
             "SET LOCAL idle_in_transaction_session_timeout = '60s'",
             c->url.schema, (long long)timeout_ms);
    return postgres_run(db, sql, err);
}

/* Has a writer been here? */
static enum st find_schema(struct db *db, struct err *err)
{
    struct server_reader *r = reader_of(db);
    char table[POSTGRES_MAX_NAME + 32];
    PGresult *answer;

    if (r->has_schema)
        return ST_OK;
    snprintf(table, sizeof(table), "%s.schema_version", r->connection.url.schema);
    enum st st = postgres_ask(db, "SELECT to_regclass($1) IS NOT NULL",
                              (const char *const[]){table, NULL}, &answer, err);
    if (st != ST_OK)
        return st;
    r->has_schema = PQgetvalue(answer, 0, 0)[0] == 't';
    PQclear(answer);
    return r->has_schema ? ST_OK : err_set(err, ST_AGAIN, "%s: nothing is loaded yet", db->shown);
}

static enum st begin(struct db *db, struct err *err)
{
    struct server_reader *r = reader_of(db);
    struct err why = ERR_INIT;

    enum st st = connect_reader(db, err);
    if (st != ST_OK)
        return st;
    st = begin_now(db, &why);
    /* a connection that was cut while nothing went on is no outage: a new one will tell */
    if (st == ST_AGAIN && PQstatus(r->connection.pg) == CONNECTION_BAD) {
        hang_up(r);
        st = connect_reader(db, &why);
        if (st == ST_OK)
            st = begin_now(db, &why);
    }
    if (st == ST_OK)
        return find_schema(db, err);
    *err = why;
    return st;
}

static void rollback(struct db *db)
{
    struct server_reader *r = reader_of(db);

    postgres_rollback(db);
    if (r->connection.pg && PQstatus(r->connection.pg) == CONNECTION_BAD)
        hang_up(r);
}

static void close_reader(struct db *db)
{
    dial_give_up(reader_of(db)->dial);
    postgres_close(db);
}

/* A server tells of no commit without being asked, which takes as long as a small answer: a
 * second's answers are the same. */
static enum st version(struct db *db, uint64_t *ret_version, struct err *err)
{
    (void)db, (void)err;
    *ret_version = (uint64_t)(now_us() / US_PER_S);
    return ST_OK;
}

static const struct db_engine reader_engine = {
    .prepare = postgres_prepare,
    .bind_int = postgres_bind_int,
    .bind_text = postgres_bind_text,
    .bind_null = postgres_bind_null,
    .step = postgres_step,
    .reset = postgres_reset,
    .get_int = postgres_get_int,
    .get_text = postgres_get_text,
    .is_null = postgres_is_null,
    .find_column = postgres_find_column,
    .get_cell = postgres_get_cell,
    .texts_of_ids = POSTGRES_TEXTS_OF_IDS,
    .begin = begin,
    .commit = postgres_commit,
    .rollback = rollback,
    .version = version,
    .close = close_reader,
};

enum st postgres_open_query(const struct sink_url *url, struct query **ret_query, struct err *err)
{
    struct postgres_url read;

    enum st st = postgres_url_read(url, true, &read, err);
    if (st == ST_OK) {
        struct postgres_connection *c = postgres_new(&read, sizeof(struct server_reader));
        *ret_query = sql_query_new(url, &(struct db){.engine = &reader_engine, .own = c});
    }
    postgres_url_release(&read);
    return st;
}
