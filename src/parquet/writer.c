/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/writer.h"

#include "base/mem.h"
#include "parquet/intake.h"
#include "parquet/thrift.h"

#include <endian.h>

#define GROUP_ROWS 131072
#define GROUP_TEXT ((size_t)32 * 1024 * 1024) /* bytes of texts that end a row group early */
#define PAGE_ROWS  32768
#define LEVEL      1 /* 3 is 2 % smaller and takes half as much CPU again */

#define MAX_FOOTER ((size_t)1 << 30) /* its length has 32 bits; readers stop before */
#define CREATED_BY "geckotape version " GECKOTAPE_VERSION

static const struct str magic = {"PAR1", 4};

/* Of a column in a row group, for the footer. */
struct chunk_info {
    enum parquet_encoding encoding;
    bool has_dictionary, has_bounds;
    uint32_t n_pages;
    size_t raw_len, len, dictionary_len, n_nulls;
    int64_t at;                       /* in the file */
    struct bound min, max;            /* in parquet.bounds */
    size_t column_index, index_end;   /* in parquet.column_indexes; the same: it has none */
    size_t offset_index, offsets_end; /* in parquet.offset_indexes */
};

struct group_info {
    size_t n_rows, n_sort;
};

struct parquet {
    struct parquet_options options;
    size_t n_columns; /* with that of exact numbers, if any, at the end */
    struct intake intake;
    struct pages pages;
    struct pager pager;
    size_t n_sort; /* of the row group so far: how many columns its order is by */

    int64_t at, n_rows;
    struct chunk_info *chunk_info; /* group by group */
    struct group_info *groups;
    size_t n_groups, max_groups;
    struct buf bounds, column_indexes, offset_indexes;
};

struct parquet *parquet_new(const struct parquet_options *options)
{
    struct parquet *p = mem_new(1, sizeof(*p));
    struct parquet_options *o = &p->options;

    *o = *options;
    o->group_rows = o->group_rows > 0 ? o->group_rows : GROUP_ROWS;
    o->page_rows = o->page_rows > 0 ? o->page_rows : PAGE_ROWS;
    o->level = o->level != 0 ? o->level : LEVEL;
    intake_init(&p->intake, o->columns, o->n_columns, o->group_rows);
    p->n_columns = p->intake.n_chunks;
    pages_init(&p->pages, o->group_rows, o->page_rows);
    pager_init(&p->pager, o->group_rows, o->page_rows, o->level);
    buf_init(&p->bounds, MAX_FOOTER);
    buf_init(&p->column_indexes, MAX_FOOTER);
    buf_init(&p->offset_indexes, MAX_FOOTER);
    p->n_sort = o->n_sort;
    return p;
}

void parquet_free(struct parquet *p)
{
    if (p == NULL)
        return;
    intake_release(&p->intake);
    pages_release(&p->pages);
    pager_release(&p->pager);
    buf_release(&p->bounds);
    buf_release(&p->column_indexes);
    buf_release(&p->offset_indexes);
    mem_free(p->chunk_info);
    mem_free(p->groups);
    mem_free(p);
}

static enum st put(struct parquet *p, struct str bytes, struct err *err)
{
    enum st st = p->options.write(p->options.ctx, bytes, err);
    if (st == ST_OK)
        p->at += (int64_t)bytes.len;
    return st;
}

static enum st begin_file(struct parquet *p, struct err *err)
{
    return p->at == 0 ? put(p, magic, err) : ST_OK;
}

/* ---- row groups ---- */

static struct bound keep_bound(struct parquet *p, struct bound bound)
{
    struct bound kept = {.begin = p->bounds.len, .len = bound.len, .is_exact = bound.is_exact};

    buf_add(&p->bounds, p->pages.bounds.p + bound.begin, bound.len);
    return kept;
}

static struct str bound_text(const struct buf *b, struct bound bound)
{
    return (struct str){b->p + bound.begin, bound.len};
}

