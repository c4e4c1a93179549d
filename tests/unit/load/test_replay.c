/* A loader's replay: a real tape, the real transform, a SQLite store that somebody altered. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/loader.h"

#include "base/mem.h"
#include "tap.h"

#include <dirent.h>
#include <pthread.h>
#include <sqlite3.h>
#include <unistd.h>

#define T0      INT64_C(1795444200000000) /* 2026-11-23T14:30:00Z */
#define STEP_US (60 * US_PER_S)
#define N_POLLS 100 /* from the second hour of the tape into its third */

static char dir[64], store[128];
static struct tape *tape;
static struct tape_writer *writer;
static struct sink_url url;
static struct loader *loader;
static struct err err;
static struct loader_replay_progress progress;

/* ---- the tape ---- */

static enum st open_tape(uint64_t segment_max_bytes)
{
    struct tape_writer_setup setup = {.clock = clock_system(),
                                      .id = {.job = "markets-usd",
                                             .endpoint = "coins/markets",
                                             .vs_currency = "usd",
                                             .selection = "top=250"},
                                      .segment_span_us = 3600 * US_PER_S,
                                      .segment_max_bytes = segment_max_bytes};
    struct tape_recovery recovery;

    enum st st = tape_open(dir, &tape, &err);
    setup.tape = tape;
    return st == ST_OK ? tape_writer_open(&setup, &writer, &recovery, &err) : st;
}

static void close_tape(void)
{
    tape_writer_close(writer);
    tape_close(tape);
    writer = NULL;
    tape = NULL;
}

static int64_t slot_of(int i)
{
    return T0 + i * STEP_US;
}

static uint64_t append(int i, enum poll_outcome outcome, const char *body)
{
    uint64_t pages[2] = {0}, end_offset = 0;
    struct tape_record page = {.slot_us = slot_of(i),
                               .is_json = true,
                               .page = 1,
                               .attempt = 1,
                               .fetched_at_us = slot_of(i) + US_PER_S,
                               .status = 200},
                       end = {.slot_us = slot_of(i),
                              .fetched_at_us = slot_of(i) + 2 * US_PER_S,
                              .outcome = outcome,
                              .pages = pages,
                              .n_pages = outcome == POLL_PARTIAL ? 2 : 1};

    if (tape_append_page(writer, &page, str_of(body), &pages[0], &err) != ST_OK ||
        tape_append_end(writer, &end, &end_offset, &err) != ST_OK)
        abort();
    return end_offset;
}

/* Five coins, of which some change, one comes and goes, one has a value that is refused now and
 * then, one is flagged for a while, and one gets another name. */
static const char *body_of(int i)
{
    static char text[2048];
    size_t n = 0;

    n += (size_t)snprintf(text, sizeof(text), "[");
    for (int c = 0; c < 5; c++) {
        if (c == 1 && i % 9 < 3)
            continue;
        const char *price = c == 2 && i % 11 == 5 ? "\"no number\"" : c < 3 ? "%d.5" : "%d";
        char value[32], name[32] = "Coin";
        if (price[0] == '%')
            snprintf(value, sizeof(value), "%d.5", c < 3 ? i / (c + 1) : i / 20);
        else
            snprintf(value, sizeof(value), "%s", price);
        if (c == 4)
            snprintf(name, sizeof(name), "Coin %d", i / 40);
        n += (size_t)snprintf(text + n, sizeof(text) - n,
                              "%s{\"id\":\"c%d\",\"symbol\":\"c\",\"name\":\"%s\",\"current_"
                              "price\":%s,\"low_24h\":%d}",
                              n > 1 ? "," : "", c, name, value, c == 3 && i % 12 < 5 ? -1 : 0);
    }
    snprintf(text + n, sizeof(text) - n, "]");
    return text;
}

static void append_polls(int from, int until)
{
    for (int i = from; i < until; i++) {
        if (i % 13 == 4) /* the ok one comes behind it, in the same slot */
            append(i, POLL_PARTIAL, body_of(i + 1));
        if (i % 13 == 7)
            append(i, POLL_PARTIAL, body_of(i));
        else if (i % 17 == 9)
            append(i, POLL_FAILED, "{\"error\":\"no\"}");
        else if (i % 23 == 11) /* refused as a whole */
            append(i, POLL_OK, "{\"error\":\"an object\"}");
        else
            append(i, POLL_OK, body_of(i));
    }
}

