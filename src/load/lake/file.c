/* SPDX-License-Identifier: Apache-2.0 */
#include "load/lake/file.h"

#include "base/clock.h"
#include "base/mem.h"
#include "load/lake/stats.h"
#include "parquet/writer.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_ROWS  30000               /* sorted together, a row group */
#define FILE_TEXT  ((size_t)16 << 20)  /* bytes of texts that are sorted together */
#define GROUP_ROWS 65536               /* where one batch has more */
#define MAX_TEXT   ((size_t)512 << 20) /* of the rows that are not sorted yet */
#define MAX_STATS  ((size_t)1024 * 1024)
#define ROW_BYTES  32 /* that a row is going to have in the file, about */

struct lake_file {
    struct object_store *store;
    const struct lake_table *table;
    int64_t day_us;
    char path[LAKE_MAX_PATH];

    struct cell *cells; /* row by row */
    size_t n, n_kept, max;
    size_t text_len; /* of all of them */
    struct arena texts;

    struct stats_column *stats;
    struct parquet *parquet; /* NULL: nothing was written yet */
    struct object_upload *upload;
    size_t n_written, n_bytes;
    bool is_finished;
};

static void make_path(struct lake_file *f)
{
    char id[DELTA_ID], day[TIME_TEXT];

    time_format(f->day_us, day);
    delta_make_id(id);
    snprintf(f->path, sizeof(f->path), "date=%.10s/part-%s.zstd.parquet", day, id);
}

struct lake_file *lake_file_new(struct object_store *store, const struct lake_table *table,
                                int64_t day_us)
{
    struct lake_file *f = mem_new(1, sizeof(*f));

    f->store = store;
    f->table = table;
    f->day_us = day_us;
    f->stats = mem_new(table->n_columns, sizeof(*f->stats));
    arena_init(&f->texts, MAX_TEXT);
    make_path(f);
    return f;
}

void lake_file_free(struct lake_file *f)
{
    if (f == NULL)
        return;
    object_upload_abort(f->upload);
    parquet_free(f->parquet);
    arena_release(&f->texts);
    mem_free(f->cells);
    mem_free(f->stats);
    mem_free(f);
}

size_t lake_file_bytes(const struct lake_file *f)
{
    return f->n_bytes + f->n * ROW_BYTES;
}

size_t lake_file_rows(const struct lake_file *f)
{
    return f->n_written + f->n;
}

bool lake_file_is_of(const struct lake_file *f, const struct lake_table *table, int64_t day_us)
{
    return f->table == table && f->day_us == day_us;
}

const char *lake_file_path(const struct lake_file *f)
{
    return f->path;
}

/* ---- gathering ---- */

static bool make_room(struct lake_file *f)
{
    const size_t max = f->max > 0 ? f->max * 2 : 256;

    if (f->n < f->max)
        return true;
    struct cell *cells = mem_try(f->cells, max * f->table->n_columns * sizeof(*cells));
    if (cells == NULL)
        return false;
    f->cells = cells;
    f->max = max;
    return true;
}

enum st lake_file_add(struct lake_file *f, const struct cell *row, struct err *err)
{
    const size_t n_columns = f->table->n_columns;

    if (!make_room(f))
        return err_set(err, ST_AGAIN, "no memory for the rows of %s", f->table->name);
    struct cell *to = f->cells + f->n * n_columns;
    for (size_t i = 0; i < n_columns; i++) {
        to[i] = row[i];
        if (row[i].text == NULL || row[i].len == 0)
            continue;
        const struct str text = arena_str(&f->texts, cell_text(&row[i]));
        if (text.p == NULL)
            return err_set(err, f->n_kept > 0 || f->text_len > 0 ? ST_AGAIN : ST_REJECT,
                           "the texts of %s need more than %zu bytes", f->table->name, MAX_TEXT);
        to[i].text = text.p;
        f->text_len += text.len;
    }
    f->n++;
    return ST_OK;
}

void lake_file_drop(struct lake_file *f)
{
    f->n = f->n_kept;
    if (f->n == 0) {
        arena_reset(&f->texts);
        f->text_len = 0;
    }
}

/* ---- writing ---- */

static enum st take_bytes(void *ctx, struct str bytes, struct err *err)
{
    struct lake_file *f = ctx;

    f->n_bytes += bytes.len;
    return object_upload_add(f->upload, bytes, err);
}

static enum st start(struct lake_file *f, struct err *err)
{
    char name[OBJECT_MAX_NAME];

