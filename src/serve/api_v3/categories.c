/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_v3/call.h"

#include "base/clock.h"

#include <stdlib.h>

enum by { BY_CAP, BY_NAME, BY_CHANGE };

struct sorting {
    enum by by;
    int direction;
};

static struct sorting sorting_of(struct str name)
{
    static const struct {
        const char *name;
        struct sorting sorting;
    } sorts[] = {
        {"market_cap_asc", {BY_CAP, 1}},
        {"name_desc", {BY_NAME, -1}},
        {"name_asc", {BY_NAME, 1}},
        {"market_cap_change_24h_desc", {BY_CHANGE, -1}},
        {"market_cap_change_24h_asc", {BY_CHANGE, 1}},
    };
    for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++)
        if (str_eq(name, str_of(sorts[i].name)))
            return sorts[i].sorting;
    return (struct sorting){BY_CAP, -1};
}

/* Those without a value come last either way. */
static int compare_cells(const struct cell *a, const struct cell *b, int direction)
{
    bool is_same;

    if (a->kind == CELL_NULL || b->kind == CELL_NULL)
        return (a->kind == CELL_NULL) - (b->kind == CELL_NULL);
    const double left = dec_to_double(cell_dec(a), cell_text(a), &is_same);
    const double right = dec_to_double(cell_dec(b), cell_text(b), &is_same);
    return direction * ((left > right) - (left < right));
}

static int compare(const void *left, const void *right, void *ctx)
{
    const struct category *a = left, *b = right;
    const struct sorting *sorting = ctx;
    int order = 0;

    switch (sorting->by) {
    case BY_CAP:
        order = compare_cells(&a->market_cap, &b->market_cap, sorting->direction);
        break;
    case BY_CHANGE:
        order =
            compare_cells(&a->market_cap_change_24h, &b->market_cap_change_24h, sorting->direction);
        break;
    case BY_NAME:
        order = sorting->direction * str_cmp(a->name, b->name);
        break;
    }
    return order ? order : str_cmp(a->id, b->id);
}

/* Those of the store; false when it was refused. */
static bool find(struct call *call, struct category **ret_list, size_t *ret_n)
{
    struct query *q = call_query(call);
    struct err err = ERR_INIT;

    if (!q->driver->categories) {
        call_unknown(call, "categories");
        return false;
    }
    enum st st = q->driver->categories(q, call_arena(call), ret_list, ret_n, &err);
    if (st != ST_OK)
        call_fail(call, st, &err);
    return st == ST_OK;
}

static void add_category(struct buf *b, const struct category *category)
{
    const struct cell updated = cell_of_time(category->updated_us);

    buf_add_char(b, '{');
    json_add_text(b, "id", category->id);
    json_add_text(b, "name", category->name);
    add_cell(b, "market_cap", &category->market_cap);
    add_cell(b, "market_cap_change_24h", &category->market_cap_change_24h);
    json_add_text(b, "content", category->content);
    add_texts(b, "top_3_coins_id", category->top_ids, category->n_top);
    json_add_key(b, "top_3_coins");
    buf_add_char(b, '[');
    for (size_t i = 0; i < category->n_top; i++) {
        if (i > 0)
            buf_add_char(b, ',');
        add_image(b, category->top_images[i], "small");
    }
    buf_add_char(b, ']');
    add_cell(b, "volume_24h", &category->volume_24h);
    add_cell(b, "updated_at", &updated);
    buf_add_char(b, '}');
}

void answer_categories(struct call *call)
{
    struct sorting sorting = sorting_of(call_param(call, "order"));
    struct buf *b = &call->res->body;
    struct category *list;
    size_t n;

    if (!find(call, &list, &n))
        return;
    qsort_r(list, n, sizeof(*list), compare, &sorting);
    buf_add_char(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_add_char(b, ',');
        add_category(b, &list[i]);
    }
    buf_add_char(b, ']');
}

void answer_categories_list(struct call *call)
{
    struct sorting sorting = {BY_NAME, 1};
    struct buf *b = &call->res->body;
    struct category *list;
    size_t n;

    if (!find(call, &list, &n))
        return;
    qsort_r(list, n, sizeof(*list), compare, &sorting);
    buf_add_char(b, '[');
    for (size_t i = 0; i < n; i++) {
        buf_add_z(b, i > 0 ? ",{" : "{");
        json_add_text(b, "category_id", list[i].id);
        json_add_text(b, "name", list[i].name);
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
}

void answer_platforms(struct call *call)
{
    struct buf *b = &call->res->body;
    struct query *q = call_query(call);
    struct err err = ERR_INIT;
    struct platform *list;
    size_t n;

    if (!q->driver->platforms) {
        call_unknown(call, "platforms");
        return;
    }
    enum st st = q->driver->platforms(q, call_arena(call), &list, &n, &err);
    if (st != ST_OK) {
        call_fail(call, st, &err);
        return;
    }
    buf_add_char(b, '[');
    for (size_t i = 0; i < n; i++) {
        const struct cell chain = list[i].chain < 0 ? CELL_NONE : cell_of_int(list[i].chain);
        buf_add_z(b, i > 0 ? ",{" : "{");
        json_add_text(b, "id", list[i].id);
        add_cell(b, "chain_identifier", &chain);
        json_add_text(b, "name", list[i].name);
        json_add_text(b, "shortname", list[i].shortname);
        json_add_text(b, "native_coin_id", list[i].native_coin_id);
        add_images(b, list[i].image, true);
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
}

const struct operation op_categories = {
    .summary = "categories of coins",
    .takes =
        (const struct parameter[]){
            {"order", PARAMETER_CHOICE, "of the categories",
             "market_cap_desc|market_cap_asc|name_desc|name_asc|market_cap_change_24h_desc|"
             "market_cap_change_24h_asc",
             0, 0, false},
            TAKES_END,
        },
    .gives = "[{id:s,name:s,market_cap:n?,market_cap_change_24h:n?,content:s?,top_3_coins_id:[s],"
             "top_3_coins:[s],volume_24h:n?,updated_at:t}]",
    .refuses = {501},
};

const struct operation op_categories_list = {
    .summary = "names of categories of coins",
    .gives = "[{category_id:s,name:s}]",
    .refuses = {501},
};

const struct operation op_platforms = {
    .summary = "platforms that coins' contracts are on",
    .gives = "[{id:s,chain_identifier:i?,name:s,shortname:s,native_coin_id:s?,"
             "image:{thumb:s,small:s,large:s}}]",
    .refuses = {501},
};
