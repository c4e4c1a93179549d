/* SPDX-License-Identifier: Apache-2.0 */
#include "load/postgres/connection.h"

#include "base/mem.h"
#include "load/postgres/errors.h"
#include "load/postgres/partitions.h"
#include "load/postgres/raw.h"
#include "load/postgres/rows.h"
#include "load/postgres/statement.h"
#include "load/sink.h"
#include "postgres_sql.h"
#include "sql_statements.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

/* The server ends a statement before we give up on its answer. */
#define ANSWER_TIMEOUT_MS 150000

static const struct db_engine postgres_engine;

/* ---- waiting ---- */

/* Wait for the socket; false when nothing came for too long: then the connection is cut, and libpq
 * says so. */
static void wait_socket(struct postgres_connection *c, short events)
{
    struct pollfd fd = {.fd = PQsocket(c->pg), .events = events};

    if (poll(&fd, 1, c->answer_timeout_ms) == 0)
        shutdown(fd.fd, SHUT_RDWR);
}

bool postgres_flush(struct postgres_connection *c)
{
    int left;

    while ((left = PQflush(c->pg)) == 1) {
        wait_socket(c, POLLIN | POLLOUT);
        if (PQconsumeInput(c->pg) == 0)
            return false;
    }
    return left == 0;
}

PGresult *postgres_wait_for_result(struct postgres_connection *c)
{
    if (!postgres_flush(c))
        return PQgetResult(c->pg);
    while (PQisBusy(c->pg)) {
        wait_socket(c, POLLIN);
        if (PQconsumeInput(c->pg) == 0)
            break;
    }
    return PQgetResult(c->pg);
}

bool postgres_is_good(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

PGresult *postgres_wait_while_good(struct postgres_connection *c)
{
    PGresult *kept = NULL, *result;

    while (PQresultStatus(kept) != PGRES_COPY_IN &&
           (result = postgres_wait_for_result(c)) != NULL) {
        bool was_good = kept == NULL || postgres_is_good(kept);
        PQclear(was_good ? kept : result);
        kept = was_good ? result : kept;
    }
    return kept;
}

static enum st error_of(struct db *db, const PGresult *result, struct err *err)
{
    return postgres_error(postgres_of(db)->pg, result, db->shown, err);
}

/* ---- connecting ---- */

static void say_nothing(void *ctx, const char *message)
{
    (void)ctx;
    (void)message;
}

void postgres_adopt(struct postgres_connection *c, PGconn *pg)
{
    PQfinish(c->pg);
    c->pg = pg;
    PQsetNoticeProcessor(pg, say_nothing, NULL);
    PQsetnonblocking(pg, 1);
}

static enum st dial(struct db *db, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);
    PGconn *pg = PQconnectdbParams((const char *const *)c->url.keywords,
                                   (const char *const *)c->url.values, 0);

    if (pg == NULL)
        return err_set(err, ST_AGAIN, "%s: no memory for a connection", db->shown);
    postgres_adopt(c, pg);
    c->whose = SESSION_UNKNOWN;
    c->session++;
    c->must_deallocate = false;
    return PQstatus(pg) == CONNECTION_OK ? ST_OK : postgres_connect_error(pg, db->shown, err);
}

struct postgres_connection *postgres_new(struct postgres_url *url, size_t size)
{
    struct postgres_connection *c = mem_new(1, size);

    c->url = *url;
    *url = (struct postgres_url){.keywords = NULL};
    c->answer_timeout_ms = ANSWER_TIMEOUT_MS;
    c->statements = mem_new(N_POSTGRES_PLACES, sizeof(*c->statements));
    copy_init(&c->copy);
    buf_init(&c->candles, COPY_MAX_BYTES);
    pipe_init(&c->pipe);
    return c;
}

enum st postgres_connect(struct db *db, struct postgres_url *url, const char *shown,
                         struct err *err)
{
    *db = (struct db){.engine = &postgres_engine,
                      .own = postgres_new(url, sizeof(struct postgres_connection)),
                      .shown = shown};
    return dial(db, err);
}

void postgres_close(struct db *db)
{
    struct postgres_connection *c = postgres_of(db);

    for (size_t i = 0; i < N_POSTGRES_PLACES; i++)
        postgres_stmt_release(&c->statements[i]);
    mem_free(c->statements);
    mem_free(c->refused);
    copy_release(&c->copy);
    buf_release(&c->candles);
    pipe_release(&c->pipe);
    PQfinish(c->pg);
    postgres_url_release(&c->url);
    mem_free(c);
}

