/* Every row of coins in a span of time, or candles of it, a part of the span at a time, so that
 * memory does not grow with it. Coins that are named come one after the other. Of all coins, rows
 * come part by part, in each coin by coin: stores have them by time, and would be read whole for
 * every coin. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/exporter.h"
#include "cmd/progress.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_COINS_ARENA ((size_t)512 * 1024 * 1024)
#define MAX_ARENA       ((size_t)192 * 1024 * 1024) /* of the least part, or of candles */
#define PART_BYTES      ((size_t)48 * 1024 * 1024) /* of others: beyond, it is read by smaller ones */
#define FIRST_PART_US   (3600 * US_PER_S)
#define LEAST_PART_US   (10 * US_PER_S)
#define PART_ROWS       20000 /* about: memory is that of a part, and of the file's row group */

struct past {
    struct exporter *e;
    struct query *query;
    struct span span;
    int64_t part_us; /* of the span, at a time */
    int64_t step_us;
    struct arena arena;
};

/* ---- coins ---- */

static int by_bytes(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* Sorted, each once. */
static size_t arrange(struct str *ids, size_t n)
{
    size_t n_kept = 0;

    if (n > 0)
        qsort(ids, n, sizeof(*ids), by_bytes);
    for (size_t i = 0; i < n; i++)
        if (n_kept == 0 || !str_eq(ids[n_kept - 1], ids[i]))
            ids[n_kept++] = ids[i];
    return n_kept;
}

static enum st no_room(const struct arena *arena, struct err *err)
{
    return err_set(err, ST_REJECT, "the names of coins have more than %zu bytes; name some",
                   arena->max);
}

static enum st add_members(const struct past *p, struct str job, struct arena *arena,
                           struct str **ids, size_t *n, struct err *err)
{
    const int64_t now_us = clock_wall_us(clock_system());
    const struct gap_query args = {.job = job, .since_us = now_us, .now_us = now_us};
    struct rows members;

    enum st st = p->query->driver->members(p->query, &args, arena, &members, err);
    if (st != ST_OK)
        return st;
    struct str *all = arena_alloc(arena, *n + members.n + 1, sizeof(*all));
    if (all == NULL)
        return no_room(arena, err);
    if (*n > 0)
        memcpy(all, *ids, *n * sizeof(*all));
    for (size_t i = 0; i < members.n; i++)
        all[*n + i] = cell_text(&rows_at(&members, i)[MEMBER_COIN]);
    *n = arrange(all, *n + members.n);
    *ids = all;
    return ST_OK;
}

/* Every coin that a job of the currency has had. */
static enum st find_coins(const struct past *p, struct arena *arena, struct str **ret_ids,
                          size_t *ret_n, struct err *err)
{
    struct rows jobs;

    *ret_n = 0;
    enum st st = p->query->driver->jobs(p->query, arena, &jobs, err);
    for (size_t i = 0; st == ST_OK && i < jobs.n; i++) {
        const struct cell *job = rows_at(&jobs, i);
        if (str_eq(cell_text(&job[KNOWN_JOB_ENDPOINT]), STR("coins/markets")) &&
            str_eq(cell_text(&job[KNOWN_JOB_VS_CURRENCY]), str_of(p->e->config->job.vs)))
            st = add_members(p, cell_text(&job[KNOWN_JOB_NAME]), arena, ret_ids, ret_n, err);
    }
    return st;
}

static enum st choose_coins(const struct past *p, const struct str *ids, size_t n_ids,
                            struct arena *arena, struct str **ret_ids, size_t *ret_n,
                            struct err *err)
{
    if (n_ids == 0)
        return find_coins(p, arena, ret_ids, ret_n, err);
    *ret_ids = arena_alloc(arena, n_ids, sizeof(**ret_ids));
    if (*ret_ids == NULL)
        return no_room(arena, err);
    memcpy(*ret_ids, ids, n_ids * sizeof(*ids));
    *ret_n = arrange(*ret_ids, n_ids);
    return ST_OK;
}

/* ---- what is read of a coin ---- */

/* Parts have about as many rows, and are at most four times as long as the one before. */
static void choose_part(struct past *p, size_t n_rows)
{
    const int64_t span_us = p->span.until_us - p->span.from_us;
    int64_t part_us = p->part_us * 4;

    if (n_rows > PART_ROWS / 4)
        part_us = (int64_t)((double)p->part_us * PART_ROWS / (double)n_rows);
    part_us = part_us < span_us ? part_us : span_us;
    p->part_us = part_us > LEAST_PART_US ? part_us : LEAST_PART_US;
}

/* id empty: of all coins. */
static enum st put_rows(struct past *p, struct str id, struct progress *progress, struct err *err)
{
    enum st st = ST_OK;

    for (int64_t at_us = p->span.from_us; st == ST_OK && at_us < p->span.until_us;) {
        const int64_t left_us = p->span.until_us - at_us;
        const int64_t end_us = at_us + (p->part_us < left_us ? p->part_us : left_us);
        const struct rows_query args = {id, str_of(p->e->config->job.vs), at_us, end_us,
                                        PART_ROWS + PART_ROWS / 4};
        struct err why = ERR_INIT;
        struct rows rows;
        arena_init(&p->arena, p->part_us > LEAST_PART_US ? PART_BYTES : MAX_ARENA);
        st = p->query->driver->rows(p->query, &args, &p->arena, &rows, &why);
        if (st != ST_OK && p->arena.is_full && p->part_us > LEAST_PART_US) {
            arena_release(&p->arena);
            p->part_us = p->part_us / 4 > LEAST_PART_US ? p->part_us / 4 : LEAST_PART_US;
            st = ST_OK;
            continue;
        }
        if (st == ST_OK)
            st = exporter_add(p->e, &rows, &why);
        if (st == ST_OK && id.len == 0)
            st = exporter_cut(p->e, &why);
        arena_release(&p->arena);
        if (st != ST_OK) {
            *err = why;
            return st;
        }
        if (progress)
            progress_show(progress, (uint64_t)((end_us - p->span.from_us) / (60 * US_PER_S)),
                          (uint64_t)((p->span.until_us - p->span.from_us) / (60 * US_PER_S)),
                          p->e->n_rows);
        at_us = end_us;
        choose_part(p, rows.n);
    }
    return st;
}

static enum st put_candles(struct past *p, struct str id, struct err *err)
{
    const int64_t part_us = (CHART_MAX - 1) * p->step_us;
    enum st st = ST_OK;

    for (int64_t at_us = p->span.from_us; st == ST_OK && at_us < p->span.until_us;
         at_us += part_us) {
        const int64_t left_us = p->span.until_us - at_us;
        const struct chart_query args = {
            .id = id,
            .vs_currency = str_of(p->e->config->job.vs),
            .from_us = at_us,
            .to_us = at_us + (part_us < left_us ? part_us : left_us),
            .step_us = p->step_us,
        };
        struct rows rows;
        arena_init(&p->arena, MAX_ARENA);
        st = candles_read(p->query, &args, &p->arena, &rows, err);
        if (st == ST_OK)
            st = exporter_add(p->e, &rows, err);
        arena_release(&p->arena);
    }
    return st;
}

/* ---- all of them ---- */

static enum st put_coins(struct past *p, const struct str *ids, size_t n_ids, struct err *err)
{
    const bool is_shown = isatty(STDERR_FILENO) != 0 && isatty(STDOUT_FILENO) == 0;
    struct progress progress;
    enum st st = ST_OK;

    if (p->step_us == 0 && n_ids == 0) {
        progress_begin(&progress, "export", "minutes");
        st = put_rows(p, STR_NONE, is_shown ? &progress : NULL, err);
        progress_end(&progress);
        return st;
    }
    progress_begin(&progress, "export", "coins");
    for (size_t i = 0; st == ST_OK && i < n_ids; i++) {
        st = p->step_us > 0 ? put_candles(p, ids[i], err) : put_rows(p, ids[i], NULL, err);
        if (is_shown)
            progress_show(&progress, i + 1, n_ids, p->e->n_rows);
    }
    progress_end(&progress);
    return st;
}

/* Where a column is among those shown; n: nowhere. */
static size_t place_of(const struct columns *shown, size_t column)
{
    size_t i = 0;

    while (i < shown->n && shown->index[i] != column)
        i++;
    return i;
}

/* What comes is in the order of coins, then of time. */
static enum st export_past(struct past *p, const struct columns *shown, size_t id, size_t time,
                           const struct str *words, size_t n_words, struct err *err)
{
    const size_t sort[] = {place_of(shown, id), place_of(shown, time)};
    const size_t n_sort = sort[0] == shown->n ? 0 : sort[1] == shown->n ? 1 : 2;
    const struct export_what what = {p->step_us > 0 ? "candles" : "rows", p->span, p->step_us};
    struct arena coins;
    struct str *ids = NULL;
    size_t n_ids = 0;

    arena_init(&coins, MAX_COINS_ARENA);
    enum st st = ST_OK;
    if (p->step_us > 0 || n_words > 0)
        st = choose_coins(p, words, n_words, &coins, &ids, &n_ids, err);
    if (st == ST_OK)
        st = exporter_begin(p->e, shown, sort, n_sort, err);
    if (st == ST_OK)
        st = put_coins(p, ids, n_ids, err);
    if (st == ST_OK)
        st = exporter_finish(p->e, p->query, &what, err);
    if (st == ST_OK && p->e->n_rows == 0)
        fprintf(stderr, "geckotape: no %s for %s in this span\n", what.name, p->e->config->job.vs);
    arena_release(&coins);
    return st;
}

enum st export_rows(struct exporter *e, struct query *query, const struct str *ids, size_t n_ids,
                    struct err *err)
{
    struct past p = {.e = e, .query = query, .part_us = FIRST_PART_US};
    struct columns shown;

    enum st st = columns_choose(e->config->columns[0] ? e->config->columns : "all", "--columns",
                                &shown, err);
    if (st == ST_OK && e->config->job.every_us > 0)
        st = err_set(err, ST_REJECT, "--every: rows come as they were polled; candles have a step");
    if (st == ST_OK)
        st = span_choose(e->config, query, PAST_ROWS_US, &p.span, err);
    if (st != ST_OK)
        return st;
    return export_past(&p, &shown, MARKET_ID, MARKET_FETCHED_AT, ids, n_ids, err);
}

enum st export_candles(struct exporter *e, struct query *query, const struct str *ids, size_t n_ids,
                       struct err *err)
{
    struct past p = {.e = e, .query = query};
    struct columns shown;
    enum st st = ST_OK;

    columns_all(&candle_table, &shown);
    p.step_us = e->config->job.every_us > 0 ? e->config->job.every_us : PAST_STEP_US;
    if (e->config->columns[0])
        st = err_set(err, ST_REJECT, "--columns: candles have all of theirs");
    if (st == ST_OK)
        st = span_choose(e->config, query, PAST_CANDLES * p.step_us, &p.span, err);
    if (st != ST_OK)
        return st;
    p.span.from_us = time_floor(p.span.from_us, p.step_us); /* whole candles, but for the last */
    return export_past(&p, &shown, CANDLE_ID, CANDLE_START, ids, n_ids, err);
}
