/* SPDX-License-Identifier: Apache-2.0 */
#include "polls.h"

#include "base/mem.h"
#include "transform/coins.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define T0 INT64_C(1795444200000000)

const char *bench_name;
struct arena bench_arena;
int n_polls = 800;
bool has_unchanged;
double (*bench_server_cpu_s)(void);

static struct stream_id stream = {
    .job = "bench", .endpoint = "coins/markets", .vs_currency = "usd", .selection = "top=250"};
static struct poll_rows polls[VARIANTS];

_Noreturn void die(const char *why)
{
    fprintf(stderr, "%s: %s\n", bench_name, why);
    exit(EXIT_FAILURE);
}

/* Lexemes of the widths that CoinGecko sends. */
static struct cell make_number(size_t column, int coin, int variant)
{
    char text[64];
    struct cell cell;
    long seed = (long)column * 7919 + coin * 104729 + variant * 1299709;
    int n;

    if (column % 4 == 0)
        n = snprintf(text, sizeof(text), "%ld", 1000000 + seed * 977 % 900000000000);
    else if (column % 4 == 1)
        n = snprintf(text, sizeof(text), "%ld.%05ld", seed % 97, seed % 99991);
    else if (column % 4 == 2)
        n = snprintf(text, sizeof(text), "%ld.0", 1000000 + seed * 31 % 100000000);
    else
        n = snprintf(text, sizeof(text), "0.%012ld", seed * 65537 % 999999999989);
    if (cell_of_num(arena_str(&bench_arena, (struct str){text, (size_t)n}), &cell) != DEC_OK)
        die("a number of ours is none");
    return cell;
}

static struct cell make_cell(size_t column, int coin, int variant)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%s-%d", market_table.columns[column].name, coin);

    if (column == MARKET_RANK_WITH_REHYPOTHECATED || column == MARKET_ROI_TIMES ||
        column == MARKET_ROI_CURRENCY || column == MARKET_ROI_PERCENTAGE ||
        column >= MARKET_SPARKLINE_IN_7D)
        return CELL_NONE;
    switch (market_table.columns[column].kind) {
    case CELL_TEXT:
        return cell_of_text(arena_str(&bench_arena, (struct str){text, (size_t)n}));
    case CELL_INT:
        return cell_of_int(coin + 1);
    case CELL_TIME:
        return cell_of_time(T0 + variant * US_PER_S);
    case CELL_NUM:
        return make_number(column, coin, variant);
    case CELL_NULL:
        break;
    }
    return CELL_NONE;
}

static void make_poll(struct poll_rows *p, int variant)
{
    p->rows = (struct rows){.table = &market_table, .n = COINS};
    p->rows.cells = arena_alloc(&bench_arena, COINS * N_MARKET_COLUMNS, sizeof(struct cell));
    p->is_unchanged = arena_zalloc(&bench_arena, COINS, sizeof(bool));
    p->rows_in = COINS;
    p->coins = coins_new(&bench_arena, COINS);
    for (uint32_t k = 0; k < COINS; k++) {
        struct cell *row = rows_at(&p->rows, k);
        for (size_t c = 0; c < N_MARKET_COLUMNS; c++)
            row[c] = make_cell(c, (int)k, variant);
        coins_add(p->coins, cell_text(&row[MARKET_ID]), k);
    }
}

void polls_make(int argc, char **argv)
{
    int64_t n;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && str_to_i64(str_of(argv[1]), 1, 100000, &n))
        n_polls = (int)n;
    arena_init(&bench_arena, (size_t)256 << 20);
    for (int i = 0; i < VARIANTS; i++)
        make_poll(&polls[i], i);
}

int64_t slot_of(int i)
{
    return T0 + i * 30 * US_PER_S;
}

bool is_left_out(int i, int coin)
{
    return has_unchanged && coin % 2 == 1 &&
           time_floor(slot_of(i), 3600 * US_PER_S) == time_floor(slot_of(i - 1), 3600 * US_PER_S);
}

const struct cell *row_of(int i, int coin)
{
    return rows_at(&polls[i % VARIANTS].rows, (size_t)coin);
}

struct sink_load make_load(int i, struct tape_record *end, struct position at)
{
    struct poll_rows *rows = &polls[i % VARIANTS];

    *end = (struct tape_record){.type = TAPE_END,
                                .offset = at.offset + 2,
                                .first_offset = at.offset + 1,
                                .stream = &stream,
                                .slot_us = slot_of(i),
                                .fetched_at_us = slot_of(i) + US_PER_S,
                                .outcome = POLL_OK};
    rows->slot_us = end->slot_us;
    rows->end_offset = end->offset;
    rows->absent_since = rows->unchanged_since = at.offset;
    for (int k = 0; k < COINS; k++) {
        rows->is_unchanged[k] = is_left_out(i, k);
        rows_at(&rows->rows, (size_t)k)[MARKET_FETCHED_AT] = cell_of_time(end->fetched_at_us);
    }
    return (struct sink_load){.stream = &stream,
                              .end = end,
                              .rows = rows,
                              .old = at,
                              .new = {.offset = end->offset, .hash = end->offset}};
}

