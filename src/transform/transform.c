/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/transform.h"

#include "base/clock.h"
#include "transform/coins.h"
#include "transform/quality.h"
#include "transform/walk.h"

static const struct walk_endpoint *const endpoints[] = {&walk_markets,      &walk_listing,
                                                        &walk_global,       &walk_vs_currencies,
                                                        &walk_chart_points, &walk_chart_candles};

static const struct walk_endpoint *find_endpoint(const char *name)
{
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++)
        if (strcmp(endpoints[i]->table->endpoint, name) == 0)
            return endpoints[i];
    return NULL;
}

bool transform_knows(const char *endpoint)
{
    return find_endpoint(endpoint) != NULL;
}

/* The part of a logo's URL that is not a cache's timestamp. */
static struct str without_query(struct str url)
{
    struct str head;
    str_cut(&url, '?', &head);
    return head;
}

static bool is_same_image(const struct cell *a, const struct cell *b)
{
    return a->kind == b->kind && str_eq(without_query(cell_text(a)), without_query(cell_text(b)));
}

static bool is_same_row(const struct table *t, const struct cell *a, const struct cell *b)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        if (i == t->first_stored || cell_equal(&a[i], &b[i])) /* whenever it was fetched */
            continue;
        if (!table_has_image(t) || i != ROW_IMAGE || !is_same_image(&a[i], &b[i]))
            return false;
    }
    return true;
}

/* Where each row's key stands in the poll before. */
static enum st find_prev_rows(struct poll_rows *p, const struct poll_rows *prev,
                              struct arena *arena, struct err *err)
{
    if (prev == NULL)
        return ST_OK;
    p->prev_row = arena_alloc(arena, p->rows.n, sizeof(*p->prev_row));
    if (p->prev_row == NULL)
        return walk_no_room(arena, err);
    for (size_t i = 0; i < p->rows.n; i++)
        if (!coins_find(prev->coins, cell_text(&rows_at(&p->rows, i)[ROW_ID]), &p->prev_row[i]))
            p->prev_row[i] = COINS_NO_ROW;
    return ST_OK;
}

/* Rows of whose coins something was refused are marked as changed. */
static void unmark_refused(struct poll_rows *p)
{
    uint32_t row;

    for (size_t i = 0; i < p->n_refusals; i++)
        if (coins_find(p->coins, p->refusals[i].coin, &row) && row != COINS_NO_ROW &&
            p->is_unchanged[row]) {
            p->is_unchanged[row] = false;
            p->n_unchanged--;
        }
}

/* Only within the table's span of time: so the first poll of each is whole in every store, and a
 * reader never has to look back further. */
static enum st mark_unchanged(struct poll_rows *p, const struct poll_rows *prev,
                              struct arena *arena, struct err *err)
{
    const struct table *t = p->rows.table;

    p->is_unchanged = arena_zalloc(arena, p->rows.n, sizeof(*p->is_unchanged));
    if (p->is_unchanged == NULL)
        return walk_no_room(arena, err);
    if (prev == NULL || t->whole_us == 0 ||
        time_floor(p->slot_us, t->whole_us) != time_floor(prev->slot_us, t->whole_us))
        return ST_OK;
    for (size_t i = 0; i < p->rows.n; i++) {
        if (p->prev_row[i] == COINS_NO_ROW)
            continue;
        p->is_unchanged[i] =
            is_same_row(t, rows_at(&p->rows, i), rows_at(&prev->rows, p->prev_row[i]));
        p->n_unchanged += p->is_unchanged[i];
    }
    unmark_refused(p);
    p->unchanged_since = p->n_unchanged > 0 ? prev->end_offset : 0;
    return ST_OK;
}

static enum st list_absent(struct poll_rows *p, const struct poll_rows *prev, struct arena *arena,
                           struct err *err)
{
    size_t n = coins_count(prev->coins);
    struct str *absent = arena_alloc(arena, n, sizeof(*absent));
    uint32_t row;

    for (size_t i = 0; absent && i < n; i++) {
        struct str id = coins_id(prev->coins, i);
        if (coins_find(p->coins, id, &row))
            continue;
        absent[p->n_absent] = arena_str(arena, id); /* prev may go before p does */
        if (absent[p->n_absent++].p == NULL)
            absent = NULL;
    }
    p->absent = absent;
    p->absent_since = prev->end_offset;
    return absent ? ST_OK : walk_no_room(arena, err);
}

enum st transform_poll(const struct transform_input *in, struct json *json, struct arena *arena,
                       struct poll_rows *ret_rows, struct err *err)
{
    const char *name = in->end->stream->endpoint;
    const struct walk_endpoint *endpoint = find_endpoint(name);
    struct poll_rows p = {.end_offset = in->end->offset, .slot_us = in->end->slot_us};
    struct walk w = {.endpoint = endpoint, .json = json, .arena = arena, .rows = &p};

    if (endpoint == NULL)
        return err_set(err, ST_REJECT, "no transform knows the endpoint \"%s\"", name);
    enum st st = walk_pages(&w, in, err);
    if (st == ST_OK)
        st = find_prev_rows(&p, in->prev_rows, arena, err);
    if (st == ST_OK)
        st = mark_unchanged(&p, in->prev_rows, arena, err);
    if (st == ST_OK && endpoint->table->is_of_coins && in->end->outcome == POLL_OK && in->prev_ok)
        st = list_absent(&p, in->prev_ok, arena, err);
    if (st == ST_OK)
        st = drift_find(&w, in, &p, err);
    if (st == ST_OK)
        st = quality_find(in, &p, arena, err);
    if (st == ST_OK)
        *ret_rows = p;
    return st;
}
