/* The schema of a footer: which columns there are, and which of them can be read. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "parquet/reader_inner.h"

#define MAX_NAME   256 /* bytes */
#define MAX_DIGITS 18
#define MAX_WIDTH  64 /* of FIXED */

enum { REQUIRED = 0, OPTIONAL = 1, REPEATED = 2 };

/* As the format numbers them. */
enum {
    LOGICAL_NONE,
    LOGICAL_STRING,
    LOGICAL_MAP,
    LOGICAL_LIST,
    LOGICAL_ENUM,
    LOGICAL_DECIMAL,
    LOGICAL_DATE,
    LOGICAL_TIME,
    LOGICAL_TIMESTAMP,
    LOGICAL_INTEGER = 10,
    LOGICAL_UNKNOWN,
    LOGICAL_JSON,
    LOGICAL_BSON,
    LOGICAL_UUID,
    LOGICAL_FLOAT16
};
enum {
    CONVERTED_NONE = -1,
    CONVERTED_UTF8,
    CONVERTED_MAP,
    CONVERTED_MAP_KEY_VALUE,
    CONVERTED_LIST,
    CONVERTED_ENUM,
    CONVERTED_DECIMAL,
    CONVERTED_DATE,
    CONVERTED_TIME_MILLIS,
    CONVERTED_TIME_MICROS,
    CONVERTED_TIMESTAMP_MILLIS,
    CONVERTED_TIMESTAMP_MICROS,
    CONVERTED_UINT_8,
    CONVERTED_UINT_64 = 14,
    CONVERTED_INT_64 = 18,
    CONVERTED_JSON,
    CONVERTED_BSON,
    CONVERTED_INTERVAL
};
enum { UNIT_MILLIS = 1, UNIT_MICROS = 2, UNIT_NANOS = 3 };

enum st footer_bad(const struct parquet_file *f, struct err *err, const char *why)
{
    return err_set(err, ST_REJECT, "%s: the footer: %s", f->name, why);
}

struct element {
    struct str name;
    int physical; /* -1: a group */
    int64_t width, n_children, scale, precision;
    int repetition, converted;
    int logical, unit;
    bool is_unsigned;
};

/* {1: {}}: which field there is, is the unit. */
static int read_unit(struct thrift_in *t, const struct thrift_field *of)
{
    struct thrift_field field = THRIFT_FIRST;
    int unit = 0;

    if (!thrift_get_struct(t, of))
        return 0;
    while (thrift_next(t, &field)) {
        unit = field.id;
        thrift_skip(t, &field);
    }
    return unit;
}

/* What stands in the struct of a logical type. */
static void read_logical_type(struct thrift_in *t, const struct thrift_field *of, struct element *e)
{
    struct thrift_field field = THRIFT_FIRST;
    const bool is_time = e->logical == LOGICAL_TIME || e->logical == LOGICAL_TIMESTAMP;

    if (!thrift_get_struct(t, of))
        return;
    while (thrift_next(t, &field)) {
        if (is_time && field.id == 2)
            e->unit = read_unit(t, &field);
        else if (e->logical == LOGICAL_DECIMAL && field.id == 1)
            e->scale = thrift_get_int(t, &field, INT32_MIN, INT32_MAX);
        else if (e->logical == LOGICAL_DECIMAL && field.id == 2)
            e->precision = thrift_get_int(t, &field, INT32_MIN, INT32_MAX);
        else if (e->logical == LOGICAL_INTEGER && field.id == 2)
            e->is_unsigned = !thrift_get_bool(t, &field);
        else
            thrift_skip(t, &field);
    }
}

static void read_logical(struct thrift_in *t, const struct thrift_field *of, struct element *e)
{
    struct thrift_field field = THRIFT_FIRST;

    if (!thrift_get_struct(t, of))
        return;
    while (thrift_next(t, &field)) {
        e->logical = field.id;
        read_logical_type(t, &field, e);
    }
}

static struct element read_element(struct thrift_in *t, const struct thrift_field *of)
{
    struct element e = {.physical = -1, .converted = CONVERTED_NONE};
    struct thrift_field field = THRIFT_FIRST;