static int compare(const struct parquet *p, enum parquet_kind kind, struct bound a, struct bound b)
{
    const struct str x = bound_text(&p->pages.bounds, a), y = bound_text(&p->pages.bounds, b);
    double dx, dy;
    int64_t ix, iy;

    if (kind == PARQUET_TEXT)
        return str_cmp(x, y);
    if (kind == PARQUET_DOUBLE) {
        memcpy(&dx, x.p, sizeof(dx));
        memcpy(&dy, y.p, sizeof(dy));
        return (dx > dy) - (dx < dy);
    }
    memcpy(&ix, x.p, sizeof(ix));
    memcpy(&iy, y.p, sizeof(iy));
    return (ix > iy) - (ix < iy);
}

enum { ORDER_NONE = 0, ORDER_UP = 1, ORDER_DOWN = 2 }; /* as the format numbers them */

/* Of the bounds of pages; those without any do not matter. */
static int order_of(const struct parquet *p, enum parquet_kind kind)
{
    const struct page *last = NULL;
    bool is_up = true, is_down = true;

    for (size_t i = 0; i < p->pages.n; i++) {
        const struct page *page = &p->pages.page[i];
        if (!page->has_bounds)
            continue;
        if (last) {
            const int min = compare(p, kind, last->min, page->min);
            const int max = compare(p, kind, last->max, page->max);
            is_up = is_up && min <= 0 && max <= 0;
            is_down = is_down && min >= 0 && max >= 0;
        }
        last = page;
    }
    return is_up ? ORDER_UP : is_down ? ORDER_DOWN : ORDER_NONE;
}

static void add_column_index(struct parquet *p, enum parquet_kind kind)
{
    const struct pages *pages = &p->pages;
    struct thrift t = thrift_of(&p->column_indexes);

    thrift_list(&t, 1, THRIFT_TRUE, pages->n);
    for (size_t i = 0; i < pages->n; i++)
        thrift_item_bool(&t, !pages->page[i].has_bounds);
    for (int which = 0; which < 2; which++) {
        thrift_list(&t, which == 0 ? 2 : 3, THRIFT_BINARY, pages->n);
        for (size_t i = 0; i < pages->n; i++) {
            const struct page *page = &pages->page[i];
            thrift_item_binary(&t, page->has_bounds ? bound_text(&pages->bounds,
                                                                 which == 0 ? page->min : page->max)
                                                    : STR_NONE);
        }
    }
    thrift_i32(&t, 4, order_of(p, kind));
    thrift_list(&t, 5, THRIFT_I64, pages->n);
    for (size_t i = 0; i < pages->n; i++)
        thrift_item_int(&t, (int64_t)pages->page[i].n_nulls);
    thrift_end(&t);
}

static void add_offset_index(struct parquet *p)
{
    struct thrift t = thrift_of(&p->offset_indexes);

    thrift_list(&t, 1, THRIFT_STRUCT, p->pages.n);
    for (size_t i = 0; i < p->pages.n; i++) {
        const struct page *page = &p->pages.page[i];
        thrift_item_struct(&t);
        thrift_i64(&t, 1, p->at + (int64_t)page->at);
        thrift_i32(&t, 2, (int32_t)page->len);
        thrift_i64(&t, 3, (int64_t)page->first_row);
        thrift_end(&t);
    }
    thrift_end(&t);
}

static enum st put_chunk(struct parquet *p, size_t column, struct chunk_info *info, struct err *err)
{
    const enum parquet_kind kind = p->intake.chunks[column].kind;

    enum st st = pager_make(&p->pager, &p->intake.chunks[column], &p->pages, err);
    if (st != ST_OK)
        return st;
    *info = (struct chunk_info){
        .encoding = p->pages.encoding,
        .has_dictionary = p->pages.has_dictionary,
        .has_bounds = p->pages.all.has_bounds,
        .n_pages = (uint32_t)p->pages.n,
        .raw_len = p->pages.raw_len,
        .len = p->pages.bytes.len,
        .dictionary_len = p->pages.dictionary_len,
        .n_nulls = p->pages.all.n_nulls,
        .at = p->at,
        .column_index = p->column_indexes.len,
        .offset_index = p->offset_indexes.len,
    };
    if (info->has_bounds) {
        info->min = keep_bound(p, p->pages.all.min);
        info->max = keep_bound(p, p->pages.all.max);
    }
    add_column_index(p, kind);
    add_offset_index(p);
    info->index_end = p->column_indexes.len;
    info->offsets_end = p->offset_indexes.len;
    return put(p, buf_str(&p->pages.bytes), err);
}

