/* Who is on the simulated market: well-known coins, odd ones, and made-up ones. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_NAMES_H
#define SIM_NAMES_H

#include "base/str.h"

#define NAMES_TEXT 80 /* bytes, NUL included, of each text */

struct coin_name {
    char id[NAMES_TEXT], symbol[NAMES_TEXT], name[NAMES_TEXT];
    double price, supply; /* usd and coins, about; 0: any */
};

/* Coin i of at most NAMES_MAX; ids are unique for a seed. */
#define NAMES_MAX 20000
void names_make(uint32_t i, uint64_t seed, struct coin_name *ret_name);

#endif
