/* How fast the postgres: driver loads polls and makes stored ones anew, against COPY BINARY of
 * buffers that are ready, in the same run: the same table, the same rows, the same transactions.
 *
 *     tests/postgres.py --fsync postgres_bench [POLLS [PART]]
 *
 * POLLS of 250 coins each, 800 when left out; PART: batch, live, unchanged, tables or backlog
 * alone.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "polls.h"

#include "load/postgres/binary.h"
#include "load/postgres/copy.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROUNDS        3 /* the best one counts: the others were disturbed */
#define BACKLOG_POLLS 4000

/* where these are in a row of COPY: behind the number of columns, each behind its length */
#define SLOT_AT    (2 + 4)
#define FETCHED_AT (SLOT_AT + 8 + 8 + 8 + 4)

static struct copy copies[VARIANTS];
static const char *server;

static void make_copies(void)
{
    struct err err = ERR_INIT;

    for (int i = 0; i < VARIANTS; i++) {
        copy_init(&copies[i]);
        for (int k = 0; k < COINS; k++) {
            struct db_row row = {
                .job_id = 1, .key = cell_of_int(k + 1), .cells = row_of(i, k), .index = (size_t)k};
            if (copy_add(&copies[i], &market_table, &row, &err) != ST_OK)
                die(err.msg);
        }
    }
}

static void free_copies(void)
{
    for (int i = 0; i < VARIANTS; i++)
        copy_release(&copies[i]);
}

static PGconn *dial(void)
{
    PGconn *pg = PQconnectdb(server);

    if (PQstatus(pg) != CONNECTION_OK)
        die(PQerrorMessage(pg));
    PQclear(PQexec(pg, "SET search_path TO bench; SET client_min_messages TO warning"));
    return pg;
}

static void end(PGconn *pg, PGresult *result, ExecStatusType wanted)
{
    if (PQresultStatus(result) != wanted)
        die(PQerrorMessage(pg));
    PQclear(result);
}

static void run(PGconn *pg, const char *sql)
{
    end(pg, PQexec(pg, sql), PGRES_COMMAND_OK);
}

