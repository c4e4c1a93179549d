/* How the rows of a list of columns become a table; for the .c files of tables only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ROW_COLUMNS_H
#define ROW_COLUMNS_H

#include "row/row.h"

#define NOT_NULL true
#define MAYBE    false

#define ROW_COLUMN(id, name_, kind_, not_null_, key_, unit_, help_) \
    {.name = name_,                                                 \
     .json_key = key_,                                              \
     .unit = unit_,                                                 \
     .help = help_,                                                 \
     .kind = CELL_##kind_,                                          \
     .is_not_null = not_null_},

#endif