/* ---- the store ---- */

static void run_sql(const char *sql)
{
    sqlite3 *db;

    if (sqlite3_open(store, &db) != SQLITE_OK ||
        sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        printf("# %s\n", sqlite3_errmsg(db));
        abort();
    }
    sqlite3_close(db);
}

static void ask(const char *sql, struct buf *ret)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;

    if (sqlite3_open(store, &db) != SQLITE_OK ||
        sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
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

static int64_t ask_number(const char *sql)
{
    struct buf answer = BUF_INIT(256);
    int64_t n = -1;

    ask(sql, &answer);
    (void)str_to_i64(str_trim(buf_str(&answer)), INT64_MIN, INT64_MAX, &n);
    buf_release(&answer);
    return n;
}

/* All that a sink holds. */
static void dump(struct buf *ret)
{
    buf_clear(ret);
    ask("SELECT * FROM market", ret);
    ask("SELECT * FROM latest", ret);
    ask("SELECT * FROM poll", ret);
    ask("SELECT * FROM absence", ret);
    ask("SELECT * FROM quarantine ORDER BY 1, 2, 3", ret);
    ask("SELECT * FROM quality_flag", ret);
    ask("SELECT * FROM coin_name", ret);
    ask("SELECT coin_id, id, symbol, name, first_seen FROM coin", ret);
}

/* Where two dumps part, NULL: nowhere. */
static const char *difference(const struct buf *got, const struct buf *want)
{
    static char text[1024];
    struct str left = buf_str(got), right = buf_str(want), x = STR_NONE, y = STR_NONE;

    if (str_eq(left, right))
        return NULL;
    while ((left.len > 0 || right.len > 0) && str_eq(x, y)) {
        str_cut(&left, '\n', &x);
        str_cut(&right, '\n', &y);
    }
    snprintf(text, sizeof(text), "got %.400s, want %.400s", x.p ? (const char *)x.p : "",
             y.p ? (const char *)y.p : "");
    return text;
}

#define CHECK_HOLDS(want)                           \
    do {                                            \
        struct buf got_ = BUF_INIT(1 << 20);        \
        dump(&got_);                                \
        const char *why_ = difference(&got_, want); \
        buf_release(&got_);                         \
        if (why_)                                   \
            TAP_FAIL("%s", why_);                   \
    } while (0)

/* As another version of the transform would have left it. */
static void age_store(void)
{
    run_sql("UPDATE poll SET transform_version = 0 WHERE transform_version IS NOT NULL;"
            "UPDATE market SET current_price = -1, market_cap = 7;"
            "UPDATE latest SET current_price = -1;"
            "UPDATE poll SET rows_in = 0, error = 'old', drift = 'old' "
            "WHERE transform_version = 0;"
            "UPDATE quarantine SET reason = 'old';"
            "UPDATE quality_flag SET rule = 'old ' || rule;"
            "UPDATE coin_name SET name = 'old'; UPDATE coin SET name = 'old'");
}

/* ---- the loader ---- */

static void make_loader(void)
{
    struct loader_stream stream = {.job = "markets-usd"};

    if (tape_stream_dir(dir, "markets-usd", stream.dir, &err) != ST_OK)
        abort();
    loader_free(loader);
    loader = loader_new(&(struct loader_setup){.url = &url,
                                               .streams = &stream,
                                               .n_streams = 1,
                                               .clock = clock_system(),
                                               .accepts_gap = true});
}

static enum st replay(int since, int until, bool is_forced)
{
    struct loader_replay what = {
        .since_us = slot_of(since), .until_us = slot_of(until), .is_forced = is_forced};

    make_loader();
    enum st st = loader_replay_start(loader, &what, &err);
    if (st != ST_OK)
        return st;
    loader_replay_run(loader);
    loader_replay_progress(loader, &progress);
    if (progress.st != ST_OK)
        err_ignore(err_set(&err, progress.st, "%s", progress.error));
    return progress.st;
}

static void begin(void)
{
    char text[256];

    snprintf(dir, sizeof(dir), "/tmp/replay-test-XXXXXX");
    if (mkdtemp(dir) == NULL)
        abort();
    snprintf(store, sizeof(store), "%s/market.db", dir);
    snprintf(text, sizeof(text), "sqlite:%s", store);
    err = (struct err)ERR_INIT;
    if (sink_url_parse(str_of(text), &url, &err) != ST_OK || open_tape(64 << 20) != ST_OK)
        abort();
}

static void finish(void)
{
    char command[128];

    loader_free(loader);
    loader = NULL;
    close_tape();
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command) != 0)
        printf("# %s stays\n", dir);
}