/* ---- transactions ---- */

/* Nothing is left in the session behind it. A server that confirms commits before they are durable
 * is told not to: the tape may forget what we have. */
static enum st send_begin(struct db *db, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);
    struct postgres_stmt *settings = &c->statements[PLACE_SETTINGS];
    char sql[640];

    snprintf(sql, sizeof(sql),
             "SELECT pg_backend_pid(), set_config('search_path', '%s, pg_temp', true),"
             " set_config('lock_timeout', '10s', true),"
             " set_config('statement_timeout', '120s', true),"
             " set_config('idle_in_transaction_session_timeout', '60s', true),"
             " set_config('synchronous_commit', coalesce(nullif("
             "current_setting('synchronous_commit'), 'off'), 'on'), true)",
             c->url.schema);
    if (settings->sql == NULL)
        postgres_stmt_make(settings, db, str_of(sql));
    postgres_stmt_clear(settings);
    c->can_redial = true;
    enum st st = c->must_deallocate ? pipe_add_text(&c->pipe, "DEALLOCATE ALL", NULL, err) : ST_OK;
    c->must_deallocate = false;
    if (st == ST_OK)
        st = pipe_add_text(&c->pipe, "BEGIN ISOLATION LEVEL READ COMMITTED", NULL, err);
    return st == ST_OK ? pipe_add(&c->pipe, settings, &settings->answer, err) : st;
}

static enum st begin(struct db *db, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);

    c->savepoint = SAVEPOINT_NONE;
    copy_clear(&c->copy);
    pipe_clear(&c->pipe);
    return send_begin(db, err);
}

enum st postgres_commit(struct db *db, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);
    PGresult *answer = NULL;

    enum st st = postgres_settle_rows(db, err);
    if (st == ST_OK)
        st = postgres_watch_defaults(db, err);
    if (st == ST_OK)
        st = pipe_add_text(&c->pipe, "COMMIT", &answer, err);
    c->can_redial = false; /* what came of it is unknown then */
    if (st == ST_OK)
        st = postgres_settle_pipe(db, err);
    if (st == ST_OK && strcmp(PQcmdStatus(answer), "COMMIT") != 0)
        st = err_set(err, ST_AGAIN, "%s: the transaction was rolled back", db->shown);
    PQclear(answer);
    return st;
}

void postgres_rollback(struct db *db)
{
    struct postgres_connection *c = postgres_of(db);
    struct err err = ERR_INIT;

    pipe_clear(&c->pipe);
    postgres_give_up_rows(db);
    for (size_t i = 0; i < N_POSTGRES_PLACES; i++)
        postgres_reset(&c->statements[i].base);
    /* they may have been made in what is undone */
    memset(c->cuts.made, 0, sizeof(c->cuts.made));
    PGTransactionStatusType status = PQtransactionStatus(c->pg);
    if (status == PQTRANS_INTRANS || status == PQTRANS_INERROR)
        err_ignore(postgres_run(db, "ROLLBACK", &err)); /* the server does it when we are gone */
}

/* ---- on their way ---- */

/* Poolers tell another process than the one that answers. */
static void see_whose(struct postgres_connection *c)
{
    struct postgres_stmt *settings = &c->statements[PLACE_SETTINGS];

    if (c->whose == SESSION_SHARED || c->session == 0 || settings->answer == NULL)
        return;
    settings->row = 0;
    c->whose =
        postgres_get_int(&settings->base, 0) == PQbackendPID(c->pg) ? SESSION_OWN : SESSION_SHARED;
}

/* What was prepared does not fit any more, as others changed tables. */
static bool is_outdated(const PGresult *bad)
{
    const char *code = PQresultErrorField(bad, PG_DIAG_SQLSTATE);
    const char *function = PQresultErrorField(bad, PG_DIAG_SOURCE_FUNCTION);

    return code && strcmp(code, "0A000") == 0 && function &&
           strcmp(function, "RevalidateCachedQuery") == 0;
}

/* It is not there, or what is not prepared is: the session is not our own after all. */
static bool is_of_others(const PGresult *bad)
{
    const char *code = PQresultErrorField(bad, PG_DIAG_SQLSTATE);

    return code && (strcmp(code, "26000") == 0 || strcmp(code, "42P05") == 0);
}

