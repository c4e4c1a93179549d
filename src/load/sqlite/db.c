/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sqlite/db.h"

#include "base/buf.h"
#include "base/file.h"
#include "row/market.h"
#include "sqlite_sql.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#define APPLICATION_ID  1734568820 /* see 0001_init.sql */
#define BUSY_TIMEOUT_MS 2000       /* the loader waits by itself after that, and can be stopped */
#define BUSY_STEP_MS    20
#define MAX_SQL         (16 * 1024)

struct migration {
    int version;
    const char *oldest_program; /* the oldest geckotape that may write this version */
    const struct str *sql;
};

static const struct migration migrations[] = {
    {.version = 1, .oldest_program = "0.1.0", .sql = &sql_0001_init},
};
static const size_t n_migrations = sizeof(migrations) / sizeof(migrations[0]);

/* A disk that is full or a process that is out of descriptors may do better later. */
static bool is_passing(int errnum)
{
    return errnum == ENOSPC || errnum == EDQUOT || errnum == EIO || errnum == EMFILE ||
           errnum == ENFILE || errnum == ENOMEM;
}

enum st db_error(sqlite3 *handle, const char *shown, int code, struct err *err)
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

enum st db_path(const char *path, char *ret_path, struct err *err)
{
    return file_path(ret_path, err, "%s%s", path[0] == '/' ? "" : "./", path);
}

static enum st run_sql(struct db *db, const char *sql, struct err *err)
{
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? ST_OK : db_error(db->handle, db->shown, code, err);
}

/* A number that a query answers. */
static enum st read_number(struct db *db, const char *sql, int64_t *ret_value, struct err *err)
{
    sqlite3_stmt *stmt = NULL;

    int code = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    if (code == SQLITE_ROW)
        *ret_value = sqlite3_column_int64(stmt, 0);
    enum st st = code == SQLITE_ROW ? ST_OK : db_error(db->handle, db->shown, code, err);
    sqlite3_finalize(stmt);
    return st;
}

