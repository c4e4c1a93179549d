/* The database of the sqlite: driver: opening, migrations, prepared statements, errors.
 *
 * Threads: everything here belongs to the thread that has the connection.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQLITE_DB_H
#define LOAD_SQLITE_DB_H

#include "base/clock.h"
#include "base/err.h"
#include "base/str.h"

#include <sqlite3.h>

/* The statements of the writer, each a file sql/<name>.sql. */
#define DB_STATEMENTS(X)                                \
    X(ADD_ABSENCE, add_absence)                         \
    X(ADD_COIN, add_coin)                               \
    X(ADD_JOB, add_job)                                 \
    X(ADD_POLL, add_poll)                               \
    X(ADD_QUARANTINE, add_quarantine)                   \
    X(ADD_VERSION, add_version)                         \
    X(CLOSE_ABSENCES, close_absences)                   \
    X(COUNT_KEPT, count_kept)                           \
    X(DELETE_ABSENCES, delete_absences)                 \
    X(DELETE_QUARANTINE, delete_quarantine)             \
    X(DELETE_ROWS, delete_rows)                         \
    X(DROP_LATEST, drop_latest)                         \
    X(FIND_ABSENCE, find_absence)                       \
    X(FIND_COIN, find_coin)                             \
    X(FIND_JOB, find_job)                               \
    X(FIND_NAME, find_name)                             \
    X(FIND_OWN_POLL, find_own_poll)                     \
    X(FIND_POLL, find_poll)                             \
    X(HAS_ROW_BEFORE, has_row_before)                   \
    X(JOIN_ABSENCES, join_absences)                     \
    X(JOIN_NAME, join_name)                             \
    X(LACKS_COIN, lacks_coin)                           \
    X(LAST_POLL, last_poll)                             \
    X(LAST_SEEN_ABSENT, last_seen_absent)               \
    X(LIST_ABSENCES_AT, list_absences_at)               \
    X(LIST_PRESENT, list_present)                       \
    X(LIST_PRESENT_AT, list_present_at)                 \
    X(MOVE_ABSENCE, move_absence)                       \
    X(MOVE_OFFSET, move_offset)                         \
    X(NAME_COIN, name_coin)                             \
    X(NEXT_OK_POLL, next_ok_poll)                       \
    X(NEXT_POLL, next_poll)                             \
    X(NEXT_ROW, next_row)                               \
    X(OPEN_ABSENCE, open_absence)                       \
    X(OPEN_AFTER_LATE, open_after_late)                 \
    X(OTHER_SIMULATED, other_simulated)                 \
    X(PREV_POLL, prev_poll)                             \
    X(READ_OFFSET, read_offset)                         \
    X(READ_VERSION, read_version)                       \
    X(REOPEN_ABSENCES, reopen_absences)                 \
    X(REPLACE_POLL, replace_poll)                       \
    X(REPLAY_COUNT, replay_count)                       \
    X(REPLAY_FENCE, replay_fence)                       \
    X(REPLAY_LIST, replay_list)                         \
    X(SEEN_COIN, seen_coin)                             \
    X(SET_LATEST, set_latest)                           \
    X(SET_LATEST_ALL, set_latest_all)                   \
    X(SET_LATEST_ALL_IF_NEWER, set_latest_all_if_newer) \
    X(SET_LATEST_BEFORE, set_latest_before)             \
    X(SET_LATEST_IF_NEWER, set_latest_if_newer)         \
    X(SET_NAME, set_name)                               \
    X(TAKE_OVER, take_over)                             \
    X(UPDATE_POLL, update_poll)

enum db_statement {
#define DB_ENUM(id, name) DB_##id,
    DB_STATEMENTS(DB_ENUM)
#undef DB_ENUM
        DB_INSERT_MARKET, /* made from the column table: (slot, job_id, coin_id, columns …) */
    DB_KEEP_ROWS,         /* made from it too: see keep_left_out_rows() in store.c */
    N_DB_STATEMENTS
};

struct db {
    sqlite3 *handle;
    const char *shown; /* the sink's URL, for messages */
    sqlite3_stmt *statements[N_DB_STATEMENTS];
    bool is_in_transaction;
};

/* Open `path` for writing, make or migrate it. The returns of sink_driver.open. */
enum st db_open(struct db *db, const char *path, const char *shown, struct clock *clock,
                struct err *err) MUST_USE;
void db_close(struct db *db); /* rolls back; half-built state is fine */

/* The statement, prepared at its first use, reset, without bindings of before; NULL sets err and
 * *ret_st. */
enum st db_prepare(struct db *db, enum db_statement which, sqlite3_stmt **ret_stmt,
                   struct err *err) MUST_USE;

/* Bind by parameter name; that it exists is asserted. Texts are borrowed until the next reset. */
void db_bind_int(sqlite3_stmt *stmt, const char *name, int64_t value);
void db_bind_text(sqlite3_stmt *stmt, const char *name, struct str text);
void db_bind_null(sqlite3_stmt *stmt, const char *name);
/* As NULL when it is 0, or empty. */
void db_bind_int_or_null(sqlite3_stmt *stmt, const char *name, int64_t value);
void db_bind_text_or_null(sqlite3_stmt *stmt, const char *name, struct str text);

/* Run a statement that gives no rows, and reset it. */
enum st db_run(struct db *db, sqlite3_stmt *stmt, struct err *err) MUST_USE;

/* Step to the next row. At the end *ret_has_row is false and the statement reset. */
enum st db_step(struct db *db, sqlite3_stmt *stmt, bool *ret_has_row, struct err *err) MUST_USE;

/* Text of a result column: borrowed until the next step or reset. */
struct str db_text(sqlite3_stmt *stmt, int column);

/* ST_AGAIN also when the file is not at its path any more: then close and open. */
enum st db_begin(struct db *db, struct err *err) MUST_USE;
enum st db_commit(struct db *db, struct err *err) MUST_USE;
void db_rollback(struct db *db);

/* What a failed SQLite call means for the caller. */
enum st db_error(sqlite3 *handle, const char *shown, int code, struct err *err);

/* "./" in front of relative paths, so that no name is special to SQLite (":memory:", "file:…"). */
enum st db_path(const char *path, char *ret_path, struct err *err) MUST_USE;

#endif
