/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"
#include "base/file.h"
#include "row/tables.h"
#include "tap.h"
#include "transform/coins.h"
#include "transform/drift.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct test_store t;

static void begin(void)
{
    store_make(&t, "sqlite:", "/market.db");
}

static const char *ask(const char *sql)
{
    return store_ask(&t, sql);
}

static bool run(const char *sql)
{
    sqlite3 *db;

    bool is_ok = sqlite3_open(t.url.rest, &db) == SQLITE_OK &&
                 sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
    sqlite3_close(db);
    return is_ok;
}

/* Those of a table in row/, or of its last rows. */
static void check_columns(const struct table *table, const char *name)
{
    struct buf want = BUF_INIT(8192);
    char sql[256];

    buf_addf(&want, "slot|INTEGER|1\njob_id|INTEGER|1\n%s",
             table->is_of_coins                         ? "coin_id|INTEGER|1"
             : table->columns[ROW_ID].kind == CELL_TIME ? "at|INTEGER|1"
                                                        : "id|TEXT|1");
    for (size_t i = table->first_stored; i < table->n_columns; i++) {
        const struct column *c = &table->columns[i];
        const char *type = c->kind == CELL_TEXT ? "TEXT" : c->kind == CELL_NUM ? "" : "INTEGER";
        buf_addf(&want, "\n%s|%s|%d", c->name, type, c->is_not_null);
    }
    snprintf(sql, sizeof(sql), "SELECT name, type, \"notnull\" FROM pragma_table_info('%s')", name);
    CHECK_Z(ask(sql), buf_z(&want));
    snprintf(
        sql, sizeof(sql),
        "SELECT group_concat(name) FROM (SELECT name FROM pragma_table_info('%s') WHERE pk > 0 "
        "ORDER BY pk)",
        name);
    buf_clear(&want);
    buf_addf(&want, "%sjob_id,%s", name == table->name ? "slot," : "",
             table->is_of_coins ? "coin_id" : table->columns[ROW_ID].name);
    CHECK_Z(ask(sql), buf_z(&want));
    buf_release(&want);
}

static void the_tables_have_the_columns_of_row(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    for (size_t i = 0; i < N_ROW_TABLES; i++) {
        check_columns(row_tables[i], row_tables[i]->name);
        if (row_tables[i]->latest)
            check_columns(row_tables[i], row_tables[i]->latest);
    }
    CHECK_Z(ask("SELECT name, \"notnull\" FROM pragma_table_info('coin') WHERE name IN "
                "('id', 'symbol', 'name', 'image')"),
            "id|1\nsymbol|1\nname|1\nimage|0");
    CHECK_Z(ask("SELECT group_concat(name) FROM pragma_table_info('coin_market_raw')"),
            "id,symbol,name,image,current_price,market_cap,market_cap_rank,total_volume,high_24h,"
            "low_24h,price_change_24h,price_change_percentage_24h,last_updated");
    CHECK_Z(ask("SELECT group_concat(name) FROM pragma_table_info('coin_market_processed')"),
            "id,symbol,name,current_price,market_cap,total_volume,last_updated");
}

static void a_new_file_is_set_up_as_promised(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_Z(ask("PRAGMA page_size"), "8192");
    CHECK_Z(ask("PRAGMA journal_mode"), "wal");
    CHECK_Z(ask("PRAGMA application_id"), "1734568820");
    CHECK_Z(ask("SELECT version, oldest_program, applied_by FROM schema_version"),
            "1|0.1.0|" GECKOTAPE_VERSION "\n2|0.1.0|" GECKOTAPE_VERSION
            "\n3|0.1.0|" GECKOTAPE_VERSION "\n4|0.1.0|" GECKOTAPE_VERSION
            "\n5|0.1.0|" GECKOTAPE_VERSION "\n6|0.1.0|" GECKOTAPE_VERSION);
}

