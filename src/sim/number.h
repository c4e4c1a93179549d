/* Numbers as CoinGecko writes them: its JSON comes from Ruby. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_NUMBER_H
#define SIM_NUMBER_H

#include "base/arena.h"
#include "row/row.h"

#define NUMBER_TEXT 64 /* bytes, NUL included */

typedef size_t number_format(double value, char ret_text[NUMBER_TEXT]);

/* A finite number as the cell that a poll would make of it. False when the arena is full. */
bool number_cell(number_format *format, double value, struct arena *arena, struct cell *ret_cell);

/* The shortest text that is the same double again, in Ruby's form: "21000000.0", "9.68e-06",
 * "4.2e+17". All return the text's length. */
number_format number_float;

/* Rounded to an integer: "1545681131479"; as a float beyond int64. */
number_format number_int;

/* A price: an integer from 10000, two decimals from 1, six significant digits below. */
number_format number_price;

/* The same roundings, as a number. */
double number_as_price(double value);

/* Rounded to five decimals: percentages. */
number_format number_percent;

#endif
