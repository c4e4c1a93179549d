/* The footer: schema, row groups, bounds, notes. It stays in memory as it is; what is asked of a
 * row group is read from it again, so that memory is that of its bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "parquet/reader_inner.h"

#include <assert.h>

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

static enum st bad(const struct parquet_file *f, struct err *err, const char *why)
{
    return err_set(err, ST_REJECT, "%s: the footer: %s", f->name, why);
}

/* ---- schema ---- */

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
            return bad(f, err, "the schema ends early");
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
        return bad(f, err, "the name of a column is longer than 256 bytes");
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

static enum st read_schema(struct parquet_file *f, struct thrift_in *t,
                           const struct thrift_field *of, struct err *err)
{
    struct thrift_field item;
    size_t left = thrift_get_list(t, of, &item);

    if (left == 0)
        return bad(f, err, "it has no schema");
    if (left > PARQUET_MAX_COLUMNS || f->columns)
        return bad(f, err, "its schema has more than 4096 parts");
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
        return bad(f, err, "its schema is damaged");
    return ST_OK;
}

/* ---- row groups ---- */

static void read_statistics(struct thrift_in *t, const struct thrift_field *of,
                            struct chunk_meta *c, bool is_ordered)
{
    struct thrift_field field = THRIFT_FIRST;
    bool has_new = false;

    if (!thrift_get_struct(t, of))
        return;
    while (thrift_next(t, &field)) {
        const bool is_max = field.id == 1 || field.id == 5, is_new = field.id >= 5;
        if (field.id == 3) {
            c->n_nulls = (uint64_t)thrift_get_int(t, &field, 0, INT64_MAX);
            c->has_nulls = true;
        } else if (field.id == 1 || field.id == 2 || field.id == 5 || field.id == 6) {
            const struct str value = thrift_get_binary(t, &field);
            if (is_new && !has_new) /* these are not of the order that was agreed on later */
                c->has_min = c->has_max = false;
            has_new = has_new || is_new;
            if (!is_new && (has_new || !is_ordered))
                continue;
            *(is_max ? &c->max : &c->min) = value;
            *(is_max ? &c->has_max : &c->has_min) = true;
        } else {
            thrift_skip(t, &field);
        }
    }
}

static void read_chunk_data(struct thrift_in *t, const struct thrift_field *of,
                            const struct leaf *leaf, struct chunk_meta *c)
{
    struct thrift_field field = THRIFT_FIRST;
    const bool is_ordered = leaf->physical != PHYSICAL_BYTES && leaf->physical != PHYSICAL_FIXED &&
                            leaf->meaning != MEANS_UNSIGNED;
    int64_t dictionary = 0;

    if (!thrift_get_struct(t, of))
        return;
    while (thrift_next(t, &field)) {
        switch (field.id) {
        case 1:
            thrift_get_int(t, &field, leaf->physical, leaf->physical);
            break;
        case 4:
            c->codec = (int)thrift_get_int(t, &field, 0, INT32_MAX);
            break;
        case 5:
            c->n_values = (uint64_t)thrift_get_int(t, &field, 0, INT32_MAX);
            break;
        case 7:
            c->len = (uint64_t)thrift_get_int(t, &field, 0, INT64_MAX);
            break;
        case 9:
            c->at = (uint64_t)thrift_get_int(t, &field, 0, INT64_MAX);
            break;
        case 11:
            dictionary = thrift_get_int(t, &field, INT64_MIN, INT64_MAX);
            break;
        case 12:
            read_statistics(t, &field, c, is_ordered);
            break;
        default:
            thrift_skip(t, &field);
        }
    }
    if (dictionary > 0 && (uint64_t)dictionary < c->at)
        c->at = (uint64_t)dictionary;
}

static void read_chunk(struct thrift_in *t, const struct thrift_field *of, const struct leaf *leaf,
                       struct chunk_meta *c)
{
    struct thrift_field field = THRIFT_FIRST;

    *c = (struct chunk_meta){.why = "it has no metadata"};
    if (!thrift_get_struct(t, of))
        return;
    while (thrift_next(t, &field)) {
        if (field.id == 3) {
            read_chunk_data(t, &field, leaf, c);
            c->why = c->why && strcmp(c->why, "it has no metadata") == 0 ? NULL : c->why;
        } else if (field.id == 1 && thrift_get_binary(t, &field).len > 0) {
            c->why = "it lies in another file";
        } else if (field.id == 8 || field.id == 9) {
            c->why = "it is encrypted";
            thrift_skip(t, &field);
        } else if (field.id != 1) {
            thrift_skip(t, &field);
        }
    }
}

