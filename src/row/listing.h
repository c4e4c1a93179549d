/* The columns of one coin in one answer of /coins/list, listed once: that it is there is all the
 * answer says beside its names. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROW_LISTING_H
#define ROW_LISTING_H

#include "row/row.h"

/*  id, name, kind, NOT_NULL or MAYBE, json key or NULL, unit, help */
/* clang-format off */
#define LISTING_COLUMNS(X) \
    X(ID, "id", TEXT, NOT_NULL, "id", "", "CoinGecko's name of the coin; stable") \
    X(SYMBOL, "symbol", TEXT, NOT_NULL, "symbol", "", "ticker symbol; not unique, may be empty") \
    X(NAME, "name", TEXT, NOT_NULL, "name", "", "display name") \
    X(FETCHED_AT, "fetched_at", TIME, NOT_NULL, NULL, "UTC", "when the answer was received")

/* clang-format on */

enum listing_column {
#define LISTING_ENUM(id, ...) LISTING_##id,
    LISTING_COLUMNS(LISTING_ENUM)
#undef LISTING_ENUM
        N_LISTING_COLUMNS
};

extern const struct table listing_table;

#endif
