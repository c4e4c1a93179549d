/* What somebody may have meant who typed a name that nobody knows. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUERY_NEAREST_H
#define QUERY_NEAREST_H

#include "base/buf.h"

struct nearest_name {
    struct str id, symbol; /* symbol: empty for a currency */
};

/* Append up to three names of a list that are nearest to a wrong one, as "a, b or c"; of coins also
 * those whose symbol it is. Nothing when none is near. */
void nearest_add(struct buf *b, struct str wrong, const struct nearest_name *names, size_t n);

#endif
