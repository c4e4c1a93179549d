/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "sim/inner.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int by_cap(const void *left, const void *right)
{
    const struct coin *a = left, *b = right;

    if (a->cap != b->cap)
        return a->cap < b->cap ? 1 : -1;
    return strcmp(a->text.id, b->text.id);
}

static int by_id(const void *left, const void *right, void *coins)
{
    const struct coin *all = coins;
    const uint32_t *a = left, *b = right;

    return strcmp(all[*a].text.id, all[*b].text.id);
}

/* ---- what its parts ask ---- */

/* Its place in by_id; n_coins: there is none of that id. */
static size_t find_place(const struct market *m, struct str id)
{
    size_t low = 0, high = m->setup.n_coins;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = str_cmp(id, str_of(m->coins[m->by_id[middle]].text.id));
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return m->setup.n_coins;
}

const struct coin *market_find(const struct market *m, struct str id)
{
    const size_t place = find_place(m, id);

    return place < m->setup.n_coins ? &m->coins[m->by_id[place]] : NULL;
}

double market_price(const struct market *m, const struct coin *c, size_t currency, int64_t step)
{
    return coin_price(c, step) / currency_price(&m->currencies, currency, step);
}

/* ---- the store ---- */

struct choice {
    double key;
    uint32_t coin;
};

static int compare_choices(const void *left, const void *right)
{
    const struct choice *a = left, *b = right;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return a->coin < b->coin ? -1 : 1;
}

static double sort_key(const struct market *m, const struct coin *c, size_t place,
                       enum market_order order, int64_t now_us)
{
    int64_t began_us;

    if (order == ORDER_ID_ASC || order == ORDER_ID_DESC)
        return order == ORDER_ID_ASC ? (double)place : -(double)place;
    if (c->life == LIFE_BLANK)
        return INFINITY; /* nulls last */
    const int64_t step = market_step(m, c, now_us, &began_us);
    const double price = coin_price(c, step);
    switch (order) {
    case ORDER_MARKET_CAP_ASC:
        return c->rank > 0 ? price * c->supply : 0;
    case ORDER_VOLUME_DESC:
    case ORDER_VOLUME_ASC: {
        const double volume = market_volume(c, price, step);
        return order == ORDER_VOLUME_ASC ? volume : -volume;
    }
    case ORDER_MARKET_CAP_DESC:
    case ORDER_ID_ASC:
    case ORDER_ID_DESC:
        break;
    }
    return c->rank > 0 ? -price * c->supply : 0;
}

enum st market_no_room(struct err *err)
{
    return err_set(err, ST_AGAIN, "simulated market: no memory for this answer");
}

struct choices {
    const struct market *m;
    const struct market_query *args;
    int64_t now_us;
    struct choice *list;
    size_t n;
};

static void choose(struct choices *chosen, size_t place)
{
    const uint32_t coin = chosen->m->by_id[place];
    const struct coin *c = &chosen->m->coins[coin];
    const struct market_query *args = chosen->args;
    const struct cell rank = c->rank > 0 ? cell_of_int(c->rank) : CELL_NONE;

    if (args->filter && args->filter->is_out(args->filter, str_of(c->text.id), &rank))
        return;
    chosen->list[chosen->n++] =
        (struct choice){sort_key(chosen->m, c, place, args->order, chosen->now_us), coin};
}

static bool is_first(const struct market_query *args, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (str_eq(args->ids[k], args->ids[i]))
            return false;
    return true;
}

/* In their order, of all pages. False when the arena is full. */
static bool choose_coins(struct choices *chosen, struct arena *arena)
{
    const struct market *m = chosen->m;
    const struct market_query *args = chosen->args;
    const size_t n_coins = m->setup.n_coins;

    chosen->list =
        arena_alloc(arena, args->n_ids > 0 ? args->n_ids : n_coins, sizeof(*chosen->list));
    if (!chosen->list)
        return false;
    for (size_t i = 0; i < args->n_ids; i++) {
        const size_t place = find_place(m, args->ids[i]);
        if (place < n_coins && is_first(args, i))
            choose(chosen, place);
    }
    for (size_t place = 0; args->n_ids == 0 && place < n_coins; place++)
        if (args->category.len == 0 ||
            market_is_in_category(&m->coins[m->by_id[place]], args->category))
            choose(chosen, place);
    qsort(chosen->list, chosen->n, sizeof(*chosen->list), compare_choices);
    return true;
}

static enum st market_rows(struct query *q, const struct market_query *args, struct arena *arena,
                           struct rows *ret_rows, struct err *err)
{
    const struct market *m = q->state;
    struct choices chosen = {
        .m = m, .args = args, .now_us = args->at_us ? args->at_us : clock_wall_us(m->setup.clock)};
    const size_t currency = currency_find(args->vs_currency);
    size_t from = 0;

