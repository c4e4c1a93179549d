/* geckotape export: panels of a store, the market at moments a step apart; rows and candles. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cmd/exporter.h"
#include "cmd/instant.h"
#include "cmd/progress.h"
#include "load/sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_ARENA       (UINT64_C(512) * 1024 * 1024)
#define DEFAULT_MOMENTS 100
#define MAX_TOP         99999

enum { PANEL_TIME, PANEL_ID, N_PANEL_KEYS };

struct panel {
    const struct config *config;
    struct query *query;
    struct exporter *exporter;
    const struct str *ids; /* n_ids 0: the universe */
    size_t n_ids;
    int64_t top;                       /* 0: all */
    int64_t step_us, from_us, last_us; /* moments, the last one too */
    struct columns market;             /* what is wanted of market_table */
    struct column columns[N_PANEL_KEYS + N_MARKET_COLUMNS];
    struct table table;
    struct columns shown;
};

static enum st choose_columns(struct panel *p, struct err *err)
{
    struct columns *m = &p->market, chosen;

    enum st st = columns_choose(p->config->panel, "--panel", &chosen, err);
    if (st != ST_OK)
        return st;
    m->n = 0;
    for (size_t i = 0; i < chosen.n; i++)
        if (chosen.index[i] != MARKET_ID) /* each line has it already */
            m->index[m->n++] = chosen.index[i];
    p->columns[PANEL_TIME] = (struct column){.name = "time", .kind = CELL_TIME};
    p->columns[PANEL_ID] = (struct column){.name = "id", .kind = CELL_TEXT};
    for (size_t i = 0; i < m->n; i++)
        p->columns[N_PANEL_KEYS + i] = market_table.columns[m->index[i]];
    p->table =
        (struct table){.name = "panel", .columns = p->columns, .n_columns = N_PANEL_KEYS + m->n};
    columns_all(&p->table, &p->shown);
    return ST_OK;
}

static enum st choose_universe(struct panel *p, struct err *err)
{
    const char *text = p->config->universe;
    const bool has_ranks = str_starts(str_of(text), STR("top"));

    if (p->n_ids > 0 && strcmp(text, "all") != 0)
        return err_set(err, ST_REJECT, "--universe: the coins are named already");
    if (strcmp(text, "all") == 0)
        return ST_OK;
    if (!has_ranks || !str_to_i64(str_of(text + strlen("top")), 1, MAX_TOP, &p->top))
        return err_set(err, ST_REJECT, "--universe %s: not all, nor a number of ranks like top100",
                       text);
    return ST_OK;
}

/* Moments are points of the grid of UTC; what is to come nobody knows. */
static enum st choose_moments(struct panel *p, struct err *err)
{
    const int64_t now_us = clock_wall_us(clock_system());
    int64_t until_us = now_us, since_us;
    enum st st = ST_OK;

    p->step_us = p->config->job.every_us > 0 ? p->config->job.every_us : PAST_STEP_US;
    if (p->config->until[0])
        st = instant_parse("--until", p->config->until, now_us, &until_us, err);
    until_us = until_us < now_us ? until_us : now_us;
    since_us = until_us - DEFAULT_MOMENTS * p->step_us;
    if (st == ST_OK && p->config->since[0])
        st = instant_parse("--since", p->config->since, now_us, &since_us, err);
    if (st != ST_OK)
        return st;
    since_us = since_us > 0 ? since_us : 0;
    p->from_us = time_floor(since_us + p->step_us - 1, p->step_us);
    p->last_us = time_floor(until_us - 1, p->step_us);
    if (p->from_us > p->last_us)
        return err_set(err, ST_REJECT, "--since, --until: no moment of the grid lies between them");
    return ST_OK;
}

static enum st read_options(struct panel *p, struct err *err)
{
    enum st st = choose_columns(p, err);
    if (st == ST_OK && p->config->columns[0])
        st = err_set(err, ST_REJECT, "--columns: a panel has those of --panel");
    if (st == ST_OK)
        st = choose_universe(p, err);
    return st == ST_OK ? choose_moments(p, err) : st;
}

