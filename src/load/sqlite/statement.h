/* What the engines over SQLite do with statements: db_engine's functions. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQLITE_STATEMENT_H
#define LOAD_SQLITE_STATEMENT_H

#include "load/sqlite/connection.h"

enum st sqlite_prepare(struct db *db, enum db_statement which, struct stmt **ret_stmt,
                       struct err *err) MUST_USE;
void sqlite_bind_int(struct stmt *stmt, const char *name, int64_t value);
void sqlite_bind_text(struct stmt *stmt, const char *name, struct str text);
void sqlite_bind_null(struct stmt *stmt, const char *name);
enum st sqlite_step(struct db *db, struct stmt *stmt, bool *ret_has_row, struct err *err) MUST_USE;
void sqlite_reset(struct stmt *stmt);
int64_t sqlite_get_int(struct stmt *stmt, int column);
struct str sqlite_get_text(struct stmt *stmt, int column);
bool sqlite_is_null(struct stmt *stmt, int column);
int sqlite_find_column(struct stmt *stmt, const char *name);
bool sqlite_get_cell(struct stmt *stmt, int column, enum cell_kind kind, struct arena *arena,
                     struct cell *ret_cell) MUST_USE;
#define SQLITE_TEXTS_OF_IDS "SELECT value FROM json_each(:ids)"

enum st sqlite_insert_row(struct db *db, const struct db_row *row, struct err *err) MUST_USE;
enum st sqlite_insert_candle(struct db *db, const struct db_candle *candle,
                             struct err *err) MUST_USE;

/* Reset all of a connection's, or give them back. */
void sqlite_reset_all(struct sqlite_connection *c);
void sqlite_finalize_all(struct sqlite_connection *c);

#endif
