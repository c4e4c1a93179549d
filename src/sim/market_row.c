/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/inner.h"
#include "sim/number.h"

#include <math.h>
#include <stdio.h>

#define SPARKS      168
#define DAY_SAMPLES 24 /* of which high_24h and low_24h are the extremes */

double market_volume(const struct coin *c, double price, int64_t step)
{
    const double traded = c->life == LIFE_DEAD ? 0 : 0.01 + 0.2 * coin_roll(c, DICE_VOLUME);

    return price * c->supply * traded * (1 + 0.1 * sin(TWO_PI * (double)step / 997));
}

struct row {
    const struct market *m;
    const struct coin *coin;
    size_t currency;
    int64_t step;
    double price, price_24h_ago; /* in the currency */
    const struct market_query *args;
    struct arena *arena;
    struct cell *cells;
    bool is_full; /* the arena */
};

static void put(struct row *r, enum market_column column, number_format *format, double value)
{
    r->is_full |= !number_cell(format, value, r->arena, &r->cells[column]);
}

static double price_in(const struct row *r, int64_t step)
{
    return market_price(r->m, r->coin, r->currency, step);
}

bool market_image(const struct coin *c, struct arena *arena, struct str *ret_url)
{
    char url[128];
    int len = snprintf(url, sizeof(url),
                       "https://coin-images.coingecko.com/coins/images/%u/large/%s.png?%u",
                       (unsigned)(c->hash % 70000), c->text.symbol[0] ? "coin" : "missing_large",
                       1696501400 + (unsigned)(c->hash % 1000));

    *ret_url = arena_str(arena, (struct str){url, (size_t)len});
    return ret_url->p != NULL;
}

static void put_texts(struct row *r)
{
    const struct coin *c = r->coin;
    struct str image;

    r->is_full |= !market_image(c, r->arena, &image);
    r->cells[MARKET_ID] = cell_of_text(str_of(c->text.id));
    r->cells[MARKET_SYMBOL] = cell_of_text(str_of(c->text.symbol));
    r->cells[MARKET_NAME] = cell_of_text(str_of(c->text.name));
    r->cells[MARKET_IMAGE] = cell_of_text(image);
    if (c->rank == 0)
        return;
    r->cells[MARKET_MARKET_CAP_RANK] = cell_of_int(c->rank);
    if (r->args->has_rehypothecated)
        r->cells[MARKET_RANK_WITH_REHYPOTHECATED] = cell_of_int(c->rank);
}

static number_format *price_format(const struct row *r)
{
    return r->args->has_full_prices ? number_float : number_price;
}

/* Supplies are floats always, market caps and valuations integers. */
static void put_sizes(struct row *r)
{
    const struct coin *c = r->coin;
    const double cap = c->rank > 0 ? r->price * c->supply : 0;
    const double total = c->supply * (1 + 0.3 * coin_roll(c, DICE_TOTAL_SUPPLY));

    const bool is_float = r->args->has_full_sizes || coin_roll(c, DICE_VOLUME_FORM) < 0.014;

    put(r, MARKET_MARKET_CAP, r->args->has_full_sizes ? number_float : number_int, cap);
    put(r, MARKET_TOTAL_VOLUME, is_float ? number_float : number_int,
        market_volume(c, r->price, r->step));
    put(r, MARKET_CIRCULATING_SUPPLY, number_float, c->rank > 0 ? c->supply : 0);
    if (coin_roll(c, DICE_TOTAL_SUPPLY) > 0.02)
        put(r, MARKET_TOTAL_SUPPLY, number_float, total);
    if (coin_roll(c, DICE_MAX_SUPPLY) > 0.45)
        put(r, MARKET_MAX_SUPPLY, number_float,
            floor(total * (1.05 + coin_roll(c, DICE_MAX_SUPPLY))));
    if (coin_roll(c, DICE_VALUATION) > 0.03)
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
    put(r, MARKET_HIGH_24H, price_format(r), high);
    put(r, MARKET_LOW_24H, price_format(r), low);
    put(r, MARKET_PRICE_CHANGE_24H, number_float, change);
    put(r, MARKET_PRICE_CHANGE_PERCENTAGE_24H, number_percent, ratio);
    put(r, MARKET_MARKET_CAP_CHANGE_24H,
        coin_roll(c, DICE_CAP_FORM) < 0.5 ? number_int : number_float,
        c->rank > 0 ? change * c->supply : 0);
    put(r, MARKET_MARKET_CAP_CHANGE_PERCENTAGE_24H, number_percent, c->rank > 0 ? ratio : 0);
}

