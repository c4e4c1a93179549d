/* Writes a table as Parquet: parquet_dump GROUP_ROWS PAGE_ROWS N_SORT < TABLE > FILE
 *
 * The first line has the columns' kinds (text, num, int, time), each other one a row: "-" is null,
 * texts are hex behind an x. Columns are called c0, c1 …; rows are sorted by the first N_SORT.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "parquet/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_COLUMNS 64
#define MAX_BYTES   ((size_t)256 << 20)

static struct column columns[MAX_COLUMNS];
static char names[MAX_COLUMNS][8];
static struct cell cells[MAX_COLUMNS];
static size_t n_columns;

static enum cell_kind kind_of(struct str word)
{
    return str_eq(word, STR("text"))  ? CELL_TEXT
           : str_eq(word, STR("num")) ? CELL_NUM
           : str_eq(word, STR("int")) ? CELL_INT
                                      : CELL_TIME;
}

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static struct cell read_text(struct str word, struct arena *arena)
{
    char *text = arena_alloc(arena, word.len / 2 + 1, 1);

    if (text == NULL)
        abort();
    for (size_t i = 0; i < word.len / 2; i++)
        text[i] = (char)(digit(word.p[2 * i]) * 16 + digit(word.p[2 * i + 1]));
    return cell_of_text((struct str){text, word.len / 2});
}

static struct cell read_cell(struct str word, enum cell_kind kind, struct arena *arena)
{
    struct cell cell;
    int64_t n = 0;

    if (str_eq(word, STR("-")))
        return CELL_NONE;
    if (kind == CELL_TEXT)
        return read_text((struct str){word.p + 1, word.len - 1}, arena);
    if (kind == CELL_NUM) {
        if (cell_of_num(word, &cell) != DEC_OK)
            abort();
        return cell;
    }
    if (!str_to_i64(word, INT64_MIN, INT64_MAX, &n))
        abort();
    return kind == CELL_INT ? cell_of_int(n) : cell_of_time(n);
}

static enum st put(void *ctx, struct str bytes, struct err *err)
{
    (void)ctx;
    return file_write_all(STDOUT_FILENO, bytes.p, bytes.len, "stdout", err);
}

static enum st put_rows(struct parquet *p, struct str rest, struct err *err)
{
    struct arena arena;
    struct str line, word;
    enum st st = ST_OK;

    arena_init(&arena, MAX_BYTES);
    while (st == ST_OK && rest.len > 0) {
        str_cut(&rest, '\n', &line);
        arena_reset(&arena);
        for (size_t i = 0; i < n_columns; i++) {
            str_cut(&line, ' ', &word);
            cells[i] = read_cell(word, columns[i].kind, &arena);
        }
        st = parquet_add(p, cells, err);
    }
    arena_release(&arena);
    return st;
}

int main(int argc, char **argv)
{
    const struct parquet_note notes[] = {{"key", "value"}, {"ключ", ""}};
    struct parquet_options options = {.write = put};
    struct buf in = BUF_INIT(MAX_BYTES);
    struct err err = ERR_INIT;
    struct str head, word;
    int64_t n[3] = {0};

    for (int i = 0; i < 3; i++)
        if (argc != 4 || !str_to_i64(str_of(argv[i + 1]), 0, INT32_MAX, &n[i]))
            abort();
    if (file_read("/dev/stdin", &in, &err) != ST_OK)
        abort();
    struct str rest = buf_str(&in);
    str_cut(&rest, '\n', &head);
    for (; head.len > 0 && n_columns < MAX_COLUMNS; n_columns++) {
        str_cut(&head, ' ', &word);
        snprintf(names[n_columns], sizeof(names[0]), "c%zu", n_columns);
        columns[n_columns] = (struct column){.name = names[n_columns], .kind = kind_of(word)};
    }
    options.columns = columns;
    options.n_columns = n_columns;
    options.group_rows = (size_t)n[0];
    options.page_rows = (size_t)n[1];
    for (options.n_sort = 0; options.n_sort < (size_t)n[2]; options.n_sort++)
        options.sort[options.n_sort] = options.n_sort;
    struct parquet *p = parquet_new(&options);
    enum st st = put_rows(p, rest, &err);
    if (st == ST_OK)
        st = parquet_finish(p, notes, 2, &err);
    parquet_free(p);
    buf_release(&in);
    if (st != ST_OK)
        fprintf(stderr, "parquet_dump: %s\n", err.msg);
    return st == ST_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
