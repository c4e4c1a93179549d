/* SPDX-License-Identifier: Apache-2.0 */
#include "row/chart_candle.h"

#include "row/columns.h"

static const struct column columns[N_CHART_CANDLE_COLUMNS] = {CHART_CANDLE_COLUMNS(ROW_COLUMN)};

const struct table chart_candle_table = {
    .name = "ohlc",
    .columns = columns,
    .n_columns = N_CHART_CANDLE_COLUMNS,
    .latest = NULL,
    .endpoint = "coins/ohlc",
    .is_of_coins = false,
    .first_stored = CHART_CANDLE_FETCHED_AT,
    .coin_column = CHART_CANDLE_COIN,
    .whole_us = 0,
};
