/* SPDX-License-Identifier: Apache-2.0 */
#include "polls.h"

#include "base/mem.h"
#include "row/market.h"
#include "tap.h"

static struct str text_of(const struct poll_rows *p, size_t row, size_t column)
{
    return cell_text(&rows_at(&p->rows, row)[column]);
}

static void every_column_comes_from_its_key(void)
{
    struct buf b = BUF_INIT(16 * 1024);
    struct poll_rows p;

    start();
    buf_add_z(&b, "[{");
    for (size_t i = N_MARKET_COLUMNS; i-- > 0;) { /* last first: the order is free */
        const struct column *c = &market_table.columns[i];
        if (c->json_key == NULL)
            continue;
        buf_addf(&b, "\"%s\":", c->json_key);
        if (c->kind == CELL_TIME)
            buf_addf(&b, "\"2026-01-01T00:00:%02dZ\",", (int)i);
        else if (c->kind == CELL_TEXT)
            buf_addf(&b, "\"text %zu\",", i);
        else
            buf_addf(&b, "%zu,", i + 1000);
    }
    buf_add_z(&b, "\"roi\":{\"percentage\":3.5,\"times\":1e2,\"currency\":\"btc\"},"
                  "\"sparkline_in_7d\":{\"price\":[1.50,null]}}]");
    CHECK_OK(POLL(PAGE(b.p)), err);
    CHECK_EQ(p.rows.n, 1);
    CHECK_Z(drift_of(&p, EVERY_KIND), "");
    for (size_t i = 0; i < N_MARKET_COLUMNS; i++) {
        const struct column *c = &market_table.columns[i];
        const struct cell *cell = &rows_at(&p.rows, 0)[i];
        char want[32];
        snprintf(want, sizeof(want), c->kind == CELL_TEXT ? "text %zu" : "%zu",
                 i + (c->kind == CELL_TEXT ? 0 : 1000));
        if (c->json_key && c->kind == CELL_TIME)
            CHECK_EQ(cell->number % (60 * US_PER_S), (int64_t)i * US_PER_S);
        else if (c->json_key)
            CHECK_STR(cell_text(cell), want);
        CHECK_EQ(cell->kind, c->kind);
    }
    CHECK_STR(text_of(&p, 0, MARKET_ROI_TIMES), "1e2");
    CHECK_STR(text_of(&p, 0, MARKET_ROI_CURRENCY), "btc");
    CHECK_STR(text_of(&p, 0, MARKET_ROI_PERCENTAGE), "3.5");
    CHECK_STR(text_of(&p, 0, MARKET_SPARKLINE_IN_7D), "[1.50,null]");
    CHECK_EQ(rows_at(&p.rows, 0)[MARKET_FETCHED_AT].number, SLOT + 1);
    buf_release(&b);
}

struct bad {
    const char *row, *coin, *field, *reason, *value; /* what is refused */
};

/* Poll it between two sound rows. */
static void poll_bad(const struct bad *bad, struct poll_rows *p)
{
    char page[512];

    start();
    snprintf(page, sizeof(page), "[{\"id\":\"before\"," COIN "},%s,{\"id\":\"after\"," COIN "}]",
             bad->row);
    CHECK_OK(transform(&(struct poll){PAGE(page)}, p), err);
    CHECK_EQ(p->rows_in, 3);
    CHECK_EQ(p->n_refusals, 1);
    CHECK_Z(p->refusals[0].reason, bad->reason);
    CHECK_STR(p->refusals[0].field, bad->field);
    CHECK_STR(p->refusals[0].coin, bad->coin);
    CHECK_STR(p->refusals[0].value, bad->value);
    CHECK_EQ(p->refusals[0].index, 1);
    CHECK_EQ(p->refusals[0].offset, 1);
}

