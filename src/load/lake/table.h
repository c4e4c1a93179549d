/* The tables of a lake: each of the program's tables with the poll in front of its rows, and that
 * of polls. What they are called and made of as Delta tables. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_LAKE_TABLE_H
#define LOAD_LAKE_TABLE_H

#include "load/lake/log.h"
#include "query/history.h"
#include "row/tables.h"

#define LAKE_POLL        N_ROW_TABLES /* index of the table of polls */
#define LAKE_TABLES      (N_ROW_TABLES + 1)
#define LAKE_MAX_COLUMNS 64
#define LAKE_SIMULATED   "geckotape.simulated" /* a table's property: "true" or "false" */
#define LAKE_MAX_SORT    3

/* In front of a table's own columns. */
enum { LAKE_SLOT, LAKE_JOB, LAKE_VS_CURRENCY, N_LAKE_KEYS };

struct lake_table {
    const char *name, *help;
    struct column columns[LAKE_MAX_COLUMNS]; /* of its files; `date`, of slot, is in none */
    size_t n_columns;
    size_t slot;
    size_t sort[LAKE_MAX_SORT];
    size_t n_sort;
    bool has_numbers; /* and so a column `exact`, as Parquet files have it */
};

/* which: an enum row_table, or LAKE_POLL. */
void lake_table_init(struct lake_table *t, size_t which);

/* The metaData action of a new table, as a line. */
void lake_table_add_meta(struct buf *lines, const struct lake_table *t, bool is_simulated,
                         int64_t now_us);

/* Is the table in the log one that we can add files to? What it lacks of our columns is put into
 * ret_meta, a metaData action as a line, empty when it lacks none. ST_FATAL: a column is of another
 * type; ST_REJECT: simulated and real rows would mix. */
enum st lake_table_check(const struct lake_table *t, struct delta_log *log, bool is_simulated,
                         struct buf *ret_meta, struct err *err) MUST_USE;

#endif
