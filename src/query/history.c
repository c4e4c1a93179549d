/* SPDX-License-Identifier: Apache-2.0 */
#include "query/history.h"

#define NOT_NULL true
#define MAYBE    false

#define COLUMN_ROW(id, name_, kind_, not_null_, unit_, help_) \
    {.name = name_, .unit = unit_, .help = help_, .kind = CELL_##kind_, .is_not_null = not_null_},

static const struct column poll_columns[N_POLL_COLUMNS] = {POLL_COLUMNS(COLUMN_ROW)};
static const struct column gap_columns[N_GAP_COLUMNS] = {GAP_COLUMNS(COLUMN_ROW)};
static const struct column member_columns[N_MEMBER_COLUMNS] = {MEMBER_COLUMNS(COLUMN_ROW)};
static const struct column span_columns[N_SPAN_COLUMNS] = {SPAN_COLUMNS(COLUMN_ROW)};
static const struct column refusal_columns[N_REFUSAL_COLUMNS] = {REFUSAL_COLUMNS(COLUMN_ROW)};
static const struct column flag_columns[N_FLAG_COLUMNS] = {FLAG_COLUMNS(COLUMN_ROW)};
static const struct column coverage_columns[N_COVERAGE_COLUMNS] = {COVERAGE_COLUMNS(COLUMN_ROW)};
static const struct column known_job_columns[N_KNOWN_JOB_COLUMNS] = {KNOWN_JOB_COLUMNS(COLUMN_ROW)};

const struct table poll_table = {
    .name = "poll", .columns = poll_columns, .n_columns = N_POLL_COLUMNS};
const struct table gap_table = {.name = "gap", .columns = gap_columns, .n_columns = N_GAP_COLUMNS};
const struct table member_table = {
    .name = "member", .columns = member_columns, .n_columns = N_MEMBER_COLUMNS};
const struct table span_table = {
    .name = "span", .columns = span_columns, .n_columns = N_SPAN_COLUMNS};
const struct table refusal_table = {
    .name = "quarantine", .columns = refusal_columns, .n_columns = N_REFUSAL_COLUMNS};
const struct table flag_table = {
    .name = "quality", .columns = flag_columns, .n_columns = N_FLAG_COLUMNS};
const struct table coverage_table = {
    .name = "coverage", .columns = coverage_columns, .n_columns = N_COVERAGE_COLUMNS};
const struct table known_job_table = {
    .name = "job", .columns = known_job_columns, .n_columns = N_KNOWN_JOB_COLUMNS};
