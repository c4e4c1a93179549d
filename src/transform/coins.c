/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/coins.h"

#include <assert.h>
#include <xxhash.h>

struct coin {
    struct str id;
    uint64_t hash;
    uint32_t row;
};

/* Open addressing: a slot holds the number of a coin plus one, 0 when it is free. At most half of
 * the slots are taken, so that a search ends soon. */
struct coin_index {
    struct coin *coins; /* in the order they were added */
    size_t n, max;
    uint32_t *slots;
    size_t n_slots; /* a power of two */
};

struct coin_index *coins_new(struct arena *arena, size_t max_coins)
{
    size_t n_slots = 16;

    if (max_coins > COINS_MAX)
        return NULL;
    while (n_slots < 2 * max_coins)
        n_slots *= 2;
    struct coin_index *c = arena_zalloc(arena, 1, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->coins = arena_alloc(arena, max_coins, sizeof(*c->coins));
    c->slots = arena_zalloc(arena, n_slots, sizeof(*c->slots));
    c->max = max_coins;
    c->n_slots = n_slots;
    return c->coins && c->slots ? c : NULL;
}

/* The slot that holds id, or the free one where it belongs. */
static uint32_t *find_slot(const struct coin_index *c, struct str id, uint64_t hash)
{
    size_t mask = c->n_slots - 1, at = (size_t)hash & mask;

    while (c->slots[at] != 0) {
        const struct coin *coin = &c->coins[c->slots[at] - 1];
        if (coin->hash == hash && str_eq(coin->id, id))
            break;
        at = (at + 1) & mask;
    }
    return &c->slots[at];
}

bool coins_add(struct coin_index *coins, struct str id, uint32_t row)
{
    uint64_t hash = XXH3_64bits(id.p, id.len);
    uint32_t *slot = find_slot(coins, id, hash);

    if (*slot != 0)
        return false;
    assert(coins->n < coins->max);
    coins->coins[coins->n++] = (struct coin){.id = id, .hash = hash, .row = row};
    *slot = (uint32_t)coins->n;
    return true;
}

bool coins_find(const struct coin_index *coins, struct str id, uint32_t *ret_row)
{
    const uint32_t *slot = find_slot(coins, id, XXH3_64bits(id.p, id.len));

    if (*slot == 0)
        return false;
    *ret_row = coins->coins[*slot - 1].row;
    return true;
}

size_t coins_count(const struct coin_index *coins)
{
    return coins->n;
}

struct str coins_id(const struct coin_index *coins, size_t i)
{
    return coins->coins[i].id;
}
