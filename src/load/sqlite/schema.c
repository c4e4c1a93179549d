/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sqlite/schema.h"

#include "load/sql/schema.h"
#include "sqlite_sql.h"

#define APPLICATION_ID 1734568820 /* see 0001_init.sql */
#define BUSY_STEP_MS   20

static const struct migration migrations[] = {
    {.version = 1, .oldest_program = "0.1.0", .sql = &sql_0001_init},
    {.version = 2, .oldest_program = "0.1.0", .sql = &sql_0002_endpoints},
    {.version = 3, .oldest_program = "0.1.0", .sql = &sql_0003_quarantined},
    {.version = 4, .oldest_program = "0.1.0", .sql = &sql_0004_charts},
    {.version = 5, .oldest_program = "0.1.0", .sql = &sql_0005_candles},
    {.version = 6, .oldest_program = "0.1.0", .sql = &sql_0006_retained},
};
static const struct schema schema = {.migrations = migrations,
                                     .n = sizeof(migrations) / sizeof(migrations[0]),
                                     .unversioned = "move the file away"};

/* A number that a query answers. */
static enum st read_number(struct db *db, const char *sql, int64_t *ret_value, struct err *err)
{
    sqlite3 *handle = sqlite_of(db)->handle;
    sqlite3_stmt *stmt = NULL;

    int code = sqlite3_prepare_v2(handle, sql, -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    if (code == SQLITE_ROW)
        *ret_value = sqlite3_column_int64(stmt, 0);
    enum st st = code == SQLITE_ROW ? ST_OK : sqlite_error(handle, db->shown, code, err);
    sqlite3_finalize(stmt);
    return st;
}

/* Whose file is it? Nothing is written before that is known. */
static enum st identify(struct db *db, bool *ret_is_new, struct err *err)
{
    int64_t application = 0, n_objects = 0;

    /* in this order: who makes it right now has set the id when there are tables */
    enum st st = read_number(db, "SELECT count(*) FROM sqlite_master", &n_objects, err);
    if (st == ST_OK)
        st = read_number(db, "PRAGMA application_id", &application, err);
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

struct sink_schema sqlite_schema_of_none(void)
{
    return (struct sink_schema){.from = 0, .to = schema_known(&schema)};
}

enum st sqlite_schema_look(struct db *db, struct sink_schema *ret_schema, struct err *err)
{
    int64_t version = 0;
    bool is_new;

    enum st st = identify(db, &is_new, err);
    if (st == ST_OK && !is_new)
        st = schema_read(db, &schema, &version, err);
    if (st == ST_OK)
        *ret_schema = (struct sink_schema){.from = version, .to = schema_after(&schema, version)};
    return st;
}

/* All that are missing, in one transaction: a file is of one version or of another. */
static enum st migrate(struct db *db, struct clock *clock, struct sink_schema *ret_schema,
                       struct err *err)
{
    enum st st = db_begin(db, err);
    if (st == ST_OK) /* again: somebody else may have made it meanwhile */
        st = sqlite_schema_look(db, ret_schema, err);
    if (st == ST_OK)
        st = schema_raise(db, &schema, ret_schema->from, clock, err);
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

    while ((st = sqlite_run(db, "PRAGMA journal_mode = WAL", &why)) == ST_AGAIN &&
           waited_ms < SQLITE_BUSY_TIMEOUT_MS)
        waited_ms += sqlite3_sleep(BUSY_STEP_MS);
    if (st != ST_OK)
        *err = why;
    return st;
}

enum st sqlite_schema_open(struct db *db, struct clock *clock, struct sink_schema *ret_schema,
                           struct err *err)
{
    bool is_new = false;

    enum st st = identify(db, &is_new, err);
    if (st == ST_OK && sqlite3_db_readonly(sqlite_of(db)->handle, "main") == 1)
        st = sqlite_error(NULL, db->shown, SQLITE_READONLY, err);
    if (st == ST_OK && is_new)
        st = sqlite_run(db, "PRAGMA page_size = 8192", err);
    if (st == ST_OK)
        st = use_wal(db, err);
    if (st == ST_OK)
        st = sqlite_run(db,
                        "PRAGMA synchronous = FULL;"
                        "PRAGMA cache_size = -512; PRAGMA journal_size_limit = 16777216;"
                        "PRAGMA temp_store = MEMORY",
                        err);
    return st == ST_OK ? migrate(db, clock, ret_schema, err) : st;
}