struct group_read {
    size_t n_rows, n_chunks;
    uint64_t len;
};

static struct group_read read_group(const struct parquet_file *f, struct thrift_in *t,
                                    const struct thrift_field *of, struct chunk_meta *chunks)
{
    struct group_read g = {.n_rows = 0};
    struct thrift_field field = THRIFT_FIRST, item;

    if (!thrift_get_struct(t, of))
        return g;
    while (thrift_next(t, &field)) {
        if (field.id == 1) {
            g.n_chunks = thrift_get_list(t, &field, &item);
            t->is_bad = t->is_bad || g.n_chunks != f->n_leaves;
            for (size_t i = 0; !t->is_bad && i < g.n_chunks; i++) {
                read_chunk(t, &item, &f->leaves[i], &chunks[i]);
                g.len += chunks[i].len;
            }
        } else if (field.id == 3) {
            g.n_rows = (size_t)thrift_get_int(t, &field, 0, (int64_t)PARQUET_MAX_GROUP_ROWS);
        } else {
            thrift_skip(t, &field);
        }
    }
    t->is_bad = t->is_bad || g.n_chunks != f->n_leaves;
    return g;
}

enum st footer_chunks(const struct parquet_file *f, const struct group_at *g,
                      struct chunk_meta *ret_chunks, struct err *err)
{
    struct thrift_in t = {.at = g->footer.at, .end = g->footer.end};
    const struct thrift_field item = {.type = THRIFT_STRUCT};

    read_group(f, &t, &item, ret_chunks);
    return t.is_bad ? bad(f, err, "a row group is damaged") : ST_OK;
}

/* Its chunks lie in the file. */
static const char *check_group(const struct parquet_file *f, const struct group_read *g,
                               const struct chunk_meta *chunks)
{
    for (size_t i = 0; i < f->n_leaves && g->n_rows > 0; i++) {
        const struct chunk_meta *c = &chunks[i];
        if (c->why)
            continue;
        if (c->at < 4 || c->at > f->source.size || c->len > f->source.size - c->at)
            return "a column of a row group does not lie in the file";
    }
    return NULL;
}

static enum st read_groups(struct parquet_file *f, struct thrift_in *t,
                           const struct thrift_field *of, struct err *err)
{
    struct chunk_meta *chunks = mem_new(f->n_leaves, sizeof(*chunks));
    struct thrift_field item;
    const char *why = NULL;
    uint64_t n_rows = 0;

    const size_t n = thrift_get_list(t, of, &item);
    if (n > PARQUET_MAX_GROUPS)
        why = "it has more than 1000000 row groups";
    else if (n > 0 && (f->groups = mem_try(NULL, n * sizeof(*f->groups))) == NULL)
        why = "no memory for its row groups";
    for (size_t i = 0; why == NULL && !t->is_bad && i < n; i++) {
        const uint8_t *begin = t->at;
        const struct group_read g = read_group(f, t, &item, chunks);
        if (t->is_bad)
            break;
        why = check_group(f, &g, chunks);
        f->groups[f->n_groups++] =
            (struct group_at){{begin, t->at}, {.n_rows = g.n_rows, .len = g.len}};
        n_rows += g.n_rows;
    }
    mem_free(chunks);
    if (t->is_bad)
        return bad(f, err, "a row group is damaged, or beyond 67108864 rows");
    if (why == NULL && n_rows != f->n_rows)
        why = "the rows of its row groups are not those of the file";
    return why ? bad(f, err, why) : ST_OK;
}

/* ---- the whole ---- */

static enum st read_file(struct parquet_file *f, struct thrift_in *t, struct thrift_in *ret_groups,
                         struct thrift_field *ret_field, struct err *err)
{
    struct thrift_field field = THRIFT_FIRST;
    enum st st = ST_OK;