static bool is_in_universe(const struct panel *p, const struct cell *row)
{
    const struct cell *rank = &row[MARKET_MARKET_CAP_RANK];

    return p->top == 0 || (rank->kind == CELL_INT && rank->number <= p->top);
}

static enum st put_moment(struct panel *p, int64_t at_us, struct arena *arena, struct err *err)
{
    const struct market_query args = {
        .vs_currency = str_of(p->config->job.vs),
        .ids = p->ids,
        .n_ids = p->n_ids,
        .order = ORDER_MARKET_CAP_DESC,
        .page = 1,
        .at_us = at_us,
        .max_stale_us = p->config->max_stale_us,
    };
    struct rows rows, shown = {.table = &p->table};

    enum st st = p->query->driver->market(p->query, &args, arena, &rows, err);
    if (st != ST_OK)
        return st;
    shown.cells = arena_alloc(arena, rows.n + 1, p->table.n_columns * sizeof(*shown.cells));
    if (shown.cells == NULL)
        return err_set(err, ST_REJECT, "a moment has more than %zu bytes", arena->max);
    for (size_t i = 0; i < rows.n; i++) {
        const struct cell *from = rows_at(&rows, i);
        if (!is_in_universe(p, from))
            continue;
        struct cell *to = rows_at(&shown, shown.n++);
        to[PANEL_TIME] = cell_of_time(at_us);
        to[PANEL_ID] = from[MARKET_ID];
        for (size_t k = 0; k < p->market.n; k++)
            to[N_PANEL_KEYS + k] = from[p->market.index[k]];
    }
    return exporter_add(p->exporter, &shown, err);
}

static enum st put_panel(struct panel *p, struct err *err)
{
    static const size_t sort[] = {PANEL_TIME};
    const uint64_t n_moments = (uint64_t)((p->last_us - p->from_us) / p->step_us) + 1;
    const struct export_what what = {"panel", {p->from_us, p->last_us + 1}, p->step_us};
    const bool is_shown = isatty(STDERR_FILENO) != 0 && isatty(STDOUT_FILENO) == 0;
    struct progress progress;
    struct arena arena;

    enum st st = exporter_begin(p->exporter, &p->shown, sort, 1, err);
    progress_begin(&progress, "export", "moments");
    for (uint64_t i = 0; st == ST_OK && i < n_moments; i++) {
        arena_init(&arena, MAX_ARENA);
        st = put_moment(p, p->from_us + (int64_t)i * p->step_us, &arena, err);
        arena_release(&arena);
        if (is_shown)
            progress_show(&progress, i + 1, n_moments, p->exporter->n_rows);
    }
    progress_end(&progress);
    if (st == ST_OK)
        st = exporter_finish(p->exporter, p->query, &what, err);
    if (st == ST_OK && p->exporter->n_rows == 0)
        fprintf(stderr, "geckotape: nothing was known for %s at these %" PRIu64 " moments\n",
                p->config->job.vs, n_moments);
    return st;
}

static enum st export_panel(struct exporter *e, struct query *query, const struct str *ids,
                            size_t n_ids, struct err *err)
{
    struct panel *panel = mem_new(1, sizeof(*panel));

    *panel = (struct panel){
        .config = e->config, .query = query, .exporter = e, .ids = ids, .n_ids = n_ids};
    enum st st = read_options(panel, err);
    if (st == ST_OK)
        st = put_panel(panel, err);
    mem_free(panel);
    return st;
}

/* ---- the verb ---- */

/* What only panels have. */
static enum st check_panel_options(const struct config *config, const char *what, struct err *err)
{
    if (strcmp(config->universe, "all") != 0)
        return err_set(err, ST_REJECT, "--universe: %s are of coins that are named, or of all",
                       what);
    if (config->max_stale_us != 0)
        return err_set(err, ST_REJECT, "--max-stale: a panel has it; %s are all there are", what);
    return ST_OK;
}