static enum st load_polls(struct buf *ret_dump)
{
    append_polls(0, N_POLLS);
    make_loader();
    enum st st = loader_catch_up(loader, &err);
    if (st == ST_OK && ret_dump)
        dump(ret_dump);
    return st;
}

/* ---- the cases ---- */

static void an_aged_store_becomes_as_if_loaded_today(void)
{
    struct buf fresh = BUF_INIT(1 << 20);

    CHECK_OK(load_polls(&fresh), err);
    CHECK(ask_number("SELECT count(*) FROM quality_flag") > 5);
    age_store();
    CHECK_OK(replay(0, N_POLLS, false), err);
    CHECK_HOLDS(&fresh);
    CHECK(progress.n_due > 90);
    CHECK_EQ(progress.n_done, progress.n_due);
    CHECK_EQ(progress.n_missing + progress.n_refused + progress.n_current, 0);
    uint64_t n_due = progress.n_due;
    CHECK_OK(replay(0, N_POLLS, false), err); /* nothing is left to do */
    CHECK_EQ(progress.n_due, 0);
    CHECK_EQ(progress.n_current, n_due);
    CHECK_OK(replay(0, N_POLLS, true), err);
    CHECK_EQ(progress.n_done, n_due);
    CHECK_HOLDS(&fresh);
    buf_release(&fresh);
}

static void a_range_leaves_the_rest_as_it_was(void)
{
    CHECK_OK(load_polls(NULL), err);
    age_store();
    int64_t n_old = ask_number("SELECT count(*) FROM poll WHERE transform_version = 0");
    /* what the poll behind the range left out, it has in rows of its own now */
    int64_t n_left_out = ask_number(
        "SELECT rows_unchanged FROM poll WHERE loaded = 'rows' AND slot >= 1795445700000000 "
        "ORDER BY slot LIMIT 1");
    CHECK(n_left_out > 0);
    CHECK_OK(replay(15, 25, false), err);
    CHECK(progress.n_done >= 8 && progress.n_done <= 12);
    CHECK_EQ(ask_number("SELECT count(*) FROM poll WHERE transform_version = 0"),
             n_old - (int64_t)progress.n_done);
    CHECK_EQ(ask_number("SELECT count(*) FROM market WHERE (current_price = -1) <> "
                        "(slot < 1795445100000000 OR slot >= 1795445700000000)"),
             0);
    CHECK_EQ(ask_number("SELECT rows_unchanged FROM poll WHERE loaded = 'rows' AND "
                        "slot >= 1795445700000000 ORDER BY slot LIMIT 1"),
             0);
    CHECK_EQ(ask_number("SELECT count(*) - (SELECT rows_new FROM poll WHERE loaded = 'rows' AND "
                        "poll.slot = market.slot) FROM market WHERE slot = 1795445700000000"),
             0);
}

static void a_range_may_be_replayed_piece_by_piece(void)
{
    struct buf fresh = BUF_INIT(1 << 20);
    static const int pieces[][2] = {{60, 81}, {0, 7}, {81, N_POLLS}, {7, 33}, {33, 60}};

    CHECK_OK(load_polls(&fresh), err);
    age_store();
    for (size_t i = 0; i < 5; i++)
        CHECK_OK(replay(pieces[i][0], pieces[i][1], false), err);
    /* what was written out for the poll behind a piece goes again when that is replayed */
    CHECK_OK(replay(0, N_POLLS, true), err);
    CHECK_HOLDS(&fresh);
    buf_release(&fresh);
}

