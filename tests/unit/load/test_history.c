/* What stores in SQL tell of their polls. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store_dir.h"
#include "tap.h"

#include <sqlite3.h>

static struct test_store t;
static struct query *query;
static struct arena arena;
static struct made_stream usd, eur;

static bool begin(void)
{
    if (getenv("PGTEST_URL"))
        store_make_on_server(&t);
    else
        store_make(&t, "sqlite:", "/market.db");
    arena_init(&arena, 4 << 20);
    usd = made_stream("markets-usd", 1);
    eur = made_stream("markets-eur", 2);
    return store_open(&t) == ST_OK && store_attach(&t, &usd) == ST_OK &&
           store_attach(&t, &eur) == ST_OK &&
           t.sink.driver->open_query(&t.url, &query, &t.err) == ST_OK;
}

static void finish(void)
{
    query->driver->close(query);
    store_remove(&t);
    arena_release(&arena);
}

/* Cells of an answer, "a b|a b|…"; times as slots' numbers. */
static const char *show(enum st st, const struct rows *rows, const size_t *columns, size_t n)
{
    static char text[4096];
    struct buf b = BUF_INIT(sizeof(text) - 1);

    if (st != ST_OK)
        return t.err.msg;
    for (size_t i = 0; i < rows->n; i++)
        for (size_t c = 0; c < n; c++) {
            const struct cell *cell = &rows_at(rows, i)[columns[c]];
            if (cell->kind == CELL_TIME)
                buf_addf(&b, "%lld", (long long)((cell->number - T0) / 30000000));
            else if (cell->kind == CELL_NULL)
                buf_add_char(&b, '-');
            else
                cell_add_text(&b, cell);
            buf_add_char(&b, c + 1 < n ? ' ' : '|');
        }
    snprintf(text, sizeof(text), "%s", buf_z(&b));
    buf_release(&b);
    return text;
}

static const char *polls(const char *job, int64_t before_us, uint32_t limit)
{
    static const size_t columns[] = {POLL_COLUMN_SLOT, POLL_COLUMN_OUTCOME, POLL_COLUMN_LOADED,
                                     POLL_COLUMN_LAST_OFFSET};
    const struct poll_query args = {.job = str_of(job), .before_us = before_us, .limit = limit};
    struct rows rows = {.n = 0};

    return show(query->driver->polls(query, &args, &arena, &rows, &t.err), &rows, columns, 4);
}

static const char *gaps(const char *job, int64_t since_us, int64_t now_us)
{
    static const size_t columns[] = {GAP_FROM_SLOT, GAP_UNTIL_SLOT};
    const struct gap_query args = {.job = str_of(job), .since_us = since_us, .now_us = now_us};
    struct rows rows = {.n = 0};

    return show(query->driver->gaps(query, &args, &arena, &rows, &t.err), &rows, columns, 2);
}

static void polls_come_newest_first_in_whole_slots(void)
{
    CHECK(begin());
    for (int i = 0; i < 5; i++)
        CHECK_OK(store_load(&t, &usd, SLOT(i), POLL_OK, i == 2 ? NULL : "a=1", NULL), t.err);
    CHECK_OK(store_load(&t, &eur, SLOT(9), POLL_OK, "a=1", NULL), t.err);
    CHECK_OK(store_load(&t, &usd, SLOT(4), POLL_OK, "a=2", NULL), t.err);
    CHECK_Z(polls("markets-usd", INT64_MAX, 100),
            "4 ok duplicate 11|4 ok rows 9|3 ok rows 7|2 ok none 5|1 ok rows 4|0 ok rows 2|");
    /* the limit falls into a slot: it comes whole */
    CHECK_Z(polls("markets-usd", INT64_MAX, 1), "4 ok duplicate 11|4 ok rows 9|");
    CHECK_Z(polls("markets-usd", SLOT(4), 2), "3 ok rows 7|2 ok none 5|");
    CHECK_Z(polls("markets-usd", SLOT(2), 100), "1 ok rows 4|0 ok rows 2|");
    CHECK_Z(polls("markets-usd", SLOT(0), 100), "");
    CHECK_Z(polls("markets-eur", INT64_MAX, 100), "9 ok rows 2|");
    CHECK_Z(polls("nobody", INT64_MAX, 100), "");
    CHECK_Z(polls("", INT64_MIN, 100), "");
    finish();
}

