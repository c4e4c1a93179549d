/* SPDX-License-Identifier: Apache-2.0 */
#include "query/history.h"

#define NOT_NULL true
#define MAYBE    false

#define COLUMN_ROW(id, name_, kind_, not_null_, unit_, help_) \
    {.name = name_, .unit = unit_, .help = help_, .kind = CELL_##kind_, .is_not_null = not_null_},

static const struct column poll_columns[N_POLL_COLUMNS] = {POLL_COLUMNS(COLUMN_ROW)};
static const struct column gap_columns[N_GAP_COLUMNS] = {GAP_COLUMNS(COLUMN_ROW)};
static const struct column span_columns[N_SPAN_COLUMNS] = {SPAN_COLUMNS(COLUMN_ROW)};

const struct table poll_table = {
    .name = "poll", .columns = poll_columns, .n_columns = N_POLL_COLUMNS};
const struct table gap_table = {.name = "gap", .columns = gap_columns, .n_columns = N_GAP_COLUMNS};
const struct table span_table = {
    .name = "span", .columns = span_columns, .n_columns = N_SPAN_COLUMNS};
