/* What the store knows of its own making: what was refused or is doubtful, and the days. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/query.h"
#include "query/coverage.h"

/* The first rows of a statement that has no other parameter. */
static enum st read_newest(struct query *q, enum db_statement which, const struct table *table,
                           uint32_t limit, struct arena *arena, struct rows *ret_rows,
                           struct err *err)
{
    struct reader *r = q->state;
    struct rows rows = {.table = table};
    struct collected c = {.rows = &rows, .arena = arena};
    struct stmt *stmt;

    enum st st = reader_begin(r, err);
    if (st == ST_OK)
        st = db_prepare(&r->db, which, &stmt, err);
    if (st == ST_OK) {
        db_bind_int(stmt, ":limit", limit);
        st = reader_collect(r, stmt, &c, err);
    }
    st = reader_end(r, st, err);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

enum st reader_refusals(struct query *q, uint32_t limit, struct arena *arena, struct rows *ret_rows,
                        struct err *err)
{
    return read_newest(q, DB_QUERY_REFUSALS, &refusal_table, limit, arena, ret_rows, err);
}

enum st reader_flags(struct query *q, uint32_t limit, struct arena *arena, struct rows *ret_rows,
                     struct err *err)
{
    return read_newest(q, DB_QUERY_FLAGS, &flag_table, limit, arena, ret_rows, err);
}

/* A year of polls is a million rows: they are counted as they come. */
static enum st count_polls(struct reader *r, struct stmt *stmt, struct coverage *c, struct err *err)
{
    bool has_row;
    enum st st;

    while ((st = db_step(&r->db, stmt, &has_row, err)) == ST_OK && has_row) {
        const struct coverage_poll poll = {.slot_us = db_int(stmt, 0),
                                           .outcome = db_text(stmt, 1),
                                           .next_due_us = db_int(stmt, 2)};
        coverage_add(c, &poll);
    }
    db_reset(stmt);
    return st;
}

enum st reader_coverage(struct query *q, const struct coverage_query *args, struct arena *arena,
                        struct rows *ret_rows, struct err *err)
{
    struct reader *r = q->state;
    struct coverage coverage;
    struct stmt *stmt;

    if (!coverage_begin(&coverage, args->from_us, args->until_us, arena))
        return reader_no_room(arena, err);
    enum st st = reader_begin(r, err);
    if (st == ST_OK)
        st = db_prepare(&r->db, DB_QUERY_COVERAGE, &stmt, err);
    if (st == ST_OK) {
        db_bind_text(stmt, ":job", args->job);
        db_bind_int(stmt, ":from", args->from_us);
        db_bind_int(stmt, ":until", args->until_us);
        st = count_polls(r, stmt, &coverage, err);
    }
    st = reader_end(r, st, err);
    if (st != ST_OK)
        return st;
    coverage_end(&coverage, args->now_us);
    *ret_rows = coverage.rows;
    return ST_OK;
}
