/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/thrift.h"

#define MAX_SKIP 32 /* structs and lists in each other, of what is skipped */

static uint8_t get_byte(struct thrift_in *t)
{
    if (t->is_bad || t->at == t->end) {
        t->is_bad = true;
        return 0;
    }
    return *t->at++;
}

uint64_t varint_get(struct thrift_in *t)
{
    uint64_t value = 0;

    for (int shift = 0; shift < 64; shift += 7) {
        const uint8_t byte = get_byte(t);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    t->is_bad = true;
    return 0;
}

bool thrift_next(struct thrift_in *t, struct thrift_field *field)
{
    const uint8_t head = get_byte(t);

    if (t->is_bad || head == 0)
        return false;
    const int64_t id = head >> 4 ? field->id + (head >> 4) : unzigzag(varint_get(t));
    if (id < INT16_MIN || id > INT16_MAX)
        t->is_bad = true;
    field->id = (int)id;
    field->type = head & 15;
    return !t->is_bad;
}

static void skip_bytes(struct thrift_in *t, uint64_t n)
{
    if (n > (uint64_t)(t->end - t->at))
        t->is_bad = true;
    else
        t->at += n;
}

static void skip(struct thrift_in *t, enum thrift_type type, bool is_item, int depth);

static void skip_list(struct thrift_in *t, int depth)
{
    const uint8_t head = get_byte(t);
    const uint64_t n = head >> 4 < 15 ? head >> 4 : varint_get(t);

    if (n > (uint64_t)(t->end - t->at))
        t->is_bad = true;
    for (uint64_t i = 0; !t->is_bad && i < n; i++)
        skip(t, head & 15, true, depth);
}

static void skip_map(struct thrift_in *t, int depth)
{
    const uint64_t n = varint_get(t);
    const uint8_t types = n > 0 ? get_byte(t) : 0;

    if (n > (uint64_t)(t->end - t->at))
        t->is_bad = true;
    for (uint64_t i = 0; !t->is_bad && i < n; i++) {
        skip(t, types >> 4, true, depth);
        skip(t, types & 15, true, depth);
    }
}

static void skip_struct(struct thrift_in *t, int depth)
{
    struct thrift_field field = THRIFT_FIRST;

    while (thrift_next(t, &field))
        skip(t, field.type, false, depth);
}

static void skip(struct thrift_in *t, enum thrift_type type, bool is_item, int depth)
{
    if (depth == MAX_SKIP) {
        t->is_bad = true;
        return;
    }
    switch (type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE: /* a field's value is its type */
        skip_bytes(t, is_item);
        break;
    case THRIFT_BYTE:
        skip_bytes(t, 1);
        break;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64:
        varint_get(t);
        break;
    case THRIFT_DOUBLE:
        skip_bytes(t, 8);
        break;
    case THRIFT_BINARY:
        skip_bytes(t, varint_get(t));
        break;
    case THRIFT_LIST:
    case THRIFT_SET:
        skip_list(t, depth + 1);
        break;
    case THRIFT_MAP:
        skip_map(t, depth + 1);
        break;
    case THRIFT_STRUCT:
        skip_struct(t, depth + 1);
        break;
    case THRIFT_UUID:
        skip_bytes(t, 16);
        break;
    default:
        t->is_bad = true;
    }
}

void thrift_skip(struct thrift_in *t, const struct thrift_field *field)
{
    skip(t, field->type, false, 0);
}

/* ---- values ---- */

bool thrift_get_bool(struct thrift_in *t, const struct thrift_field *field)
{
    if (field->type != THRIFT_TRUE && field->type != THRIFT_FALSE)
        t->is_bad = true;
    return !t->is_bad && field->type == THRIFT_TRUE;
}

int64_t thrift_get_int(struct thrift_in *t, const struct thrift_field *field, int64_t min,
                       int64_t max)
{
    int64_t value = 0;

    if (field->type == THRIFT_BYTE)
        value = (get_byte(t) ^ 0x80) - 0x80; /* two's complement */
    else if (field->type == THRIFT_I16 || field->type == THRIFT_I32 || field->type == THRIFT_I64)
        value = unzigzag(varint_get(t));
    else
        t->is_bad = true;
    if (value < min || value > max)
        t->is_bad = true;
    return t->is_bad ? 0 : value;
}

struct str thrift_get_binary(struct thrift_in *t, const struct thrift_field *field)
{
    const uint64_t len = field->type == THRIFT_BINARY ? varint_get(t) : UINT64_MAX;
    const uint8_t *at = t->at;

    skip_bytes(t, len);
    return t->is_bad ? STR_NONE : (struct str){(const char *)at, len};
}

bool thrift_get_struct(struct thrift_in *t, const struct thrift_field *field)
{
    if (field->type != THRIFT_STRUCT)
        t->is_bad = true;
    return !t->is_bad;
}

size_t thrift_get_list(struct thrift_in *t, const struct thrift_field *field,
                       struct thrift_field *ret_item)
{
    if (field->type != THRIFT_LIST && field->type != THRIFT_SET)
        t->is_bad = true;
    const uint8_t head = get_byte(t);
    const uint64_t n = head >> 4 < 15 ? head >> 4 : varint_get(t);

    *ret_item = (struct thrift_field){.type = head & 15};
    if (n > (uint64_t)(t->end - t->at))
        t->is_bad = true;
    return t->is_bad ? 0 : n;
}
