/* geckotape query: the latest rows of a store, all rows of a coin, its candles. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/clock.h"
#include "base/file.h"
#include "cmd/at_file.h"
#include "cmd/instant.h"
#include "cmd/past.h"
#include "cmd/print.h"
#include "load/sink.h"
#include "query/nearest.h"
#include "row/market.h"

#include <stdio.h>

#define MAX_ARENA (UINT64_C(512) * 1024 * 1024)

enum st cmd_open_store(const struct config *config, struct sink_url *url, struct query **ret_query,
                       struct err *err)
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

/* With what is nearest to it. */
static enum st reject_coin(struct query *query, struct str id, struct arena *arena, struct err *err)
{
    struct buf near = BUF_INIT(512);
    struct rows coins;

    enum st st = query->driver->coins(query, arena, &coins, err);
    struct nearest_name *names =
        st == ST_OK ? arena_alloc(arena, coins.n + 1, sizeof(*names)) : NULL;
    for (size_t i = 0; names && i < coins.n; i++)
        names[i] = (struct nearest_name){cell_text(&rows_at(&coins, i)[COIN_ID]),
                                         cell_text(&rows_at(&coins, i)[COIN_SYMBOL])};
    if (names)
        nearest_add(&near, id, names, coins.n);
    if (st == ST_OK)
        st = err_set(err, ST_REJECT, "%.*s: the store has no such coin%s%s%s", STR_ARG(id),
                     near.len > 0 ? ", did you mean " : "", buf_z(&near), near.len > 0 ? "?" : "");
    buf_release(&near);
    return st;
}

enum st cmd_check_coins(struct query *query, const struct str *ids, size_t n_ids, struct err *err)
{
    struct coin_info info;
    struct arena arena;
    bool is_known = true;
    enum st st = ST_OK;

    arena_init(&arena, MAX_ARENA);
    for (size_t i = 0; st == ST_OK && query->driver->info && i < n_ids; i++) {
        st = query->driver->info(query, ids[i], &arena, &info, &is_known, err);
        if (st == ST_OK && !is_known)
            st = reject_coin(query, ids[i], &arena, err);
    }
    arena_release(&arena);
    return st;
}

static enum st print(const struct config *config, const struct rows *rows,
                     const struct columns *columns, struct err *err)
{
    if (rows->n > 0 || config->output != OUTPUT_TABLE)
        return print_rows(rows, columns, config->output, err);
    fprintf(stderr, "geckotape: no %s for %s in the store\n",
            columns->table == &market_table ? "rows" : "candles", config->job.vs);
    return ST_OK;
}

static enum st print_latest(const struct config *config, struct query *query, const struct str *ids,
                            size_t n_ids, struct arena *arena, struct err *err)
{
    struct market_query args = {
        .vs_currency = str_of(config->job.vs),
        .ids = ids,
        .n_ids = n_ids,
        .order = ORDER_MARKET_CAP_DESC,
        .page = 1,
    };
    struct columns columns;
    struct rows rows;

    enum st st = columns_choose(config->columns, "--columns", &columns, err);
    if (st == ST_OK)
        st = query->driver->market(query, &args, arena, &rows, err);
    if (st != ST_OK)
        return st;
    if (config->job.top > 0 && rows.n > (size_t)config->job.top)
        rows.n = (size_t)config->job.top;
    return print(config, &rows, &columns, err);
}

/* ---- rows and candles of coins ---- */

/* Add rows of the same table. */
static enum st add_rows(struct rows *to, const struct rows *more, struct arena *arena,
                        struct err *err)
{
    const size_t n_columns = more->table->n_columns;
    struct cell *cells = arena_alloc(arena, to->n + more->n + 1, n_columns * sizeof(*cells));

    if (cells == NULL)
        return err_set(err, ST_REJECT, "that is more than %zu bytes; ask for less", arena->max);
    if (to->n > 0)
        memcpy(cells, to->cells, to->n * n_columns * sizeof(*cells));
    if (more->n > 0)
        memcpy(cells + to->n * n_columns, more->cells, more->n * n_columns * sizeof(*cells));
    *to = (struct rows){.table = more->table, .cells = cells, .n = to->n + more->n};
    return ST_OK;
}

static enum st print_past(const struct config *config, struct query *query, const struct str *ids,
                          size_t n_ids, struct arena *arena, struct err *err)
{
    struct rows rows = {.table = &market_table}, some;
    struct columns columns;
    struct span span;

    if (n_ids == 0)
        return err_set(err, ST_REJECT, "rows: of which coin? as in geckotape query rows bitcoin");
    if (query->driver->rows == NULL)
        return err_set(err, ST_REJECT, "rows: this store keeps no past; sqlite: and postgres: do");
    enum st st = columns_choose(config->columns, "--columns", &columns, err);
    if (st == ST_OK)
        st = span_choose(config, query, PAST_ROWS_US, &span, err);
    for (size_t i = 0; st == ST_OK && i < n_ids; i++) {
        const struct rows_query args = {ids[i], str_of(config->job.vs), span.from_us, span.until_us,
                                        0};
        st = query->driver->rows(query, &args, arena, &some, err);
        if (st == ST_OK)
            st = add_rows(&rows, &some, arena, err);
    }
    return st == ST_OK ? print(config, &rows, &columns, err) : st;
}

/* As many candles at a time as a chart may have. */
static enum st read_candles(const struct config *config, struct query *query, struct str id,
                            int64_t step_us, const struct span *span, struct rows *to,
                            struct arena *arena, struct err *err)
{
    struct rows some;
    enum st st = ST_OK;

