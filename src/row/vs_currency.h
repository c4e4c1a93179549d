/* One currency in one answer of /simple/supported_vs_currencies, listed once. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROW_VS_CURRENCY_H
#define ROW_VS_CURRENCY_H

#include "row/row.h"

/*  id, name, kind, NOT_NULL or MAYBE, json key or NULL, unit, help */
/* clang-format off */
#define VS_CURRENCY_COLUMNS(X) \
    X(ID, "id", TEXT, NOT_NULL, NULL, "", "the currency: usd") \
    X(FETCHED_AT, "fetched_at", TIME, NOT_NULL, NULL, "UTC", "when the answer was received")

/* clang-format on */

enum vs_currency_column {
#define VS_CURRENCY_ENUM(id, ...) VS_CURRENCY_##id,
    VS_CURRENCY_COLUMNS(VS_CURRENCY_ENUM)
#undef VS_CURRENCY_ENUM
        N_VS_CURRENCY_COLUMNS
};

extern const struct table vs_currency_table;

#endif
