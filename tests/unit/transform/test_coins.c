/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/coins.h"

#include "tap.h"

static void a_coin_is_found_where_it_was_put_first(void)
{
    struct arena arena;
    struct coin_index *coins;
    uint32_t row;

    arena_init(&arena, (size_t)1 << 20);
    coins = coins_new(&arena, 3);
    CHECK(coins);
    CHECK(coins_add(coins, STR("bitcoin"), 7));
    CHECK(coins_add(coins, STR("-x"), COINS_NO_ROW));
    CHECK(!coins_add(coins, STR("bitcoin"), 9));
    CHECK(coins_find(coins, STR("bitcoin"), &row));
    CHECK_EQ(row, 7);
    CHECK(coins_find(coins, STR("-x"), &row));
    CHECK_EQ(row, COINS_NO_ROW);
    CHECK(!coins_find(coins, STR("bitcoi"), &row));
    CHECK(!coins_find(coins, STR(""), &row));
    CHECK_EQ(coins_count(coins), 2);
    CHECK_STR(coins_id(coins, 1), "-x");
    arena_release(&arena);
}

static void a_whole_market_fits(void)
{
    static char ids[20000][8];
    struct arena arena;
    struct coin_index *coins;

    arena_init(&arena, (size_t)4 << 20);
    coins = coins_new(&arena, 20000);
    CHECK(coins);
    for (uint32_t i = 0; i < 20000; i++) {
        snprintf(ids[i], sizeof(ids[i]), "%u", i);
        CHECK(coins_add(coins, str_of(ids[i]), i));
    }
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t row;
        CHECK(coins_find(coins, str_of(ids[i]), &row));
        CHECK_EQ(row, i);
    }
    arena_release(&arena);
}

static void no_coins_need_no_room(void)
{
    struct arena arena;
    uint32_t row;

    arena_init(&arena, (size_t)1 << 20);
    CHECK(coins_new(&arena, 0));
    CHECK(!coins_find(coins_new(&arena, 0), STR("a"), &row));
    CHECK(coins_new(&arena, (size_t)COINS_MAX + 1) == NULL);
    CHECK(coins_new(&arena, 100000) == NULL);
    arena_release(&arena);
}

TAP_MAIN(TAP_CASE(a_coin_is_found_where_it_was_put_first), TAP_CASE(a_whole_market_fits),
         TAP_CASE(no_coins_need_no_room))