static enum st export_what(struct exporter *e, struct query *query, struct str what,
                           const struct str *ids, size_t n_ids, struct err *err)
{
    const bool is_rows = str_eq(what, STR("rows")), is_candles = str_eq(what, STR("candles"));

    if (!query->driver->has_moments)
        return err_set(err, ST_REJECT, "this store keeps no past; sqlite: and postgres: do");
    enum st st = exporter_init(e, e->config, err);
    if (st == ST_OK && (is_rows || is_candles))
        st = check_panel_options(e->config, is_rows ? "rows" : "candles", err);
    if (st == ST_OK)
        st = cmd_check_coins(query, ids, n_ids, err);
    if (st != ST_OK)
        return st;
    if (is_rows)
        return export_rows(e, query, ids, n_ids, err);
    return is_candles ? export_candles(e, query, ids, n_ids, err)
                      : export_panel(e, query, ids, n_ids, err);
}

/* The words behind what is to be exported, and those of --ids. */
static size_t choose_coins(const struct config *config, const char *const *words, size_t n_words,
                           struct str *ret_what, struct str **ret_ids)
{
    static const struct str kinds[] = {{"panel", 5}, {"rows", 4}, {"candles", 7}};
    const struct opt_list *more = &config->job.ids;
    size_t n = 0, first = 0;

    *ret_what = kinds[0];
    for (size_t i = 0; n_words > 0 && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (str_eq(str_of(words[0]), kinds[i])) {
            *ret_what = kinds[i];
            first = 1;
        }
    *ret_ids = mem_new(n_words + more->n + 1, sizeof(**ret_ids));
    for (size_t i = first; i < n_words; i++)
        (*ret_ids)[n++] = str_of(words[i]);
    for (size_t i = 0; i < more->n; i++)
        (*ret_ids)[n++] = str_of(more->items[i]);
    return n;
}

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    struct exporter exporter = {.config = config, .output = OUTPUT_NONE, .text = BUF_INIT(0)};
    struct query *query;
    struct sink_url url;
    struct str what, *ids;
    struct err err = ERR_INIT;

    enum st st = cmd_open_store(config, &url, &query, &err);
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_USAGE);
    const size_t n_ids = choose_coins(config, words, n_words, &what, &ids);
    st = export_what(&exporter, query, what, ids, n_ids, &err);
    exporter_release(&exporter);
    query->driver->close(query);
    mem_free(ids);
    if (st == ST_OK)
        return EXIT_DONE;
    return cmd_fail(st, &err, st == ST_REJECT ? EXIT_USAGE : EXIT_FAILED);
}

const struct verb verb_export = {
    .name = "export",
    .bit = VERB_EXPORT,
    .summary =
        "Write a panel of a store (the market as it was known at moments a step apart), rows or "
        "candles, as CSV, lines of JSON or Parquet.",
    .form = "geckotape export [panel|rows|candles] [COIN …] [options]",
    .max_words = CMD_MAX_WORDS,
    .examples =
        "  geckotape export --every 1h --universe top100 --max-stale 10m --since -30d > panel.csv\n"
        "      what was known at each hour, of the coins that were the first hundred then\n"
        "  geckotape export bitcoin ethereum --panel current_price,market_cap --every 1d --since "
        "2026-01-01\n"
        "      two coins by day; a moment without a poll in --max-stale has no line\n"
        "  geckotape export --panel current_price,fetched_at --format jsonl\n"
        "      lines of JSON, with when each price was told\n"
        "  geckotape export rows --since 2026-01-01 --output rows.parquet\n"
        "      every row of every coin, coin by coin, for DuckDB, pandas, polars, Spark\n"
        "  geckotape export candles bitcoin ethereum --every 1h --since -365d --output "
        "year.csv.gz\n"
        "      candles of two coins, packed\n",
    .run = run,
};
