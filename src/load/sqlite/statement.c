/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sqlite/statement.h"

#include "base/buf.h"
#include "base/shortest.h"
#include "sql_statements.h"
#include "sqlite_sql.h"

#include <assert.h>

#define MAX_SQL (16 * 1024)

static sqlite3_stmt *handle_of(struct stmt *stmt)
{
    return ((struct sqlite_stmt *)stmt)->handle;
}

static const struct str *const statement_texts[] = {
#define DB_TEXT(id, name) [DB_##id] = &sql_##name,
    DB_STATEMENTS(DB_TEXT) DB_QUERIES(DB_TEXT) DB_TABLE_STATEMENTS(DB_TEXT)
        DB_OWN_STATEMENTS(DB_TEXT) DB_ENGINE_STATEMENTS(DB_TEXT)
#undef DB_TEXT
};

/* It fits: what fails is memory, or the database. */
static enum st make_statement(struct db *db, struct str text, sqlite3_stmt **ret_handle,
                              struct err *err)
{
    struct buf sql = BUF_INIT(MAX_SQL);
    int code = SQLITE_OK;

    db_write(db, text, &sql);
    enum st st = buf_check(&sql, "a statement", err) == ST_OK ? ST_OK : ST_AGAIN;
    if (st == ST_OK)
        code = sqlite3_prepare_v3(sqlite_of(db)->handle, sql.p, (int)sql.len,
                                  SQLITE_PREPARE_PERSISTENT, ret_handle, NULL);
    buf_release(&sql);
    return code == SQLITE_OK ? st : sqlite_error(sqlite_of(db)->handle, db->shown, code, err);
}

enum st sqlite_prepare(struct db *db, enum db_statement which, struct stmt **ret_stmt,
                       struct err *err)
{
    struct sqlite_stmt *stmt = &sqlite_of(db)->statements[db_place(db, which)];
    enum st st = ST_OK;

    if (stmt->handle) {
        sqlite3_reset(stmt->handle);
        sqlite3_clear_bindings(stmt->handle);
    } else {
        st = make_statement(db, *statement_texts[which], &stmt->handle, err);
    }
    stmt->base.engine = db->engine;
    *ret_stmt = &stmt->base;
    return st;
}

static int parameter(sqlite3_stmt *stmt, const char *name)
{
    int index = sqlite3_bind_parameter_index(stmt, name);
    assert(index > 0);
    return index;
}

/* Binding fails for a wrong index or a busy statement only, which are our own bugs: nothing is
 * copied, and no text is longer than a body, which is far below SQLite's limit. */
void sqlite_bind_int(struct stmt *stmt, const char *name, int64_t value)
{
    sqlite3_bind_int64(handle_of(stmt), parameter(handle_of(stmt), name), value);
}

void sqlite_bind_text(struct stmt *stmt, const char *name, struct str text)
{
    sqlite3_bind_text64(handle_of(stmt), parameter(handle_of(stmt), name), text.p ? text.p : "",
                        text.len, SQLITE_STATIC, SQLITE_UTF8);
}

void sqlite_bind_null(struct stmt *stmt, const char *name)
{
    sqlite3_bind_null(handle_of(stmt), parameter(handle_of(stmt), name));
}

static enum st step_handle(struct db *db, sqlite3_stmt *handle, bool *ret_has_row, struct err *err)
{
    int code = sqlite3_step(handle);

    *ret_has_row = code == SQLITE_ROW;
    if (code == SQLITE_ROW)
        return ST_OK;
    enum st st =
        code == SQLITE_DONE ? ST_OK : sqlite_error(sqlite_of(db)->handle, db->shown, code, err);
    sqlite3_reset(handle);
    return st;
}

enum st sqlite_step(struct db *db, struct stmt *stmt, bool *ret_has_row, struct err *err)
{
    return step_handle(db, handle_of(stmt), ret_has_row, err);
}

