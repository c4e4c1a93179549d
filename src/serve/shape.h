/* Shapes of JSON values, in a word or a line, for the schemas of /api/openapi.json.
 *
 *   s n i b     string, number, integer, true or false
 *   t d         string: a time (RFC 3339), a day
 *   z *         null; any value
 *   [X]         array
 *   [X;4]       array of so many (a digit), as tools know no types by place
 *   {k:X,l?:Y}  object of these members, of which l may be absent; no others
 *   {*:X}       object of any members
 *   @name       one of the document's schemas
 *   X?          X or null
 *   X|Y         X or Y
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_SHAPE_H
#define SERVE_SHAPE_H

#include "base/buf.h"
#include "row/row.h"

/* Append a shape as a JSON schema (2020-12). Shapes are the program's own: a wrong one aborts. */
void shape_add_schema(struct buf *b, const char *shape);

/* The shape of a column's values, null among them where it may be. Static. */
const char *shape_of_column(const struct column *column);

#endif
