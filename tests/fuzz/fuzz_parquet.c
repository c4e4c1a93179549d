/* A file of any bytes: the reader gives values that are what vectors promise, or names the damage;
 * it always ends, and asks for no byte that is not there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/reader.h"
#include "row/market.h"

#include <assert.h>
#include <stdlib.h>

#define MAX_BATCHES 40 /* a few bytes can say that there are many millions of nulls */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
};

static enum st read_at(void *ctx, uint64_t offset, size_t len, void *ret_bytes, struct err *err)
{
    const struct input *in = ctx;

    (void)err;
    assert(offset <= in->size && len <= in->size - offset);
    memcpy(ret_bytes, in->data + offset, len);
    return ST_OK;
}

static void check_text(struct str s)
{
    assert(str_is_utf8(s));
    assert(s.len == 0 || memchr(s.p, '\0', s.len) == NULL);
}

static void check_value(const struct parquet_vector *v, size_t row)
{
    assert(v->is_there[row] <= 1);
    if (v->texts)
        check_text(v->texts[row]);
    if (v->numbers)
        assert(v->is_there[row] || v->numbers[row] == 0);
    if (v->reals)
        assert(v->is_there[row] || v->reals[row] == 0);
}

static void check_pairs(const struct parquet_vector *v, size_t n)
{
    size_t pair = 0;

    for (size_t i = 0; i < n; i++) {
        assert(v->pairs_end[i] >= pair && (v->is_there[i] || v->pairs_end[i] == pair));
        for (; pair < v->pairs_end[i]; pair++) {
            check_text(v->keys[pair]);
            check_text(v->values[pair]);
        }
    }
}

static void check_vector(const struct parquet_vector *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_value(v, i);
    if (v->pairs_end)
        check_pairs(v, n);
}

static void scan_group(struct parquet_file *f, struct parquet_scan *scan, size_t n_columns,
                       size_t group)
{
    struct err err = ERR_INIT;
    size_t n = 1, n_rows = 0;

    enum st st = parquet_scan_group(scan, group, &err);
    for (size_t i = 0; st == ST_OK && n > 0 && i < MAX_BATCHES; i++) {
        st = parquet_scan_next(scan, i % 2 ? 7 : 1000, &n, &err);
        for (size_t k = 0; st == ST_OK && k < n_columns; k++)
            check_vector(parquet_scan_vector(scan, k), n);
        n_rows += st == ST_OK ? n : 0;
    }
    assert(n_rows <= parquet_group(f, group).n_rows);
    assert(n > 0 || n_rows == parquet_group(f, group).n_rows);
    assert(st == ST_OK || err.msg[0] != '\0');
}

/* All columns that can be read, one by one, so that the damage of one does not hide another. */
static void scan_columns(struct parquet_file *f)
{
    const size_t n_groups = parquet_n_groups(f), n_columns = parquet_n_columns(f);
    struct err err = ERR_INIT;

    for (size_t i = 0; i < n_columns && i < 20; i++) {
        struct parquet_scan *scan;
        if (parquet_scan_new(f, &i, 1, &scan, &err) != ST_OK) {
            assert(parquet_field(f, i)->unknown);
            continue;
        }
        for (size_t g = 0; g < n_groups && g < 3; g++) {
            const struct parquet_bounds b = parquet_bounds(f, g, i);
            assert(!b.has_nulls || b.n_nulls <= parquet_group(f, g).n_rows);
            scan_group(f, scan, 1, g);
        }
        parquet_scan_free(scan);
    }
}

static void read_rows(struct parquet_file *f)
{
    struct parquet_rows *rows;
    const struct cell *cells;
    struct err err = ERR_INIT;
    size_t n = 1;

    if (parquet_rows_new(f, market_table.columns, market_table.n_columns, &rows, &err) != ST_OK)
        return;
    enum st st = parquet_n_groups(f) > 0 ? parquet_rows_group(rows, 0, &err) : ST_REJECT;
    for (size_t i = 0; st == ST_OK && n > 0 && i < 4; i++) {
        st = parquet_rows_next(rows, 500, &cells, &n, &err);
        for (size_t k = 0; st == ST_OK && k < n * market_table.n_columns; k++)
            assert(cells[k].kind == CELL_NULL ||
                   cells[k].kind == market_table.columns[k % market_table.n_columns].kind);
    }
    parquet_rows_free(rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    const struct parquet_source source = {
        .read_at = read_at, .ctx = &in, .size = size, .name = "x.parquet"};
    struct parquet_file *f;
    struct err err = ERR_INIT;

    if (parquet_open(&source, &f, &err) != ST_OK) {
        assert(err.msg[0] != '\0');
        return 0;
    }
    (void)parquet_note(f, STR("geckotape.content"));
    scan_columns(f);
    read_rows(f);
    parquet_close(f);
    return 0;
}