static struct cell date(double share)
{
    int64_t us = YEAR_2026 - (int64_t)(share * 8 * 365 * (double)DAY_US);

    return cell_of_time(us / US_PER_MS * US_PER_MS);
}

static void put_records(struct row *r)
{
    const struct coin *c = r->coin;
    const double unit = currency_price(&r->m->currencies, r->currency, 0);
    const double ath =
        coin_price_ceiling(c) * (1 + 30 * c->drift * pow(coin_roll(c, DICE_ATH), 4)) / unit;
    /* one percentage beyond every integer and most decimals, as real ones are */
    const double depth =
        c->rank == 37 ? 1.9e35 : 1 + 3000 * c->drift * pow(coin_roll(c, DICE_ATL), 4);
    const double atl = coin_price_floor(c) / depth / unit;

    put(r, MARKET_ATH, price_format(r), ath);
    put(r, MARKET_ATH_CHANGE_PERCENTAGE, number_percent, (r->price / ath - 1) * 100);
    r->cells[MARKET_ATH_DATE] = date(coin_roll(c, DICE_ATH_DATE));
    put(r, MARKET_ATL, price_format(r), atl);
    put(r, MARKET_ATL_CHANGE_PERCENTAGE, number_percent, (r->price / atl - 1) * 100);
    r->cells[MARKET_ATL_DATE] = date(coin_roll(c, DICE_ATL_DATE));
}

static void put_roi(struct row *r)
{
    static const char *const currencies[] = {"btc", "usd", "eth"};
    const double times = pow(10, 3 * coin_roll(r->coin, DICE_ROI_TIMES)) - 2;

    if (coin_roll(r->coin, DICE_ROI) < 0.84)
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
        if (spans[i].column == MARKET_CHANGE_1Y && coin_roll(r->coin, DICE_YEAR) < 0.2)
            break;
        put(r, spans[i].column, number_float,
            (r->price / price_in(r, r->step - spans[i].steps) - 1) * 100);
    }
}

/* Hourly prices of 7 days, as JSON. */
static void put_sparkline(struct row *r)
{
    char text[NUMBER_TEXT];
    char *json = arena_alloc(r->arena, SPARKS + 1, NUMBER_TEXT);
    size_t len = 0;

    if (!json) {
        r->is_full = true;
        return;
    }
    json[len++] = '[';
    for (int64_t hour = SPARKS; hour > 0; hour--) {
        const size_t n = number_float(price_in(r, r->step - (hour - 1) * 60), text);
        if (len > 1)
            json[len++] = ',';
        memcpy(json + len, text, n);
        len += n;
    }
    json[len++] = ']';
    r->cells[MARKET_SPARKLINE_IN_7D] = cell_of_text((struct str){json, len});
}

bool market_fill_row(const struct market *m, const struct coin *c, size_t currency, int64_t now_us,
                     const struct market_query *args, struct arena *arena, struct cell *cells)
{
    struct row r = {
        .m = m, .coin = c, .currency = currency, .args = args, .arena = arena, .cells = cells};
    const bool is_listed =
        args->at_us == 0 || args->at_us >= coin_listed(c, clock_wall_us(m->setup.clock));
    int64_t began_us;

    r.step = market_step(m, c, now_us, &began_us);
    r.price = price_in(&r, r.step);
    r.price_24h_ago = c->life == LIFE_DEAD ? r.price : price_in(&r, r.step - DAY_STEPS);
    put_texts(&r);
    cells[MARKET_FETCHED_AT] = cell_of_time(now_us);
    if (c->life == LIFE_BLANK || !is_listed)
        return !r.is_full;
    put(&r, MARKET_CURRENT_PRICE, price_format(&r), r.price);
    put_sizes(&r);
    put_day(&r);
    put_records(&r);
    put_roi(&r);
    put_spans(&r);
    if (args->has_sparkline)
        put_sparkline(&r);
    cells[MARKET_LAST_UPDATED] = cell_of_time(began_us / US_PER_MS * US_PER_MS);
    return !r.is_full;
}
