/* The engine of load/sql/db.h over SQLite: opening, statements, errors.
 *
 * Threads: everything here belongs to the thread that has the connection.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQLITE_CONNECTION_H
#define LOAD_SQLITE_CONNECTION_H

#include "load/sql/db.h"

#include <sqlite3.h>

struct sqlite_stmt {
    struct stmt base;
    sqlite3_stmt *handle; /* NULL: not prepared yet */
};

/* The engine's state, db->own. */
struct sqlite_connection {
    sqlite3 *handle; /* NULL: none */
    struct sqlite_stmt statements[N_DB_PLACES];
    sqlite3_stmt *insert_row[N_ROW_TABLES]; /* (slot, job_id, key, columns …) */
    sqlite3_stmt *insert_candle;
};

static inline struct sqlite_connection *sqlite_of(struct db *db)
{
    return db->own;
}

/* The loader waits by itself after that, and can be stopped. */
#define SQLITE_BUSY_TIMEOUT_MS 2000

/* Open `path`; for writing it is made with its directory where it is not there. The returns of
 * sink_driver.open. */
enum st sqlite_connect(struct db *db, const char *path, bool is_for_writing, const char *shown,
                       struct err *err) MUST_USE;

/* Run statements that give no rows, several of them with ; between. */
enum st sqlite_run(struct db *db, const char *sql, struct err *err) MUST_USE;

/* What a failed SQLite call means for the caller. */
enum st sqlite_error(sqlite3 *handle, const char *shown, int code, struct err *err);

/* "./" in front of relative paths, so that no name is special to SQLite (":memory:", "file:…"). */
enum st sqlite_path(const char *path, char *ret_path, struct err *err) MUST_USE;

#endif
