/* SPDX-License-Identifier: Apache-2.0 */
#include "load/postgres/numeric.h"

#include "load/postgres/binary.h"

#include <stdio.h>

#define MAX_GROUPS    36 /* as copy.c writes */
#define EXACT_DIGITS  18 /* that struct dec has room for, whatever they are */
#define INT64_DIGITS  19
#define SIGN_NEGATIVE 0x4000
#define SIGN_POSITIVE 0

/* value = digits * 10^exp */
struct decimal {
    char digits[4 * MAX_GROUPS]; /* none of the zeros at either end */
    int n;
    int exp;
    bool is_negative;
};

static uint16_t get_u16(const char *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return be16toh(v);
}

/* False: it is none of ours. */
static bool read_digits(struct str value, struct decimal *ret)
{
    int n_groups = value.len >= 8 ? get_u16(value.p) : MAX_GROUPS + 1, skip = 0;

    if (n_groups > MAX_GROUPS || value.len != 8 + 2 * (size_t)n_groups)
        return false;
    const int sign = get_u16(value.p + 4);
    if (sign != SIGN_NEGATIVE && sign != SIGN_POSITIVE)
        return false;
    ret->is_negative = sign == SIGN_NEGATIVE;
    ret->exp = 4 * ((int16_t)get_u16(value.p + 2) - n_groups + 1);
    ret->n = 4 * n_groups;
    for (int i = 0; i < n_groups; i++) {
        unsigned group = get_u16(value.p + 8 + 2 * i);
        for (int k = 3; k >= 0; k--, group /= 10)
            ret->digits[4 * i + k] = (char)('0' + group % 10);
    }
    for (; ret->n > 0 && ret->digits[ret->n - 1] == '0'; ret->n--)
        ret->exp++;
    while (skip < ret->n && ret->digits[skip] == '0')
        skip++;
    ret->n -= skip;
    memmove(ret->digits, ret->digits + skip, (size_t)ret->n);
    return true;
}

/* As an integer of 19 digits also. */
static bool read_exact(const struct decimal *d, struct cell *ret_cell)
{
    char text[INT64_DIGITS + 2];
    int n = 0;
    int64_t value;

    if (d->n == 0) {
        *ret_cell = cell_of_dec(dec_of(0), STR_NONE);
        return true;
    }
    const bool is_integer = d->exp >= 0 && d->n + d->exp <= INT64_DIGITS;
    if (d->n > EXACT_DIGITS && !is_integer)
        return false;
    if (d->is_negative)
        text[n++] = '-';
    memcpy(text + n, d->digits, (size_t)d->n);
    n += d->n;
    if (!str_to_i64((struct str){text, (size_t)n}, INT64_MIN, INT64_MAX, &value))
        return false;
    *ret_cell = cell_of_dec((struct dec){.mant = value, .exp = (int16_t)d->exp, .is_exact = true},
                            STR_NONE);
    return true;
}

/* With a point where that is shorter than an exponent. */
static size_t write_text(const struct decimal *d, char *text)
{
    const int point = d->n + d->exp; /* digits in front of it */
    size_t n = 0;

    if (d->is_negative)
        text[n++] = '-';
    if (d->exp < 0 && point > 0) {
        memcpy(text + n, d->digits, (size_t)point);
        text[n + (size_t)point] = '.';
        memcpy(text + n + point + 1, d->digits + point, (size_t)(d->n - point));
        return n + (size_t)d->n + 1;
    }
    memcpy(text + n, d->digits, (size_t)d->n);
    n += (size_t)d->n;
    return n + (size_t)(d->exp != 0 ? snprintf(text + n, 8, "e%d", d->exp) : 0);
}

size_t numeric_read(struct str value, char text[NUMERIC_MAX_TEXT], struct cell *ret_cell)
{
    struct decimal d = {.n = 0};

    *ret_cell = CELL_NONE;
    if (!read_digits(value, &d) || read_exact(&d, ret_cell))
        return 0;
    return write_text(&d, text);
}
