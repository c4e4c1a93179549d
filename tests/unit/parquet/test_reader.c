/* What the writer writes, the reader reads; what is damaged it refuses. Files of other writers are
 * read in interop/test_parquet_reader.py. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "memory_file.h"
#include "tap.h"

#include <float.h>
#include <math.h>

static const struct column columns[] = {
    {.name = "id", .kind = CELL_TEXT},
    {.name = "price", .kind = CELL_NUM},
    {.name = "rank", .kind = CELL_INT},
    {.name = "at", .kind = CELL_TIME},
};
enum { ID, PRICE, RANK, AT, N_COLUMNS };

static struct cell num(const char *lexeme)
{
    struct cell cell = CELL_NONE;

    if (cell_of_num(str_of(lexeme), &cell) != DEC_OK)
        abort();
    return cell;
}

static const char *const some_texts[] = {
    "",
    "bitcoin",
    "日本語 🪙",
    "\x7f\x01 \"\\,\n",
    "a text that is longer than the bounds of a page may be: they are cut after sixty-four bytes",
};
static const char *const some_numbers[] = {
    "0",      "0.1",  "123456.789", "0.12345678901234567890", "40314176381427488",
    "4.2e17", "1e22", "2.6e-9",     "1.7976931348623157e308", "4.9e-324",
    "1e999",  "-0.5", "5e-324",     "9007199254740993",       "123456789012345678901234",
};
static const int64_t some_integers[] = {0, 1, -1, INT64_MAX, INT64_MIN, 1764000000000000};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A row of any shape: runs, few values, many values, nulls. */
static void make_row(size_t i, struct cell *row)
{
    static char many[32];

    snprintf(many, sizeof(many), "coin-%zu", i);
    row[ID] = i % 11 == 3  ? CELL_NONE
              : i % 3 == 0 ? cell_of_text(str_of(some_texts[i / 7 % COUNT(some_texts)]))
              : i % 5 < 2  ? cell_of_text(str_of(many))
                           : cell_of_text(STR("ethereum"));
    row[PRICE] = i % 13 == 5 ? CELL_NONE
                 : i % 4 > 0
                     ? cell_of_dec((struct dec){(int64_t)(i * i) * 10 + 1, -3, true}, STR_NONE)
                     : num(some_numbers[i % COUNT(some_numbers)]);
    row[RANK] =
        i / 64 % 3 == 1 ? CELL_NONE : cell_of_int(some_integers[i / 5 % COUNT(some_integers)]);
    row[AT] = cell_of_time((int64_t)i * 30000000 + (int64_t)(i * 7919 % 300));
}

static enum st write_rows(struct memory_file *f, size_t n, size_t group_rows, size_t page_rows,
                          struct err *err)
{
    const struct parquet_note notes[] = {{"a", "one"}, {"b", "two"}};
    struct parquet *p = parquet_new(&(struct parquet_options){.columns = columns,
                                                              .n_columns = N_COLUMNS,
                                                              .group_rows = group_rows,
                                                              .page_rows = page_rows,
                                                              .write = memory_write,
                                                              .ctx = f});
    struct cell row[N_COLUMNS];
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < n; i++) {
        make_row(i, row);
        st = parquet_add(p, row, err);
    }
    if (st == ST_OK)
        st = parquet_finish(p, notes, 2, err);
    parquet_free(p);
    return st;
}

/* How many rows come back as they went; others end it. */
static enum st read_rows(struct parquet_file *f, size_t max_rows, size_t *ret_n, struct err *err)
{
    struct parquet_rows *rows;
    const struct cell *cells;
    struct cell want[N_COLUMNS];
    size_t n = 1;

