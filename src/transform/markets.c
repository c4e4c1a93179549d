/* /coins/markets: one object per coin, its fields the columns of row/market.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "row/market.h"
#include "transform/walk.h"

#include <assert.h>

static_assert(N_MARKET_COLUMNS <= WALK_MAX_COLUMNS, "struct walk_object marks keys in 64 bits");

static const struct str roi = STR("roi");
#define N_ROI 3 /* columns from MARKET_ROI_TIMES on */

/* The key of each column; "roi" stands at the first of its columns. */
static void name_keys(struct str *ret_keys)
{
    for (size_t i = 0; i < N_MARKET_COLUMNS; i++)
        ret_keys[i] = str_of(market_table.columns[i].json_key);
    ret_keys[MARKET_ROI_TIMES] = roi;
    ret_keys[MARKET_SPARKLINE_IN_7D] = str_of(market_table.columns[MARKET_SPARKLINE_IN_7D].name);
}

/* {"times":…,"currency":…,"percentage":…} */
static enum st read_roi(struct walk *w, struct cell *cells, struct err *err)
{
    struct str keys[N_ROI];
    struct walk_object object = {.parent = roi, .keys = keys, .n_keys = N_ROI};
    bool has_object;
    size_t i;

    for (i = 0; i < N_ROI; i++) {
        struct str name = str_of(market_table.columns[MARKET_ROI_TIMES + i].name), prefix;
        str_cut(&name, '_', &prefix);
        keys[i] = name;
    }
    enum st st = walk_object_begin(w, (struct walk_field){.key = roi}, &has_object, err);
    while (st == ST_OK && has_object) {
        st = walk_key(w, &object, &i, err);
        if (st != ST_OK || i == N_ROI)
            break;
        st = walk_cell(w, (struct walk_field){roi, keys[i]},
                       &market_table.columns[MARKET_ROI_TIMES + i], &cells[MARKET_ROI_TIMES + i],
                       err);
    }
    return st;
}

/* In an array that was validated, each of these begins an element that is neither number nor
 * null. */
static bool has_only_numbers(struct str array)
{
    for (size_t i = 1; i < array.len; i++)
        switch (array.p[i]) {
        case '"':
        case '[':
        case '{':
        case 't':
        case 'f':
            return false;
        default:
            break;
        }
    return true;
}

/* The array of prices, kept as it was sent. */
static enum st read_prices(struct walk *w, struct walk_field field, struct cell *ret_cell,
                           struct err *err)
{
    struct json_token value;
    struct str raw;

    enum st st = json_next(w->json, &value, err);
    if (st != ST_OK || value.event == JSON_NULL)
        return st;
    if (value.event != JSON_ARRAY_BEGIN)
        return walk_drop(w, field, walk_wrong_type, &value, err);
    st = json_skip(w->json, &value, &raw, err);
    if (st != ST_OK)
        return st;
    if (!has_only_numbers(raw)) {
        value = (struct json_token){.event = JSON_STRING, .text = raw}; /* it was stepped over */
        return walk_drop(w, field, walk_wrong_type, &value, err);
    }
    *ret_cell = cell_of_text(raw);
    return ST_OK;
}

/* {"price":[…]} */
static enum st read_sparkline(struct walk *w, struct str key, struct cell *ret_cell,
                              struct err *err)
{
    static const struct str keys[] = {STR("price")};
    struct walk_object object = {.parent = key, .keys = keys, .n_keys = 1};
    bool has_object;
    size_t i;

    enum st st = walk_object_begin(w, (struct walk_field){.key = key}, &has_object, err);
    while (st == ST_OK && has_object) {
        st = walk_key(w, &object, &i, err);
        if (st != ST_OK || i == object.n_keys)
            break;
        st = read_prices(w, (struct walk_field){key, keys[0]}, ret_cell, err);
    }
    return st;
}

static enum st read_row(struct walk *w, const struct json_token *first, struct cell *cells,
                        struct err *err)
{
    struct walk_object object = {.keys = w->keys, .n_keys = N_MARKET_COLUMNS};
    enum st st = ST_OK;
    size_t i;

    if (first->event != JSON_OBJECT_BEGIN)
        return walk_refuse(w, (struct walk_field){.key = STR_NONE}, walk_wrong_type, first, err);
    while (st == ST_OK) {
        st = walk_key(w, &object, &i, err);
        if (st != ST_OK || i == N_MARKET_COLUMNS)
            break;
        if (i == MARKET_ROI_TIMES)
            st = read_roi(w, cells, err);
        else if (i == MARKET_SPARKLINE_IN_7D)
            st = read_sparkline(w, w->keys[i], &cells[i], err);
        else
            st = walk_cell(w, (struct walk_field){.key = w->keys[i]}, &market_table.columns[i],
                           &cells[i], err);
        if (st == ST_OK && i == MARKET_ID)
            st = walk_check_id(w, (struct walk_field){.key = w->keys[i]}, &cells[i], err);
    }
    return st;
}

const struct walk_endpoint walk_markets = {
    .table = &market_table,
    .max_page_rows = 10000,
    .row_bytes = 700,
    .clock_column = MARKET_LAST_UPDATED,
    .first_optional = MARKET_RANK_WITH_REHYPOTHECATED,
    .top = JSON_ARRAY_BEGIN,
    .name_keys = name_keys,
    .read_row = read_row,
};
