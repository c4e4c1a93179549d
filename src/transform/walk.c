/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/walk.h"

#include "base/clock.h"

#include <assert.h>

#define LIKELY_ROW_BYTES 700 /* of JSON: real rows are longer, and more room is made at need */

static enum st no_room(const struct walk *w, struct err *err)
{
    return err_set(err, ST_AGAIN, "transform: no memory within %zu bytes", w->arena->max);
}

/* s without the half of a character that a cut may leave. */
static struct str cut(struct str s)
{
    if (s.len > WALK_MAX_VALUE) {
        s.len = WALK_MAX_VALUE;
        s.len = str_utf8_prefix(s);
    }
    return s;
}

/* "key", or "parent.key" made in the arena; p is NULL when there is no room. */
static struct str field_name(struct walk *w, struct walk_field field)
{
    struct str key = cut(field.key), parent = field.parent;

    if (parent.len == 0)
        return key.p ? key : STR("");
    char *p = arena_alloc(w->arena, parent.len + 1 + key.len, 1);
    if (p == NULL)
        return STR_NONE;
    memcpy(p, parent.p, parent.len);
    p[parent.len] = '.';
    if (key.len > 0)
        memcpy(p + parent.len + 1, key.p, key.len);
    return (struct str){p, parent.len + 1 + key.len};
}

enum st walk_refuse(struct walk *w, struct walk_field field, const char *reason,
                    const struct json_token *value, struct err *err)
{
    struct str raw = value ? value->text : STR_NONE;

    if (value) {
        enum st st = json_skip(w->json, value, &raw, err);
        if (st != ST_OK)
            return st;
    }
    if (w->cause.reason)
        return ST_OK;
    w->cause.reason = reason;
    w->cause.value = cut(raw);
    w->cause.field = field_name(w, field);
    return w->cause.field.p ? ST_OK : no_room(w, err);
}

/* A key that no column has: note it, and pass over its value. */
static enum st skip_unknown(struct walk *w, struct walk_field field, struct err *err)
{
    struct json_token value;
    size_t i = 0;

    enum st st = json_next(w->json, &value, err);
    if (st != ST_OK)
        return st;
    while (i < w->n_unknown &&
           !(str_eq(w->unknown[i].key, field.key) && str_eq(w->unknown[i].parent, field.parent)))
        i++;
    if (i == WALK_MAX_UNKNOWN)
        return json_skip(w->json, &value, NULL, err);
    if (i == w->n_unknown)
        w->unknown[w->n_unknown++] = field;
    if (w->unknown_seen >> i & 1)
        return walk_refuse(w, field, "duplicate key", &value, err);
    w->unknown_seen |= UINT64_C(1) << i;
    return json_skip(w->json, &value, NULL, err);
}

static size_t find_key(const struct walk_object *o, struct str key)
{
    size_t i = o->next;

    if (key.len == 0)
        return o->n_keys;
    for (size_t tries = o->n_keys; tries > 0; tries--, i++) {
        if (i >= o->n_keys)
            i = 0;
        if (str_eq(o->keys[i], key))
            return i;
    }
    return o->n_keys;
}

/* A known key there again, or one that is no text: its value counts for nothing. */
static enum st refuse_key(struct walk *w, struct walk_field field, const char *reason,
                          struct err *err)
{
    struct json_token value;
    enum st st = json_next(w->json, &value, err);
    return st == ST_OK ? walk_refuse(w, field, reason, &value, err) : st;
}

enum st walk_key(struct walk *w, struct walk_object *object, size_t *ret_key, struct err *err)
{
    struct json_token key;

    for (;;) {
        enum st st = json_next(w->json, &key, err);
        if (st != ST_OK)
            return st;
        struct walk_field field = {object->parent, key.text};
        size_t i = object->n_keys;
        if (key.event == JSON_OBJECT_END) {
            *ret_key = i;
            return ST_OK;
        }
        if (key.is_bad)
            st = refuse_key(w, field, "bad text", err);
        else if ((i = find_key(object, key.text)) == object->n_keys)
            st = skip_unknown(w, field, err);
        else if (object->seen >> i & 1)
            st = refuse_key(w, field, "duplicate key", err);
        else {
            object->seen |= UINT64_C(1) << i;
            object->next = i + 1;
            *ret_key = i;
            return ST_OK;
        }
        if (st != ST_OK)
            return st;
    }
}