static double cpu_s(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static double *laps_s; /* n_laps of them, and when the one at hand began */
static size_t n_laps;
static double lap_began_s;

static double now_s(void)
{
    return (double)clock_mono_us(clock_system()) / 1e6;
}

struct cost cost_start(void)
{
    n_laps = 0;
    lap_began_s = now_s();
    return (struct cost){.wall_s = lap_began_s,
                         .cpu_s = cpu_s(),
                         .server_s = bench_server_cpu_s ? bench_server_cpu_s() : 0};
}

void cost_lap(void)
{
    double now = now_s();

    laps_s = mem_grow(laps_s, n_laps + 1, sizeof(*laps_s));
    laps_s[n_laps++] = now - lap_began_s;
    lap_began_s = now;
}

static int compare_seconds(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

struct cost cost_since(struct cost begin)
{
    struct cost cost = {.wall_s = now_s() - begin.wall_s, .cpu_s = cpu_s() - begin.cpu_s};

    if (bench_server_cpu_s)
        cost.server_s = bench_server_cpu_s() - begin.server_s;
    if (n_laps > 0) {
        qsort(laps_s, n_laps, sizeof(*laps_s), compare_seconds);
        cost.median_s = laps_s[n_laps / 2];
    }
    return cost;
}

struct cost cost_better(struct cost a, struct cost b)
{
    return a.wall_s < b.wall_s ? a : b;
}

void cost_print(const char *what, struct cost cost, struct cost bare)
{
    const double n_rows = (double)n_polls * COINS;

    printf("  %-22s %7.0f rows/s  %5.2f ms a transaction  %.2f us CPU/row", what,
           n_rows / cost.wall_s, cost.median_s * 1e3, cost.cpu_s * 1e6 / n_rows);
    if (bench_server_cpu_s)
        printf(" + %.2f there", cost.server_s * 1e6 / n_rows);
    printf("  ratio %.2f", bare.wall_s / cost.wall_s);
    if (bench_server_cpu_s)
        printf(", of CPU there %.2f", bare.server_s / cost.server_s);
    printf("\n");
}

void open_sink(struct sink *s, struct sink_url *url, const char *text)
{
    struct err err = ERR_INIT;
    struct position at;

    *s = (struct sink){.url = url, .clock = clock_system()};
    if (sink_url_parse(str_of(text), url, &err) != ST_OK ||
        sink_driver_find(str_of(url->scheme), &s->driver, &err) != ST_OK)
        die(err.msg);
    s->state = mem_new(s->driver->state_size, 1);
    if (s->driver->open(s, &err) != ST_OK || s->driver->attach(s, &stream, &at, &err) != ST_OK)
        die(err.msg);
}

void close_sink(struct sink *s)
{
    s->driver->close(s);
    mem_free(s->state);
}

struct cost load_by_driver(const char *text, int batch)
{
    struct sink sink;
    struct sink_url url;
    struct sink_result result;
    struct err err = ERR_INIT;
    struct position at = {0};
    struct tape_record end;

    open_sink(&sink, &url, text);
    struct cost begin = cost_start();
    for (int i = 0; i < n_polls; i++) {
        struct sink_load load = make_load(i, &end, at);
        load.is_last = (i + 1) % batch == 0 || i + 1 == n_polls;
        if (sink.driver->load(&sink, &load, &result, &err) != ST_OK)
            die(err.msg);
        if (load.is_last)
            cost_lap();
        at = load.new;
    }
    struct cost cost = cost_since(begin);
    close_sink(&sink);
    return cost;
}

struct cost replay_by_driver(const char *text, int batch)
{
    const struct sink_replay what = {
        .stream = &stream, .until_us = INT64_MAX, .below = INT64_MAX, .is_forced = true};
    struct sink_stored after = {0}, list[BATCH];
    struct sink sink;
    struct sink_url url;
    struct sink_result result;
    struct err err = ERR_INIT;
    struct tape_record end;
    size_t n;

    open_sink(&sink, &url, text);
    const struct sink_replay_driver *driver = sink.driver->replay;
    struct cost begin = cost_start();
    for (;;) {
        if (driver->list(&sink, &what, &after, list, (size_t)batch, &n, &err) != ST_OK)
            die(err.msg);
        if (n == 0)
            break;
        if (driver->begin(&sink, &what, list, n, &err) != ST_OK)
            die(err.msg);
        for (size_t k = 0; k < n; k++) {
            int i = (int)((list[k].slot_us - T0) / (30 * US_PER_S));
            struct position at = {.offset = list[k].end_offset - 2};
            struct sink_load load = make_load(i, &end, at);
            load.is_last = k + 1 == n;
            if (driver->replace(&sink, &load, &result, &err) != ST_OK)
                die(err.msg);
        }
        cost_lap();
        after = list[n - 1];
    }
    struct cost cost = cost_since(begin);
    close_sink(&sink);
    return cost;
}
