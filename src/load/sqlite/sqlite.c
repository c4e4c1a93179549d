/* The sqlite: driver: the store in SQL (load/sql/) in a file. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sqlite/sqlite.h"

#include "load/drivers.h"
#include "load/sql/sink.h"
#include "load/sqlite/schema.h"

#include <unistd.h>

static enum st sqlite_check(const struct sink_url *url, struct err *err)
{
    if (url->rest[0] == '\0')
        return err_set(err, ST_REJECT, "%s: names no file, as sqlite:./data/market.db does",
                       url->shown);
    return sink_url_check_options(url, (const char *const[]){NULL}, err);
}

static enum st open_schema(struct sink *s, struct sink_schema *ret_schema, struct err *err)
{
    struct db *db = &((struct sql_sink *)s->state)->store.db;

    enum st st = sqlite_connect(db, s->url->rest, true, s->url->shown, err);
    return st == ST_OK ? sqlite_schema_open(db, s->clock, ret_schema, err) : st;
}

static enum st sqlite_open(struct sink *s, struct err *err)
{
    struct sink_schema found;

    enum st st = open_schema(s, &found, err);
    if (st == ST_OK)
        sql_sink_tell_schema(s, &found);
    return st == ST_OK ? sql_sink_opened(s, err) : st;
}

static enum st sqlite_migrate(struct sink *s, const struct sink_migrate *how,
                              struct sink_schema *ret_schema, struct err *err)
{
    struct db *db = &((struct sql_sink *)s->state)->store.db;

    if (!how->is_dry_run)
        return open_schema(s, ret_schema, err);
    if (access(s->url->rest, F_OK) != 0) {
        *ret_schema = sqlite_schema_of_none();
        return ST_OK;
    }
    enum st st = sqlite_connect(db, s->url->rest, false, s->url->shown, err);
    return st == ST_OK ? sqlite_schema_look(db, ret_schema, err) : st;
}

const struct sink_driver sink_sqlite = {
    .scheme = "sqlite",
    .summary = "a SQLite database: every row, exactly, with views for common questions",
    .example = "sqlite:./data/market.db",
    .state_size = sizeof(struct sql_sink),
    .is_path = true,
    .check = sqlite_check,
    .open = sqlite_open,
    .attach = sql_sink_attach,
    .load = sql_sink_load,
    .tidy = sql_sink_tidy,
    .close = sql_sink_close,
    .open_query = sqlite_open_query,
    .migrate = sqlite_migrate,
    .replay = &sql_sink_replay,
};
