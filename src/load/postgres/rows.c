/* SPDX-License-Identifier: Apache-2.0 */
#include "load/postgres/rows.h"

#include "base/mem.h"
#include "load/postgres/errors.h"
#include "load/postgres/partitions.h"
#include "postgres_sql.h"

#include <assert.h>
#include <stdio.h>

#define CHUNK   (64 * 1024) /* bytes that wait before they are sent */
#define MAX_SQL 4096

/* COPY behind a savepoint, so that rows that are refused cost no more than themselves. */
static void write_copy(struct db *db, struct buf *sql)
{
    static const char *const before[] = {
        [SAVEPOINT_NONE] = "SAVEPOINT rows; ",
        [SAVEPOINT_KEPT] = "RELEASE SAVEPOINT rows; SAVEPOINT rows; ",
        [SAVEPOINT_FAILED] = "ROLLBACK TO SAVEPOINT rows; ",
    };

    if (!db->is_bulk)
        buf_add_z(sql, before[postgres_of(db)->savepoint]);
    db_write(db, postgres_sql_copy_rows, sql);
}

static bool put(struct postgres_connection *c, struct str bytes)
{
    return PQputCopyData(c->pg, bytes.p, (int)bytes.len) == 1 && postgres_flush(c);
}

/* NULL: it goes on. Else why not, or the connection is lost. */
static bool begin_copy(struct db *db, PGresult **ret_bad)
{
    struct postgres_connection *c = postgres_of(db);
    struct buf sql = BUF_INIT(MAX_SQL);

    write_copy(db, &sql);
    bool is_sent = PQsendQuery(c->pg, buf_z(&sql)) == 1;
    buf_release(&sql);
    PGresult *result = is_sent ? postgres_wait_while_good(c) : NULL;
    c->is_copying = PQresultStatus(result) == PGRES_COPY_IN;
    c->n_put = 0;
    if (!c->is_copying) {
        *ret_bad = result;
        return false;
    }
    PQclear(result);
    return put(c, COPY_HEADER);
}

/* What came of it is the caller's; NULL: the connection is lost. */
static PGresult *end_copy(struct postgres_connection *c)
{
    c->is_copying = false;
    if (!put(c, COPY_TRAILER) || PQputCopyEnd(c->pg, NULL) != 1)
        return NULL;
    return postgres_wait_while_good(c);
}

/* Send what waits. */
static enum st push(struct db *db, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);
    PGresult *bad = NULL;

    enum st st = c->is_copying ? ST_OK : postgres_settle_pipe(db, err);
    if (st != ST_OK)
        return st;
    bool is_good = c->is_copying || begin_copy(db, &bad);
    size_t from = db->is_bulk ? 0 : c->n_put;
    if (is_good)
        is_good = put(c, (struct str){c->copy.bytes.p + from, c->copy.bytes.len - from});
    if (!is_good)
        st = postgres_error(c->pg, bad, db->shown, err);
    PQclear(bad);
    if (db->is_bulk) {
        c->n_put += c->copy.n;
        copy_clear(&c->copy);
    } else {
        c->n_put = c->copy.bytes.len;
    }
    return st;
}

enum st postgres_insert_row(struct db *db, const struct db_row *row, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);

    enum st st = postgres_make_partitions(db, (enum postgres_cut)db->table, row->slot_us, err);
    if (st == ST_OK)
        st = copy_add(&c->copy, db_table(db), row, err);
    if (st != ST_OK)
        return st;
    size_t n_put = db->is_bulk || !c->is_copying ? 0 : c->n_put;
    return c->copy.bytes.len - n_put < CHUNK ? ST_OK : push(db, err);
}

static enum st note_refused(struct postgres_connection *c, size_t index, const char *why,
                            struct err *err)
{
    if (c->n_refused == c->max_refused) {
        size_t max = c->max_refused > 0 ? c->max_refused * 2 : 16;
        struct db_refused *refused = mem_try(c->refused, max * sizeof(*refused));
        if (refused == NULL)
            return err_set(err, ST_AGAIN, "no memory for %zu rows that were refused", max);
        c->refused = refused;
        c->max_refused = max;
    }
    struct db_refused *r = &c->refused[c->n_refused++];
    struct buf text = BUF_INIT(sizeof(r->why) - 1);
    r->index = index;
    buf_add_clean(&text, str_of(why), sizeof(r->why) - 1);
    snprintf(r->why, sizeof(r->why), "%s", buf_z(&text));
    buf_release(&text);
    return ST_OK;
}

static const char ignored[] = "the server left it out, as a trigger made by hand can";

