/* The footer: row groups, bounds, notes. It stays in memory as it is; what is asked of a row group
 * is read from it again, so that memory is that of its bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "parquet/reader_inner.h"

#include <assert.h>

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
    return t.is_bad ? footer_bad(f, err, "a row group is damaged") : ST_OK;
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
        return footer_bad(f, err, "a row group is damaged, or beyond 67108864 rows");
    if (why == NULL && n_rows != f->n_rows)
        why = "the rows of its row groups are not those of the file";
    return why ? footer_bad(f, err, why) : ST_OK;
}

/* ---- the whole ---- */

static enum st read_file(struct parquet_file *f, struct thrift_in *t, struct thrift_in *ret_groups,
                         struct thrift_field *ret_field, struct err *err)
{
    struct thrift_field field = THRIFT_FIRST;
    enum st st = ST_OK;

    while (st == ST_OK && thrift_next(t, &field)) {
        if (field.id == 2) {
            st = footer_read_schema(f, t, &field, err);
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
            return footer_bad(f, err, "it is encrypted");
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
        return footer_bad(f, err, "damaged");
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
        return footer_bad(f, err, "it has no schema");
    if (groups.at == NULL)
        return footer_bad(f, err, "it has no list of row groups");
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
