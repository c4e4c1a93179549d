/* /simple/supported_vs_currencies: an array of strings. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "row/vs_currency.h"
#include "transform/walk.h"

static enum st read_row(struct walk *w, const struct json_token *first, struct cell *cells,
                        struct err *err)
{
    const struct walk_field whole = {.key = STR_NONE};

    if (first->event == JSON_NULL)
        return walk_refuse(w, whole, walk_wrong_type, first, err);
    enum st st = walk_value(w, whole, first, &vs_currency_table.columns[VS_CURRENCY_ID],
                            &cells[VS_CURRENCY_ID], err);
    return st == ST_OK ? walk_check_id(w, whole, &cells[VS_CURRENCY_ID], err) : st;
}

const struct walk_endpoint walk_vs_currencies = {
    .table = &vs_currency_table,
    .max_page_rows = 10000,
    .row_bytes = 6,
    .top = JSON_ARRAY_BEGIN,
    .read_row = read_row,
};