static void numbers_are_integer_or_real_or_text_and_never_another_number(void)
{
    static const struct {
        const char *lexeme, *want;
    } rows[] = {
        {"21000000.0", "integer|21000000"},
        {"1.0e15", "integer|1000000000000000"},
        {"9223372036854775807", "integer|9223372036854775807"},
        {"-0.0", "integer|0"},
        {"0.1", "real|0.1"},
        {"2.6e-9", "real|2.6e-09"},
        {"1.9026007997779706e+37", "real|1.90260079977797e+37"},
        {"0.10000000000000001", "text|0.10000000000000001"},
        {"123456789012345678901234567890", "text|123456789012345678901234567890"},
    };
    struct made_stream s = made_stream("markets-usd", 1);
    char text[128];

    CHECK_OK(store_begin(&t, &s), t.err);
    for (int i = 0; i < (int)(sizeof(rows) / sizeof(rows[0])); i++) {
        snprintf(text, sizeof(text), "bitcoin=%s", rows[i].lexeme);
        CHECK_OK(store_load(&t, &s, SLOT(i), POLL_OK, text, NULL), t.err);
        CHECK_Z(ask("SELECT typeof(current_price), current_price FROM market ORDER BY slot DESC "
                    "LIMIT 1"),
                rows[i].want);
    }
}

static void unchanged_rows_are_left_out_behind_the_poll_they_equal(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct sink_result result;

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1 ripple=2", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(1), POLL_OK, "*bitcoin=1 ripple=3", &result), t.err);
    CHECK_EQ(result.n_unchanged, 1);
    CHECK_EQ(result.n_stored, 1);
    CHECK_OK(store_load(&t, &s, SLOT(2), POLL_FAILED, NULL, NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(3), POLL_OK, "*bitcoin=1 *ripple=3", &result), t.err);
    CHECK_EQ(result.n_unchanged, 2);
    CHECK_Z(ask("SELECT count(*) FROM market"), "3");
    CHECK_Z(ask("SELECT rows_new, rows_unchanged FROM poll ORDER BY slot"), "2|0\n1|1\n0|0\n0|2");
}

static void unchanged_rows_are_stored_behind_any_other_poll(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);
    struct sink_result result;

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_attach(&t, &other), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1", NULL), t.err);
    /* another stream's poll came between */
    CHECK_OK(store_load(&t, &other, SLOT(1), POLL_OK, "bitcoin=5", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(2), POLL_OK, "*bitcoin=1", &result), t.err);
    CHECK_EQ(result.n_unchanged, 0);
    /* a slot before the one they equal: the clock was set back */
    CHECK_OK(store_load(&t, &s, SLOT(2) - 1, POLL_OK, "*bitcoin=1", &result), t.err);
    CHECK_EQ(result.n_unchanged, 0);
    /* a partial poll may be replaced */
    CHECK_OK(store_load(&t, &s, SLOT(4), POLL_PARTIAL, "bitcoin=1", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(5), POLL_OK, "*bitcoin=1", &result), t.err);
    CHECK_EQ(result.n_unchanged, 0);
    /* rows made by another version of the transform */
    CHECK(run("UPDATE poll SET transform_version = 99"));
    CHECK_OK(store_load(&t, &s, SLOT(6), POLL_OK, "*bitcoin=1", &result), t.err);
    CHECK_EQ(result.n_unchanged, 0);
    CHECK_EQ(result.n_stored, 1);
}

static void a_late_poll_does_not_change_what_came_after_it(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_attach(&t, &other), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1 ripple=2 dead=3", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(2), POLL_OK, "*bitcoin=1 ripple=4 -dead", NULL), t.err);
    CHECK_OK(store_load(&t, &other, SLOT(1), POLL_OK, "bitcoin=9 ripple=9", NULL), t.err);
    CHECK_Z(ask("SELECT id, current_price FROM market JOIN coin USING (coin_id) ORDER BY slot, id"),
            "bitcoin|1\ndead|3\nripple|2\nbitcoin|9\nripple|9\nbitcoin|1\nripple|4");
    CHECK_Z(ask("SELECT id, current_price FROM latest JOIN coin USING (coin_id) ORDER BY id"),
            "bitcoin|1\ndead|3\nripple|4");
    CHECK_Z(ask("SELECT rows_new, rows_unchanged FROM poll ORDER BY slot"), "3|0\n2|0\n2|0");
}

