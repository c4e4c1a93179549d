/* What the API changes, and what it must not be taken for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "polls.h"

#include "tap.h"

/* A page of sound rows, as CoinGecko sends them. */
struct page {
    int n, first;          /* coins c<first> … */
    const char *from, *to; /* replaced in every row; NULL: nothing is */
    int only_every;        /* in every so manieth row only; 0: in each */
    bool is_b;             /* as the back end of July 2026 makes them */
    const char *more;      /* ends each row: ",\"x\":1" */
};

static void add_times(struct buf *b, int i, bool is_b)
{
    buf_addf(b, ",\"ath_date\":\"2025-10-%02dT%02d:57:%02d.%sZ\"", 1 + i % 28, is_b ? 10 : 18,
             i % 60, is_b ? "000" : "558");
    buf_addf(b, ",\"atl_date\":\"2013-07-%02dT%02d:00:%02d.%sZ\"", is_b ? 5 : 6, is_b ? 16 : 0,
             i % 5 ? i % 60 : 0, is_b || i % 5 == 0 ? "000" : "123");
    if (is_b)
        buf_add_z(b, ",\"last_updated\":\"2026-11-23T13:59:50.000Z\"");
    else
        buf_addf(b, ",\"last_updated\":\"2026-11-23T13:59:%02d.%03dZ\"", i % 60, i * 7 % 1000);
}

static void add_row(struct buf *b, int i, const struct page *page)
{
    buf_addf(b, "{\"id\":\"c%d\",\"symbol\":\"c\",\"name\":\"C\",\"image\":\"u\",", i);
    buf_addf(b, "\"current_price\":%d.25,\"market_cap\":%d000,\"market_cap_rank\":%d,", 100 + i,
             1000 - i, i + 1);
    buf_add_z(b, "\"fully_diluted_valuation\":null,\"total_volume\":5.5,\"high_24h\":null,");
    buf_addf(b, "\"low_24h\":null,\"price_change_24h\":-0.%d1,", i + 1);
    buf_addf(b, "\"price_change_percentage_24h\":-1.%s,", page->is_b ? "2" : "29467");
    buf_add_z(b, "\"market_cap_change_24h\":1,\"market_cap_change_percentage_24h\":-1.25206,");
    buf_add_z(
        b, "\"circulating_supply\":null,\"total_supply\":null,\"max_supply\":null,\"ath\":5000,");
    buf_add_z(b, "\"ath_change_percentage\":-59.42001,\"atl\":1,\"atl_change_percentage\":3.14159");
    add_times(b, i, page->is_b);
    buf_addf(b, ",\"roi\":null%s}", page->more ? page->more : "");
}

/* Owner: the bodies' arena. */
static const char *page_of(const struct page *page)
{
    struct buf all = BUF_INIT((size_t)1 << 20), row = BUF_INIT(4096);

    for (int i = page->first; i < page->first + page->n; i++) {
        buf_clear(&row);
        add_row(&row, i, page);
        char *at = page->from && (page->only_every == 0 || i % page->only_every == 0)
                       ? strstr(row.p, page->from)
                       : NULL;
        buf_add_z(&all, i == page->first ? "[" : ",");
        if (at == NULL) {
            buf_add_str(&all, buf_str(&row));
            continue;
        }
        buf_add(&all, row.p, (size_t)(at - row.p));
        buf_addf(&all, "%s%s", page->to, at + strlen(page->from));
    }
    buf_add_char(&all, ']');
    buf_release(&row);
    return kept_text(&all);
}

#define ROWS(...) page_of(&(struct page){__VA_ARGS__})

static void sound_answers_have_no_drift(void)
{
    struct poll_rows a, p;

    start();
    CHECK_OK(transform(&(struct poll){PAGE(ROWS(.n = 30))}, &a), err);
    CHECK_Z(drift_of(&a, EVERY_KIND), "");
    CHECK_OK(POLL(.pages = {ROWS(.n = 30)}, .slot_us = SLOT + HOUR, .prev_rows = &a, .prev_ok = &a),
             err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "");
    CHECK_OK(POLL(PAGE("[]")), err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "");
}

static void a_field_is_missing_when_most_rows_lack_it(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(POLL(PAGE(ROWS(.n = 30, .from = "\"ath\":5000,", .to = ""))), err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "missing: ath");
    CHECK_STR(p.drifts[0].from, "number");
    CHECK_OK(POLL(PAGE(ROWS(.n = 30, .from = ",\"roi\":null", .to = "", .only_every = 2))), err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "missing: roi");
    CHECK_OK(POLL(PAGE(ROWS(.n = 30, .from = ",\"roi\":null", .to = "", .only_every = 3))), err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "");
}

