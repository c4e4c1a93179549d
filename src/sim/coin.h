/* A coin of the simulated market: what it is, and what it is worth in any minute.
 *
 * Pure functions of seed, coin and minute. A step is a minute of the market; steps count from 1970
 * as long as the market is as fast as it is.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_COIN_H
#define SIM_COIN_H

#include "base/clock.h"
#include "sim/names.h"

#define DAY_STEPS 1440
#define DAY_US    (86400 * US_PER_S)
#define TWO_PI    6.283185307179586
#define YEAR_2026 INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z */

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
    DICE_LISTED,
    DICE_NOISE, /* … and every number after it: one for each step */
};

/* Every bit of x reaches every bit of the result. */
uint64_t mix(uint64_t x);

/* In [0, 1). */
double coin_roll(const struct coin *c, uint64_t dice);

/* Coin i of a market; its rank is given later, by what all of them are worth. */
void coin_make(struct coin *c, uint32_t i, uint64_t seed);

/* It stays near one usd. */
bool coin_is_stable(const struct coin *c);

/* The step that a coin is in, and when it began. speed: a minute's steps. */
int64_t coin_step(const struct coin *c, uint32_t speed, int64_t now_us, int64_t *ret_began_us);

/* When it came onto the market, for somebody who looks at it at that moment. */
int64_t coin_listed(const struct coin *c, int64_t now_us);

/* Its price in usd; ceiling and floor lie beyond every one of them. */
double coin_price(const struct coin *c, int64_t step);
double coin_price_ceiling(const struct coin *c);
double coin_price_floor(const struct coin *c);

#endif