    if (!thrift_get_struct(t, of))
        return e;
    while (thrift_next(t, &field)) {
        switch (field.id) {
        case 1:
            e.physical = (int)thrift_get_int(t, &field, 0, PHYSICAL_FIXED);
            break;
        case 2:
            e.width = thrift_get_int(t, &field, INT32_MIN, INT32_MAX);
            break;
        case 3:
            e.repetition = (int)thrift_get_int(t, &field, REQUIRED, REPEATED);
            break;
        case 4:
            e.name = thrift_get_binary(t, &field);
            break;
        case 5:
            e.n_children = thrift_get_int(t, &field, 0, INT32_MAX);
            break;
        case 6:
            e.converted = (int)thrift_get_int(t, &field, 0, INT32_MAX);
            break;
        case 7:
            e.scale = thrift_get_int(t, &field, INT32_MIN, INT32_MAX);
            break;
        case 8:
            e.precision = thrift_get_int(t, &field, INT32_MIN, INT32_MAX);
            break;
        case 10:
            read_logical(t, &field, &e);
            break;
        default:
            thrift_skip(t, &field);
        }
    }
    if (e.n_children > 0)
        e.physical = -1;
    return e;
}

static bool is_decimal(const struct element *e)
{
    return e->logical == LOGICAL_DECIMAL || e->converted == CONVERTED_DECIMAL;
}

static enum meaning meaning_of_time(const struct element *e)
{
    if (e->logical == LOGICAL_TIMESTAMP)
        return e->unit == UNIT_MILLIS  ? MEANS_MILLIS
               : e->unit == UNIT_NANOS ? MEANS_NANOS
                                       : MEANS_ITSELF;
    return e->converted == CONVERTED_TIMESTAMP_MILLIS ? MEANS_MILLIS : MEANS_ITSELF;
}

static const char *type_int(const struct element *e, struct leaf *l, struct parquet_field *field)
{
    if (e->logical == LOGICAL_UNKNOWN)
        return NULL; /* nulls, of no kind */
    if (is_decimal(e)) {
        field->kind = CELL_NUM;
        field->scale = (int)e->scale;
        return e->scale < 0 || e->scale > MAX_DIGITS ? "a decimal of that scale" : NULL;
    }
    if (e->logical == LOGICAL_TIME || e->converted == CONVERTED_TIME_MILLIS ||
        e->converted == CONVERTED_TIME_MICROS)
        return "a time of the day";
    if (e->logical == LOGICAL_DATE || e->converted == CONVERTED_DATE) {
        field->kind = CELL_TIME;
        l->meaning = MEANS_DAYS;
    } else if (e->logical == LOGICAL_TIMESTAMP || e->converted == CONVERTED_TIMESTAMP_MILLIS ||
               e->converted == CONVERTED_TIMESTAMP_MICROS) {
        field->kind = CELL_TIME;
        l->meaning = meaning_of_time(e);
    } else {
        field->kind = CELL_INT;
        if (e->is_unsigned || (e->logical == LOGICAL_NONE && e->converted >= CONVERTED_UINT_8 &&
                               e->converted <= CONVERTED_UINT_64))
            l->meaning = MEANS_UNSIGNED;
    }
    return NULL;
}

static const char *type_fixed(const struct element *e, struct leaf *l, struct parquet_field *field)
{
    if (!is_decimal(e))
        return e->logical == LOGICAL_UUID           ? "a UUID"
               : e->logical == LOGICAL_FLOAT16      ? "a FLOAT16"
               : e->converted == CONVERTED_INTERVAL ? "an interval"
                                                    : "bytes of a fixed length";
    field->kind = CELL_NUM;
    field->scale = (int)e->scale;
    l->meaning = MEANS_BIG_ENDIAN;
    return e->scale < 0 || e->scale > MAX_DIGITS ? "a decimal of that scale" : NULL;
}

static const char *type_bytes(const struct element *e, struct parquet_field *field)
{
    field->kind = CELL_TEXT;
    if (is_decimal(e))
        return "a decimal of any length";
    if (e->logical == LOGICAL_BSON || e->converted == CONVERTED_BSON)
        return "BSON";
    return e->logical > LOGICAL_FLOAT16 ? "of a logical type that is not known" : NULL;
}

/* Fills leaf and field; NULL, or why it cannot be read. */
static const char *type_leaf(const struct element *e, struct leaf *l, struct parquet_field *field)
{
    static const uint8_t widths[] = {
        [PHYSICAL_INT32] = 4, [PHYSICAL_INT64] = 8,  [PHYSICAL_INT96] = 12,
        [PHYSICAL_FLOAT] = 4, [PHYSICAL_DOUBLE] = 8, [PHYSICAL_FIXED] = 0};

    *l = (struct leaf){.physical = (enum physical)e->physical,
                       .width = widths[e->physical],
                       .max_def = e->repetition != REQUIRED,
                       .max_rep = e->repetition == REPEATED};
    field->scale = -1;
    switch (l->physical) {
    case PHYSICAL_BOOLEAN:
        field->kind = CELL_INT;
        return NULL;
    case PHYSICAL_INT32:
    case PHYSICAL_INT64:
        return type_int(e, l, field);
    case PHYSICAL_INT96:
        field->kind = CELL_TIME;
        l->meaning = MEANS_JULIAN;
        return NULL;
    case PHYSICAL_FLOAT:
    case PHYSICAL_DOUBLE:
        field->kind = CELL_NUM;
        return NULL;
    case PHYSICAL_BYTES:
        return type_bytes(e, field);
    case PHYSICAL_FIXED:
        break;
    }
    if (e->width < 1 || e->width > MAX_WIDTH)
        return "of that many bytes";
    l->width = (size_t)e->width;
    return type_fixed(e, l, field);
}

