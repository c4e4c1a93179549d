/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/inner.h"

#include <stdio.h>
#include <stdlib.h>

#define N_NEWEST        200
#define N_INACTIVE      50
#define N_PLATFORMS     7
#define MAX_CONTRACTS   2
#define GENESIS_BITCOIN INT64_C(1230940800000000) /* 2009-01-03 */

/* Ids, names and chain numbers are facts. */
static const struct {
    const char *id, *name, *shortname, *coin;
    int64_t chain;
    unsigned image;
    bool is_hex; /* its addresses are 0x and 40 hex digits */
    int64_t decimals;
} platforms[N_PLATFORMS] = {
    {"ethereum", "Ethereum", "Ethereum", "ethereum", 1, 279, true, 18},
    {"binance-smart-chain", "BNB Smart Chain", "BSC", "binancecoin", 56, 1, true, 18},
    {"base", "Base", "base", "ethereum", 8453, 131, true, 18},
    {"arbitrum-one", "Arbitrum One", "Arbitrum", "ethereum", 42161, 33, true, 18},
    {"avalanche", "Avalanche", "AVAX", "avalanche-2", 43114, 12, true, 18},
    {"solana", "Solana", "Solana", "solana", -1, 5, false, 9},
    {"tron", "TRON", "", "tron", -1, 1094, false, 6},
};

/* ---- contracts ---- */

/* An address of the right form, which never was. */
static bool make_address(const struct coin *c, size_t platform, struct arena *arena,
                         struct str *ret_address)
{
    static const char hex[] = "0123456789abcdef";
    static const char base58[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    const bool is_hex = platforms[platform].is_hex;
    char text[48] = "0x";
    const size_t from = is_hex ? 2 : 0, to = is_hex ? 42 : 44;
    uint64_t dice = 0;

    for (size_t i = from; i < to; i++) {
        dice = mix(c->hash ^ mix(platform * 64 + i));
        text[i] = is_hex ? hex[dice % 16] : base58[dice % 58];
    }
    *ret_address = arena_str(arena, (struct str){text, to});
    return ret_address->p != NULL;
}

/* Well-known coins have chains of their own here; the others are tokens of one platform or two. */
static bool add_contracts(const struct coin *c, struct arena *arena, struct coin_info *info)
{
    struct coin_contract *list = arena_zalloc(arena, MAX_CONTRACTS, sizeof(*list));
    const size_t n = c->text.price > 0 ? 1 : 1 + c->hash % MAX_CONTRACTS;

    if (!list)
        return false;
    for (size_t i = 0; i < n; i++) {
        const size_t platform = (c->hash / 8 + i * 3) % N_PLATFORMS;
        list[i] = (struct coin_contract){STR(""), STR(""), -1};
        if (c->text.price > 0)
            continue;
        list[i].platform = str_of(platforms[platform].id);
        list[i].decimals = platforms[platform].decimals;
        if (!make_address(c, platform, arena, &list[i].address))
            return false;
    }
    info->contracts = list;
    info->n_contracts = n;
    return true;
}

static bool add_categories(const struct coin *c, struct arena *arena, struct coin_info *info)
{
    struct str *name = arena_alloc(arena, 1, sizeof(*name));

    if (!name)
        return false;
    *name = market_category_of(c);
    info->categories = name;
    info->n_categories = name->len > 0;
    return true;
}

static bool add_texts(const struct coin *c, struct arena *arena, struct coin_info *info)
{
    char text[2 * NAMES_TEXT];
    int len = snprintf(text, sizeof(text), "%s on a simulated market: no price here is real.",
                       c->text.name);

    info->id = str_of(c->text.id);
    info->symbol = str_of(c->text.symbol);
    info->name = str_of(c->text.name);
    info->homepage = STR("https://example.com/");
    info->description = arena_str(arena, (struct str){text, (size_t)len});
    return info->description.p && market_image(c, arena, &info->image);
}

enum st market_info(struct query *q, struct str id, struct arena *arena, struct coin_info *ret_info,
                    bool *ret_is_known, struct err *err)
{
    const struct coin *c = market_find(q->state, id);
    struct coin_info info = {.genesis_us = INT64_MIN};

    *ret_is_known = c != NULL;
    if (!c)
        return ST_OK;
    if (str_eq(id, STR("bitcoin")))
        info.genesis_us = GENESIS_BITCOIN;
    if (!add_texts(c, arena, &info) || !add_contracts(c, arena, &info) ||
        !add_categories(c, arena, &info))
        return market_no_room(err);
    *ret_info = info;
    return ST_OK;
}

/* ---- lists ---- */

static bool add_name(const struct coin_name *text, struct arena *arena, struct cell *row)
{
    const struct str id = arena_str(arena, str_of(text->id));
    const struct str symbol = arena_str(arena, str_of(text->symbol));
    const struct str name = arena_str(arena, str_of(text->name));

    row[COIN_ID] = cell_of_text(id);
    row[COIN_SYMBOL] = cell_of_text(symbol);
    row[COIN_NAME] = cell_of_text(name);
    return id.p && symbol.p && name.p;
}

static int by_row_id(const void *left, const void *right)
{
    const struct cell *a = left, *b = right;

    return str_cmp(cell_text(&a[COIN_ID]), cell_text(&b[COIN_ID]));
}

/* Coins that the market would have if it were larger. */
enum st market_inactive(struct query *q, struct arena *arena, struct rows *ret_rows,
                        struct err *err)
{
    const struct market *m = q->state;
    const uint32_t n_coins = m->setup.n_coins;
    const uint32_t n = NAMES_MAX - n_coins < N_INACTIVE ? NAMES_MAX - n_coins : N_INACTIVE;
    struct coin_name text;

