/* Rows as cells: the columns of a scan by name, numbers as they were sent. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/mem.h"
#include "parquet/reader_inner.h"
#include "parquet/writer.h"

#include <math.h>

#define MAX_ARENA ((size_t)256 * 1024 * 1024)
#define NOWHERE   SIZE_MAX

struct parquet_rows {
    const struct parquet_file *file;
    struct parquet_scan *scan;
    const struct column *columns;
    size_t n_columns;
    size_t *vector; /* by column: its vector, or NOWHERE */
    size_t exact;   /* a vector, or NOWHERE */
    size_t group, row;
    struct cell *cells;
    struct json *json;
    struct arena arena;
};

/* ---- which columns ---- */

static bool is_fit(const struct parquet_field *field, enum cell_kind kind)
{
    return !field->is_map && (field->kind == CELL_NULL || field->kind == kind ||
                              (field->kind == CELL_INT && kind == CELL_NUM));
}

static enum st choose(struct parquet_rows *r, size_t *columns, size_t *ret_n, struct err *err)
{
    const struct parquet_file *f = r->file;
    const size_t none = parquet_n_columns(f);
    bool has_numbers = false;
    size_t n = 0;

    for (size_t i = 0; i < r->n_columns; i++) {
        const size_t at = parquet_find(f, str_of(r->columns[i].name));
        r->vector[i] = NOWHERE;
        if (at == none)
            continue;
        const struct parquet_field *field = parquet_field(f, at);
        if (field->unknown == NULL && !is_fit(field, r->columns[i].kind))
            return err_set(err, ST_REJECT, "%s: column %s is of another type than here", f->name,
                           field->name);
        has_numbers = has_numbers || field->kind == CELL_NUM;
        columns[n] = at;
        r->vector[i] = n++;
    }
    const size_t exact = parquet_find(f, STR(PARQUET_EXACT));
    r->exact = NOWHERE;
    if (has_numbers && exact != none) {
        if (parquet_field(f, exact)->kind != CELL_TEXT)
            return err_set(err, ST_REJECT, "%s: column %s is not of texts", f->name, PARQUET_EXACT);
        columns[n] = exact;
        r->exact = n++;
    }
    *ret_n = n;
    return ST_OK;
}

enum st parquet_rows_new(struct parquet_file *f, const struct column *columns, size_t n_columns,
                         struct parquet_rows **ret_rows, struct err *err)
{
    struct parquet_rows *r = mem_new(1, sizeof(*r));
    size_t *indexes = mem_new(n_columns + 1, sizeof(*indexes)), n;

    r->file = f;
    r->columns = columns;
    r->n_columns = n_columns;
    r->vector = mem_new(n_columns + 1, sizeof(*r->vector));
    arena_init(&r->arena, MAX_ARENA);
    enum st st = choose(r, indexes, &n, err);
    if (st == ST_OK)
        st = parquet_scan_new(f, indexes, n, &r->scan, err);
    mem_free(indexes);
    if (st != ST_OK) {
        parquet_rows_free(r);
        return st;
    }
    r->cells = mem_new(PARQUET_MAX_BATCH * n_columns + 1, sizeof(*r->cells));
    *ret_rows = r;
    return ST_OK;
}

void parquet_rows_free(struct parquet_rows *r)
{
    if (r == NULL)
        return;
    parquet_scan_free(r->scan);
    json_free(r->json);
    arena_release(&r->arena);
    mem_free(r->vector);
    mem_free(r->cells);
    mem_free(r);
}

enum st parquet_rows_group(struct parquet_rows *r, size_t group, struct err *err)
{
    r->group = group;
    r->row = 0;
    return parquet_scan_group(r->scan, group, err);
}

/* ---- numbers ---- */

static struct dec scaled_dec(int64_t number, int scale)
{
    struct dec d = dec_of(number);

    if (d.mant != 0)
        d.exp = (int16_t)(d.exp - scale);
    return d;
}

static enum st fill_numbers(struct parquet_rows *r, const struct parquet_vector *v, size_t column,
                            size_t n, struct err *err)
{
    struct cell *cell = r->cells + column;
    struct cell last = CELL_NONE;
    double last_real = NAN;

    for (size_t i = 0; i < n; i++, cell += r->n_columns) {
        if (!v->is_there[i]) {
            *cell = CELL_NONE;
        } else if (v->reals == NULL) {
            const int scale = v->field->kind == CELL_NUM ? v->field->scale : 0;
            *cell = cell_of_dec(scaled_dec(v->numbers[i], scale), STR_NONE);
        } else if (isfinite(v->reals[i])) {
            if (v->reals[i] != last_real) /* of a coin that did not move */
                last = cell_of_dec(dec_of_double(v->reals[i]), STR_NONE);
            last_real = v->reals[i];
            *cell = last;
        } else {
            return err_set(err, ST_REJECT, "column %s, row group %zu, row %zu: not a finite number",
                           v->field->name, r->group, r->row + i);
        }
    }
    return ST_OK;
}

