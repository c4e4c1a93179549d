/* Asks stores what query.h can answer: query_dump URL < QUESTIONS
 *
 * A question is a line of words: the moment in µs since 1970 (0: now), what is asked, its
 * arguments. The answer is a line of JSON: times as µs, numbers as the store has them. "past:DIR"
 * is the tape there, played up to each moment into memory.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "load/sink.h"
#include "pipeline/past.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES ((size_t)256 << 20)
#define MAX_LINE  (64 * 1024)
#define MAX_WORDS 1024

static struct query *query;
static struct arena arena;
static struct buf out = BUF_INIT(MAX_BYTES);
static struct str words[MAX_WORDS];
static size_t n_words;

static int64_t number(size_t word)
{
    int64_t n = 0;

    if (word >= n_words || !str_to_i64(words[word], INT64_MIN, INT64_MAX, &n))
        abort();
    return n;
}

static void add_cell(const struct cell *c)
{
    if (c->kind == CELL_TIME)
        buf_add_i64(&out, c->number);
    else
        cell_add_json(&out, c);
}

static void add_rows(const struct rows *rows)
{
    buf_add_char(&out, '[');
    for (size_t i = 0; i < rows->n; i++) {
        buf_add_z(&out, i > 0 ? ",{" : "{");
        for (size_t k = 0; k < rows->table->n_columns; k++) {
            buf_addf(&out, "%s\"%s\":", k > 0 ? "," : "", rows->table->columns[k].name);
            add_cell(&rows_at(rows, i)[k]);
        }
        buf_add_char(&out, '}');
    }
    buf_add_char(&out, ']');
}

/* VS ORDER PER_PAGE PAGE ID… */
static enum st ask_market(struct rows *ret_rows, struct err *err)
{
    struct market_query args = {.vs_currency = words[2],
                                .order = (enum market_order)number(3),
                                .per_page = (uint32_t)number(4),
                                .page = (uint32_t)number(5),
                                .ids = words + 6,
                                .n_ids = n_words - 6};

    return query->driver->market(query, &args, &arena, ret_rows, err);
}

/* VS ID FROM TO STEP */
static enum st ask_chart(bool is_ohlc, struct rows *ret_rows, struct err *err)
{
    const struct chart_query args = {.vs_currency = words[2],
                                     .id = words[3],
                                     .from_us = number(4),
                                     .to_us = number(5),
                                     .step_us = number(6)};

    return is_ohlc ? query->driver->ohlc(query, &args, &arena, ret_rows, err)
                   : query->driver->series(query, &args, &arena, ret_rows, err);
}

/* VS FROM TO STEP [ID]... */
static enum st ask_sparks(struct rows *ret_rows, struct err *err)
{
    const struct spark_query args = {.vs_currency = words[2],
                                     .from_us = number(3),
                                     .to_us = number(4),
                                     .step_us = number(5),
                                     .ids = words + 6,
                                     .n_ids = n_words - 6};

    return query->driver->sparks(query, &args, &arena, ret_rows, err);
}

static void add_label(const struct coin_label *label)
{
    buf_addf(&out, "[%lld,", (long long)label->since_us);
    buf_add_json_str(&out, label->symbol);
    buf_add_char(&out, ',');
    buf_add_json_str(&out, label->name);
    buf_add_char(&out, ']');
}

/* ID */
static enum st tell_coin(struct err *err)
{
    struct coin_info info;
    bool is_known;

    enum st st = query->driver->info(query, words[2], &arena, &info, &is_known, err);
    if (st != ST_OK || !is_known) {
        buf_add_z(&out, "null");
        return st;
    }
    buf_addf(&out, "[%lld,", (long long)info.first_seen_us);
    buf_add_json_str(&out, info.symbol);
    buf_add_char(&out, ',');
    buf_add_json_str(&out, info.name);
    buf_add_z(&out, ",[");
    for (size_t i = 0; i < info.n_labels; i++) {
        buf_add_z(&out, i > 0 ? "," : "");
        add_label(&info.labels[i]);
    }
    buf_add_z(&out, "]]");
    return ST_OK;
}

static enum st tell_currencies(struct err *err)
{
    struct str *list;
    size_t n;