    *ret_rows = (struct rows){.table = &coin_table, .n = n};
    ret_rows->cells = arena_zalloc(arena, n + 1, N_COIN_COLUMNS * sizeof(struct cell));
    if (!ret_rows->cells)
        return market_no_room(err);
    for (uint32_t i = 0; i < n; i++) {
        names_make(n_coins + i, m->setup.seed, &text);
        if (!add_name(&text, arena, rows_at(ret_rows, i)))
            return market_no_room(err);
    }
    qsort(ret_rows->cells, n, N_COIN_COLUMNS * sizeof(struct cell), by_row_id);
    return ST_OK;
}

struct listing {
    int64_t listed_us;
    const struct coin *coin;
};

static int newest_first(const void *left, const void *right)
{
    const struct listing *a = left, *b = right;

    if (a->listed_us != b->listed_us)
        return a->listed_us > b->listed_us ? -1 : 1;
    return strcmp(a->coin->text.id, b->coin->text.id);
}

enum st market_newest(struct query *q, struct arena *arena, struct rows *ret_rows, struct err *err)
{
    const struct market *m = q->state;
    const size_t n = m->setup.n_coins < N_NEWEST ? m->setup.n_coins : N_NEWEST;
    const int64_t now_us = clock_wall_us(m->setup.clock);
    struct listing *all = arena_alloc(arena, m->setup.n_coins, sizeof(*all));

    *ret_rows = (struct rows){.table = &new_coin_table, .n = n};
    ret_rows->cells = arena_zalloc(arena, n, N_NEW_COIN_COLUMNS * sizeof(struct cell));
    if (!all || !ret_rows->cells)
        return market_no_room(err);
    for (size_t i = 0; i < m->setup.n_coins; i++)
        all[i] = (struct listing){coin_listed(&m->coins[i], now_us), &m->coins[i]};
    qsort(all, m->setup.n_coins, sizeof(*all), newest_first);
    for (size_t i = 0; i < n; i++) {
        struct cell *row = rows_at(ret_rows, i);
        if (!add_name(&all[i].coin->text, arena, row))
            return market_no_room(err);
        row[NEW_COIN_ACTIVATED_AT] = cell_of_time(all[i].listed_us);
    }
    return ST_OK;
}

enum st market_platforms(struct query *q, struct arena *arena, struct platform **ret_platforms,
                         size_t *ret_n, struct err *err)
{
    struct platform *list = arena_zalloc(arena, N_PLATFORMS, sizeof(*list));
    char url[128];

    (void)q;
    if (!list)
        return market_no_room(err);
    for (size_t i = 0; i < N_PLATFORMS; i++) {
        int len = snprintf(
            url, sizeof(url),
            "https://coin-images.coingecko.com/asset_platforms/images/%u/large/%s.png?1706606708",
            platforms[i].image, platforms[i].id);
        list[i] = (struct platform){
            .id = str_of(platforms[i].id),
            .name = str_of(platforms[i].name),
            .shortname = str_of(platforms[i].shortname),
            .native_coin_id = str_of(platforms[i].coin),
            .image = arena_str(arena, (struct str){url, (size_t)len}),
            .chain = platforms[i].chain,
        };
        if (!list[i].image.p)
            return market_no_room(err);
    }
    *ret_platforms = list;
    *ret_n = N_PLATFORMS;
    return ST_OK;
}
