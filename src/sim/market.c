/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/market.h"

#include "base/mem.h"
#include "sim/names.h"
#include "sim/number.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MINUTE_US   (60 * US_PER_S)
#define DAY_STEPS   1440 /* a step is a minute of the market */
#define DAY_SAMPLES 24   /* of which high_24h and low_24h are the extremes */
#define TWO_PI      6.283185307179586
#define YEAR_2026   INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */

enum life {
    LIFE_NORMAL,
    LIFE_YOUNG, /* listed today: nothing that needs 24 hours */
    LIFE_DEAD,  /* not traded: volume 0, last_updated long ago */
    LIFE_BLANK, /* listed, nothing known */
};

struct coin {
    struct coin_name text;
    uint64_t hash; /* of seed and coin: its dice */
    enum life life;
    double price, supply; /* the middle of its range, in usd */
    double swing;         /* how far it moves: 0.1 is about 10 % a week */
    double drift;         /* the same over a year */
    uint32_t rank;        /* 0: none */
    double cap;           /* price * supply: makes the rank */
};

struct market {
    struct market_setup setup;
    struct coin *coins; /* by rank */
    uint32_t *by_id;    /* indexes of coins, ordered by id */
    bool is_null, is_same_page;
    struct query query;
};

enum currency { USD, EUR, BTC, N_CURRENCIES };
static const char *const currency_names[N_CURRENCIES] = {"usd", "eur", "btc"};

/* What a coin's dice decide; each its own roll. */
enum dice {
    DICE_LIFE,
    DICE_PRICE,
    DICE_PRICE_RANGE,
    DICE_CAP,
    DICE_SUPPLY,
    DICE_SWING,
    DICE_PHASE,
    DICE_WAVES, /* … and the next three */
    DICE_RANKED = DICE_WAVES + 4,
    DICE_VOLUME,
    DICE_VOLUME_FORM,
    DICE_CAP_FORM,
    DICE_TOTAL_SUPPLY,
    DICE_MAX_SUPPLY,
    DICE_VALUATION,
    DICE_ATH,
    DICE_ATH_DATE,
    DICE_ATL,
    DICE_ATL_DATE,
    DICE_ROI,
    DICE_ROI_TIMES,
    DICE_YEAR,
    DICE_DEATH,
    DICE_IMAGE,
    DICE_NOISE, /* … and every number after it: one for each step */
};

/* splitmix64's finisher: every bit of x reaches every bit of the result */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* In [0, 1). */
static double roll(const struct coin *c, uint64_t dice)
{
    return (double)(mix(c->hash ^ mix(dice)) >> 11) * 0x1p-53;
}

/* ---- making the coins ---- */

static enum life make_life(const struct coin *c, uint32_t i)
{
    double r = roll(c, DICE_LIFE);

    if (i < 60)
        return LIFE_NORMAL;
    return r < 0.02 ? LIFE_YOUNG : r < 0.05 ? LIFE_DEAD : r < 0.06 ? LIFE_BLANK : LIFE_NORMAL;
}

/* 1e-12 … 1e5 usd, most of them between 0.0001 and 100. */
static double make_price(const struct coin *c)
{
    double range = roll(c, DICE_PRICE_RANGE), r = roll(c, DICE_PRICE);

    if (range < 0.70)
        return pow(10, -4 + 6 * r);
    if (range < 0.90)
        return pow(10, -9 + 5 * r);
    return range < 0.95 ? pow(10, -12 + 3 * r) : pow(10, 2 + 3 * r);
}

static void make_coin(const struct market *m, uint32_t i, struct coin *c)
{
    *c = (struct coin){.hash = mix(mix(m->setup.seed) ^ i)};
    names_make(i, m->setup.seed, &c->text);
    c->life = make_life(c, i);
    c->price = c->text.price;
    c->supply = c->text.supply;
    if (c->price == 0) {
        double cap = 4e8 * pow(70.0 / (i + 20.0), 1.3) * (0.7 + 0.6 * roll(c, DICE_CAP));
        c->price = make_price(c);
        c->supply = floor(cap / c->price) +
                    (roll(c, DICE_SUPPLY) < 0.4 ? (double)(c->hash % 9999) / 1e4 : 0);
        if (c->supply < 1)
            c->supply = 1;
    }
    const bool is_stable = c->text.price > 0.99 && c->text.price < 1.01;
    c->swing = is_stable ? 0.0006 : 0.04 + 0.3 * pow(roll(c, DICE_SWING), 3);
    c->drift = is_stable ? 0 : 0.3;
    c->cap = c->price * c->supply;
}

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

