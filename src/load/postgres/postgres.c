/* The postgres: driver: the store in SQL (load/sql/) on a server. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/drivers.h"
#include "load/postgres/reader.h"
#include "load/postgres/schema.h"
#include "load/sql/sink.h"

static enum st postgres_check(const struct sink_url *url, struct err *err)
{
    struct postgres_url read;

    enum st st = postgres_url_read(url, false, &read, err);
    postgres_url_release(&read);
    return st;
}

static enum st dial(struct sink *s, struct err *err)
{
    struct postgres_url url;

    enum st st = postgres_url_read(s->url, false, &url, err);
    if (st == ST_OK)
        st = postgres_connect(&((struct sql_sink *)s->state)->store.db, &url, s->url->shown, err);
    postgres_url_release(&url);
    return st;
}

static enum st postgres_open(struct sink *s, struct err *err)
{
    enum st st = dial(s, err);
    if (st == ST_OK)
        st = postgres_schema_open(s, &((struct sql_sink *)s->state)->store.db, err);
    return st == ST_OK ? sql_sink_opened(s, err) : st;
}

static enum st postgres_migrate(struct sink *s, const struct sink_migrate *how,
                                struct sink_schema *ret_schema, struct err *err)
{
    enum st st = dial(s, err);
    if (st != ST_OK)
        return st;
    return postgres_schema_migrate(s, &((struct sql_sink *)s->state)->store.db, how, ret_schema,
                                   err);
}

/* What libpq takes as an address, and our schema. */
static const char *const which[] = {"service", "host",   "hostaddr", "port",
                                    "dbname",  "schema", NULL};

const struct sink_driver sink_postgres = {
    .scheme = "postgres",
    .alias = "postgresql",
    .summary = "a PostgreSQL database: every row, exactly, in tables with partitions",
    .example = "postgres://etl@db.example.com/market?sslmode=verify-full",
    .state_size = sizeof(struct sql_sink),
    .which = which,
    .check = postgres_check,
    .open = postgres_open,
    .attach = sql_sink_attach,
    .load = sql_sink_load,
    .tidy = sql_sink_tidy,
    .close = sql_sink_close,
    .migrate = postgres_migrate,
    .open_query = postgres_open_query,
    .replay = &sql_sink_replay,
};