/* e: a group, what repeats, the key, the value. */
static bool is_map(const struct element e[4], size_t n)
{
    return n == 4 &&
           (e[0].logical == LOGICAL_MAP || e[0].converted == CONVERTED_MAP ||
            e[0].converted == CONVERTED_MAP_KEY_VALUE) &&
           e[0].n_children == 1 && e[0].repetition != REPEATED && e[1].n_children == 2 &&
           e[1].repetition == REPEATED && e[2].physical == PHYSICAL_BYTES &&
           e[2].repetition != REPEATED && e[3].physical == PHYSICAL_BYTES &&
           e[3].repetition != REPEATED;
}

static const char *type_map(const struct element e[4], struct leaf l[2],
                            struct parquet_field *field)
{
    field->is_map = true;
    if (e[2].repetition != REQUIRED)
        return "a map whose keys may be null";
    for (int i = 0; i < 2; i++) {
        const char *why = type_leaf(&e[2 + i], &l[i], field);
        if (why)
            return why;
        l[i].max_def =
            (uint8_t)((e[0].repetition == OPTIONAL) + 1 + (e[2 + i].repetition == OPTIONAL));
        l[i].max_rep = 1;
    }
    return NULL;
}

static const char *why_nested(const struct element *e)
{
    if (e->logical == LOGICAL_LIST || e->converted == CONVERTED_LIST || e->repetition == REPEATED)
        return "a list";
    if (e->logical == LOGICAL_MAP || e->converted == CONVERTED_MAP ||
        e->converted == CONVERTED_MAP_KEY_VALUE)
        return "a map, but not of texts to texts";
    return "a struct";
}

/* A column and all below it. */
static enum st read_column(struct parquet_file *f, struct thrift_in *t,
                           const struct thrift_field *item, size_t *items_left, struct err *err)
{
    struct element e[4];
    struct column_at *column = &f->columns[f->n_columns++];
    size_t n = 0, n_leaves = 0;

    column->leaf = f->n_leaves;
    for (int64_t left = 1; left > 0; n++) {
        if (*items_left == 0 || t->is_bad)
            return footer_bad(f, err, "the schema ends early");
        --*items_left;
        const struct element one = read_element(t, item);
        if (n < 4)
            e[n] = one;
        left += one.n_children - 1;
        if (one.physical >= 0 && one.n_children == 0) {
            f->leaves[f->n_leaves++] = (struct leaf){.physical = (enum physical)one.physical};
            n_leaves++;
        }
    }
    if (e[0].name.len > MAX_NAME)
        return footer_bad(f, err, "the name of a column is longer than 256 bytes");
    column->field.name = arena_str(&f->names, e[0].name).p;
    if (column->field.name == NULL)
        return err_set(err, ST_AGAIN, "%s: no memory", f->name);
    struct leaf *leaves = &f->leaves[column->leaf];
    if (is_map(e, n))
        column->field.unknown = type_map(e, leaves, &column->field);
    else if (n > 1 || n_leaves != 1 || e[0].repetition == REPEATED)
        column->field.unknown = why_nested(&e[0]);
    else
        column->field.unknown = type_leaf(&e[0], leaves, &column->field);
    return ST_OK;
}

enum st footer_read_schema(struct parquet_file *f, struct thrift_in *t,
                           const struct thrift_field *of, struct err *err)
{
    struct thrift_field item;
    size_t left = thrift_get_list(t, of, &item);

    if (left == 0)
        return footer_bad(f, err, "it has no schema");
    if (left > PARQUET_MAX_COLUMNS || f->columns)
        return footer_bad(f, err, "its schema has more than 4096 parts");
    f->columns = mem_new(left, sizeof(*f->columns));
    f->leaves = mem_new(left, sizeof(*f->leaves));
    const struct element root = read_element(t, &item);
    left--;
    for (int64_t i = 0; i < root.n_children; i++) {
        enum st st = read_column(f, t, &item, &left, err);
        if (st != ST_OK)
            return st;
    }
    if (left > 0 || t->is_bad || f->n_columns == 0)
        return footer_bad(f, err, "its schema is damaged");
    return ST_OK;
}