static void the_last_row_of_a_replaced_poll_goes_with_it(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1 ripple=2", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(1), POLL_PARTIAL, "ripple=3 new=4", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(1), POLL_OK, "bitcoin=5", NULL), t.err);
    CHECK_Z(ask("SELECT id, current_price FROM latest JOIN coin USING (coin_id) ORDER BY id"),
            "bitcoin|5\nripple|2");
    CHECK_Z(ask("SELECT outcome, loaded, rows_new FROM poll ORDER BY last_offset"),
            "ok|rows|2\npartial|duplicate|0\nok|rows|1");
}

static void duplicates_are_recorded_with_their_reason(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_attach(&t, &other), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_OK(store_load(&t, &other, SLOT(0), POLL_OK, "bitcoin=2", NULL), t.err);
    CHECK_Z(ask("SELECT loaded, rows_in, rows_new, error FROM poll ORDER BY stream"),
            "rows|1|1|NULL\nduplicate|1|0|duplicate: the slot has the rows of offset 2 of stream "
            "01010101-0101-0101-0101-010101010101");
}

static void a_poll_is_recorded_as_it_went(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct sink_result result;
    struct made_poll poll;

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_FAILED, NULL, NULL), t.err);
    made_poll(&poll, &s, SLOT(1), POLL_OK, "bitcoin=1");
    poll.load.credits = 2;
    poll.end.bytes = 77;
    poll.rows.refusals = &(struct refusal){.offset = poll.pages[0].record.offset,
                                           .index = 4,
                                           .coin = STR("odd"),
                                           .field = STR("high_24h"),
                                           .reason = "wrong type",
                                           .value = STR("true")};
    poll.rows.n_refusals = 1;
    poll.rows.drifts = (const struct drift[]){{.kind = DRIFT_NEW, .field = STR("moon")},
                                              {.kind = DRIFT_NEW, .field = STR("mars")}};
    poll.rows.n_drifts = 2;
    enum st st = t.sink.driver->load(&t.sink, &poll.load, &result, &t.err);
    made_release(&poll);
    CHECK_OK(st, t.err);
    CHECK_Z(
        ask("SELECT slot, outcome, loaded, started, finished, next_due, attempts, http_status, "
            "pages, pages_missing, rows_in, rows_new, rows_quarantined, bytes, credits, "
            "transform_version, first_offset, last_offset, drift, error FROM poll ORDER BY slot"),
        "1795444200000000|failed|none|1795444200000000|1795444202000000|1795444230000000|1|429|"
        "1|1|0|0|0|0|0|NULL|1|1|NULL|HTTP 429\n"
        "1795444230000000|ok|rows|1795444230000000|1795444232000000|1795444260000000|1|200|"
        "1|0|1|1|1|77|2|3|2|3|new: moon, mars|NULL");
    CHECK_Z(ask("SELECT * FROM quarantine"), "01010101-0101-0101-0101-010101010101|2|4|odd|"
                                             "high_24h|wrong type|true|transform");
}

static void a_poll_that_was_refused_is_in_quarantine(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct sink_result result;
    struct made_poll poll;

    CHECK_OK(store_begin(&t, &s), t.err);
    made_poll(&poll, &s, SLOT(1), POLL_OK, "bitcoin=1");
    poll.load.rows = NULL;
    poll.load.error = STR("transform: an object");
    enum st st = t.sink.driver->load(&t.sink, &poll.load, &result, &t.err);
    made_release(&poll);
    CHECK_OK(st, t.err);
    CHECK_Z(ask("SELECT \"offset\", idx, reason, stage FROM quarantine"),
            "2|NULL|transform: an object|load");
    CHECK_Z(ask("SELECT loaded, error FROM poll"), "none|transform: an object");
}

