/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/liar.h"

#include "sim/market.h"
#include "tap.h"

#define NOW INT64_C(1795444207123456) /* 2026-11-23T14:30:07.123456Z */

static int64_t get_now(struct clock *c)
{
    (void)c;
    return NOW;
}

static struct clock test_clock = {.wall_us = get_now, .mono_us = get_now};
static struct err err;
static struct market *market;
static struct arena arena;
static struct liar liar;

#define N 1000

static void open_liar(void)
{
    const struct market_setup setup = {.n_coins = N, .seed = 1, .speed = 1, .clock = &test_clock};

    market = market_new(&setup);
    arena_init(&arena, 256u * 1024 * 1024);
    liar_init(&liar, market_query(market));
    liar_begin(&liar, 0, NOW);
}

static void close_liar(void)
{
    market_free(market);
    arena_release(&arena);
}

static void leave(liar_leaves *leaves, liar_rows *rows)
{
    liar.leaves[liar.n_leaves++] = leaves;
    if (rows)
        liar.rows[liar.n_rows++] = rows;
}

static bool ask(uint32_t per_page, uint32_t page, struct rows *ret_rows)
{
    const struct market_query args = {.vs_currency = STR("usd"),
                                      .order = ORDER_MARKET_CAP_DESC,
                                      .per_page = per_page,
                                      .page = page};

    return liar.query.driver->market(&liar.query, &args, &arena, ret_rows, &err) == ST_OK;
}

static const struct cell *find(const struct rows *rows, struct str id)
{
    for (size_t i = 0; i < rows->n; i++)
        if (str_eq(cell_text(&rows_at(rows, i)[MARKET_ID]), id))
            return rows_at(rows, i);
    return NULL;
}

static bool is_same(const struct rows *a, const struct rows *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n * N_MARKET_COLUMNS; i++)
        if (!cell_equal(&a->cells[i], &b->cells[i]))
            return false;
    return true;
}

static void liar_tells_the_truth_when_nothing_is_due(void)
{
    struct query *truth;
    const struct market_query args = {.vs_currency = STR("usd"), .per_page = 250, .page = 2};
    struct rows a, b;

    open_liar();
    truth = market_query(market);
    CHECK(ask(250, 2, &a));
    CHECK_OK(truth->driver->market(truth, &args, &arena, &b, &err), err);
    CHECK_EQ(a.n, 250);
    CHECK(is_same(&a, &b));
    close_liar();
}

/* Coins leave before pages are cut: so every page but the last is full, and none comes twice. */
static void pages_of_a_list_that_coins_have_left_are_full(void)
{
    struct rows all, page;
    size_t n = 0;

    open_liar();
    leave(liar_leaves_rehypo, liar_unrank);
    CHECK(ask(0, 1, &all));
    CHECK(all.n < N && all.n > N - 40);
    for (uint32_t i = 1; i <= 4; i++) {
        CHECK(ask(250, i, &page));
        CHECK_EQ(page.n, i < 4 ? 250 : all.n - 750);
        for (size_t k = 0; k < page.n; k++)
            CHECK(str_eq(cell_text(&rows_at(&page, k)[MARKET_ID]),
                         cell_text(&rows_at(&all, n + k)[MARKET_ID])));
        n += page.n;
    }
    CHECK(ask(250, 9, &page));
    CHECK_EQ(page.n, 0);
    close_liar();
}

/* Of a large market: a page takes what a page takes, not what all its coins do. */
static void only_the_page_that_is_asked_for_is_made(void)
{
    struct rows rows;

    open_liar();
    CHECK(ask(50, 2, &rows));
    const size_t page = arena.total;
    leave(liar_leaves_in_turns, NULL);
    leave(liar_leaves_rehypo, liar_unrank);
    leave(liar_leaves_backend, liar_backend);
    CHECK(ask(50, 2, &rows));
    CHECK_EQ(rows.n, 50);
    CHECK(arena.total < 8 * page); /* of 20 pages */
    close_liar();
}

