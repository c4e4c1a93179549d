/* What a file's `add` action says of its columns: smallest and greatest values, and nulls. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_LAKE_STATS_H
#define LOAD_LAKE_STATS_H

#include "row/row.h"

#define STATS_MAX_TEXT 64 /* bytes; a column with a longer text has no bounds */

struct stats_column {
    uint64_t n_nulls;
    bool has_bounds, is_unbounded;
    int64_t min, max;       /* INT, TIME */
    double least, greatest; /* NUM */
    struct {
        char p[STATS_MAX_TEXT];
        size_t len;
    } first, last; /* TEXT */
};

void stats_add(struct stats_column *s, const struct column *column, const struct cell *cell);

/* {"numRecords":…,"minValues":{…},"maxValues":{…},"nullCount":{…}} */
void stats_write(struct buf *b, const struct stats_column *s, const struct column *columns,
                 size_t n, uint64_t n_rows);

#endif
