/* SPDX-License-Identifier: Apache-2.0 */
#include "row/listing.h"

#include "base/clock.h"
#include "row/columns.h"

#include <assert.h>

static_assert(LISTING_ID == (int)ROW_ID && LISTING_SYMBOL == (int)ROW_SYMBOL &&
                  LISTING_NAME == (int)ROW_NAME,
              "a table of coins begins so");

static const struct column columns[N_LISTING_COLUMNS] = {LISTING_COLUMNS(ROW_COLUMN)};

const struct table listing_table = {
    .name = "listing",
    .columns = columns,
    .n_columns = N_LISTING_COLUMNS,
    .latest = "latest_listing",
    .endpoint = "coins/list",
    .is_of_coins = true,
    .first_stored = LISTING_FETCHED_AT,
    .whole_us = 86400 * US_PER_S,
};
