/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/db.h"

#include "base/buf.h"
#include "sql_statements.h"

#include <assert.h>

const struct table *db_table(const struct db *db)
{
    assert(db->table < N_ROW_TABLES);
    return row_tables[db->table];
}

size_t db_place(const struct db *db, enum db_statement which)
{
    if (which < N_DB_STATEMENTS)
        return which;
    assert(db->table < N_ROW_TABLES);
    return which + (size_t)db->table * N_DB_TABLE_STATEMENTS;
}

static void add_columns(struct buf *sql, struct str word, const struct table *t)
{
    bool is_all = str_eq(word, STR("columns")), is_marks = str_eq(word, STR("marks"));

    for (size_t i = t->first_stored; i < t->n_columns; i++) {
        const char *name = t->columns[i].name;
        if (i > t->first_stored && (is_all || is_marks))
            buf_add_z(sql, ", ");
        if (is_marks)
            buf_add_char(sql, '?');
        else if (is_all)
            buf_add_z(sql, name);
        else if (str_eq(word, STR("replaced")))
            buf_addf(sql, ", %s = excluded.%s", name, name);
        else if (i > t->first_stored)
            buf_addf(sql, ", m.%s", name);
    }
}

static void add_word(const struct db *db, struct buf *sql, struct str word)
{
    const struct table *t = db_table(db);

    if (str_eq(word, STR("present")))
        db_write(db, sql_query_present, sql);
    else if (str_eq(word, STR("told")))
        db_write(db, sql_query_told, sql);
    else if (str_eq(word, STR("name_at")))
        db_write(db, sql_query_name_at, sql);
    else if (str_eq(word, STR("there_at")))
        db_write(db, sql_query_there_at, sql);
    else if (str_eq(word, STR("left_out")))
        db_write(db, sql_query_left_out, sql);
    else if (str_eq(word, STR("join_candles")))
        buf_add_str(sql, *db->engine->join_candles);
    else if (str_eq(word, STR("ids")))
        buf_add_z(sql, db->engine->texts_of_ids);
    else if (str_eq(word, STR("history")))
        buf_add_z(sql, t->name);
    else if (str_eq(word, STR("latest")))
        buf_add_z(sql, t->latest);
    else if (str_eq(word, STR("key")))
        buf_add_z(sql, t->is_of_coins ? "coin_id" : t->columns[ROW_ID].name);
    else
        add_columns(sql, word, t);
}

void db_write(const struct db *db, struct str text, struct buf *sql)
{
    struct str part, word;

    while (text.len > 0) {
        bool has_word = str_cut(&text, '{', &part);
        buf_add_str(sql, part);
        if (has_word && str_cut(&text, '}', &word))
            add_word(db, sql, word);
    }
}

enum st db_prepare(struct db *db, enum db_statement which, struct stmt **ret_stmt, struct err *err)
{
    return db->engine->prepare(db, which, ret_stmt, err);
}

void db_bind_int(struct stmt *stmt, const char *name, int64_t value)
{
    stmt->engine->bind_int(stmt, name, value);
}

void db_bind_text(struct stmt *stmt, const char *name, struct str text)
{
    stmt->engine->bind_text(stmt, name, text);
}

void db_bind_null(struct stmt *stmt, const char *name)
{
    stmt->engine->bind_null(stmt, name);
}

void db_bind_int_or_null(struct stmt *stmt, const char *name, int64_t value)
{
    if (value != 0)
        db_bind_int(stmt, name, value);
    else
        db_bind_null(stmt, name);
}

void db_bind_text_or_null(struct stmt *stmt, const char *name, struct str text)
{
    if (text.len > 0)
        db_bind_text(stmt, name, text);
    else
        db_bind_null(stmt, name);
}

enum st db_step(struct db *db, struct stmt *stmt, bool *ret_has_row, struct err *err)
{
    return db->engine->step(db, stmt, ret_has_row, err);
}

enum st db_run(struct db *db, struct stmt *stmt, struct err *err)
{
    bool has_row;

