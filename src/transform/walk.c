/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/walk.h"

#include "base/clock.h"

#include <assert.h>

const char walk_wrong_type[] = "wrong type";

enum st walk_no_room(const struct arena *arena, struct err *err)
{
    return err_set(err, ST_AGAIN, "transform: no memory within %zu bytes", arena->max);
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

struct str walk_join(struct walk *w, struct str parent, struct str key)
{
    char *p = arena_alloc(w->arena, parent.len + 1 + key.len, 1);
    if (p == NULL)
        return STR_NONE;
    memcpy(p, parent.p, parent.len);
    p[parent.len] = '.';
    if (key.len > 0)
        memcpy(p + parent.len + 1, key.p, key.len);
    return (struct str){p, parent.len + 1 + key.len};
}

/* "key" or "parent.key"; p is NULL when there is no room. */
static struct str field_name(struct walk *w, struct walk_field field)
{
    struct str key = cut(field.key);

    if (field.parent.len > 0)
        return walk_join(w, field.parent, key);
    return key.p ? key : STR("");
}

/* A value of a wrong type counts for its column, a nested one for the column its parent stands at.
 */
static void count_wrong(struct walk *w, struct walk_field field, enum json_event event)
{
    struct str key = field.parent.len > 0 ? field.parent : field.key;

    for (size_t i = 0; key.len > 0 && i < w->endpoint->table->n_columns; i++)
        if (str_eq(w->keys[i], key)) {
            w->shape.n_wrong[i]++;
            w->shape.wrong_event[i] = (uint8_t)event;
        }
}

/* What is wrong about `value` (NULL: something that is not there), which is stepped over. */
static enum st describe(struct walk *w, struct walk_field field, const char *reason,
                        const struct json_token *value, struct refusal *ret_refusal,
                        struct err *err)
{
    struct str raw = value ? value->text : STR_NONE;

    if (value) {
        enum st st = json_skip(w->json, value, &raw, err);
        if (st != ST_OK)
            return st;
    }
    if (value && reason == walk_wrong_type)
        count_wrong(w, field, value->event);
    *ret_refusal = (struct refusal){.offset = w->page->record.offset,
                                    .index = w->index,
                                    .field = field_name(w, field),
                                    .reason = reason,
                                    .value = cut(raw)};
    return ret_refusal->field.p ? ST_OK : walk_no_room(w->arena, err);
}

static enum st keep_refusal(struct walk *w, const struct refusal *refusal, struct err *err)
{
    if (w->rows->n_refusals == w->max_refusals) {
        size_t max = w->max_refusals ? 2 * w->max_refusals : 16;
        struct refusal *more = arena_alloc(w->arena, max, sizeof(*more));
        if (more == NULL)
            return walk_no_room(w->arena, err);
        if (w->max_refusals > 0)
            memcpy(more, w->refusals, w->max_refusals * sizeof(*more));
        w->refusals = more;
        w->max_refusals = max;
    }
    w->refusals[w->rows->n_refusals++] = *refusal;
    return ST_OK;
}

enum st walk_refuse(struct walk *w, struct walk_field field, const char *reason,
                    const struct json_token *value, struct err *err)
{
    struct refusal refusal;

    enum st st = describe(w, field, reason, value, &refusal, err);
    if (st == ST_OK && w->cause.reason == NULL)
        w->cause = refusal;
    return st;
}

enum st walk_drop(struct walk *w, struct walk_field field, const char *reason,
                  const struct json_token *value, struct err *err)
{
    struct refusal refusal;

    enum st st = describe(w, field, reason, value, &refusal, err);
    return st == ST_OK ? keep_refusal(w, &refusal, err) : st;
}

static struct walk_extra *find_unknown(struct walk *w, struct walk_field field, size_t *ret_at)
{
    struct walk_shape *shape = &w->shape;
    size_t i = 0;

    while (i < shape->n_unknown && !(str_eq(shape->unknown[i].field.key, field.key) &&
                                     str_eq(shape->unknown[i].field.parent, field.parent)))
        i++;
    if (i == WALK_MAX_UNKNOWN)
        return NULL;
    if (i == shape->n_unknown)
        shape->unknown[shape->n_unknown++] =
            (struct walk_extra){.field = field, .event = JSON_NULL};
    *ret_at = i;
    return &shape->unknown[i];
}

static void keep_sample(const struct walk *w, struct walk_extra *u, const struct json_token *value)
{
    if (u->event == JSON_NULL)
        u->event = value->event;
    if (u->n_samples == WALK_MAX_SAMPLES ||
        (value->event != JSON_NUMBER && value->event != JSON_STRING))
        return;
    u->samples[u->n_samples].row = (uint32_t)w->rows->rows.n;
    u->samples[u->n_samples++].value = *value;
}

enum st walk_unknown(struct walk *w, struct walk_field field, const struct json_token *value,
                     struct err *err)
{
    size_t i;

