/* geckotape query: the latest rows of a store. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/file.h"
#include "load/sink.h"
#include "row/market.h"

#include <stdio.h>

#define MAX_ARENA        (UINT64_C(512) * 1024 * 1024)
#define MAX_OUTPUT       (UINT64_C(512) * 1024 * 1024)
#define MAX_COLUMN_WIDTH 44

struct columns {
    size_t index[N_MARKET_COLUMNS];
    size_t n;
};

static enum st choose_columns(const char *text, struct columns *ret, struct err *err)
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

    ret->n = 0;
    if (rest.len == 0)
        for (; ret->n < sizeof(readable) / sizeof(readable[0]); ret->n++)
            ret->index[ret->n] = readable[ret->n];
    if (str_eq(rest, STR("all"))) {
        for (; ret->n < N_MARKET_COLUMNS; ret->n++)
            ret->index[ret->n] = ret->n;
        return ST_OK;
    }
    while (rest.len > 0) {
        str_cut(&rest, ',', &name);
        size_t i = table_find(&market_table, name);
        if (i == N_MARKET_COLUMNS)
            return err_set(err, ST_REJECT,
                           "--columns: there is no column %.*s; --columns all shows them",
                           STR_ARG(name));
        if (ret->n == N_MARKET_COLUMNS)
            return err_set(err, ST_REJECT, "--columns: more than %d", N_MARKET_COLUMNS);
        ret->index[ret->n++] = i;
    }
    return ST_OK;
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

static void add_csv(struct buf *b, const struct rows *rows, const struct columns *columns)
{
    struct buf cell = BUF_INIT(MAX_OUTPUT);

    for (size_t c = 0; c < columns->n; c++)
        buf_addf(b, "%s%s", c > 0 ? "," : "", market_table.columns[columns->index[c]].name);
    buf_add_char(b, '\n');
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
                     market_table.columns[columns->index[c]].name);
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
        width[c] = strlen(market_table.columns[columns->index[c]].name);
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
            const struct column *column = &market_table.columns[columns->index[c]];
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

static enum st open_store(const struct config *config, struct sink_url *url,
                          struct query **ret_query, struct err *err)
{
    const struct sink_driver *driver;
    char path[FILE_MAX_PATH];

    enum st st = config->from[0]
                     ? file_path(path, err, "%s", config->from)
                     : file_path(path, err, "sqlite:%s/market.db", cmd_data_dir(config));
    if (st == ST_OK)
        st = sink_url_parse(str_of(path), url, err);
    if (st == ST_OK)
        st = sink_driver_find(str_of(url->scheme), &driver, err);
    if (st == ST_OK && driver->open_query == NULL)
        st = err_set(err, ST_REJECT, "%s cannot be read back; give --from sqlite:PATH", url->shown);
    return st == ST_OK ? driver->open_query(url, ret_query, err) : err_wrap(err, st, "--from: ");
}

static enum st print_rows(const struct config *config, struct query *query, const struct str *ids,
                          size_t n_ids, struct arena *arena, struct err *err)
{
    struct market_query args = {
        .vs_currency = str_of(config->job.vs),
        .ids = ids,
        .n_ids = n_ids,
        .order = ORDER_MARKET_CAP_DESC,
        .page = 1,
    };
    struct buf out = BUF_INIT(MAX_OUTPUT);
    struct columns columns;
    struct rows rows;

    enum st st = choose_columns(config->columns, &columns, err);
    if (st == ST_OK)
        st = query->driver->market(query, &args, arena, &rows, err);
    if (st != ST_OK)
        return st;
    if (config->job.top > 0 && rows.n > (size_t)config->job.top)
        rows.n = (size_t)config->job.top;
    if (rows.n == 0 && config->output == OUTPUT_TABLE)
        fprintf(stderr, "geckotape: no rows for %s in the store\n", config->job.vs);
    else if (config->output == OUTPUT_TABLE)
        add_table(&out, &rows, &columns);
    else if (config->output == OUTPUT_CSV)
        add_csv(&out, &rows, &columns);
    else
        add_json(&out, &rows, &columns, config->output == OUTPUT_JSONL);
    st = buf_check(&out, "output", err);
    if (st == ST_OK && out.len > 0 &&
        (fwrite(out.p, 1, out.len, stdout) != out.len || fflush(stdout) != 0))
        st = err_set(err, ST_FATAL, "cannot write the output");
    buf_release(&out);
    return st;
}

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    struct str ids[CMD_MAX_WORDS];
    struct query *query = NULL;
    struct sink_url url;
    struct arena arena;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < n_words; i++)
        ids[i] = str_of(words[i]);
    enum st st = open_store(config, &url, &query, &err);
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_USAGE);
    arena_init(&arena, MAX_ARENA);
    st = print_rows(config, query, ids, n_words, &arena, &err);
    query->driver->close(query);
    arena_release(&arena);
    return st == ST_OK ? EXIT_DONE : cmd_fail(st, &err, st == ST_REJECT ? EXIT_USAGE : EXIT_FAILED);
}

const struct verb verb_query = {
    .name = "query",
    .bit = VERB_QUERY,
    .summary = "Print the latest rows of a store.",
    .form = "geckotape query [COIN …] [options]",
    .max_words = CMD_MAX_WORDS,
    .examples = "  geckotape query --top 10\n"
                "      the ten largest coins, as last stored\n"
                "  geckotape query bitcoin ethereum --columns id,current_price,ath,ath_date\n"
                "      two coins, chosen columns\n"
                "  geckotape query --columns all --format csv > market.csv\n"
                "      everything; csv, json and jsonl keep every digit\n",
    .run = run,
};
