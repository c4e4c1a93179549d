/* SPDX-License-Identifier: Apache-2.0 */
#include "load/postgres/schema.h"

#include "load/postgres/partitions.h"
#include "load/postgres/views.h"
#include "load/sql/schema.h"
#include "load/sql/sink.h"
#include "postgres_sql.h"
#include "query/history.h"

#include <stdio.h>

#define OLDEST_SERVER 130000
#define MAX_SQL       (64 * 1024)

static const struct migration migrations[] = {
    {.version = 1, .oldest_program = "0.1.0", .sql = &postgres_sql_0001_init},
    {.version = 2, .oldest_program = "0.1.0", .sql = &postgres_sql_0002_layout},
    {.version = 3, .oldest_program = "0.1.0", .sql = &postgres_sql_0003_charts},
    {.version = 4, .oldest_program = "0.1.0", .sql = &postgres_sql_0004_candles},
    {.version = 5, .oldest_program = "0.1.0", .sql = &postgres_sql_0005_retained},
};
static const struct schema schema = {.migrations = migrations,
                                     .n = sizeof(migrations) / sizeof(migrations[0]),
                                     .unversioned = "give the sink a schema of its own: ?schema="};

/* ---- comments, from the tables of columns ---- */

static void comment_column(struct buf *sql, const char *table, const char *column, const char *help,
                           const char *unit)
{
    buf_addf(sql, "COMMENT ON COLUMN %s.%s IS '", table, column);
    for (const char *p = help; *p; p++)
        buf_addf(sql, *p == '\'' ? "''" : "%c", *p);
    buf_addf(sql, "%s%s';\n", unit[0] ? "; in " : "", unit);
}

static void comment_columns(struct buf *sql, const char *name, const struct table *t, size_t first)
{
    for (size_t i = first; i < t->n_columns; i++)
        comment_column(sql, name, t->columns[i].name, t->columns[i].help, t->columns[i].unit);
}

static void comment_rows(struct buf *sql, const char *name, const struct table *t)
{
    comment_column(sql, name, "slot", "when the poll was scheduled", "UTC");
    comment_column(sql, name, "job_id", "of the table job", "");
    if (t->is_of_coins)
        comment_column(sql, name, "coin_id", "of the table coin", "");
    else
        comment_column(sql, name, t->columns[ROW_ID].name, t->columns[ROW_ID].help, "");
    comment_columns(sql, name, t, t->first_stored);
}

static enum st comment_all(struct db *db, struct err *err)
{
    struct buf sql = BUF_INIT(MAX_SQL);

    for (size_t i = 0; i < N_ROW_TABLES; i++) {
        comment_rows(&sql, row_tables[i]->name, row_tables[i]);
        if (row_tables[i]->latest)
            comment_rows(&sql, row_tables[i]->latest, row_tables[i]);
    }
    comment_column(&sql, "poll", "job_id", "of the table job", "");
    comment_columns(&sql, "poll", &poll_table, POLL_COLUMN_SLOT);
    enum st st = buf_check(&sql, "comments", err) == ST_OK ? ST_OK : ST_AGAIN;
    if (st == ST_OK)
        st = postgres_run(db, buf_z(&sql), err);
    buf_release(&sql);
    return st;
}

/* ---- versions ---- */

struct found {
    bool has_schema, is_closed, has_version, has_tables, may_change;
    char owner[2 * POSTGRES_MAX_NAME], user[2 * POSTGRES_MAX_NAME]; /* with quotes as needed */
    char database[2 * POSTGRES_MAX_NAME];
    struct sink_schema versions;
};

static enum st look(struct db *db, struct found *ret, struct err *err)
{
    const char *const params[] = {postgres_of(db)->url.schema, NULL};
    PGresult *answer;

    enum st st = postgres_ask(db, postgres_sql_look_at_schema.p, params, &answer, err);
    if (st != ST_OK)
        return st;
    *ret = (struct found){.has_schema = postgres_is_true(answer, 0),
                          .is_closed = postgres_is_true(answer, 1),
                          .has_version = postgres_is_true(answer, 2),
                          .has_tables = postgres_is_true(answer, 3),
                          .may_change = postgres_is_true(answer, 4)};
    snprintf(ret->owner, sizeof(ret->owner), "%s", PQgetvalue(answer, 0, 5));
    snprintf(ret->user, sizeof(ret->user), "%s", PQgetvalue(answer, 0, 6));
    snprintf(ret->database, sizeof(ret->database), "%s", PQgetvalue(answer, 0, 7));
    PQclear(answer);
    return ST_OK;
}

/* What is there? */
static enum st read_schema(struct db *db, struct found *ret, struct err *err)
{
    const char *name = postgres_of(db)->url.schema;
    int64_t version = 0;

