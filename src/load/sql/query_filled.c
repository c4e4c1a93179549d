/* What CoinGecko itself says of a coin's past, as far as it was fetched: see docs/backfill.md. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/query.h"

static const struct column columns[N_FILLED] = {
    [FILLED_AT] = {.name = "at", .kind = CELL_TIME},
    [FILLED_STEP] = {.name = "step", .kind = CELL_INT},
    [FILLED_OPEN] = {.name = "open", .kind = CELL_NUM},
    [FILLED_HIGH] = {.name = "high", .kind = CELL_NUM},
    [FILLED_LOW] = {.name = "low", .kind = CELL_NUM},
    [FILLED_CLOSE] = {.name = "close", .kind = CELL_NUM},
    [FILLED_MARKET_CAP] = {.name = "market_cap", .kind = CELL_NUM},
    [FILLED_TOTAL_VOLUME] = {.name = "total_volume", .kind = CELL_NUM},
};
static const struct table table = {.name = "filled", .columns = columns, .n_columns = N_FILLED};

static void bind(struct stmt *stmt, const void *of)
{
    const struct filled_query *args = of;

    db_bind_text(stmt, ":id", args->id);
    db_bind_text(stmt, ":vs_currency", args->vs_currency);
    db_bind_int(stmt, ":since", args->after_us);
    db_bind_int(stmt, ":until", args->until_us);
    db_bind_int(stmt, ":at", args->moment_us);
}

enum st reader_filled(struct reader *r, const struct filled_query *args, struct arena *arena,
                      struct rows *ret_rows, struct err *err)
{
    struct rows rows = {.table = &table};
    struct collected c = {.rows = &rows, .arena = arena};
    size_t n = 0;

    enum st st = reader_ask(r, args->is_candles ? DB_QUERY_FILLED_CANDLES : DB_QUERY_FILLED, bind,
                            args, &c, err);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < rows.n; i++) { /* each moment once */
        const struct cell *row = rows_at(&rows, i), *kept = n > 0 ? rows_at(&rows, n - 1) : NULL;
        if (kept && kept[FILLED_AT].number == row[FILLED_AT].number &&
            kept[FILLED_STEP].number == row[FILLED_STEP].number)
            continue;
        memmove(rows_at(&rows, n++), row, N_FILLED * sizeof(*row));
    }
    rows.n = n;
    *ret_rows = rows;
    return ST_OK;
}