/* ---- what a coin is worth ---- */

/* The step that a coin is in, and when it began. */
static int64_t step_of(const struct market *m, const struct coin *c, int64_t now_us,
                       int64_t *ret_began_us)
{
    const int64_t speed = m->setup.speed > 0 ? m->setup.speed : 1;
    const int64_t length_us = MINUTE_US / speed > 0 ? MINUTE_US / speed : 1;
    const int64_t phase_us = (int64_t)(roll(c, DICE_PHASE) * (double)length_us);
    int64_t step;

    if (c->life == LIFE_DEAD) {
        *ret_began_us = YEAR_2026 + (int64_t)(roll(c, DICE_DEATH) * 200 * 86400e6);
        return *ret_began_us / MINUTE_US;
    }
    *ret_began_us = time_floor(now_us - phase_us, length_us) + phase_us;
    step = (*ret_began_us - phase_us) / length_us;
    return step;
}

/* In usd. Waves of a year, a week, a day and three hours, and a little noise. */
static double price_at(const struct coin *c, int64_t step)
{
    const double t = (double)step;
    double year = c->drift * sin(TWO_PI * (t / 613000 + roll(c, DICE_WAVES)));
    double week = 0.45 * sin(TWO_PI * (t / 9370 + roll(c, DICE_WAVES + 1)));
    double day = 0.25 * sin(TWO_PI * (t / 1973 + roll(c, DICE_WAVES + 2)));
    double hours = 0.06 * sin(TWO_PI * (t / 191 + roll(c, DICE_WAVES + 3)));
    double noise = 0.02 * (roll(c, DICE_NOISE + (uint64_t)step) - 0.5);

    return c->price * exp(year + c->swing * (week + day + hours + noise));
}

/* Beyond every price_at() upwards and downwards. */
static double price_ceiling(const struct coin *c)
{
    return c->price * exp(c->drift + c->swing * 0.8);
}

static double price_floor(const struct coin *c)
{
    return c->price * exp(-c->drift - c->swing * 0.8);
}

/* What one unit of the currency costs in usd. */
static double unit_price(const struct market *m, enum currency currency, int64_t step)
{
    switch (currency) {
    case EUR:
        return 1.16 + 0.01 * sin(TWO_PI * (double)step / 20160);
    case BTC:
        return price_at(&m->coins[0], step);
    case USD:
    case N_CURRENCIES:
        break;
    }
    return 1;
}

/* ---- a row ---- */

struct row {
    const struct market *m;
    const struct coin *coin;
    enum currency currency;
    int64_t step;
    double price, price_24h_ago; /* in the currency */
    struct arena *arena;
    struct cell *cells;
    bool is_full; /* the arena */
};

typedef size_t number_format(double value, char ret_text[NUMBER_TEXT]);

static void put(struct row *r, enum market_column column, number_format *format, double value)
{
    char text[NUMBER_TEXT];
    struct str kept = arena_str(r->arena, (struct str){text, format(value, text)});

    if (!kept.p) {
        r->is_full = true;
        return;
    }
    enum dec_result result = cell_of_num(kept, &r->cells[column]);
    assert(result == DEC_OK);
    (void)result;
}

static double price_in(const struct row *r, int64_t step)
{
    return price_at(r->coin, step) / unit_price(r->m, r->currency, step);
}

static void put_texts(struct row *r)
{
    const struct coin *c = r->coin;
    char url[128];
    int len = snprintf(url, sizeof(url),
                       "https://coin-images.coingecko.com/coins/images/%u/large/%s.png?%u",
                       (unsigned)(c->hash % 70000), c->text.symbol[0] ? "coin" : "missing_large",
                       1696501400 + (unsigned)(c->hash % 1000));
    struct str image = arena_str(r->arena, (struct str){url, (size_t)len});

    r->is_full |= !image.p;
    r->cells[MARKET_ID] = cell_of_text(str_of(c->text.id));
    r->cells[MARKET_SYMBOL] = cell_of_text(str_of(c->text.symbol));
    r->cells[MARKET_NAME] = cell_of_text(str_of(c->text.name));
    r->cells[MARKET_IMAGE] = cell_of_text(image);
    if (c->rank > 0)
        r->cells[MARKET_MARKET_CAP_RANK] = cell_of_int(c->rank);
}