void sqlite_reset(struct stmt *stmt)
{
    sqlite3_reset(handle_of(stmt));
}

int64_t sqlite_get_int(struct stmt *stmt, int column)
{
    return sqlite3_column_int64(handle_of(stmt), column);
}

struct str sqlite_get_text(struct stmt *stmt, int column)
{
    const char *p = (const char *)sqlite3_column_text(handle_of(stmt), column);

    return p ? (struct str){p, (size_t)sqlite3_column_bytes(handle_of(stmt), column)} : STR_NONE;
}

bool sqlite_is_null(struct stmt *stmt, int column)
{
    return sqlite3_column_type(handle_of(stmt), column) == SQLITE_NULL;
}

int sqlite_find_column(struct stmt *stmt, const char *name)
{
    int at = sqlite3_column_count(handle_of(stmt)) - 1;

    while (at >= 0 && strcmp(sqlite3_column_name(handle_of(stmt), at), name) != 0)
        at--;
    return at;
}

/* The number with the shortest text that reads back as x: that by which it became a REAL. */
static bool real_cell(double x, struct arena *arena, struct cell *ret_cell)
{
    char text[SHORTEST_TEXT], nice[DEC_MAX_TEXT];
    struct dec d = dec_of(0);

    const struct str shortest = {text, shortest_format(x, text)};
    if (dec_parse(shortest, &d) != DEC_OK)
        return true; /* no number of ours: infinity, written by hand */
    struct str lexeme = arena_str(arena, (struct str){nice, dec_format(d, nice)});
    *ret_cell = cell_of_dec(d, lexeme);
    return lexeme.p != NULL;
}

static bool text_cell(struct stmt *stmt, int column, struct arena *arena, struct cell *ret_cell)
{
    struct str text = arena_str(arena, sqlite_get_text(stmt, column));

    *ret_cell = cell_of_text(text);
    return text.p != NULL;
}

static bool number_cell(struct stmt *stmt, int column, struct arena *arena, struct cell *ret_cell)
{
    struct cell text;

    switch (sqlite3_column_type(handle_of(stmt), column)) {
    case SQLITE_INTEGER:
        *ret_cell = cell_of_dec(dec_of(sqlite_get_int(stmt, column)), STR_NONE);
        return true;
    case SQLITE_FLOAT:
        return real_cell(sqlite3_column_double(handle_of(stmt), column), arena, ret_cell);
    default:
        if (!text_cell(stmt, column, arena, &text))
            return false;
        if (cell_of_num(cell_text(&text), ret_cell) != DEC_OK)
            *ret_cell = CELL_NONE;
        return true;
    }
}

bool sqlite_get_cell(struct stmt *stmt, int column, enum cell_kind kind, struct arena *arena,
                     struct cell *ret_cell)
{
    *ret_cell = CELL_NONE;
    if (sqlite_is_null(stmt, column))
        return true;
    switch (kind) {
    case CELL_NUM:
        return number_cell(stmt, column, arena, ret_cell);
    case CELL_INT:
        *ret_cell = cell_of_int(sqlite_get_int(stmt, column));
        break;
    case CELL_TIME:
        *ret_cell = cell_of_time(sqlite_get_int(stmt, column));
        break;
    case CELL_TEXT:
        return text_cell(stmt, column, arena, ret_cell);
    case CELL_NULL:
        break;
    }
    return true;
}

/* INTEGER if it is one, REAL if the double gives the number back, else its text. */
static void bind_number(struct db *db, sqlite3_stmt *stmt, int at, const struct cell *c)
{
    struct dec d = cell_dec(c);
    int64_t integer;
    bool is_same;

    /* struct dec is exact up to 18 digits, SQLite's integers have 19 */
    if (dec_to_i64(d, &integer) ||
        (!d.is_exact && str_to_i64(cell_text(c), INT64_MIN, INT64_MAX, &integer))) {
        sqlite3_bind_int64(stmt, at, integer);
        return;
    }
    double real = dec_to_double(d, cell_text(c), &is_same);
    if (is_same) {
        sqlite3_bind_double(stmt, at, real);
        return;
    }
    sqlite3_bind_text(stmt, at, c->text, (int)c->len, SQLITE_STATIC);
    db->n_text_numbers++;
}

