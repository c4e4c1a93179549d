/* Thrift's compact protocol, as far as Parquet's metadata needs it: writing.
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
    THRIFT_I32 = 5,
    THRIFT_I64 = 6,
    THRIFT_BINARY = 8,
    THRIFT_LIST = 9,
    THRIFT_STRUCT = 12,
};

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

#endif
