/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/reader_inner.h"

#include <endian.h>

#define US_PER_DAY   INT64_C(86400000000)
#define EPOCH_JULIAN 2440588 /* the Julian number of 1970-01-01 */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

bool leaf_mean(const struct leaf *l, int64_t stored, int64_t *ret)
{
    switch (l->meaning) {
    case MEANS_MILLIS:
        return !__builtin_mul_overflow(stored, 1000, ret);
    case MEANS_NANOS:
        *ret = floor_div(stored, 1000);
        return stored % 1000 == 0;
    case MEANS_DAYS:
        return !__builtin_mul_overflow(stored, US_PER_DAY, ret);
    case MEANS_UNSIGNED:
        *ret = l->physical == PHYSICAL_INT32 ? (int64_t)(uint32_t)stored : stored;
        return *ret >= 0;
    case MEANS_ITSELF:
    case MEANS_JULIAN:
    case MEANS_BIG_ENDIAN:
        break;
    }
    *ret = stored;
    return true;
}

static int64_t get_i64(const uint8_t *plain)
{
    uint64_t little;

    memcpy(&little, plain, sizeof(little));
    return (int64_t)le64toh(little);
}

static int32_t get_i32(const uint8_t *plain)
{
    uint32_t little;

    memcpy(&little, plain, sizeof(little));
    return (int32_t)le32toh(little);
}

static bool get_julian(const uint8_t *plain, int64_t *ret)
{
    const int64_t nanos = get_i64(plain), day = get_i32(plain + 8);

    if (nanos % 1000 != 0 || __builtin_mul_overflow(day - EPOCH_JULIAN, US_PER_DAY, ret))
        return false;
    return !__builtin_add_overflow(*ret, nanos / 1000, ret);
}

/* Two's complement of any width; what is above eight bytes must be the sign. */
static bool get_big_endian(const uint8_t *plain, size_t width, int64_t *ret)
{
    const uint8_t sign = plain[0] & 0x80 ? 0xff : 0;
    uint64_t value = sign ? UINT64_MAX : 0;

    for (size_t i = 0; i < width; i++) {
        if (i + 8 < width && plain[i] != sign)
            return false;
        value = value << 8 | plain[i];
    }
    *ret = (int64_t)value;
    return (*ret < 0) == (sign != 0);
}

static int64_t bits_of_float(const uint8_t *plain)
{
    const int32_t bits = get_i32(plain);
    float x;
    double wide;
    int64_t ret;

    memcpy(&x, &bits, sizeof(x));
    wide = (double)x;
    memcpy(&ret, &wide, sizeof(ret));
    return ret;
}

bool leaf_value(const struct leaf *l, const uint8_t *plain, int64_t *ret)
{
    switch (l->physical) {
    case PHYSICAL_INT32:
        return leaf_mean(l, get_i32(plain), ret);
    case PHYSICAL_INT64:
        return leaf_mean(l, get_i64(plain), ret);
    case PHYSICAL_INT96:
        return get_julian(plain, ret);
    case PHYSICAL_FLOAT:
        *ret = bits_of_float(plain);
        return true;
    case PHYSICAL_DOUBLE:
        *ret = get_i64(plain);
        return true;
    case PHYSICAL_FIXED:
        return get_big_endian(plain, l->width, ret);
    case PHYSICAL_BOOLEAN:
    case PHYSICAL_BYTES:
        break;
    }
    return false;
}

const char *leaf_why(const struct leaf *l)
{
    switch (l->meaning) {
    case MEANS_NANOS:
        return "a time has nanoseconds";
    case MEANS_JULIAN:
        return "a time has nanoseconds, or is beyond all years";
    case MEANS_UNSIGNED:
        return "a number is beyond 2^63";
    case MEANS_BIG_ENDIAN:
        return "a decimal is beyond 2^63";
    case MEANS_MILLIS:
    case MEANS_DAYS:
    case MEANS_ITSELF:
        break;
    }
    return "a time is beyond all years";
}