static enum st put_group(struct parquet *p, struct err *err)
{
    if (p->n_groups == p->max_groups) {
        p->max_groups = p->max_groups > 0 ? p->max_groups * 2 : 16;
        p->groups = mem_grow(p->groups, p->max_groups, sizeof(*p->groups));
        p->chunk_info =
            mem_grow(p->chunk_info, p->max_groups * p->n_columns, sizeof(*p->chunk_info));
    }
    p->groups[p->n_groups] =
        (struct group_info){.n_rows = p->intake.chunks[0].n_rows, .n_sort = p->n_sort};
    enum st st = begin_file(p, err);
    for (size_t i = 0; st == ST_OK && i < p->n_columns; i++)
        st = put_chunk(p, i, &p->chunk_info[p->n_groups * p->n_columns + i], err);
    intake_clear(&p->intake);
    p->n_groups++;
    p->n_sort = p->options.n_sort;
    return st;
}

/* ---- rows ---- */

/* By how many of the columns of sort the rows are in order, from one on with those before. */
static void check_order(struct parquet *p, size_t first)
{
    const size_t n_rows = p->intake.chunks[0].n_rows;

    for (size_t row = first > 0 ? first : 1; row < n_rows; row++)
        for (size_t i = 0; i < p->n_sort; i++) {
            const int order = chunk_order(&p->intake.chunks[p->options.sort[i]], row);
            if (order < 0)
                break;
            if (order > 0)
                p->n_sort = i;
        }
}

enum st parquet_add_rows(struct parquet *p, const struct cell *cells, size_t n, size_t stride,
                         const size_t *places, struct err *err)
{
    const struct intake *g = &p->intake;
    enum st st = ST_OK;

    while (st == ST_OK && n > 0) {
        const size_t first = g->chunks[0].n_rows, left = p->options.group_rows - first;
        size_t now = n < INTAKE_ROWS ? n : INTAKE_ROWS;
        now = now < left ? now : left;
        st = intake_add(&p->intake, cells, now, stride, places, err);
        if (st != ST_OK)
            return st;
        check_order(p, first);
        p->n_rows += (int64_t)now;
        cells += now * stride;
        n -= now;
        if (g->chunks[0].n_rows == p->options.group_rows || g->text_len >= GROUP_TEXT)
            st = put_group(p, err);
    }
    return st;
}

enum st parquet_add(struct parquet *p, const struct cell *row, struct err *err)
{
    return parquet_add_rows(p, row, 1, p->options.n_columns, NULL, err);
}

enum st parquet_cut(struct parquet *p, struct err *err)
{
    return p->intake.chunks[0].n_rows > 0 ? put_group(p, err) : ST_OK;
}

/* ---- footer ---- */

enum { TYPE_INT64 = 2, TYPE_DOUBLE = 5, TYPE_BYTES = 6 }; /* as the format numbers them */

static int type_of(enum parquet_kind kind)
{
    return kind == PARQUET_TEXT ? TYPE_BYTES : kind == PARQUET_DOUBLE ? TYPE_DOUBLE : TYPE_INT64;
}

static struct str name_of(const struct parquet *p, size_t column)
{
    return column == p->options.n_columns ? STR(PARQUET_EXACT)
                                          : str_of(p->options.columns[column].name);
}

