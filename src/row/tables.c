/* SPDX-License-Identifier: Apache-2.0 */
#include "row/tables.h"

#include "row/chart_candle.h"
#include "row/chart_point.h"
#include "row/global.h"
#include "row/listing.h"
#include "row/market.h"
#include "row/vs_currency.h"

#include <string.h>

const struct table *const row_tables[N_ROW_TABLES] = {
#define TABLE_ROW(id, name) [TABLE_##id] = &name##_table,
    ROW_TABLES(TABLE_ROW)
#undef TABLE_ROW
};

enum row_table row_table_of(const char *endpoint)
{
    enum row_table i = 0;

    while (i < N_ROW_TABLES && strcmp(row_tables[i]->endpoint, endpoint) != 0)
        i++;
    return i;
}
