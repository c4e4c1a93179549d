/* SPDX-License-Identifier: Apache-2.0 */
#include "row/chart_point.h"

#include "row/columns.h"

static const struct column columns[N_CHART_POINT_COLUMNS] = {CHART_POINT_COLUMNS(ROW_COLUMN)};

const struct table chart_point_table = {
    .name = "history",
    .columns = columns,
    .n_columns = N_CHART_POINT_COLUMNS,
    .latest = NULL,
    .endpoint = "coins/market_chart",
    .is_of_coins = false,
    .first_stored = CHART_POINT_FETCHED_AT,
    .coin_column = CHART_POINT_COIN,
    .whole_us = 0,
};
