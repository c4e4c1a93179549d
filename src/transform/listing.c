/* /coins/list: one object per coin, its names. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "row/listing.h"
#include "transform/walk.h"

/* A place of the keys that no column needs: fetched_at has no key. */
#define PLATFORMS LISTING_FETCHED_AT

static void name_keys(struct str *ret_keys)
{
    for (size_t i = 0; i < LISTING_FETCHED_AT; i++)
        ret_keys[i] = str_of(listing_table.columns[i].json_key);
    ret_keys[PLATFORMS] = STR("platforms");
}

/* What is there on request only, and not kept. */
static enum st skip_value(struct walk *w, struct err *err)
{
    struct json_token value;
    enum st st = json_next(w->json, &value, err);
    return st == ST_OK ? json_skip(w->json, &value, NULL, err) : st;
}

static enum st read_row(struct walk *w, const struct json_token *first, struct cell *cells,
                        struct err *err)
{
    struct walk_object object = {.keys = w->keys, .n_keys = N_LISTING_COLUMNS};
    enum st st = ST_OK;
    size_t i;

    if (first->event != JSON_OBJECT_BEGIN)
        return walk_refuse(w, (struct walk_field){.key = STR_NONE}, walk_wrong_type, first, err);
    while (st == ST_OK) {
        st = walk_key(w, &object, &i, err);
        if (st != ST_OK || i == N_LISTING_COLUMNS)
            break;
        const struct walk_field field = {.key = w->keys[i]};
        if (i == PLATFORMS)
            st = skip_value(w, err);
        else
            st = walk_cell(w, field, &listing_table.columns[i], &cells[i], err);
        if (st == ST_OK && i == LISTING_ID)
            st = walk_check_id(w, field, &cells[i], err);
    }
    return st;
}

const struct walk_endpoint walk_listing = {
    .table = &listing_table,
    .max_page_rows = 200000, /* 20,000 coins in 2026-11, all on one page */
    .row_bytes = 60,
    .first_optional = LISTING_FETCHED_AT,
    .top = JSON_ARRAY_BEGIN,
    .name_keys = name_keys,
    .read_row = read_row,
};
