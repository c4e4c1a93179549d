/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/transform.h"

#include "base/clock.h"
#include "row/market.h"
#include "transform/coins.h"
#include "transform/walk.h"

static const struct walk_endpoint *const endpoints[] = {&walk_markets};

static const struct walk_endpoint *find_endpoint(const char *name)
{
    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++)
        if (strcmp(endpoints[i]->name, name) == 0)
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

static bool is_same_row(const struct cell *a, const struct cell *b)
{
    for (size_t i = 0; i < N_MARKET_COLUMNS; i++) {
        if (i == MARKET_FETCHED_AT || cell_equal(&a[i], &b[i]))
            continue;
        if (i != MARKET_IMAGE || a[i].kind != b[i].kind ||
            !str_eq(without_query(cell_text(&a[i])), without_query(cell_text(&b[i]))))
            return false;
    }
    return true;
}

/* Only within an hour: so the first poll of each is whole in every store, and a reader never has to
 * look back further. */
static enum st mark_unchanged(struct poll_rows *p, const struct poll_rows *prev,
                              struct arena *arena, struct err *err)
{
    const int64_t hour = 3600 * US_PER_S;
    uint32_t row;

    p->is_unchanged = arena_zalloc(arena, p->rows.n, sizeof(*p->is_unchanged));
    if (p->is_unchanged == NULL)
        return err_set(err, ST_AGAIN, "transform: no memory within %zu bytes", arena->max);
    if (prev == NULL || time_floor(p->slot_us, hour) != time_floor(prev->slot_us, hour))
        return ST_OK;
    for (size_t i = 0; i < p->rows.n; i++) {
        const struct cell *cells = rows_at(&p->rows, i);
        if (!coins_find(prev->coins, cell_text(&cells[MARKET_ID]), &row) || row == COINS_NO_ROW)
            continue;
        p->is_unchanged[i] = is_same_row(cells, rows_at(&prev->rows, row));
        p->n_unchanged += p->is_unchanged[i];
    }
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
    return absent ? ST_OK
                  : err_set(err, ST_AGAIN, "transform: no memory within %zu bytes", arena->max);
}

enum st transform_poll(const struct transform_input *in, struct json *json, struct arena *arena,
                       struct poll_rows *ret_rows, struct err *err)
{
    const char *name = in->end->stream->endpoint;
    const struct walk_endpoint *endpoint = find_endpoint(name);
    struct poll_rows p = {.end_offset = in->end->offset, .slot_us = in->end->slot_us};

    if (endpoint == NULL)
        return err_set(err, ST_REJECT, "no transform knows the endpoint \"%s\"", name);
    enum st st = walk_pages(endpoint, in, json, arena, &p, err);
    if (st == ST_OK)
        st = mark_unchanged(&p, in->prev_rows, arena, err);
    if (st == ST_OK && in->end->outcome == POLL_OK && in->prev_ok)
        st = list_absent(&p, in->prev_ok, arena, err);
    if (st == ST_OK)
        *ret_rows = p;
    return st;
}
