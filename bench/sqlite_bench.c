/* How fast the sqlite: driver loads polls and makes stored ones anew, against a bare loop over one
 * prepared statement in the same run: the same table, the same rows, the same transactions.
 *
 *     sqlite_bench [POLLS]        of 250 coins each; 800 when left out
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "load/sink.h"
#include "transform/coins.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define COINS    250
#define VARIANTS 8 /* polls that differ in every row */
#define BATCH    20
#define ROUNDS   5 /* the best one counts: the others were disturbed */
#define T0       INT64_C(1795444200000000)

#define N_MARKET (N_MARKET_COLUMNS - MARKET_FETCHED_AT) /* columns that market has of a row */

/* A value as SQLite takes it: the bare loop converts nothing. */
struct value {
    enum { VALUE_NULL, VALUE_INT, VALUE_REAL, VALUE_TEXT } kind;
    int64_t integer;
    double real;
    struct str text;
};

static struct stream_id stream = {
    .job = "bench", .endpoint = "coins/markets", .vs_currency = "usd", .selection = "top=250"};
static struct poll_rows polls[VARIANTS];
static struct value values[VARIANTS][COINS][N_MARKET];
static struct arena arena;
static char dir[64];
static int n_polls = 800;
static bool has_unchanged; /* every other coin, but in the first poll of an hour */

static _Noreturn void die(const char *why)
{
    fprintf(stderr, "sqlite_bench: %s\n", why);
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
    if (cell_of_num(arena_str(&arena, (struct str){text, (size_t)n}), &cell) != DEC_OK)
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
        return cell_of_text(arena_str(&arena, (struct str){text, (size_t)n}));
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

static struct value value_of(const struct cell *c)
{
    struct value v = {.kind = VALUE_NULL};
    bool is_same;

    if (c->kind == CELL_INT || c->kind == CELL_TIME)
        v = (struct value){.kind = VALUE_INT, .integer = c->number};
    else if (c->kind == CELL_TEXT)
        v = (struct value){.kind = VALUE_TEXT, .text = cell_text(c)};
    else if (c->kind == CELL_NUM && dec_to_i64(cell_dec(c), &v.integer))
        v.kind = VALUE_INT;
    else if (c->kind == CELL_NUM)
        v = (struct value){.kind = VALUE_REAL,
                           .real = dec_to_double(cell_dec(c), cell_text(c), &is_same)};
    return v;
}

static void make_polls(void)
{
    for (int i = 0; i < VARIANTS; i++) {
        struct poll_rows *p = &polls[i];
        p->rows = (struct rows){.table = &market_table, .n = COINS};
        p->rows.cells = arena_alloc(&arena, COINS * N_MARKET_COLUMNS, sizeof(struct cell));
        p->is_unchanged = arena_zalloc(&arena, COINS, sizeof(bool));
        p->rows_in = COINS;
        p->coins = coins_new(&arena, COINS);
        for (int k = 0; k < COINS; k++)
            for (size_t c = 0; c < N_MARKET_COLUMNS; c++) {
                struct cell *cell = &rows_at(&p->rows, (size_t)k)[c];
                *cell = make_cell(c, k, i);
                if (c >= MARKET_FETCHED_AT)
                    values[i][k][c - MARKET_FETCHED_AT] = value_of(cell);
            }
        for (uint32_t k = 0; k < COINS; k++)
            coins_add(p->coins, cell_text(&rows_at(&p->rows, k)[MARKET_ID]), k);
    }
}

struct cost {
    double wall_s, cpu_s;
};

static double cpu_s(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
           (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static struct cost start(void)
{
    return (struct cost){.wall_s = (double)clock_mono_us(clock_system()) / 1e6, .cpu_s = cpu_s()};
}

static struct cost since(struct cost begin)
{
    struct cost now = start();
    return (struct cost){.wall_s = now.wall_s - begin.wall_s, .cpu_s = now.cpu_s - begin.cpu_s};
}

static void open_sink(struct sink *s, struct sink_url *url, const char *name)
{
    char text[128];
    struct err err = ERR_INIT;
    struct position at;

    snprintf(text, sizeof(text), "sqlite:%s/%s.db", dir, name);
    *s = (struct sink){.url = url, .clock = clock_system()};
    if (sink_url_parse(str_of(text), url, &err) != ST_OK ||
        sink_driver_find(STR("sqlite"), &s->driver, &err) != ST_OK)
        die(err.msg);
    s->state = mem_new(s->driver->state_size, 1);
    if (s->driver->open(s, &err) != ST_OK || s->driver->attach(s, &stream, &at, &err) != ST_OK)
        die(err.msg);
}

static void close_sink(struct sink *s)
{
    s->driver->close(s);
    mem_free(s->state);
}

static int64_t slot_of(int i)
{
    return T0 + i * 30 * US_PER_S;
}

static bool is_left_out(int i, int coin)
{
    return has_unchanged && coin % 2 == 1 &&
           time_floor(slot_of(i), 3600 * US_PER_S) == time_floor(slot_of(i - 1), 3600 * US_PER_S);
}

/* The i-th poll, as the load that follows `at`. */
static struct sink_load make_load(int i, struct tape_record *end, struct position at)
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
    for (int k = 0; k < COINS; k++)
        rows->is_unchanged[k] = is_left_out(i, k);
    return (struct sink_load){.stream = &stream,
                              .end = end,
                              .rows = rows,
                              .old = at,
                              .new = {.offset = end->offset, .hash = end->offset}};
}

/* Load all polls in transactions of `batch`. */
static struct cost load_by_driver(const char *name, int batch)
{
    struct sink sink;
    struct sink_url url;
    struct sink_result result;
    struct err err = ERR_INIT;
    struct position at = {0};
    struct tape_record end;

    open_sink(&sink, &url, name);
    struct cost begin = start();
    for (int i = 0; i < n_polls; i++) {
        struct sink_load load = make_load(i, &end, at);
        load.is_last = (i + 1) % batch == 0 || i + 1 == n_polls;
        if (sink.driver->load(&sink, &load, &result, &err) != ST_OK)
            die(err.msg);
        at = load.new;
    }
    struct cost cost = since(begin);
    close_sink(&sink);
    return cost;
}

/* Make all polls of a loaded store anew. */
static struct cost replay_by_driver(const char *name, int batch)
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

    open_sink(&sink, &url, name);
    const struct sink_replay_driver *driver = sink.driver->replay;
    struct cost begin = start();
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
        after = list[n - 1];
    }
    struct cost cost = since(begin);
    close_sink(&sink);
    return cost;
}

