/* Reads a Parquet file with the program's reader: parquet_load [-n] FILE [COLUMN …]
 *
 * Prints a line of JSON for the fields, one for each row group (its rows, and of each column the
 * bounds), then one for each row. A column that cannot be read ends it, unless others are named.
 * -n: rows alone, of the columns that are neither maps nor "exact", with numbers as they were sent.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/mem.h"
#include "base/shortest.h"
#include "parquet/reader.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct buf out = BUF_INIT((size_t)1 << 30);

static enum st read_at(void *ctx, uint64_t offset, size_t len, void *ret_bytes, struct err *err)
{
    return file_read_at(*(const int *)ctx, ret_bytes, len, (int64_t)offset, "the file", err);
}

static void add_real(double x)
{
    char text[SHORTEST_TEXT];

    if (isfinite(x))
        buf_add(&out, text, shortest_format_e(x, text)); /* a float to every reader */
    else
        buf_add_z(&out, isnan(x) ? "\"nan\"" : x > 0 ? "\"inf\"" : "\"-inf\"");
}

static void add_text(struct str text)
{
    if (text.p)
        buf_add_json_str(&out, text);
    else
        buf_add_z(&out, "null");
}

static void add_value(const struct parquet_field *field, const struct parquet_value *value)
{
    if (field->kind == CELL_TEXT)
        add_text(value->text);
    else if (field->kind == CELL_NUM && field->scale < 0)
        add_real(value->real);
    else
        buf_add_i64(&out, value->number);
}

static void add_map(const struct parquet_vector *v, size_t row)
{
    buf_add_char(&out, '[');
    for (size_t i = row > 0 ? v->pairs_end[row - 1] : 0; i < v->pairs_end[row]; i++) {
        buf_add_z(&out, i > (row > 0 ? v->pairs_end[row - 1] : 0) ? ",[" : "[");
        add_text(v->keys[i]);
        buf_add_char(&out, ',');
        add_text(v->values[i]);
        buf_add_char(&out, ']');
    }
    buf_add_char(&out, ']');
}

static void add_cell(const struct parquet_vector *v, size_t row)
{
    const struct parquet_value value = {
        .number = v->numbers ? v->numbers[row] : 0,
        .real = v->reals ? v->reals[row] : 0,
        .text = v->texts ? v->texts[row] : STR_NONE,
    };

    if (!v->is_there[row])
        buf_add_z(&out, "null");
    else if (v->field->is_map)
        add_map(v, row);
    else
        add_value(v->field, &value);
}

static void end_line(void)
{
    buf_add_char(&out, '\n');
    fwrite(out.p, 1, out.len, stdout);
    buf_clear(&out);
}

static void show_fields(const struct parquet_file *f)
{
    static const char *const kinds[] = {"null", "num", "int", "text", "time"};

    buf_add_char(&out, '[');
    for (size_t i = 0; i < parquet_n_columns(f); i++) {
        const struct parquet_field *field = parquet_field(f, i);
        buf_add_z(&out, i > 0 ? ",[" : "[");
        buf_add_json_str(&out, str_of(field->name));
        buf_addf(&out, ",\"%s\",", field->is_map ? "map" : kinds[field->kind]);
        buf_add_i64(&out, field->kind == CELL_NUM ? field->scale : 0);
        buf_add_char(&out, ',');
        add_text(str_of(field->unknown));
        buf_add_char(&out, ']');
    }
    buf_add_char(&out, ']');
    end_line();
}

static void show_group(const struct parquet_file *f, size_t group)
{
    buf_addf(&out, "[%zu", parquet_group(f, group).n_rows);
    for (size_t i = 0; i < parquet_n_columns(f); i++) {
        const struct parquet_bounds b = parquet_bounds(f, group, i);
        buf_add_z(&out, ",[");
        if (b.has_nulls)
            buf_add_i64(&out, (int64_t)b.n_nulls);
        else
            buf_add_z(&out, "null");
        for (int which = 0; which < 2; which++) {
            buf_add_char(&out, ',');
            if (which == 0 ? b.has_min : b.has_max)
                add_value(parquet_field(f, i), which == 0 ? &b.min : &b.max);
            else
                buf_add_z(&out, "null");
        }
        buf_add_char(&out, ']');
    }
    buf_add_char(&out, ']');
    end_line();
}

