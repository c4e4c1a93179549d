/* How fast the sqlite: driver loads polls and makes stored ones anew, against a bare loop over one
 * prepared statement in the same run: the same table, the same rows, the same transactions. And
 * how fast it makes all candles of rows that are there, against SQLite's own GROUP BY over them.
 *
 *     sqlite_bench [POLLS]        of 250 coins each; 800 when left out
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "polls.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 5 /* the best one counts: the others were disturbed */

/* A value as SQLite takes it: the bare loop converts nothing. */
struct value {
    enum { VALUE_NULL, VALUE_INT, VALUE_REAL, VALUE_TEXT } kind;
    int64_t integer;
    double real;
    struct str text;
};

static struct value values[VARIANTS][COINS][N_MARKET];
static char dir[64];

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

static void make_values(void)
{
    for (int i = 0; i < VARIANTS; i++)
        for (int k = 0; k < COINS; k++)
            for (size_t c = 0; c < N_MARKET; c++)
                values[i][k][c] = value_of(&row_of(i, k)[MARKET_FETCHED_AT + c]);
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

static struct cost load_barely(const char *text, int batch)
{
    struct sink sink;
    struct sink_url url;
    sqlite3 *db;
    sqlite3_stmt *stmt;
    struct buf sql = BUF_INIT(1024);

    open_sink(&sink, &url, text); /* makes the very tables */
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
    struct cost begin = cost_start();
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
        if ((i + 1) % batch == 0 || i + 1 == n_polls) {
            run(db, "COMMIT");
            cost_lap();
        }
    }
    struct cost cost = cost_since(begin);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return cost;
}

static void compare(const char *what, int batch)
{
    struct cost driver = COST_NONE, replay = driver, bare = driver;
    char url[128], command[128];

    for (int round = 0; round < ROUNDS; round++) {
        snprintf(url, sizeof(url), "sqlite:%s/bare-%d-%d.db", dir, batch, round);
        bare = cost_better(load_barely(url, batch), bare);
        snprintf(url, sizeof(url), "sqlite:%s/driver-%d-%d.db", dir, batch, round);
        driver = cost_better(load_by_driver(url, batch), driver);
        replay = cost_better(replay_by_driver(url, batch), replay);
        snprintf(command, sizeof(command), "rm -f %s/*", dir);
        if (system(command) != 0)
            die("cannot clean up");
    }
    printf("%s\n", what);
    cost_print("bare loop", bare, bare);
    cost_print("sqlite:", driver, bare);
    cost_print("replay", replay, bare);
}

/* Lows, highs and how many of 5 minutes alone: no opens and closes, hours, days, polls that left
 * rows out. */
static struct cost group_barely(const char *path)
{
    sqlite3 *db;

    if (sqlite3_open(path, &db) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    struct cost begin = cost_start();
    run(db, "CREATE TABLE bare AS SELECT fetched_at / 300000000 AS start, coin_id, "
            "min(current_price) AS low, max(current_price) AS high, count(*) AS rows "
            "FROM market GROUP BY 1, 2");
    struct cost cost = cost_since(begin);
    run(db, "DROP TABLE bare; DELETE FROM candle; DELETE FROM candle_upkeep");
    sqlite3_close(db);
    return cost;
}

static struct cost make_candles(const char *text)
{
    struct sink sink;
    struct sink_url url;
    struct err err = ERR_INIT;
    bool has_more = true;

    open_sink(&sink, &url, text);
    struct cost begin = cost_start();
    while (has_more) {
        if (sink.driver->tidy(&sink, &has_more, &err) != ST_OK)
            die(err.msg);
        cost_lap();
    }
    struct cost cost = cost_since(begin);
    close_sink(&sink);
    return cost;
}

static void compare_candles(void)
{
    struct cost made = COST_NONE, bare = made;
    char url[128], command[128];

    snprintf(url, sizeof(url), "sqlite:%s/candles.db", dir);
    load_by_driver(url, BATCH);
    for (int round = 0; round < ROUNDS; round++) {
        bare = cost_better(group_barely(url + strlen("sqlite:")), bare);
        made = cost_better(make_candles(url), made);
    }
    snprintf(command, sizeof(command), "rm -f %s/*", dir);
    if (system(command) != 0)
        die("cannot clean up");
    printf("candles of 5 minutes, hours and days, of rows that are there\n");
    cost_print("bare GROUP BY", bare, bare);
    cost_print("sqlite:", made, bare);
}

int main(int argc, char **argv)
{
    bench_name = "sqlite_bench";
    polls_make(argc, argv);
    make_values();
    snprintf(dir, sizeof(dir), "/tmp/sqlite_bench-XXXXXX");
    if (mkdtemp(dir) == NULL)
        die("cannot make a directory in /tmp");
    compare("catching up, 80 polls of 250 coins a transaction", BATCH);
    compare("live, one poll a transaction", 1);
    compare_candles();
    has_unchanged = true;
    compare("80 polls of 250 coins a transaction, half of the rows unchanged", BATCH);
    rmdir(dir);
    arena_release(&bench_arena);
    return EXIT_SUCCESS;
}
