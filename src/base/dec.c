/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dec.h"

#include "base/shortest.h"

#include <float.h>
#include <stdio.h>

#define MAX_DIGITS 18 /* any 18 digits fit int64_t */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Collects significant digits; the value so far is mant * 10^exp. */
struct digits {
    int64_t mant;
    int exp;
    int n;             /* significant digits taken */
    bool is_truncated; /* a nonzero digit did not fit */
};

static void take_digit(struct digits *d, char c, bool is_fraction)
{
    if (d->n == MAX_DIGITS) {
        d->is_truncated |= c != '0';
        d->exp += is_fraction ? 0 : 1;
        return;
    }
    d->mant = d->mant * 10 + (c - '0');
    d->n += d->mant != 0;
    d->exp -= is_fraction ? 1 : 0;
}

/* Scan the fraction and exponent parts after the integer part; returns false off the grammar. */
static bool scan_exponent(const char **p, const char *end, int *ret_exp)
{
    bool is_negative = false;
    int exp = 0;

    ++*p;
    if (*p < end && (**p == '+' || **p == '-'))
        is_negative = *(*p)++ == '-';
    if (*p == end || !is_digit(**p))
        return false;
    for (; *p < end && is_digit(**p); ++*p)
        if (exp < 100000)
            exp = exp * 10 + (**p - '0');
    *ret_exp = is_negative ? -exp : exp;
    return true;
}

static bool scan(struct str s, struct digits *d, bool *ret_is_negative)
{
    const char *p = s.p, *end = s.p + s.len;
    int exp = 0;

    *ret_is_negative = p < end && *p == '-';
    p += *ret_is_negative;
    if (p == end || !is_digit(*p))
        return false;
    if (*p == '0' && p + 1 < end && is_digit(p[1]))
        return false;
    for (; p < end && is_digit(*p); p++)
        take_digit(d, *p, false);
    if (p < end && *p == '.') {
        if (++p == end || !is_digit(*p))
            return false;
        for (; p < end && is_digit(*p); p++)
            take_digit(d, *p, true);
    }
    if (p < end && (*p == 'e' || *p == 'E') && !scan_exponent(&p, end, &exp))
        return false;
    d->exp += exp;
    return p == end;
}

enum dec_result dec_parse(struct str lexeme, struct dec *ret_dec)
{
    struct digits d = {0};
    bool is_negative;

    if (lexeme.len == 0 || !scan(lexeme, &d, &is_negative))
        return DEC_NOT_A_NUMBER; /* however long: a text with it is not JSON */
    if (lexeme.len > DEC_MAX_LEXEME)
        return DEC_OUT_OF_RANGE;
    while (d.mant != 0 && d.mant % 10 == 0) {
        d.mant /= 10;
        d.exp++;
    }
    if (d.mant == 0)
        d.exp = 0;
    if (d.exp > DEC_MAX_EXP || d.exp < -DEC_MAX_EXP)
        return DEC_OUT_OF_RANGE;
    *ret_dec = (struct dec){
        .mant = is_negative ? -d.mant : d.mant,
        .exp = (int16_t)d.exp,
        .is_exact = !d.is_truncated,
    };
    return DEC_OK;
}

struct dec dec_of(int64_t value)
{
    int exp = 0;

    while (value != 0 && value % 10 == 0) {
        value /= 10;
        exp++;
    }
    return (struct dec){.mant = value, .exp = (int16_t)exp, .is_exact = true};
}

struct dec dec_round(struct dec d, int places)
{
    int64_t unit = 1;

    if (d.exp >= -places)
        return d;
    if (-places - d.exp > MAX_DIGITS)
        return dec_of(0);
    for (int i = d.exp; i < -places; i++)
        unit *= 10;
    const int64_t digit = d.mant / (unit / 10) % 10; /* the first one lost */
    struct dec rounded = dec_of(d.mant / unit + (digit >= 5) - (digit <= -5));
    if (rounded.mant != 0)
        rounded.exp = (int16_t)(rounded.exp - places);
    return rounded;
}

/* ---- order ---- */

__extension__ typedef __int128 wide;

/* Of two mantissas: at most 10^37. */
struct product {
    wide mant;
    int exp;
};

static struct product multiply(struct dec a, struct dec b)
{
    return (struct product){.mant = (wide)a.mant * b.mant, .exp = a.exp + b.exp};
}

static int n_digits(wide mant)
{
    int n = 0;

    for (; mant != 0; mant /= 10)
        n++;
    return n;
}

static int compare(struct product a, struct product b)
{
    const int sign_a = (a.mant > 0) - (a.mant < 0), sign_b = (b.mant > 0) - (b.mant < 0);

    if (sign_a != sign_b || sign_a == 0)
        return sign_a - sign_b;
    if (a.exp != b.exp) {
        /* of one magnitude, so that the scaling below stays within it */
        const int size_a = n_digits(a.mant) + a.exp, size_b = n_digits(b.mant) + b.exp;
        if (size_a != size_b)
            return size_a > size_b ? sign_a : -sign_a;
        for (; a.exp > b.exp; a.exp--)
            a.mant *= 10;
        for (; b.exp > a.exp; b.exp--)
            b.mant *= 10;
    }
    return (a.mant > b.mant) - (a.mant < b.mant);
}

int dec_compare_products(struct dec a, struct dec b, struct dec c, struct dec d)
{
    return compare(multiply(a, b), multiply(c, d));
}