    struct walk_extra *u = find_unknown(w, field, &i);
    if (u && w->unknown_seen >> i & 1)
        return walk_refuse(w, field, "duplicate key", value, err);
    if (u) {
        keep_sample(w, u, value);
        w->unknown_seen |= UINT64_C(1) << i;
    }
    return json_skip(w->json, value, NULL, err);
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

/* The row's keys are all read. */
static void count_keys(struct walk *w, uint64_t seen)
{
    w->shape.n_rows++;
    w->shape.seen |= seen;
    for (uint64_t lacking = w->always & ~seen; lacking != 0; lacking &= lacking - 1)
        w->shape.n_lacking[__builtin_ctzll(lacking)]++;
}

/* A key whose value nobody asks for: it is no text, unknown (i: no key's place), or there again,
 * and which of the values was meant? */
static enum st pass_key(struct walk *w, const struct walk_object *object,
                        const struct json_token *key, size_t i, struct err *err)
{
    const struct walk_field field = {object->parent, key->text};
    struct json_token value;

    enum st st = json_next(w->json, &value, err);
    if (st != ST_OK)
        return st;
    if (key->is_bad)
        return walk_drop(w, field, "bad text", &value, err);
    return i == object->n_keys ? walk_unknown(w, field, &value, err)
                               : walk_refuse(w, field, "duplicate key", &value, err);
}

enum st walk_key(struct walk *w, struct walk_object *object, size_t *ret_key, struct err *err)
{
    struct json_token key;
    enum st st;

