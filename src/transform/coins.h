/* Coin ids of a poll and where each stands. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_COINS_H
#define TRANSFORM_COINS_H

#include "base/arena.h"

#define COINS_NO_ROW UINT32_MAX          /* seen, but its row was refused */
#define COINS_MAX    (64u * 1024 * 1024) /* far above what fits any tape record */

struct coin_index;

/* For at most max_coins coins, itself at most COINS_MAX; NULL when the arena is full. */
struct coin_index *coins_new(struct arena *arena, size_t max_coins);

/* Note that coin `id` stands in `row`. False when it was there already (nothing changes). id is
 * borrowed. */
bool coins_add(struct coin_index *coins, struct str id, uint32_t row);

/* False when the coin was not seen; *ret_row may be COINS_NO_ROW. */
bool coins_find(const struct coin_index *coins, struct str id, uint32_t *ret_row);

/* In the order they were added. */
size_t coins_count(const struct coin_index *coins);
struct str coins_id(const struct coin_index *coins, size_t i);

#endif
