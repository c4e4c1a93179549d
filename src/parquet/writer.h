/* Writing Apache Parquet: rows of any table as a file that every engine reads.
 *
 * Column kinds become NUM double, INT int64, TEXT string, TIME timestamp (microseconds, UTC); all
 * may be null. A number that its double does not give back stands in the column "exact" of its row,
 * which files with numbers have at their end: {"ath":"0.12345678901234567890"}; where that is null,
 * the shortest text of each double is the number (docs/design/0033). A number that no double is
 * near to is null itself.
 *
 * Layout: "PAR1" | row groups: of each column a dictionary, if any, and pages of data (version 1,
 * zstd, checksums) | column indexes | offset indexes | FileMetaData | its length | "PAR1".
 *
 * Only appended to: pipes will do. In memory are one row group, and of those before some 100 bytes
 * for each column and page.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PARQUET_WRITER_H
#define PARQUET_WRITER_H

#include "row/row.h"

#define PARQUET_MAX_SORT 3
#define PARQUET_EXACT    "exact"

/* Takes the file, bit by bit. */
typedef enum st parquet_sink(void *ctx, struct str bytes, struct err *err);

struct parquet_note {
    const char *key, *value;
};

struct parquet_options {
    const struct column *columns; /* as they stand in rows; borrowed until the end */
    size_t n_columns;

    /* What rows come in the order of, none of NUM; said of row groups where it is so. */
    size_t sort[PARQUET_MAX_SORT];
    size_t n_sort;

    size_t group_rows, page_rows; /* 0: as measured to be good */
    int level;                    /* zstd's; 0: as measured to be good */

    parquet_sink *write;
    void *ctx;
};

struct parquet;

/* Owner: parquet_free(), which takes NULL. */
struct parquet *parquet_new(const struct parquet_options *options);
void parquet_free(struct parquet *p);

/* One row: n_columns cells. Errors are those of write; ST_REJECT: texts beyond all bounds. */
enum st parquet_add(struct parquet *p, const struct cell *row, struct err *err) MUST_USE;

/* n rows, stride cells apart; column i is cell places[i] of each, NULL: i. Quicker than one by one.
 */
enum st parquet_add_rows(struct parquet *p, const struct cell *cells, size_t n, size_t stride,
                         const size_t *places, struct err *err) MUST_USE;

/* End the row group here, if it has rows: where an order ends, or what filters will look for. */
enum st parquet_cut(struct parquet *p, struct err *err) MUST_USE;

/* The rest of the file; notes are its key-value metadata. */
enum st parquet_finish(struct parquet *p, const struct parquet_note *notes, size_t n_notes,
                       struct err *err) MUST_USE;

#endif
