/* A file, and batches of its columns. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/reader.h"

#include "base/mem.h"
#include "parquet/reader_inner.h"

#include <assert.h>
#include <inttypes.h>

#define TAIL      8 /* length of the footer, magic */
#define MAX_NAMES ((size_t)2 * 1024 * 1024)
#define MAX_PAIRS ((size_t)64 * 1024 * 1024) /* bytes of the texts of a map in a batch */

static enum st not_one(const struct parquet_file *f, struct err *err, const char *why)
{
    return err_set(err, ST_REJECT, "%s: %s", f->name, why);
}

/* ret_len: of the footer. */
static enum st read_tail(const struct parquet_file *f, size_t *ret_len, struct err *err)
{
    const struct parquet_source *s = &f->source;
    char tail[TAIL];
    struct bytes in = {(const uint8_t *)tail, (const uint8_t *)tail + TAIL};
    uint32_t len;

    if (s->size < 4 + TAIL)
        return not_one(f, err, "not a Parquet file: it is too short");
    enum st st = s->read_at(s->ctx, s->size - TAIL, TAIL, tail, err);
    if (st != ST_OK)
        return st;
    if (memcmp(tail + 4, "PARE", 4) == 0)
        return not_one(f, err, "its footer is encrypted");
    if (memcmp(tail + 4, "PAR1", 4) != 0 || !bytes_take_u32(&in, &len))
        return not_one(f, err, "not a Parquet file, or cut off: it does not end with PAR1");
    if (len > s->size - 4 - TAIL)
        return not_one(f, err, "its footer is longer than the file");
    if (len > PARQUET_MAX_FOOTER)
        return not_one(f, err, "its footer has more than 256 MB");
    *ret_len = len;
    return ST_OK;
}

static enum st open_file(struct parquet_file *f, struct err *err)
{
    const struct parquet_source *s = &f->source;
    size_t len;

    enum st st = read_tail(f, &len, err);
    if (st != ST_OK)
        return st;
    f->footer = mem_try(NULL, len + 1);
    if (f->footer == NULL)
        return err_set(err, ST_AGAIN, "%s: no memory for a footer of %zu bytes", f->name, len);
    if (len > 0)
        st = s->read_at(s->ctx, s->size - TAIL - len, len, f->footer, err);
    return st == ST_OK ? footer_read(f, (struct bytes){f->footer, f->footer + len}, err) : st;
}

enum st parquet_open(const struct parquet_source *source, struct parquet_file **ret_file,
                     struct err *err)
{
    struct parquet_file *f = mem_new(1, sizeof(*f));

    f->source = *source;
    f->name = mem_strdup(source->name);
    f->zstd = ZSTD_createDCtx();
    assert(f->zstd);
    arena_init(&f->names, MAX_NAMES);
    enum st st = open_file(f, err);
    if (st == ST_OK)
        *ret_file = f;
    else
        parquet_close(f);
    return st;
}

void parquet_close(struct parquet_file *f)
{
    if (f == NULL)
        return;
    ZSTD_freeDCtx(f->zstd);
    arena_release(&f->names);
    mem_free(f->columns);
    mem_free(f->leaves);
    mem_free(f->groups);
    mem_free(f->footer);
    mem_free(f->name);
    mem_free(f);
}

size_t parquet_n_columns(const struct parquet_file *f)
{
    return f->n_columns;
}

const struct parquet_field *parquet_field(const struct parquet_file *f, size_t column)
{
    assert(column < f->n_columns);
    return &f->columns[column].field;
}

size_t parquet_find(const struct parquet_file *f, struct str name)
{
    size_t i = 0;

    while (i < f->n_columns && !str_eq(str_of(f->columns[i].field.name), name))
        i++;
    return i;
}

uint64_t parquet_n_rows(const struct parquet_file *f)
{
    return f->n_rows;
}

size_t parquet_n_groups(const struct parquet_file *f)
{
    return f->n_groups;
}

struct parquet_group parquet_group(const struct parquet_file *f, size_t group)
{
    assert(group < f->n_groups);
    return f->groups[group].info;
}

struct str parquet_created_by(const struct parquet_file *f)
{
    return f->created_by;
}

/* ---- scans ---- */

/* A column that is scanned: of a map the keys and the values. */
struct scanned {
    struct parquet_vector vector;
    const struct column_at *column;
    struct cursor cursor, values;
    struct buf texts; /* maps: of the batch */
    size_t n_pairs, max_pairs;
};

struct parquet_scan {
    struct parquet_file *f;
    struct scanned *columns;
    size_t n;
    struct chunk_meta *chunks;
    size_t rows_left;
    uint32_t *levels;
    int64_t *numbers; /* those that are there */
    struct str *texts;
};

