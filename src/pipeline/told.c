/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/told.h"

#include "load/poll_row.h"
#include "row/market.h"

void told_poll(struct serve *serve, const struct sink_load *load, const struct sink_result *result,
               bool is_behind)
{
    struct poll_row row;
    struct serve_loaded told = {
        .poll = row.cells, .vs_currency = load->stream->vs_currency, .is_behind = is_behind};

    poll_row_init(&row);
    poll_row_fill(&row, load, result);
    if (load->n_pages > 0)
        told.latency_us = load->pages[load->n_pages - 1].record.latency_us;
    /* history that is imported changes nothing of the present */
    if (load->rows && load->rows->rows.table == &market_table && !result->is_duplicate &&
        !stream_is_history(load->stream)) {
        told.rows = &load->rows->rows;
        told.is_unchanged = result->n_unchanged > 0 ? load->rows->is_unchanged : NULL;
        told.absent = load->rows->absent;
        told.n_absent = load->rows->n_absent;
    }
    serve_tell(serve, &told);
    poll_row_release(&row);
}
