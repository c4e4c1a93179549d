/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/number.h"

#include "base/shortest.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Write digits "d.ddd" (without the point) times 10^exponent as Ruby does: plain from 1e-4 to
 * 1e16. */
static int layout(const char *sign, const char *digits, int exponent, char ret_text[NUMBER_TEXT])
{
    const int n = (int)strlen(digits);

    if (exponent < -4 || exponent >= 16)
        return snprintf(ret_text, NUMBER_TEXT, "%s%c.%se%c%02d", sign, digits[0],
                        n > 1 ? digits + 1 : "0", exponent < 0 ? '-' : '+', abs(exponent));
    if (exponent < 0)
        return snprintf(ret_text, NUMBER_TEXT, "%s0.%.*s%s", sign, -exponent - 1, "0000", digits);
    if (n <= exponent + 1)
        return snprintf(ret_text, NUMBER_TEXT, "%s%s%.*s.0", sign, digits, exponent + 1 - n,
                        "0000000000000000");
    return snprintf(ret_text, NUMBER_TEXT, "%s%.*s.%s", sign, exponent + 1, digits,
                    digits + exponent + 1);
}

size_t number_float(double value, char ret_text[NUMBER_TEXT])
{
    char text[SHORTEST_TEXT + 1];
    struct str exponent = {text, shortest_format_e(fabs(value), text)}, digits;

    text[exponent.len] = '\0';
    str_cut(&exponent, 'e', &digits); /* "d.ddd", or "d" */
    if (digits.len > 1)
        memmove(text + 1, text + 2, digits.len-- - 2);
    text[digits.len] = '\0';
    return (size_t)layout(value < 0 ? "-" : "", text, (int)strtol(exponent.p, NULL, 10), ret_text);
}

size_t number_int(double value, char ret_text[NUMBER_TEXT])
{
    if (fabs(value) > 9e18)
        return number_float(value, ret_text);
    return (size_t)snprintf(ret_text, NUMBER_TEXT, "%lld", llround(value));
}

static double read_back(const char *text, int len)
{
    return shortest_parse((struct str){text, (size_t)len});
}

static double to_decimals(double value, int n)
{
    char text[512];

    return read_back(text, snprintf(text, sizeof(text), "%.*f", n, value));
}

static double to_digits(double value, int n)
{
    char text[NUMBER_TEXT];

    return read_back(text, snprintf(text, sizeof(text), "%.*e", n - 1, value));
}

double number_as_price(double value)
{
    if (value >= 10000)
        return round(value);
    return value >= 1 ? to_decimals(value, 2) : to_digits(value, 6);
}

size_t number_price(double value, char ret_text[NUMBER_TEXT])
{
    const double price = number_as_price(value);

    return value >= 10000 ? number_int(price, ret_text) : number_float(price, ret_text);
}

size_t number_percent(double value, char ret_text[NUMBER_TEXT])
{
    double percent = to_decimals(value, 5);

    return number_float(percent == 0 ? 0 : percent, ret_text); /* never "-0.0" */
}

bool number_cell(number_format *format, double value, struct arena *arena, struct cell *ret_cell)
{
    char text[NUMBER_TEXT];
    struct str kept = arena_str(arena, (struct str){text, format(value, text)});

    if (!kept.p)
        return false;
    enum dec_result result = cell_of_num(kept, ret_cell);
    assert(result == DEC_OK);
    (void)result;
    return true;
}
