/* SPDX-License-Identifier: Apache-2.0 */
#include "row/vs_currency.h"

#include "row/columns.h"

static const struct column columns[N_VS_CURRENCY_COLUMNS] = {VS_CURRENCY_COLUMNS(ROW_COLUMN)};

const struct table vs_currency_table = {
    .name = "vs_currency",
    .columns = columns,
    .n_columns = N_VS_CURRENCY_COLUMNS,
    .latest = "latest_vs_currency",
    .endpoint = "simple/supported_vs_currencies",
    .is_of_coins = false,
    .first_stored = VS_CURRENCY_FETCHED_AT,
    .whole_us = 0,
};
