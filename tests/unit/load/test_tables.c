/* The tables beside market in a store in SQL: coins/list, global, currencies. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"
#include "tap.h"

#define HOUR (3600 * US_PER_S)
#define DAY  (24 * HOUR)

static struct test_store t;

static void begin(void)
{
    store_make(&t, "sqlite:", "/market.db");
}

static const char *ask(const char *sql)
{
    return store_ask(&t, sql);
}

/* names of coin_name as "id name @hours since T0", parted by '\n' */
static const char *names(void)
{
    return ask(
        "SELECT id || ' ' || coin_name.name || ' @' || ((since - 1795444201000000) / 3600000000) "
        "FROM coin_name JOIN coin USING (coin_id) ORDER BY id, since");
}

static void a_list_feeds_coins_names_and_absences(void)
{
    struct made_stream s = made_stream("coins-list", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, T0, POLL_OK, "bitcoin=Bitcoin old=Old", NULL), t.err);
    CHECK_OK(store_load(&t, &s, T0 + HOUR, POLL_OK, "*bitcoin=Bitcoin new=New -old", NULL), t.err);
    CHECK_Z(ask("SELECT id, symbol, name, image FROM coin ORDER BY id"),
            "bitcoin|bitcoin|Bitcoin|NULL\nnew|new|New|NULL\nold|old|Old|NULL");
    CHECK_Z(ask("SELECT id, (from_slot - 1795444200000000) / 3600000000, until_slot "
                "FROM absence JOIN coin USING (coin_id)"),
            "old|1|NULL");
    CHECK_OK(
        store_load(&t, &s, T0 + 2 * HOUR, POLL_OK, "*bitcoin=Bitcoin *new=New old=Older", NULL),
        t.err);
    CHECK_Z(ask("SELECT (until_slot - from_slot) / 3600000000 FROM absence"), "1");
    CHECK_Z(names(), "bitcoin Bitcoin @0\nnew New @1\nold Old @0\nold Older @2");
    CHECK_Z(ask("SELECT rows_new, rows_unchanged, rows_absent FROM poll ORDER BY slot"),
            "2|0|0\n1|1|1\n1|2|0");
    CHECK_Z(ask("SELECT count(*) FROM listing"), "4");
    CHECK_Z(ask("SELECT id, (slot - 1795444200000000) / 3600000000 FROM latest_listing JOIN coin "
                "USING (coin_id) ORDER BY id"),
            "bitcoin|0\nnew|1\nold|2");
    CHECK_Z(ask("SELECT count(*) FROM market"), "0");
}

static void rows_of_a_list_are_kept_before_a_late_poll(void)
{
    struct made_stream s = made_stream("coins-list", 1), late = made_stream("coins-list", 2);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_attach(&t, &late), t.err);
    CHECK_OK(store_load(&t, &s, T0 - 2 * HOUR, POLL_OK, "bitcoin=Bitcoin", NULL), t.err);
    CHECK_OK(store_load(&t, &s, T0 + 2 * HOUR, POLL_OK, "*bitcoin=Bitcoin", NULL), t.err);
    CHECK_Z(ask("SELECT count(*) FROM listing"), "1");
    CHECK_OK(store_load(&t, &late, T0, POLL_OK, "bitcoin=Bitcoin", NULL), t.err);
    CHECK_Z(ask("SELECT (slot - 1795444200000000) / 3600000000 FROM listing ORDER BY slot"),
            "-2\n0\n2");
    CHECK_Z(ask("SELECT rows_unchanged FROM poll ORDER BY slot"), "0\n0\n0");
}