static void polls_have_all_their_columns(void)
{
    const struct poll_query args = {
        .job = STR("markets-usd"), .before_us = INT64_MAX, .limit = 100};
    struct rows rows = {.n = 0};

    CHECK(begin());
    CHECK_OK(store_load(&t, &usd, SLOT(1), POLL_OK, "a=1 b=2", NULL), t.err);
    CHECK_OK(query->driver->polls(query, &args, &arena, &rows, &t.err), t.err);
    CHECK_EQ(rows.n, 1);
    const struct cell *row = rows_at(&rows, 0);
    for (size_t i = 0; i < N_POLL_COLUMNS; i++)
        if (poll_table.columns[i].is_not_null)
            CHECK(row[i].kind == poll_table.columns[i].kind);
    CHECK_EQ(row[POLL_COLUMN_SLOT].number, SLOT(1));
    CHECK_EQ(row[POLL_COLUMN_NEXT_DUE].number, SLOT(2));
    CHECK_EQ(row[POLL_COLUMN_ROWS_NEW].number, 2);
    CHECK_EQ(row[POLL_COLUMN_HTTP_STATUS].number, 200);
    CHECK_STR(cell_text(&row[POLL_COLUMN_JOB]), "markets-usd");
    finish();
}

static void gaps_end_with_the_next_poll_or_not_at_all(void)
{
    CHECK(begin());
    static const int slots[] = {0, 1, 4, 5, 9};
    for (size_t i = 0; i < 5; i++)
        CHECK_OK(store_load(&t, &usd, SLOT(slots[i]), i == 3 ? POLL_ABORTED : POLL_OK,
                            i == 3 ? NULL : "a=1", NULL),
                 t.err);
    /* the poll of slot 5 was aborted: it did not happen */
    CHECK_Z(gaps("markets-usd", SLOT(-9), SLOT(10)), "5 9|2 4|");
    CHECK_Z(gaps("markets-usd", SLOT(-9), SLOT(12)), "5 9|2 4|");          /* a minute to arrive */
    CHECK_Z(gaps("markets-usd", SLOT(-9), SLOT(12) + 1), "10 -|5 9|2 4|"); /* the open one */
    CHECK_Z(gaps("markets-usd", SLOT(3), SLOT(10)), "5 9|2 4|");           /* still open at since */
    CHECK_Z(gaps("markets-usd", SLOT(4) + 1, SLOT(10)), "5 9|");
    CHECK_Z(gaps("markets-usd", SLOT(20), SLOT(12) + 1), "10 -|");
    CHECK_Z(gaps("markets-eur", SLOT(-9), SLOT(99)), "");
    finish();
}

/* The view for people and the statement for us must not differ. */
static void gaps_are_those_of_the_view(void)
{
    char path[128], text[512] = "";
    sqlite3 *db;
    sqlite3_stmt *stmt;

    CHECK(begin());
    static const int slots[] = {-50, -49, -40, -38, -37, -1};
    for (size_t i = 0; i < 6; i++)
        CHECK_OK(store_load(&t, &usd, SLOT(slots[i]), POLL_OK, "a=1", NULL), t.err);
    snprintf(path, sizeof(path), "%s/market.db", t.dir);
    CHECK_EQ(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    CHECK_EQ(sqlite3_prepare_v2(db,
                                "SELECT (from_slot - 1795444200000000) / 30000000, (until_slot - "
                                "1795444200000000) / 30000000 FROM gap WHERE job = 'markets-usd' "
                                "ORDER BY from_slot DESC",
                                -1, &stmt, NULL),
             SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW)
        if (sqlite3_column_type(stmt, 1) != SQLITE_NULL) /* its end depends on the hour */
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d %d|",
                     sqlite3_column_int(stmt, 0), sqlite3_column_int(stmt, 1));
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    CHECK_Z(text, "-36 -1|-39 -38|-48 -40|");
    CHECK_Z(gaps("markets-usd", SLOT(-99), SLOT(1)), text);
    finish();
}

