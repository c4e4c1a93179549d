/* SPDX-License-Identifier: Apache-2.0 */
#include "row/global.h"

#include "row/columns.h"

static const struct column columns[N_GLOBAL_COLUMNS] = {GLOBAL_COLUMNS(ROW_COLUMN)};

const struct table global_table = {
    .name = "global",
    .columns = columns,
    .n_columns = N_GLOBAL_COLUMNS,
    .latest = "latest_global",
    .endpoint = "global",
    .is_of_coins = false,
    .first_stored = GLOBAL_FETCHED_AT,
    .whole_us = 0,
};
