/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/coin.h"

#include <math.h>

#define MINUTE_US    (60 * US_PER_S)
#define FIRST_LISTED INT64_C(1367107200000000) /* 2013-04-28T00:00:00Z */

/* splitmix64's finisher: every bit of x reaches every bit of the result */
uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

double coin_roll(const struct coin *c, uint64_t dice)
{
    return (double)(mix(c->hash ^ mix(dice)) >> 11) * 0x1p-53;
}

static enum life make_life(const struct coin *c, uint32_t i)
{
    double r = coin_roll(c, DICE_LIFE);

    if (i < 60)
        return LIFE_NORMAL;
    return r < 0.02 ? LIFE_YOUNG : r < 0.05 ? LIFE_DEAD : r < 0.06 ? LIFE_BLANK : LIFE_NORMAL;
}

/* 1e-12 … 1e5 usd, most of them between 0.0001 and 100. */
static double make_price(const struct coin *c)
{
    double range = coin_roll(c, DICE_PRICE_RANGE), r = coin_roll(c, DICE_PRICE);

    if (range < 0.70)
        return pow(10, -4 + 6 * r);
    if (range < 0.90)
        return pow(10, -9 + 5 * r);
    return range < 0.95 ? pow(10, -12 + 3 * r) : pow(10, 2 + 3 * r);
}

bool coin_is_stable(const struct coin *c)
{
    return c->text.price > 0.99 && c->text.price < 1.01;
}

void coin_make(struct coin *c, uint32_t i, uint64_t seed)
{
    *c = (struct coin){.hash = mix(mix(seed) ^ i)};
    names_make(i, seed, &c->text);
    c->life = make_life(c, i);
    c->price = c->text.price;
    c->supply = c->text.supply;
    if (c->price == 0) {
        double cap = 4e8 * pow(70.0 / (i + 20.0), 1.3) * (0.7 + 0.6 * coin_roll(c, DICE_CAP));
        c->price = make_price(c);
        c->supply = floor(cap / c->price) +
                    (coin_roll(c, DICE_SUPPLY) < 0.4 ? (double)(c->hash % 9999) / 1e4 : 0);
        if (c->supply < 1)
            c->supply = 1;
    }
    const bool is_stable = coin_is_stable(c);
    c->swing = is_stable ? 0.0006 : 0.04 + 0.3 * pow(coin_roll(c, DICE_SWING), 3);
    c->drift = is_stable ? 0 : 0.3;
    c->cap = c->price * c->supply;
}

int64_t coin_step(const struct coin *c, uint32_t speed, int64_t now_us, int64_t *ret_began_us)
{
    const int64_t length_us = MINUTE_US / speed > 0 ? MINUTE_US / speed : 1;
    const int64_t phase_us = (int64_t)(coin_roll(c, DICE_PHASE) * (double)length_us);
    const int64_t death_us = YEAR_2026 + (int64_t)(coin_roll(c, DICE_DEATH) * 200 * (double)DAY_US);

    if (c->life == LIFE_DEAD && now_us > death_us)
        now_us = death_us;
    *ret_began_us = time_floor(now_us - phase_us, length_us) + phase_us;
    return (*ret_began_us - phase_us) / length_us;
}

int64_t coin_listed(const struct coin *c, int64_t now_us)
{
    const double share = coin_roll(c, DICE_LISTED);

    if (c->life == LIFE_YOUNG) { /* each day anew */
        const int64_t hour_us = (int64_t)(share * 86400) * US_PER_S;
        return time_floor(now_us - hour_us, DAY_US) + hour_us;
    }
    if (c->text.price == 0)
        return YEAR_2026 - (int64_t)(share * 8 * 365) * DAY_US;
    /* known ones came after the first, which is always there */
    return str_eq(str_of(c->text.id), STR("bitcoin"))
               ? FIRST_LISTED
               : FIRST_LISTED + (int64_t)(share * 9 * 365) * DAY_US;
}

/* In usd. Waves of a year, a week, a day and three hours, and a little noise. */
double coin_price(const struct coin *c, int64_t step)
{
    const double t = (double)step;
    double year = c->drift * sin(TWO_PI * (t / 613000 + coin_roll(c, DICE_WAVES)));
    double week = 0.45 * sin(TWO_PI * (t / 9370 + coin_roll(c, DICE_WAVES + 1)));
    double day = 0.25 * sin(TWO_PI * (t / 1973 + coin_roll(c, DICE_WAVES + 2)));
    double hours = 0.06 * sin(TWO_PI * (t / 191 + coin_roll(c, DICE_WAVES + 3)));
    double noise = 0.02 * (coin_roll(c, DICE_NOISE + (uint64_t)step) - 0.5);

    return c->price * exp(year + c->swing * (week + day + hours + noise));
}

double coin_price_ceiling(const struct coin *c)
{
    return c->price * exp(c->drift + c->swing * 0.8);
}

double coin_price_floor(const struct coin *c)
{
    return c->price * exp(-c->drift - c->swing * 0.8);
}