    enum st st = look(db, ret, err);
    if (st != ST_OK)
        return st;
    if (ret->is_closed) /* what is in it would seem not to be there */
        return err_set(err, ST_AGAIN,
                       "%s: permission denied for schema %s; its owner %s grants it: GRANT USAGE "
                       "ON SCHEMA %s TO %s",
                       db->shown, name, ret->owner, name, ret->user);
    if (ret->has_tables && !ret->has_version)
        return err_set(err, ST_REJECT,
                       "%s: the schema %s is another program's; give the sink one of its own: "
                       "?schema=",
                       db->shown, name);
    if (ret->has_version)
        st = schema_read(db, &schema, &version, err);
    if (st == ST_OK)
        ret->versions = (struct sink_schema){.from = version, .to = schema_after(&schema, version)};
    return st;
}

enum st postgres_lock_schema(struct db *db, struct err *err)
{
    char sql[256];

    snprintf(sql, sizeof(sql), "SELECT pg_advisory_xact_lock(1734568820, hashtext('%s'))",
             postgres_of(db)->url.schema);
    return postgres_run(db, sql, err);
}

static enum st make_schema(struct db *db, struct err *err)
{
    const char *name = postgres_of(db)->url.schema;
    char sql[256];

    snprintf(sql, sizeof(sql), "CREATE SCHEMA %s; COMMENT ON SCHEMA %s IS 'Written by geckotape.'",
             name, name);
    return postgres_run(db, sql, err);
}

/* All that are missing, in one transaction; whoever comes second finds them. */
static enum st migrate(struct sink *s, struct db *db, struct sink_schema *ret_schema,
                       struct err *err)
{
    struct found found;

    enum st st = db_begin(db, err);
    if (st == ST_OK)
        st = postgres_lock_schema(db, err);
    if (st == ST_OK)
        st = read_schema(db, &found, err);
    if (st == ST_OK && !found.has_schema)
        st = make_schema(db, err);
    if (st == ST_OK)
        *ret_schema = found.versions;
    if (st == ST_OK && ret_schema->to > ret_schema->from) {
        st = schema_raise(db, &schema, ret_schema->from, s->clock, err);
        if (st == ST_OK && ret_schema->from == 0)
            st = postgres_layout_choose(db, err);
        if (st == ST_OK)
            st = comment_all(db, err);
    }
    return st == ST_OK ? db_commit(db, err) : st;
}

static enum st check_server(struct db *db, struct err *err)
{
    int version = PQserverVersion(postgres_of(db)->pg);

    if (version >= OLDEST_SERVER)
        return ST_OK;
    return err_set(err, ST_REJECT, "%s: is PostgreSQL %d.%d; version %d or later is needed",
                   db->shown, version / 10000, version % 10000, OLDEST_SERVER / 10000);
}

static enum st refuse_changing(struct db *db, const struct found *found, struct err *err)
{
    const char *name = postgres_of(db)->url.schema;

    if (found->has_version)
        return err_set(err, ST_AGAIN,
                       "%s: the schema %s is of version %lld, and %lld is needed; its owner %s "
                       "brings it there by geckotape migrate",
                       db->shown, name, (long long)found->versions.from,
                       (long long)found->versions.to, found->owner);
    if (found->has_schema)
        return err_set(err, ST_AGAIN,
                       "%s: nothing is in the schema %s yet; its owner %s makes its tables by "
                       "geckotape migrate",
                       db->shown, name, found->owner);
    return err_set(err, ST_AGAIN,
                   "%s: the schema %s is not there yet; geckotape migrate makes it, by a role with "
                   "GRANT CREATE ON DATABASE %s: docs/postgres.md has the roles",
                   db->shown, name, found->database);
}

/* In a transaction of its own. must_change: it will be changed where it has to be. */
static enum st look_at_schema(struct db *db, bool must_change, struct sink_schema *ret_schema,
                              struct err *err)
{
    struct found found;

    enum st st = check_server(db, err);
    if (st == ST_OK)
        st = db_begin(db, err);
    if (st == ST_OK)
        st = read_schema(db, &found, err);
    if (st == ST_OK)
        st = db_commit(db, err);
    if (st != ST_OK)
        return st;
    *ret_schema = found.versions;
    if (found.versions.to == found.versions.from || (must_change && found.may_change))
        return ST_OK;
    return refuse_changing(db, &found, err);
}

enum st postgres_schema_open(struct sink *s, struct db *db, struct err *err)
{
    struct sink_schema found;

    enum st st = look_at_schema(db, postgres_of(db)->url.may_migrate, &found, err);
    if (st == ST_OK && found.to == found.from)
        return postgres_layout_read(db, err);
    if (st != ST_OK)
        return st;
    st = migrate(s, db, &found, err);
    if (st != ST_OK)
        return st;
    sql_sink_tell_schema(s, &found);
    st = postgres_offer_views(s, db, NULL, err);
    return st == ST_OK ? postgres_layout_read(db, err) : st;
}

enum st postgres_schema_migrate(struct sink *s, struct db *db, const struct sink_migrate *how,
                                struct sink_schema *ret_schema, struct err *err)
{
    enum st st = look_at_schema(db, true, ret_schema, err);
    if (st == ST_OK && !how->is_dry_run)
        st = migrate(s, db, ret_schema, err);
    if (st == ST_OK && !how->is_dry_run)
        st = postgres_layout_read(db, err);
    return st == ST_OK ? postgres_offer_views(s, db, how, err) : st;
}