/* Whether it came to what was to be prepared nobody knows. */
static enum st note_failure(struct db *db, const PGresult *bad, enum st st, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);

    if (c->whose != SESSION_OWN)
        return st;
    c->whose = is_of_others(bad) ? SESSION_SHARED : SESSION_OWN;
    c->must_deallocate = c->whose == SESSION_OWN;
    c->session++;
    if (!is_outdated(bad) && c->whose == SESSION_OWN)
        return st;
    err->sys = SINK_OVERTAKEN;
    return ST_AGAIN;
}

/* *ret_is_lost: the connection is of no use any more. */
static enum st exchange(struct db *db, bool *ret_is_lost, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);
    PGresult *bad = pipe_exchange(&c->pipe, c, ret_is_lost);
    enum st st = bad || *ret_is_lost ? error_of(db, bad, err) : ST_OK;

    if (st != ST_OK)
        st = note_failure(db, bad, st, err);
    else
        see_whose(c);
    PQclear(bad);
    return st;
}

enum st postgres_settle_pipe(struct db *db, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);
    struct err why = ERR_INIT;
    bool is_lost = false;

    if (c->pipe.n == 0)
        return ST_OK;
    enum st st = exchange(db, &is_lost, &why);
    /* a connection that was cut while nothing went on is no outage: a new one will tell */
    if (st == ST_AGAIN && is_lost && c->can_redial) {
        st = dial(db, &why);
        if (st == ST_OK)
            st = exchange(db, &is_lost, &why);
    }
    c->can_redial = false;
    pipe_clear(&c->pipe);
    if (st != ST_OK)
        *err = why;
    return st;
}

enum st postgres_settle(struct db *db, struct err *err)
{
    enum st st = postgres_settle_rows(db, err);

    return st == ST_OK ? postgres_settle_pipe(db, err) : st;
}

enum st postgres_run(struct db *db, const char *sql, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);
    enum st st = postgres_settle(db, err);

    if (st != ST_OK)
        return st;
    PGresult *result = PQsendQuery(c->pg, sql) == 1 ? postgres_wait_while_good(c) : NULL;
    st = postgres_is_good(result) ? ST_OK : error_of(db, result, err);
    PQclear(result);
    return st;
}

enum st postgres_ask(struct db *db, const char *sql, const char *const *params,
                     PGresult **ret_answer, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);
    PGresult *result = NULL;
    int n = 0;

    enum st st = postgres_settle(db, err);
    if (st != ST_OK)
        return st;
    while (params[n])
        n++;
    if (PQsendQueryParams(c->pg, sql, n, NULL, params, NULL, NULL, 0) == 1)
        result = postgres_wait_while_good(c);
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        *ret_answer = result;
        return ST_OK;
    }
    st = error_of(db, result, err);
    PQclear(result);
    return st;
}

/* ---- statements ---- */

static const struct str *const statement_texts[] = {
#define DB_TEXT(id, name)  [DB_##id] = &sql_##name,
#define OWN_TEXT(id, name) [DB_##id] = &postgres_sql_##name,
    DB_STATEMENTS(DB_TEXT) DB_QUERIES(DB_TEXT) DB_TABLE_STATEMENTS(DB_TEXT)
        DB_OWN_STATEMENTS(OWN_TEXT) DB_ENGINE_STATEMENTS(OWN_TEXT)
#undef DB_TEXT
#undef OWN_TEXT
};

enum st postgres_prepare(struct db *db, enum db_statement which, struct stmt **ret_stmt,
                         struct err *err)
{
    struct postgres_stmt *stmt = &postgres_of(db)->statements[db_place(db, which)];

    (void)err;
    if (stmt->sql == NULL)
        postgres_stmt_make(stmt, db, *statement_texts[which]);
    postgres_stmt_clear(stmt);
    *ret_stmt = &stmt->base;
    return ST_OK;
}

/* Statements that wait find their way in time. */
static enum st make_room(struct db *db, struct err *err)
{
    return pipe_is_full(&postgres_of(db)->pipe) ? postgres_settle(db, err) : ST_OK;
}

static enum st send_stmt(struct db *db, struct stmt *base, struct err *err)
{
    struct postgres_stmt *stmt = (struct postgres_stmt *)base;