static void absences_open_and_close(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1 ripple=2", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(1), POLL_OK, "bitcoin=1 -ripple", NULL), t.err);
    CHECK_Z(ask("SELECT id, from_slot, until_slot FROM absence JOIN coin USING (coin_id)"),
            "ripple|1795444230000000|NULL");
    CHECK_Z(ask("SELECT last_seen FROM coin WHERE id = 'ripple'"), "1795444202000000");
    CHECK_OK(store_load(&t, &s, SLOT(2), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(3), POLL_PARTIAL, "ripple=3", NULL), t.err);
    CHECK_Z(ask("SELECT id, from_slot, until_slot FROM absence JOIN coin USING (coin_id)"),
            "ripple|1795444230000000|1795444290000000");
    CHECK_OK(store_load(&t, &s, SLOT(4), POLL_OK, "bitcoin=1 -ripple", NULL), t.err);
    CHECK_Z(ask("SELECT count(*) FROM absence WHERE until_slot IS NULL"), "1");
}

/* The slots of each absence, counted from SLOT(0). */
static const char *ask_absences(void)
{
    return ask("SELECT id, (from_slot - 1795444200000000) / 30000000, "
               "(until_slot - 1795444200000000) / 30000000 FROM absence JOIN coin USING (coin_id) "
               "ORDER BY id, from_slot");
}

static void an_absence_that_began_in_a_gap_is_moved_back(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_attach(&t, &other), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1 left=2 back=3 came=4", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(4), POLL_OK, "bitcoin=1 came=4 -left -back", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(5), POLL_OK, "bitcoin=1 back=3 came=4", NULL), t.err);
    /* another tape has what was between: both had left already, and one more was away */
    CHECK_OK(store_load(&t, &other, SLOT(1), POLL_OK, "bitcoin=5 left=5 back=5 came=5", NULL),
             t.err);
    CHECK_OK(store_load(&t, &other, SLOT(3), POLL_OK, "bitcoin=5 -left -back -came", NULL), t.err);
    CHECK_Z(ask_absences(), "back|3|5\ncame|3|4\nleft|3|NULL");
    CHECK_Z(ask("SELECT count(*) FROM poll WHERE loaded = 'rows'"), "5");
    struct made_stream third = made_stream("markets-usd", 3);
    CHECK_OK(store_attach(&t, &third), t.err);
    CHECK_OK(store_load(&t, &third, SLOT(2), POLL_OK, "bitcoin=6 left=6 came=6 -back", NULL),
             t.err);
    CHECK_Z(ask_absences(), "back|2|5\ncame|3|4\nleft|3|NULL");
}

static void absences_of_a_late_poll_go_by_the_rows_that_are_there(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_attach(&t, &other), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1 left=2", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(2), POLL_OK, "bitcoin=1 new=3 -left", NULL), t.err);
    /* what it was compared with is not here: "new" was in it, and "left" was not any more */
    CHECK_OK(store_load(&t, &other, SLOT(1), POLL_OK, "bitcoin=5 -new", NULL), t.err);
    CHECK_Z(ask_absences(), "left|1|NULL");
    CHECK_Z(ask("SELECT rows_absent FROM poll ORDER BY slot"), "0\n1\n1");
}

static void a_coin_that_only_a_partial_poll_saw_is_absent_again(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct sink_result result;
    struct made_poll poll;

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1 odd=1 ripple=2", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(1), POLL_OK, "bitcoin=1 odd=1 -ripple", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(2), POLL_PARTIAL, "ripple=3 new=4", NULL), t.err);
    /* a row that was refused is a coin that is there */
    made_poll(&poll, &s, SLOT(3), POLL_OK, "bitcoin=1");
    coins_add(poll.rows.coins, STR("odd"), COINS_NO_ROW);
    enum st st = t.sink.driver->load(&t.sink, &poll.load, &result, &t.err);
    made_release(&poll);
    CHECK_OK(st, t.err);
    CHECK_Z(ask_absences(), "new|3|NULL\nripple|1|2\nripple|3|NULL");
    CHECK_Z(ask("SELECT rows_absent FROM poll ORDER BY slot"), "0\n1\n0\n2");
}