/* One number, or more of them with a space between. */
static void ask(PGconn *pg, const char *sql, char *ret_text, size_t size)
{
    PGresult *result = PQexec(pg, sql);

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        die(PQerrorMessage(pg));
    snprintf(ret_text, size, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
}

static void put(PGconn *pg, struct str bytes)
{
    if (PQputCopyData(pg, bytes.p, (int)bytes.len) != 1)
        die(PQerrorMessage(pg));
}

static void put_poll(PGconn *pg, int i)
{
    struct copy *c = &copies[i % VARIANTS];

    for (size_t k = 0; k < c->n; k++) {
        char *row = c->bytes.p + c->rows[k].start;
        put_u64(row + SLOT_AT, (uint64_t)timestamp_of_us(slot_of(i)));
        put_u64(row + FETCHED_AT, (uint64_t)timestamp_of_us(slot_of(i) + US_PER_S));
    }
    if (!has_unchanged || !is_left_out(i, 1)) {
        put(pg, buf_str(&c->bytes));
        return;
    }
    for (size_t k = 0; k < c->n; k++)
        if (!is_left_out(i, (int)k))
            put(pg, copy_rows(c, k, k + 1));
}

/* Make the tables by the driver, then change them by SQL, where that is not NULL. */
static void make_tables(const char *text, const char *sql)
{
    struct sink sink;
    struct sink_url url;
    char made[256];

    open_sink(&sink, &url, text);
    close_sink(&sink);
    PGconn *pg = dial();
    snprintf(made, sizeof(made),
             "SELECT make_partition('market', to_timestamp(%lld), false),"
             " make_partition('market', to_timestamp(%lld), false)",
             (long long)(slot_of(0) / US_PER_S), (long long)(slot_of(n_polls) / US_PER_S));
    ask(pg, made, made, sizeof(made));
    if (sql)
        run(pg, sql);
    PQfinish(pg);
}

static void copy_polls(PGconn *pg, int from, int until)
{
    end(pg, PQexec(pg, "COPY market FROM STDIN BINARY"), PGRES_COPY_IN);
    put(pg, COPY_HEADER);
    for (int i = from; i < until; i++)
        put_poll(pg, i);
    put(pg, COPY_TRAILER);
    if (PQputCopyEnd(pg, NULL) != 1)
        die(PQerrorMessage(pg));
    end(pg, PQgetResult(pg), PGRES_COMMAND_OK);
    PQclear(PQgetResult(pg)); /* NULL: it is over */
}

/* What there is no way around: COPY; for a poll that is loaded alone an offset moves too; for polls
 * that are made anew their rows go first. */
static struct cost load_barely(int batch, bool is_anew)
{
    PGconn *pg = dial();
    char sql[256];

    struct cost begin = cost_start();
    for (int i = 0; i < n_polls; i += batch) {
        int until = i + batch < n_polls ? i + batch : n_polls;
        run(pg, "BEGIN");
        snprintf(sql, sizeof(sql),
                 "DELETE FROM market WHERE job_id = 1 AND slot >= to_timestamp(%lld)"
                 " AND slot < to_timestamp(%lld)",
                 (long long)(slot_of(i) / US_PER_S), (long long)(slot_of(until) / US_PER_S));
        if (is_anew)
            run(pg, sql);
        copy_polls(pg, i, until);
        if (batch == 1 && !is_anew)
            run(pg, "UPDATE sink_offset SET \"offset\" = \"offset\" + 2, updated_at = now()");
        run(pg, "COMMIT");
        cost_lap();
    }
    struct cost cost = cost_since(begin);
    PQfinish(pg);
    return cost;
}

static void drop(void)
{
    PGconn *pg = dial();

    run(pg, "DROP SCHEMA bench CASCADE; DROP VIEW IF EXISTS public.coin_market_processed,"
            " public.coin_market_raw");
    PQfinish(pg);
}

static void compare(const char *what, const char *url, int batch)
{
    struct cost bare = COST_NONE, driver = bare, bare_anew = bare, replay = bare;

    for (int round = 0; round < ROUNDS; round++) {
        make_tables(url, NULL);
        bare = cost_better(load_barely(batch, false), bare);
        bare_anew = cost_better(load_barely(batch, true), bare_anew);
        drop();
        driver = cost_better(load_by_driver(url, batch), driver);
        replay = cost_better(replay_by_driver(url, batch), replay);
        drop();
    }
    printf("%s\n", what);
    cost_print(batch > 1 ? "COPY" : "COPY, UPDATE", bare, bare);
    cost_print("postgres:", driver, bare);
    cost_print("DELETE, COPY", bare_anew, bare_anew);
    cost_print("postgres: replay", replay, bare_anew);
}

/* What would it cost if the table were another? */
static void compare_tables(const char *url)
{
    static const struct {
        const char *what, *sql;
    } tables[] = {
        {"as it is", NULL},
        {"with references", "INSERT INTO coin (id, symbol, name, first_seen, last_seen)"
                            " SELECT n, n, n, now(), now() FROM generate_series(1, 250) AS n;"
                            "ALTER TABLE market ADD FOREIGN KEY (job_id) REFERENCES job,"
                            " ADD FOREIGN KEY (coin_id) REFERENCES coin"},
        {"BRIN (slot) alone", "ALTER TABLE market DROP CONSTRAINT market_pkey;"
                              "CREATE INDEX ON market USING brin (slot)"},
    };
    struct cost best[3] = {COST_NONE, COST_NONE, COST_NONE};

    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < 3; i++) {
            make_tables(url, tables[i].sql);
            best[i] = cost_better(load_barely(BATCH, false), best[i]);
            drop();
        }
    printf("COPY into other tables\n");
    for (size_t i = 0; i < 3; i++)
        cost_print(tables[i].what, best[i], best[0]);
}

static long rss_kib(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[128];
    long kib = 0;

    while (f && fgets(line, sizeof(line), f) && sscanf(line, "VmRSS: %ld", &kib) != 1)
        ;
    if (f)
        fclose(f);
    return kib;
}

/* ---- the server's CPU: of its first process, what it has started, what has ended of that ---- */

#define MAX_STAT 1024

static long server_pid;