/* Supplies are floats always, market caps and valuations integers. */
static void put_sizes(struct row *r)
{
    const struct coin *c = r->coin;
    const double cap = c->rank > 0 ? r->price * c->supply : 0;
    const double total = c->supply * (1 + 0.3 * roll(c, DICE_TOTAL_SUPPLY));
    const double traded = c->life == LIFE_DEAD ? 0 : 0.01 + 0.2 * roll(c, DICE_VOLUME);
    const double now = 1 + 0.1 * sin(TWO_PI * (double)r->step / 997);

    put(r, MARKET_MARKET_CAP, number_int, cap);
    put(r, MARKET_TOTAL_VOLUME, roll(c, DICE_VOLUME_FORM) < 0.014 ? number_float : number_int,
        r->price * c->supply * traded * now);
    put(r, MARKET_CIRCULATING_SUPPLY, number_float, c->rank > 0 ? c->supply : 0);
    if (roll(c, DICE_TOTAL_SUPPLY) > 0.02)
        put(r, MARKET_TOTAL_SUPPLY, number_float, total);
    if (roll(c, DICE_MAX_SUPPLY) > 0.45)
        put(r, MARKET_MAX_SUPPLY, number_float, floor(total * (1.05 + roll(c, DICE_MAX_SUPPLY))));
    if (roll(c, DICE_VALUATION) > 0.03)
        put(r, MARKET_FULLY_DILUTED_VALUATION, number_int, r->price * total);
}

static void put_day(struct row *r)
{
    const struct coin *c = r->coin;
    const double change = r->price - r->price_24h_ago;
    const int64_t newest = r->step - r->step % (DAY_STEPS / DAY_SAMPLES);
    const double ratio = change / r->price_24h_ago * 100;
    double high = r->price, low = r->price;

    if (c->life == LIFE_YOUNG)
        return;
    for (int i = 0; i < DAY_SAMPLES && c->life != LIFE_DEAD; i++) {
        double price = price_in(r, newest - i * (DAY_STEPS / DAY_SAMPLES));
        high = price > high ? price : high;
        low = price < low ? price : low;
    }
    put(r, MARKET_HIGH_24H, number_price, high);
    put(r, MARKET_LOW_24H, number_price, low);
    put(r, MARKET_PRICE_CHANGE_24H, number_float, change);
    put(r, MARKET_PRICE_CHANGE_PERCENTAGE_24H, number_percent, ratio);
    put(r, MARKET_MARKET_CAP_CHANGE_24H, roll(c, DICE_CAP_FORM) < 0.5 ? number_int : number_float,
        c->rank > 0 ? change * c->supply : 0);
    put(r, MARKET_MARKET_CAP_CHANGE_PERCENTAGE_24H, number_percent, c->rank > 0 ? ratio : 0);
}

static struct cell date(double share)
{
    int64_t us = YEAR_2026 - (int64_t)(share * 8 * 365 * 86400e6);

    return cell_of_time(us / US_PER_MS * US_PER_MS);
}

static void put_records(struct row *r)
{
    const struct coin *c = r->coin;
    const double unit = unit_price(r->m, r->currency, 0);
    const double ath = price_ceiling(c) * (1 + 30 * c->drift * pow(roll(c, DICE_ATH), 4)) / unit;
    /* one percentage beyond every integer and most decimals, as real ones are */
    const double depth = c->rank == 37 ? 1.9e35 : 1 + 3000 * c->drift * pow(roll(c, DICE_ATL), 4);
    const double atl = price_floor(c) / depth / unit;

    put(r, MARKET_ATH, number_price, ath);
    put(r, MARKET_ATH_CHANGE_PERCENTAGE, number_percent, (r->price / ath - 1) * 100);
    r->cells[MARKET_ATH_DATE] = date(roll(c, DICE_ATH_DATE));
    put(r, MARKET_ATL, number_price, atl);
    put(r, MARKET_ATL_CHANGE_PERCENTAGE, number_percent, (r->price / atl - 1) * 100);
    r->cells[MARKET_ATL_DATE] = date(roll(c, DICE_ATL_DATE));
}