static void a_list_does_not_rename_a_coin_that_a_market_sees(void)
{
    struct made_stream list = made_stream("coins-list", 1), market = made_stream("markets-usd", 2);

    CHECK_OK(store_begin(&t, &list), t.err);
    CHECK_OK(store_attach(&t, &market), t.err);
    CHECK_OK(store_load(&t, &list, T0, POLL_OK, "bitcoin=old ripple=xrp", NULL), t.err);
    CHECK_OK(store_load(&t, &market, T0 + HOUR, POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_Z(names(), "bitcoin old @0\nbitcoin bitcoin @1\nripple xrp @0");
    /* from a cache: it says still what was so an hour ago */
    CHECK_OK(store_load(&t, &list, T0 + HOUR + 1, POLL_OK, "bitcoin=old ripple=XRP", NULL), t.err);
    CHECK_Z(names(), "bitcoin old @0\nbitcoin bitcoin @1\nripple xrp @0\nripple XRP @1");
    CHECK_Z(ask("SELECT name FROM coin ORDER BY id"), "bitcoin\nXRP");
    /* no market has seen it for a day, or it left the market */
    CHECK_OK(store_load(&t, &list, T0 + DAY + 2 * HOUR, POLL_OK, "bitcoin=new ripple=XRP", NULL),
             t.err);
    CHECK_Z(ask("SELECT name FROM coin WHERE id = 'bitcoin'"), "new");
    CHECK_OK(store_load(&t, &market, T0 + DAY + 3 * HOUR, POLL_OK, "bitcoin=2", NULL), t.err);
    CHECK_OK(store_load(&t, &market, T0 + DAY + 4 * HOUR, POLL_OK, "ripple=2 -bitcoin", NULL),
             t.err);
    CHECK_OK(store_load(&t, &list, T0 + DAY + 5 * HOUR, POLL_OK, "bitcoin=newer", NULL), t.err);
    CHECK_Z(ask("SELECT name FROM coin WHERE id = 'bitcoin'"), "newer");
}

static void an_older_answer_renames_nothing(void)
{
    struct made_stream list = made_stream("coins-list", 1), market = made_stream("markets-usd", 2);

    CHECK_OK(store_begin(&t, &list), t.err);
    CHECK_OK(store_attach(&t, &market), t.err);
    CHECK_OK(store_load(&t, &list, T0 + 2 * DAY, POLL_OK, "bitcoin=Bitcoin", NULL), t.err);
    CHECK_OK(store_load(&t, &market, T0, POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_Z(ask("SELECT name, (first_seen - 1795444201000000) / 3600000000 FROM coin"),
            "Bitcoin|0");
    CHECK_Z(names(), "bitcoin Bitcoin @48");
}

static void a_list_leaves_the_logo_of_a_coin(void)
{
    struct made_stream list = made_stream("coins-list", 1), market = made_stream("markets-usd", 2);
    struct sink_result result;
    struct made_poll poll;

    CHECK_OK(store_begin(&t, &market), t.err);
    CHECK_OK(store_attach(&t, &list), t.err);
    made_poll(&poll, &market, T0, POLL_OK, "bitcoin=1");
    rows_at(&poll.rows.rows, 0)[MARKET_IMAGE] = cell_of_text(STR("https://logo"));
    CHECK_OK(t.sink.driver->load(&t.sink, &poll.load, &result, &t.err), t.err);
    made_release(&poll);
    CHECK_OK(store_load(&t, &list, T0 + 2 * DAY, POLL_OK, "bitcoin=Bitcoin", NULL), t.err);
    CHECK_Z(ask("SELECT name, image FROM coin"), "Bitcoin|https://logo");
}

static void a_figure_that_is_there_no_more_keeps_its_last_row(void)
{
    struct made_stream s = made_stream("global", 1), late = made_stream("global", 2);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_attach(&t, &late), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "a.usd=1.5 b=7", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(2), POLL_OK, "a.usd=2.5", NULL), t.err);
    CHECK_OK(store_load(&t, &late, SLOT(1), POLL_OK, "a.usd=9 b=9 c=9", NULL), t.err);
    CHECK_Z(ask("SELECT (slot - 1795444200000000) / 30000000, id, figure, part, value "
                "FROM global ORDER BY 1, 2"),
            "0|a.usd|a|usd|1.5\n0|b|b|NULL|7\n1|a.usd|a|usd|9\n1|b|b|NULL|9\n1|c|c|NULL|9\n"
            "2|a.usd|a|usd|2.5");
    CHECK_Z(ask("SELECT id, value FROM latest_global ORDER BY id"), "a.usd|2.5\nb|9\nc|9");
    CHECK_Z(ask("SELECT count(*) FROM coin"), "0");
    CHECK_Z(ask("SELECT count(*) FROM absence"), "0");
}

static void the_figures_of_a_partial_poll_go_with_it(void)
{
    struct made_stream s = made_stream("global", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_OK, "a=1 b=1", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(1), POLL_PARTIAL, "b=2 c=2", NULL), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(1), POLL_OK, "a=3", NULL), t.err);
    CHECK_Z(ask("SELECT id, value FROM latest_global ORDER BY id"), "a|3\nb|1");
}

static void the_old_views_show_the_market_whatever_job_came_first(void)
{
    struct made_stream list = made_stream("coins-list", 1), market = made_stream("markets-usd", 2);

    CHECK_OK(store_begin(&t, &list), t.err);
    CHECK_OK(store_attach(&t, &market), t.err);
    CHECK_OK(store_load(&t, &market, SLOT(0), POLL_OK, "bitcoin=1", NULL), t.err);
    CHECK_Z(ask("SELECT id, current_price FROM coin_market_raw"), "bitcoin|1");
}

static void an_endpoint_of_a_later_program_loads_without_rows(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    snprintf(s.id.endpoint, sizeof(s.id.endpoint), "coins/later");
    CHECK_OK(store_begin(&t, &s), t.err);
    CHECK_OK(store_load(&t, &s, SLOT(0), POLL_FAILED, NULL, NULL), t.err);
    CHECK_Z(ask("SELECT loaded FROM poll"), "none");
}

static void a_steady_load_allocates_nothing(void)
{
    static const char *const jobs[] = {"coins-list", "global"};
    struct sink_result result;

    for (size_t k = 0; k < 2; k++) {
        struct made_stream s = made_stream(jobs[k], (uint8_t)(k + 1));
        CHECK_OK(k == 0 ? store_begin(&t, &s) : store_attach(&t, &s), t.err);
        for (int i = 0; i < 10; i++) {
            struct made_poll poll;
            made_poll(&poll, &s, SLOT(i), POLL_OK, "a=1 b=2");
            unsigned long before = mem_count();
            enum st st = t.sink.driver->load(&t.sink, &poll.load, &result, &t.err);
            unsigned long n = mem_count() - before;
            made_release(&poll);
            CHECK_OK(st, t.err);
            if (i > 1)
                CHECK_EQ(n, 0);
        }
    }
}

#define CASES(X)                                             \
    X(a_list_feeds_coins_names_and_absences)                 \
    X(rows_of_a_list_are_kept_before_a_late_poll)            \
    X(a_list_does_not_rename_a_coin_that_a_market_sees)      \
    X(an_older_answer_renames_nothing)                       \
    X(a_list_leaves_the_logo_of_a_coin)                      \
    X(a_figure_that_is_there_no_more_keeps_its_last_row)     \
    X(the_figures_of_a_partial_poll_go_with_it)              \
    X(the_old_views_show_the_market_whatever_job_came_first) \
    X(an_endpoint_of_a_later_program_loads_without_rows)     \
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