/* A whole number, also when it is written "7.0" or "1e3". */
static const char *read_int(const struct json_token *value, struct cell *ret_cell)
{
    int64_t number;

    if (!str_to_i64(value->text, INT64_MIN, INT64_MAX, &number)) {
        if (value->number != DEC_OK)
            return "out of range";
        if (value->dec.exp < 0)
            return "wrong type";
        if (!dec_to_i64(value->dec, &number))
            return "out of range";
    }
    *ret_cell = cell_of_int(number);
    ret_cell->text = value->text.p;
    ret_cell->len = (uint32_t)value->text.len;
    return NULL;
}

static const char *read_time(struct str text, struct cell *ret_cell)
{
    int64_t ts_us;

    if (!time_parse(text, &ts_us))
        return "wrong type";
    *ret_cell = cell_of_time(ts_us);
    ret_cell->text = text.p;
    ret_cell->len = (uint32_t)text.len;
    return NULL;
}

/* NULL, or why the value is refused. */
static const char *read_cell(const struct json_token *value, enum cell_kind kind,
                             struct cell *ret_cell)
{
    bool is_text = kind == CELL_TEXT || kind == CELL_TIME;

    if (value->event == JSON_NULL)
        return NULL;
    if (value->event != (is_text ? JSON_STRING : JSON_NUMBER))
        return "wrong type";
    if (value->is_bad)
        return "bad text";
    if (kind == CELL_INT)
        return read_int(value, ret_cell);
    if (kind == CELL_TIME)
        return read_time(value->text, ret_cell);
    if (kind == CELL_TEXT)
        *ret_cell = cell_of_text(value->text);
    else if (value->number == DEC_OK)
        *ret_cell = cell_of_dec(value->dec, value->text);
    else
        return "out of range";
    return NULL;
}

enum st walk_cell(struct walk *w, struct walk_field field, enum cell_kind kind,
                  struct cell *ret_cell, struct err *err)
{
    struct json_token value;

    enum st st = json_next(w->json, &value, err);
    if (st != ST_OK)
        return st;
    const char *reason = read_cell(&value, kind, ret_cell);
    return reason ? walk_refuse(w, field, reason, &value, err) : ST_OK;
}

/* Index the coins anew, with room for max_coins. While the pages are walked, coin i is row i. */
static enum st index_coins(struct walk *w, size_t max_coins, struct err *err)
{
    struct coin_index *old = w->rows->coins, *coins = coins_new(w->arena, max_coins);

    if (coins == NULL)
        return no_room(w, err);
    for (size_t i = 0; old && i < coins_count(old); i++)
        coins_add(coins, coins_id(old, i), (uint32_t)i);
    w->rows->coins = coins;
    return ST_OK;
}

static enum st make_room(struct walk *w, size_t max_rows, struct err *err)
{
    size_t n_columns = w->endpoint->table->n_columns, n = w->rows->rows.n;
    struct cell *cells = arena_alloc(w->arena, max_rows, n_columns * sizeof(*cells));

    if (cells == NULL)
        return no_room(w, err);
    if (n > 0)
        memcpy(cells, w->rows->rows.cells, n * n_columns * sizeof(*cells));
    w->rows->rows.cells = cells;
    w->max_rows = max_rows;
    return index_coins(w, max_rows, err);
}

static enum st keep_refusal(struct walk *w, struct err *err)
{
    if (w->rows->n_refusals == w->max_refusals) {
        size_t max = w->max_refusals ? 2 * w->max_refusals : 16;
        struct refusal *more = arena_alloc(w->arena, max, sizeof(*more));
        if (more == NULL)
            return no_room(w, err);
        if (w->max_refusals > 0)
            memcpy(more, w->refusals, w->max_refusals * sizeof(*more));
        w->refusals = more;
        w->max_refusals = max;
    }
    w->cause.offset = w->page->record.offset;
    w->cause.index = w->index;
    w->refusals[w->rows->n_refusals++] = w->cause;
    return ST_OK;
}

/* Take the row that was read, or keep why not. */
static enum st finish_row(struct walk *w, struct err *err)
{
    const struct table *t = w->endpoint->table;
    const struct cell *cells = rows_at(&w->rows->rows, w->rows->rows.n);
    struct str id = cell_text(&cells[w->endpoint->id_column]);
    enum st st = ST_OK;

    for (size_t i = 0; i < t->n_columns && w->cause.reason == NULL; i++)
        if (t->columns[i].is_not_null && cells[i].kind == CELL_NULL)
            st = walk_refuse(w, (struct walk_field){.key = str_of(t->columns[i].name)}, "missing",
                             NULL, err);
    if (w->cause.reason == NULL && !coins_add(w->rows->coins, id, (uint32_t)w->rows->rows.n))
        st = walk_refuse(w, (struct walk_field){.key = STR_NONE}, "duplicate coin", NULL, err);
    if (st != ST_OK)
        return st;
    if (w->cause.reason == NULL) {
        w->rows->rows.n++;
        return ST_OK;
    }
    w->cause.coin = id;
    return keep_refusal(w, err);
}