static void put_roi(struct row *r)
{
    static const char *const currencies[] = {"btc", "usd", "eth"};
    const double times = pow(10, 3 * roll(r->coin, DICE_ROI_TIMES)) - 2;

    if (roll(r->coin, DICE_ROI) < 0.84)
        return;
    put(r, MARKET_ROI_TIMES, number_float, times);
    put(r, MARKET_ROI_PERCENTAGE, number_float, times * 100);
    r->cells[MARKET_ROI_CURRENCY] = cell_of_text(str_of(currencies[r->coin->hash % 3]));
}

static void put_spans(struct row *r)
{
    static const struct {
        enum market_column column;
        int64_t steps;
    } spans[] = {
        {MARKET_CHANGE_1H, 60},
        {MARKET_CHANGE_24H, DAY_STEPS},
        {MARKET_CHANGE_7D, 7 * DAY_STEPS},
        {MARKET_CHANGE_14D, 14 * DAY_STEPS},
        {MARKET_CHANGE_30D, 30 * DAY_STEPS},
        {MARKET_CHANGE_200D, 200 * DAY_STEPS},
        {MARKET_CHANGE_1Y, 365 * DAY_STEPS},
    };
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        if (r->coin->life == LIFE_YOUNG && spans[i].steps >= DAY_STEPS)
            break;
        if (spans[i].column == MARKET_CHANGE_1Y && roll(r->coin, DICE_YEAR) < 0.2)
            break;
        put(r, spans[i].column, number_float,
            (r->price / price_in(r, r->step - spans[i].steps) - 1) * 100);
    }
}

/* False when the arena is full. cells: zeroed. */
static bool fill_row(const struct market *m, const struct coin *c, enum currency currency,
                     int64_t now_us, struct arena *arena, struct cell *cells)
{
    struct row r = {.m = m, .coin = c, .currency = currency, .arena = arena, .cells = cells};
    int64_t began_us;

    r.step = step_of(m, c, now_us, &began_us);
    r.price = price_in(&r, r.step);
    r.price_24h_ago = c->life == LIFE_DEAD ? r.price : price_in(&r, r.step - DAY_STEPS);
    put_texts(&r);
    cells[MARKET_FETCHED_AT] = cell_of_time(now_us);
    if (c->life == LIFE_BLANK)
        return !r.is_full;
    put(&r, MARKET_CURRENT_PRICE, number_price, r.price);
    put_sizes(&r);
    put_day(&r);
    put_records(&r);
    put_roi(&r);
    put_spans(&r);
    cells[MARKET_LAST_UPDATED] = cell_of_time(began_us / US_PER_MS * US_PER_MS);
    for (size_t i = 0; m->is_null && i < N_MARKET_COLUMNS; i++)
        if (cells[i].kind == CELL_NUM || cells[i].kind == CELL_INT)
            cells[i] = CELL_NONE;
    return !r.is_full;
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
    double price = price_at(c, step_of(m, c, now_us, &began_us));
    switch (order) {
    case ORDER_MARKET_CAP_ASC:
        return c->rank > 0 ? price * c->supply : 0;
    case ORDER_VOLUME_DESC:
    case ORDER_VOLUME_ASC: {
        double volume = c->life == LIFE_DEAD ? 0 : price * c->supply * roll(c, DICE_VOLUME);
        return order == ORDER_VOLUME_ASC ? volume : -volume;
    }
    case ORDER_MARKET_CAP_DESC:
    case ORDER_ID_ASC:
    case ORDER_ID_DESC:
        break;
    }
    return c->rank > 0 ? -price * c->supply : 0;
}

/* Categories share out the made-up coins by lot: of ten, the first of them, then the next. */
static const struct {
    const char *id;
    unsigned to; /* of ten */
} categories[] = {{"decentralized-finance-defi", 3}, {"meme-token", 5}};

static bool is_in_category(const struct coin *c, struct str category)
{
    const unsigned lot = (unsigned)(c->hash >> 32) % 10;
    size_t i = 0;

    while (i < sizeof(categories) / sizeof(categories[0]) && lot >= categories[i].to)
        i++;
    return c->text.price == 0 && i < sizeof(categories) / sizeof(categories[0]) &&
           str_eq(category, str_of(categories[i].id));
}

static bool market_has_category(struct query *q, struct str category)
{
    (void)q;
    for (size_t i = 0; i < sizeof(categories) / sizeof(categories[0]); i++)
        if (str_eq(category, str_of(categories[i].id)))
            return true;
    return false;
}