    while (st == ST_OK && thrift_next(t, &field)) {
        if (field.id == 2) {
            st = read_schema(f, t, &field, err);
            continue;
        }
        if (field.id == 3) {
            f->n_rows = (uint64_t)thrift_get_int(t, &field, 0, INT64_MAX);
            continue;
        }
        if (field.id == 6) {
            f->created_by = thrift_get_binary(t, &field);
            continue;
        }
        if (field.id == 8)
            return bad(f, err, "it is encrypted");
        const uint8_t *begin = t->at;
        thrift_skip(t, &field);
        if (field.id == 4) {
            *ret_groups = (struct thrift_in){.at = begin, .end = t->at};
            *ret_field = field;
        } else if (field.id == 5 && field.type == THRIFT_LIST) {
            f->notes = (struct bytes){begin, t->at};
        }
    }
    if (st == ST_OK && t->is_bad)
        return bad(f, err, "damaged");
    return st;
}

enum st footer_read(struct parquet_file *f, struct bytes footer, struct err *err)
{
    struct thrift_in t = {.at = footer.at, .end = footer.end}, groups = {.at = NULL};
    struct thrift_field field = THRIFT_FIRST;

    enum st st = read_file(f, &t, &groups, &field, err);
    if (st != ST_OK)
        return st;
    if (f->columns == NULL)
        return bad(f, err, "it has no schema");
    if (groups.at == NULL)
        return bad(f, err, "it has no list of row groups");
    return read_groups(f, &groups, &field, err);
}

/* ---- what it says ---- */

struct str parquet_note(const struct parquet_file *f, struct str key)
{
    struct thrift_in t = {.at = f->notes.at, .end = f->notes.end};
    const struct thrift_field list = {.type = THRIFT_LIST};
    struct thrift_field item;

    for (size_t n = t.at ? thrift_get_list(&t, &list, &item) : 0; n > 0 && !t.is_bad; n--) {
        struct thrift_field field = THRIFT_FIRST;
        struct str pair[2] = {STR_NONE, STR_NONE};
        if (!thrift_get_struct(&t, &item))
            break;
        while (thrift_next(&t, &field))
            if (field.id == 1 || field.id == 2)
                pair[field.id - 1] = thrift_get_binary(&t, &field);
            else
                thrift_skip(&t, &field);
        if (!t.is_bad && str_eq(pair[0], key))
            return pair[1];
    }
    return STR_NONE;
}

/* A bound as the footer has it; false: it is none. A bound of nanoseconds includes their µs. */
static bool read_bound(const struct leaf *l, const struct parquet_field *field, struct str bytes,
                       bool is_max, struct parquet_value *ret)
{
    *ret = (struct parquet_value){.text = bytes};
    if (l->physical == PHYSICAL_BYTES)
        return true;
    if (l->physical == PHYSICAL_BOOLEAN) {
        ret->number = bytes.len == 1 && bytes.p[0] != 0;
        return bytes.len == 1;
    }
    if (bytes.len != l->width || l->physical == PHYSICAL_INT96)
        return false;
    if (!leaf_value(l, (const uint8_t *)bytes.p, &ret->number)) {
        if (l->meaning != MEANS_NANOS)
            return false;
        ret->number += is_max;
    }
    if (field->kind == CELL_NUM && field->scale < 0)
        memcpy(&ret->real, &ret->number, sizeof(ret->real));
    return ret->real == ret->real; /* not a number: says nothing */
}

struct parquet_bounds parquet_bounds(const struct parquet_file *f, size_t group, size_t column)
{
    struct chunk_meta *chunks = mem_new(f->n_leaves, sizeof(*chunks));
    struct parquet_bounds b = {.has_nulls = false};
    const struct column_at *c = &f->columns[column];
    struct err err = ERR_INIT;

    assert(group < f->n_groups && column < f->n_columns);
    const bool is_read = footer_chunks(f, &f->groups[group], chunks, &err) == ST_OK;
    const struct chunk_meta *m = &chunks[c->leaf];
    if (is_read && !c->field.is_map && c->field.unknown == NULL && m->why == NULL) {
        const struct leaf *l = &f->leaves[c->leaf];
        b.has_nulls = m->has_nulls && m->n_nulls <= f->groups[group].info.n_rows;
        b.n_nulls = b.has_nulls ? (size_t)m->n_nulls : 0;
        b.has_min = m->has_min && read_bound(l, &c->field, m->min, false, &b.min);
        b.has_max = m->has_max && read_bound(l, &c->field, m->max, true, &b.max);
    }
    mem_free(chunks);
    return b;
}
