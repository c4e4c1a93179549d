/* /global: {"data":{figure: number, figure: {part: number}}}, a row for each number. Which figures
 * and parts there are is not known here: new ones are rows as the others. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "row/global.h"
#include "transform/walk.h"

/* part: p is NULL when the figure has none. */
static enum st read_cells(struct walk *w, struct str figure, struct str part,
                          const struct json_token *value, struct cell *cells, struct err *err)
{
    const struct walk_field field = {part.p ? figure : STR_NONE, part.p ? part : figure};
    struct str id = part.p ? walk_join(w, figure, part) : figure;

    if (id.p == NULL)
        return walk_no_room(w->arena, err);
    cells[GLOBAL_ID] = cell_of_text(id);
    cells[GLOBAL_FIGURE] = cell_of_text(figure);
    cells[GLOBAL_PART] = part.p ? cell_of_text(part) : CELL_NONE;
    enum st st =
        walk_value(w, field, value, &global_table.columns[GLOBAL_VALUE], &cells[GLOBAL_VALUE], err);
    return st == ST_OK ? walk_check_id(w, field, &cells[GLOBAL_ID], err) : st;
}

/* A key and its value, which is a number; figure: of a part, else p is NULL. */
static enum st read_row(struct walk *w, struct str figure, const struct json_token *key,
                        const struct json_token *value, struct err *err)
{
    struct str part = figure.p ? key->text : STR_NONE;
    struct cell *cells;

    enum st st = walk_begin_row(w, &cells, err);
    if (st == ST_OK && key->is_bad)
        st = walk_refuse(w, (struct walk_field){figure, key->text}, "bad text", value, err);
    else if (st == ST_OK)
        st = read_cells(w, figure.p ? figure : key->text, part, value, cells, err);
    return st == ST_OK ? walk_end_row(w, err) : st;
}

/* A string that is a number is one, as everywhere. */
static bool is_number(const struct json_token *value)
{
    struct dec d;

    return value->event == JSON_NUMBER || value->event == JSON_NULL ||
           (value->event == JSON_STRING && dec_parse(value->text, &d) != DEC_NOT_A_NUMBER);
}

/* What an object holds: figures, or the parts of one. What is no number is not known to us. */
static enum st read_numbers(struct walk *w, struct str figure, struct err *err)
{
    struct json_token key, value;
    enum st st;

    while ((st = json_next(w->json, &key, err)) == ST_OK && key.event == JSON_KEY) {
        st = json_next(w->json, &value, err);
        if (st != ST_OK)
            return st;
        if (is_number(&value))
            st = read_row(w, figure, &key, &value, err);
        else if (value.event == JSON_OBJECT_BEGIN && figure.p == NULL && !key.is_bad &&
                 key.text.len <= WALK_MAX_ID)
            st = read_numbers(w, key.text, err);
        else
            st = walk_unknown(w, (struct walk_field){figure, key.text}, &value, err);
        if (st != ST_OK)
            return st;
    }
    return st;
}

static enum st read_object(struct walk *w, struct err *err)
{
    static const struct str keys[] = {STR("data")};
    struct walk_object object = {.keys = keys, .n_keys = 1};
    bool has_data = false;
    size_t i;

    for (;;) {
        w->cause = (struct refusal){.reason = NULL};
        enum st st = walk_key(w, &object, &i, err);
        if (st == ST_OK && w->cause.reason && str_eq(w->cause.field, keys[0]))
            return err_set(err, ST_REJECT, "%s: data", w->cause.reason);
        if (st == ST_OK && i == object.n_keys)
            break;
        if (st == ST_OK)
            st = walk_object_begin(w, (struct walk_field){.key = keys[i]}, &has_data, err);
        if (st == ST_OK && has_data)
            st = read_numbers(w, STR_NONE, err);
        if (st != ST_OK)
            return st;
    }
    return has_data ? ST_OK : err_set(err, ST_REJECT, "no object \"data\"");
}

const struct walk_endpoint walk_global = {
    .table = &global_table,
    .max_page_rows = 10000, /* some 140 today */
    .row_bytes = 20,
    .top = JSON_OBJECT_BEGIN,
    .read_object = read_object,
};