/* Compare "1.2.3" with "1.10.0" by numbers; what is not a number counts as 0. */
static int compare_programs(struct str a, struct str b)
{
    while (a.len > 0 || b.len > 0) {
        struct str left, right;
        int64_t x = 0, y = 0;
        str_cut(&a, '.', &left);
        str_cut(&b, '.', &right);
        (void)str_to_i64(left, 0, INT32_MAX, &x);
        (void)str_to_i64(right, 0, INT32_MAX, &y);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

static enum st check_version(struct db *db, int64_t *ret_version, struct err *err)
{
    const int known = migrations[n_migrations - 1].version;
    sqlite3_stmt *stmt;
    bool has_row;

    enum st st = db_prepare(db, DB_READ_VERSION, &stmt, err);
    if (st == ST_OK)
        st = db_step(db, stmt, &has_row, err);
    if (st != ST_OK)
        return st;
    if (!has_row)
        return err_set(err, ST_REJECT, "%s: has no schema version; move the file away", db->shown);
    *ret_version = sqlite3_column_int64(stmt, 0);
    struct str oldest = db_text(stmt, 1), by = db_text(stmt, 2);
    if (*ret_version > known && compare_programs(str_of(GECKOTAPE_VERSION), oldest) < 0)
        st = err_set(err, ST_REJECT,
                     "%s: its schema is version %lld, written by geckotape %.*s; this geckotape "
                     "%s knows version %d: use geckotape %.*s or later, or another file",
                     db->shown, (long long)*ret_version, STR_ARG(by), GECKOTAPE_VERSION, known,
                     STR_ARG(oldest));
    sqlite3_reset(stmt);
    return st;
}

/* Whose file is it? Nothing is written before that is known. */
static enum st identify(struct db *db, bool *ret_is_new, struct err *err)
{
    int64_t application = 0, n_objects = 0;

    enum st st = read_number(db, "PRAGMA application_id", &application, err);
    if (st == ST_OK)
        st = read_number(db, "SELECT count(*) FROM sqlite_master", &n_objects, err);
    if (st != ST_OK)
        return st;
    *ret_is_new = application == 0 && n_objects == 0;
    if (!*ret_is_new && application != APPLICATION_ID)
        return err_set(err, ST_REJECT,
                       "%s: is the database of another program (application id %lld, %lld tables "
                       "and indexes); give the sink a file of its own",
                       db->shown, (long long)application, (long long)n_objects);
    return ST_OK;
}

static enum st migrate_one(struct db *db, const struct migration *m, struct clock *clock,
                           struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = run_sql(db, m->sql->p, err);
    if (st == ST_OK)
        st = db_prepare(db, DB_ADD_VERSION, &stmt, err);
    if (st != ST_OK)
        return err_wrap(err, st, "schema version %d: ", m->version);
    db_bind_int(stmt, ":version", m->version);
    db_bind_text(stmt, ":oldest_program", str_of(m->oldest_program));
    db_bind_text(stmt, ":applied_by", str_of(GECKOTAPE_VERSION));
    db_bind_int(stmt, ":applied_at", clock_wall_us(clock));
    return db_run(db, stmt, err);
}

/* All that are missing, in one transaction: a file is of one version or of another. */
static enum st migrate(struct db *db, struct clock *clock, struct err *err)
{
    int64_t version = 0;
    bool is_new;

    enum st st = db_begin(db, err);
    if (st == ST_OK)
        st = identify(db, &is_new, err); /* again: somebody else may have made it meanwhile */
    if (st == ST_OK && !is_new)
        st = check_version(db, &version, err);
    for (size_t i = 0; st == ST_OK && i < n_migrations; i++)
        if (migrations[i].version > version)
            st = migrate_one(db, &migrations[i], clock, err);
    if (st == ST_OK)
        return db_commit(db, err);
    db_rollback(db);
    return st;
}

/* The switch to a write-ahead log is refused at once while others are in the file, as two are that
 * make it: SQLite's own wait does not hold for it. */
static enum st use_wal(struct db *db, struct err *err)
{
    struct err why = ERR_INIT;
    int waited_ms = 0;
    enum st st;

    while ((st = run_sql(db, "PRAGMA journal_mode = WAL", &why)) == ST_AGAIN &&
           waited_ms < BUSY_TIMEOUT_MS)
        waited_ms += sqlite3_sleep(BUSY_STEP_MS);
    if (st != ST_OK)
        *err = why;
    return st;
}

enum st db_open(struct db *db, const char *path, const char *shown, struct clock *clock,
                struct err *err)
{
    char full[FILE_MAX_PATH], dir[FILE_MAX_PATH];
    bool is_new;

    db->shown = shown;
    enum st st = db_path(path, full, err);
    if (st != ST_OK)
        return st;
    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(full, '/') - full), full);
    if (dir[0] != '\0')
        st = file_mkdirs(dir, err);
    if (st != ST_OK)
        return err_wrap(err, st, "%s: ", shown);
    int code = sqlite3_open_v2(full, &db->handle,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                   SQLITE_OPEN_EXRESCODE,
                               NULL);
    if (code != SQLITE_OK)
        return db_error(db->handle, shown, code, err);
    sqlite3_busy_timeout(db->handle, BUSY_TIMEOUT_MS);
    st = identify(db, &is_new, err);
    if (st == ST_OK && sqlite3_db_readonly(db->handle, "main") == 1)
        st = db_error(NULL, shown, SQLITE_READONLY, err);
    if (st == ST_OK && is_new)
        st = run_sql(db, "PRAGMA page_size = 8192", err);
    if (st == ST_OK)
        st = use_wal(db, err);
    if (st == ST_OK)
        st = run_sql(db,
                     "PRAGMA synchronous = FULL;"
                     "PRAGMA cache_size = -512; PRAGMA journal_size_limit = 16777216;"
                     "PRAGMA temp_store = MEMORY",
                     err);
    return st == ST_OK ? migrate(db, clock, err) : st;
}