static void what_no_row_can_do_without_costs_the_row(void)
{
    static const struct bad rows[] = {
        {"7", "", "", "wrong type", "7"},
        {"[1, {}]", "", "", "wrong type", "[1, {}]"},
        {"{" COIN "}", "", "id", "missing", ""},
        {"{\"id\":null," COIN "}", "", "id", "missing", ""},
        {"{\"id\":\"\"," COIN "}", "", "id", "missing", ""},
        {"{\"id\":5," COIN "}", "", "id", "wrong type", "5"},
        {"{\"id\":\"\\u0000\"," COIN "}", "", "id", "bad text", "\\u0000"},
        {"{\"id\":\"a\",\"name\":\"n\"}", "a", "symbol", "missing", ""},
        {"{\"id\":\"a\",\"name\":null,\"symbol\":\"\"}", "a", "name", "missing", ""},
        {"{\"id\":\"a\",\"name\":\"\\ud800\",\"symbol\":\"\"}", "a", "name", "bad text", "\\ud800"},
        {"{\"id\":\"a\"," COIN ",\"ath\":1,\"ath\":1}", "a", "ath", "duplicate key", "1"},
        {"{\"id\":\"a\"," COIN ",\"x\":1,\"x\":2}", "a", "x", "duplicate key", "2"},
        {"{\"ath\":{},\"id\":\"a\",\"symbol\":1,\"atl\":\"\"}", "a", "symbol", "wrong type", "1"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct poll_rows p;
        poll_bad(&rows[i], &p);
        CHECK_EQ(p.rows.n, 2);
    }
}

static void a_bad_value_costs_its_cell_and_not_the_row(void)
{
    static const struct bad rows[] = {
        {"{\"id\":\"a\"," COIN ",\"image\":\"\xC0\x80\"}", "a", "image", "bad text", "\x7f\x7f"},
        {"{\"id\":\"a\"," COIN ",\"ath\":\"1 \"}", "a", "ath", "wrong type", "1 "},
        {"{\"id\":\"a\"," COIN ",\"ath\":\"\"}", "a", "ath", "wrong type", ""},
        {"{\"id\":\"a\"," COIN ",\"ath\":\"1e1001\"}", "a", "ath", "out of range", "1e1001"},
        {"{\"id\":\"a\"," COIN ",\"market_cap_rank\":\"1.5\"}", "a", "market_cap_rank",
         "wrong type", "1.5"},
        {"{\"id\":\"a\"," COIN ",\"ath\":true}", "a", "ath", "wrong type", "true"},
        {"{\"id\":\"a\"," COIN ",\"ath\":1e1001}", "a", "ath", "out of range", "1e1001"},
        {"{\"id\":\"a\"," COIN ",\"market_cap_rank\":1.5}", "a", "market_cap_rank", "wrong type",
         "1.5"},
        {"{\"id\":\"a\"," COIN ",\"market_cap_rank\":1e19}", "a", "market_cap_rank", "out of range",
         "1e19"},
        {"{\"id\":\"a\"," COIN ",\"ath_date\":\"today\"}", "a", "ath_date", "wrong type", "today"},
        {"{\"id\":\"a\"," COIN ",\"\\u0000\":1}", "a", "\\u0000", "bad text", "1"},
        {"{\"id\":\"a\"," COIN ",\"roi\":1}", "a", "roi", "wrong type", "1"},
        {"{\"id\":\"a\"," COIN ",\"roi\":{\"times\":[ ]}}", "a", "roi.times", "wrong type", "[ ]"},
        {"{\"id\":\"a\"," COIN ",\"sparkline_in_7d\":{\"price\":[1,\"2\"]}}", "a",
         "sparkline_in_7d.price", "wrong type", "[1,\"2\"]"},
        {"{\"ath\":{},\"atl\":null," COIN ",\"id\":\"late\"}", "late", "ath", "wrong type", "{}"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct poll_rows p;
        poll_bad(&rows[i], &p);
        CHECK_EQ(p.rows.n, 3);
        CHECK_STR(text_of(&p, 1, MARKET_ID), rows[i].coin);
        CHECK_EQ(rows_at(&p.rows, 1)[MARKET_IMAGE].kind, CELL_NULL);
        for (size_t k = MARKET_CURRENT_PRICE; k < N_MARKET_COLUMNS; k++)
            CHECK_EQ(rows_at(&p.rows, 1)[k].kind, CELL_NULL);
    }
}

static void each_bad_value_of_a_row_is_told(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(POLL(PAGE("[{\"ath\":{},\"atl\":5,\"high_24h\":\"x\"," COIN ",\"id\":\"a\"}]")), err);
    CHECK_EQ(p.rows.n, 1);
    CHECK_STR(text_of(&p, 0, MARKET_ATL), "5");
    CHECK_EQ(p.n_refusals, 2);
    CHECK_STR(p.refusals[0].field, "ath");
    CHECK_STR(p.refusals[0].coin, "a");
    CHECK_STR(p.refusals[1].field, "high_24h");
    CHECK_STR(p.refusals[1].coin, "a");
    CHECK_EQ(coins_count(p.coins), 1);
}

static void a_number_in_quotes_is_that_number(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(
        POLL(PAGE("[{\"id\":\"a\"," COIN ",\"current_price\":\"12.50\",\"market_cap_rank\":\"7\","
                  "\"total_supply\":\"123456789012345678901234567890\"}]")),
        err);
    CHECK_EQ(p.n_refusals, 0);
    const struct cell *cells = rows_at(&p.rows, 0);
    CHECK_EQ(cells[MARKET_CURRENT_PRICE].kind, CELL_NUM);
    CHECK_STR(cell_text(&cells[MARKET_CURRENT_PRICE]), "12.50");
    CHECK(cell_equal(&cells[MARKET_CURRENT_PRICE],
                     &(struct cell){.kind = CELL_NUM, .is_exact = true, .number = 125, .exp = -1}));
    CHECK_EQ(cells[MARKET_MARKET_CAP_RANK].number, 7);
    CHECK_STR(cell_text(&cells[MARKET_TOTAL_SUPPLY]), "123456789012345678901234567890");
}

static void a_whole_number_is_a_rank_however_it_is_written(void)
{
    static const struct {
        const char *lexeme;
        int64_t value;
    } rows[] = {{"7", 7}, {"7.0", 7}, {"7e2", 700}, {"-0", 0}, {"9223372036854775807", INT64_MAX}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char page[256];
        struct poll_rows p;
        start();
        snprintf(page, sizeof(page), "[{\"id\":\"a\"," COIN ",\"market_cap_rank\":%s}]",
                 rows[i].lexeme);
        CHECK_OK(POLL(PAGE(page)), err);
        CHECK_EQ(p.rows.n, 1);
        CHECK_EQ(rows_at(&p.rows, 0)[MARKET_MARKET_CAP_RANK].number, rows[i].value);
        CHECK_STR(text_of(&p, 0, MARKET_MARKET_CAP_RANK), rows[i].lexeme);
    }
}

static void an_id_may_have_256_bytes(void)
{
    char page[512], id[258];
    struct poll_rows p;

    for (int len = 256; len <= 257; len++) {
        start();
        memset(id, 'a', sizeof(id));
        id[len] = '\0';
        snprintf(page, sizeof(page), "[{\"id\":\"%s\"," COIN "}]", id);
        CHECK_OK(POLL(PAGE(page)), err);
        CHECK_EQ(p.rows.n, len == 256);
        CHECK_EQ(p.n_refusals, len == 257);
    }
    CHECK_Z(p.refusals[0].reason, "out of range");
    CHECK_EQ(p.refusals[0].value.len, 200);
    CHECK_EQ(p.refusals[0].coin.len, 0);
}

static void a_coin_counts_once_in_a_poll(void)
{
    struct poll_rows p;
    uint32_t row;

    start();
    CHECK_OK(POLL(PAGE("[{\"id\":\"a\"," COIN ",\"ath\":1},{\"id\":\"b\"," COIN "}]",
                       "[{\"id\":\"\\u0061\"," COIN ",\"ath\":2},{\"id\":\"c\"," COIN "}]")),
             err);
    CHECK_EQ(p.rows.n, 3);
    CHECK_STR(text_of(&p, 0, MARKET_ATH), "1");
    CHECK_STR(text_of(&p, 2, MARKET_ID), "c");
    CHECK_EQ(rows_at(&p.rows, 2)[MARKET_FETCHED_AT].number, SLOT + 2);
    CHECK_EQ(p.n_refusals, 1);
    CHECK_Z(p.refusals[0].reason, "duplicate coin");
    CHECK_EQ(p.refusals[0].offset, 2);
    CHECK_EQ(coins_count(p.coins), 3);
    CHECK(coins_find(p.coins, STR("c"), &row));
    CHECK_EQ(row, 2);
}

static void a_broken_row_does_not_hide_a_sound_one_of_its_coin(void)
{
    struct poll_rows p;
    uint32_t row;

    start();
    CHECK_OK(POLL(PAGE("[{\"id\":\"a\",\"symbol\":\"s\"},{\"id\":\"a\"," COIN "},"
                       "{\"id\":\"z\"}]")),
             err);
    CHECK_EQ(p.rows.n, 1);
    CHECK_EQ(p.n_refusals, 2);
    CHECK(coins_find(p.coins, STR("a"), &row));
    CHECK_EQ(row, 0);
    CHECK(coins_find(p.coins, STR("z"), &row));
    CHECK_EQ(row, COINS_NO_ROW);
}

static void unknown_fields_are_named_once(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(POLL(PAGE("[{\"new\":{\"a\":[1]},\"id\":\"a\"," COIN ",\"roi\":{\"x\":1}},"
                       "{\"id\":\"b\",\"new\":0," COIN ",\"roi\":{\"x\":1},\"\":2}]",
                       "[{\"id\":\"c\",\"\\u006eew\":1," COIN ",\"fetched_at\":1}]")),
             err);
    CHECK_EQ(p.rows.n, 3);
    CHECK_EQ(p.n_refusals, 0);
    CHECK_Z(drift_of(&p, ONLY(NEW)), "new: new, roi.x, , fetched_at");
}

static void a_flood_of_unknown_fields_is_bounded(void)
{
    struct buf b = BUF_INIT((size_t)1 << 20);
    struct poll_rows p;

    start();
    buf_add_z(&b, "[{");
    for (int i = 0; i < 1000; i++)
        buf_addf(&b, "\"field %d\":%d,", i, i);
    buf_add_z(&b, "\"id\":\"a\"," COIN "}]");
    CHECK_OK(POLL(PAGE(b.p)), err);
    CHECK_EQ(p.rows.n, 1);
    size_t n = 0;
    for (size_t i = 0; i < p.n_drifts; i++)
        n += p.drifts[i].kind == DRIFT_NEW;
    CHECK_EQ(n, 64);
    CHECK(strlen(drift_of(&p, EVERY_KIND)) <= DRIFT_MAX_TEXT);
    buf_release(&b);
}

static void a_page_that_is_no_answer_refuses_the_poll(void)
{
    static const struct {
        const char *page, *why;
    } rows[] = {
        {"{\"status\":{\"error_code\":429}}", "page 2 (offset 2): an object where coins/markets "},
        {"[{\"id\":\"a\"," COIN "}", "page 2 (offset 2): not JSON: "},
        {"[{\"id\":\"a\"," COIN "}] x", "page 2 (offset 2): not JSON: "},
        {"<html>", "page 2 (offset 2): not JSON: "},
        {"[{\"id\":\"a\"," COIN ",\"new\":tru}]", "page 2 (offset 2): not JSON: "},
        {"", "page 2 (offset 2): not JSON: empty"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct poll_rows p;
        start();
        CHECK_EQ(POLL(PAGE("[]", rows[i].page)), ST_REJECT);
        if (strncmp(err.msg, rows[i].why, strlen(rows[i].why)) != 0)
            CHECK_Z(err.msg, rows[i].why);
    }
}

static void a_page_of_too_many_rows_refuses_the_poll(void)
{
    struct buf b = BUF_INIT((size_t)1 << 20);
    struct poll_rows p;

    start();
    buf_add_char(&b, '[');
    for (int i = 0; i < 10000; i++)
        buf_add_z(&b, "0,");
    buf_add_z(&b, "0]");
    CHECK_EQ(POLL(PAGE(b.p)), ST_REJECT);
    CHECK(strstr(err.msg, "more than 10000 rows"));
    buf_release(&b);
}

static void more_rows_than_the_bytes_promise_find_room(void)
{
    struct buf b = BUF_INIT((size_t)1 << 20);
    struct poll_rows p;

    start();
    buf_add_char(&b, '[');
    for (int i = 0; i < 5000; i++)
        buf_addf(&b, "%s{\"id\":\"%d\",\"symbol\":\"\",\"name\":\"\"}", i ? "," : "", i);
    buf_add_char(&b, ']');
    CHECK_OK(POLL(PAGE(b.p)), err);
    CHECK_EQ(p.rows.n, 5000);
    for (uint32_t i = 0; i < 5000; i += 99) {
        uint32_t row;
        char id[16];
        snprintf(id, sizeof(id), "%u", i);
        CHECK(coins_find(p.coins, str_of(id), &row));
        CHECK_EQ(row, i);
        CHECK_STR(text_of(&p, i, MARKET_ID), id);
    }
    buf_release(&b);
}

static void rows_that_did_not_change_are_marked(void)
{
    struct poll_rows a, p;

    start();
    CHECK_OK(transform(&(struct poll){PAGE("[{\"id\":\"a\"," COIN ",\"ath\":1.50},"
                                           "{\"id\":\"b\"," COIN ",\"ath\":1},"
                                           "{\"id\":\"c\"," COIN ",\"image\":\"u?1\"},"
                                           "{\"id\":\"d\"," COIN ",\"image\":\"u\"},"
                                           "{\"id\":\"e\",\"name\":\"n\"}]")},
                       &a),
             err);
    CHECK_EQ(a.unchanged_since, 0);
    CHECK_EQ(a.n_unchanged, 0);
    CHECK_OK(POLL(.pages = {"[{\"id\":\"c\"," COIN ",\"image\":\"u?2\"},"
                            "{\"id\":\"b\"," COIN ",\"ath\":1.01},"
                            "{\"id\":\"a\"," COIN ",\"ath\":15e-1,\"atl\":null},"
                            "{\"id\":\"d\"," COIN ",\"image\":\"v\"},"
                            "{\"id\":\"e\"," COIN "},{\"id\":\"new\"," COIN "}]"},
                  .slot_us = SLOT + HOUR - 1, .prev_rows = &a, .prev_ok = &a),
             err);
    CHECK_EQ(p.rows.n, 6);
    CHECK(p.is_unchanged[0]);
    CHECK(!p.is_unchanged[1]);
    CHECK(p.is_unchanged[2]);
    CHECK(!p.is_unchanged[3]);
    CHECK(!p.is_unchanged[4]);
    CHECK(!p.is_unchanged[5]);
    CHECK_EQ(p.n_unchanged, 2);
    CHECK_EQ(p.unchanged_since, a.end_offset);
}

static void the_first_poll_of_an_hour_is_whole(void)
{
    struct poll_rows a, p;

    start();
    CHECK_OK(transform(&(struct poll){PAGE("[{\"id\":\"a\"," COIN "}]")}, &a), err);
    CHECK_OK(POLL(.pages = {"[{\"id\":\"a\"," COIN "}]"}, .slot_us = SLOT + HOUR, .prev_rows = &a),
             err);
    CHECK(!p.is_unchanged[0]);
    CHECK_EQ(p.unchanged_since, 0);
}

static void absent_are_those_of_the_last_ok_poll(void)
{
    struct poll_rows ok, p;

    start();
    CHECK_OK(transform(&(struct poll){PAGE("[{\"id\":\"a\"," COIN "},{\"id\":\"b\"," COIN "},"
                                           "{\"id\":\"refused\"},{\"id\":\"gone\"}]")},
                       &ok),
             err);
    CHECK_EQ(ok.n_absent, 0);
    CHECK_EQ(ok.absent_since, 0);
    CHECK_OK(POLL(PAGE("[{\"id\":\"b\"," COIN "},{\"id\":\"refused\"}]"), .prev_ok = &ok), err);
    CHECK_EQ(p.n_absent, 2);
    CHECK_STR(p.absent[0], "a");
    CHECK_STR(p.absent[1], "gone");
    CHECK_EQ(p.absent_since, ok.end_offset);
    CHECK_OK(POLL(PAGE("[]"), .outcome = POLL_PARTIAL, .prev_ok = &ok), err);
    CHECK_EQ(p.n_absent, 0);
}

static void an_unknown_endpoint_is_refused(void)
{
    struct poll_rows p;

    start();
    CHECK(transform_knows("coins/markets"));
    CHECK(!transform_knows("coins/categories"));
    CHECK_EQ(POLL(PAGE("[]"), .endpoint = "coins/categories"), ST_REJECT);
    CHECK(strstr(err.msg, "\"coins/categories\""));
}

static void without_memory_it_says_again(void)
{
    static const char page[] =
        "[{\"id\":\"\\u0061\"," COIN ",\"x\":1,\"roi\":{\"y\":[]}},{\"id\":5}]";
    struct poll_rows ok, p;
    enum st st = ST_AGAIN;
    long n = 0;

    start();
    CHECK_OK(transform(&(struct poll){PAGE("[{\"id\":\"gone\"," COIN "}]")}, &ok), err);
    struct arena kept = arena;
    while (st == ST_AGAIN && n < 1000) { /* ever more room */
        arena_init(&arena, (size_t)++n * 256);
        st = POLL(PAGE(page), .prev_rows = &ok, .prev_ok = &ok);
        if (st == ST_AGAIN)
            CHECK(strstr(err.msg, "no memory"));
        if (st == ST_AGAIN)
            arena_release(&arena);
    }
    CHECK_EQ(st, ST_OK);
    CHECK(n > 10);
    CHECK_EQ(p.rows.n, 1);
    CHECK_EQ(p.n_absent, 1);
    arena_release(&kept);
}

static void a_steady_load_allocates_nothing(void)
{
    struct buf b = BUF_INIT((size_t)1 << 20);
    struct poll_rows p;
    unsigned long before = 0;

    start();
    buf_add_char(&b, '[');
    for (int i = 0; i < 250; i++)
        buf_addf(&b, "%s{\"id\":\"coin %d\"," COIN ",\"ath\":%d.5,\"image\":\"\\/\"}", i ? "," : "",
                 i, i);
    buf_add_char(&b, ']');
    for (int round = 0; round < 4; round++) {
        arena_reset(&arena);
        arena_reset(&bodies);
        CHECK_OK(POLL(PAGE(b.p)), err);
        CHECK_EQ(p.rows.n, 250);
        if (round < 3)
            before = mem_count();
    }
    CHECK_EQ(mem_count(), before);
    buf_release(&b);
    stop();
}

TAP_MAIN(TAP_CASE(every_column_comes_from_its_key),
         TAP_CASE(what_no_row_can_do_without_costs_the_row),
         TAP_CASE(a_bad_value_costs_its_cell_and_not_the_row),
         TAP_CASE(each_bad_value_of_a_row_is_told), TAP_CASE(a_number_in_quotes_is_that_number),
         TAP_CASE(a_whole_number_is_a_rank_however_it_is_written),
         TAP_CASE(an_id_may_have_256_bytes), TAP_CASE(a_coin_counts_once_in_a_poll),
         TAP_CASE(a_broken_row_does_not_hide_a_sound_one_of_its_coin),
         TAP_CASE(unknown_fields_are_named_once), TAP_CASE(a_flood_of_unknown_fields_is_bounded),
         TAP_CASE(a_page_that_is_no_answer_refuses_the_poll),
         TAP_CASE(a_page_of_too_many_rows_refuses_the_poll),
         TAP_CASE(more_rows_than_the_bytes_promise_find_room),
         TAP_CASE(rows_that_did_not_change_are_marked),
         TAP_CASE(the_first_poll_of_an_hour_is_whole),
         TAP_CASE(absent_are_those_of_the_last_ok_poll), TAP_CASE(an_unknown_endpoint_is_refused),
         TAP_CASE(without_memory_it_says_again), TAP_CASE(a_steady_load_allocates_nothing))