static void add_schema(struct thrift *t, const struct parquet *p)
{
    enum { OPTIONAL = 1, UTF8 = 0, TIMESTAMP_MICROS = 10, STRING = 1, TIMESTAMP = 8, MICROS = 2 };

    thrift_list(t, 2, THRIFT_STRUCT, p->n_columns + 1);
    thrift_item_struct(t);
    thrift_binary(t, 4, STR("schema"));
    thrift_i32(t, 5, (int32_t)p->n_columns);
    thrift_end(t);
    for (size_t i = 0; i < p->n_columns; i++) {
        const enum parquet_kind kind = p->intake.chunks[i].kind;
        thrift_item_struct(t);
        thrift_i32(t, 1, type_of(kind));
        thrift_i32(t, 3, OPTIONAL);
        thrift_binary(t, 4, name_of(p, i));
        if (kind == PARQUET_TEXT) {
            thrift_i32(t, 6, UTF8);
            thrift_struct(t, 10);
            thrift_struct(t, STRING);
            thrift_end(t);
            thrift_end(t);
        } else if (kind == PARQUET_TIME) {
            thrift_i32(t, 6, TIMESTAMP_MICROS);
            thrift_struct(t, 10);
            thrift_struct(t, TIMESTAMP);
            thrift_bool(t, 1, true); /* UTC */
            thrift_struct(t, 2);
            thrift_struct(t, MICROS);
            thrift_end(t);
            thrift_end(t);
            thrift_end(t);
            thrift_end(t);
        }
        thrift_end(t);
    }
}

static void add_statistics(struct thrift *t, const struct parquet *p, const struct chunk_info *info)
{
    thrift_struct(t, 12);
    thrift_i64(t, 3, (int64_t)info->n_nulls);
    if (info->has_bounds) {
        thrift_binary(t, 5, bound_text(&p->bounds, info->max));
        thrift_binary(t, 6, bound_text(&p->bounds, info->min));
        thrift_bool(t, 7, info->max.is_exact);
        thrift_bool(t, 8, info->min.is_exact);
    }
    thrift_end(t);
}

static void add_page_count(struct thrift *t, bool is_dictionary, enum parquet_encoding encoding,
                           uint32_t n)
{
    thrift_item_struct(t);
    thrift_i32(t, 1, is_dictionary ? 2 : 0);
    thrift_i32(t, 2, (int32_t)encoding);
    thrift_i32(t, 3, (int32_t)n);
    thrift_end(t);
}

static void add_chunk_data(struct thrift *t, const struct parquet *p, size_t column,
                           const struct chunk_info *info, size_t n_rows)
{
    enum { ZSTD = 6 };

    thrift_struct(t, 3);
    thrift_i32(t, 1, type_of(p->intake.chunks[column].kind));
    thrift_list(t, 2, THRIFT_I32, info->has_dictionary ? 3 : 2);
    thrift_item_int(t, PARQUET_RLE);
    thrift_item_int(t, info->encoding);
    if (info->has_dictionary)
        thrift_item_int(t, PARQUET_PLAIN);
    thrift_list(t, 3, THRIFT_BINARY, 1);
    thrift_item_binary(t, name_of(p, column));
    thrift_i32(t, 4, ZSTD);
    thrift_i64(t, 5, (int64_t)n_rows);
    thrift_i64(t, 6, (int64_t)info->raw_len);
    thrift_i64(t, 7, (int64_t)info->len);
    thrift_i64(t, 9, info->at + (int64_t)info->dictionary_len);
    if (info->has_dictionary)
        thrift_i64(t, 11, info->at);
    add_statistics(t, p, info);
    thrift_list(t, 13, THRIFT_STRUCT, info->has_dictionary ? 2 : 1);
    if (info->has_dictionary)
        add_page_count(t, true, PARQUET_PLAIN, 1);
    add_page_count(t, false, info->encoding, info->n_pages);
    thrift_end(t);
}

