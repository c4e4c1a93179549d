/* SPDX-License-Identifier: Apache-2.0 */
#include "row/market.h"

#define NOT_NULL true
#define MAYBE    false

static const struct column columns[N_MARKET_COLUMNS] = {
#define MARKET_ROW(id, name_, kind_, not_null_, key_, unit_, help_) \
    {.name = name_,                                                 \
     .json_key = key_,                                              \
     .unit = unit_,                                                 \
     .help = help_,                                                 \
     .kind = CELL_##kind_,                                          \
     .is_not_null = not_null_},
    MARKET_COLUMNS(MARKET_ROW)
#undef MARKET_ROW
};

const struct table market_table = {
    .name = "market", .columns = columns, .n_columns = N_MARKET_COLUMNS};