static void bind(sqlite3_stmt *stmt, int at, const struct value *v)
{
    if (v->kind == VALUE_INT)
        sqlite3_bind_int64(stmt, at, v->integer);
    else if (v->kind == VALUE_REAL)
        sqlite3_bind_double(stmt, at, v->real);
    else if (v->kind == VALUE_TEXT)
        sqlite3_bind_text(stmt, at, v->text.p, (int)v->text.len, SQLITE_STATIC);
    else
        sqlite3_bind_null(stmt, at);
}

static void run(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
}

static struct cost load_barely(const char *name, int batch)
{
    struct sink sink;
    struct sink_url url;
    sqlite3 *db;
    sqlite3_stmt *stmt;
    struct buf sql = BUF_INIT(1024);

    open_sink(&sink, &url, name); /* makes the very tables */
    close_sink(&sink);
    buf_add_z(&sql, "INSERT INTO market VALUES (?, 1, ?");
    for (int i = 0; i < N_MARKET; i++)
        buf_add_z(&sql, ", ?");
    buf_add_z(&sql, ")");
    if (sqlite3_open(url.rest, &db) != SQLITE_OK ||
        sqlite3_prepare_v2(db, buf_z(&sql), -1, &stmt, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    buf_release(&sql);
    run(db, "PRAGMA synchronous = FULL; PRAGMA cache_size = -512");
    struct cost begin = start();
    for (int i = 0; i < n_polls; i++) {
        if (i % batch == 0)
            run(db, "BEGIN IMMEDIATE");
        for (int k = 0; k < COINS; k++) {
            if (is_left_out(i, k))
                continue;
            sqlite3_bind_int64(stmt, 1, slot_of(i));
            sqlite3_bind_int64(stmt, 2, k + 1);
            for (int c = 0; c < N_MARKET; c++)
                bind(stmt, 3 + c, &values[i % VARIANTS][k][c]);
            if (sqlite3_step(stmt) != SQLITE_DONE)
                die(sqlite3_errmsg(db));
            sqlite3_reset(stmt);
        }
        if ((i + 1) % batch == 0 || i + 1 == n_polls)
            run(db, "COMMIT");
    }
    struct cost cost = since(begin);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return cost;
}

static void print_cost(const char *what, struct cost cost, struct cost bare)
{
    const double n_rows = (double)n_polls * COINS;

    printf("  %-11s %.0f rows/s  %.2f us CPU/row  ratio %.2f\n", what, n_rows / cost.wall_s,
           cost.cpu_s * 1e6 / n_rows, bare.wall_s / cost.wall_s);
}

static struct cost better(struct cost a, struct cost b)
{
    return a.wall_s < b.wall_s ? a : b;
}

static void compare(const char *what, int batch)
{
    struct cost driver = {1e9, 1e9}, replay = driver, bare = driver;
    char name[64], command[128];

    for (int round = 0; round < ROUNDS; round++) {
        snprintf(name, sizeof(name), "bare-%d-%d", batch, round);
        bare = better(load_barely(name, batch), bare);
        snprintf(name, sizeof(name), "driver-%d-%d", batch, round);
        driver = better(load_by_driver(name, batch), driver);
        replay = better(replay_by_driver(name, batch), replay);
        snprintf(command, sizeof(command), "rm -f %s/*", dir);
        if (system(command) != 0)
            die("cannot clean up");
    }
    printf("%s\n", what);
    print_cost("bare loop", bare, bare);
    print_cost("sqlite:", driver, bare);
    print_cost("replay", replay, bare);
}

int main(int argc, char **argv)
{
    int64_t n;

    if (argc > 1 && str_to_i64(str_of(argv[1]), 1, 100000, &n))
        n_polls = (int)n;
    arena_init(&arena, (size_t)256 << 20);
    snprintf(dir, sizeof(dir), "/tmp/sqlite_bench-XXXXXX");
    if (mkdtemp(dir) == NULL)
        die("cannot make a directory in /tmp");
    make_polls();
    compare("catching up, 20 polls of 250 coins a transaction", BATCH);
    compare("live, one poll a transaction", 1);
    has_unchanged = true;
    compare("20 polls of 250 coins a transaction, half of the rows unchanged", BATCH);
    rmdir(dir);
    arena_release(&arena);
    return EXIT_SUCCESS;
}
