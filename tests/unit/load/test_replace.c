/* Replay of the sqlite: driver: a store whose polls are made anew one by one must end up as one
 * that was loaded with today's rows from the start. Polls of two makes are dealt by a seeded
 * generator. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store_dir.h"
#include "tap.h"

#include <sqlite3.h>

#define N_COINS  5
#define MAX_POLL 40
#define STEP_US  (600 * US_PER_S) /* six polls an hour */

/* A poll: the price of each coin, 0: it is not there. */
struct dealt {
    enum poll_outcome outcome;
    bool is_foreign; /* another collector's, the same in both makes */
    int price[2][N_COINS];
};

static struct dealt dealt[MAX_POLL];
static size_t n_polls;
static uint64_t seed;

static unsigned roll(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static void deal(void)
{
    n_polls = 4 + roll(MAX_POLL - 4);
    unsigned n_whole = 2 + roll(16);
    bool has_foreign = roll(3) == 0;
    unsigned n_odd = 4 + roll(20);

    for (size_t i = 0; i < n_polls; i++) {
        struct dealt *d = &dealt[i];
        d->outcome = roll(n_whole) == 0 ? POLL_PARTIAL : roll(12) == 0 ? POLL_FAILED : POLL_OK;
        d->is_foreign = has_foreign && roll(4) == 0;
        for (int c = 0; c < N_COINS; c++) {
            int before = i > 0 ? dealt[i - 1].price[0][c] : 1;
            d->price[0][c] = roll(3) == 0 ? (int)roll(4) : before;
            d->price[1][c] = d->price[0][c];
            if (d->is_foreign || roll(n_odd) > 0)
                continue;
            /* what another collector's polls found absent is not found again */
            if (!has_foreign)
                d->price[1][c] = (int)roll(4);
            else if (d->price[0][c] > 0)
                d->price[1][c] = 1 + (int)roll(3);
        }
    }
}

static int64_t slot_of(size_t i)
{
    return T0 + (int64_t)i * STEP_US;
}

/* The poll as a line for made_poll(), with its marks. */
static const char *line_of(size_t at, int make)
{
    static char line[256];
    const struct dealt *d = &dealt[at], *prev_rows = NULL, *prev_ok = NULL;
    int64_t rows_slot = 0;

    for (size_t i = 0; i < at; i++) {
        if (dealt[i].is_foreign != d->is_foreign || dealt[i].outcome == POLL_FAILED)
            continue;
        prev_rows = &dealt[i];
        rows_slot = slot_of(i);
        if (dealt[i].outcome == POLL_OK)
            prev_ok = &dealt[i];
    }
    if (time_floor(rows_slot, 3600 * US_PER_S) != time_floor(slot_of(at), 3600 * US_PER_S))
        prev_rows = NULL;
    line[0] = '\0';
    if (d->outcome == POLL_FAILED)
        return NULL;
    for (int c = 0; c < N_COINS; c++) {
        char word[32] = "";
        int price = d->price[make][c];
        bool is_unchanged = prev_rows && price == prev_rows->price[make][c];
        if (price > 0)
            snprintf(word, sizeof(word), "%sc%d=%d", is_unchanged ? "*" : "", c,
                     c % 2 ? price : -price);
        else if (d->outcome == POLL_OK && prev_ok && prev_ok->price[make][c] > 0)
            snprintf(word, sizeof(word), "-c%d", c);
        if (word[0])
            snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s%s", line[0] ? " " : "",
                     word);
    }
    return line;
}

/* ---- a store, and what is in it ---- */

static struct test_store old, new;
static struct made_stream before[MAX_POLL]; /* the poll's stream in front of it */

static sqlite3 *open_db(const struct test_store *t)
{
    sqlite3 *db;

    if (sqlite3_open(t->url.rest, &db) != SQLITE_OK)
        abort();
    return db;
}

static void run(const struct test_store *t, const char *sql)
{
    sqlite3 *db = open_db(t);

    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        printf("# %s\n", sqlite3_errmsg(db));
        abort();
    }
    sqlite3_close(db);
}

static void ask(const struct test_store *t, const char *sql, struct buf *ret)
{
    sqlite3 *db = open_db(t);
    sqlite3_stmt *stmt;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        printf("# %s\n", sqlite3_errmsg(db));
        abort();
    }
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(stmt); i++) {
            const char *cell = (const char *)sqlite3_column_text(stmt, i);
            buf_addf(ret, "%s%s", i > 0 ? "|" : "", cell ? cell : "NULL");
        }
        buf_add_char(ret, '\n');
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static const char *const everything[] = {
    "SELECT slot, id, fetched_at, current_price, last_updated FROM market JOIN coin USING "
    "(coin_id) "
    "ORDER BY 1, 2",
    "SELECT slot, id, fetched_at, current_price FROM latest JOIN coin USING (coin_id) ORDER BY 2",
    "SELECT id, from_slot, until_slot FROM absence JOIN coin USING (coin_id) ORDER BY 1, 2",
    "SELECT slot, outcome, loaded, rows_in, rows_new, rows_unchanged, rows_quarantined, "
    "transform_version, stream, last_offset, drift, error, CASE WHEN stream LIKE '01%' THEN "
    "rows_absent "
    "END FROM poll ORDER BY slot, stream, last_offset",
    "SELECT slot, id, rule, detail FROM quality ORDER BY 1, 2, 3",
    "SELECT * FROM quarantine ORDER BY 1, 2, 3"};