static void a_field_that_nobody_knows_is_new(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(POLL(PAGE(ROWS(.n = 3, .more = ",\"moon\":null,\"m\\u001b2\":{\"a\":1}"))), err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "new: moon, m?2");
    CHECK_STR(p.drifts[0].to, "null");
    CHECK_STR(p.drifts[1].to, "object");
}

static void a_missing_field_whose_values_a_new_one_has_is_renamed(void)
{
    static const struct {
        const char *from, *to, *drift;
    } rows[] = {
        {"\"current_price\":1", "\"price\":1", "renamed: current_price -> price"},
        {"\"last_updated\":", "\"updated\":", "renamed: last_updated -> updated"},
        {"\"name\":\"C\"", "\"title\":\"C\"", "renamed: name -> title"},
        /* other values, another type, no values */
        {"\"current_price\":1", "\"price\":9", "missing: current_price; new: price"},
        {"\"ath\":5000", "\"peak\":\"x\"", "missing: ath; new: peak"},
        {"\"fully_diluted_valuation\":null", "\"fdv\":7",
         "missing: fully_diluted_valuation; new: fdv"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct poll_rows a, p;
        start();
        CHECK_OK(transform(&(struct poll){PAGE(ROWS(.n = 20))}, &a), err);
        CHECK_OK(POLL(.pages = {ROWS(.n = 20, .from = rows[i].from, .to = rows[i].to)},
                      .slot_us = SLOT + HOUR, .prev_rows = &a),
                 err);
        if (strstr(rows[i].drift, "name ->") ==
            NULL) /* without a name there is no row to compare */
            CHECK_Z(drift_of(&p, ALL_BUT(TIMES)), rows[i].drift);
        else
            CHECK_Z(drift_of(&p, EVERY_KIND), "missing: name; new: title");
    }
}

static void a_rename_is_told_where_it_can_be_seen(void)
{
    struct poll_rows a, p;

    start();
    CHECK_OK(
        transform(&(struct poll){PAGE(ROWS(.n = 20, .from = "\"ath\"", .to = "\"peak\""))}, &a),
        err);
    CHECK_Z(drift_of(&a, EVERY_KIND), "missing: ath; new: peak");
    CHECK_OK(POLL(.pages = {ROWS(.n = 20, .from = "\"ath\"", .to = "\"peak\"")},
                  .slot_us = SLOT + HOUR, .prev_rows = &a),
             err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "missing: ath; new: peak");
}

static void a_field_is_retyped_when_half_of_its_values_are_wrong(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(POLL(PAGE(ROWS(.n = 30, .from = "\"ath\":5000", .to = "\"ath\":\"much\""))), err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "retyped: ath (number -> text)");
    CHECK_EQ(p.rows.n, 30);
    CHECK_EQ(p.n_refusals, 30);
    CHECK_OK(
        POLL(PAGE(ROWS(.n = 30, .from = "\"roi\":null", .to = "\"roi\":[1]", .only_every = 9))),
        err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "retyped: roi (object -> array)");
    CHECK_OK(
        POLL(PAGE(ROWS(.n = 30, .from = "\"ath\":5000", .to = "\"ath\":true", .only_every = 3))),
        err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "");
    CHECK_EQ(p.n_refusals, 10);
}

static void a_number_in_quotes_is_drift_however_few_there_are(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(POLL(PAGE(
                 ROWS(.n = 30, .from = "\"ath\":5000", .to = "\"ath\":\"5e3\"", .only_every = 29))),
             err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "text_number: ath (number -> number in quotes)");
    CHECK_EQ(p.n_refusals, 0);
}

static void the_other_back_end_is_seen_when_it_comes_and_when_it_goes(void)
{
    struct poll_rows a, b, p;

    start();
    CHECK_OK(transform(&(struct poll){PAGE(ROWS(.n = 40))}, &a), err);
    CHECK_OK(transform(&(struct poll){.pages = {ROWS(.n = 40, .is_b = true)},
                                      .slot_us = SLOT + HOUR,
                                      .prev_rows = &a},
                       &b),
             err);
    CHECK_Z(drift_of(&b, EVERY_KIND), "times: ath_date (whole seconds), atl_date (whole seconds), "
                                      "last_updated (whole 10 s, nearly all the same); "
                                      "shifted: ath_date (-8 h), atl_date (-8 h); "
                                      "digits: price_change_percentage_24h (1 decimal)");
    CHECK_OK(POLL(.pages = {ROWS(.n = 40)}, .slot_us = SLOT + 2 * HOUR, .prev_rows = &b), err);
    CHECK_Z(drift_of(&p, ALL_BUT(TIMES)), "shifted: ath_date (+8 h), atl_date (+8 h)");
}

static void few_rows_are_no_evidence(void)
{
    struct poll_rows a, p;

    start();
    CHECK_OK(transform(&(struct poll){PAGE(ROWS(.n = 9))}, &a), err);
    CHECK_OK(POLL(PAGE(ROWS(.n = 9, .is_b = true)), .prev_rows = &a), err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "");
}

static void coins_that_leave_beyond_a_markets_motion_are_told(void)
{
    static const struct {
        int n, first, left;
        int64_t after_us;
        const char *drift;
    } rows[] = {
        {100, 2, 100, HOUR, ""}, /* two of 100 at the border */
        {100, 3, 97, HOUR, "membership: coins (3 of 100 left: c0, c1, c2)"},
        {100, 4, 96, DAY, ""}, /* in a day 2 % + 2 % */
        {100, 5, 95, DAY, "membership: coins (5 of 100 left: c0, c1, c2, c3, c4)"},
        {100, 20, 80, 100 * DAY, ""},
        {100, 23, 77, 100 * DAY,
         "membership: coins (23 of 100 left: c0, c1, c2, c3, c4, c5, c6, c7 and 15 more)"},
        {3, 2, 1, HOUR, ""}, /* a list of three */
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct poll_rows a, p;
        start();
        CHECK_OK(transform(&(struct poll){PAGE(ROWS(.n = rows[i].n))}, &a), err);
        CHECK_OK(POLL(.pages = {ROWS(.n = rows[i].n, .first = rows[i].first)},
                      .slot_us = SLOT + rows[i].after_us, .prev_ok = &a),
                 err);
        CHECK_Z(drift_of(&p, ONLY(MEMBERSHIP)), rows[i].drift);
    }
}

static void what_comes_on_request_only_is_told_when_it_comes_and_goes(void)
{
    static const char more[] = ",\"market_cap_rank_with_rehypothecated\":5";
    struct poll_rows a, b, p;

    start();
    CHECK_OK(transform(&(struct poll){PAGE(ROWS(.n = 5))}, &a), err);
    CHECK_OK(transform(&(struct poll){PAGE(ROWS(.n = 5, .more = more)), .prev_rows = &a}, &b), err);
    CHECK_Z(drift_of(&b, EVERY_KIND), "new: market_cap_rank_with_rehypothecated");
    CHECK(b.drifts[0].is_event);
    CHECK_OK(POLL(PAGE(ROWS(.n = 5, .more = more)), .prev_rows = &b), err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "");
    CHECK_OK(POLL(PAGE(ROWS(.n = 5)), .prev_rows = &b), err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "missing: market_cap_rank_with_rehypothecated");
    CHECK_OK(POLL(PAGE(ROWS(.n = 5, .more = more))), err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "");
}

static void a_byte_order_mark_is_stepped_over_and_told(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(POLL(PAGE("[]", "\xEF\xBB\xBF[]")), err);
    CHECK_Z(drift_of(&p, EVERY_KIND), "bom: answer");
}

static void long_drift_is_cut_in_the_line(void)
{
    struct drift many[200];
    struct buf b = BUF_INIT(8192);

    for (size_t i = 0; i < 200; i++)
        many[i] = (struct drift){.kind = DRIFT_NEW, .field = STR("a field of some length")};
    buf_add_z(&b, "before ");
    drift_write(&b, many, 200);
    CHECK(b.len > 1900 && b.len <= 7 + DRIFT_MAX_TEXT);
    CHECK(strstr(b.p, "before new: a field of some length, a"));
    CHECK_Z(b.p + b.len - strlen("…"), "…");
    buf_release(&b);
    stop();
}

TAP_MAIN(TAP_CASE(sound_answers_have_no_drift), TAP_CASE(a_field_is_missing_when_most_rows_lack_it),
         TAP_CASE(a_field_that_nobody_knows_is_new),
         TAP_CASE(a_missing_field_whose_values_a_new_one_has_is_renamed),
         TAP_CASE(a_rename_is_told_where_it_can_be_seen),
         TAP_CASE(a_field_is_retyped_when_half_of_its_values_are_wrong),
         TAP_CASE(a_number_in_quotes_is_drift_however_few_there_are),
         TAP_CASE(the_other_back_end_is_seen_when_it_comes_and_when_it_goes),
         TAP_CASE(few_rows_are_no_evidence),
         TAP_CASE(coins_that_leave_beyond_a_markets_motion_are_told),
         TAP_CASE(what_comes_on_request_only_is_told_when_it_comes_and_goes),
         TAP_CASE(a_byte_order_mark_is_stepped_over_and_told),
         TAP_CASE(long_drift_is_cut_in_the_line))
