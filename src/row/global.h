/* One figure of one answer of /global, listed once: a row per figure and currency, so that a new
 * one is a new row, not a new column. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROW_GLOBAL_H
#define ROW_GLOBAL_H

#include "row/row.h"

/*  id, name, kind, NOT_NULL or MAYBE, json key or NULL, unit, help */
/* clang-format off */
#define GLOBAL_COLUMNS(X) \
    X(ID, "id", TEXT, NOT_NULL, NULL, "", "figure, or figure.part: total_market_cap.usd") \
    X(FETCHED_AT, "fetched_at", TIME, NOT_NULL, NULL, "UTC", "when the answer was received") \
    X(FIGURE, "figure", TEXT, NOT_NULL, NULL, "", "CoinGecko's key of it: total_market_cap") \
    X(PART, "part", TEXT, MAYBE, NULL, "", "of which currency or coin it is, where it has parts: usd") \
    X(VALUE, "value", NUM, MAYBE, NULL, "", "the figure")

/* clang-format on */

enum global_column {
#define GLOBAL_ENUM(id, ...) GLOBAL_##id,
    GLOBAL_COLUMNS(GLOBAL_ENUM)
#undef GLOBAL_ENUM
        N_GLOBAL_COLUMNS
};

extern const struct table global_table;

#endif
