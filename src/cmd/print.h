/* Rows as people and programs read them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_PRINT_H
#define CMD_PRINT_H

#include "config/config.h"
#include "row/market.h"

/* Some columns of a table. */
struct columns {
    const struct table *table;
    size_t index[N_MARKET_COLUMNS + 1]; /* of a panel the time, too */
    size_t n;
};

/* Columns of market_table by their names, "a,b,c"; "all"; "": a readable choice. option, like
 * "--columns", is for the message of ST_REJECT. */
enum st columns_choose(const char *text, const char *option, struct columns *ret,
                       struct err *err) MUST_USE;

/* Every column of a table that has no more than fit. */
void columns_all(const struct table *table, struct columns *ret);

/* All there is, in any format (enum output_format), on stdout. */
enum st print_rows(const struct rows *rows, const struct columns *columns, int format,
                   struct err *err) MUST_USE;

/* Bit by bit, as CSV or lines of JSON: the head once, then rows as they come. */
void print_head(struct buf *b, const struct columns *columns, int format);
void print_more(struct buf *b, const struct rows *rows, const struct columns *columns, int format);

#endif
