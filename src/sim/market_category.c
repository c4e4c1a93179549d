/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/inner.h"
#include "sim/number.h"

#include <stdlib.h>

#define N_CATEGORIES 5
#define N_TOP        3
#define FRESH_US     (300 * US_PER_S) /* CoinGecko makes them anew every five minutes */

/* Made-up coins are shared out by lot: of ten, the first of them, then the next. */
static const struct {
    const char *id, *name, *content;
    unsigned to; /* of ten; 0: well-known coins */
    bool is_stable;
} table[N_CATEGORIES] = {
    {"decentralized-finance-defi", "Decentralized Finance (DeFi)", "Coins of simulated finance.", 3,
     false},
    {"meme-token", "Meme", "Coins of simulated fun.", 5, false},
    {"artificial-intelligence", "Artificial Intelligence (AI)", NULL, 6, false},
    {"layer-1", "Layer 1 (L1)", "Well-known coins at simulated prices.", 0, false},
    {"stablecoins", "Stablecoins", "Coins of about one simulated dollar.", 0, true},
};

/* N_CATEGORIES: in none. */
static size_t category_of(const struct coin *c)
{
    const unsigned lot = (unsigned)(c->hash >> 32) % 10;
    const bool is_known = c->text.price > 0;
    size_t i = 0;

    while (i < N_CATEGORIES &&
           (is_known ? table[i].to > 0 || table[i].is_stable != coin_is_stable(c)
                     : lot >= table[i].to))
        i++;
    return i;
}

static size_t category_find(struct str id)
{
    size_t i = 0;

    while (i < N_CATEGORIES && !str_eq(id, str_of(table[i].id)))
        i++;
    return i;
}

bool market_is_in_category(const struct coin *c, struct str category)
{
    const size_t i = category_of(c);

    return i < N_CATEGORIES && i == category_find(category);
}

struct str market_category_of(const struct coin *c)
{
    const size_t i = category_of(c);

    return i < N_CATEGORIES ? str_of(table[i].name) : STR_NONE;
}

bool market_has_category(struct query *q, struct str category)
{
    (void)q;
    return category_find(category) < N_CATEGORIES;
}

/* What the coins of a category are worth together, in usd. */
struct sum {
    double cap, cap_24h_ago, volume;
    const struct coin *top[N_TOP]; /* by rank */
    size_t n_top;
};

static void add_coin(const struct market *m, const struct coin *c, int64_t now_us, struct sum *sum)
{
    int64_t began_us;
    const int64_t step = market_step(m, c, now_us, &began_us);
    const double price = coin_price(c, step);

    if (c->life == LIFE_BLANK)
        return;
    sum->volume += market_volume(c, price, step);
    if (c->rank == 0)
        return;
    sum->cap += price * c->supply;
    sum->cap_24h_ago += coin_price(c, market_step(m, c, now_us - DAY_US, &began_us)) * c->supply;
    if (sum->n_top < N_TOP)
        sum->top[sum->n_top++] = c;
}

/* An empty one has no figures. False when the arena is full. */
static bool fill(const struct sum *sum, int64_t now_us, struct arena *arena,
                 struct category *category)
{
    category->updated_us = now_us;
    category->n_top = sum->n_top;
    for (size_t i = 0; i < sum->n_top; i++) {
        category->top_ids[i] = str_of(sum->top[i]->text.id);
        if (!market_image(sum->top[i], arena, &category->top_images[i]))
            return false;
    }
    if (sum->n_top == 0)
        return true;
    return number_cell(number_float, sum->cap, arena, &category->market_cap) &&
           number_cell(number_float, (sum->cap / sum->cap_24h_ago - 1) * 100, arena,
                       &category->market_cap_change_24h) &&
           number_cell(number_float, sum->volume, arena, &category->volume_24h);
}

enum st market_categories(struct query *q, struct arena *arena, struct category **ret_categories,
                          size_t *ret_n, struct err *err)
{
    const struct market *m = q->state;
    const int64_t now_us = time_floor(clock_wall_us(m->setup.clock), FRESH_US);
    struct category *list = arena_zalloc(arena, N_CATEGORIES, sizeof(*list));
    struct sum sums[N_CATEGORIES] = {0};

    if (!list)
        return market_no_room(err);
    for (size_t i = 0; i < m->setup.n_coins; i++) {
        const size_t category = category_of(&m->coins[i]);
        if (category < N_CATEGORIES)
            add_coin(m, &m->coins[i], now_us, &sums[category]);
    }
    for (size_t i = 0; i < N_CATEGORIES; i++) {
        list[i].id = str_of(table[i].id);
        list[i].name = str_of(table[i].name);
        list[i].content = str_of(table[i].content);
        if (!fill(&sums[i], now_us, arena, &list[i]))
            return market_no_room(err);
    }
    *ret_categories = list;
    *ret_n = N_CATEGORIES;
    return ST_OK;
}