static void bind_cell(struct db *db, sqlite3_stmt *stmt, int at, const struct cell *c)
{
    switch ((enum cell_kind)c->kind) {
    case CELL_NULL:
        sqlite3_bind_null(stmt, at);
        break;
    case CELL_NUM:
        bind_number(db, stmt, at, c);
        break;
    case CELL_INT:
    case CELL_TIME:
        sqlite3_bind_int64(stmt, at, c->number);
        break;
    case CELL_TEXT:
        sqlite3_bind_text(stmt, at, c->text, (int)c->len, SQLITE_STATIC);
        break;
    }
}

enum st sqlite_insert_row(struct db *db, const struct db_row *row, struct err *err)
{
    static const struct str text =
        STR("INSERT INTO {history} (slot, job_id, {key}, {columns}) VALUES (?, ?, ?, {marks})");
    const struct table *t = db_table(db);
    sqlite3_stmt **handle = &sqlite_of(db)->insert_row[db->table];
    bool has_row;
    int at = 0;

    enum st st = *handle ? ST_OK : make_statement(db, text, handle, err);
    if (st != ST_OK)
        return st;
    sqlite3_bind_int64(*handle, ++at, row->slot_us);
    sqlite3_bind_int64(*handle, ++at, row->job_id);
    bind_cell(db, *handle, ++at, &row->key);
    for (size_t i = t->first_stored; i < t->n_columns; i++)
        bind_cell(db, *handle, ++at, &row->cells[i]);
    return step_handle(db, *handle, &has_row, err);
}

enum st sqlite_insert_candle(struct db *db, const struct db_candle *candle, struct err *err)
{
    static const struct str text = STR("INSERT INTO candle (" DB_CANDLE_COLUMNS
                                       ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    sqlite3_stmt **handle = &sqlite_of(db)->insert_candle;
    bool has_row;
    int at = 0;

    enum st st = *handle ? ST_OK : make_statement(db, text, handle, err);
    if (st != ST_OK)
        return st;
    sqlite3_bind_int64(*handle, ++at, candle->step);
    sqlite3_bind_int64(*handle, ++at, candle->start_us);
    sqlite3_bind_int64(*handle, ++at, candle->job_id);
    sqlite3_bind_int64(*handle, ++at, candle->coin_id);
    for (int i = 0; i < N_CANDLE_VALUES; i++)
        bind_cell(db, *handle, ++at, &candle->values[i]);
    bind_cell(db, *handle, ++at, &candle->first_at);
    bind_cell(db, *handle, ++at, &candle->last_at);
    sqlite3_bind_int64(*handle, ++at, candle->n_rows);
    sqlite3_bind_int64(*handle, ++at, candle->n_unpriced);
    return step_handle(db, *handle, &has_row, err);
}

void sqlite_reset_all(struct sqlite_connection *c)
{
    for (size_t i = 0; i < N_DB_PLACES; i++)
        sqlite3_reset(c->statements[i].handle);
    for (size_t i = 0; i < N_ROW_TABLES; i++)
        sqlite3_reset(c->insert_row[i]);
    sqlite3_reset(c->insert_candle);
}

void sqlite_finalize_all(struct sqlite_connection *c)
{
    for (size_t i = 0; i < N_DB_PLACES; i++) {
        sqlite3_finalize(c->statements[i].handle);
        c->statements[i].handle = NULL;
    }
    for (size_t i = 0; i < N_ROW_TABLES; i++) {
        sqlite3_finalize(c->insert_row[i]);
        c->insert_row[i] = NULL;
    }
    sqlite3_finalize(c->insert_candle);
    c->insert_candle = NULL;
}
