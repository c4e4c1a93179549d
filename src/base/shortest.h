/* Doubles to and from their shortest texts, by the C++ library (C has neither). */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_SHORTEST_H
#define BASE_SHORTEST_H

#include "base/str.h"

#define SHORTEST_TEXT 32 /* bytes; enough for every double */

/* The shortest text that reads back as x (finite): "1.9026007997779706e+37". Returns its length; no
 * NUL. */
size_t shortest_format(double x, char ret_text[SHORTEST_TEXT]);

/* The same with an exponent always: "1.9026007997779706e+37", "1e+00". */
size_t shortest_format_e(double x, char ret_text[SHORTEST_TEXT]);

/* The double nearest to a JSON number's text; beyond the range of doubles 0 or
 * infinity (without its sign). */
double shortest_parse(struct str number);

#endif
