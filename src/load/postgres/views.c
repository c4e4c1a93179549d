/* SPDX-License-Identifier: Apache-2.0 */
#include "load/postgres/views.h"

#include "load/postgres/schema.h"
#include "load/sql/sink.h"
#include "postgres_sql.h"

#include <stdio.h>

static const char *const names[] = {"coin_market_raw", "coin_market_processed"};
#define N_NAMES (sizeof(names) / sizeof(names[0]))

/* What has the name in public, and what can be done about it. */
struct in_public {
    bool is_taken, is_ours, may_create, has_public;
    char old_name[POSTGRES_MAX_NAME]; /* that is free */
};

static enum st look(struct db *db, const char *name, struct in_public *ret, struct err *err)
{
    const char *const params[] = {name, postgres_of(db)->url.schema, NULL};
    PGresult *answer;

    enum st st = postgres_ask(db, postgres_sql_look_in_public.p, params, &answer, err);
    if (st != ST_OK)
        return st;
    *ret = (struct in_public){.is_taken = postgres_is_true(answer, 0),
                              .is_ours = postgres_is_true(answer, 1),
                              .may_create = postgres_is_true(answer, 2),
                              .has_public = postgres_is_true(answer, 3)};
    snprintf(ret->old_name, sizeof(ret->old_name), "%s", PQgetvalue(answer, 0, 4));
    PQclear(answer);
    return ST_OK;
}

static enum st make_view(struct db *db, const char *name, struct err *err)
{
    char sql[256];

    snprintf(sql, sizeof(sql), "CREATE VIEW public.%s AS SELECT * FROM %s.%s", name,
             postgres_of(db)->url.schema, name);
    return postgres_run(db, sql, err);
}

/* Whoever could read what had the name can read what has it now. */
static enum st pass_grants(struct db *db, const char *old_name, const char *name, struct err *err)
{
    const char *const params[] = {old_name, name, NULL};
    PGresult *answer;

    enum st st = postgres_ask(db, postgres_sql_list_grants.p, params, &answer, err);
    if (st != ST_OK)
        return st;
    const char *grants = PQgetvalue(answer, 0, 0);
    if (grants[0] != '\0')
        st = postgres_run(db, grants, err);
    PQclear(answer);
    return st;
}

static enum st rename_old(struct db *db, const char *name, const char *old_name, struct err *err)
{
    char sql[256];

    snprintf(sql, sizeof(sql), "ALTER TABLE public.%s RENAME TO %s", name, old_name);
    return postgres_run(db, sql, err);
}

/* What has the name gets another one, as that was asked for. */
static enum st take_place(struct db *db, const char *name, const char *old_name, bool is_dry_run,
                          char *told, struct err *err)
{
    enum st st = is_dry_run ? ST_OK : rename_old(db, name, old_name, err);

    if (st == ST_OK && !is_dry_run)
        st = make_view(db, name, err);
    if (st == ST_OK && !is_dry_run)
        st = pass_grants(db, old_name, name, err);
    snprintf(told, SQL_SINK_MAX_TOLD, "public.%s %s public.%s, and the view %s in its place", name,
             is_dry_run ? "would become" : "is now", old_name, is_dry_run ? "be made" : "is");
    return st;
}

static enum st offer_view(struct db *db, const char *name, const struct sink_migrate *how,
                          char *told, struct err *err)
{
    const char *schema = postgres_of(db)->url.schema;
    bool is_dry_run = how && how->is_dry_run;
    struct in_public found;

    enum st st = look(db, name, &found, err);
    if (st != ST_OK || found.is_ours || !found.has_public)
        return st;
    if (found.is_taken && how && how->is_renaming)
        return take_place(db, name, found.old_name, is_dry_run, told, err);
    if (found.is_taken)
        snprintf(told, SQL_SINK_MAX_TOLD,
                 "public.%s is there and not ours: left alone, and the view of that name is %s.%s "
                 "alone; geckotape migrate --rename-old renames it and puts the view in its place; "
                 "docs/postgres.md says how to import its rows",
                 name, schema, name);
    else if (!found.may_create)
        snprintf(told, SQL_SINK_MAX_TOLD,
                 "the view %s is in the schema %s alone, as this role may not create in public: "
                 "GRANT CREATE ON SCHEMA public, then geckotape migrate, puts it there too",
                 name, schema);
    else if (how)
        snprintf(told, SQL_SINK_MAX_TOLD, "the view public.%s %s made", name,
                 is_dry_run ? "would be" : "is");
    return found.is_taken || !found.may_create || is_dry_run ? ST_OK : make_view(db, name, err);
}

/* What was done is told when it is. */
enum st postgres_offer_views(struct sink *s, struct db *db, const struct sink_migrate *how,
                             struct err *err)
{
    char told[N_NAMES][SQL_SINK_MAX_TOLD] = {{'\0'}};
    enum st st = db_begin(db, err);

    if (st == ST_OK)
        st = postgres_lock_schema(db, err);
    for (size_t i = 0; st == ST_OK && i < N_NAMES; i++)
        st = offer_view(db, names[i], how, told[i], err);
    if (st == ST_OK)
        st = db_commit(db, err);
    for (size_t i = 0; st == ST_OK && i < N_NAMES; i++)
        if (told[i][0] != '\0')
            sql_sink_tell(s, "%s", told[i]);
    return st;
}
