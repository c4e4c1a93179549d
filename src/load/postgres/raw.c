/* SPDX-License-Identifier: Apache-2.0 */
#include "load/postgres/raw.h"

#include "load/postgres/partitions.h"
#include "load/postgres/statement.h"
#include "postgres_sql.h"

/* Of the poll's slot; other parameters are to be bound. */
static struct stmt *prepare(struct db *db, enum postgres_place place, struct str text,
                            const struct db_pages *pages)
{
    struct postgres_stmt *stmt = &postgres_of(db)->statements[place];

    if (stmt->sql == NULL)
        postgres_stmt_make(stmt, db, text);
    postgres_stmt_clear(stmt);
    postgres_bind_int(&stmt->base, ":slot", pages->slot_us);
    postgres_bind_int(&stmt->base, ":job_id", pages->job_id);
    return &stmt->base;
}

static enum st drop(struct db *db, const struct db_pages *pages, struct err *err)
{
    return db_run_later(db, prepare(db, PLACE_DROP_PAGES, postgres_sql_drop_pages, pages), err);
}

static enum st add(struct db *db, const struct db_pages *pages, const struct poll_page *page,
                   struct err *err)
{
    struct stmt *stmt = prepare(db, PLACE_ADD_PAGE, postgres_sql_add_page, pages);

    postgres_bind_int(stmt, ":page", page->record.page);
    postgres_bind_int(stmt, ":fetched_at", page->record.fetched_at_us);
    postgres_bind_int(stmt, ":http_status", page->record.status);
    postgres_bind_int(stmt, ":offset", (int64_t)page->record.offset);
    postgres_bind_text(stmt, ":body", page->body);
    return db_run_later(db, stmt, err);
}

enum st postgres_keep_pages(struct db *db, const struct db_pages *pages, struct err *err)
{
    const bool has_raw = postgres_of(db)->url.has_raw;
    enum st st = ST_OK;

    if (pages->had == DB_HAD_OTHER || (pages->had == DB_HAD_OWN && has_raw))
        st = drop(db, pages, err);
    if (st == ST_OK && has_raw)
        st = postgres_make_partitions(db, CUT_RAW, pages->slot_us, err);
    for (size_t i = 0; st == ST_OK && has_raw && i < pages->n; i++)
        st = add(db, pages, &pages->pages[i], err);
    return st;
}