static bool is_text(const struct scanned *c)
{
    return c->column->field.kind == CELL_TEXT && !c->column->field.is_map;
}

static void begin_column(struct parquet_scan *s, struct scanned *c, size_t column)
{
    struct parquet_vector *v = &c->vector;

    c->column = &s->f->columns[column];
    v->field = &c->column->field;
    v->is_there = mem_new(PARQUET_MAX_BATCH, sizeof(*v->is_there));
    if (v->field->is_map)
        v->pairs_end = mem_new(PARQUET_MAX_BATCH, sizeof(*v->pairs_end));
    else if (v->field->kind == CELL_TEXT)
        v->texts = mem_new(PARQUET_MAX_BATCH, sizeof(*v->texts));
    else if (v->field->kind == CELL_NUM && v->field->scale < 0)
        v->reals = mem_new(PARQUET_MAX_BATCH, sizeof(*v->reals));
    else
        v->numbers = mem_new(PARQUET_MAX_BATCH, sizeof(*v->numbers));
    buf_init(&c->texts, MAX_PAIRS);
    cursor_start(&c->cursor, s->f, &s->f->leaves[c->column->leaf], v->field->name);
    if (v->field->is_map)
        cursor_start(&c->values, s->f, &s->f->leaves[c->column->leaf + 1], v->field->name);
}

enum st parquet_scan_new(struct parquet_file *f, const size_t *columns, size_t n,
                         struct parquet_scan **ret_scan, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        assert(columns[i] < f->n_columns);
        const struct parquet_field *field = &f->columns[columns[i]].field;
        if (field->unknown)
            return err_set(err, ST_REJECT, "%s: column %s cannot be read: it is %s", f->name,
                           field->name, field->unknown);
    }
    struct parquet_scan *s = mem_new(1, sizeof(*s));
    s->f = f;
    s->n = n;
    s->columns = mem_new(n + 1, sizeof(*s->columns));
    s->chunks = mem_new(f->n_leaves, sizeof(*s->chunks));
    s->levels = mem_new(PARQUET_MAX_BATCH, sizeof(*s->levels));
    s->numbers = mem_new(PARQUET_MAX_BATCH, sizeof(*s->numbers));
    s->texts = mem_new(PARQUET_MAX_BATCH, sizeof(*s->texts));
    for (size_t i = 0; i < n; i++)
        begin_column(s, &s->columns[i], columns[i]);
    *ret_scan = s;
    return ST_OK;
}

static void end_column(struct scanned *c)
{
    mem_free(c->vector.is_there);
    mem_free(c->vector.numbers);
    mem_free(c->vector.reals);
    mem_free(c->vector.texts);
    mem_free(c->vector.pairs_end);
    mem_free(c->vector.keys);
    mem_free(c->vector.values);
    buf_release(&c->texts);
    cursor_release(&c->cursor);
    if (c->column->field.is_map)
        cursor_release(&c->values);
}

void parquet_scan_free(struct parquet_scan *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->n; i++)
        end_column(&s->columns[i]);
    mem_free(s->columns);
    mem_free(s->chunks);
    mem_free(s->levels);
    mem_free(s->numbers);
    mem_free(s->texts);
    mem_free(s);
}

static enum st begin_chunk(struct cursor *c, size_t group, const struct chunk_meta *meta,
                           size_t n_rows, struct err *err)
{
    cursor_begin(c, group, meta);
    if (n_rows == 0)
        return ST_OK;
    if (meta->why)
        return cursor_bad(c, err, "%s", meta->why);
    if (!codec_is_known(meta->codec)) {
        const char *name = codec_name(meta->codec);
        return cursor_bad(c, err, "packed by %s, which is not known here",
                          name ? name : "something");
    }
    if (c->leaf->max_rep == 0 ? meta->n_values != n_rows
                              : meta->n_values < n_rows || meta->n_values > PARQUET_MAX_GROUP_ROWS)
        return cursor_bad(c, err, "%" PRIu64 " values for %zu rows", meta->n_values, n_rows);
    return ST_OK;
}

enum st parquet_scan_group(struct parquet_scan *s, size_t group, struct err *err)
{
    const struct group_at *g = &s->f->groups[group];

    assert(group < s->f->n_groups);
    s->rows_left = 0;
    enum st st = footer_chunks(s->f, g, s->chunks, err);
    for (size_t i = 0; st == ST_OK && i < s->n; i++) {
        struct scanned *c = &s->columns[i];
        const struct chunk_meta *meta = &s->chunks[c->column->leaf];
        st = begin_chunk(&c->cursor, group, meta, g->info.n_rows, err);
        if (st == ST_OK && c->column->field.is_map)
            st = begin_chunk(&c->values, group, meta + 1, g->info.n_rows, err);
    }
    if (st == ST_OK)
        s->rows_left = g->info.n_rows;
    return st;
}

