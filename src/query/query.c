/* SPDX-License-Identifier: Apache-2.0 */
#include "query/query.h"

#include <stdlib.h>

#define COLUMN(name_, kind_, unit_, help_, not_null_) \
    {.name = name_,                                   \
     .json_key = name_,                               \
     .unit = unit_,                                   \
     .help = help_,                                   \
     .kind = CELL_##kind_,                            \
     .is_not_null = not_null_}

static const struct column coin_columns[N_NEW_COIN_COLUMNS] = {
    [COIN_ID] = COLUMN("id", TEXT, "", "CoinGecko's name of the coin; stable", true),
    [COIN_SYMBOL] = COLUMN("symbol", TEXT, "", "ticker symbol; not unique, may be empty", true),
    [COIN_NAME] = COLUMN("name", TEXT, "", "display name", true),
    [NEW_COIN_ACTIVATED_AT] = COLUMN("activated_at", TIME, "UTC", "when it was listed", true),
};
static const struct column series_columns[N_SERIES_COLUMNS] = {
    [SERIES_TIME] = COLUMN("time", TIME, "UTC", "of the point", true),
    [SERIES_PRICE] = COLUMN("price", NUM, "vs_currency", "price of one coin", false),
    [SERIES_MARKET_CAP] = COLUMN("market_cap", NUM, "vs_currency", "market capitalisation", false),
    [SERIES_TOTAL_VOLUME] = COLUMN("total_volume", NUM, "vs_currency", "traded in 24 hours", false),
    [SERIES_SOURCE] = COLUMN("source", TEXT, "", "history: no poll knew it; null: polled", false),
};
static const struct column spark_columns[N_SPARK_COLUMNS] = {
    [SPARK_ID] = COLUMN("id", TEXT, "", "CoinGecko's name of the coin; stable", true),
    [SPARK_SLOT] = COLUMN("slot", TIME, "UTC", "of the poll", true),
    [SPARK_PRICE] = COLUMN("current_price", NUM, "vs_currency", "price of one coin", false),
};
static const struct column ohlc_columns[N_OHLC_COLUMNS] = {
    [OHLC_TIME] = COLUMN("time", TIME, "UTC", "when the candle closes", true),
    [OHLC_OPEN] = COLUMN("open", NUM, "vs_currency", "its first price", true),
    [OHLC_HIGH] = COLUMN("high", NUM, "vs_currency", "its highest price", true),
    [OHLC_LOW] = COLUMN("low", NUM, "vs_currency", "its lowest price", true),
    [OHLC_CLOSE] = COLUMN("close", NUM, "vs_currency", "its last price", true),
    [OHLC_MARKET_CAP] = COLUMN("market_cap", NUM, "vs_currency", "with the last price", false),
    [OHLC_TOTAL_VOLUME] = COLUMN("total_volume", NUM, "vs_currency", "with the last price", false),
};

const struct table coin_table = {
    .name = "coin", .columns = coin_columns, .n_columns = N_COIN_COLUMNS};
const struct table new_coin_table = {
    .name = "new_coin", .columns = coin_columns, .n_columns = N_NEW_COIN_COLUMNS};
const struct table series_table = {
    .name = "series", .columns = series_columns, .n_columns = N_SERIES_COLUMNS};
const struct table spark_table = {
    .name = "spark", .columns = spark_columns, .n_columns = N_SPARK_COLUMNS};
const struct table ohlc_table = {
    .name = "ohlc", .columns = ohlc_columns, .n_columns = N_OHLC_COLUMNS};

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

static bool is_wanted(const struct market_query *args, const struct cell *row)
{
    const struct str id = cell_text(&row[MARKET_ID]);

    if (args->filter && args->filter->is_out(args->filter, id, &row[MARKET_MARKET_CAP_RANK]))
        return false;
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
        if (!is_wanted(args, rows_at(rows, i)))
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