    *ret_rows = (struct rows){.table = &market_table};
    if (currency == N_CURRENCIES)
        return ST_OK;
    if (!choose_coins(&chosen, arena))
        return market_no_room(err);
    size_t n = chosen.n;
    if (args->per_page > 0) {
        from = (size_t)(args->page > 0 ? args->page - 1 : 0) * args->per_page;
        n = from >= n ? 0 : n - from;
        n = n > args->per_page ? args->per_page : n;
    }
    ret_rows->cells = arena_zalloc(arena, n > 0 ? n : 1, N_MARKET_COLUMNS * sizeof(struct cell));
    if (!ret_rows->cells)
        return market_no_room(err);
    ret_rows->n = n;
    for (size_t i = 0; i < n; i++)
        if (!market_fill_row(m, &m->coins[chosen.list[from + i].coin], currency, chosen.now_us,
                             args, arena, rows_at(ret_rows, i)))
            return market_no_room(err);
    return ST_OK;
}

static enum st market_coins(struct query *q, struct arena *arena, struct rows *ret_rows,
                            struct err *err)
{
    const struct market *m = q->state;

    *ret_rows = (struct rows){.table = &coin_table, .n = m->setup.n_coins};
    ret_rows->cells = arena_zalloc(arena, ret_rows->n, N_COIN_COLUMNS * sizeof(struct cell));
    if (!ret_rows->cells)
        return market_no_room(err);
    for (size_t i = 0; i < ret_rows->n; i++) {
        const struct coin_name *text = &m->coins[m->by_id[i]].text;
        struct cell *row = rows_at(ret_rows, i);
        row[COIN_ID] = cell_of_text(str_of(text->id));
        row[COIN_SYMBOL] = cell_of_text(str_of(text->symbol));
        row[COIN_NAME] = cell_of_text(str_of(text->name));
    }
    return ST_OK;
}

static enum st market_currencies(struct query *q, struct arena *arena, struct str **ret_currencies,
                                 size_t *ret_n, struct err *err)
{
    struct str *names = arena_alloc(arena, N_CURRENCIES, sizeof(*names));

    (void)q;
    if (!names)
        return market_no_room(err);
    for (size_t i = 0; i < N_CURRENCIES; i++)
        names[i] = str_of(currency_name(i));
    *ret_currencies = names;
    *ret_n = N_CURRENCIES;
    return ST_OK;
}

/* The market is its owner's: market_free(). */
static void market_close(struct query *q)
{
    (void)q;
}

static const struct query_driver market_driver = {
    .market = market_rows,
    .coins = market_coins,
    .currencies = market_currencies,
    .has_category = market_has_category,
    .global = market_global,
    .series = market_series,
    .ohlc = market_ohlc,
    .info = market_info,
    .inactive = market_inactive,
    .newest = market_newest,
    .categories = market_categories,
    .platforms = market_platforms,
    .has_past = true,
    .has_contracts = true,
    .close = market_close,
};

struct market *market_new(const struct market_setup *setup)
{
    struct market *m = mem_new(1, sizeof(*m));
    const uint32_t n = setup->n_coins;
    uint32_t rank = 0;

    assert(n > 0 && n <= NAMES_MAX);
    m->setup = *setup;
    m->setup.speed = setup->speed > 0 ? setup->speed : 1;
    m->query = (struct query){.driver = &market_driver, .state = m};
    m->coins = mem_new(n, sizeof(*m->coins));
    m->by_id = mem_new(n, sizeof(*m->by_id));
    for (uint32_t i = 0; i < n; i++)
        coin_make(&m->coins[i], i, setup->seed);
    qsort(m->coins, n, sizeof(*m->coins), by_cap);
    for (uint32_t i = 0; i < n; i++) {
        struct coin *c = &m->coins[i];
        /* the tail is full of coins whose supply nobody has checked */
        bool is_ranked = i < 60 || (c->life != LIFE_BLANK &&
                                    coin_roll(c, DICE_RANKED) > (i > n - n / 10 ? 0.6 : 0.02));
        c->rank = is_ranked ? ++rank : 0;
        m->by_id[i] = i;
    }
    qsort_r(m->by_id, n, sizeof(*m->by_id), by_id, m->coins);
    currencies_init(&m->currencies, m->coins, n);
    return m;
}

void market_free(struct market *m)
{
    if (!m)
        return;
    mem_free(m->by_id);
    mem_free(m->coins);
    mem_free(m);
}

struct query *market_query(struct market *m)
{
    return &m->query;
}
