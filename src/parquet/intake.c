/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/intake.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>

#define MAX_EXACT ((size_t)1024 * 1024)

static enum parquet_kind kind_of(const struct column *column)
{
    switch (column->kind) {
    case CELL_NUM:
        return PARQUET_DOUBLE;
    case CELL_INT:
        return PARQUET_INT;
    case CELL_TIME:
        return PARQUET_TIME;
    case CELL_TEXT:
    case CELL_NULL:
        break;
    }
    return PARQUET_TEXT;
}

void intake_init(struct intake *g, const struct column *columns, size_t n_columns, size_t max_rows)
{
    bool has_numbers = false;

    *g = (struct intake){.columns = columns, .n_columns = n_columns, .exact = BUF_INIT(MAX_EXACT)};
    for (size_t i = 0; i < n_columns; i++)
        has_numbers = has_numbers || columns[i].kind == CELL_NUM;
    g->n_chunks = n_columns + has_numbers;
    g->chunks = mem_new(g->n_chunks, sizeof(*g->chunks));
    g->last = mem_new(n_columns, sizeof(*g->last));
    for (size_t i = 0; i < g->n_chunks; i++)
        chunk_init(&g->chunks[i], i == n_columns ? PARQUET_TEXT : kind_of(&columns[i]), max_rows);
}

void intake_release(struct intake *g)
{
    for (size_t i = 0; i < g->n_chunks; i++)
        chunk_release(&g->chunks[i]);
    mem_free(g->chunks);
    mem_free(g->last);
    buf_release(&g->exact);
}

void intake_clear(struct intake *g)
{
    for (size_t i = 0; i < g->n_chunks; i++)
        chunk_clear(&g->chunks[i]);
    g->text_len = 0;
}

/* ---- numbers ---- */

/* Integers beyond 2^53 that are a double, but not what readers print of it, which is its shortest
 * digits: they would not get the number back. */
static bool is_printed_so(double x, struct dec d)
{
    if (x < 0x1p53 && x > -0x1p53)
        return true;
    const struct dec again = dec_of_double(x);
    return again.mant == d.mant && again.exp == d.exp;
}

static struct taken_number number_of(const struct cell *cell)
{
    bool is_same;
    const double x = dec_to_double(cell_dec(cell), cell_text(cell), &is_same);

    return (struct taken_number){.is_set = is_same && is_printed_so(x, cell_dec(cell)),
                                 .mant = cell->number,
                                 .exp = cell->exp,
                                 .real = x};
}

/* True: there is one that its double does not give back. */
static bool add_numbers(struct chunk *c, struct taken_number *last, const struct cell *cell,
                        size_t n, size_t stride)
{
    uint8_t *is_there = c->is_there + c->n_rows;
    uint64_t *values = c->values + c->n_values;
    bool has_exact = false;

    c->n_rows += n;
    for (; n > 0; n--, cell += stride, is_there++) {
        *is_there = 0;
        if (cell->kind == CELL_NULL)
            continue;
        assert(cell->kind == CELL_NUM);
        if (!last->is_set || !cell->is_exact || cell->number != last->mant ||
            cell->exp != last->exp) {
            *last = number_of(cell);
            has_exact = has_exact || !last->is_set;
            if (!isfinite(last->real))
                continue;
        }
        *is_there = 1;
        memcpy(values++, &last->real, sizeof(*values));
    }
    c->n_values = (size_t)(values - c->values);
    return has_exact;
}

static void add_integers(struct chunk *c, const struct cell *cell, size_t n, size_t stride,
                         enum cell_kind kind)
{
    uint8_t *is_there = c->is_there + c->n_rows;
    uint64_t *values = c->values + c->n_values;

    c->n_rows += n;
    for (; n > 0; n--, cell += stride, is_there++) {
        *is_there = cell->kind != CELL_NULL;
        if (cell->kind == CELL_NULL)
            continue;
        assert(cell->kind == kind);
        *values++ = (uint64_t)cell->number;
    }
    c->n_values = (size_t)(values - c->values);
}

/* ---- texts ---- */

static size_t add_texts(struct chunk *c, const struct cell *cell, size_t n, size_t stride)
{
    struct str last = STR_NONE;
    size_t len = 0;

    for (; n > 0; n--, cell += stride) {
        if (cell->kind == CELL_NULL) {
            chunk_add_null(c);
            continue;
        }
        assert(cell->kind == CELL_TEXT);
        if (last.p != NULL && cell->text == last.p && cell->len == last.len) {
            chunk_add_again(c); /* rows share it: nothing changes while we are here */
            continue;
        }
        last = cell_text(cell);
        len += chunk_add_text(c, last);
    }
    return len;
}

/* {"column":"digits", …} of a row: each number that its double is not. */
static void add_exact(struct intake *g, const struct cell *row, const size_t *places)
{
    struct buf *b = &g->exact;
    struct chunk *c = &g->chunks[g->n_columns];

    buf_clear(b);
    for (size_t i = 0; i < g->n_columns; i++) {
        const struct cell *cell = &row[places ? places[i] : i];
        if (cell->kind != CELL_NUM || number_of(cell).is_set)
            continue;
        buf_add_char(b, b->len == 0 ? '{' : ',');
        buf_add_json_str(b, str_of(g->columns[i].name));
        buf_add_z(b, ":\"");
        cell_add_text(b, cell);
        buf_add_char(b, '"');
    }
    if (b->len == 0) {
        chunk_add_null(c);
        return;
    }
    buf_add_char(b, '}');
    g->text_len += chunk_add_text(c, buf_str(b));
}

/* The texts of rows are in the chunks. */
static enum st check_texts(const struct intake *g, struct err *err)
{
    enum st st = buf_check(&g->exact, "exact numbers of a row", err);

    for (size_t i = 0; st == ST_OK && i < g->n_chunks; i++)
        st = buf_check(&g->chunks[i].text, "a text column of a row group", err);
    return st;
}

enum st intake_add(struct intake *g, const struct cell *cells, size_t n, size_t stride,
                   const size_t *places, struct err *err)
{
    const size_t text_len = g->text_len;
    bool has_exact = false;

    assert(n <= INTAKE_ROWS);
    for (size_t i = 0; i < g->n_columns; i++) {
        const struct cell *first = cells + (places ? places[i] : i);
        const enum cell_kind kind = g->columns[i].kind;
        if (kind == CELL_NUM)
            has_exact |= add_numbers(&g->chunks[i], &g->last[i], first, n, stride);
        else if (kind == CELL_TEXT)
            g->text_len += add_texts(&g->chunks[i], first, n, stride);
        else
            add_integers(&g->chunks[i], first, n, stride, kind);
    }
    for (size_t i = 0; g->n_chunks > g->n_columns && i < n; i++)
        if (has_exact)
            add_exact(g, cells + i * stride, places);
        else
            chunk_add_null(&g->chunks[g->n_columns]);
    return g->text_len > text_len ? check_texts(g, err) : ST_OK;
}
