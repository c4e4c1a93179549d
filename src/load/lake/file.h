/* A Parquet file of a lake in the making: rows of one table and day. They are gathered until there
 * are enough to be sorted, which makes them small, and written to the store part by part; nothing
 * of it is to be seen there before lake_file_finish(), and nothing is in the table before its `add`
 * is committed.
 *
 * Limits: in memory are the rows that are not sorted yet (FILE_ROWS, or more in one batch), one row
 * group, and one part of the upload.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_LAKE_FILE_H
#define LOAD_LAKE_FILE_H

#include "load/lake/table.h"

#define LAKE_MAX_PATH 256 /* in a table's folder; NUL included */

struct lake_file;

/* table: borrowed. day_us: when it begins, UTC. */
struct lake_file *lake_file_new(struct object_store *store, const struct lake_table *table,
                                int64_t day_us);
void lake_file_free(struct lake_file *f); /* NULL is fine; what was not finished is gone */

/* One row: n_columns cells of the table. ST_AGAIN: no memory. */
enum st lake_file_add(struct lake_file *f, const struct cell *row, struct err *err) MUST_USE;

/* What was added since lake_file_keep() is not there any more. */
void lake_file_drop(struct lake_file *f);
/* What was added stays, and may be written. */
enum st lake_file_keep(struct lake_file *f, struct err *err) MUST_USE;

size_t lake_file_bytes(const struct lake_file *f); /* written, and about as much as is to come */
size_t lake_file_rows(const struct lake_file *f);
bool lake_file_is_of(const struct lake_file *f, const struct lake_table *table, int64_t day_us);

/* Where it is, or is going to be, in its table's folder. */
const char *lake_file_path(const struct lake_file *f);

/* Write the rest. */
enum st lake_file_finish(struct lake_file *f, struct err *err) MUST_USE;

/* The `add` action of a finished file, as a line; is_new: its rows are. */
void lake_file_add_action(struct buf *lines, const struct lake_file *f, bool is_new,
                          int64_t now_us);

/* The `remove` action of one that is in the table; is_old: its rows go, too. */
void lake_add_remove(struct buf *lines, const char *path, bool is_old, int64_t now_us);

#endif