static void who_asks_for_a_rehypothecated_coin_gets_it_without_its_rank(void)
{
    struct rows all, listed, some;
    size_t n_gone = 0;

    open_liar();
    CHECK(ask(0, 1, &all));
    leave(liar_leaves_rehypo, liar_unrank);
    CHECK(ask(0, 1, &listed));
    for (size_t i = 0; i < all.n; i++) {
        const struct cell *row = rows_at(&all, i);
        const struct str id = cell_text(&row[MARKET_ID]);
        const struct market_query args = {
            .vs_currency = STR("usd"), .ids = &id, .n_ids = 1, .per_page = 100, .page = 1};
        if (find(&listed, id))
            continue;
        CHECK_OK(liar.query.driver->market(&liar.query, &args, &arena, &some, &err), err);
        CHECK_EQ(some.n, 1);
        CHECK_EQ(some.cells[MARKET_MARKET_CAP_RANK].kind, CELL_NULL);
        CHECK(
            cell_equal(&some.cells[MARKET_RANK_WITH_REHYPOTHECATED], &row[MARKET_MARKET_CAP_RANK]));
        n_gone++;
    }
    CHECK(n_gone > 5);
    close_liar();
}

static void members_flap_from_answer_to_answer(void)
{
    struct rows all, even, odd;
    size_t n_even = 0, n_odd = 0;

    open_liar();
    CHECK(ask(0, 1, &all));
    leave(liar_leaves_in_turns, NULL);
    CHECK(ask(0, 1, &even));
    liar_begin(&liar, 1, NOW);
    leave(liar_leaves_in_turns, NULL);
    CHECK(ask(0, 1, &odd));
    for (size_t i = 0; i < all.n; i++) {
        const struct str id = cell_text(&rows_at(&all, i)[MARKET_ID]);
        n_even += find(&even, id) == NULL;
        n_odd += find(&odd, id) == NULL;
        CHECK(find(&even, id) || find(&odd, id));
    }
    /* 14 of 250 */
    CHECK(n_even > 30 && n_even < 85);
    CHECK(n_odd > 30 && n_odd < 85);
    close_liar();
}

static void a_coin_comes_twice_and_another_not(void)
{
    struct rows truth, rows;

    open_liar();
    CHECK(ask(250, 1, &truth));
    liar.rows[liar.n_rows++] = liar_duplicate;
    CHECK(ask(250, 1, &rows));
    CHECK_EQ(rows.n, 250);
    CHECK(find(&rows, cell_text(&rows_at(&truth, 249)[MARKET_ID])) == NULL);
    CHECK_STR(cell_text(&rows_at(&rows, 249)[MARKET_ID]), "bitcoin");
    close_liar();
}

static void a_bogus_coin_stands_above_all_on_the_first_page_alone(void)
{
    struct rows rows;

    open_liar();
    liar.rows[liar.n_rows++] = liar_bogus;
    CHECK(ask(250, 1, &rows));
    CHECK_EQ(rows.n, 250);
    CHECK_STR(cell_text(&rows.cells[MARKET_ID]), "kpk-eth-prime");
    CHECK_EQ(rows.cells[MARKET_MARKET_CAP].number, INT64_C(20500000000000));
    CHECK_EQ(rows.cells[MARKET_MARKET_CAP_RANK].kind, CELL_NULL);
    CHECK_STR(cell_text(&rows_at(&rows, 1)[MARKET_ID]), "bitcoin");
    CHECK(ask(250, 2, &rows));
    CHECK(find(&rows, STR("kpk-eth-prime")) == NULL);
    CHECK(ask(0, 1, &rows));
    CHECK_EQ(rows.n, N + 1);
    close_liar();
}

static void huge_quotes_are_numbers_still(void)
{
    struct rows rows;
    size_t n = 0;

    open_liar();
    liar.rows[liar.n_rows++] = liar_huge;
    CHECK(ask(0, 1, &rows));
    for (size_t i = 0; i < rows.n; i++)
        n += str_eq(cell_text(&rows_at(&rows, i)[MARKET_CURRENT_PRICE]),
                    STR("1.0453287998377596e+37"));
    CHECK(n > 50 && n < 150);
    close_liar();
}

/* "-2.5", but not "-2.53" */
static bool has_decimals(const struct cell *c, size_t max)
{
    struct str text = cell_text(c), whole;

    return c->kind == CELL_NULL || memchr(text.p, 'e', text.len) || !str_cut(&text, '.', &whole) ||
           text.len <= max;
}

