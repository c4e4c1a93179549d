/* Rows as people and programs read them, on stdout. */
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

/* All there is, in any format (enum output_format). */
enum st print_rows(const struct rows *rows, const struct columns *columns, int format,
                   struct err *err) MUST_USE;

/* Bit by bit, as CSV or lines of JSON: the head once, then rows as they come. */
enum st print_head(const struct columns *columns, int format, struct err *err) MUST_USE;
enum st print_more(const struct rows *rows, const struct columns *columns, int format,
                   struct err *err) MUST_USE;

#endif