static void spans_tell_which_version_made_what(void)
{
    static const size_t columns[] = {SPAN_JOB, SPAN_TRANSFORM_VERSION, SPAN_FIRST_SLOT,
                                     SPAN_LAST_SLOT, SPAN_POLLS};
    struct rows rows = {.n = 0};
    char path[128];
    sqlite3 *db;

    CHECK(begin());
    for (int i = 0; i < 5; i++)
        CHECK_OK(store_load(&t, &usd, SLOT(i), POLL_OK, i == 4 ? NULL : "a=1", NULL), t.err);
    /* as a program of before, and one to come, would have left it */
    snprintf(path, sizeof(path), "%s/market.db", t.dir);
    CHECK_EQ(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    CHECK_EQ(sqlite3_exec(db,
                          "UPDATE poll SET transform_version = CASE last_offset WHEN 6 THEN 9 "
                          "ELSE 8 END WHERE loaded = 'rows'",
                          NULL, NULL, NULL),
             SQLITE_OK);
    sqlite3_close(db);
    CHECK_Z(show(query->driver->spans(query, &arena, &rows, &t.err), &rows, columns, 5),
            "markets-usd 8 0 3 3|markets-usd 9 2 2 1|");
    finish();
}

/* A poll with two refusals, the later row's first. */
static enum st load_refused(struct made_stream *s, int64_t slot_us)
{
    struct sink_result result;
    struct made_poll poll;

    made_poll(&poll, s, slot_us, POLL_OK, "a=1");
    const uint64_t offset = poll.pages[0].record.offset;
    poll.rows.refusals =
        (struct refusal[]){{.offset = offset, .index = 4, .coin = STR("odd"), .reason = "missing"},
                           {.offset = offset,
                            .index = 3,
                            .coin = STR("bad"),
                            .field = STR("high_24h"),
                            .reason = "wrong type",
                            .value = STR("true")}};
    poll.rows.n_refusals = 2;
    enum st st = t.sink.driver->load(&t.sink, &poll.load, &result, &t.err);
    made_release(&poll);
    return st;
}

/* A poll that the transform refused as a whole. */
static enum st load_unreadable(struct made_stream *s, int64_t slot_us)
{
    struct sink_result result;
    struct made_poll poll;

    made_poll(&poll, s, slot_us, POLL_OK, "a=1");
    poll.load.rows = NULL;
    poll.load.error = STR("an object");
    enum st st = t.sink.driver->load(&t.sink, &poll.load, &result, &t.err);
    made_release(&poll);
    return st;
}

static const char *refusals(uint32_t limit)
{
    static const size_t columns[] = {REFUSAL_JOB,  REFUSAL_SLOT,   REFUSAL_OFFSET, REFUSAL_IDX,
                                     REFUSAL_COIN, REFUSAL_REASON, REFUSAL_STAGE};
    struct rows rows = {.n = 0};

    return show(query->driver->refusals(query, limit, &arena, &rows, &t.err), &rows, columns, 7);
}

static void refusals_come_newest_slot_first(void)
{
    CHECK(begin());
    CHECK_Z(refusals(10), "");
    CHECK_OK(load_refused(&usd, SLOT(1)), t.err);
    CHECK_OK(load_unreadable(&eur, SLOT(2)), t.err);
    CHECK_OK(store_load(&t, &usd, SLOT(3), POLL_OK, "a=1", NULL), t.err);
    CHECK_OK(store_load(&t, &usd, SLOT(4), POLL_FAILED, NULL, NULL), t.err);
    CHECK_Z(refusals(10), "markets-eur 2 2 - - an object load|"
                          "markets-usd 1 1 3 bad wrong type transform|"
                          "markets-usd 1 1 4 odd missing transform|");
    CHECK_Z(refusals(1), "markets-eur 2 2 - - an object load|");
    finish();
}

static void flags_come_newest_slot_first(void)
{
    static const size_t columns[] = {FLAG_JOB, FLAG_SLOT, FLAG_COIN, FLAG_RULE};
    struct rows rows = {.n = 0};

    CHECK(begin());
    CHECK_OK(store_load(&t, &usd, SLOT(1), POLL_OK, "a=-1 b=2", NULL), t.err);
    CHECK_OK(store_load(&t, &eur, SLOT(2), POLL_OK, "c=-1", NULL), t.err);
    CHECK_Z(show(query->driver->flags(query, 10, &arena, &rows, &t.err), &rows, columns, 4),
            "markets-eur 2 c negative|markets-usd 1 a negative|");
    CHECK(rows_at(&rows, 0)[FLAG_DETAIL].len > 0);
    rows.n = 0;
    CHECK_Z(show(query->driver->flags(query, 1, &arena, &rows, &t.err), &rows, columns, 4),
            "markets-eur 2 c negative|");
    finish();
}

#define DAY_US INT64_C(86400000000)

/* "ok/failed promised missed|" of each day. */
static const char *coverage(const char *job, int64_t from_us, int64_t until_us)
{
    static char text[400];
    const struct coverage_query args = {
        .job = str_of(job), .from_us = from_us, .until_us = until_us, .now_us = SLOT(13)};
    struct rows rows;
    size_t len = 0;

    if (query->driver->coverage(query, &args, &arena, &rows, &t.err) != ST_OK)
        return t.err.msg;
    text[0] = '\0';
    for (size_t i = 0; i < rows.n; i++) {
        const struct cell *row = rows_at(&rows, i);
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%d/%d %d %d|",
                             (int)row[COVERAGE_OK].number, (int)row[COVERAGE_FAILED].number,
                             (int)row[COVERAGE_PROMISED].number, (int)row[COVERAGE_MISSED].number);
    }
    return text;
}

