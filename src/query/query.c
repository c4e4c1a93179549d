/* SPDX-License-Identifier: Apache-2.0 */
#include "query/query.h"

#include <stdlib.h>

static const struct column coin_columns[N_COIN_COLUMNS] = {
    [COIN_ID] = {.name = "id",
                 .json_key = "id",
                 .unit = "",
                 .help = "CoinGecko's name of the coin; stable",
                 .kind = CELL_TEXT,
                 .is_not_null = true},
    [COIN_SYMBOL] = {.name = "symbol",
                     .json_key = "symbol",
                     .unit = "",
                     .help = "ticker symbol; not unique, may be empty",
                     .kind = CELL_TEXT,
                     .is_not_null = true},
    [COIN_NAME] = {.name = "name",
                   .json_key = "name",
                   .unit = "",
                   .help = "display name",
                   .kind = CELL_TEXT,
                   .is_not_null = true},
};

const struct table coin_table = {
    .name = "coin", .columns = coin_columns, .n_columns = N_COIN_COLUMNS};

static int compare_ids(const struct cell *a, const struct cell *b)
{
    return str_cmp(cell_text(&a[MARKET_ID]), cell_text(&b[MARKET_ID]));
}

/* Rows without a value come last either way. A double is exact enough to sort by. */
static int compare_numbers(const struct cell *a, const struct cell *b, int direction)
{
    bool is_same;

    if (a->kind == CELL_NULL || b->kind == CELL_NULL)
        return (a->kind == CELL_NULL) - (b->kind == CELL_NULL);
    double left = dec_to_double(cell_dec(a), cell_text(a), &is_same);
    double right = dec_to_double(cell_dec(b), cell_text(b), &is_same);
    return direction * ((left > right) - (left < right));
}

static int compare_rows(const void *left, const void *right, void *ctx)
{
    const enum market_order *order = ctx;
    const struct cell *a = left, *b = right;
    int result = 0;

    switch (*order) {
    case ORDER_MARKET_CAP_DESC:
        result = compare_numbers(&a[MARKET_MARKET_CAP], &b[MARKET_MARKET_CAP], -1);
        break;
    case ORDER_MARKET_CAP_ASC:
        result = compare_numbers(&a[MARKET_MARKET_CAP], &b[MARKET_MARKET_CAP], 1);
        break;
    case ORDER_VOLUME_DESC:
        result = compare_numbers(&a[MARKET_TOTAL_VOLUME], &b[MARKET_TOTAL_VOLUME], -1);
        break;
    case ORDER_VOLUME_ASC:
        result = compare_numbers(&a[MARKET_TOTAL_VOLUME], &b[MARKET_TOTAL_VOLUME], 1);
        break;
    case ORDER_ID_DESC:
        return -compare_ids(a, b);
    case ORDER_ID_ASC:
        break;
    }
    return result ? result : compare_ids(a, b);
}

static bool is_wanted(const struct market_query *args, struct str id)
{
    for (size_t i = 0; i < args->n_ids; i++)
        if (str_eq(args->ids[i], id))
            return true;
    return args->n_ids == 0;
}

void query_arrange(const struct market_query *args, struct rows *rows)
{
    const size_t row_size = rows->table->n_columns * sizeof(*rows->cells);
    enum market_order order = args->order;
    size_t n = 0;

    for (size_t i = 0; i < rows->n; i++) {
        if (!is_wanted(args, cell_text(&rows_at(rows, i)[MARKET_ID])))
            continue;
        if (n != i)
            memcpy(rows_at(rows, n), rows_at(rows, i), row_size);
        n++;
    }
    if (n > 1)
        qsort_r(rows->cells, n, row_size, compare_rows, &order);
    rows->n = n;
    if (args->per_page == 0)
        return;
    size_t skip = args->page > 1 ? (size_t)(args->page - 1) * args->per_page : 0;
    size_t left = skip < n ? n - skip : 0;
    rows->cells += left > 0 ? skip * rows->table->n_columns : 0;
    rows->n = left < args->per_page ? left : args->per_page;
}
