/* Cells of rows on their way into chunks, column by column. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PARQUET_INTAKE_H
#define PARQUET_INTAKE_H

#include "parquet/chunk.h"
#include "row/row.h"

#define INTAKE_ROWS 64 /* at a time: what stays in the first cache of a processor */

/* A number that its double gives back: rows of a coin often have that of the row before. */
struct taken_number {
    bool is_set;
    int16_t exp;
    int64_t mant;
    double real;
};

struct intake {
    const struct column *columns;
    size_t n_columns, n_chunks; /* one more where there is that of exact numbers */
    struct chunk *chunks;
    struct taken_number *last; /* by column */
    struct buf exact;
    size_t text_len; /* of the row group so far, each text once */
};

/* columns are borrowed. */
void intake_init(struct intake *g, const struct column *columns, size_t n_columns, size_t max_rows);
void intake_release(struct intake *g);
void intake_clear(struct intake *g); /* all chunks */

/* At most INTAKE_ROWS rows, stride cells apart; column i of a row is its cell places[i], NULL: i.
 * ST_REJECT: texts beyond all bounds. */
enum st intake_add(struct intake *g, const struct cell *cells, size_t n, size_t stride,
                   const size_t *places, struct err *err) MUST_USE;

#endif
