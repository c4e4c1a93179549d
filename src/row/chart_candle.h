/* One candle of one answer of /coins/{id}/ohlc, listed once: rows of the table ohlc. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROW_CHART_CANDLE_H
#define ROW_CHART_CANDLE_H

#include "row/row.h"

/*  id, name, kind, NOT_NULL or MAYBE, json key or NULL, unit, help */
/* clang-format off */
#define CHART_CANDLE_COLUMNS(X) \
    X(AT, "at", TIME, NOT_NULL, NULL, "UTC", "when it closed: it began a step before") \
    X(FETCHED_AT, "fetched_at", TIME, NOT_NULL, NULL, "UTC", "when the answer was received") \
    X(COIN, "coin", TEXT, NOT_NULL, NULL, "", "CoinGecko's name of the coin") \
    X(STEP, "step", INT, NOT_NULL, NULL, "seconds", "how long it is: 1800, 3600, 14400, 86400 or 345600") \
    X(OPEN, "open", NUM, MAYBE, NULL, "vs_currency", "first price in it") \
    X(HIGH, "high", NUM, MAYBE, NULL, "vs_currency", "highest price in it") \
    X(LOW, "low", NUM, MAYBE, NULL, "vs_currency", "lowest price in it") \
    X(CLOSE, "close", NUM, MAYBE, NULL, "vs_currency", "last price in it")

/* clang-format on */

enum chart_candle_column {
#define CHART_CANDLE_ENUM(id, ...) CHART_CANDLE_##id,
    CHART_CANDLE_COLUMNS(CHART_CANDLE_ENUM)
#undef CHART_CANDLE_ENUM
        N_CHART_CANDLE_COLUMNS
};

extern const struct table chart_candle_table;

#endif