static void an_absence_goes_on_when_the_poll_that_ended_it_is_replaced(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_attach(&t, &other), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1 left=2 back=3", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(1), POLL_OK, "bitcoin=1 -left -back", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(2), POLL_PARTIAL, "left=3 back=4", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(2), POLL_OK, "bitcoin=1 back=5", NULL), t.err);
    CHECK_Z(ask_absences(), "back|1|2\nleft|1|NULL");
    /* and when there are later ones */
    CHECK_OK(store_load(&t, &s, SLOT(4), POLL_PARTIAL, "left=3", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(5), POLL_OK, "bitcoin=1 back=5", NULL), t.err);
    CHECK_Z(ask_absences(), "back|1|2\nleft|1|4\nleft|5|NULL");
    CHECK_OK(store_load(&t, &other, SLOT(4), POLL_OK, "bitcoin=1 back=5", NULL), t.err);
    CHECK_Z(ask_absences(), "back|1|2\nleft|1|NULL");
}

static void absences_are_found_within_a_batch_too(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct sink_result result;

    CHECK_OK(store_begin(&t, &s), t.err);
    for (int i = 0; i < 3; i++) {
        struct made_poll poll;
        s.last_ok_end = 0;
        made_poll(&poll, &s, SLOT(i), POLL_OK, i == 0 ? "a=1 b=1 c=1" : i == 1 ? "a=1 c=1" : "a=2");
        poll.load.is_last = i == 2;
        enum st st = t.sink.driver->load(&t.sink, &poll.load, &result, &t.err);
        made_release(&poll);
        CHECK_OK(st, t.err);
    }
    CHECK_Z(ask_absences(), "b|1|NULL\nc|2|NULL");
    CHECK_Z(ask("SELECT count(*) FROM latest"), "3");
}

static void a_coin_that_a_late_poll_saw_last_is_absent_now(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_attach(&t, &other), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1 ripple=2", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(1), POLL_OK, "bitcoin=2 -ripple", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(3), POLL_PARTIAL, "bitcoin=3", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(5), POLL_OK, "bitcoin=4", NULL), t.err);
    CHECK_OK(store_load(&t, &other, SLOT(2), POLL_OK, "bitcoin=9 ripple=9 brief=9", NULL), t.err);
    CHECK_Z(ask_absences(), "brief|5|NULL\nripple|1|2\nripple|5|NULL");
}

/* Load a poll whose one coin has this symbol and was seen at this time. */
static enum st load_named(struct made_stream *s, int64_t slot_us, const char *symbol)
{
    struct made_poll poll;
    struct sink_result result;

    made_poll(&poll, s, slot_us, POLL_OK, "bitcoin=1");
    rows_at(&poll.rows.rows, 0)[MARKET_SYMBOL] = cell_of_text(str_of(symbol));
    enum st st = t.sink.driver->load(&t.sink, &poll.load, &result, &t.err);
    made_release(&poll);
    return st;
}

/* "c<first>=1 …", n of them */
static const char *many_coins(int first, int n)
{
    static char rows[1024];
    size_t len = 0;

    for (int i = first; i < first + n; i++)
        len += (size_t)snprintf(rows + len, sizeof(rows) - len, "%sc%d=1", i > first ? " " : "", i);
    return rows;
}

static void many_coins_are_looked_up_and_added_at_once(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-eur", 2);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, many_coins(0, 20), NULL), t.err);
    store_shut(&t); /* and a loader that remembers nothing, of a job that has seen none */
    CHECK_OK(store_begin(&t, &other), t.err);
    CHECK_OK(store_load(&t, &other, SLOT(2), POLL_OK, many_coins(5, 30), NULL), t.err);
    CHECK_Z(ask("SELECT count(*), count(DISTINCT id), min(first_seen) FROM coin"),
            "35|35|1795444201000000");
    CHECK_Z(ask("SELECT count(*), count(DISTINCT coin_id), sum(since = first_seen) "
                "FROM coin JOIN coin_name USING (coin_id, symbol, name)"),
            "35|35|35");
    CHECK_Z(ask("SELECT group_concat(n) FROM (SELECT count(*) AS n "
                "FROM market JOIN coin USING (coin_id) WHERE first_seen <= fetched_at GROUP BY "
                "job_id ORDER BY job_id)"),
            "20,30");
}