static void coverage_counts_days(void)
{
    const int64_t today = time_floor(T0, DAY_US);

    CHECK(begin());
    for (int i = 0; i < 10; i++)
        if (i != 4 && i != 5)
            CHECK_OK(store_load(&t, &usd, SLOT(i), i == 7 ? POLL_FAILED : POLL_OK,
                                i == 7 ? NULL : "a=1", NULL),
                     t.err);
    CHECK_Z(coverage("markets-usd", today - DAY_US, today + DAY_US), "0/0 0 0|7/1 12 5|");
    CHECK_Z(coverage("markets-usd", today - 2 * DAY_US, today), "0/0 0 0|0/0 0 0|");
    CHECK_Z(coverage("markets-eur", today, today + DAY_US), "0/0 0 0|");
    CHECK_Z(coverage("nobody", today, today + DAY_US), "0/0 0 0|");
    finish();
}

static void a_store_that_is_not_there_yet_tells_later(void)
{
    struct query *early;
    struct rows rows;
    const struct poll_query args = {.job = STR("x"), .before_us = INT64_MAX, .limit = 1};

    store_make(&t, "sqlite:", "/none.db");
    arena_init(&arena, 1 << 20);
    const struct sink_driver *driver;
    CHECK_OK(sink_driver_find(STR("sqlite"), &driver, &t.err), t.err);
    CHECK_OK(driver->open_query(&t.url, &early, &t.err), t.err);
    CHECK_EQ(early->driver->polls(early, &args, &arena, &rows, &t.err), ST_AGAIN);
    CHECK_EQ(early->driver->spans(early, &arena, &rows, &t.err), ST_AGAIN);
    early->driver->close(early);
    store_remove(&t);
    arena_release(&arena);
}

int main(void)
{
    static const struct tap_case cases[] = {
        TAP_CASE(polls_come_newest_first_in_whole_slots), TAP_CASE(polls_have_all_their_columns),
        TAP_CASE(gaps_end_with_the_next_poll_or_not_at_all),
        TAP_CASE(refusals_come_newest_slot_first), TAP_CASE(flags_come_newest_slot_first),
        TAP_CASE(coverage_counts_days),
        /* these look into a file */
        TAP_CASE(gaps_are_those_of_the_view), TAP_CASE(spans_tell_which_version_made_what),
        TAP_CASE(a_store_that_is_not_there_yet_tells_later)};

    return tap_run(cases, getenv("PGTEST_URL") ? 6 : 9);
}