    enum st st = make_room(db, err);
    if (st == ST_OK)
        st = pipe_add(&postgres_of(db)->pipe, stmt, &stmt->answer, err);
    stmt->is_sent = st == ST_OK;
    return st;
}

static enum st run_later(struct db *db, struct stmt *base, struct err *err)
{
    enum st st = make_room(db, err);

    return st == ST_OK ? pipe_add(&postgres_of(db)->pipe, (struct postgres_stmt *)base, NULL, err)
                       : st;
}

/* What is asked outside of a transaction gets one of its own. */
static enum st run_stmt(struct db *db, struct postgres_stmt *stmt, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);
    bool is_alone = !db->is_in_transaction && PQtransactionStatus(c->pg) == PQTRANS_IDLE;

    enum st st = postgres_settle_rows(db, err); /* which it may read */
    if (st == ST_OK && is_alone)
        st = send_begin(db, err);
    if (st == ST_OK && !stmt->is_sent)
        st = send_stmt(db, &stmt->base, err);
    if (st == ST_OK && is_alone)
        st = pipe_add_text(&c->pipe, "COMMIT", NULL, err);
    if (st == ST_OK)
        st = postgres_settle_pipe(db, err);
    stmt->is_sent = false;
    if (st == ST_OK && PQresultStatus(stmt->answer) == PGRES_COMMAND_OK) {
        int64_t n = 0;
        (void)str_to_i64(str_of(PQcmdTuples(stmt->answer)), 0, INT64_MAX, &n);
        c->changes = n;
    }
    return st;
}

enum st postgres_step(struct db *db, struct stmt *base, bool *ret_has_row, struct err *err)
{
    struct postgres_stmt *stmt = (struct postgres_stmt *)base;

    enum st st = stmt->answer ? ST_OK : run_stmt(db, stmt, err);
    if (st != ST_OK)
        return st;
    *ret_has_row = ++stmt->row < PQntuples(stmt->answer);
    if (!*ret_has_row)
        postgres_reset(base);
    return ST_OK;
}

static enum st run_each(struct db *db, struct stmt *stmt, const struct db_list *lists, size_t n,
                        struct err *err)
{
    int64_t n_changed = 0;
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < n; i += POSTGRES_MAX_LIST) {
        size_t n_now = n - i < POSTGRES_MAX_LIST ? n - i : POSTGRES_MAX_LIST;
        for (const struct db_list *list = lists; list->name; list++)
            if (!postgres_bind_list(stmt, list->name, list->values + i, n_now))
                return err_set(err, ST_AGAIN, "no memory for a list of %zu values", n_now);
        st = db_run(db, stmt, err);
        n_changed += db->n_changed;
    }
    db->n_changed = n_changed;
    return st;
}

static int64_t changes(struct db *db)
{
    return postgres_of(db)->changes;
}

/* The lock that keeps no reader out, and no reference to the job. */
static enum st lock_job(struct db *db, int64_t job_id, struct err *err)
{
    struct postgres_stmt *stmt = &postgres_of(db)->statements[PLACE_LOCK_JOB];

    if (stmt->sql == NULL)
        postgres_stmt_make(stmt, db,
                           STR("SELECT FROM job WHERE job_id = :job_id FOR NO KEY UPDATE"));
    postgres_stmt_clear(stmt);
    postgres_bind_int(&stmt->base, ":job_id", job_id);
    return pipe_add(&postgres_of(db)->pipe, stmt, NULL, err);
}

static const struct db_engine postgres_engine = {
    .prepare = postgres_prepare,
    .bind_int = postgres_bind_int,
    .bind_text = postgres_bind_text,
    .bind_null = postgres_bind_null,
    .step = postgres_step,
    .run_later = run_later,
    .send = send_stmt,
    .run_each = run_each,
    .reset = postgres_reset,
    .get_int = postgres_get_int,
    .get_text = postgres_get_text,
    .is_null = postgres_is_null,
    .texts_of_ids = POSTGRES_TEXTS_OF_IDS,
    .changes = changes,
    .run_script = postgres_run,
    .insert_row = postgres_insert_row,
    .end_rows = postgres_end_rows,
    .insert_candle = postgres_insert_candle,
    .end_candles = postgres_end_candles,
    .settle_rows = postgres_settle_rows,
    .keep_pages = postgres_keep_pages,
    .begin = begin,
    .lock_job = lock_job,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .close = postgres_close,
};