static bool is_wanted(const struct market_query *args, const struct coin *c)
{
    if (args->category.len > 0 && !is_in_category(c, args->category))
        return false;
    for (size_t i = 0; i < args->n_ids; i++)
        if (str_eq(args->ids[i], str_of(c->text.id)))
            return true;
    return args->n_ids == 0;
}

static enum st no_room(struct err *err)
{
    return err_set(err, ST_AGAIN, "simulated market: no memory for this answer");
}

static enum st market_rows(struct query *q, const struct market_query *args, struct arena *arena,
                           struct rows *ret_rows, struct err *err)
{
    struct market *m = q->state;
    const int64_t now_us = clock_wall_us(m->setup.clock);
    size_t currency = 0, n = 0, from = 0;

    *ret_rows = (struct rows){.table = &market_table};
    while (currency < N_CURRENCIES && !str_eq(args->vs_currency, str_of(currency_names[currency])))
        currency++;
    if (currency == N_CURRENCIES)
        return ST_OK;
    struct choice *chosen = arena_alloc(arena, m->setup.n_coins, sizeof(*chosen));
    if (!chosen)
        return no_room(err);
    for (size_t place = 0; place < m->setup.n_coins; place++) {
        const struct coin *c = &m->coins[m->by_id[place]];
        if (is_wanted(args, c))
            chosen[n++] = (struct choice){.key = sort_key(m, c, place, args->order, now_us),
                                          .coin = m->by_id[place]};
    }
    qsort(chosen, n, sizeof(*chosen), compare_choices);
    if (args->per_page > 0) {
        from = (size_t)(args->page > 0 && !m->is_same_page ? args->page - 1 : 0) * args->per_page;
        n = from >= n ? 0 : n - from;
        n = n > args->per_page ? args->per_page : n;
    }
    ret_rows->cells = arena_zalloc(arena, n > 0 ? n : 1, N_MARKET_COLUMNS * sizeof(struct cell));
    if (!ret_rows->cells)
        return no_room(err);
    ret_rows->n = n;
    for (size_t i = 0; i < n; i++)
        if (!fill_row(m, &m->coins[chosen[from + i].coin], (enum currency)currency, now_us, arena,
                      rows_at(ret_rows, i)))
            return no_room(err);
    return ST_OK;
}

static enum st market_coins(struct query *q, struct arena *arena, struct rows *ret_rows,
                            struct err *err)
{
    const struct market *m = q->state;

    *ret_rows = (struct rows){.table = &coin_table, .n = m->setup.n_coins};
    ret_rows->cells = arena_zalloc(arena, ret_rows->n, N_COIN_COLUMNS * sizeof(struct cell));
    if (!ret_rows->cells)
        return no_room(err);
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
        return no_room(err);
    for (size_t i = 0; i < N_CURRENCIES; i++)
        names[i] = str_of(currency_names[i]);
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
    .close = market_close,
};

struct market *market_new(const struct market_setup *setup)
{
    struct market *m = mem_new(1, sizeof(*m));
    const uint32_t n = setup->n_coins;
    uint32_t rank = 0;

    assert(n > 0 && n <= NAMES_MAX);
    m->setup = *setup;
    m->query = (struct query){.driver = &market_driver, .state = m};
    m->coins = mem_new(n, sizeof(*m->coins));
    m->by_id = mem_new(n, sizeof(*m->by_id));
    for (uint32_t i = 0; i < n; i++)
        make_coin(m, i, &m->coins[i]);
    qsort(m->coins, n, sizeof(*m->coins), by_cap);
    for (uint32_t i = 0; i < n; i++) {
        struct coin *c = &m->coins[i];
        /* the tail is full of coins whose supply nobody has checked */
        bool is_ranked = i < 60 || (c->life != LIFE_BLANK &&
                                    roll(c, DICE_RANKED) > (i > n - n / 10 ? 0.6 : 0.02));
        c->rank = is_ranked ? ++rank : 0;
        m->by_id[i] = i;
    }
    qsort_r(m->by_id, n, sizeof(*m->by_id), by_id, m->coins);
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

void market_set_nulls(struct market *m, bool is_null)
{
    m->is_null = is_null;
}

void market_set_same_page(struct market *m, bool is_same_page)
{
    m->is_same_page = is_same_page;
}