/* indexes_at, offsets_at: where the indexes of all begin in the file. */
static void add_group(struct thrift *t, const struct parquet *p, size_t group, int64_t indexes_at,
                      int64_t offsets_at)
{
    const struct chunk_info *info = &p->chunk_info[group * p->n_columns];
    const struct group_info *g = &p->groups[group];
    size_t raw_len = 0, len = 0;

    thrift_item_struct(t);
    thrift_list(t, 1, THRIFT_STRUCT, p->n_columns);
    for (size_t i = 0; i < p->n_columns; i++) {
        thrift_item_struct(t);
        thrift_i64(t, 2, 0); /* unused, as the format wants it now */
        add_chunk_data(t, p, i, &info[i], g->n_rows);
        thrift_i64(t, 4, offsets_at + (int64_t)info[i].offset_index);
        thrift_i32(t, 5, (int32_t)(info[i].offsets_end - info[i].offset_index));
        thrift_i64(t, 6, indexes_at + (int64_t)info[i].column_index);
        thrift_i32(t, 7, (int32_t)(info[i].index_end - info[i].column_index));
        thrift_end(t);
        raw_len += info[i].raw_len;
        len += info[i].len;
    }
    thrift_i64(t, 2, (int64_t)raw_len);
    thrift_i64(t, 3, (int64_t)g->n_rows);
    if (g->n_sort > 0) {
        thrift_list(t, 4, THRIFT_STRUCT, g->n_sort);
        for (size_t i = 0; i < g->n_sort; i++) {
            thrift_item_struct(t);
            thrift_i32(t, 1, (int32_t)p->options.sort[i]);
            thrift_bool(t, 2, false);
            thrift_bool(t, 3, false);
            thrift_end(t);
        }
    }
    thrift_i64(t, 5, info->at);
    thrift_i64(t, 6, (int64_t)len);
    thrift_end(t);
}

static void add_footer(struct buf *b, const struct parquet *p, const struct parquet_note *notes,
                       size_t n_notes, int64_t indexes_at, int64_t offsets_at)
{
    struct thrift t = thrift_of(b);

    thrift_i32(&t, 1, 2); /* version */
    add_schema(&t, p);
    thrift_i64(&t, 3, p->n_rows);
    thrift_list(&t, 4, THRIFT_STRUCT, p->n_groups);
    for (size_t i = 0; i < p->n_groups; i++)
        add_group(&t, p, i, indexes_at, offsets_at);
    if (n_notes > 0)
        thrift_list(&t, 5, THRIFT_STRUCT, n_notes);
    for (size_t i = 0; i < n_notes; i++) {
        thrift_item_struct(&t);
        thrift_binary(&t, 1, str_of(notes[i].key));
        thrift_binary(&t, 2, str_of(notes[i].value));
        thrift_end(&t);
    }
    thrift_binary(&t, 6, STR(CREATED_BY));
    thrift_list(&t, 7, THRIFT_STRUCT, p->n_columns); /* orders: those of the types */
    for (size_t i = 0; i < p->n_columns; i++) {
        thrift_item_struct(&t);
        thrift_struct(&t, 1);
        thrift_end(&t);
        thrift_end(&t);
    }
    thrift_end(&t);
    const uint32_t len = htole32((uint32_t)b->len);
    buf_add(b, &len, sizeof(len));
    buf_add_str(b, magic);
}

enum st parquet_finish(struct parquet *p, const struct parquet_note *notes, size_t n_notes,
                       struct err *err)
{
    struct buf footer = BUF_INIT(MAX_FOOTER);

    enum st st = p->intake.chunks[0].n_rows > 0 ? put_group(p, err) : begin_file(p, err);
    if (st == ST_OK)
        st = buf_check(&p->column_indexes, "the indexes of pages", err);
    if (st == ST_OK)
        st = buf_check(&p->offset_indexes, "the indexes of pages", err);
    if (st == ST_OK)
        st = buf_check(&p->bounds, "the bounds of columns", err);
    const int64_t indexes_at = p->at;
    if (st == ST_OK)
        st = put(p, buf_str(&p->column_indexes), err);
    const int64_t offsets_at = p->at;
    if (st == ST_OK)
        st = put(p, buf_str(&p->offset_indexes), err);
    if (st == ST_OK) {
        add_footer(&footer, p, notes, n_notes, indexes_at, offsets_at);
        st = buf_check(&footer, "the footer", err);
    }
    if (st == ST_OK)
        st = put(p, buf_str(&footer), err);
    buf_release(&footer);
    return st;
}