static void remove_oldest_segment(void)
{
    char stream[1024], path[2048];
    struct dirent **names;

    if (tape_stream_dir(dir, "markets-usd", stream, &err) != ST_OK)
        abort();
    int n = scandir(stream, &names, NULL, alphasort);
    for (int i = 0, n_removed = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", stream, names[i]->d_name);
        if (strstr(path, ".jsonl.zst") != NULL && n_removed++ == 0)
            unlink(path);
        free(names[i]);
    }
    free(names);
}

static void polls_that_are_gone_from_the_tape_stay_as_they_are(void)
{
    append_polls(0, 20);
    close_tape();
    CHECK_OK(open_tape(1), err); /* begins another segment */
    append_polls(20, 40);
    make_loader();
    CHECK_OK(loader_catch_up(loader, &err), err);
    age_store();
    remove_oldest_segment();
    CHECK_OK(replay(0, 40, false), err);
    CHECK(progress.n_missing >= 18);
    CHECK(progress.n_done > progress.n_missing + 10);
    CHECK_EQ(progress.n_refused, 0);
    CHECK_EQ(ask_number("SELECT count(*) FROM market WHERE current_price = -1 AND "
                        "slot >= 1795445400000000"),
             0);
    CHECK_EQ(ask_number("SELECT count(*) FROM market WHERE current_price <> -1 AND "
                        "slot < 1795445400000000"),
             0);
}

static void a_poll_that_is_refused_now_keeps_its_rows(void)
{
    CHECK_OK(load_polls(NULL), err);
    age_store();
    /* the poll of a body that no transform takes, as if one had */
    run_sql("UPDATE poll SET loaded = 'rows', rows_new = 1 WHERE slot = 1795444860000000;"
            "INSERT INTO market (slot, job_id, coin_id, fetched_at, current_price) "
            "VALUES (1795444860000000, 1, 1, 1795444860000000, -1)");
    CHECK_OK(replay(0, N_POLLS, false), err);
    CHECK_EQ(progress.n_refused, 1);
    CHECK(strstr(progress.first_refusal, "transform: ") != NULL);
    CHECK_EQ(progress.n_done, progress.n_due);
    CHECK_EQ(ask_number("SELECT count(*) FROM market WHERE current_price = -1"), 1);
    CHECK_EQ(ask_number("SELECT count(*) FROM poll WHERE transform_version = 0"), 1);
}

static void polls_that_the_sink_refuses_keep_their_rows(void)
{
    CHECK_OK(load_polls(NULL), err);
    age_store();
    run_sql("CREATE TRIGGER picky BEFORE INSERT ON market WHEN NEW.slot IN "
            "(1795444200000000, 1795445460000000, 1795445520000000) "
            "BEGIN SELECT RAISE(ABORT, 'not this one'); END");
    CHECK_OK(replay(0, N_POLLS, false), err);
    CHECK_EQ(progress.n_refused, 3);
    CHECK(strstr(progress.first_refusal, "not this one") != NULL);
    CHECK_EQ(ask_number("SELECT count(DISTINCT slot) FROM market WHERE current_price = -1"), 3);
    run_sql("DROP TRIGGER picky");
    CHECK_OK(replay(0, N_POLLS, false), err);
    CHECK_EQ(progress.n_due, 3);
    CHECK_EQ(ask_number("SELECT count(*) FROM market WHERE current_price = -1"), 0);
}

static void what_cannot_be_replayed_is_refused_by_name(void)
{
    struct loader_replay what = {.job = "another", .until_us = INT64_MAX};
    struct sink_url memory;

    append_polls(0, 2);
    make_loader();
    CHECK_EQ(loader_replay_start(loader, &what, &err), ST_REJECT);
    CHECK(strstr(err.msg, "job another") != NULL);
    CHECK_OK(sink_url_parse(STR("memory:"), &memory, &err), err);
    struct loader *l = loader_new(&(struct loader_setup){.url = &memory, .clock = clock_system()});
    what.job[0] = '\0';
    enum st st = loader_replay_start(l, &what, &err);
    loader_free(l);
    CHECK_EQ(st, ST_REJECT);
    CHECK(strstr(err.msg, "memory:") != NULL);
}

static void *run_loader(void *l)
{
    struct err why = ERR_INIT;
    err_ignore(loader_run(l, &why));
    return NULL;
}

static void wait_for_end(void)
{
    do {
        usleep(2000);
        loader_replay_progress(loader, &progress);
    } while (progress.is_running);
}

