/* Exact decimals: the number that a JSON lexeme writes, without a double in between.
 *
 * value = mant * 10^exp, canonical: mant has no trailing zero digit (zero is 0 * 10^0), so two
 * exact decimals are the same number iff both fields are equal. CoinGecko sends supplies of 4.2e17,
 * percentages of 1.9e37 and prices of 2.6e-9 with up to 17 digits, all of which fit; a lexeme with
 * more than 18 significant digits may not: then is_exact is false, mant/exp hold its leading
 * digits, and the lexeme is the only exact form.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_DEC_H
#define BASE_DEC_H

#include "base/buf.h"

/* Beyond these a lexeme is no market figure but an attack: dec_parse() refuses it. */
#define DEC_MAX_LEXEME 128  /* bytes */
#define DEC_MAX_EXP    1000 /* |exponent| */

#define DEC_MAX_TEXT 32 /* bytes that dec_format() writes at most, NUL included */

struct dec {
    int64_t mant;
    int16_t exp;
    bool is_exact;
};

enum dec_result {
    DEC_OK,
    DEC_NOT_A_NUMBER, /* not the JSON number grammar */
    DEC_OUT_OF_RANGE, /* JSON, but beyond DEC_MAX_* */
};

enum dec_result dec_parse(struct str lexeme, struct dec *ret_dec) MUST_USE;

/* A decimal of an integer; always exact. */
struct dec dec_of(int64_t value);

/* Rounded to that many decimal places (>= 0), halves away from zero. Exact, unless d was not and
 * had no digits to lose. */
struct dec dec_round(struct dec d, int places);

/* a against b: <0, 0, >0. Of an inexact one the digits that are there, and that more follow. */
int dec_compare(struct dec a, struct dec b);

/* a * b against c * d, of the digits that are there. */
int dec_compare_products(struct dec a, struct dec b, struct dec c, struct dec d);

/* True when the decimal is an integer that int64_t holds. */
bool dec_to_i64(struct dec d, int64_t *ret_value);

/* The nearest double. Sets *ret_is_same when the double's shortest text is the same number again
 * (so that storing the double loses nothing). lexeme: the text d was parsed from; an exact d may
 * have none. */
double dec_to_double(struct dec d, struct str lexeme, bool *ret_is_same);

/* What the shortest text of a finite double with an exponent says ("4.031417638142749e+16"): what
 * Python, DuckDB and JavaScript print. */
struct dec dec_of_double(double x);

/* Text of an exact decimal: "-12.5", "0.0000026", "4.2e30" beyond 21 places. Returns its length. */
size_t dec_format(struct dec d, char ret_text[DEC_MAX_TEXT]);

#endif
