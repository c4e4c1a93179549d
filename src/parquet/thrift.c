/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/thrift.h"

#include <assert.h>

void varint_add(struct buf *b, uint64_t value)
{
    char bytes[10];
    size_t n = 0;

    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (char)(value | 0x80);
    bytes[n++] = (char)value;
    buf_add(b, bytes, n);
}

static void begin_field(struct thrift *t, int field, enum thrift_type type)
{
    const int distance = field - t->last[t->depth];

    assert(distance > 0 && distance < 16); /* Parquet's structs have no wider gaps */
    buf_add_char(t->b, (char)(distance << 4 | (int)type));
    t->last[t->depth] = field;
}

static void enter(struct thrift *t)
{
    assert(t->depth + 1 < THRIFT_MAX_DEPTH);
    t->last[++t->depth] = 0;
}

void thrift_bool(struct thrift *t, int field, bool value)
{
    begin_field(t, field, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_i32(struct thrift *t, int field, int32_t value)
{
    begin_field(t, field, THRIFT_I32);
    thrift_item_int(t, value);
}

void thrift_i64(struct thrift *t, int field, int64_t value)
{
    begin_field(t, field, THRIFT_I64);
    thrift_item_int(t, value);
}

void thrift_binary(struct thrift *t, int field, struct str value)
{
    begin_field(t, field, THRIFT_BINARY);
    thrift_item_binary(t, value);
}

void thrift_struct(struct thrift *t, int field)
{
    begin_field(t, field, THRIFT_STRUCT);
    enter(t);
}

void thrift_list(struct thrift *t, int field, enum thrift_type of, size_t n)
{
    begin_field(t, field, THRIFT_LIST);
    buf_add_char(t->b, (char)((n < 15 ? n : 15) << 4 | (size_t)of));
    if (n >= 15)
        varint_add(t->b, n);
}

void thrift_item_bool(struct thrift *t, bool value)
{
    buf_add_char(t->b, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_item_int(struct thrift *t, int64_t value)
{
    varint_add(t->b, zigzag(value));
}

void thrift_item_binary(struct thrift *t, struct str value)
{
    varint_add(t->b, value.len);
    buf_add_str(t->b, value);
}

void thrift_item_struct(struct thrift *t)
{
    enter(t);
}

void thrift_end(struct thrift *t)
{
    buf_add_char(t->b, 0);
    if (t->depth > 0)
        t->depth--;
}