    *ret_n = 0;
    enum st st = parquet_rows_new(f, columns, N_COLUMNS, &rows, err);
    if (st != ST_OK)
        return st;
    for (size_t g = 0; st == ST_OK && g < parquet_n_groups(f); g++) {
        st = parquet_rows_group(rows, g, err);
        for (n = 1; st == ST_OK && n > 0;) {
            st = parquet_rows_next(rows, max_rows, &cells, &n, err);
            for (size_t i = 0; st == ST_OK && i < n; i++, ++*ret_n) {
                make_row(*ret_n, want);
                for (size_t k = 0; st == ST_OK && k < N_COLUMNS; k++)
                    if (!cell_equal(&cells[i * N_COLUMNS + k], &want[k]))
                        st = err_set(err, ST_FATAL, "row %zu: another %s", *ret_n, columns[k].name);
            }
        }
    }
    parquet_rows_free(rows);
    return st;
}

static void rows_come_back_as_they_went(void)
{
    static const size_t shapes[][4] = {
        /* rows, of a group, of a page, of a batch */
        {0, 100, 100, 10},    {1, 100, 100, 10},     {1000, 1000, 1000, SIZE_MAX},
        {5000, 700, 64, 100}, {20000, 7000, 999, 1}, {40000, 40000, 32768, SIZE_MAX},
    };

    for (size_t i = 0; i < COUNT(shapes); i++) {
        struct memory_file file = MEMORY_FILE;
        struct parquet_file *f;
        struct err err = ERR_INIT;
        size_t n;
        CHECK_OK(write_rows(&file, shapes[i][0], shapes[i][1], shapes[i][2], &err), err);
        const struct parquet_source source = memory_source(&file);
        CHECK_OK(parquet_open(&source, &f, &err), err);
        CHECK_EQ(parquet_n_rows(f), shapes[i][0]);
        CHECK_EQ(parquet_n_groups(f), (shapes[i][0] + shapes[i][1] - 1) / shapes[i][1]);
        CHECK_OK(read_rows(f, shapes[i][3], &n, &err), err);
        CHECK_EQ(n, shapes[i][0]);
        parquet_close(f);
        buf_release(&file.bytes);
    }
}

static void the_footer_tells_fields_notes_and_bounds(void)
{
    struct memory_file file = MEMORY_FILE;
    struct parquet_file *f;
    struct err err = ERR_INIT;

    CHECK_OK(write_rows(&file, 1000, 400, 100, &err), err);
    const struct parquet_source source = memory_source(&file);
    CHECK_OK(parquet_open(&source, &f, &err), err);
    CHECK_EQ(parquet_n_columns(f), N_COLUMNS + 1);
    CHECK_Z(parquet_field(f, AT)->name, "at");
    CHECK_EQ(parquet_field(f, AT)->kind, CELL_TIME);
    CHECK_EQ(parquet_field(f, PRICE)->scale, -1);
    CHECK_EQ(parquet_find(f, STR("exact")), N_COLUMNS);
    CHECK_EQ(parquet_find(f, STR("nowhere")), N_COLUMNS + 1);
    CHECK_STR(parquet_note(f, STR("b")), "two");
    CHECK(parquet_note(f, STR("c")).p == NULL);
    CHECK(str_starts(parquet_created_by(f), STR("geckotape version ")));
    CHECK_EQ(parquet_group(f, 2).n_rows, 200);
    struct parquet_bounds b = parquet_bounds(f, 1, AT);
    CHECK(b.has_min && b.has_max && b.has_nulls);
    CHECK_EQ(b.n_nulls, 0);
    CHECK_EQ(b.min.number, 400 * INT64_C(30000000) + 400 * 7919 % 300);
    CHECK_EQ(b.max.number, 799 * INT64_C(30000000) + 799 * 7919 % 300);
    b = parquet_bounds(f, 0, PRICE);
    CHECK(b.min.real == -0.5);
    CHECK(b.max.real == DBL_MAX);
    b = parquet_bounds(f, 0, ID);
    CHECK_STR(b.min.text, "");
    CHECK(str_starts(b.max.text, STR("日本語")));
    CHECK(b.n_nulls > 0);
    parquet_close(f);
    buf_release(&file.bytes);
}

