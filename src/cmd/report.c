/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/report.h"

#include "row/market.h"
#include "status/render.h"
#include "transform/coins.h"

/* Bitcoin's price, or that of the first coin: a number people know at a glance. */
static void add_price(struct buf *b, const struct sink_load *load)
{
    const struct rows *rows = &load->rows->rows;
    uint32_t row;

    if (rows->table != &market_table || rows->n == 0)
        return;
    if (!coins_find(load->rows->coins, STR("bitcoin"), &row) || row == COINS_NO_ROW)
        row = 0;
    const struct cell *cells = rows_at(rows, row);
    if (cells[MARKET_CURRENT_PRICE].kind == CELL_NULL)
        return;
    buf_add_z(b, " · ");
    buf_add_clean(b, cell_text(&cells[MARKET_ID]), 64);
    buf_add_char(b, ' ');
    cell_add_text(b, &cells[MARKET_CURRENT_PRICE]);
    buf_addf(b, " %s", load->stream->vs_currency);
}

void report_poll(struct buf *b, const struct sink_load *load, const struct sink_result *result)
{
    const struct tape_record *end = load->end;
    char slot[TIME_TEXT];

    time_format(end->slot_us, slot);
    buf_addf(b, "%.8s  %-7s ", slot + 11, poll_outcome_name(end->outcome));
    if (load->rows == NULL) {
        struct str why = load->error.len > 0 ? load->error : end->error;
        buf_add_char(b, ' ');
        buf_add_clean(b, why, 300);
        return;
    }
    if (result->is_duplicate)
        buf_addf(b, " %zu rows: this slot was stored already", load->rows->rows.n);
    else
        buf_addf(b, " %zu rows: %zu new, %zu unchanged, %zu absent", load->rows->rows.n,
                 result->n_stored, result->n_unchanged, load->rows->n_absent);
    if (load->rows->n_refusals > 0)
        buf_addf(b, ", %zu in quarantine", load->rows->n_refusals);
    buf_add_z(b, " · ");
    status_add_bytes(b, end->bytes);
    buf_addf(b, " · %.2f s", (double)(end->fetched_at_us - end->started_us) / 1e6);
    add_price(b, load);
}