static size_t count_stored(PGresult *result)
{
    int64_t n = 0;

    (void)str_to_i64(str_of(PQcmdTuples(result)), 0, INT64_MAX, &n);
    return (size_t)n;
}

static enum st store_rows(struct db *db, size_t first, size_t end, struct err *err);

/* Rows [first, end) were sent: of what the server refuses, store halves, down to one row. */
static enum st judge(struct db *db, PGresult *result, size_t first, size_t end, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);
    enum st st = ST_OK;

    bool is_good = PQresultStatus(result) == PGRES_COMMAND_OK;
    bool is_ignored = is_good && count_stored(result) < end - first;
    if (is_good && !is_ignored) {
        c->savepoint = SAVEPOINT_KEPT;
        PQclear(result);
        return ST_OK;
    }
    c->savepoint = SAVEPOINT_FAILED;
    bool is_of_row = is_ignored || postgres_is_of_row(result, db_table(db));
    if (!is_of_row)
        st = postgres_error(c->pg, result, db->shown, err);
    else if (end - first == 1)
        st = note_refused(
            c, c->copy.rows[first].index,
            is_ignored ? ignored : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), err);
    PQclear(result);
    if (st != ST_OK || !is_of_row || end - first == 1)
        return st;
    size_t middle = first + (end - first) / 2;
    st = store_rows(db, first, middle, err);
    return st == ST_OK ? store_rows(db, middle, end, err) : st;
}

static enum st store_rows(struct db *db, size_t first, size_t end, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);
    PGresult *result = NULL;

    if (begin_copy(db, &result))
        result = put(c, copy_rows(&c->copy, first, end)) ? end_copy(c) : NULL;
    return judge(db, result, first, end, err);
}

enum st postgres_end_rows(struct db *db, const struct db_refused **ret_refused, size_t *ret_n,
                          struct err *err)
{
    struct postgres_connection *c = postgres_of(db);
    enum st st = ST_OK;

    *ret_n = c->n_refused = 0;
    if (db->is_bulk || c->copy.n == 0)
        return ST_OK;
    if (!c->is_copying || c->n_put < c->copy.bytes.len)
        st = push(db, err);
    if (st == ST_OK)
        st = judge(db, end_copy(c), 0, c->copy.n, err);
    if (st != ST_OK)
        return st;
    copy_clear(&c->copy);
    if (c->savepoint == SAVEPOINT_FAILED) {
        st = postgres_run(db, "ROLLBACK TO SAVEPOINT rows", err);
        c->savepoint = SAVEPOINT_KEPT;
    }
    *ret_refused = c->refused;
    *ret_n = c->n_refused;
    return st;
}

enum st postgres_settle_rows(struct db *db, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);

    if (!c->is_copying && c->copy.n == 0)
        return ST_OK;
    assert(db->is_bulk);
    enum st st = c->copy.n > 0 ? push(db, err) : ST_OK;
    if (st != ST_OK)
        return st;
    PGresult *result = end_copy(c);
    bool is_good = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (is_good ? count_stored(result) < c->n_put : postgres_is_of_row(result, db_table(db)))
        st = err_set(err, ST_REJECT, "%s: a row of several polls was refused", db->shown);
    else if (!is_good)
        st = postgres_error(c->pg, result, db->shown, err);
    PQclear(result);
    return st;
}

enum st postgres_insert_candle(struct db *db, const struct db_candle *candle, struct err *err)
{
    return copy_add_candle(&postgres_of(db)->candles, candle, err);
}

enum st postgres_end_candles(struct db *db, struct err *err)
{
    struct postgres_connection *c = postgres_of(db);
    PGresult *result = NULL;

    if (c->candles.len == 0)
        return ST_OK;
    enum st st = postgres_settle(db, err);
    if (st != ST_OK)
        return st;
    if (PQsendQuery(c->pg, "COPY candle (" DB_CANDLE_COLUMNS ") FROM STDIN BINARY") == 1)
        result = postgres_wait_while_good(c);
    if (PQresultStatus(result) == PGRES_COPY_IN) {
        PQclear(result);
        c->is_copying = true;
        result = put(c, COPY_HEADER) && put(c, buf_str(&c->candles)) ? end_copy(c) : NULL;
    }
    buf_clear(&c->candles);
    if (!postgres_is_good(result))
        st = postgres_error(c->pg, result, db->shown, err);
    PQclear(result);
    return st;
}

void postgres_give_up_rows(struct db *db)
{
    struct postgres_connection *c = postgres_of(db);

    copy_clear(&c->copy);
    buf_clear(&c->candles);
    if (c->is_copying && PQputCopyEnd(c->pg, "given up") == 1)
        PQclear(postgres_wait_while_good(c));
    c->is_copying = false;
}