static void a_running_loader_replays_between_its_loads(void)
{
    struct loader_replay what = {.until_us = slot_of(N_POLLS), .is_forced = true};
    pthread_t thread;

    CHECK_OK(load_polls(NULL), err);
    age_store();
    make_loader();
    CHECK_EQ(pthread_create(&thread, NULL, run_loader, loader), 0);
    CHECK_OK(loader_replay_start(loader, &what, &err), err);
    CHECK_EQ(loader_replay_start(loader, &what, &err), ST_AGAIN);
    append_polls(N_POLLS, N_POLLS + 10);
    wait_for_end();
    CHECK_EQ(progress.st, ST_OK);
    for (int i = 0; i < 2000 && loader_offset(loader, 0) < tape_head_get(tape_writer_head(writer));
         i++)
        usleep(5000);
    loader_stop(loader);
    pthread_join(thread, NULL);
    CHECK_EQ(loader_replay_start(loader, &what, &err), ST_AGAIN); /* it is not at work any more */
    loader_free(loader);
    loader = NULL;
    CHECK_EQ(ask_number("SELECT count(*) FROM market WHERE current_price = -1"), 0);
    CHECK_EQ(ask_number("SELECT max(last_offset) = (SELECT offset FROM sink_offset) FROM poll"), 1);
}

static void a_replay_that_is_cancelled_goes_on_later(void)
{
    struct buf fresh = BUF_INIT(1 << 20);
    struct loader_replay what = {.until_us = INT64_MAX};

    CHECK_OK(load_polls(&fresh), err);
    age_store();
    make_loader();
    CHECK_OK(loader_replay_start(loader, &what, &err), err);
    loader_replay_cancel(loader);
    loader_replay_run(loader);
    loader_replay_progress(loader, &progress);
    CHECK(progress.is_done);
    CHECK_EQ(progress.st, ST_AGAIN);
    CHECK(strstr(progress.error, "cancelled") != NULL);
    CHECK_OK(replay(0, N_POLLS, false), err);
    CHECK_HOLDS(&fresh);
    buf_release(&fresh);
}

static void memory_that_the_system_lacks_breaks_nothing(void)
{
    struct buf fresh = BUF_INIT(1 << 20);
    struct loader_replay what = {.until_us = INT64_MAX};
    size_t n_again = 0;

    CHECK_OK(load_polls(&fresh), err);
    for (long nth = 1; nth < 24; nth++) {
        age_store();
        make_loader();
        CHECK_OK(loader_replay_start(loader, &what, &err), err);
        mem_fail_nth(nth);
        loader_replay_run(loader);
        mem_fail_nth(0);
        loader_replay_progress(loader, &progress);
        CHECK(progress.st == ST_OK || progress.st == ST_AGAIN);
        CHECK_EQ(progress.n_missing, 0);
        n_again += progress.st == ST_AGAIN;
        CHECK_OK(replay(0, N_POLLS, false), err);
        CHECK_EQ(progress.n_refused, 0);
        CHECK_HOLDS(&fresh);
    }
    CHECK(n_again > 5);
    buf_release(&fresh);
}

#define CASES(X)                                          \
    X(an_aged_store_becomes_as_if_loaded_today)           \
    X(a_range_leaves_the_rest_as_it_was)                  \
    X(a_range_may_be_replayed_piece_by_piece)             \
    X(polls_that_are_gone_from_the_tape_stay_as_they_are) \
    X(a_poll_that_is_refused_now_keeps_its_rows)          \
    X(polls_that_the_sink_refuses_keep_their_rows)        \
    X(what_cannot_be_replayed_is_refused_by_name)         \
    X(a_running_loader_replays_between_its_loads)         \
    X(a_replay_that_is_cancelled_goes_on_later)           \
    X(memory_that_the_system_lacks_breaks_nothing)

#define CASE(function)            \
    static void function##_(void) \
    {                             \
        begin();                  \
        function();               \
        finish();                 \
    }
CASES(CASE)

#define ROW(function) {#function, function##_},
int main(void)
{
    static const struct tap_case cases[] = {CASES(ROW)};
    return tap_run(cases, sizeof(cases) / sizeof(cases[0]));
}
