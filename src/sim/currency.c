/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/currency.h"

#include <math.h>

#define SWING       0.0086 /* of money against usd, up and down within two weeks */
#define SWING_STEPS 20160

/* In CoinGecko's order. Prices of a unit in usd are only of the right size. */
static const struct {
    const char *name;
    const char *coin; /* whose price is taken where the market has it */
    double price;
    double part; /* of the coin's price; of money: how far it swings */
} table[N_CURRENCIES] = {
    {"btc", "bitcoin", 77074, 1},
    {"eth", "ethereum", 2295.91, 1},
    {"ltc", "litecoin", 55.1, 1},
    {"bch", "bitcoin-cash", 441, 1},
    {"bnb", "binancecoin", 625, 1},
    {"eos", "eos", 0.08, 1},
    {"xrp", "ripple", 1.42, 1},
    {"xlm", "stellar", 0.165, 1},
    {"link", "chainlink", 9.37, 1},
    {"dot", "polkadot", 1.24, 1},
    {"yfi", "yearn-finance", 2400, 1},
    {"sol", "solana", 85.4, 1},
    {"usd", NULL, 1, 0},
    {"aed", NULL, 0.2723, 0},
    {"ars", NULL, 0.00069, SWING},
    {"aud", NULL, 0.71, SWING},
    {"bdt", NULL, 0.0082, SWING},
    {"bhd", NULL, 2.652, SWING},
    {"bmd", NULL, 1, 0},
    {"brl", NULL, 0.2, SWING},
    {"cad", NULL, 0.73, SWING},
    {"chf", NULL, 1.27, SWING},
    {"clp", NULL, 0.0011, SWING},
    {"cny", NULL, 0.146, SWING},
    {"czk", NULL, 0.048, SWING},
    {"dkk", NULL, 0.157, SWING},
    {"eur", NULL, 1.16, SWING},
    {"gbp", NULL, 1.34, SWING},
    {"gel", NULL, 0.37, SWING},
    {"hkd", NULL, 0.1277, SWING},
    {"huf", NULL, 0.0032, SWING},
    {"idr", NULL, 0.0000585, SWING},
    {"ils", NULL, 0.33, SWING},
    {"inr", NULL, 0.0107, SWING},
    {"jpy", NULL, 0.0063, SWING},
    {"krw", NULL, 0.00068, SWING},
    {"kwd", NULL, 3.26, SWING},
    {"lkr", NULL, 0.0032, SWING},
    {"mmk", NULL, 0.00048, SWING},
    {"mxn", NULL, 0.057, SWING},
    {"myr", NULL, 0.25, SWING},
    {"ngn", NULL, 0.00073, SWING},
    {"nok", NULL, 0.104, SWING},
    {"nzd", NULL, 0.59, SWING},
    {"php", NULL, 0.0165, SWING},
    {"pkr", NULL, 0.0036, SWING},
    {"pln", NULL, 0.274, SWING},
    {"rub", NULL, 0.0127, SWING},
    {"sar", NULL, 0.2666, 0},
    {"sek", NULL, 0.107, SWING},
    {"sgd", NULL, 0.78, SWING},
    {"thb", NULL, 0.031, SWING},
    {"try", NULL, 0.0226, SWING},
    {"twd", NULL, 0.0315, SWING},
    {"uah", NULL, 0.0229, SWING},
    {"vef", NULL, 9.99, 0},
    {"vnd", NULL, 0.000038, SWING},
    {"zar", NULL, 0.059, SWING},
    {"xdr", NULL, 1.42, SWING},
    {"xag", NULL, 76, SWING},
    {"xau", NULL, 4710, SWING},
    {"bits", "bitcoin", 77074, 1e-6},
    {"sats", "bitcoin", 77074, 1e-8},
};

size_t currency_find(struct str name)
{
    size_t i = 0;

    while (i < N_CURRENCIES && !str_eq(name, str_of(table[i].name)))
        i++;
    return i;
}

const char *currency_name(size_t currency)
{
    return table[currency].name;
}

void currencies_init(struct currencies *cs, const struct coin *coins, size_t n)
{
    for (size_t i = 0; i < N_CURRENCIES; i++) {
        cs->coins[i] = NULL;
        for (size_t c = 0; c < n && table[i].coin && !cs->coins[i]; c++)
            if (str_eq(str_of(table[i].coin), str_of(coins[c].text.id)))
                cs->coins[i] = &coins[c];
    }
}

double currency_price(const struct currencies *cs, size_t currency, int64_t step)
{
    if (cs->coins[currency])
        return coin_price(cs->coins[currency], step) * table[currency].part;
    if (table[currency].coin)
        return table[currency].price;
    return table[currency].price *
           (1 + table[currency].part * sin(TWO_PI * (double)step / SWING_STEPS));
}
