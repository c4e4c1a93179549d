/* One point of one answer of /coins/{id}/market_chart, listed once: rows of the table history. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROW_CHART_POINT_H
#define ROW_CHART_POINT_H

#include "row/row.h"

/*  id, name, kind, NOT_NULL or MAYBE, json key or NULL, unit, help */
/* clang-format off */
#define CHART_POINT_COLUMNS(X) \
    X(AT, "at", TIME, NOT_NULL, NULL, "UTC", "when it was so, as sent: finer points lie beside their grid") \
    X(FETCHED_AT, "fetched_at", TIME, NOT_NULL, NULL, "UTC", "when the answer was received") \
    X(COIN, "coin", TEXT, NOT_NULL, NULL, "", "CoinGecko's name of the coin") \
    X(STEP, "step", INT, NOT_NULL, NULL, "seconds", "from one point of the answer to the next: 300, 3600 or 86400") \
    X(PRICE, "price", NUM, MAYBE, NULL, "vs_currency", "price") \
    X(MARKET_CAP, "market_cap", NUM, MAYBE, NULL, "vs_currency", "market capitalisation; 0 where CoinGecko knew no supply") \
    X(TOTAL_VOLUME, "total_volume", NUM, MAYBE, NULL, "vs_currency", "volume traded in the 24 hours before")

/* clang-format on */

enum chart_point_column {
#define CHART_POINT_ENUM(id, ...) CHART_POINT_##id,
    CHART_POINT_COLUMNS(CHART_POINT_ENUM)
#undef CHART_POINT_ENUM
        N_CHART_POINT_COLUMNS
};

extern const struct table chart_point_table;

#endif