/* ---- flat columns ---- */

/* What is there goes to its rows. */
static void spread(struct scanned *c, const struct parquet_scan *s, size_t first, size_t n,
                   size_t n_there)
{
    struct parquet_vector *v = &c->vector;

    for (size_t i = first + n, k = n_there; i-- > first;) {
        const bool is_there = v->is_there[i];
        k -= is_there;
        if (v->texts)
            v->texts[i] = is_there ? s->texts[k] : STR("");
        else if (v->numbers)
            v->numbers[i] = is_there ? s->numbers[k] : 0;
        else if (is_there)
            memcpy(&v->reals[i], &s->numbers[k], sizeof(v->reals[i]));
        else
            v->reals[i] = 0;
    }
}

/* Rows [first, first + n) of the batch, all of the page at hand. */
static enum st read_flat_page(struct parquet_scan *s, struct scanned *c, size_t first, size_t n,
                              struct err *err)
{
    struct cursor *cursor = &c->cursor;
    const uint32_t max = cursor->leaf->max_def;
    size_t n_there = 0;

    enum st st = cursor_levels(cursor, n, NULL, s->levels, err);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < n; i++) {
        c->vector.is_there[first + i] = s->levels[i] == max;
        n_there += s->levels[i] == max;
    }
    st = is_text(c) ? cursor_texts(cursor, n_there, s->texts, err)
                    : cursor_numbers(cursor, n_there, s->numbers, err);
    if (st == ST_OK)
        spread(c, s, first, n, n_there);
    return st;
}

static enum st read_flat(struct parquet_scan *s, struct scanned *c, size_t n, struct err *err)
{
    enum st st = ST_OK;

    for (size_t done = 0; st == ST_OK && done < n;) {
        st = cursor_page(&c->cursor, err);
        if (st != ST_OK)
            return st;
        const size_t left = c->cursor.page_left;
        const size_t now = n - done < left ? n - done : left;
        if (now == 0)
            return cursor_bad(&c->cursor, err, "the column ends early");
        st = read_flat_page(s, c, done, now, err);
        done += now;
    }
    return st;
}

/* ---- maps ---- */

static enum st add_pair(struct scanned *c, struct str key, struct str value, struct err *err)
{
    struct parquet_vector *v = &c->vector;

    if (c->n_pairs == c->max_pairs) {
        const size_t max = c->max_pairs > 0 ? c->max_pairs * 2 : 64;
        v->keys = mem_grow(v->keys, max, sizeof(*v->keys));
        v->values = mem_grow(v->values, max, sizeof(*v->values));
        c->max_pairs = max;
    }
    buf_add_str(&c->texts, key);
    buf_add_str(&c->texts, value);
    if (c->texts.is_overflow)
        return cursor_bad(&c->cursor, err, "the texts of %d rows have more than %zu bytes",
                          PARQUET_MAX_BATCH, c->texts.max);
    v->keys[c->n_pairs] = key; /* where they are is set when all are there */
    v->values[c->n_pairs++] = value;
    return ST_OK;
}

/* The next entry of both leaves; ret_def: of keys. */
static enum st read_entry(struct scanned *c, uint32_t *ret_rep, uint32_t *ret_def,
                          struct str *ret_key, struct str *ret_value, struct err *err)
{
    const struct leaf *key = c->cursor.leaf, *value = c->values.leaf;
    uint32_t rep, def;

    enum st st = cursor_page(&c->cursor, err);
    if (st == ST_OK)
        st = cursor_page(&c->values, err);
    if (st != ST_OK)
        return st;
    if (c->cursor.page_left == 0 || c->values.page_left == 0)
        return cursor_bad(&c->cursor, err, "keys and values of the map end early");
    st = cursor_levels(&c->cursor, 1, ret_rep, ret_def, err);
    if (st == ST_OK)
        st = cursor_levels(&c->values, 1, &rep, &def, err);
    if (st != ST_OK)
        return st;
    const bool is_alike = *ret_def < key->max_def ? def == *ret_def : def >= key->max_def;
    if (rep != *ret_rep || !is_alike)
        return cursor_bad(&c->cursor, err, "keys and values of the map do not fit each other");
    *ret_key = *ret_value = STR_NONE;
    if (*ret_def == key->max_def)
        st = cursor_texts(&c->cursor, 1, ret_key, err);
    if (st == ST_OK && def == value->max_def)
        st = cursor_texts(&c->values, 1, ret_value, err);
    return st;
}