    enum st st = query->driver->currencies(query, &arena, &list, &n, err);
    buf_add_char(&out, '[');
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        buf_add_z(&out, i > 0 ? "," : "");
        buf_add_json_str(&out, list[i]);
    }
    buf_add_char(&out, ']');
    return st;
}

static enum st tell_global(struct err *err)
{
    struct figure *list;
    size_t n;

    enum st st = query->driver->global(query, &arena, &list, &n, err);
    buf_add_char(&out, '[');
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        buf_add_z(&out, i > 0 ? ",[" : "[");
        buf_add_json_str(&out, list[i].name);
        buf_add_char(&out, ',');
        buf_add_json_str(&out, list[i].part.p ? list[i].part : STR(""));
        buf_add_char(&out, ',');
        add_cell(&list[i].value);
        buf_add_char(&out, ']');
    }
    buf_add_char(&out, ']');
    return st;
}

static enum st answer(struct err *err)
{
    const struct query_driver *driver = query->driver;
    struct rows rows = {.n = 0};
    enum st st;

    if (str_eq(words[1], STR("currencies")))
        return tell_currencies(err);
    if (str_eq(words[1], STR("global")))
        return tell_global(err);
    if (str_eq(words[1], STR("info")))
        return tell_coin(err);
    if (str_eq(words[1], STR("market")))
        st = ask_market(&rows, err);
    else if (str_eq(words[1], STR("coins")))
        st = driver->coins(query, &arena, &rows, err);
    else if (str_eq(words[1], STR("inactive")))
        st = driver->inactive(query, &arena, &rows, err);
    else if (str_eq(words[1], STR("newest")))
        st = driver->newest(query, &arena, &rows, err);
    else if (str_eq(words[1], STR("sparks")))
        st = ask_sparks(&rows, err);
    else
        st = ask_chart(str_eq(words[1], STR("ohlc")), &rows, err);
    if (st == ST_OK)
        add_rows(&rows);
    return st;
}

/* The tape as it was at the moment. */
static enum st open_past(const char *data_dir, struct past **ret_past, struct err *err)
{
    const struct past_setup setup = {
        .data_dir = data_dir, .at_us = number(0), .speed = 1, .clock = clock_system()};

    enum st st = past_open(&setup, ret_past, err);
    if (st == ST_OK)
        query = past_query(*ret_past);
    return st;
}

static void take_line(char *line, const char *past_dir)
{
    struct str rest = {line, strcspn(line, "\n")};
    struct past *past = NULL;
    struct err err = ERR_INIT;
    enum st st = ST_OK;

    for (n_words = 0; rest.len > 0 && n_words < MAX_WORDS; n_words++)
        str_cut(&rest, ' ', &words[n_words]);
    buf_clear(&out);
    if (past_dir)
        st = open_past(past_dir, &past, &err);
    else
        query->at_us = number(0);
    if (st == ST_OK)
        st = answer(&err);
    if (st != ST_OK) {
        buf_clear(&out);
        buf_add_z(&out, "{\"error\":");
        buf_add_json_str(&out, str_of(err.msg));
        buf_add_char(&out, '}');
    }
    buf_add_char(&out, '\n');
    fwrite(out.p, 1, out.len, stdout);
    arena_release(&arena);
    past_close(past);
}

int main(int argc, char **argv)
{
    static const struct str past = STR("past:");
    const char *past_dir = NULL;
    const struct sink_driver *driver;
    struct sink_url *url = mem_new(1, sizeof(*url));
    char *line = mem_new(1, MAX_LINE);
    struct err err = ERR_INIT;
    enum st st = ST_OK;

    arena_init(&arena, MAX_BYTES);
    if (argc != 2)
        return EXIT_FAILURE;
    if (str_starts(str_of(argv[1]), past)) {
        past_dir = argv[1] + past.len;
    } else {
        st = sink_url_parse(str_of(argv[1]), url, &err);
        if (st == ST_OK)
            st = sink_driver_find(str_of(url->scheme), &driver, &err);
        if (st == ST_OK)
            st = driver->open_query(url, &query, &err);
    }
    if (st != ST_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return EXIT_FAILURE;
    }
    while (fgets(line, MAX_LINE, stdin))
        take_line(line, past_dir);
    if (!past_dir)
        query->driver->close(query);
    buf_release(&out);
    mem_free(line);
    mem_free(url);
    return EXIT_SUCCESS;
}
