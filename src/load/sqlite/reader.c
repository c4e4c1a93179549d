/* Reading a store of the sqlite: driver, over a read-only connection of its own. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "load/sql/query.h"
#include "load/sqlite/sqlite.h"
#include "load/sqlite/statement.h"

#include <sys/stat.h>

#define BUSY_TIMEOUT_MS 1000
#define STEPS           20000 /* of SQLite's machine between two looks at the clock: about 1 ms */

struct file_reader {
    struct sqlite_connection connection; /* first: db->own is either */
    char path[FILE_MAX_PATH];
    dev_t device; /* of the file that is open */
    ino_t inode;
    uint32_t n_opened;
    sqlite3_stmt *version;        /* NULL: not prepared yet */
    int64_t timeout_us, began_us; /* of the statement at hand, on the monotonic clock */
};

static struct file_reader *reader_of(struct db *db)
{
    return db->own;
}

static void hang_up(struct file_reader *r)
{
    sqlite_finalize_all(&r->connection);
    sqlite3_finalize(r->version);
    r->version = NULL;
    sqlite3_close(r->connection.handle);
    r->connection.handle = NULL;
}

static int is_too_late(void *ctx)
{
    const struct file_reader *r = ctx;

    return r->timeout_us > 0 && clock_mono_us(clock_system()) - r->began_us > r->timeout_us;
}

static enum st open_file(struct db *db, const struct stat *file, struct err *err)
{
    struct file_reader *r = reader_of(db);
    sqlite3 **handle = &r->connection.handle;

    int code = sqlite3_open_v2(r->path, handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK)
        return sqlite_error(*handle, db->shown, code, err);
    sqlite3_busy_timeout(*handle, BUSY_TIMEOUT_MS);
    sqlite3_progress_handler(*handle, STEPS, is_too_late, r);
    r->n_opened++;
    r->device = file->st_dev;
    r->inode = file->st_ino;
    return sqlite_run(db, "PRAGMA cache_size = -512", err);
}

/* Also when somebody moved the file away: a connection would read the old one for ever. */
static enum st connect_reader(struct db *db, struct err *err)
{
    struct file_reader *r = reader_of(db);
    struct stat file;

    if (stat(r->path, &file) != 0 || file.st_size == 0) {
        hang_up(r);
        return err_set(err, ST_AGAIN, "%s: nothing is loaded yet", db->shown);
    }
    if (r->connection.handle && file.st_dev == r->device && file.st_ino == r->inode)
        return ST_OK;
    hang_up(r);
    enum st st = open_file(db, &file, err);
    if (st != ST_OK)
        hang_up(r);
    return st;
}

static enum st begin(struct db *db, struct err *err)
{
    struct file_reader *r = reader_of(db);
    enum st st = connect_reader(db, err);

    r->timeout_us = db->timeout_us;
    r->began_us = clock_mono_us(clock_system());
    return st == ST_OK ? sqlite_run(db, "BEGIN", err) : st;
}

static enum st commit(struct db *db, struct err *err)
{
    return sqlite_run(db, "COMMIT", err);
}

static void rollback(struct db *db)
{
    sqlite_reset_all(sqlite_of(db));
    if (db->is_in_transaction)
        sqlite3_exec(sqlite_of(db)->handle, "ROLLBACK", NULL, NULL, NULL);
}

/* A table that is missing: the writer has not made it so far. */
static enum st prepare(struct db *db, enum db_statement which, struct stmt **ret_stmt,
                       struct err *err)
{
    enum st st = sqlite_prepare(db, which, ret_stmt, err);

    if (st == ST_OK || sqlite3_errcode(sqlite_of(db)->handle) != SQLITE_ERROR)
        return st;
    return err_set(err, ST_AGAIN, "%s: %s", db->shown, sqlite3_errmsg(sqlite_of(db)->handle));
}

static enum st step(struct db *db, struct stmt *stmt, bool *ret_has_row, struct err *err)
{
    struct file_reader *r = reader_of(db);
    enum st st = sqlite_step(db, stmt, ret_has_row, err);

    if (st == ST_AGAIN && is_too_late(r))
        return err_set(err, ST_AGAIN, "%s: it takes longer than %lld ms; ask for less", db->shown,
                       (long long)(r->timeout_us / US_PER_MS));
    return st;
}

/* SQLite's own number of commits that other connections made, as far as this one sees. */
static enum st version(struct db *db, uint64_t *ret_version, struct err *err)
{
    struct file_reader *r = reader_of(db);
    int code = SQLITE_OK;
    enum st st = connect_reader(db, err);

    if (st != ST_OK)
        return st;
    if (!r->version)
        code = sqlite3_prepare_v3(r->connection.handle, "PRAGMA data_version", -1,
                                  SQLITE_PREPARE_PERSISTENT, &r->version, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(r->version);
    if (code == SQLITE_ROW)
        *ret_version = (uint64_t)r->n_opened << 32 | (uint32_t)sqlite3_column_int64(r->version, 0);
    else
        st = sqlite_error(r->connection.handle, db->shown, code, err);
    sqlite3_reset(r->version);
    return st;
}

static void close_reader(struct db *db)
{
    hang_up(reader_of(db));
    mem_free(db->own);
}

static const struct db_engine reader_engine = {
    .prepare = prepare,
    .bind_int = sqlite_bind_int,
    .bind_text = sqlite_bind_text,
    .bind_null = sqlite_bind_null,
    .step = step,
    .reset = sqlite_reset,
    .get_int = sqlite_get_int,
    .get_text = sqlite_get_text,
    .is_null = sqlite_is_null,
    .find_column = sqlite_find_column,
    .get_cell = sqlite_get_cell,
    .texts_of_ids = SQLITE_TEXTS_OF_IDS,
    .begin = begin,
    .commit = commit,
    .rollback = rollback,
    .version = version,
    .close = close_reader,
};

enum st sqlite_open_query(const struct sink_url *url, struct query **ret_query, struct err *err)
{
    char path[FILE_MAX_PATH];

    enum st st = sqlite_path(url->rest, path, err);
    if (st != ST_OK)
        return st;
    struct file_reader *r = mem_new(1, sizeof(*r));
    memcpy(r->path, path, sizeof(path));
    *ret_query = sql_query_new(url, &(struct db){.engine = &reader_engine, .own = r});
    return ST_OK;
}
