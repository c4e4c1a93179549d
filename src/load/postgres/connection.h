/* The engine of load/sql/db.h over libpq: connecting, transactions, statements.
 *
 * All that it does happens within transactions that it begins, and leaves nothing in the session,
 * as a pooler may give each of them another connection to the server: nothing but prepared
 * statements where the process that answers is the one that was connected to, which poolers do not
 * tell.
 *
 * Threads: everything here belongs to the thread that has the connection.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POSTGRES_CONNECTION_H
#define LOAD_POSTGRES_CONNECTION_H

#include "load/postgres/copy.h"
#include "load/postgres/pipe.h"
#include "load/postgres/url.h"
#include "load/sql/db.h"

#include <libpq-fe.h>

#define POSTGRES_MAX_PARAMS 32

/* Tables that are cut into partitions. */
enum postgres_cut { CUT_RAW = N_ROW_TABLES, N_CUTS }; /* before it those of rows */

/* See partitions.h. */
struct postgres_cuts {
    enum postgres_layout layout;
    bool is_by_coin[N_ROW_TABLES];
    struct postgres_made {
        int64_t from_us, until_us; /* slots whose partition need not be asked for */
    } made[N_CUTS];
    bool must_watch; /* they were asked for in this transaction */
    char why[200];   /* the last time that one could not be made */
};

/* Statements of this engine alone, behind those that all have. */
enum postgres_place {
    PLACE_ADD_PAGE = N_DB_PLACES,
    PLACE_DROP_PAGES,
    PLACE_LOCK_JOB,
    PLACE_SETTINGS,
    N_POSTGRES_PLACES
};

/* Whose is the session on the server? A pooler may give each transaction another one: nothing can
 * be prepared in it for the next. */
enum postgres_session { SESSION_UNKNOWN, SESSION_OWN, SESSION_SHARED };

/* The engine's state, db->own. */
/* Of the rows that COPY sends, within a transaction. */
enum savepoint { SAVEPOINT_NONE, SAVEPOINT_KEPT, SAVEPOINT_FAILED };

struct postgres_connection {
    struct postgres_url url;
    PGconn *pg;                       /* NULL: none */
    int answer_timeout_ms;            /* when nothing comes for so long the connection is cut */
    struct postgres_stmt *statements; /* N_POSTGRES_PLACES of them */
    int64_t changes;
    struct pipe pipe;
    enum postgres_session whose;
    uint32_t session;     /* numbers them, from 1; 0: of one who prepares nothing */
    bool must_deallocate; /* what is prepared there nobody knows */
    bool can_redial; /* the transaction has got no answer so far: it can begin on another one */
    struct copy copy;
    size_t n_put;       /* bytes of it that the server was given; rows, in bulk */
    bool is_copying;    /* COPY goes on */
    struct buf candles; /* that go by a COPY of their own */
    enum savepoint savepoint;
    struct db_refused *refused; /* rows of the last poll that the server would not take */
    size_t n_refused, max_refused;
    struct postgres_cuts cuts;
};

static inline struct postgres_connection *postgres_of(struct db *db)
{
    return db->own;
}

/* Connect; the url goes to the engine, also after a failure. ST_AGAIN: not now, with the mend. */
enum st postgres_connect(struct db *db, struct postgres_url *url, const char *shown,
                         struct err *err) MUST_USE;

/* Run statements that give no rows, several of them with ; between. */
enum st postgres_run(struct db *db, const char *sql, struct err *err) MUST_USE;

/* Ask within a transaction; params are texts, NULL-ended. The answer is the caller's: PQclear(). In
 * text, not binary. */
enum st postgres_ask(struct db *db, const char *sql, const char *const *params,
                     PGresult **ret_answer, struct err *err) MUST_USE;

/* What such an answer has in a column of its first row, which is a truth's. */
static inline bool postgres_is_true(const PGresult *answer, int column)
{
    return PQgetvalue(answer, 0, column)[0] == 't';
}

/* Send what is on its way, rows and statements, and wait until it is done. */
enum st postgres_settle(struct db *db, struct err *err) MUST_USE;
enum st postgres_settle_pipe(struct db *db, struct err *err) MUST_USE; /* statements alone */

/* ---- waiting ---- */

bool postgres_is_good(const PGresult *result);

/* As PQgetResult(), but not for ever. */
PGresult *postgres_wait_for_result(struct postgres_connection *c);

/* Wait for what comes of the statements that were sent: the caller's is the first result that is
 * bad, or else the last; that of a COPY, which now waits for its rows, ends the waiting. NULL: the
 * connection is lost. */
PGresult *postgres_wait_while_good(struct postgres_connection *c);

/* Send what libpq holds back, as far as it goes; false: the connection is lost. */
bool postgres_flush(struct postgres_connection *c);

/* ---- for an engine that reads ---- */

/* What is not connected so far, at the begin of `size` zeroed bytes; the url goes to it. Owner:
 * postgres_close(). */
struct postgres_connection *postgres_new(struct postgres_url *url, size_t size);

/* A connection that was made becomes that of c. */
void postgres_adopt(struct postgres_connection *c, PGconn *pg);

/* db_engine's, in a transaction */
#define POSTGRES_TEXTS_OF_IDS "SELECT json_array_elements_text(CAST(:ids AS json))"
enum st postgres_prepare(struct db *db, enum db_statement which, struct stmt **ret_stmt,
                         struct err *err) MUST_USE;
enum st postgres_step(struct db *db, struct stmt *base, bool *ret_has_row,
                      struct err *err) MUST_USE;
enum st postgres_commit(struct db *db, struct err *err) MUST_USE;
void postgres_rollback(struct db *db);
void postgres_close(struct db *db);

#endif