/* The first difference of two stores, NULL: none. */
static const char *difference(void)
{
    static char text[2048];

    for (size_t i = 0; i < sizeof(everything) / sizeof(everything[0]); i++) {
        struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);
        ask(&old, everything[i], &a);
        ask(&new, everything[i], &b);
        struct str left = buf_str(&a), right = buf_str(&b), x = STR_NONE, y = STR_NONE;
        bool is_same = str_eq(left, right);
        while (!is_same && (left.len > 0 || right.len > 0) && str_eq(x, y)) {
            str_cut(&left, '\n', &x);
            str_cut(&right, '\n', &y);
        }
        snprintf(text, sizeof(text), "query %zu: replayed %.*s, loaded %.*s", i, STR_ARG(x),
                 STR_ARG(y));
        buf_release(&a);
        buf_release(&b);
        if (!is_same)
            return text;
    }
    return NULL;
}

static void open_store(struct test_store *t)
{
    struct position at;
    struct made_stream own = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);

    store_make(t, "sqlite:", "/market.db");
    if (store_open(t) != ST_OK ||
        t->sink.driver->attach(&t->sink, &own.id, &at, &t->err) != ST_OK ||
        t->sink.driver->attach(&t->sink, &other.id, &at, &t->err) != ST_OK)
        abort();
}

static void load_all(struct test_store *t, int make)
{
    struct made_stream streams[2] = {made_stream("markets-usd", 1), made_stream("markets-usd", 2)};
    struct sink_result result;
    struct made_poll poll;

    for (size_t i = 0; i < n_polls; i++) {
        struct made_stream *s = &streams[dealt[i].is_foreign];
        before[i] = *s;
        made_poll(&poll, s, slot_of(i), dealt[i].outcome, line_of(i, make));
        if (t->sink.driver->load(&t->sink, &poll.load, &result, &t->err) != ST_OK) {
            printf("# %s\n", t->err.msg);
            abort();
        }
        made_release(&poll);
    }
}

/* Replay the polls since <= i < until in batches of any size; the number of polls made anew. */
static size_t replay(size_t since, size_t until, unsigned max_batch)
{
    const struct sink_replay_driver *driver = old.sink.driver->replay;
    struct made_stream stream = made_stream("markets-usd", 1);
    struct sink_replay what = {.stream = &stream.id,
                               .since_us = slot_of(since),
                               .until_us = slot_of(until),
                               .below = INT64_MAX};
    struct sink_stored after = {.slot_us = what.since_us}, polls[MAX_POLL];
    size_t n, n_done = 0;

    for (;;) {
        if (driver->list(&old.sink, &what, &after, polls, 1 + roll(max_batch), &n, &old.err) !=
            ST_OK)
            abort();
        if (n == 0)
            return n_done;
        if (driver->begin(&old.sink, &what, polls, n, &old.err) != ST_OK)
            abort();
        for (size_t i = 0; i < n; i++) {
            size_t at = (size_t)((polls[i].slot_us - T0) / STEP_US);
            struct made_stream s = before[at];
            struct sink_result result;
            struct made_poll poll;
            made_poll(&poll, &s, slot_of(at), dealt[at].outcome, line_of(at, 1));
            poll.load.is_last = i + 1 == n;
            if (poll.end.offset != polls[i].end_offset ||
                driver->replace(&old.sink, &poll.load, &result, &old.err) != ST_OK) {
                printf("# %s\n", old.err.msg);
                abort();
            }
            made_release(&poll);
            n_done++;
        }
        after = polls[n - 1];
    }
}

static void is_as_if_loaded_anew(void)
{
    for (uint64_t i = 1; i <= 30; i++) {
        seed = i;
        deal();
        open_store(&old);
        open_store(&new);
        load_all(&old, 0);
        load_all(&new, 1);
        run(&old, "UPDATE poll SET transform_version = 0 WHERE stream LIKE '01%' AND "
                  "transform_version IS NOT NULL");
        replay(0, n_polls, 1 + roll(i % 2 == 0 ? 8 : MAX_POLL));
        const char *why = difference();
        store_remove(&old);
        store_remove(&new);
        if (why)
            TAP_FAIL("seed %d: %s", (int)i, why);
    }
}

int main(void)
{
    static const struct tap_case cases[] = {TAP_CASE(is_as_if_loaded_anew)};
    return tap_run(cases, sizeof(cases) / sizeof(cases[0]));
}