static enum st walk_row(struct walk *w, const struct json_token *first, struct err *err)
{
    size_t n_columns = w->endpoint->table->n_columns;
    enum st st = ST_OK;

    if (w->rows->rows.n == w->max_rows)
        st = make_room(w, 2 * w->max_rows, err);
    if (st != ST_OK)
        return st;
    struct cell *cells = rows_at(&w->rows->rows, w->rows->rows.n);
    memset(cells, 0, n_columns * sizeof(*cells)); /* all NULL */
    w->cause = (struct refusal){.reason = NULL};
    w->unknown_seen = 0;
    st = w->endpoint->read_row(w, first, cells, err);
    return st == ST_OK ? finish_row(w, err) : st;
}

static enum st walk_page(struct walk *w, struct err *err)
{
    struct json_token token;

    enum st st = json_open(w->json, w->page->body, w->arena, err);
    if (st == ST_OK)
        st = json_next(w->json, &token, err);
    if (st != ST_OK)
        return st;
    if (token.event != JSON_ARRAY_BEGIN)
        return err_set(err, ST_REJECT, "an %s where %s answers an array",
                       json_event_name(token.event), w->endpoint->name);
    for (w->index = 0;; w->index++) {
        st = json_next(w->json, &token, err);
        if (st != ST_OK)
            return st;
        if (token.event == JSON_ARRAY_END)
            break;
        if (w->index == WALK_MAX_PAGE_ROWS)
            return err_set(err, ST_REJECT, "more than %d rows", WALK_MAX_PAGE_ROWS);
        st = walk_row(w, &token, err);
        if (st != ST_OK)
            return st;
    }
    w->rows->rows_in += w->index;
    return json_next(w->json, &token, err); /* JSON_DONE, or what follows the array is refused */
}

static enum st name_unknown_fields(struct walk *w, struct err *err)
{
    struct str *names = arena_alloc(w->arena, w->n_unknown, sizeof(*names));

    if (names == NULL)
        return no_room(w, err);
    for (size_t i = 0; i < w->n_unknown; i++) {
        names[i] = field_name(w, w->unknown[i]);
        if (names[i].p == NULL)
            return no_room(w, err);
    }
    w->rows->unknown_fields = names;
    w->rows->n_unknown_fields = w->n_unknown;
    return ST_OK;
}

/* A coin was seen also when its row was refused; only now, so that a good row of it, wherever it
 * stands, is the one that counts. */
static enum st add_refused_coins(struct walk *w, struct err *err)
{
    size_t n = w->rows->n_refusals;
    enum st st = ST_OK;

    if (n > w->max_rows - w->rows->rows.n)
        st = index_coins(w, w->rows->rows.n + n, err);
    assert(n == 0 || w->refusals != NULL);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        if (w->refusals[i].coin.len > 0)
            coins_add(w->rows->coins, w->refusals[i].coin, COINS_NO_ROW);
    return st;
}

enum st walk_pages(const struct walk_endpoint *endpoint, const struct transform_input *in,
                   struct json *json, struct arena *arena, struct poll_rows *ret_rows,
                   struct err *err)
{
    struct walk w = {.endpoint = endpoint, .json = json, .arena = arena, .rows = ret_rows};
    struct str *keys = arena_alloc(arena, endpoint->table->n_columns, sizeof(*keys));
    size_t bytes = 0;

    if (keys == NULL)
        return no_room(&w, err);
    endpoint->name_keys(keys);
    w.keys = keys;
    ret_rows->rows.table = endpoint->table;
    for (size_t i = 0; i < in->n_pages; i++)
        bytes += in->pages[i].body.len;
    enum st st = make_room(&w, bytes / LIKELY_ROW_BYTES + 8, err);
    for (size_t i = 0; st == ST_OK && i < in->n_pages; i++) {
        w.page = &in->pages[i];
        st = walk_page(&w, err);
        if (st != ST_OK)
            return err_wrap(err, st, "page %u (offset %llu): ", w.page->record.page,
                            (unsigned long long)w.page->record.offset);
    }
    if (st == ST_OK)
        st = name_unknown_fields(&w, err);
    if (st == ST_OK)
        st = add_refused_coins(&w, err);
    ret_rows->refusals = w.refusals;
    return st;
}
