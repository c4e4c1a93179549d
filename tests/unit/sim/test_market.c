/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/market.h"

#include "sim/number.h"
#include "tap.h"

#include <math.h>

#define NOW INT64_C(1795444200123456) /* 2026-11-23T14:30:00.123456Z */

static int64_t now_us;

static int64_t get_now(struct clock *c)
{
    (void)c;
    return now_us;
}

static struct clock test_clock = {.wall_us = get_now, .mono_us = get_now};
static struct err err;

/* A market, and all its rows at a moment. */
struct view {
    struct market *market;
    struct arena arena;
    struct rows rows;
};

static bool look(struct view *v, const char *currency)
{
    const struct market_query args = {
        .vs_currency = str_of(currency), .order = ORDER_ID_ASC, .per_page = 0, .page = 1};
    struct query *q = market_query(v->market);

    return q->driver->market(q, &args, &v->arena, &v->rows, &err) == ST_OK;
}

static bool open_view(struct view *v, uint32_t n_coins, uint64_t seed, uint32_t speed)
{
    const struct market_setup setup = {
        .n_coins = n_coins, .seed = seed, .speed = speed, .clock = &test_clock};

    now_us = NOW;
    v->market = market_new(&setup);
    arena_init(&v->arena, 256u * 1024 * 1024);
    return look(v, "usd");
}

static void close_view(struct view *v)
{
    market_free(v->market);
    arena_release(&v->arena);
}

static bool is_same_row(const struct cell *a, const struct cell *b)
{
    for (size_t i = 0; i < N_MARKET_COLUMNS; i++)
        if (i != MARKET_FETCHED_AT && !cell_equal(&a[i], &b[i]))
            return false;
    return true;
}

static size_t n_changed(const struct rows *a, const struct rows *b)
{
    size_t n = 0;

    for (size_t i = 0; i < a->n; i++)
        n += !is_same_row(rows_at(a, i), rows_at(b, i));
    return n;
}

/* ---- numbers ---- */

static void numbers_read_as_ruby_writes_them(void)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0.0"},
        {1, "1.0"},
        {-1.5, "-1.5"},
        {21000000, "21000000.0"},
        {120688270.8382775, "120688270.8382775"},
        {9.68e-6, "9.68e-06"},
        {1e-12, "1.0e-12"},
        {0.0001, "0.0001"},
        {0.00012345, "0.00012345"},
        {0.000099, "9.9e-05"},
        {4.2e17, "4.2e+17"},
        {1e15, "1000000000000000.0"},
        {123456789012345.6, "123456789012345.6"},
        {1e16, "1.0e+16"},
        {1.9026007997779706e37, "1.9026007997779706e+37"},
        {-2002.5500261049601, "-2002.5500261049601"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e-100, "1.0e-100"},
    };
    char text[NUMBER_TEXT];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = number_float(cases[i].value, text);
        CHECK_Z(text, cases[i].text);
        CHECK_EQ(len, strlen(text));
        CHECK(strtod(text, NULL) == cases[i].value);
    }
}

static void prices_are_rounded_by_their_size(void)
{
    static const struct {
        double value;
        const char *price;
    } cases[] = {
        {77074.4, "77074"},
        {10000, "10000"},
        {9999.994, "9999.99"},
        {2295.906, "2295.91"},
        {1, "1.0"},
        {0.43297912, "0.432979"},
        {0.99999999, "1.0"},
        {0.0000096812345, "9.68123e-06"},
        {1.5e-12, "1.5e-12"},
    };
    char text[NUMBER_TEXT];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        number_price(cases[i].value, text);
        CHECK_Z(text, cases[i].price);
    }
    number_percent(-2.532434, text);
    CHECK_Z(text, "-2.53243");
    number_percent(-0.000001, text);
    CHECK_Z(text, "0.0");
    number_int(1545681131478.6, text);
    CHECK_Z(text, "1545681131479");
}

/* ---- the market ---- */

static void market_is_the_same_for_seed_and_time(void)
{
    struct view a, b, c;

    CHECK(open_view(&a, 500, 7, 1));
    CHECK(open_view(&b, 500, 7, 1));
    CHECK(open_view(&c, 500, 8, 1));
    CHECK_EQ(a.rows.n, 500);
    CHECK_EQ(n_changed(&a.rows, &b.rows), 0);
    CHECK_EQ(n_changed(&a.rows, &c.rows), 500);
    now_us += 3600 * US_PER_S;
    CHECK(look(&b, "usd"));
    CHECK(n_changed(&a.rows, &b.rows) > 450);
    now_us = NOW; /* and back */
    CHECK(look(&b, "usd"));
    CHECK_EQ(n_changed(&a.rows, &b.rows), 0);
    close_view(&a);
    close_view(&b);
    close_view(&c);
}

