/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/market.h"
#include "tap.h"

#define NOW INT64_C(1795444200123456) /* 2026-11-23T14:30:00.123456Z */
#define DAY (86400 * US_PER_S)

static int64_t now_us;

static int64_t get_now(struct clock *c)
{
    (void)c;
    return now_us;
}

static struct clock test_clock = {.wall_us = get_now, .mono_us = get_now};
static struct market *market;
static struct query *q;
static struct arena arena;
static struct rows rows;
static struct err err;

static void start(uint32_t n_coins)
{
    const struct market_setup setup = {
        .n_coins = n_coins, .seed = 1, .speed = 1, .clock = &test_clock};

    now_us = NOW;
    market = market_new(&setup);
    q = market_query(market);
    arena_init(&arena, 64u * 1024 * 1024);
}

static void stop(void)
{
    market_free(market);
    arena_release(&arena);
}

static double value(const struct cell *c)
{
    return c->kind == CELL_NUM ? strtod(c->text, NULL) : -1;
}

/* The row of bitcoin, with what args adds; NULL when it is not there. */
static const struct cell *bitcoin(struct market_query args)
{
    static const struct str id[] = {STR("bitcoin"), STR("bitcoin"), STR("nobody")};

    args.vs_currency = STR("usd");
    args.ids = id;
    args.n_ids = 3;
    args.page = 1;
    if (q->driver->market(q, &args, &arena, &rows, &err) != ST_OK || rows.n != 1)
        return NULL;
    return rows_at(&rows, 0);
}

static void the_past_is_what_was_seen_then(void)
{
    start(200);
    const struct cell *then = bitcoin((struct market_query){.at_us = NOW - 30 * DAY});
    now_us = NOW - 30 * DAY;
    const struct cell *seen = bitcoin((struct market_query){.at_us = 0});
    CHECK(then && seen);
    for (size_t i = 0; i < N_MARKET_COLUMNS; i++)
        CHECK(cell_equal(&then[i], &seen[i]));
    now_us = NOW;
    const struct cell *before = bitcoin((struct market_query){.at_us = 1});
    CHECK(before && before[MARKET_CURRENT_PRICE].kind == CELL_NULL); /* not listed in 1970 */
    stop();
}

static void figures_come_in_full_when_asked(void)
{
    start(200);
    const struct cell *plain = bitcoin((struct market_query){.at_us = 0});
    CHECK(plain && plain[MARKET_SPARKLINE_IN_7D].kind == CELL_NULL);
    CHECK_EQ(plain[MARKET_RANK_WITH_REHYPOTHECATED].kind, CELL_NULL);
    double price = value(&plain[MARKET_CURRENT_PRICE]), cap = value(&plain[MARKET_MARKET_CAP]);
    const struct cell *full = bitcoin((struct market_query){.has_full_prices = true,
                                                            .has_full_sizes = true,
                                                            .has_sparkline = true,
                                                            .has_rehypothecated = true});
    CHECK(full != NULL);
    double exact = value(&full[MARKET_CURRENT_PRICE]);
    CHECK(exact != price && exact > price - 1 && exact < price + 1);
    CHECK(memchr(full[MARKET_MARKET_CAP].text, '.', full[MARKET_MARKET_CAP].len) != NULL);
    CHECK(value(&full[MARKET_MARKET_CAP]) > cap - 1 && value(&full[MARKET_MARKET_CAP]) < cap + 1);
    CHECK_EQ(full[MARKET_RANK_WITH_REHYPOTHECATED].number, full[MARKET_MARKET_CAP_RANK].number);
    struct str sparks = cell_text(&full[MARKET_SPARKLINE_IN_7D]);
    size_t n_commas = 0;
    for (size_t i = 0; i < sparks.len; i++)
        n_commas += sparks.p[i] == ',';
    CHECK_EQ(n_commas, 167);
    CHECK(sparks.p[0] == '[' && sparks.p[sparks.len - 1] == ']');
    /* the last one is the price of now */
    const char *last = memrchr(sparks.p, ',', sparks.len);
    CHECK(strtod(last + 1, NULL) == exact);
    stop();
}

static void coins_have_descriptions_and_contracts(void)
{
    struct coin_info info;
    size_t n_own = 0, n_tokens = 0, n_in_category = 0;
    struct rows coins;
    bool is_known;

    start(500);
    CHECK_OK(q->driver->info(q, STR("nobody"), &arena, &info, &is_known, &err), err);
    CHECK(!is_known);
    CHECK_OK(q->driver->coins(q, &arena, &coins, &err), err);
    for (size_t i = 0; i < coins.n; i++) {
        const struct str id = cell_text(&rows_at(&coins, i)[COIN_ID]);
        CHECK_OK(q->driver->info(q, id, &arena, &info, &is_known, &err), err);
        CHECK(is_known && str_eq(info.id, id) && info.description.len > 0);
        CHECK(info.n_contracts >= 1 && info.n_contracts <= 2 && info.n_categories <= 1);
        for (size_t k = 0; k < info.n_contracts; k++) {
            const struct coin_contract *contract = &info.contracts[k];
            n_own += contract->platform.len == 0;
            n_tokens += contract->platform.len > 0;
            CHECK(contract->platform.len == 0 || contract->address.len == 42 ||
                  contract->address.len == 44);
        }
        CHECK(info.n_contracts < 2 ||
              !str_eq(info.contracts[0].platform, info.contracts[1].platform));
        n_in_category += info.n_categories;
    }
    CHECK(n_own > 40 && n_own < 60 && n_tokens > 400);
    CHECK(n_in_category > 200 && n_in_category < 450);
    stop();
}

