/* All tables whose rows are stored: one for each endpoint that can be collected. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROW_TABLES_H
#define ROW_TABLES_H

#include "row/row.h"

#define ROW_TABLES(X)           \
    X(MARKET, market)           \
    X(LISTING, listing)         \
    X(GLOBAL, global)           \
    X(VS_CURRENCY, vs_currency) \
    X(CHART_POINT, chart_point) \
    X(CHART_CANDLE, chart_candle)

enum row_table {
#define TABLE_ENUM(id, name) TABLE_##id,
    ROW_TABLES(TABLE_ENUM)
#undef TABLE_ENUM
        N_ROW_TABLES
};

extern const struct table *const row_tables[N_ROW_TABLES];

/* The table of an endpoint's answers; N_ROW_TABLES when it has none. */
enum row_table row_table_of(const char *endpoint);

#endif
