/* Numbers as CoinGecko writes them: its JSON comes from Ruby. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_NUMBER_H
#define SIM_NUMBER_H

#include <stddef.h>

#define NUMBER_TEXT 64 /* bytes, NUL included */

/* The shortest text that is the same double again, in Ruby's form: "21000000.0", "9.68e-06",
 * "4.2e+17". Returns its length. */
size_t number_float(double value, char ret_text[NUMBER_TEXT]);

/* Rounded to an integer: "1545681131479"; as a float beyond int64. */
size_t number_int(double value, char ret_text[NUMBER_TEXT]);

/* A price: an integer from 10000, two decimals from 1, six significant digits below. */
size_t number_price(double value, char ret_text[NUMBER_TEXT]);

/* Rounded to five decimals: percentages. */
size_t number_percent(double value, char ret_text[NUMBER_TEXT]);

#endif
