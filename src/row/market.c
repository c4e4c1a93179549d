/* SPDX-License-Identifier: Apache-2.0 */
#include "row/market.h"

#include "base/clock.h"
#include "row/columns.h"

#include <assert.h>

static_assert(MARKET_ID == (int)ROW_ID && MARKET_SYMBOL == (int)ROW_SYMBOL &&
                  MARKET_NAME == (int)ROW_NAME && MARKET_IMAGE == (int)ROW_IMAGE,
              "a table of coins begins so");

static const struct column columns[N_MARKET_COLUMNS] = {MARKET_COLUMNS(ROW_COLUMN)};

const struct table market_table = {
    .name = "market",
    .columns = columns,
    .n_columns = N_MARKET_COLUMNS,
    .latest = "latest",
    .endpoint = "coins/markets",
    .is_of_coins = true,
    .first_stored = MARKET_FETCHED_AT,
    .whole_us = 3600 * US_PER_S,
};
