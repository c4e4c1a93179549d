/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/schema.h"

int schema_known(const struct schema *schema)
{
    return schema->migrations[schema->n - 1].version;
}

int64_t schema_after(const struct schema *schema, int64_t from)
{
    return from > schema_known(schema) ? from : schema_known(schema);
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

enum st schema_read(struct db *db, const struct schema *schema, int64_t *ret_version,
                    struct err *err)
{
    const int known = schema_known(schema);
    struct stmt *stmt;
    bool has_row;

    enum st st = db_prepare(db, DB_READ_VERSION, &stmt, err);
    if (st == ST_OK)
        st = db_step(db, stmt, &has_row, err);
    if (st != ST_OK)
        return st;
    if (!has_row)
        return err_set(err, ST_REJECT, "%s: has no schema version; %s", db->shown,
                       schema->unversioned);
    *ret_version = db_int(stmt, 0);
    struct str oldest = db_text(stmt, 1), by = db_text(stmt, 2);
    if (*ret_version > known && compare_programs(str_of(GECKOTAPE_VERSION), oldest) < 0)
        st = err_set(err, ST_REJECT,
                     "%s: its schema is version %lld, written by geckotape %.*s; this geckotape "
                     "%s knows version %d: use geckotape %.*s or later, or another place",
                     db->shown, (long long)*ret_version, STR_ARG(by), GECKOTAPE_VERSION, known,
                     STR_ARG(oldest));
    db_reset(stmt);
    return st;
}

static enum st add_version(struct db *db, const struct migration *m, struct clock *clock,
                           struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(db, DB_ADD_VERSION, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":version", m->version);
    db_bind_text(stmt, ":oldest_program", str_of(m->oldest_program));
    db_bind_text(stmt, ":applied_by", str_of(GECKOTAPE_VERSION));
    db_bind_int(stmt, ":applied_at", clock_wall_us(clock));
    return db_run(db, stmt, err);
}

enum st schema_raise(struct db *db, const struct schema *schema, int64_t from, struct clock *clock,
                     struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < schema->n; i++) {
        const struct migration *m = &schema->migrations[i];
        if (m->version <= from)
            continue;
        st = db_run_script(db, m->sql->p, err);
        if (st == ST_OK)
            st = add_version(db, m, clock, err);
        if (st != ST_OK)
            st = err_wrap(err, st, "schema version %d: ", m->version);
    }
    return st;
}