int dec_compare(struct dec a, struct dec b)
{
    const int order = compare((struct product){a.mant, a.exp}, (struct product){b.mant, b.exp});

    if (order != 0)
        return order;
    if (!a.is_exact) /* more digits follow: it is farther from 0 */
        return a.mant > 0 ? 1 : -1;
    return b.is_exact ? 0 : b.mant > 0 ? -1 : 1;
}

bool dec_to_i64(struct dec d, int64_t *ret_value)
{
    int64_t value = d.mant;

    if (!d.is_exact || d.exp < 0 || d.exp > MAX_DIGITS)
        return false;
    for (int i = 0; i < d.exp; i++)
        if (__builtin_mul_overflow(value, 10, &value))
            return false;
    *ret_value = value;
    return true;
}

struct dec dec_of_double(double x)
{
    char text[SHORTEST_TEXT];
    const char *at = text, *end = text + shortest_format_e(x, text);
    struct dec d = {.is_exact = true};
    int exp = 0, written = 0;
    bool is_fraction = false;

    const bool is_negative = *at == '-';
    for (at += is_negative; *at != 'e'; at++) { /* at most 17 digits, the last is not 0 */
        if (*at == '.') {
            is_fraction = true;
            continue;
        }
        d.mant = d.mant * 10 + (*at - '0');
        exp -= is_fraction;
    }
    const bool is_below = *++at == '-';
    while (++at < end)
        written = written * 10 + (*at - '0');
    if (d.mant != 0)
        d.exp = (int16_t)(exp + (is_below ? -written : written));
    d.mant = is_negative ? -d.mant : d.mant;
    return d;
}

/* True when the shortest text of x (finite) is the number d. */
static bool shortest_equals(double x, struct dec d)
{
    char text[SHORTEST_TEXT];
    struct dec again;

    if (x < 0x1p53 && x > -0x1p53) { /* beyond, the text has digits that the shortest has not */
        again = dec_of_double(x);
        return again.mant == d.mant && again.exp == d.exp;
    }
    struct str shortest = {text, shortest_format(x, text)};
    return dec_parse(shortest, &again) == DEC_OK && again.is_exact && again.mant == d.mant &&
           again.exp == d.exp;
}

/* "-1234e-5": quicker than a text that people read. */
static size_t format_plainly(struct dec d, char ret_text[DEC_MAX_TEXT])
{
    char *at = ret_text + DEC_MAX_TEXT;
    uint64_t mant = d.mant < 0 ? 0 - (uint64_t)d.mant : (uint64_t)d.mant;
    unsigned exp = (unsigned)(d.exp < 0 ? -d.exp : d.exp);

    for (; exp > 0; exp /= 10)
        *--at = (char)('0' + exp % 10);
    if (d.exp < 0)
        *--at = '-';
    if (d.exp != 0)
        *--at = 'e';
    do {
        *--at = (char)('0' + mant % 10);
        mant /= 10;
    } while (mant > 0);
    if (d.mant < 0)
        *--at = '-';
    const size_t len = (size_t)(ret_text + DEC_MAX_TEXT - at);
    memmove(ret_text, at, len);
    return len;
}

double dec_to_double(struct dec d, struct str lexeme, bool *ret_is_same)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const int64_t fifteen_digits = 1000000000000000, two53 = (int64_t)1 << 53;

    /* Up to 15 digits survive a double (DBL_DIG); integers below 2^53 and powers up to 10^22 are
     * exact in one, and one operation on exact operands rounds correctly. */
    if (d.is_exact && d.mant <= two53 && d.mant >= -two53 && d.exp >= -22 && d.exp <= 22) {
        double x = d.exp < 0 ? (double)d.mant / power[-d.exp] : (double)d.mant * power[d.exp];
        *ret_is_same =
            (d.mant < fifteen_digits && d.mant > -fifteen_digits) || shortest_equals(x, d);
        return x;
    }
    char text[DEC_MAX_TEXT];
    double x = shortest_parse(
        lexeme.len > 0 ? lexeme
                       : (struct str){text, format_plainly(d, text)}); /* exact without one */
    bool is_normal = x >= DBL_MIN || x <= -DBL_MIN || x == 0;
    bool is_finite = x <= DBL_MAX && x >= -DBL_MAX;
    *ret_is_same = is_normal && is_finite && d.is_exact && shortest_equals(x, d);
    return x;
}

size_t dec_format(struct dec d, char ret_text[DEC_MAX_TEXT])
{
    char digits[24];
    bool is_negative = d.mant < 0;
    uint64_t mant = is_negative ? 0 - (uint64_t)d.mant : (uint64_t)d.mant;
    int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)mant);
    const char *sign = is_negative ? "-" : "";
    int point = n + d.exp; /* digits in front of the decimal point */

    if (point > 21 || point < -6)
        n = n == 1 ? snprintf(ret_text, DEC_MAX_TEXT, "%s%ce%d", sign, digits[0], point - 1)
                   : snprintf(ret_text, DEC_MAX_TEXT, "%s%c.%se%d", sign, digits[0], digits + 1,
                              point - 1);
    else if (d.exp >= 0)
        n = snprintf(ret_text, DEC_MAX_TEXT, "%s%s%.*s", sign, digits, d.exp,
                     "000000000000000000000");
    else if (point > 0)
        n = snprintf(ret_text, DEC_MAX_TEXT, "%s%.*s.%s", sign, point, digits, digits + point);
    else
        n = snprintf(ret_text, DEC_MAX_TEXT, "%s0.%.*s%s", sign, -point, "000000", digits);
    return (size_t)n;
}