    if (f->parquet)
        return ST_OK;
    snprintf(name, sizeof(name), "%s/%s", f->table->name, f->path);
    enum st st = object_upload_start(f->store, name, &f->upload, err);
    if (st != ST_OK)
        return st;
    struct parquet_options options = {.columns = f->table->columns,
                                      .n_columns = f->table->n_columns,
                                      .n_sort = f->table->n_sort,
                                      .group_rows = GROUP_ROWS,
                                      .write = take_bytes,
                                      .ctx = f};
    memcpy(options.sort, f->table->sort, sizeof(options.sort));
    f->parquet = parquet_new(&options);
    return ST_OK;
}

static int compare_cells(const struct cell *a, const struct cell *b)
{
    if (a->kind == CELL_TEXT && b->kind == CELL_TEXT)
        return str_cmp(cell_text(a), cell_text(b));
    return a->kind != b->kind ? (a->kind > b->kind) - (a->kind < b->kind)
                              : (a->number > b->number) - (a->number < b->number);
}

/* Of two rows; equal ones stay as they came. */
static int compare_rows(const void *a, const void *b, void *ctx)
{
    const struct cell *const x = *(const struct cell *const *)a, *const y =
                                                                     *(const struct cell *const *)b;
    const struct lake_table *t = ctx;

    for (size_t i = 0; i < t->n_sort; i++) {
        const int order = compare_cells(&x[t->sort[i]], &y[t->sort[i]]);
        if (order != 0)
            return order;
    }
    return (x > y) - (x < y);
}

static enum st write_row(struct lake_file *f, const struct cell *row, struct err *err)
{
    for (size_t i = 0; i < f->table->n_columns; i++)
        stats_add(&f->stats[i], &f->table->columns[i], &row[i]);
    f->n_written++;
    return parquet_add(f->parquet, row, err);
}

/* All rows that are there, as a row group. */
static enum st write_rows(struct lake_file *f, struct err *err)
{
    const struct cell **rows = mem_new(f->n, sizeof(struct cell *));
    const struct lake_table *t = f->table;

    enum st st = start(f, err);
    for (size_t i = 0; i < f->n; i++)
        rows[i] = f->cells + i * t->n_columns;
    qsort_r(rows, f->n, sizeof(struct cell *), compare_rows, (void *)(uintptr_t)t);
    for (size_t i = 0; st == ST_OK && i < f->n; i++)
        st = write_row(f, rows[i], err);
    if (st == ST_OK)
        st = parquet_cut(f->parquet, err);
    mem_free(rows);
    f->n = f->n_kept = f->text_len = 0;
    arena_reset(&f->texts);
    return st;
}

enum st lake_file_keep(struct lake_file *f, struct err *err)
{
    f->n_kept = f->n;
    return f->n >= FILE_ROWS || f->text_len >= FILE_TEXT ? write_rows(f, err) : ST_OK;
}

enum st lake_file_finish(struct lake_file *f, struct err *err)
{
    struct object_put_result result;

    if (f->is_finished)
        return ST_OK;
    enum st st = f->n > 0 ? write_rows(f, err) : start(f, err);
    if (st == ST_OK)
        st = parquet_finish(f->parquet, NULL, 0, err);
    if (st != ST_OK)
        return st;
    parquet_free(f->parquet);
    f->parquet = NULL;
    struct object_upload *upload = f->upload;
    f->upload = NULL;
    st = object_upload_finish(upload, OBJECT_ABSENT, NULL, &result, err);
    f->is_finished = st == ST_OK;
    return st;
}

/* ---- actions ---- */

static void add_place(struct buf *lines, const char *path, bool is_data_change)
{
    buf_add_z(lines, "\"path\":");
    buf_add_json_str(lines, str_of(path));
    buf_addf(lines, ",\"partitionValues\":{\"date\":\"%.10s\"},\"dataChange\":%s",
             path + strlen("date="), is_data_change ? "true" : "false");
}

void lake_file_add_action(struct buf *lines, const struct lake_file *f, bool is_new, int64_t now_us)
{
    struct buf stats = BUF_INIT(MAX_STATS);

    stats_write(&stats, f->stats, f->table->columns, f->table->n_columns, f->n_written);
    buf_add_z(lines, "{\"add\":{");
    add_place(lines, f->path, is_new);
    buf_addf(lines, ",\"size\":%zu,\"modificationTime\":%lld,\"stats\":", f->n_bytes,
             (long long)(now_us / US_PER_MS));
    buf_add_json_str(lines, buf_str(&stats));
    buf_add_z(lines, "}}\n");
    buf_release(&stats);
}

void lake_add_remove(struct buf *lines, const char *path, bool is_old, int64_t now_us)
{
    buf_add_z(lines, "{\"remove\":{");
    add_place(lines, path, is_old);
    buf_addf(lines, ",\"deletionTimestamp\":%lld}}\n", (long long)(now_us / US_PER_MS));
}
