/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/inner.h"
#include "sim/number.h"

#define N_SHARES  10 /* coins whose part of the whole is told */
#define GLOBAL_US (600 * US_PER_S)
#define N_FIGURES (8 + 2 * N_CURRENCIES + N_SHARES)

struct figures {
    struct arena *arena;
    struct figure *list;
    size_t n;
    bool is_full; /* the arena */
};

/* What all coins are worth at a step, and what is traded, in usd. */
struct whole {
    double cap, volume;
};

static void add(struct figures *f, const char *name, const char *part, struct cell value)
{
    f->list[f->n++] = (struct figure){.name = str_of(name), .part = str_of(part), .value = value};
}

static void add_float(struct figures *f, const char *name, const char *part, double value)
{
    struct cell cell = CELL_NONE;

    f->is_full |= !number_cell(number_float, value, f->arena, &cell);
    add(f, name, part, cell);
}

static struct whole add_up(const struct market *m, int64_t now_us)
{
    struct whole whole = {0, 0};
    int64_t began_us;

    for (size_t i = 0; i < m->setup.n_coins; i++) {
        const struct coin *c = &m->coins[i];
        const int64_t step = market_step(m, c, now_us, &began_us);
        const double price = coin_price(c, step);
        whole.cap += c->rank > 0 ? price * c->supply : 0;
        whole.volume += c->life == LIFE_BLANK ? 0 : market_volume(c, price, step);
    }
    return whole;
}

static void add_parts(const struct market *m, struct figures *f, const struct whole *now,
                      int64_t now_us)
{
    int64_t began_us;
    const int64_t step = market_step(m, &m->coins[0], now_us, &began_us);

    for (size_t i = 0; i < N_CURRENCIES; i++)
        add_float(f, "total_market_cap", currency_name(i),
                  now->cap / currency_price(&m->currencies, i, step));
    for (size_t i = 0; i < N_CURRENCIES; i++)
        add_float(f, "total_volume", currency_name(i),
                  now->volume / currency_price(&m->currencies, i, step));
    for (size_t i = 0; i < N_SHARES && i < m->setup.n_coins; i++) {
        const struct coin *c = &m->coins[i];
        const double price = coin_price(c, market_step(m, c, now_us, &began_us));
        add_float(f, "market_cap_percentage", c->text.symbol, price * c->supply / now->cap * 100);
    }
}

enum st market_global(struct query *q, struct arena *arena, struct figure **ret_figures,
                      size_t *ret_n, struct err *err)
{
    const struct market *m = q->state;
    /* CoinGecko makes it anew every ten minutes */
    const int64_t now_us = time_floor(clock_wall_us(m->setup.clock), GLOBAL_US);
    struct figures f = {.arena = arena,
                        .list = arena_alloc(arena, N_FIGURES, sizeof(struct figure))};

    if (!f.list)
        return market_no_room(err);
    const struct whole now = add_up(m, now_us), before = add_up(m, now_us - DAY_US);
    add(&f, "active_cryptocurrencies", NULL, cell_of_int(m->setup.n_coins));
    add(&f, "upcoming_icos", NULL, cell_of_int(0));
    add(&f, "ongoing_icos", NULL, cell_of_int(49));
    add(&f, "ended_icos", NULL, cell_of_int(3376));
    add(&f, "markets", NULL, cell_of_int(1476));
    add_parts(m, &f, &now, now_us);
    add_float(&f, "market_cap_change_percentage_24h_usd", NULL, (now.cap / before.cap - 1) * 100);
    add_float(&f, "volume_change_percentage_24h_usd", NULL, (now.volume / before.volume - 1) * 100);
    add(&f, "updated_at", NULL, cell_of_int(now_us / US_PER_S));
    if (f.is_full)
        return market_no_room(err);
    *ret_figures = f.list;
    *ret_n = f.n;
    return ST_OK;
}
