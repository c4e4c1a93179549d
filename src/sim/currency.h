/* The currencies of the simulated market: those that CoinGecko quotes in. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_CURRENCY_H
#define SIM_CURRENCY_H

#include "sim/coin.h"

#define N_CURRENCIES 63

struct currencies {
    const struct coin *coins[N_CURRENCIES]; /* whose price the currency is; NULL: none's */
};

/* coins: of the market, n of them; borrowed. */
void currencies_init(struct currencies *cs, const struct coin *coins, size_t n);

/* Its index; N_CURRENCIES: there is no such currency. */
size_t currency_find(struct str name);
const char *currency_name(size_t currency);

/* What one unit costs in usd. */
double currency_price(const struct currencies *cs, size_t currency, int64_t step);

#endif
