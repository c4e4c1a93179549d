/* Reading PostgreSQL's `numeric` in its binary format; copy.h writes it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POSTGRES_NUMERIC_H
#define LOAD_POSTGRES_NUMERIC_H

#include "row/row.h"

#define NUMERIC_MAX_TEXT (DEC_MAX_LEXEME + 32)

/* The number as an exact cell without a text, and 0; or, when that cannot hold it, its text as a
 * JSON number and the bytes written. What geckotape never writes (NaN, infinity, digits without
 * end) is CELL_NONE. */
size_t numeric_read(struct str value, char text[NUMERIC_MAX_TEXT], struct cell *ret_cell);

#endif