static void names_are_kept_over_time(void)
{
    const int64_t hour = 3600 * US_PER_S;
    struct made_stream s = made_stream("markets-usd", 1), late = made_stream("markets-usd", 2);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(load_named(&s, T0, "btc"), t.err);
    CHECK_OK(load_named(&s, T0 + hour, "xbt"), t.err);
    store_shut(&t); /* and a loader that remembers nothing */
    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(load_named(&s, T0 + 2 * hour, "xbt"), t.err);
    CHECK_OK(store_attach(&t, &late), t.err);
    CHECK_OK(load_named(&late, T0 - hour, "old"), t.err);
    CHECK_Z(ask("SELECT symbol, (first_seen - 1795444201000000) / 3600000000, "
                "(last_seen - 1795444201000000) / 3600000000 FROM coin"),
            "xbt|-1|2");
    CHECK_Z(ask("SELECT symbol, (since - 1795444201000000) / 3600000000 FROM coin_name "
                "ORDER BY since"),
            "btc|0\nxbt|1");
}

static void the_old_views_show_the_newest_row_of_each_coin(void)
{
    struct made_stream usd = made_stream("markets-usd", 1), eur = made_stream("markets-eur", 2),
                       top = made_stream("markets-usd-top100", 3);

    CHECK_OK(store_begin(&t, &usd), t.err);
    CHECK_OK(store_attach(&t, &eur), t.err);
    CHECK_OK(store_attach(&t, &top), t.err);
    CHECK_OK(store_load(&t, &usd, SLOT(0), POLL_OK, "bitcoin=1 ripple=2.5", NULL), t.err);
    CHECK_OK(store_load(&t, &eur, SLOT(1), POLL_OK, "bitcoin=7", NULL), t.err);
    CHECK_OK(store_load(&t, &top, SLOT(1), POLL_OK, "bitcoin=3", NULL), t.err);
    CHECK_Z(ask("SELECT id, current_price, market_cap, last_updated FROM coin_market_raw "
                "ORDER BY id"),
            "bitcoin|3|NULL|2026-11-23T14:30:30.000Z\nripple|2.5|NULL|2026-11-23T14:30:00.000Z");
    CHECK_Z(ask("SELECT id, symbol, name, current_price FROM coin_market_processed ORDER BY id"),
            "bitcoin|bitcoin|bitcoin|3\nripple|ripple|ripple|2.5");
    CHECK(run("UPDATE latest SET last_updated = 1795444200123456"));
    CHECK_Z(ask("SELECT DISTINCT last_updated FROM coin_market_raw"),
            "2026-11-23T14:30:00.123456Z");
}

static void gaps_are_polls_that_were_promised_and_did_not_happen(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(-4000), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(-3999), POLL_FAILED, NULL, NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(-3998), POLL_ABORTED, NULL, NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(-3990), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(-3989), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_Z(ask("SELECT job, (from_slot - 1795444200000000) / 30000000, "
                "(until_slot - 1795444200000000) / 30000000 FROM gap WHERE until_slot > 0"),
            "markets-usd|-3998|-3990");
}

static void jobs_of_one_name_and_another_selection_are_refused(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);

    CHECK_OK(store_begin(&t, &s), t.err);
    snprintf(other.id.selection, sizeof(other.id.selection), "top=100");
    CHECK_EQ(store_attach(&t, &other), ST_FATAL);
    CHECK(strstr(t.err.msg, "top=100") && strstr(t.err.msg, "another name"));
}

static void real_and_simulated_rows_do_not_share_a_file(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    store_shut(&t);
    t.sink.is_simulated = true;
    CHECK_EQ(store_open(&t), ST_REJECT);
    CHECK(strstr(t.err.msg, "holds real rows") != NULL);
}

static void another_programs_database_is_left_as_it_is(void)
{
    CHECK(run("CREATE TABLE theirs (x); PRAGMA application_id = 7"));
    struct buf before = BUF_INIT(1 << 20), after = BUF_INIT(1 << 20);
    CHECK_OK(file_read(t.url.rest, &before, &t.err), t.err);
    CHECK_EQ(store_open(&t), ST_REJECT);
    CHECK(strstr(t.err.msg, "another program") != NULL);
    store_shut(&t);
    CHECK_OK(file_read(t.url.rest, &after, &t.err), t.err);
    CHECK(str_eq(buf_str(&before), buf_str(&after)));
    buf_release(&before);
    buf_release(&after);
}