static enum st show_rows(struct parquet_scan *scan, size_t n_columns, struct err *err)
{
    size_t n = 1;

    for (size_t batch = 0; n > 0; batch++) {
        enum st st = parquet_scan_next(scan, batch % 3 == 1 ? 7 : SIZE_MAX, &n, err);
        if (st != ST_OK)
            return st;
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < n_columns; k++) {
                buf_add_char(&out, k > 0 ? ',' : '[');
                add_cell(parquet_scan_vector(scan, k), i);
            }
            buf_add_char(&out, ']');
            end_line();
        }
    }
    return ST_OK;
}

static size_t choose(const struct parquet_file *f, char **names, size_t n, size_t *ret_columns)
{
    for (size_t i = 0; i < n; i++) {
        ret_columns[i] = parquet_find(f, str_of(names[i]));
        if (ret_columns[i] == parquet_n_columns(f))
            abort();
    }
    if (n > 0)
        return n;
    for (n = 0; n < parquet_n_columns(f); n++)
        ret_columns[n] = n;
    return n;
}

static enum st show(struct parquet_file *f, char **names, size_t n_names, struct err *err)
{
    size_t *columns = mem_new(parquet_n_columns(f) + n_names, sizeof(*columns));
    struct parquet_scan *scan = NULL;

    show_fields(f);
    for (size_t g = 0; g < parquet_n_groups(f); g++)
        show_group(f, g);
    const size_t n = choose(f, names, n_names, columns);
    enum st st = parquet_scan_new(f, columns, n, &scan, err);
    for (size_t g = 0; st == ST_OK && g < parquet_n_groups(f); g++) {
        st = parquet_scan_group(scan, g, err);
        if (st == ST_OK)
            st = show_rows(scan, n, err);
    }
    parquet_scan_free(scan);
    mem_free(columns);
    return st;
}

static enum st show_cells(struct parquet_file *f, struct err *err)
{
    struct column *columns = mem_new(parquet_n_columns(f), sizeof(*columns));
    struct parquet_rows *rows = NULL;
    const struct cell *cells;
    size_t n_columns = 0, n = 1;

    for (size_t i = 0; i < parquet_n_columns(f); i++) {
        const struct parquet_field *field = parquet_field(f, i);
        if (!field->is_map && strcmp(field->name, "exact") != 0)
            columns[n_columns++] = (struct column){.name = field->name, .kind = field->kind};
    }
    enum st st = parquet_rows_new(f, columns, n_columns, &rows, err);
    for (size_t g = 0; st == ST_OK && g < parquet_n_groups(f); g++) {
        st = parquet_rows_group(rows, g, err);
        for (n = 1; st == ST_OK && n > 0;) {
            st = parquet_rows_next(rows, SIZE_MAX, &cells, &n, err);
            for (size_t i = 0; st == ST_OK && i < n; i++) {
                for (size_t k = 0; k < n_columns; k++) {
                    buf_add_char(&out, k > 0 ? ',' : '[');
                    cell_add_json(&out, &cells[i * n_columns + k]);
                }
                buf_add_char(&out, ']');
                end_line();
            }
        }
    }
    parquet_rows_free(rows);
    mem_free(columns);
    return st;
}

int main(int argc, char **argv)
{
    struct parquet_file *f = NULL;
    struct err err = ERR_INIT;
    const bool is_cells = argc > 2 && strcmp(argv[1], "-n") == 0;

    argv += is_cells;
    argc -= is_cells;
    int fd = argc > 1 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 2;
    const struct parquet_source source = {
        .read_at = read_at, .ctx = &fd, .size = (uint64_t)lseek(fd, 0, SEEK_END), .name = argv[1]};
    enum st st = parquet_open(&source, &f, &err);
    if (st == ST_OK)
        st = is_cells ? show_cells(f, &err) : show(f, argv + 2, (size_t)argc - 2, &err);
    parquet_close(f);
    buf_release(&out);
    close(fd);
    if (st == ST_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "%s\n", err.msg);
    return EXIT_FAILURE;
}