static enum st write_batches(struct memory_file *f, size_t n, size_t batch, struct err *err)
{
    enum { STRIDE = N_COLUMNS + 2 }; /* cells that are not wanted lie between */
    static const size_t places[] = {5, 1, 4, 0};
    struct parquet *p = parquet_new(&(struct parquet_options){.columns = columns,
                                                              .n_columns = N_COLUMNS,
                                                              .sort = {AT},
                                                              .n_sort = 1,
                                                              .group_rows = 700,
                                                              .page_rows = 300,
                                                              .write = memory_write,
                                                              .ctx = f});
    struct cell *cells = mem_new(batch, STRIDE * sizeof(*cells)), row[N_COLUMNS];
    char(*texts)[32] = mem_new(batch, sizeof(*texts));
    enum st st = ST_OK;

    for (size_t done = 0; st == ST_OK && done < n; done += batch) {
        for (size_t i = 0; i < batch; i++) {
            make_row(done + i, row);
            if (row[ID].kind == CELL_TEXT && row[ID].len < sizeof(texts[i]))
                row[ID].text = memcpy(texts[i], row[ID].text, row[ID].len);
            for (size_t k = 0; k < N_COLUMNS; k++)
                cells[i * STRIDE + places[k]] = row[k];
        }
        st = parquet_add_rows(p, cells, batch < n - done ? batch : n - done, STRIDE, places, err);
    }
    if (st == ST_OK)
        st = parquet_finish(p, NULL, 0, err);
    parquet_free(p);
    mem_free(cells);
    mem_free(texts);
    return st;
}

static void rows_together_are_as_one_by_one(void)
{
    struct memory_file one = MEMORY_FILE;
    struct err err = ERR_INIT;

    CHECK_OK(write_batches(&one, 3000, 1, &err), err);
    for (size_t batch = 2; batch < 4000; batch = batch * 5 + 3) {
        struct memory_file many = MEMORY_FILE;
        CHECK_OK(write_batches(&many, 3000, batch, &err), err);
        CHECK(str_eq(buf_str(&one.bytes), buf_str(&many.bytes)));
        buf_release(&many.bytes);
    }
    buf_release(&one.bytes);
}

/* Which encodings a column of 100,000 numbers gets: what a sample tells is what all would tell. */
static size_t len_of_numbers(int64_t (*number)(int64_t), struct err *err)
{
    static const struct column one[] = {{.name = "n", .kind = CELL_INT}};
    struct memory_file f = MEMORY_FILE;
    struct parquet *p = parquet_new(&(struct parquet_options){
        .columns = one, .n_columns = 1, .write = memory_write, .ctx = &f});
    enum st st = ST_OK;

    for (int64_t i = 0; st == ST_OK && i < 100000; i++) {
        const struct cell cell = cell_of_int(number(i));
        st = parquet_add(p, &cell, err);
    }
    if (st == ST_OK)
        st = parquet_finish(p, NULL, 0, err);
    parquet_free(p);
    const size_t len = f.bytes.len;
    buf_release(&f.bytes);
    return st == ST_OK ? len : 0;
}

static int64_t mixed(int64_t i)
{
    uint64_t x = ((uint64_t)i + 1) * UINT64_C(0x9E3779B97F4A7C15);

    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    return (int64_t)(x ^ x >> 27);
}

static int64_t of_20000(int64_t i) /* five times each, far apart */
{
    return mixed(i % 20000);
}

static int64_t in_runs(int64_t i) /* of eight */
{
    return mixed(i / 8);
}

static void a_sample_sees_what_suits_a_dictionary(void)
{
    struct err err = ERR_INIT;

    /* as words of 15 bits and a dictionary; plain it would be 800,000 */
    CHECK(len_of_numbers(of_20000, &err) < 100000 * 15 / 8 + 20000 * 8 * 2 + 5000);
    CHECK(len_of_numbers(in_runs, &err) < 12500 * 8 + 100000 / 2);
    CHECK(len_of_numbers(mixed, &err) > 790000);
}

