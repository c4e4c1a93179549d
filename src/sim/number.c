/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DIGITS 17 /* a double never needs more */

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
    char text[NUMBER_TEXT], digits[MAX_DIGITS + 1];
    int precision = MAX_DIGITS - 3;

    do
        snprintf(text, sizeof(text), "%.*e", precision, fabs(value));
    while (strtod(text, NULL) != fabs(value) && precision++ < MAX_DIGITS - 1);
    /* "d.ddde±xx" */
    char *exponent = strchr(text, 'e');
    int n = 0;
    for (const char *p = text; p < exponent; p++)
        if (*p != '.')
            digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    return (size_t)layout(value < 0 ? "-" : "", digits, (int)strtol(exponent + 1, NULL, 10),
                          ret_text);
}

size_t number_int(double value, char ret_text[NUMBER_TEXT])
{
    if (fabs(value) > 9e18)
        return number_float(value, ret_text);
    return (size_t)snprintf(ret_text, NUMBER_TEXT, "%lld", llround(value));
}

static double to_decimals(double value, int n)
{
    char text[512];

    snprintf(text, sizeof(text), "%.*f", n, value);
    return strtod(text, NULL);
}

static double to_digits(double value, int n)
{
    char text[NUMBER_TEXT];

    snprintf(text, sizeof(text), "%.*e", n - 1, value);
    return strtod(text, NULL);
}

size_t number_price(double value, char ret_text[NUMBER_TEXT])
{
    if (value >= 10000)
        return number_int(value, ret_text);
    return number_float(value >= 1 ? to_decimals(value, 2) : to_digits(value, 6), ret_text);
}

size_t number_percent(double value, char ret_text[NUMBER_TEXT])
{
    double percent = to_decimals(value, 5);

    return number_float(percent == 0 ? 0 : percent, ret_text); /* never "-0.0" */
}