static void a_file_that_is_no_database_is_fatal_with_the_mend(void)
{
    char text[5000];

    memset(text, 'x', sizeof(text));
    CHECK_OK(file_replace(t.url.rest, (struct str){text, sizeof(text)}, &t.err), t.err);
    CHECK_EQ(store_open(&t), ST_FATAL);
    CHECK(strstr(t.err.msg, "not a database") && strstr(t.err.msg, "move the file away"));
}

static void a_newer_schema_is_written_only_by_programs_it_names(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    store_shut(&t);
    CHECK(run("INSERT INTO schema_version VALUES (98, '0.1.0', '0.2.0', 0)"));
    CHECK_OK(store_begin(&t, &s), t.err);
    store_shut(&t);
    CHECK(run("INSERT INTO schema_version VALUES (99, '0.10.0', '0.11.0', 0)"));
    CHECK_EQ(store_open(&t), ST_REJECT);
    CHECK(strstr(t.err.msg, "version 99") && strstr(t.err.msg, "knows version 6") &&
          strstr(t.err.msg, "geckotape 0.10.0 or later"));
}

static void a_file_that_may_not_be_written_is_fatal_with_the_mend(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    int status = 0;

    if (geteuid() != 0)
        SKIP("needs root, to become somebody else");
    CHECK_OK(store_begin(&t, &s), t.err);
    store_shut(&t);
    chmod(t.dir, 0755);
    pid_t child = fork();
    if (child == 0) {
        if (seteuid(65534) != 0)
            _exit(2);
        enum st st = store_open(&t);
        _exit(st == ST_FATAL && strstr(t.err.msg, "allow this user to write") ? 0 : 1);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

static void a_file_that_is_deleted_or_replaced_is_opened_anew(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);
    char aside[SINK_URL_MAX + 8];

    snprintf(aside, sizeof(aside), "%s.aside", t.url.rest);
    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_EQ(rename(t.url.rest, aside), 0);
    CHECK_EQ(store_load(&t, &s, SLOT(1), POLL_OK, "bitcoin=2", NULL), ST_AGAIN);
    CHECK(strstr(t.err.msg, "moved, deleted or replaced") != NULL);
    CHECK_EQ(store_attach(&t, &s), ST_AGAIN);
    store_shut(&t);
    CHECK_OK(store_begin(&t, &other), t.err); /* which is at the tape's beginning */
    CHECK_OK(store_load(&t, &other, SLOT(1), POLL_OK, "bitcoin=2", NULL), t.err);
    CHECK_Z(ask("SELECT current_price FROM market"), "2");
    CHECK_EQ(rename(aside, t.url.rest), 0);
    CHECK_EQ(store_load(&t, &other, SLOT(2), POLL_OK, "bitcoin=3", NULL), ST_AGAIN);
    store_shut(&t);
    s = made_stream("markets-usd", 2);
    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(2), POLL_OK, "bitcoin=3", NULL), t.err);
    CHECK_Z(ask("SELECT current_price FROM market ORDER BY slot"), "1\n3");
    CHECK_Z(ask("PRAGMA integrity_check"), "ok");
}

static void *let_go_later(void *db)
{
    usleep(150 * 1000);
    sqlite3_close(db);
    return NULL;
}