    while ((st = json_next(w->json, &key, err)) == ST_OK) {
        if (key.event == JSON_OBJECT_END) {
            if (object->keys == w->keys)
                count_keys(w, object->seen);
            *ret_key = object->n_keys;
            return ST_OK;
        }
        size_t i = find_key(object, key.text);
        if (i < object->n_keys && !(object->seen >> i & 1) && !key.is_bad) {
            object->seen |= UINT64_C(1) << i;
            object->next = i + 1;
            *ret_key = i;
            return ST_OK;
        }
        st = pass_key(w, object, &key, i, err);
        if (st != ST_OK)
            break;
    }
    return st;
}

/* A whole number, also when it is written "7.0" or "1e3". */
static const char *read_int(const struct json_token *value, struct cell *ret_cell)
{
    int64_t number;

    if (!str_to_i64(value->text, INT64_MIN, INT64_MAX, &number)) {
        if (value->number != DEC_OK)
            return "out of range";
        if (value->dec.exp < 0)
            return walk_wrong_type;
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
        return walk_wrong_type;
    *ret_cell = cell_of_time(ts_us);
    ret_cell->text = text.p;
    ret_cell->len = (uint32_t)text.len;
    return NULL;
}

/* NULL, or why the value is refused. */
static const char *read_text(const struct json_token *value, enum cell_kind kind,
                             struct cell *ret_cell)
{
    if (value->event != JSON_STRING)
        return walk_wrong_type;
    if (value->is_bad)
        return "bad text";
    if (kind == CELL_TIME)
        return read_time(value->text, ret_cell);
    *ret_cell = cell_of_text(value->text);
    return NULL;
}

/* The same. A string that is exactly a JSON number is that number. */
static const char *read_number(const struct json_token *value, enum cell_kind kind,
                               struct cell *ret_cell)
{
    struct json_token number;

    if (value->event == JSON_STRING && !value->is_bad) {
        number = (struct json_token){.event = JSON_NUMBER, .text = value->text};
        number.number = dec_parse(value->text, &number.dec);
        value = &number;
    }
    if (value->event != JSON_NUMBER || value->number == DEC_NOT_A_NUMBER)
        return walk_wrong_type;
    if (kind == CELL_INT)
        return read_int(value, ret_cell);
    if (value->number != DEC_OK)
        return "out of range";
    *ret_cell = cell_of_dec(value->dec, value->text);
    return NULL;
}

const char *walk_read(const struct json_token *value, enum cell_kind kind, struct cell *ret_cell)
{
    if (value->event == JSON_NULL)
        return NULL;
    return kind == CELL_TEXT || kind == CELL_TIME ? read_text(value, kind, ret_cell)
                                                  : read_number(value, kind, ret_cell);
}

/* Inline: every cell comes by here. */
static inline enum st take_value(struct walk *w, struct walk_field field,
                                 const struct json_token *value, const struct column *column,
                                 struct cell *ret_cell, struct err *err)
{
    const char *reason = walk_read(value, column->kind, ret_cell);

    if (value->event == JSON_STRING && (ret_cell->kind == CELL_NUM || ret_cell->kind == CELL_INT))
        w->shape.n_quoted[column - w->endpoint->table->columns]++;
    if (reason == NULL)
        return ST_OK;
    return column->is_not_null ? walk_refuse(w, field, reason, value, err)
                               : walk_drop(w, field, reason, value, err);
}

enum st walk_value(struct walk *w, struct walk_field field, const struct json_token *value,
                   const struct column *column, struct cell *ret_cell, struct err *err)
{
    return take_value(w, field, value, column, ret_cell, err);
}

enum st walk_cell(struct walk *w, struct walk_field field, const struct column *column,
                  struct cell *ret_cell, struct err *err)
{
    struct json_token value;
    enum st st = json_next(w->json, &value, err);
    return st == ST_OK ? take_value(w, field, &value, column, ret_cell, err) : st;
}

enum st walk_object_begin(struct walk *w, struct walk_field field, bool *ret_has, struct err *err)
{
    struct json_token value;

    enum st st = json_next(w->json, &value, err);
    if (st != ST_OK)
        return st;
    *ret_has = value.event == JSON_OBJECT_BEGIN;
    if (*ret_has || value.event == JSON_NULL)
        return ST_OK;
    return walk_drop(w, field, walk_wrong_type, &value, err);
}

/* Index the coins anew, with room for max_coins. While the pages are walked, coin i is row i. */
static enum st index_coins(struct walk *w, size_t max_coins, struct err *err)
{
    struct coin_index *old = w->rows->coins, *coins = coins_new(w->arena, max_coins);

    if (coins == NULL)
        return walk_no_room(w->arena, err);
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
        return walk_no_room(w->arena, err);
    if (n > 0)
        memcpy(cells, w->rows->rows.cells, n * n_columns * sizeof(*cells));
    w->rows->rows.cells = cells;
    w->max_rows = max_rows;
    return index_coins(w, max_rows, err);
}

/* The row goes as a whole: its cause says it, not what was dropped of it. */
static enum st refuse_row(struct walk *w, struct err *err)
{
    w->rows->n_refusals = w->first_refusal;
    w->n_refused_rows++;
    return keep_refusal(w, &w->cause, err);
}

enum st walk_check_id(struct walk *w, struct walk_field field, struct cell *id, struct err *err)
{
    struct json_token value = {.event = JSON_STRING, .text = cell_text(id)};

    if (id->kind == CELL_NULL || (id->len > 0 && id->len <= WALK_MAX_ID))
        return ST_OK;
    *id = CELL_NONE;
    return value.text.len == 0 ? ST_OK /* as if it were missing */
                               : walk_refuse(w, field, "out of range", &value, err);
}

enum st walk_end_row(struct walk *w, struct err *err)
{
    const struct table *t = w->endpoint->table;
    const struct cell *cells = rows_at(&w->rows->rows, w->rows->rows.n);
    struct str id = cell_text(&cells[ROW_ID]);
    struct str coin = cell_text(&cells[t->coin_column]);
    enum st st = ST_OK;

    for (size_t i = 0; i < t->n_columns && w->cause.reason == NULL; i++)
        if (t->columns[i].is_not_null && cells[i].kind == CELL_NULL)
            st = walk_refuse(w, (struct walk_field){.key = str_of(t->columns[i].name)}, "missing",
                             NULL, err);
    if (w->cause.reason == NULL && !coins_add(w->rows->coins, id, (uint32_t)w->rows->rows.n))
        st = walk_refuse(w, (struct walk_field){.key = STR_NONE},
                         t->is_of_coins ? "duplicate coin" : "duplicate key", NULL, err);
    if (st != ST_OK)
        return st;
    if (w->cause.reason == NULL)
        w->rows->rows.n++;
    else
        st = refuse_row(w, err);
    for (size_t i = w->first_refusal; i < w->rows->n_refusals; i++)
        w->refusals[i].coin = coin;
    w->index++;
    return st;
}

enum st walk_begin_row(struct walk *w, struct cell **ret_cells, struct err *err)
{
    const struct table *t = w->endpoint->table;
    enum st st = ST_OK;

    if (w->index == w->endpoint->max_page_rows)
        return err_set(err, ST_REJECT, "more than %u rows", (unsigned)w->endpoint->max_page_rows);
    if (w->rows->rows.n == w->max_rows)
        st = make_room(w, 2 * w->max_rows, err);
    if (st != ST_OK)
        return st;
    struct cell *cells = rows_at(&w->rows->rows, w->rows->rows.n);
    memset(cells, 0, t->n_columns * sizeof(*cells)); /* all NULL */
    cells[t->first_stored] = cell_of_time(w->page->record.fetched_at_us);
    w->cause = (struct refusal){.reason = NULL};
    w->first_refusal = w->rows->n_refusals;
    w->unknown_seen = 0;
    *ret_cells = cells;
    return ST_OK;
}

static enum st walk_array(struct walk *w, struct err *err)
{
    struct json_token token;
    struct cell *cells;

    for (;;) {
        enum st st = json_next(w->json, &token, err);
        if (st != ST_OK || token.event == JSON_ARRAY_END)
            return st;
        st = walk_begin_row(w, &cells, err);
        if (st == ST_OK)
            st = w->endpoint->read_row(w, &token, cells, err);
        if (st == ST_OK)
            st = walk_end_row(w, err);
        if (st != ST_OK)
            return st;
    }
}

static enum st walk_page(struct walk *w, struct err *err)
{
    struct json_token token;

    enum st st = json_open(w->json, w->page->body, w->arena, err);
    if (st == ST_OK)
        st = json_next(w->json, &token, err);
    if (st != ST_OK)
        return st;
    if (token.event != w->endpoint->top)
        return err_set(err, ST_REJECT, "an %s where %s answers an %s", json_event_name(token.event),
                       w->endpoint->table->endpoint, json_event_name(w->endpoint->top));
    w->index = 0;
    st = w->endpoint->read_object ? w->endpoint->read_object(w, err) : walk_array(w, err);
    if (st != ST_OK)
        return st;
    w->rows->rows_in += w->index;
    return json_next(w->json, &token, err); /* JSON_DONE, or what follows the page is refused */
}

static enum st name_unknown_fields(struct walk *w, struct err *err)
{
    for (size_t i = 0; i < w->shape.n_unknown; i++) {
        w->shape.unknown[i].name = field_name(w, w->shape.unknown[i].field);
        if (w->shape.unknown[i].name.p == NULL)
            return walk_no_room(w->arena, err);
    }
    return ST_OK;
}

/* A coin was seen also when its row was refused; only now, so that a good row of it, wherever it
 * stands, is the one that counts. */
static enum st add_refused_coins(struct walk *w, struct err *err)
{
    size_t n = w->rows->n_refusals;
    enum st st = ST_OK;

    if (w->n_refused_rows > w->max_rows - w->rows->rows.n)
        st = index_coins(w, w->rows->rows.n + w->n_refused_rows, err);
    assert(n == 0 || w->refusals != NULL);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        if (w->refusals[i].coin.len > 0)
            coins_add(w->rows->coins, w->refusals[i].coin, COINS_NO_ROW);
    return st;
}

/* About as many rows as the pages hold, whose bytes may be mostly blanks. */
static size_t guess_rows(const struct walk_endpoint *e, const struct transform_input *in)
{
    size_t n_rows = 8;

    for (size_t i = 0; i < in->n_pages; i++) {
        const size_t n = in->pages[i].body.len / e->row_bytes;
        n_rows += n < e->max_page_rows ? n : e->max_page_rows;
    }
    return n_rows;
}

static enum st name_keys(struct walk *w, struct err *err)
{
    const struct walk_endpoint *e = w->endpoint;
    struct str *keys = arena_zalloc(w->arena, e->table->n_columns, sizeof(*keys));

    if (keys == NULL)
        return walk_no_room(w->arena, err);
    assert(e->table->n_columns <= WALK_MAX_COLUMNS);
    if (e->name_keys)
        e->name_keys(keys);
    for (size_t i = 0; i < e->first_optional; i++)
        w->always |= (uint64_t)(keys[i].len > 0) << i;
    w->keys = keys;
    return ST_OK;
}

enum st walk_pages(struct walk *w, const struct transform_input *in, struct err *err)
{
    w->rows->rows.table = w->endpoint->table;
    enum st st = name_keys(w, err);
    if (st == ST_OK)
        st = make_room(w, guess_rows(w->endpoint, in), err);
    for (size_t i = 0; st == ST_OK && i < in->n_pages; i++) {
        w->page = &in->pages[i];
        w->shape.has_bom |= str_starts(w->page->body, STR("\xEF\xBB\xBF"));
        st = walk_page(w, err);
        if (st != ST_OK)
            return err_wrap(err, st, "page %u (offset %llu): ", w->page->record.page,
                            (unsigned long long)w->page->record.offset);
    }
    if (st == ST_OK)
        st = name_unknown_fields(w, err);
    if (st == ST_OK)
        st = add_refused_coins(w, err);
    w->rows->refusals = w->refusals;
    return st;
}
