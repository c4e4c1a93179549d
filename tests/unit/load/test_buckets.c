/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"
#include "tap.h"

static struct test_store t;

static void begin(void)
{
    store_make(&t, "sqlite:", "/market.db");
}

static const char *ask(const char *sql)
{
    return store_ask(&t, sql);
}

/* Candles of 5 minutes. SLOT(10) is the first of the second bucket. */
static const char *candles(void)
{
    return ask("SELECT start / 300000000 - (SELECT min(slot) / 300000000 FROM poll), id, open, "
               "high, low, close, rows "
               "FROM candle JOIN coin USING (coin_id) WHERE step = 300 ORDER BY start, id");
}

/* Rows that are not as they were stored: whoever reads them back is found out. */
static void spoil(void)
{
    CHECK_Z(ask("UPDATE market SET current_price = 77"), "");
}

static void load(struct made_stream *s, int slot, const char *rows)
{
    CHECK_OK(store_load(&t, s, SLOT(slot), POLL_OK, rows, NULL), t.err);
}

static void candles_are_made_without_reading_rows_back(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    load(&s, 0, "bitcoin=2 ripple=0.5");
    load(&s, 1, "bitcoin=3.5 *ripple=0.5");
    load(&s, 2, "bitcoin=1 *ripple=0.5");
    load(&s, 3, "bitcoin=2.5 -ripple");
    load(&s, 10, "*bitcoin=2.5");
    spoil();
    load(&s, 20, "bitcoin=9");
    CHECK_Z(candles(),
            "0|bitcoin|2|3.5|1|2.5|4\n0|ripple|0.5|0.5|0.5|0.5|1\n1|bitcoin|2.5|2.5|2.5|2.5|0");
}

static void hours_are_made_without_reading_candles_back(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    load(&s, 0, "bitcoin=1");
    load(&s, 60, "bitcoin=4"); /* 15:00 */
    load(&s, 100, "bitcoin=2");
    load(&s, 150, "bitcoin=3");
    CHECK_Z(ask("UPDATE candle SET high = 77"), "");
    load(&s, 180, "bitcoin=9");
    CHECK_Z(ask("SELECT open, high, low, close, rows FROM candle WHERE step = 3600 ORDER BY start "
                "DESC LIMIT 1"),
            "4|4|2|3|3");
}

static void what_others_stored_is_read_back(void)
{
    struct made_stream s = made_stream("markets-usd", 1), other = made_stream("markets-usd", 2);
    struct test_store mine;

    CHECK_OK(store_begin(&t, &s), t.err);
    load(&s, 0, "bitcoin=1");
    load(&s, 2, "bitcoin=2");
    mine = t;
    t.sink = (struct sink){0};
    CHECK_OK(store_begin(&t, &other), t.err);
    load(&other, 1, "bitcoin=5"); /* comes late */
    store_shut(&t);
    t.sink = mine.sink;
    load(&s, 3, "bitcoin=3");
    load(&s, 10, "bitcoin=4");
    CHECK_Z(candles(), "0|bitcoin|1|5|1|3|4");
}

static void what_was_rolled_back_counts_for_nothing(void)
{
    struct made_stream s = made_stream("markets-usd", 1), before;
    struct made_poll poll;
    struct sink_result result;

    CHECK_OK(store_begin(&t, &s), t.err);
    load(&s, 0, "bitcoin=2");
    before = s;
    made_poll(&poll, &s, SLOT(1), POLL_OK, "bitcoin=9");
    poll.load.is_last = false;
    CHECK_OK(t.sink.driver->load(&t.sink, &poll.load, &result, &t.err), t.err);
    made_release(&poll);
    s = before;
    CHECK_OK(store_attach(&t, &s), t.err); /* as after a failure */
    load(&s, 2, "bitcoin=3");
    load(&s, 10, "bitcoin=4");
    CHECK_Z(candles(), "0|bitcoin|2|3|2|3|2");
}

static void numbers_that_are_kept_as_text_are_left_to_the_store(void)
{
    struct made_stream s = made_stream("markets-usd", 1);

    CHECK_OK(store_begin(&t, &s), t.err);
    load(&s, 0, "bitcoin=0.12345678901234567");
    load(&s, 1, "bitcoin=1.2345678901234567890123");
    load(&s, 2, "bitcoin=0.5");
    load(&s, 10, "bitcoin=4");
    CHECK_Z(candles(),
            "0|bitcoin|0.12345678901234567|1.2345678901234567890123|0.12345678901234567|0.5|3");
}

#define CASES(X)                                   \
    X(candles_are_made_without_reading_rows_back)  \
    X(hours_are_made_without_reading_candles_back) \
    X(what_others_stored_is_read_back)             \
    X(what_was_rolled_back_counts_for_nothing)     \
    X(numbers_that_are_kept_as_text_are_left_to_the_store)

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