static void a_new_file_that_is_locked_is_waited_for(void)
{
    pthread_t thread;
    sqlite3 *db;

    CHECK_EQ(sqlite3_open(t.url.rest, &db), SQLITE_OK);
    CHECK_EQ(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    CHECK_EQ(pthread_create(&thread, NULL, let_go_later, db), 0);
    enum st st = store_open(&t);
    pthread_join(thread, NULL);
    CHECK_OK(st, t.err);
}

static void a_store_that_is_locked_is_tried_again(void)
{
    struct made_stream s = made_stream("markets-usd", 1), before;
    sqlite3 *db;

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_EQ(sqlite3_open(t.url.rest, &db), SQLITE_OK);
    CHECK_EQ(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    before = s;
    CHECK_EQ(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1", NULL), ST_AGAIN);
    sqlite3_close(db);
    s = before;
    CHECK_OK(store_attach(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1", NULL), t.err);
}

static void a_row_that_the_database_refuses_is_rejected_and_undone(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK(run("CREATE TRIGGER no BEFORE INSERT ON coin WHEN NEW.id = 'bad' BEGIN "
              "SELECT raise(ABORT, 'bad coin'); END"));
    CHECK_EQ(store_load(&t, &s, SLOT(0), POLL_OK, "bitcoin=1 bad=2", NULL), ST_REJECT);
    CHECK(strstr(t.err.msg, "bad coin") != NULL);
    CHECK_Z(ask("SELECT (SELECT count(*) FROM coin), (SELECT count(*) FROM poll)"), "0|0");
}

static void a_steady_load_allocates_nothing(void)
{
    struct made_stream s = made_stream("markets-usd", 1);
    struct sink_result result;

    CHECK_OK(store_begin(&t, &s), t.err);
    for (int i = 0; i < 150; i++) {
        struct made_poll poll;
        made_poll(&poll, &s, SLOT(i), POLL_OK, "bitcoin=1 ripple=2 ethereum=3");
        unsigned long before = mem_count();
        enum st st = t.sink.driver->load(&t.sink, &poll.load, &result, &t.err);
        unsigned long n = mem_count() - before;
        made_release(&poll);
        CHECK_OK(st, t.err);
        if (i > 130 || (i > 1 && i < 9)) /* the first candles of each length make statements */
            CHECK_EQ(n, 0);
    }
}

#define CASES(X)                                                    \
    X(the_tables_have_the_columns_of_row)                           \
    X(a_new_file_is_set_up_as_promised)                             \
    X(numbers_are_integer_or_real_or_text_and_never_another_number) \
    X(unchanged_rows_are_left_out_behind_the_poll_they_equal)       \
    X(unchanged_rows_are_stored_behind_any_other_poll)              \
    X(a_late_poll_does_not_change_what_came_after_it)               \
    X(the_last_row_of_a_replaced_poll_goes_with_it)                 \
    X(duplicates_are_recorded_with_their_reason)                    \
    X(a_poll_is_recorded_as_it_went)                                \
    X(a_poll_that_was_refused_is_in_quarantine)                     \
    X(absences_open_and_close)                                      \
    X(an_absence_that_began_in_a_gap_is_moved_back)                 \
    X(absences_of_a_late_poll_go_by_the_rows_that_are_there)        \
    X(a_coin_that_only_a_partial_poll_saw_is_absent_again)          \
    X(an_absence_goes_on_when_the_poll_that_ended_it_is_replaced)   \
    X(absences_are_found_within_a_batch_too)                        \
    X(a_coin_that_a_late_poll_saw_last_is_absent_now)               \
    X(many_coins_are_looked_up_and_added_at_once)                   \
    X(names_are_kept_over_time)                                     \
    X(the_old_views_show_the_newest_row_of_each_coin)               \
    X(gaps_are_polls_that_were_promised_and_did_not_happen)         \
    X(jobs_of_one_name_and_another_selection_are_refused)           \
    X(real_and_simulated_rows_do_not_share_a_file)                  \
    X(another_programs_database_is_left_as_it_is)                   \
    X(a_file_that_is_no_database_is_fatal_with_the_mend)            \
    X(a_newer_schema_is_written_only_by_programs_it_names)          \
    X(a_file_that_may_not_be_written_is_fatal_with_the_mend)        \
    X(a_file_that_is_deleted_or_replaced_is_opened_anew)            \
    X(a_new_file_that_is_locked_is_waited_for)                      \
    X(a_store_that_is_locked_is_tried_again)                        \
    X(a_row_that_the_database_refuses_is_rejected_and_undone)       \
    X(a_steady_load_allocates_nothing)

#define CASE(function)            \
    static void function##_(void) \
    {                             \
        begin();                  \
        function();               \
        store_remove(&t);         \
    }
CASES(CASE)

#define ROW(function) {#function, function##_},
int main(void)
{
    static const struct tap_case cases[] = {CASES(ROW)};
    return tap_run(cases, sizeof(cases) / sizeof(cases[0]));
}