static void half_of_the_rows_change_in_30_seconds_and_all_in_a_minute(void)
{
    struct view v;

    CHECK(open_view(&v, 1000, 1, 1));
    struct rows before = v.rows;
    size_t n_live = 0;
    for (size_t i = 0; i < before.n; i++) {
        const struct cell *row = rows_at(&before, i);
        n_live += row[MARKET_LAST_UPDATED].kind == CELL_TIME &&
                  row[MARKET_LAST_UPDATED].number > NOW - 60 * US_PER_S;
    }
    CHECK(n_live > 900 && n_live < 1000);
    now_us += 30 * US_PER_S;
    CHECK(look(&v, "usd"));
    size_t n = n_changed(&before, &v.rows);
    CHECK(n > n_live * 4 / 10 && n < n_live * 6 / 10);
    now_us += 30 * US_PER_S;
    CHECK(look(&v, "usd"));
    CHECK_EQ(n_changed(&before, &v.rows), n_live);
    close_view(&v);
}

static void speed_shortens_the_minute_and_nothing_else(void)
{
    struct view v;

    CHECK(open_view(&v, 200, 1, 60));
    struct rows before = v.rows;
    now_us += US_PER_S;
    CHECK(look(&v, "usd"));
    CHECK(n_changed(&before, &v.rows) > 150);
    for (size_t i = 0; i < v.rows.n; i++)
        CHECK(rows_at(&v.rows, i)[MARKET_LAST_UPDATED].number <= now_us);
    close_view(&v);
}

/* One row against everything that holds for real rows. */
static void check_row(const struct cell *row)
{
    for (size_t i = 0; i < N_MARKET_COLUMNS; i++) {
        const struct column *column = &market_table.columns[i];
        struct dec d;
        CHECK(row[i].kind == column->kind || (row[i].kind == CELL_NULL && !column->is_not_null));
        if (row[i].kind == CELL_NUM)
            CHECK_EQ(dec_parse(cell_text(&row[i]), &d), DEC_OK);
        if (row[i].kind == CELL_TEXT)
            CHECK(str_is_utf8(cell_text(&row[i])));
        if (row[i].kind == CELL_TIME && i != MARKET_FETCHED_AT)
            CHECK_EQ(row[i].number % US_PER_MS, 0);
    }
    if (row[MARKET_LAST_UPDATED].kind == CELL_TIME)
        CHECK(row[MARKET_LAST_UPDATED].number <= NOW);
    if (row[MARKET_MARKET_CAP].kind == CELL_NUM)
        CHECK(memchr(row[MARKET_MARKET_CAP].text, '.', row[MARKET_MARKET_CAP].len) == NULL);
    if (row[MARKET_CIRCULATING_SUPPLY].kind == CELL_NUM)
        CHECK(memchr(row[MARKET_CIRCULATING_SUPPLY].text, '.', row[MARKET_CIRCULATING_SUPPLY].len));
    if (row[MARKET_HIGH_24H].kind == CELL_NUM) {
        double high = strtod(row[MARKET_HIGH_24H].text, NULL);
        double low = strtod(row[MARKET_LOW_24H].text, NULL);
        double price = strtod(row[MARKET_CURRENT_PRICE].text, NULL);
        CHECK(low <= price && price <= high);
        CHECK(strtod(row[MARKET_ATH].text, NULL) >= high);
    }
}

static void market_rows_are_well_formed(void)
{
    struct str *currencies;
    size_t n;
    struct view v;

    CHECK(open_view(&v, 3000, 3, 1));
    struct query *q = market_query(v.market);
    CHECK_OK(q->driver->currencies(q, &v.arena, &currencies, &n, &err), err);
    CHECK_EQ(n, 63);
    CHECK_STR(currencies[12], "usd");
    for (size_t c = 12; c < n; c += 25) { /* usd and two more */
        CHECK(look(&v, currencies[c].p));
        CHECK_EQ(v.rows.n, 3000);
        for (size_t i = 0; i < v.rows.n && c == 12; i++) {
            check_row(rows_at(&v.rows, i));
            if (tap_failures)
                return;
        }
    }
    CHECK(look(&v, "xyz"));
    CHECK_EQ(v.rows.n, 0);
    close_view(&v);
}

static size_t count(const struct rows *rows, enum market_column column, enum cell_kind kind)
{
    size_t n = 0;

    for (size_t i = 0; i < rows->n; i++)
        n += rows_at(rows, i)[column].kind == kind;
    return n;
}