static void the_other_back_end_shifts_dates_and_rounds_digits(void)
{
    struct rows truth, rows;
    size_t n_own_time = 0, n_values = 0;

    open_liar();
    CHECK(ask(0, 1, &truth));
    leave(liar_leaves_backend, liar_backend);
    CHECK(ask(0, 1, &rows));
    CHECK(rows.n < truth.n && rows.n > truth.n - 85);
    for (size_t i = 0; i < rows.n; i++) {
        const struct cell *row = rows_at(&rows, i);
        const struct cell *real = find(&truth, cell_text(&row[MARKET_ID]));
        CHECK(real != NULL);
        if (real[MARKET_LAST_UPDATED].kind == CELL_TIME)
            n_own_time += row[MARKET_LAST_UPDATED].number != NOW / 10000000 * 10000000;
        if (real[MARKET_ATH_DATE].kind == CELL_TIME)
            CHECK_EQ(row[MARKET_ATH_DATE].number,
                     real[MARKET_ATH_DATE].number / US_PER_S * US_PER_S - 8 * 3600 * US_PER_S);
        CHECK(has_decimals(&row[MARKET_PRICE_CHANGE_PERCENTAGE_24H], 1));
        CHECK(has_decimals(&row[MARKET_PRICE_CHANGE_24H], 2));
        CHECK_EQ(row[MARKET_FULLY_DILUTED_VALUATION].kind,
                 real[MARKET_FULLY_DILUTED_VALUATION].kind);
        n_values += !cell_equal(&row[MARKET_FULLY_DILUTED_VALUATION],
                                &real[MARKET_FULLY_DILUTED_VALUATION]);
    }
    CHECK(n_own_time > 0 && n_own_time < 20);
    CHECK(n_values > N / 2);
    close_liar();
}

static void numbers_beyond_every_double_are_left_alone(void)
{
    struct cell cells[N_MARKET_COLUMNS] = {0};
    struct rows rows = {.table = &market_table, .cells = cells, .n = 1};
    const struct market_query args = {.n_ids = 1};
    const struct liar_request request = {.args = &args, .now_us = NOW, .arena = &arena};

    open_liar();
    cells[MARKET_ID] = cell_of_text(STR("bitcoin"));
    CHECK_EQ(cell_of_num(STR("1e900"), &cells[MARKET_FULLY_DILUTED_VALUATION]), DEC_OK);
    CHECK_EQ(cell_of_num(STR("1.7e308"), &cells[MARKET_PRICE_CHANGE_24H]), DEC_OK);
    CHECK(liar_backend(&rows, &request));
    CHECK_STR(cell_text(&cells[MARKET_FULLY_DILUTED_VALUATION]), "1e900");
    CHECK_STR(cell_text(&cells[MARKET_PRICE_CHANGE_24H]), "1.7e308");
    close_liar();
}

static void liar_says_so_when_there_is_no_memory(void)
{
    struct rows rows;

    open_liar();
    CHECK(ask(250, 1, &rows));
    const size_t enough = arena.total;
    arena_release(&arena);
    arena_init(&arena, enough);
    liar.rows[liar.n_rows++] = liar_bogus;
    bool is_told = false;
    for (int i = 0; i < 50 && !is_told; i++)
        is_told = !ask(250, 1, &rows);
    CHECK(is_told);
    CHECK(strstr(err.msg, "memory") != NULL);
    close_liar();
}

TAP_MAIN(TAP_CASE(liar_tells_the_truth_when_nothing_is_due),
         TAP_CASE(pages_of_a_list_that_coins_have_left_are_full),
         TAP_CASE(only_the_page_that_is_asked_for_is_made),
         TAP_CASE(who_asks_for_a_rehypothecated_coin_gets_it_without_its_rank),
         TAP_CASE(members_flap_from_answer_to_answer), TAP_CASE(a_coin_comes_twice_and_another_not),
         TAP_CASE(a_bogus_coin_stands_above_all_on_the_first_page_alone),
         TAP_CASE(huge_quotes_are_numbers_still),
         TAP_CASE(the_other_back_end_shifts_dates_and_rounds_digits),
         TAP_CASE(numbers_beyond_every_double_are_left_alone),
         TAP_CASE(liar_says_so_when_there_is_no_memory))