static enum st fill_column(struct parquet_rows *r, size_t column, size_t n, struct err *err)
{
    struct cell *cell = r->cells + column;

    if (r->vector[column] == NOWHERE) {
        for (size_t i = 0; i < n; i++, cell += r->n_columns)
            *cell = CELL_NONE;
        return ST_OK;
    }
    const struct parquet_vector *v = parquet_scan_vector(r->scan, r->vector[column]);
    const enum cell_kind kind = r->columns[column].kind;
    if (kind == CELL_NUM)
        return fill_numbers(r, v, column, n, err);
    for (size_t i = 0; i < n; i++, cell += r->n_columns)
        *cell = !v->is_there[i]     ? CELL_NONE
                : kind == CELL_TEXT ? cell_of_text(v->texts[i])
                : kind == CELL_TIME ? cell_of_time(v->numbers[i])
                                    : cell_of_int(v->numbers[i]);
    return ST_OK;
}

/* ---- numbers that their doubles are not ---- */

static enum st set_exact(struct parquet_rows *r, size_t row, struct str name, struct str number,
                         struct err *err)
{
    struct cell cell;
    size_t i = 0;

    while (i < r->n_columns && !str_eq(str_of(r->columns[i].name), name))
        i++;
    if (i == r->n_columns)
        return ST_OK;
    if (r->columns[i].kind != CELL_NUM || cell_of_num(number, &cell) != DEC_OK)
        return err_set(err, ST_REJECT,
                       "column %s, row group %zu, row %zu: %s is said to be \"%.*s\", which is no "
                       "number",
                       PARQUET_EXACT, r->group, r->row + row, r->columns[i].name,
                       (int)(number.len < 40 ? number.len : 40), number.p ? number.p : "");
    r->cells[row * r->n_columns + i] = cell;
    return ST_OK;
}

/* {"column":"digits", …} */
static enum st read_exact(struct parquet_rows *r, size_t row, struct str text, struct err *err)
{
    struct json_token token;
    struct str name = STR_NONE;
    enum st st;

    if (r->json == NULL)
        r->json = json_new();
    const struct str padded = json_pad(&r->arena, text);
    if (padded.p == NULL)
        return err_set(err, ST_REJECT, "the exact numbers of %d rows have more than %zu bytes",
                       PARQUET_MAX_BATCH, r->arena.max);
    st = json_open(r->json, padded, &r->arena, err);
    if (st == ST_OK)
        st = json_next(r->json, &token, err);
    if (st == ST_OK && token.event != JSON_OBJECT_BEGIN)
        return err_set(err, ST_REJECT, "not an object");
    while (st == ST_OK && token.event != JSON_DONE) {
        st = json_next(r->json, &token, err);
        if (st != ST_OK || token.event == JSON_DONE || token.event == JSON_OBJECT_END)
            continue;
        if (token.event == JSON_KEY)
            name = token.text;
        else if (token.event == JSON_STRING)
            st = set_exact(r, row, name, token.text, err);
        else
            st = err_set(err, ST_REJECT, "%s in place of a text", json_event_name(token.event));
    }
    return st;
}

static enum st fill_exact(struct parquet_rows *r, size_t n, struct err *err)
{
    const struct parquet_vector *v =
        r->exact == NOWHERE ? NULL : parquet_scan_vector(r->scan, r->exact);
    enum st st = ST_OK;

    if (v == NULL)
        return ST_OK;
    for (size_t i = 0, pair = 0; v->field->is_map && st == ST_OK && i < n; i++)
        for (; st == ST_OK && pair < v->pairs_end[i]; pair++)
            st = set_exact(r, i, v->keys[pair], v->values[pair], err);
    for (size_t i = 0; !v->field->is_map && st == ST_OK && i < n; i++)
        if (v->is_there[i] && (st = read_exact(r, i, v->texts[i], err)) != ST_OK)
            return err_wrap(err, st, "column %s, row group %zu, row %zu: ", PARQUET_EXACT, r->group,
                            r->row + i);
    return st;
}

enum st parquet_rows_next(struct parquet_rows *r, size_t max_rows, const struct cell **ret_cells,
                          size_t *ret_n, struct err *err)
{
    size_t n;

    arena_reset(&r->arena);
    enum st st = parquet_scan_next(
        r->scan, max_rows < PARQUET_MAX_BATCH ? max_rows : PARQUET_MAX_BATCH, &n, err);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; st == ST_OK && i < r->n_columns; i++)
        st = fill_column(r, i, n, err);
    if (st == ST_OK)
        st = fill_exact(r, n, err);
    if (st != ST_OK)
        return err_wrap(err, st, "%s: ", r->file->name);
    r->row += n;
    *ret_cells = r->cells;
    *ret_n = n;
    return ST_OK;
}