static void market_has_the_nulls_and_extremes_of_the_real_one(void)
{
    struct view v;
    size_t n_tiny = 0, n_dear = 0, n_dead = 0, n_huge = 0;

    CHECK(open_view(&v, 5000, 1, 1));
    CHECK(count(&v.rows, MARKET_ROI_TIMES, CELL_NUM) > 600);
    CHECK(count(&v.rows, MARKET_ROI_TIMES, CELL_NUM) < 1000);
    CHECK(count(&v.rows, MARKET_MAX_SUPPLY, CELL_NULL) > 2000);
    CHECK(count(&v.rows, MARKET_FULLY_DILUTED_VALUATION, CELL_NULL) > 100);
    CHECK(count(&v.rows, MARKET_HIGH_24H, CELL_NULL) > 100);
    CHECK(count(&v.rows, MARKET_CURRENT_PRICE, CELL_NULL) > 20);
    CHECK(count(&v.rows, MARKET_MARKET_CAP_RANK, CELL_NULL) > 200);
    CHECK(count(&v.rows, MARKET_CHANGE_1Y, CELL_NULL) > 800);
    CHECK_EQ(count(&v.rows, MARKET_HIGH_24H, CELL_NULL),
             count(&v.rows, MARKET_PRICE_CHANGE_24H, CELL_NULL));
    for (size_t i = 0; i < v.rows.n; i++) {
        const struct cell *row = rows_at(&v.rows, i);
        if (row[MARKET_CURRENT_PRICE].kind == CELL_NULL)
            continue;
        double price = strtod(row[MARKET_CURRENT_PRICE].text, NULL);
        n_tiny += price < 1e-10;
        n_dear += price > 1e4;
        n_dead += strtod(row[MARKET_TOTAL_VOLUME].text, NULL) == 0 &&
                  row[MARKET_LAST_UPDATED].number < NOW - 86400 * US_PER_S;
        n_huge += strtod(row[MARKET_ATL_CHANGE_PERCENTAGE].text, NULL) > 1e36;
    }
    CHECK(n_tiny > 10 && n_dear > 10 && n_dead > 50 && n_huge == 1);
    close_view(&v);
}

static void market_has_unique_ids_in_order_and_odd_names(void)
{
    static const char *const wanted[] = {"bitcoin",     "ethereum",    "boringdao-[old]",
                                         "1move token", "hive_dollar", "-minus-one"};
    struct view v;
    struct rows coins;
    struct query *q;

    CHECK(open_view(&v, 20000, 42, 1));
    q = market_query(v.market);
    CHECK_OK(q->driver->coins(q, &v.arena, &coins, &err), err);
    CHECK_EQ(coins.n, 20000);
    size_t n_found = 0;
    for (size_t i = 0; i < coins.n; i++) {
        struct str id = cell_text(&rows_at(&coins, i)[COIN_ID]);
        if (i > 0)
            CHECK(str_cmp(cell_text(&rows_at(&coins, i - 1)[COIN_ID]), id) < 0);
        for (size_t j = 0; j < sizeof(wanted) / sizeof(wanted[0]); j++)
            n_found += str_eq(id, str_of(wanted[j]));
        CHECK(id.len > 0 && id.len <= 71);
    }
    CHECK_EQ(n_found, sizeof(wanted) / sizeof(wanted[0]));
    close_view(&v);
}

static void market_orders_and_pages(void)
{
    struct market_query args = {.vs_currency = STR("usd"), .per_page = 100, .page = 2};
    const struct str ids[] = {STR("bitcoin"), STR("hive_dollar"), STR("no such coin")};
    struct view v;
    struct rows page;

    CHECK(open_view(&v, 1000, 5, 1));
    struct query *q = market_query(v.market);
    CHECK_OK(q->driver->market(q, &args, &v.arena, &page, &err), err);
    CHECK_EQ(page.n, 100);
    double last = 1e300;
    for (size_t i = 0; i < page.n; i++) {
        double cap = strtod(rows_at(&page, i)[MARKET_MARKET_CAP].text, NULL);
        CHECK(cap <= last);
        last = cap;
    }
    args.page = 11;
    CHECK_OK(q->driver->market(q, &args, &v.arena, &page, &err), err);
    CHECK_EQ(page.n, 0);
    args = (struct market_query){
        .vs_currency = STR("usd"), .ids = ids, .n_ids = 3, .order = ORDER_ID_DESC, .per_page = 0};
    CHECK_OK(q->driver->market(q, &args, &v.arena, &page, &err), err);
    CHECK_EQ(page.n, 2);
    CHECK_STR(cell_text(&rows_at(&page, 0)[MARKET_ID]), "hive_dollar");
    close_view(&v);
}

static double number_in(const struct cell *c)
{
    return c->kind == CELL_NULL ? NAN : strtod(c->text, NULL);
}