/* Does the row go on? Its entries may lie on several pages. */
static enum st peek(struct scanned *c, bool *ret_goes_on, struct err *err)
{
    struct hybrid rep;
    uint32_t level;

    enum st st = cursor_page(&c->cursor, err);
    *ret_goes_on = false;
    if (st != ST_OK || c->cursor.page_left == 0)
        return st;
    rep = c->cursor.rep;
    if (!hybrid_next(&rep, &level, 1))
        return cursor_bad(&c->cursor, err, "its levels end early");
    *ret_goes_on = level > 0;
    return ST_OK;
}

static enum st read_map_row(struct scanned *c, size_t row, struct err *err)
{
    const size_t first = c->n_pairs;
    const uint32_t is_pair = c->cursor.leaf->max_def; /* one less: an empty map; two: null */
    bool goes_on = true;

    c->vector.is_there[row] = 0;
    while (goes_on) {
        struct str key = STR_NONE, value = STR_NONE;
        uint32_t rep = 0, def = 0;
        enum st st = read_entry(c, &rep, &def, &key, &value, err);
        if (st != ST_OK)
            return st;
        if ((rep > 0) != (c->n_pairs > first))
            return cursor_bad(&c->cursor, err, "a row of the map does not begin where one ended");
        c->vector.is_there[row] = def + 1 >= is_pair;
        if (def == is_pair)
            st = c->n_pairs - first < PARQUET_MAX_PAIRS
                     ? add_pair(c, key, value, err)
                     : cursor_bad(&c->cursor, err, "a map has more than %d pairs",
                                  PARQUET_MAX_PAIRS);
        if (st == ST_OK)
            st = peek(c, &goes_on, err);
        if (st != ST_OK)
            return st;
        if (goes_on && def != is_pair)
            return cursor_bad(&c->cursor, err, "an empty map goes on");
    }
    c->vector.pairs_end[row] = c->n_pairs;
    return ST_OK;
}

static enum st read_map(struct scanned *c, size_t n, struct err *err)
{
    struct parquet_vector *v = &c->vector;
    enum st st = ST_OK;

    buf_clear(&c->texts);
    c->n_pairs = 0;
    for (size_t i = 0; st == ST_OK && i < n; i++)
        st = read_map_row(c, i, err);
    const char *at = buf_z(&c->texts);
    for (size_t i = 0; i < c->n_pairs; i++) {
        v->keys[i].p = at;
        at += v->keys[i].len;
        if (v->values[i].p)
            v->values[i].p = at;
        at += v->values[i].len;
    }
    return st;
}

/* ---- batches ---- */

/* Texts are borrowed of a page: a batch has one of each such column. */
static enum st choose_rows(struct parquet_scan *s, size_t *n, struct err *err)
{
    *n = *n < PARQUET_MAX_BATCH ? *n : PARQUET_MAX_BATCH;
    *n = *n < s->rows_left ? *n : s->rows_left;
    for (size_t i = 0; *n > 0 && i < s->n; i++) {
        struct cursor *c = &s->columns[i].cursor;
        if (!is_text(&s->columns[i]))
            continue;
        enum st st = cursor_page(c, err);
        if (st != ST_OK)
            return st;
        if (c->page_left > 0 && c->page_left < *n)
            *n = c->page_left;
    }
    return ST_OK;
}

/* No more entries than rows. */
static enum st check_end(const struct scanned *c, struct err *err)
{
    const bool is_over = c->cursor.values_left == 0 && c->cursor.page_left == 0 &&
                         c->values.values_left == 0 && c->values.page_left == 0;

    return is_over ? ST_OK : cursor_bad(&c->cursor, err, "there is more than its rows have");
}

enum st parquet_scan_next(struct parquet_scan *s, size_t max_rows, size_t *ret_n, struct err *err)
{
    size_t n = max_rows;

    enum st st = choose_rows(s, &n, err);
    for (size_t i = 0; st == ST_OK && n > 0 && i < s->n; i++) {
        struct scanned *c = &s->columns[i];
        st = c->column->field.is_map ? read_map(c, n, err) : read_flat(s, c, n, err);
    }
    s->rows_left = st == ST_OK ? s->rows_left - n : 0;
    for (size_t i = 0; st == ST_OK && n > 0 && s->rows_left == 0 && i < s->n; i++)
        st = check_end(&s->columns[i], err);
    if (st == ST_OK)
        *ret_n = n;
    return st;
}

const struct parquet_vector *parquet_scan_vector(const struct parquet_scan *s, size_t i)
{
    assert(i < s->n);
    return &s->columns[i].vector;
}
