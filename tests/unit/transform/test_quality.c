/* Values that are hardly true are kept, and flagged by the rule they break. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "polls.h"

#include "row/market.h"
#include "tap.h"

/* Rows are `{"id":"a",<this>}`; bitcoin, ranked first, stands beside them. */
#define BITCOIN "{\"id\":\"bitcoin\"," COIN ",\"market_cap\":1000,\"market_cap_rank\":1}"

static const char *page_of(const char *values)
{
    struct buf b = BUF_INIT(4096);

    buf_addf(&b, "[" BITCOIN ",{\"id\":\"a\"," COIN ",%s}]", values);
    return kept_text(&b);
}

static void a_row_breaks_rules_by_itself(void)
{
    static const struct {
        const char *values, *flags;
    } rows[] = {
        {"\"market_cap\":124,\"current_price\":1,\"circulating_supply\":100", ""},
        {"\"market_cap\":125,\"current_price\":1,\"circulating_supply\":100.0",
         "a cap_mismatch: market_cap 125, current_price 1, circulating_supply 100.0"},
        {"\"market_cap\":0.8,\"current_price\":1e-30,\"circulating_supply\":1e30",
         "a cap_mismatch: market_cap 0.8, current_price 1e-30, circulating_supply 1e30"},
        {"\"market_cap\":0,\"current_price\":1,\"circulating_supply\":100", ""},
        {"\"market_cap\":50,\"current_price\":null,\"circulating_supply\":100", ""},
        {"\"market_cap\":1000", ""},
        {"\"market_cap\":20500000000000",
         "a cap_implausible: market_cap 20500000000000, market_cap_rank null"},
        {"\"market_cap\":2000,\"market_cap_rank\":2", ""},
        {"\"market_cap\":2001,\"market_cap_rank\":2",
         "a cap_implausible: market_cap 2001, market_cap_rank 2"},
        {"\"total_volume\":-0.5,\"max_supply\":-1,\"price_change_24h\":-7",
         "a negative: total_volume -0.5, max_supply -1"},
        {"\"high_24h\":1,\"low_24h\":1", ""},
        {"\"high_24h\":1,\"low_24h\":1.5", "a high_below_low: high_24h 1, low_24h 1.5"},
        {"\"current_price\":1.1,\"high_24h\":1,\"low_24h\":1", ""},
        {"\"current_price\":1.11,\"high_24h\":1,\"low_24h\":1",
         "a price_off_day: current_price 1.11, high_24h 1, low_24h 1"},
        {"\"current_price\":0.89,\"low_24h\":1",
         "a price_off_day: current_price 0.89, high_24h null, low_24h 1"},
        {"\"current_price\":1.02,\"ath\":1", ""},
        {"\"current_price\":1.03,\"ath\":1",
         "a price_off_record: current_price 1.03, ath 1, atl null"},
        {"\"current_price\":0.97,\"atl\":1",
         "a price_off_record: current_price 0.97, ath null, atl 1"},
        {"\"circulating_supply\":105,\"total_supply\":100,\"max_supply\":100", ""},
        {"\"circulating_supply\":106,\"total_supply\":100",
         "a supply_order: circulating_supply 106, total_supply 100, max_supply null"},
        {"\"total_supply\":106,\"max_supply\":100",
         "a supply_order: circulating_supply null, total_supply 106, max_supply 100"},
        {"\"circulating_supply\":106,\"max_supply\":100",
         "a supply_order: circulating_supply 106, total_supply null, max_supply 100"},
        {"\"circulating_supply\":5,\"total_supply\":0", ""},
        {"\"last_updated\":\"2026-11-22T14:00:00.001Z\"", ""},
        {"\"last_updated\":\"2026-11-22T13:59:59.000Z\"",
         "a stale: last_updated 2026-11-22T13:59:59.000Z"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct poll_rows p;
        start();
        CHECK_OK(POLL(PAGE(page_of(rows[i].values))), err);
        CHECK_Z(flags_of(&p), rows[i].flags);
        CHECK_EQ(p.rows.n, 2);
    }
}

/* Wrapped and staked coins have no rank since 2026-02-04; they are no smaller for it. */
static void among_some_coins_the_largest_may_have_no_rank(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(
        POLL(PAGE("[{\"id\":\"staked-ether\"," COIN ",\"market_cap\":20000000000},"
                  "{\"id\":\"lido-dao\"," COIN ",\"market_cap\":400000000,\"market_cap_rank\":120},"
                  "{\"id\":\"a\"," COIN ",\"market_cap\":900000000,\"market_cap_rank\":400}]")),
        err);
    CHECK_Z(flags_of(&p), "a cap_implausible: market_cap 900000000, market_cap_rank 400");
}

/* Nor is it the best one, whose cap others are held against. */
static void a_rank_below_the_first_hides_no_bogus_coin(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(POLL(PAGE("[" BITCOIN ",{\"id\":\"bogus\"," COIN ",\"market_cap\":20500000000000},"
                       "{\"id\":\"nought\"," COIN ",\"market_cap\":1,\"market_cap_rank\":0}]")),
             err);
    CHECK_Z(flags_of(&p), "bogus cap_implausible: market_cap 20500000000000, market_cap_rank null");
}

static void a_row_breaks_rules_against_the_one_before(void)
{
    static const struct {
        const char *before, *now, *flags;
    } rows[] = {
        {"\"current_price\":1", "\"current_price\":2", ""},
        {"\"current_price\":1.0", "\"current_price\":2.01",
         "a price_jump: current_price 1.0 -> 2.01"},
        {"\"current_price\":2.01", "\"current_price\":1", "a price_jump: current_price 2.01 -> 1"},
        {"\"current_price\":0", "\"current_price\":5", ""},
        {"\"market_cap_rank\":60", "\"market_cap_rank\":110", ""},
        {"\"market_cap_rank\":60", "\"market_cap_rank\":111",
         "a rank_jump: market_cap_rank 60 -> 111"},
        {"\"market_cap_rank\":600", "\"market_cap_rank\":701", ""},
        {"\"market_cap_rank\":901", "\"market_cap_rank\":600",
         "a rank_jump: market_cap_rank 901 -> 600"},
        {"\"total_supply\":100,\"circulating_supply\":50",
         "\"total_supply\":125,\"circulating_supply\":40", ""},
        {"\"total_supply\":100,\"circulating_supply\":50",
         "\"total_supply\":126,\"circulating_supply\":50",
         "a supply_jump: total_supply 100 -> 126"},
        {"\"circulating_supply\":126", "\"circulating_supply\":100",
         "a supply_jump: circulating_supply 126 -> 100"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct poll_rows a, p;
        start();
        CHECK_OK(transform(&(struct poll){PAGE(page_of(rows[i].before))}, &a), err);
        CHECK_OK(POLL(.pages = {page_of(rows[i].now)}, .slot_us = SLOT + DAY, .prev_rows = &a),
                 err);
        CHECK_Z(flags_of(&p), rows[i].flags);
        CHECK_OK(POLL(.pages = {page_of(rows[i].now)}, .slot_us = SLOT + DAY + 1, .prev_rows = &a),
                 err);
        CHECK_Z(flags_of(&p), ""); /* in more than a day much may happen */
    }
}

static void what_lasts_is_flagged_when_it_begins_and_once_an_hour(void)
{
    static const char high[] = "\"high_24h\":1,\"low_24h\":2",
                      flag[] = "a high_below_low: high_24h 1, low_24h 2";
    struct poll_rows sound, a, b, p;

    start();
    CHECK_OK(transform(&(struct poll){PAGE(page_of("\"ath\":1"))}, &sound), err);
    CHECK_OK(transform(&(struct poll){PAGE(page_of(high)), .prev_rows = &sound}, &a), err);
    CHECK_Z(flags_of(&a), flag);
    CHECK_OK(transform(&(struct poll){PAGE(page_of(high)), .prev_rows = &a}, &b), err);
    CHECK_Z(flags_of(&b), "");
    CHECK_OK(POLL(PAGE(page_of(high)), .prev_rows = &b), err); /* though b's were not told */
    CHECK_Z(flags_of(&p), "");
    CHECK_OK(POLL(.pages = {page_of(high)}, .slot_us = SLOT + HOUR, .prev_rows = &b), err);
    CHECK_Z(flags_of(&p), flag);
    CHECK_OK(
        POLL(PAGE(page_of("\"high_24h\":1,\"low_24h\":2,\"total_volume\":-1")), .prev_rows = &b),
        err);
    CHECK_Z(flags_of(&p), "a negative: total_volume -1");
}

static void flags_name_their_rows_and_all_their_rules(void)
{
    struct poll_rows a, p;

    start();
    CHECK_OK(transform(&(struct poll){PAGE("[{\"id\":\"x\"," COIN ",\"current_price\":10}]")}, &a),
             err);
    CHECK_OK(POLL(PAGE("[{\"id\":\"sound\"," COIN "},"
                       "{\"id\":\"x\"," COIN ",\"current_price\":1,\"low_24h\":9,\"high_24h\":8},"
                       "{\"id\":\"y\"," COIN ",\"ath\":-1}]"),
                  .prev_rows = &a),
             err);
    CHECK_Z(flags_of(&p), "x price_jump: current_price 10 -> 1\n"
                          "x high_below_low: high_24h 8, low_24h 9\n"
                          "x price_off_day: current_price 1, high_24h 8, low_24h 9\n"
                          "y negative: ath -1");
}

static void lists_of_names_have_no_rules(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(POLL(PAGE("[{\"id\":\"x\"," COIN "}]"), .endpoint = "coins/list"), err);
    CHECK_EQ(p.rows.n, 1);
    CHECK_EQ(p.n_flags, 0);
    stop();
}

TAP_MAIN(TAP_CASE(a_row_breaks_rules_by_itself),
         TAP_CASE(among_some_coins_the_largest_may_have_no_rank),
         TAP_CASE(a_rank_below_the_first_hides_no_bogus_coin),
         TAP_CASE(a_row_breaks_rules_against_the_one_before),
         TAP_CASE(what_lasts_is_flagged_when_it_begins_and_once_an_hour),
         TAP_CASE(flags_name_their_rows_and_all_their_rules),
         TAP_CASE(lists_of_names_have_no_rules))