/* By what is shown; who has no value is last either way. */
static void each_order_is_that_of_the_values_shown(void)
{
    static const struct {
        enum market_order order;
        enum market_column column;
        double sign;
    } orders[] = {
        {ORDER_MARKET_CAP_DESC, MARKET_MARKET_CAP, -1},
        {ORDER_MARKET_CAP_ASC, MARKET_MARKET_CAP, 1},
        {ORDER_VOLUME_DESC, MARKET_TOTAL_VOLUME, -1},
        {ORDER_VOLUME_ASC, MARKET_TOTAL_VOLUME, 1},
    };
    struct view v;
    struct rows rows;

    CHECK(open_view(&v, 1000, 5, 1));
    struct query *q = market_query(v.market);
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        const struct market_query args = {.vs_currency = STR("usd"), .order = orders[i].order};
        CHECK_OK(q->driver->market(q, &args, &v.arena, &rows, &err), err);
        CHECK_EQ(rows.n, 1000);
        for (size_t k = 1; k < rows.n; k++) {
            const double before = number_in(&rows_at(&rows, k - 1)[orders[i].column]),
                         now = number_in(&rows_at(&rows, k)[orders[i].column]);
            CHECK(isnan(now) || before * orders[i].sign <= now * orders[i].sign);
        }
    }
    close_view(&v);
}

static double figure(const struct figure *figures, size_t n, const char *name, const char *part)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(figures[i].name, str_of(name)) && str_eq(figures[i].part, str_of(part)))
            return figures[i].value.text ? strtod(figures[i].value.text, NULL)
                                         : (double)figures[i].value.number;
    return -1;
}

static void global_figures_are_those_of_all_coins(void)
{
    struct figure *figures;
    double cap = 0, shares = 0;
    struct view v;
    size_t n;

    CHECK(open_view(&v, 500, 1, 1));
    now_us = time_floor(NOW, 600 * US_PER_S); /* when they are made */
    CHECK(look(&v, "usd"));
    for (size_t i = 0; i < v.rows.n; i++)
        if (rows_at(&v.rows, i)[MARKET_MARKET_CAP].kind == CELL_NUM)
            cap += strtod(rows_at(&v.rows, i)[MARKET_MARKET_CAP].text, NULL);
    struct query *q = market_query(v.market);
    now_us = NOW;
    CHECK_OK(q->driver->global(q, &v.arena, &figures, &n, &err), err);
    double whole = figure(figures, n, "total_market_cap", "usd");
    CHECK(whole > cap * 0.999999 && whole < cap * 1.000001);
    CHECK(figure(figures, n, "total_market_cap", "sats") > whole);
    CHECK(figure(figures, n, "active_cryptocurrencies", "") == 500);
    CHECK(figure(figures, n, "updated_at", "") == (double)(NOW / US_PER_S / 600 * 600));
    for (size_t i = 0; i < n; i++)
        if (str_eq(figures[i].name, STR("market_cap_percentage")))
            shares += strtod(figures[i].value.text, NULL);
    CHECK(shares > 50 && shares <= 100);
    double btc = figure(figures, n, "market_cap_percentage", "btc");
    CHECK(btc > 30 && btc < 90);
    close_view(&v);
}

static void market_says_again_when_the_arena_is_full(void)
{
    const struct market_query args = {.vs_currency = STR("usd"), .per_page = 250, .page = 1};
    struct arena small;
    struct rows rows;
    struct view v;

    CHECK(open_view(&v, 300, 1, 1));
    struct query *q = market_query(v.market);
    for (size_t max = 100; max < 2u * 1024 * 1024; max = max * 3 / 2) {
        arena_init(&small, max);
        enum st st = q->driver->market(q, &args, &small, &rows, &err);
        CHECK(st == ST_OK || st == ST_AGAIN);
        CHECK(st == ST_AGAIN || max > 300000);
        arena_release(&small);
    }
    close_view(&v);
}

TAP_MAIN(TAP_CASE(numbers_read_as_ruby_writes_them), TAP_CASE(prices_are_rounded_by_their_size),
         TAP_CASE(market_is_the_same_for_seed_and_time),
         TAP_CASE(half_of_the_rows_change_in_30_seconds_and_all_in_a_minute),
         TAP_CASE(speed_shortens_the_minute_and_nothing_else),
         TAP_CASE(market_rows_are_well_formed),
         TAP_CASE(market_has_the_nulls_and_extremes_of_the_real_one),
         TAP_CASE(market_has_unique_ids_in_order_and_odd_names), TAP_CASE(market_orders_and_pages),
         TAP_CASE(each_order_is_that_of_the_values_shown),
         TAP_CASE(global_figures_are_those_of_all_coins),
         TAP_CASE(market_says_again_when_the_arena_is_full))
