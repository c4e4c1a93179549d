/* Rows on their way out of `export`: as CSV, lines of JSON or Parquet, to a file or stdout. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_EXPORTER_H
#define CMD_EXPORTER_H

#include "cmd/output.h"
#include "cmd/past.h"
#include "cmd/print.h"
#include "parquet/writer.h"

struct exporter {
    const struct config *config;
    int format; /* enum output_format */
    struct output output;
    const struct columns *shown;
    struct buf text;
    uint64_t n_rows;

    /* of Parquet */
    struct parquet *parquet;
    struct column *columns;
};

/* The format that --format and --output mean. ST_REJECT: there is none, or they do not agree. */
enum st exporter_init(struct exporter *e, const struct config *config, struct err *err) MUST_USE;
void exporter_release(struct exporter *e); /* what was not finished is gone */

/* Rows will have these columns, borrowed until release; sort: what they are in the order of, places
 * in shown. */
enum st exporter_begin(struct exporter *e, const struct columns *shown, const size_t *sort,
                       size_t n_sort, struct err *err) MUST_USE;
enum st exporter_add(struct exporter *e, const struct rows *rows, struct err *err) MUST_USE;

/* What follows begins its order anew. */
enum st exporter_cut(struct exporter *e, struct err *err) MUST_USE;

/* All rows are there: of what ("rows"), of which span, a step apart (0: no step). */
struct export_what {
    const char *name;
    struct span span;
    int64_t step_us;
};
enum st exporter_finish(struct exporter *e, struct query *query, const struct export_what *what,
                        struct err *err) MUST_USE;

/* export_past.c: every row of coins, or candles; n_ids 0: of all coins. */
enum st export_rows(struct exporter *e, struct query *query, const struct str *ids, size_t n_ids,
                    struct err *err) MUST_USE;
enum st export_candles(struct exporter *e, struct query *query, const struct str *ids, size_t n_ids,
                       struct err *err) MUST_USE;

#endif
