/* Thrift's compact protocol, as far as Parquet's metadata needs it.
 *
 * A field is a byte (distance from the field before << 4 | type) and its value; integers are
 * zigzag varints; a struct ends with 0.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PARQUET_THRIFT_H
#define PARQUET_THRIFT_H

#include "base/buf.h"

#define THRIFT_MAX_DEPTH 8

enum thrift_type {
    THRIFT_TRUE = 1, /* also the type of booleans in lists */
    THRIFT_FALSE = 2,
    THRIFT_BYTE = 3,
    THRIFT_I16 = 4,
    THRIFT_I32 = 5,
    THRIFT_I64 = 6,
    THRIFT_DOUBLE = 7,
    THRIFT_BINARY = 8,
    THRIFT_LIST = 9,
    THRIFT_SET = 10,
    THRIFT_MAP = 11,
    THRIFT_STRUCT = 12,
    THRIFT_UUID = 13,
};

/* ---- writing ---- */

/* A struct that is being written, and those around it. */
struct thrift {
    struct buf *b;
    int last[THRIFT_MAX_DEPTH]; /* field of each */
    int depth;
};

static inline struct thrift thrift_of(struct buf *b)
{
    return (struct thrift){.b = b};
}

/* Fields, in the order of their numbers (from 1). */
void thrift_bool(struct thrift *t, int field, bool value);
void thrift_i32(struct thrift *t, int field, int32_t value);
void thrift_i64(struct thrift *t, int field, int64_t value);
void thrift_binary(struct thrift *t, int field, struct str value);
void thrift_struct(struct thrift *t, int field); /* its fields, then thrift_end() */
void thrift_list(struct thrift *t, int field, enum thrift_type of, size_t n); /* then n items */

/* Items of lists. */
void thrift_item_bool(struct thrift *t, bool value);
void thrift_item_int(struct thrift *t, int64_t value);
void thrift_item_binary(struct thrift *t, struct str value);
void thrift_item_struct(struct thrift *t); /* its fields, then thrift_end() */

/* Of the innermost struct; also of the outermost, which nothing began. */
void thrift_end(struct thrift *t);

/* 7 bits a byte, the lowest first. */
void varint_add(struct buf *b, uint64_t value);

/* Small negative numbers become small ones, too. */
static inline uint64_t zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

/* ---- reading ---- */

/* Bytes that nobody vouches for. What does not fit sets is_bad, after which there are no more
 * fields, and values are 0 or empty: so a caller reads on, and asks once. */
struct thrift_in {
    const uint8_t *at, *end;
    bool is_bad;
};

/* Of a struct; begins as THRIFT_FIRST. */
struct thrift_field {
    int id;
    enum thrift_type type;
};
#define THRIFT_FIRST ((struct thrift_field){.id = 0, .type = 0})

/* The next field; false: the struct is over. Its value is read, or skipped, before the next one. */
bool thrift_next(struct thrift_in *t, struct thrift_field *field);
void thrift_skip(struct thrift_in *t, const struct thrift_field *field);

/* The value of a field, which is bad when it has another type, or not in the range. */
bool thrift_get_bool(struct thrift_in *t, const struct thrift_field *field);
int64_t thrift_get_int(struct thrift_in *t, const struct thrift_field *field, int64_t min,
                       int64_t max);
struct str thrift_get_binary(struct thrift_in *t, const struct thrift_field *field);
/* Its fields follow, from THRIFT_FIRST on. False: it is none. */
bool thrift_get_struct(struct thrift_in *t, const struct thrift_field *field);
/* So many items follow, each as a field of that type; 0 also for a bad one. No more than there are
 * bytes. */
size_t thrift_get_list(struct thrift_in *t, const struct thrift_field *field,
                       struct thrift_field *ret_item);

/* 7 bits a byte, the lowest first. */
uint64_t varint_get(struct thrift_in *t);

static inline int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

#endif
