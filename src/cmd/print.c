/* Rows as people and programs read them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/print.h"

#include <stdio.h>
#include <string.h>

#define MAX_OUTPUT       (UINT64_C(512) * 1024 * 1024)
#define MAX_COLUMN_WIDTH 44

enum st columns_choose(const char *text, const char *option, struct columns *ret, struct err *err)
{
    static const enum market_column readable[] = {MARKET_MARKET_CAP_RANK,
                                                  MARKET_ID,
                                                  MARKET_SYMBOL,
                                                  MARKET_CURRENT_PRICE,
                                                  MARKET_PRICE_CHANGE_PERCENTAGE_24H,
                                                  MARKET_MARKET_CAP,
                                                  MARKET_TOTAL_VOLUME,
                                                  MARKET_LAST_UPDATED,
                                                  MARKET_FETCHED_AT};
    struct str rest = str_of(text), name;

    ret->table = &market_table;
    ret->n = 0;
    if (rest.len == 0)
        for (; ret->n < sizeof(readable) / sizeof(readable[0]); ret->n++)
            ret->index[ret->n] = readable[ret->n];
    if (str_eq(rest, STR("all"))) {
        columns_all(&market_table, ret);
        return ST_OK;
    }
    while (rest.len > 0) {
        str_cut(&rest, ',', &name);
        size_t i = table_find(&market_table, name);
        if (i == N_MARKET_COLUMNS)
            return err_set(err, ST_REJECT,
                           "%s: there is no column %.*s; geckotape query --columns all shows them",
                           option, STR_ARG(name));
        for (size_t k = 0; k < ret->n; k++)
            if (ret->index[k] == i)
                return err_set(err, ST_REJECT, "%s: %.*s is there twice", option, STR_ARG(name));
        ret->index[ret->n++] = i;
    }
    return ST_OK;
}

void columns_all(const struct table *table, struct columns *ret)
{
    ret->table = table;
    for (ret->n = 0; ret->n < table->n_columns; ret->n++)
        ret->index[ret->n] = ret->n;
}

static void add_csv_field(struct buf *b, struct str text)
{
    bool needs_quotes =
        text.len > 0 && (memchr(text.p, ',', text.len) || memchr(text.p, '"', text.len) ||
                         memchr(text.p, '\n', text.len) || memchr(text.p, '\r', text.len));
    if (!needs_quotes) {
        buf_add_str(b, text);
        return;
    }
    buf_add_char(b, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '"')
            buf_add_char(b, '"');
        buf_add_char(b, text.p[i]);
    }
    buf_add_char(b, '"');
}

static void add_csv_head(struct buf *b, const struct columns *columns)
{
    for (size_t c = 0; c < columns->n; c++)
        buf_addf(b, "%s%s", c > 0 ? "," : "", columns->table->columns[columns->index[c]].name);
    buf_add_char(b, '\n');
}

static void add_csv(struct buf *b, const struct rows *rows, const struct columns *columns)
{
    struct buf cell = BUF_INIT(MAX_OUTPUT);

    for (size_t r = 0; r < rows->n; r++)
        for (size_t c = 0; c < columns->n; c++) {
            buf_clear(&cell);
            cell_add_text(&cell, &rows_at(rows, r)[columns->index[c]]);
            add_csv_field(b, buf_str(&cell));
            buf_add_char(b, c + 1 < columns->n ? ',' : '\n');
        }
    buf_release(&cell);
}

static void add_json(struct buf *b, const struct rows *rows, const struct columns *columns,
                     bool is_lines)
{
    if (!is_lines)
        buf_add_z(b, "[");
    for (size_t r = 0; r < rows->n; r++) {
        if (!is_lines)
            buf_add_z(b, r > 0 ? ",\n " : "\n ");
        for (size_t c = 0; c < columns->n; c++) {
            buf_addf(b, "%s\"%s\":", c > 0 ? "," : "{",
                     columns->table->columns[columns->index[c]].name);
            cell_add_json(b, &rows_at(rows, r)[columns->index[c]]);
        }
        buf_add_z(b, is_lines ? "}\n" : "}");
    }
    if (!is_lines)
        buf_add_z(b, "\n]\n");
}

/* Columns of text: as many as a terminal shows for UTF-8 text without wide characters. */
static size_t width_of(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.p[i] & 0xC0) != 0x80;
    return n;
}

static void add_padded(struct buf *b, struct str text, size_t width, bool is_right)
{
    size_t have = width_of(text), pad = width > have ? width - have : 0;

    if (is_right)
        buf_addf(b, "%*s", (int)pad, "");
    buf_add_str(b, text);
    if (!is_right)
        buf_addf(b, "%*s", (int)pad, "");
}

static void add_table(struct buf *b, const struct rows *rows, const struct columns *columns)
{
    size_t width[N_MARKET_COLUMNS];
    struct buf cell = BUF_INIT(MAX_OUTPUT), shown = BUF_INIT(MAX_OUTPUT);

    for (size_t c = 0; c < columns->n; c++) {
        width[c] = strlen(columns->table->columns[columns->index[c]].name);
        for (size_t r = 0; r < rows->n; r++) {
            buf_clear(&cell);
            cell_add_text(&cell, &rows_at(rows, r)[columns->index[c]]);
            size_t w = width_of(buf_str(&cell));
            width[c] = w > width[c] ? w : width[c];
        }
        width[c] = width[c] < MAX_COLUMN_WIDTH ? width[c] : MAX_COLUMN_WIDTH;
    }
    for (size_t r = 0; r <= rows->n; r++)
        for (size_t c = 0; c < columns->n; c++) {
            const struct column *column = &columns->table->columns[columns->index[c]];
            bool is_right = column->kind == CELL_NUM || column->kind == CELL_INT;
            buf_clear(&cell);
            if (r == 0)
                buf_add_z(&cell, column->name);
            else
                cell_add_text(&cell, &rows_at(rows, r - 1)[columns->index[c]]);
            buf_clear(&shown);
            buf_add_clean(&shown, buf_str(&cell), cell.len);
            bool is_last = c + 1 == columns->n;
            add_padded(b, buf_str(&shown), is_last && !is_right ? 0 : width[c], is_right);
            buf_add_z(b, is_last ? "\n" : "  ");
        }
    buf_release(&shown);
    buf_release(&cell);
}

static enum st put(struct buf *b, struct err *err)
{
    enum st st = buf_check(b, "output", err);
    if (st == ST_OK && b->len > 0 &&
        (fwrite(b->p, 1, b->len, stdout) != b->len || fflush(stdout) != 0))
        st = err_set(err, ST_FATAL, "cannot write the output");
    buf_release(b);
    return st;
}

enum st print_rows(const struct rows *rows, const struct columns *columns, int format,
                   struct err *err)
{
    struct buf out = BUF_INIT(MAX_OUTPUT);

    if (format == OUTPUT_CSV)
        add_csv_head(&out, columns);
    if (format == OUTPUT_TABLE)
        add_table(&out, rows, columns);
    else if (format == OUTPUT_CSV)
        add_csv(&out, rows, columns);
    else
        add_json(&out, rows, columns, format == OUTPUT_JSONL);
    return put(&out, err);
}

void print_head(struct buf *b, const struct columns *columns, int format)
{
    if (format == OUTPUT_CSV)
        add_csv_head(b, columns);
}

void print_more(struct buf *b, const struct rows *rows, const struct columns *columns, int format)
{
    if (format == OUTPUT_CSV)
        add_csv(b, rows, columns);
    else
        add_json(b, rows, columns, true);
}