void db_close(struct db *db)
{
    if (db->handle == NULL)
        return;
    db_rollback(db);
    for (size_t i = 0; i < N_DB_STATEMENTS; i++)
        sqlite3_finalize(db->statements[i]);
    /* fails while somebody reads; the log file is then read at the next open */
    sqlite3_exec(db->handle, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
    int code = sqlite3_close(db->handle);
    assert(code == SQLITE_OK);
    (void)code;
    *db = (struct db){0};
}

/* The columns that market has of a row: coin has the others. */
static void add_columns(struct buf *sql, const char *separator)
{
    for (size_t i = MARKET_FETCHED_AT; i < N_MARKET_COLUMNS; i++)
        buf_addf(sql, "%s%s", separator, market_table.columns[i].name);
}

static void write_insert_market(struct buf *sql)
{
    buf_add_z(sql, "INSERT INTO market (slot, job_id, coin_id");
    add_columns(sql, ", ");
    buf_add_z(sql, ") VALUES (?, ?, ?");
    for (size_t i = MARKET_FETCHED_AT; i < N_MARKET_COLUMNS; i++)
        buf_add_z(sql, ", ?");
    buf_add_z(sql, ")");
}

/* Rows that poll :slot left out, from the coins' rows before it in its hour (from :since on): of
 * every coin that has one, is not in the poll's own rows, not absent from it, not refused in it. */
static void write_keep_rows(struct buf *sql)
{
    buf_add_z(sql, "INSERT INTO market (slot, job_id, coin_id");
    add_columns(sql, ", ");
    buf_add_z(sql, ") SELECT :slot, m.job_id, m.coin_id, :fetched_at");
    for (size_t i = MARKET_FETCHED_AT + 1; i < N_MARKET_COLUMNS; i++)
        buf_addf(sql, ", m.%s", market_table.columns[i].name);
    buf_add_z(
        sql,
        " FROM (SELECT coin_id, max(slot) AS slot FROM market"
        " WHERE job_id = :job_id AND slot >= :since AND slot < :slot GROUP BY coin_id) AS newest"
        " JOIN market AS m ON m.slot = newest.slot AND m.job_id = :job_id"
        " AND m.coin_id = newest.coin_id"
        " WHERE NOT EXISTS (SELECT 1 FROM market AS own WHERE own.slot = :slot"
        " AND own.job_id = :job_id AND own.coin_id = m.coin_id)"
        " AND NOT EXISTS (SELECT 1 FROM absence AS a WHERE a.job_id = :job_id"
        " AND a.coin_id = m.coin_id AND a.from_slot <= :slot"
        " AND (a.until_slot IS NULL OR a.until_slot > :slot))"
        " AND NOT EXISTS (SELECT 1 FROM quarantine AS q JOIN coin ON coin.id = q.coin"
        " WHERE q.stream = :stream AND q.offset BETWEEN :first_offset AND :last_offset"
        " AND coin.coin_id = m.coin_id)");
}

static const struct str *const statement_texts[] = {
#define DB_TEXT(id, name) [DB_##id] = &sql_##name,
    DB_STATEMENTS(DB_TEXT)
#undef DB_TEXT
};

enum st db_prepare(struct db *db, enum db_statement which, sqlite3_stmt **ret_stmt, struct err *err)
{
    struct buf made = BUF_INIT(MAX_SQL);
    struct str text = STR_NONE;

    *ret_stmt = db->statements[which];
    if (*ret_stmt) {
        sqlite3_reset(*ret_stmt);
        sqlite3_clear_bindings(*ret_stmt);
        return ST_OK;
    }
    if (which == DB_INSERT_MARKET)
        write_insert_market(&made);
    else if (which == DB_KEEP_ROWS)
        write_keep_rows(&made);
    else
        text = *statement_texts[which];
    enum st st = buf_check(&made, "a statement", err);
    if (st != ST_OK) /* it fits: there was no memory */
        st = ST_AGAIN;
    if (made.len > 0)
        text = buf_str(&made);
    int code = SQLITE_OK;
    if (st == ST_OK)
        code = sqlite3_prepare_v3(db->handle, text.p, (int)text.len, SQLITE_PREPARE_PERSISTENT,
                                  &db->statements[which], NULL);
    buf_release(&made);
    if (code != SQLITE_OK)
        return db_error(db->handle, db->shown, code, err);
    *ret_stmt = db->statements[which];
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
void db_bind_int(sqlite3_stmt *stmt, const char *name, int64_t value)
{
    sqlite3_bind_int64(stmt, parameter(stmt, name), value);
}

void db_bind_text(sqlite3_stmt *stmt, const char *name, struct str text)
{
    sqlite3_bind_text64(stmt, parameter(stmt, name), text.p ? text.p : "", text.len, SQLITE_STATIC,
                        SQLITE_UTF8);
}

void db_bind_null(sqlite3_stmt *stmt, const char *name)
{
    sqlite3_bind_null(stmt, parameter(stmt, name));
}

void db_bind_int_or_null(sqlite3_stmt *stmt, const char *name, int64_t value)
{
    if (value != 0)
        db_bind_int(stmt, name, value);
    else
        db_bind_null(stmt, name);
}

void db_bind_text_or_null(sqlite3_stmt *stmt, const char *name, struct str text)
{
    if (text.len > 0)
        db_bind_text(stmt, name, text);
    else
        db_bind_null(stmt, name);
}

enum st db_step(struct db *db, sqlite3_stmt *stmt, bool *ret_has_row, struct err *err)
{
    int code = sqlite3_step(stmt);

    *ret_has_row = code == SQLITE_ROW;
    if (code == SQLITE_ROW)
        return ST_OK;
    enum st st = code == SQLITE_DONE ? ST_OK : db_error(db->handle, db->shown, code, err);
    sqlite3_reset(stmt);
    return st;
}

enum st db_run(struct db *db, sqlite3_stmt *stmt, struct err *err)
{
    bool has_row;

    enum st st = db_step(db, stmt, &has_row, err);
    assert(st != ST_OK || !has_row);
    return st;
}

struct str db_text(sqlite3_stmt *stmt, int column)
{
    const char *p = (const char *)sqlite3_column_text(stmt, column);
    return p ? (struct str){p, (size_t)sqlite3_column_bytes(stmt, column)} : STR_NONE;
}

/* Is the file still the one at its path? Rows in another would be lost without a word. */
static enum st check_place(struct db *db, struct err *err)
{
    int has_moved = 0;

    sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
    if (!has_moved)
        return ST_OK;
    return err_set(err, ST_AGAIN,
                   "%s: the file was moved, deleted or replaced; the one that is there now is "
                   "opened, or a new one made, and what it lacks is loaded from the tape",
                   db->shown);
}

enum st db_begin(struct db *db, struct err *err)
{
    enum st st = check_place(db, err);
    if (st == ST_OK)
        st = run_sql(db, "BEGIN IMMEDIATE", err);
    db->is_in_transaction = st == ST_OK;
    return st;
}

enum st db_commit(struct db *db, struct err *err)
{
    enum st st = run_sql(db, "COMMIT", err);
    if (st == ST_OK)
        db->is_in_transaction = false;
    return st;
}

void db_rollback(struct db *db)
{
    for (size_t i = 0; i < N_DB_STATEMENTS; i++)
        if (db->statements[i])
            sqlite3_reset(db->statements[i]);
    /* an error may have rolled back already, which makes this one fail */
    if (db->is_in_transaction)
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    db->is_in_transaction = false;
}