/* A column that the file lacks is null, as Delta's are that were added later. */
static void columns_are_found_by_name(void)
{
    static const struct column wanted[] = {
        {.name = "added_later", .kind = CELL_TEXT},
        {.name = "rank", .kind = CELL_NUM}, /* integers are numbers */
        {.name = "id", .kind = CELL_TEXT},
    };
    static const struct column other[] = {{.name = "at", .kind = CELL_INT}};
    struct memory_file file = MEMORY_FILE;
    struct parquet_file *f;
    struct parquet_rows *rows;
    const struct cell *cells;
    struct err err = ERR_INIT;
    size_t n;

    CHECK_OK(write_rows(&file, 10, 100, 100, &err), err);
    const struct parquet_source source = memory_source(&file);
    CHECK_OK(parquet_open(&source, &f, &err), err);
    CHECK_OK(parquet_rows_new(f, wanted, 3, &rows, &err), err);
    CHECK_OK(parquet_rows_group(rows, 0, &err), err);
    CHECK_OK(parquet_rows_next(rows, 100, &cells, &n, &err), err);
    CHECK_EQ(n, 10);
    CHECK_EQ(cells[3 * 5].kind, CELL_NULL);
    CHECK_EQ(cells[3 * 5 + 1].kind, CELL_NUM);
    CHECK_EQ(cells[3 * 5 + 1].number, 1);
    CHECK_STR(cell_text(&cells[3 * 8 + 2]), "ethereum");
    parquet_rows_free(rows);
    CHECK_EQ(parquet_rows_new(f, other, 1, &rows, &err), ST_REJECT);
    CHECK_Z(err.msg, "x.parquet: column at is of another type than here");
    parquet_close(f);
    buf_release(&file.bytes);
}

static void a_scan_may_go_back(void)
{
    struct memory_file file = MEMORY_FILE;
    struct parquet_file *f;
    struct parquet_scan *scan;
    struct err err = ERR_INIT;
    const size_t want = AT;
    size_t n;

    CHECK_OK(write_rows(&file, 300, 100, 40, &err), err);
    const struct parquet_source source = memory_source(&file);
    CHECK_OK(parquet_open(&source, &f, &err), err);
    CHECK_OK(parquet_scan_new(f, &want, 1, &scan, &err), err);
    CHECK_OK(parquet_scan_next(scan, 10, &n, &err), err);
    CHECK_EQ(n, 0); /* of no group yet */
    for (size_t g = 3; g-- > 0;) {
        CHECK_OK(parquet_scan_group(scan, g, &err), err);
        CHECK_OK(parquet_scan_next(scan, 70, &n, &err), err);
        CHECK_EQ(n, 70);
        CHECK_EQ(parquet_scan_vector(scan, 0)->numbers[69] / 30000000, g * 100 + 69);
    }
    parquet_scan_free(scan);
    parquet_close(f);
    buf_release(&file.bytes);
}

/* Of a long file: no read is longer than a window, and memory is used again. */
static void a_file_is_read_by_windows(void)
{
    struct memory_file file = MEMORY_FILE;
    struct parquet_file *f;
    struct err err = ERR_INIT;
    size_t n;

    CHECK_OK(write_rows(&file, 200000, 50000, 10000, &err), err);
    const struct parquet_source source = memory_source(&file);
    CHECK_OK(parquet_open(&source, &f, &err), err);
    CHECK_OK(read_rows(f, SIZE_MAX, &n, &err), err);
    CHECK_EQ(n, 200000);
    CHECK(file.bytes.len > 500000);
    CHECK(file.longest <= 256 * 1024);
    CHECK(file.n_reads < 2 + 4 * 5 * 4);
    parquet_close(f);
    buf_release(&file.bytes);
}

/* ---- damage ---- */

static enum st open_and_read(struct memory_file *file, size_t *ret_n, struct err *err)
{
    const struct parquet_source source = memory_source(file);
    struct parquet_file *f;

    enum st st = parquet_open(&source, &f, err);
    if (st != ST_OK)
        return st;
    st = read_rows(f, SIZE_MAX, ret_n, err);
    parquet_close(f);
    return st;
}

/* Pages have checksums: a flipped bit is named, or it is of what the reader does not look at.
 * Headers and the footer have none: a few of their bits can make another page, or another name, of
 * it. */