    for (int64_t at_us = span->from_us; st == ST_OK && at_us < span->until_us;) {
        const int64_t end_us = at_us + (CHART_MAX - 1) * step_us;
        const struct chart_query args = {
            .id = id,
            .vs_currency = str_of(config->job.vs),
            .from_us = at_us,
            .to_us = end_us < span->until_us ? end_us : span->until_us,
            .step_us = step_us,
        };
        st = candles_read(query, &args, arena, &some, err);
        if (st == ST_OK)
            st = add_rows(to, &some, arena, err);
        at_us = end_us;
    }
    return st;
}

static enum st print_candles(const struct config *config, struct query *query,
                             const struct str *ids, size_t n_ids, struct arena *arena,
                             struct err *err)
{
    const int64_t step_us = config->job.every_us > 0 ? config->job.every_us : PAST_STEP_US;
    struct rows rows = {.table = &candle_table};
    struct columns columns;
    struct span span;

    if (n_ids == 0)
        return err_set(err, ST_REJECT,
                       "candles: of which coin? as in geckotape query candles bitcoin");
    if (query->driver->ohlc == NULL)
        return err_set(err, ST_REJECT,
                       "candles: this store keeps no past; sqlite: and postgres: do");
    if (config->columns[0])
        return err_set(err, ST_REJECT, "--columns: candles have all of theirs");
    columns_all(&candle_table, &columns);
    enum st st = span_choose(config, query, PAST_CANDLES * step_us, &span, err);
    span.from_us = time_floor(span.from_us, step_us); /* whole candles, but for the last */
    for (size_t i = 0; st == ST_OK && i < n_ids; i++)
        st = read_candles(config, query, ids[i], step_us, &span, &rows, arena, err);
    return st == ST_OK ? print(config, &rows, &columns, err) : st;
}

static enum st print_what(const struct config *config, struct query *query, const struct str *words,
                          size_t n_words, struct arena *arena, struct err *err)
{
    const bool has_candles = n_words > 0 && str_eq(words[0], STR("candles"));

    if (n_words > 0 && str_eq(words[0], STR("rows")))
        return print_past(config, query, words + 1, n_words - 1, arena, err);
    if (has_candles || config->job.every_us > 0)
        return print_candles(config, query, words + has_candles, n_words - has_candles, arena, err);
    if (config->since[0] || config->until[0])
        return err_set(err, ST_REJECT,
                       "--since, --until: go with rows, candles or --every; --at is the market of "
                       "a moment");
    return print_latest(config, query, words, n_words, arena, err);
}

static enum st choose_moment(const struct config *config, struct query *query, struct err *err)
{
    if (config->at[0] == '\0')
        return ST_OK;
    if (!query->driver->has_moments)
        return err_set(err, ST_REJECT, "--at: this store keeps no past; sqlite: and postgres: do");
    return instant_parse("--at", config->at, clock_wall_us(clock_system()), &query->at_us, err);
}

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    struct str ids[CMD_MAX_WORDS];
    struct query *query = NULL;
    struct sink_url url;
    struct arena arena;
    size_t n_missing = 0;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < n_words; i++)
        ids[i] = str_of(words[i]);
    enum st st = cmd_open_store(config, &url, &query, &err);
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_USAGE);
    arena_init(&arena, MAX_ARENA);
    if (config->output == OUTPUT_PARQUET) {
        st = err_set(&err, ST_REJECT, "--format: geckotape export writes parquet");
    } else if (config->at_file[0]) {
        st = n_words == 0 ? at_file_print(config, query, &n_missing, &err)
                          : err_set(&err, ST_REJECT, "--at-file: its lines name the coins");
    } else {
        const size_t is_what =
            n_words > 0 && (str_eq(ids[0], STR("rows")) || str_eq(ids[0], STR("candles")));
        st = cmd_check_coins(query, ids + is_what, n_words - is_what, &err);
        if (st == ST_OK)
            st = choose_moment(config, query, &err);
        if (st == ST_OK)
            st = print_what(config, query, ids, n_words, &arena, &err);
    }
    query->driver->close(query);
    arena_release(&arena);
    if (st == ST_OK)
        return n_missing == 0 ? EXIT_DONE : EXIT_FAILED;
    return cmd_fail(st, &err, st == ST_REJECT ? EXIT_USAGE : EXIT_FAILED);
}

const struct verb verb_query = {
    .name = "query",
    .bit = VERB_QUERY,
    .summary = "Print the rows of a store, of now or of any moment, or candles.",
    .form = "geckotape query [rows|candles] [COIN …] [options]",
    .max_words = CMD_MAX_WORDS,
    .examples =
        "  geckotape query --top 10\n"
        "      the ten largest coins, as last stored\n"
        "  geckotape query bitcoin ethereum --columns id,current_price,ath,ath_date\n"
        "      two coins, chosen columns\n"
        "  geckotape query --at -1d --top 10\n"
        "      the same, as it was known a day ago\n"
        "  geckotape query --columns all --format csv > market.csv\n"
        "      everything; csv, json and jsonl keep every digit\n"
        "  geckotape query bitcoin --every 1h --since 2026-11-01\n"
        "      its candles: open, high, low, close, and market cap and volume at the close\n"
        "  geckotape query rows bitcoin --since -2h --format csv\n"
        "      every row of it that was stored, from when its price changed to when it did again\n"
        "  geckotape query --at-file trades.csv > valued.csv\n"
        "      each line with the price that was known at its time; 1 when some have none\n",
    .run = run,
};
