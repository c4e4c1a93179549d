/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sqlite/statement.h"

#include "base/file.h"
#include "base/mem.h"
#include "sqlite_sql.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

static const struct db_engine sqlite_engine;

/* A disk that is full or a process that is out of descriptors may do better later. */
static bool is_passing(int errnum)
{
    return errnum == ENOSPC || errnum == EDQUOT || errnum == EIO || errnum == EMFILE ||
           errnum == ENFILE || errnum == ENOMEM;
}

enum st sqlite_error(sqlite3 *handle, const char *shown, int code, struct err *err)
{
    const char *why = handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
    int sys = handle ? sqlite3_system_errno(handle) : 0;

    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_PROTOCOL:
    case SQLITE_SCHEMA:
    case SQLITE_INTERRUPT:
        /* "disk I/O error" is all SQLite says of a full disk: the system knows better */
        return sys != 0 ? err_sys(err, ST_AGAIN, sys, "%s: %s", shown, why)
                        : err_set(err, ST_AGAIN, "%s: %s", shown, why);
    case SQLITE_CANTOPEN:
        return err_set(err, is_passing(sys) ? ST_AGAIN : ST_FATAL,
                       "%s: %s; does its directory exist, and may it be written?", shown, why);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, ST_FATAL,
                       "%s: %s; everything is still on the tape: move the file away, and the next "
                       "start loads it all into a new one",
                       shown, why);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return err_set(err, ST_FATAL, "%s: %s; allow this user to write the file and its directory",
                       shown, why);
    case SQLITE_CONSTRAINT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
        return err_set(err, ST_REJECT, "%s: %s", shown, why);
    default:
        return err_set(err, ST_FATAL, "%s: %s (SQLite error %d)", shown, why, code);
    }
}

enum st sqlite_path(const char *path, char *ret_path, struct err *err)
{
    return file_path(ret_path, err, "%s%s", path[0] == '/' ? "" : "./", path);
}

enum st sqlite_run(struct db *db, const char *sql, struct err *err)
{
    int code = sqlite3_exec(sqlite_of(db)->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? ST_OK : sqlite_error(sqlite_of(db)->handle, db->shown, code, err);
}

static enum st make_directory_of(const char *path, struct err *err)
{
    char dir[FILE_MAX_PATH];

    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
    return dir[0] != '\0' ? file_mkdirs(dir, err) : ST_OK;
}

enum st sqlite_connect(struct db *db, const char *path, bool is_for_writing, const char *shown,
                       struct err *err)
{
    int flags = is_for_writing ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    char full[FILE_MAX_PATH];

    *db = (struct db){.engine = &sqlite_engine,
                      .own = mem_new(1, sizeof(struct sqlite_connection)),
                      .shown = shown};
    enum st st = sqlite_path(path, full, err);
    if (st == ST_OK && is_for_writing)
        st = make_directory_of(full, err);
    if (st != ST_OK)
        return err_wrap(err, st, "%s: ", shown);
    sqlite3 **handle = &sqlite_of(db)->handle;
    int code =
        sqlite3_open_v2(full, handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK)
        return sqlite_error(*handle, shown, code, err);
    sqlite3_busy_timeout(*handle, SQLITE_BUSY_TIMEOUT_MS);
    return ST_OK;
}

/* The one statement of a migration that fails tells of a store that is none of a release's. */
static enum st run_script(struct db *db, const char *sql, struct err *err)
{
    sqlite3 *handle = sqlite_of(db)->handle;

    int code = sqlite3_exec(handle, sql, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        return ST_OK;
    if ((code & 0xff) != SQLITE_ERROR)
        return sqlite_error(handle, db->shown, code, err);
    return err_set(err, ST_FATAL,
                   "%s: %s; it was changed by hand, or made by a geckotape between two versions: "
                   "move the file away, and the next start loads all that is on the tape into a "
                   "new one",
                   db->shown, sqlite3_errmsg(handle));
}

static void close_connection(struct db *db)
{
    struct sqlite_connection *c = sqlite_of(db);

    sqlite_finalize_all(c);
    if (c->handle) /* fails while somebody reads; the log file is then read at the next open */
        sqlite3_exec(c->handle, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
    int code = sqlite3_close(c->handle);
    assert(code == SQLITE_OK);
    (void)code;
    mem_free(c);
}

static int64_t changes(struct db *db)
{
    return sqlite3_changes(sqlite_of(db)->handle);
}

/* Is the file still the one at its path? Rows in another would be lost without a word. */
static enum st check_place(struct db *db, struct err *err)
{
    int has_moved = 0;

    sqlite3_file_control(sqlite_of(db)->handle, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
    if (!has_moved)
        return ST_OK;
    return err_set(err, ST_AGAIN,
                   "%s: the file was moved, deleted or replaced; the one that is there now is "
                   "opened, or a new one made, and what it lacks is loaded from the tape",
                   db->shown);
}

static enum st begin(struct db *db, struct err *err)
{
    enum st st = check_place(db, err);
    return st == ST_OK ? sqlite_run(db, "BEGIN IMMEDIATE", err) : st;
}

static enum st commit(struct db *db, struct err *err)
{
    return sqlite_run(db, "COMMIT", err);
}

static void rollback(struct db *db)
{
    sqlite_reset_all(sqlite_of(db));
    /* an error may have rolled back already, which makes this one fail */
    if (db->is_in_transaction)
        sqlite3_exec(sqlite_of(db)->handle, "ROLLBACK", NULL, NULL, NULL);
}

static const struct db_engine sqlite_engine = {
    .prepare = sqlite_prepare,
    .bind_int = sqlite_bind_int,
    .bind_text = sqlite_bind_text,
    .bind_null = sqlite_bind_null,
    .step = sqlite_step,
    .reset = sqlite_reset,
    .get_int = sqlite_get_int,
    .get_text = sqlite_get_text,
    .is_null = sqlite_is_null,
    .texts_of_ids = SQLITE_TEXTS_OF_IDS,
    .join_candles = &sql_join_candles,
    .changes = changes,
    .run_script = run_script,
    .insert_row = sqlite_insert_row,
    .insert_candle = sqlite_insert_candle,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .close = close_connection,
};