static void a_flipped_bit_is_refused(void)
{
    struct memory_file file = MEMORY_FILE;
    struct err err = ERR_INIT;
    size_t n_refused = 0, n_changed = 0, n;

    CHECK_OK(write_rows(&file, 500, 250, 100, &err), err);
    for (size_t i = 0; i < file.bytes.len; i++) {
        file.bytes.p[i] = (char)(file.bytes.p[i] ^ 1 << i % 8);
        const enum st st = open_and_read(&file, &n, &err);
        if (st == ST_REJECT) {
            n_refused++;
            CHECK(str_starts(str_of(err.msg), STR("x.parquet: ")));
        }
        n_changed += st == ST_FATAL;
        file.bytes.p[i] = (char)(file.bytes.p[i] ^ 1 << i % 8);
    }
    CHECK(n_refused > file.bytes.len / 2);
    CHECK(n_changed < file.bytes.len / 50);
    CHECK_OK(open_and_read(&file, &n, &err), err);
    buf_release(&file.bytes);
}

static void what_is_cut_off_is_refused(void)
{
    struct memory_file file = MEMORY_FILE;
    struct err err = ERR_INIT;
    size_t n;

    CHECK_OK(write_rows(&file, 500, 250, 100, &err), err);
    const size_t len = file.bytes.len;
    for (file.bytes.len = 0; file.bytes.len < len; file.bytes.len++)
        CHECK_EQ(open_and_read(&file, &n, &err), ST_REJECT);
    CHECK_OK(open_and_read(&file, &n, &err), err);
    buf_release(&file.bytes);
}

static void places_are_named(void)
{
    struct memory_file file = MEMORY_FILE;
    struct parquet_file *f;
    struct err err = ERR_INIT;
    size_t n;

    CHECK_OK(write_rows(&file, 500, 250, 100, &err), err);
    file.bytes.p[60] = (char)(file.bytes.p[60] ^ 1);
    CHECK_EQ(open_and_read(&file, &n, &err), ST_REJECT);
    CHECK_Z(err.msg, "x.parquet: column id, row group 0, page at byte 4: its checksum is wrong");
    file.bytes.p[file.bytes.len - 1] = 'E';
    const struct parquet_source source = memory_source(&file);
    CHECK_EQ(parquet_open(&source, &f, &err), ST_REJECT);
    CHECK_Z(err.msg, "x.parquet: its footer is encrypted");
    file.bytes.p[file.bytes.len - 1] = '2';
    CHECK_EQ(parquet_open(&source, &f, &err), ST_REJECT);
    CHECK_Z(err.msg, "x.parquet: not a Parquet file, or cut off: it does not end with PAR1");
    buf_release(&file.bytes);
}

static enum st refuse(void *ctx, uint64_t offset, size_t len, void *ret_bytes, struct err *err)
{
    int *n_left = ctx;

    (void)offset;
    (void)len;
    (void)ret_bytes;
    return --*n_left < 0 ? err_set(err, ST_AGAIN, "the store is away") : ST_FATAL;
}

static void what_the_store_says_is_handed_on(void)
{
    int n_left = 0;
    const struct parquet_source source = {refuse, &n_left, 1000, "x"};
    struct parquet_file *f;
    struct err err = ERR_INIT;

    CHECK_EQ(parquet_open(&source, &f, &err), ST_AGAIN);
    CHECK_Z(err.msg, "the store is away");
}

TAP_MAIN(TAP_CASE(rows_come_back_as_they_went), TAP_CASE(the_footer_tells_fields_notes_and_bounds),
         TAP_CASE(columns_are_found_by_name), TAP_CASE(rows_together_are_as_one_by_one),
         TAP_CASE(a_sample_sees_what_suits_a_dictionary), TAP_CASE(a_scan_may_go_back),
         TAP_CASE(a_file_is_read_by_windows), TAP_CASE(a_flipped_bit_is_refused),
         TAP_CASE(what_is_cut_off_is_refused), TAP_CASE(places_are_named),
         TAP_CASE(what_the_store_says_is_handed_on))
