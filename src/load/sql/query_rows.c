/* Every row of a coin, or of all, in a span of time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/candles.h"
#include "load/sql/query.h"

#include <stdlib.h>

struct rows_args {
    const struct rows_query *rows;
    int64_t coin_id, at_us;
};

static void bind_rows(struct stmt *stmt, const void *args)
{
    const struct rows_args *a = args;

    db_bind_text(stmt, ":vs_currency", a->rows->vs_currency);
    db_bind_int(stmt, ":from", a->rows->from_us);
    db_bind_int(stmt, ":until", a->rows->until_us);
    db_bind_int(stmt, ":first_slot", candle_first_slot(a->rows->from_us));
    db_bind_int(stmt, ":last_slot", a->rows->until_us);
    db_bind_int(stmt, ":at", a->at_us);
}

static void bind_rows_of(struct stmt *stmt, const void *args)
{
    const struct rows_args *a = args;

    db_bind_int(stmt, ":coin_id", a->coin_id);
    bind_rows(stmt, args);
}

static enum st ask_rows(struct reader *r, const struct rows_query *args, struct collected *c,
                        struct err *err)
{
    struct rows_args rows = {.rows = args, .at_us = reader_moment(r)};
    struct stmt *stmt;
    bool is_known;

    if (args->id.len == 0)
        return reader_ask(r, DB_QUERY_ROWS, bind_rows, &rows, c, err);
    enum st st = db_prepare(&r->db, DB_FIND_COIN, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":id", args->id);
    st = db_step(&r->db, stmt, &is_known, err);
    if (st != ST_OK || !is_known)
        return st;
    rows.coin_id = db_int(stmt, 0);
    db_reset(stmt);
    return reader_ask(r, DB_QUERY_ROWS_OF, bind_rows_of, &rows, c, err);
}

static int by_coin_and_time(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;
    const int order = str_cmp(cell_text(&x[MARKET_ID]), cell_text(&y[MARKET_ID]));
    const int64_t x_us = x[MARKET_FETCHED_AT].number, y_us = y[MARKET_FETCHED_AT].number;

    return order != 0 ? order : (x_us > y_us) - (x_us < y_us);
}

enum st reader_rows(struct query *q, const struct rows_query *args, struct arena *arena,
                    struct rows *ret_rows, struct err *err)
{
    struct reader *r = q->state;
    struct rows rows = {.table = &market_table};
    struct collected c = {.rows = &rows, .arena = arena};

    if (args->n_expected > 0 && !reader_make_room(&c, args->n_expected))
        return reader_no_room(arena, err);
    enum st st = reader_begin(r, err);
    if (st == ST_OK)
        st = ask_rows(r, args, &c, err);
    st = reader_end(r, st, err);
    if (st == ST_OK && args->id.len == 0 && rows.n > 0)
        qsort(rows.cells, rows.n, N_MARKET_COLUMNS * sizeof(*rows.cells), by_coin_and_time);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}