    enum st st = db_step(db, stmt, &has_row, err);
    assert(st != ST_OK || !has_row);
    db->n_changed = st == ST_OK ? db->engine->changes(db) : 0;
    return st;
}

enum st db_run_later(struct db *db, struct stmt *stmt, struct err *err)
{
    return db->engine->run_later ? db->engine->run_later(db, stmt, err) : db_run(db, stmt, err);
}

enum st db_send(struct db *db, struct stmt *stmt, struct err *err)
{
    return db->engine->send ? db->engine->send(db, stmt, err) : ST_OK;
}

enum st db_settle_rows(struct db *db, struct err *err)
{
    return db->engine->settle_rows ? db->engine->settle_rows(db, err) : ST_OK;
}

enum st db_run_each(struct db *db, struct stmt *stmt, const struct db_list *lists, size_t n,
                    struct err *err)
{
    int64_t n_changed = 0;
    enum st st = ST_OK;

    if (db->engine->run_each)
        return db->engine->run_each(db, stmt, lists, n, err);
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        for (const struct db_list *list = lists; list->name; list++)
            db_bind_int(stmt, list->name, list->values[i]);
        st = db_run(db, stmt, err);
        n_changed += db->n_changed;
    }
    db->n_changed = n_changed;
    return st;
}

void db_reset(struct stmt *stmt)
{
    stmt->engine->reset(stmt);
}

int64_t db_int(struct stmt *stmt, int column)
{
    return stmt->engine->get_int(stmt, column);
}

struct str db_text(struct stmt *stmt, int column)
{
    return stmt->engine->get_text(stmt, column);
}

bool db_is_null(struct stmt *stmt, int column)
{
    return stmt->engine->is_null(stmt, column);
}

int db_find_column(struct stmt *stmt, const char *name)
{
    return stmt->engine->find_column(stmt, name);
}

bool db_cell(struct stmt *stmt, int column, enum cell_kind kind, struct arena *arena,
             struct cell *ret_cell)
{
    return stmt->engine->get_cell(stmt, column, kind, arena, ret_cell);
}

enum st db_run_script(struct db *db, const char *sql, struct err *err)
{
    return db->engine->run_script(db, sql, err);
}

enum st db_insert_row(struct db *db, const struct db_row *row, struct err *err)
{
    return db->engine->insert_row(db, row, err);
}

enum st db_end_rows(struct db *db, const struct db_refused **ret_refused, size_t *ret_n,
                    struct err *err)
{
    *ret_n = 0;
    return db->engine->end_rows ? db->engine->end_rows(db, ret_refused, ret_n, err) : ST_OK;
}

enum st db_insert_candle(struct db *db, const struct db_candle *candle, struct err *err)
{
    return db->engine->insert_candle(db, candle, err);
}

enum st db_end_candles(struct db *db, struct err *err)
{
    return db->engine->end_candles ? db->engine->end_candles(db, err) : ST_OK;
}

enum st db_keep_pages(struct db *db, const struct db_pages *pages, struct err *err)
{
    return db->engine->keep_pages ? db->engine->keep_pages(db, pages, err) : ST_OK;
}

enum st db_lock_job(struct db *db, int64_t job_id, struct err *err)
{
    return db->engine->lock_job ? db->engine->lock_job(db, job_id, err) : ST_OK;
}

enum st db_begin(struct db *db, struct err *err)
{
    enum st st = db->engine->begin(db, err);

    db->is_in_transaction = st == ST_OK;
    return st;
}

enum st db_commit(struct db *db, struct err *err)
{
    enum st st = db->engine->commit(db, err);

    if (st == ST_OK)
        db->is_in_transaction = false;
    return st;
}

void db_rollback(struct db *db)
{
    if (db->engine)
        db->engine->rollback(db);
    db->is_in_transaction = false;
}

void db_close(struct db *db)
{
    if (db->engine == NULL)
        return;
    db_rollback(db);
    db->engine->close(db);
    *db = (struct db){0};
}