/* The sum of CPU times in /proc/PID/stat: its own, or of its children that ended. */
static double stat_s(long pid, bool is_of_ended)
{
    char path[64], text[MAX_STAT] = "";
    long ticks[4];

    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    FILE *f = fopen(path, "re");
    const char *end_of_name = f && fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
    if (f)
        fclose(f);
    if (end_of_name == NULL || sscanf(end_of_name,
                                      ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u"
                                      " %ld %ld %ld %ld",
                                      &ticks[0], &ticks[1], &ticks[2], &ticks[3]) != 4)
        return 0;
    long sum = ticks[0] + ticks[1] + (is_of_ended ? ticks[2] + ticks[3] : 0);
    return (double)sum / (double)sysconf(_SC_CLK_TCK);
}

static double server_cpu_s(void)
{
    char path[64];
    double sum = stat_s(server_pid, true);
    long pid;

    snprintf(path, sizeof(path), "/proc/%ld/task/%ld/children", server_pid, server_pid);
    FILE *f = fopen(path, "re");
    while (f && fscanf(f, "%ld", &pid) == 1)
        sum += stat_s(pid, false);
    if (f)
        fclose(f);
    return sum;
}

static void find_server(void)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/data/postmaster.pid", getenv("PGTEST_DIR"));
    FILE *f = fopen(path, "re");
    if (f == NULL || fscanf(f, "%ld", &server_pid) != 1)
        die("no postmaster.pid in PGTEST_DIR");
    fclose(f);
    bench_server_cpu_s = server_cpu_s;
}

/* A backlog of a million rows: what it costs there and here. */
static void load_backlog(const char *url)
{
    static const char sizes[] =
        "SELECT (sum(pg_relation_size(relid)) / n)::int || ' bytes/row of heap, ' ||"
        " (sum(pg_indexes_size(relid)) / n)::int || ' of index'"
        " FROM pg_partition_tree('market'), (SELECT count(*) AS n FROM market) AS c GROUP BY n";
    static const char hot_updates[] =
        "SELECT round(100.0 * sum(n_tup_hot_upd) / greatest(sum(n_tup_upd), 1)) || ' % of updates'"
        " FROM pg_stat_user_tables WHERE relname = 'latest'";
    char text[128], hot[128];

    n_polls = BACKLOG_POLLS / 10;
    load_by_driver(url, BATCH);
    drop();
    long before = rss_kib();
    n_polls = BACKLOG_POLLS;
    struct cost cost = load_by_driver(url, BATCH);
    PGconn *pg = dial();
    ask(pg, sizes, text, sizeof(text));
    ask(pg, hot_updates, hot, sizeof(hot));
    PQfinish(pg);
    drop();
    printf("a backlog of %d rows\n", BACKLOG_POLLS * COINS);
    cost_print("postgres:", cost, cost);
    printf("  %s; %s of latest are HOT; RSS grows %ld KiB beyond that of a tenth\n", text, hot,
           rss_kib() - before);
}

static bool is_wanted(int argc, char **argv, const char *part)
{
    return argc < 3 || strcmp(argv[2], part) == 0;
}

int main(int argc, char **argv)
{
    char url[512];

    bench_name = "postgres_bench";
    server = getenv("PGTEST_URL");
    if (server == NULL)
        die("run it by tests/postgres.py, which has a server");
    snprintf(url, sizeof(url), "%s&schema=bench", server);
    polls_make(argc, argv);
    find_server();
    make_copies();
    if (is_wanted(argc, argv, "batch"))
        compare("catching up, 80 polls of 250 coins a transaction", url, BATCH);
    if (is_wanted(argc, argv, "live"))
        compare("live, one poll a transaction", url, 1);
    has_unchanged = true;
    if (is_wanted(argc, argv, "unchanged"))
        compare("80 polls of 250 coins a transaction, half of the rows unchanged", url, BATCH);
    has_unchanged = false;
    if (is_wanted(argc, argv, "tables"))
        compare_tables(url);
    if (is_wanted(argc, argv, "backlog"))
        load_backlog(url);
    free_copies();
    arena_release(&bench_arena);
    return EXIT_SUCCESS;
}