static void gone_coins_are_not_on_the_market(void)
{
    struct coin_info info;
    bool is_known;

    start(500);
    CHECK_OK(q->driver->inactive(q, &arena, &rows, &err), err);
    CHECK_EQ(rows.n, 50);
    for (size_t i = 0; i < rows.n; i++) {
        const struct str id = cell_text(&rows_at(&rows, i)[COIN_ID]);
        CHECK_OK(q->driver->info(q, id, &arena, &info, &is_known, &err), err);
        CHECK(!is_known);
        CHECK(i == 0 || str_cmp(cell_text(&rows_at(&rows, i - 1)[COIN_ID]), id) < 0);
    }
    stop();
    start(20000);
    CHECK_OK(q->driver->inactive(q, &arena, &rows, &err), err);
    CHECK_EQ(rows.n, 0);
    stop();
}

static void new_coins_come_newest_first(void)
{
    start(5000);
    CHECK_OK(q->driver->newest(q, &arena, &rows, &err), err);
    CHECK_EQ(rows.n, 200);
    for (size_t i = 0; i < rows.n; i++) {
        const int64_t listed_us = rows_at(&rows, i)[NEW_COIN_ACTIVATED_AT].number;
        CHECK(listed_us <= NOW);
        CHECK(i == 0 || listed_us <= rows_at(&rows, i - 1)[NEW_COIN_ACTIVATED_AT].number);
    }
    CHECK(rows_at(&rows, 0)[NEW_COIN_ACTIVATED_AT].number > NOW - DAY);
    stop();
    start(3);
    CHECK_OK(q->driver->newest(q, &arena, &rows, &err), err);
    CHECK_EQ(rows.n, 3);
    stop();
}

static void categories_add_up_their_coins(void)
{
    struct category *list;
    struct platform *platforms;
    size_t n, n_platforms;

    start(300);
    now_us = time_floor(NOW, 300 * US_PER_S); /* when they are made */
    CHECK_OK(q->driver->categories(q, &arena, &list, &n, &err), err);
    CHECK(n >= 4);
    for (size_t i = 0; i < n; i++) {
        const struct market_query args = {
            .vs_currency = STR("usd"), .category = list[i].id, .page = 1, .has_full_sizes = true};
        double cap = 0;
        CHECK(q->driver->has_category(q, list[i].id));
        CHECK_OK(q->driver->market(q, &args, &arena, &rows, &err), err);
        CHECK(rows.n > 0 && list[i].n_top > 0);
        for (size_t k = 0; k < rows.n; k++)
            if (rows_at(&rows, k)[MARKET_MARKET_CAP].kind == CELL_NUM)
                cap += value(&rows_at(&rows, k)[MARKET_MARKET_CAP]);
        CHECK(value(&list[i].market_cap) > cap * 0.999 && value(&list[i].market_cap) < cap * 1.001);
        CHECK(list[i].updated_us <= now_us);
    }
    CHECK_OK(q->driver->platforms(q, &arena, &platforms, &n_platforms, &err), err);
    CHECK(n_platforms > 3);
    stop();
}

static void an_empty_category_has_no_figures(void)
{
    struct category *list;
    size_t n, n_empty = 0;

    start(1); /* bitcoin alone */
    CHECK_OK(q->driver->categories(q, &arena, &list, &n, &err), err);
    for (size_t i = 0; i < n; i++)
        if (list[i].n_top == 0) {
            CHECK_EQ(list[i].market_cap.kind, CELL_NULL);
            n_empty++;
        }
    CHECK_EQ(n_empty, n - 1);
    stop();
}

static void answers_say_again_when_the_arena_is_full(void)
{
    struct category *list;
    struct platform *platforms;
    struct figure *figures;
    struct coin_info info;
    struct arena small;
    bool is_known;
    size_t n;

    start(300);
    for (size_t max = 100; max < 256u * 1024; max *= 2) {
        const bool is_enough = max > 64000;
        arena_init(&small, max);
#define CHECK_ENDS(call)                      \
    do {                                      \
        enum st st = (call);                  \
        CHECK(st == ST_OK || st == ST_AGAIN); \
        CHECK(st == ST_OK || !is_enough);     \
        arena_reset(&small);                  \
    } while (0)
        CHECK_ENDS(q->driver->categories(q, &small, &list, &n, &err));
        CHECK_ENDS(q->driver->platforms(q, &small, &platforms, &n, &err));
        CHECK_ENDS(q->driver->global(q, &small, &figures, &n, &err));
        CHECK_ENDS(q->driver->info(q, STR("bitcoin"), &small, &info, &is_known, &err));
        CHECK_ENDS(q->driver->inactive(q, &small, &rows, &err));
        CHECK_ENDS(q->driver->newest(q, &small, &rows, &err));
        arena_release(&small);
    }
    stop();
}

TAP_MAIN(TAP_CASE(the_past_is_what_was_seen_then), TAP_CASE(figures_come_in_full_when_asked),
         TAP_CASE(coins_have_descriptions_and_contracts),
         TAP_CASE(gone_coins_are_not_on_the_market), TAP_CASE(new_coins_come_newest_first),
         TAP_CASE(categories_add_up_their_coins), TAP_CASE(an_empty_category_has_no_figures),
         TAP_CASE(answers_say_again_when_the_arena_is_full))
