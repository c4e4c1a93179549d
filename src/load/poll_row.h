/* A poll as stores keep it: a row of poll_table (query/history.h). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POLL_ROW_H
#define LOAD_POLL_ROW_H

#include "load/sink.h"
#include "query/history.h"

struct poll_row {
    struct cell cells[N_POLL_COLUMNS]; /* point to load and to what follows */
    char uuid[SINK_UUID_TEXT];
    struct buf drift, error;
};

void poll_row_init(struct poll_row *row);
void poll_row_release(struct poll_row *row);
void poll_row_fill(struct poll_row *row, const struct sink_load *load,
                   const struct sink_result *result);

#endif
