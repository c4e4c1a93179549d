/* The transforms of the endpoints beside coins/markets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "row/global.h"
#include "row/listing.h"
#include "row/vs_currency.h"
#include "tap.h"
#include "transform/coins.h"
#include "transform/drift.h"
#include "transform/transform.h"

#include <stdio.h>

#define SLOT INT64_C(1795392000000000) /* 2026-11-23T00:00:00Z */
#define HOUR (3600 * US_PER_S)

static struct arena arena;
static struct json *json;
static struct err err;
static uint64_t offset;

static void start(void)
{
    arena_release(&arena);
    arena_init(&arena, (size_t)256 << 20);
    if (json == NULL)
        json = json_new();
    err = (struct err)ERR_INIT;
    offset = 0;
}

/* One ok poll of one page, after `prev` on the same stream (NULL: the first). */
static enum st poll(const char *endpoint, const char *page, int64_t slot_us,
                    const struct poll_rows *prev, struct poll_rows *ret_rows)
{
    struct stream_id stream = {.job = "test"};
    struct poll_page made = {
        .record = {.offset = ++offset, .page = 1, .fetched_at_us = slot_us + US_PER_S},
        .body = json_pad(&arena, str_of(page))};
    struct tape_record end = {
        .stream = &stream, .offset = ++offset, .slot_us = slot_us, .outcome = POLL_OK};
    struct transform_input in = {&end, &made, 1, prev, prev};

    snprintf(stream.endpoint, sizeof(stream.endpoint), "%s", endpoint);
    return transform_poll(&in, json, &arena, ret_rows, &err);
}

/* The rows as text: cells but fetched_at parted by '|' (NULL: "-"), rows by ' '. */
static const char *shown(const struct poll_rows *p)
{
    static char text[4096];
    struct buf b = BUF_INIT(sizeof(text) - 1);

    for (size_t i = 0; i < p->rows.n; i++)
        for (size_t c = 0; c < p->rows.table->n_columns; c++) {
            const struct cell *cell = &rows_at(&p->rows, i)[c];
            if (c == p->rows.table->first_stored)
                continue;
            if (c > 0 || i > 0)
                buf_add_char(&b, c > 0 ? '|' : ' ');
            if (cell->kind == CELL_NULL)
                buf_add_char(&b, '-');
            cell_add_text(&b, cell);
        }
    snprintf(text, sizeof(text), "%s", buf_z(&b));
    buf_release(&b);
    return text;
}

/* Its drift, as it is stored. */
static const char *drifted(const struct poll_rows *p)
{
    static char text[1024];
    struct buf b = BUF_INIT(sizeof(text) - 1);

    drift_write(&b, p->drifts, p->n_drifts);
    snprintf(text, sizeof(text), "%s", buf_z(&b));
    buf_release(&b);
    return text;
}

/* The refusals as text: "index field: reason", parted by ", ". */
static const char *refused(const struct poll_rows *p)
{
    static char text[1024];
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; i < p->n_refusals && n < sizeof(text); i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u %.*s: %s", i > 0 ? ", " : "",
                              p->refusals[i].index, STR_ARG(p->refusals[i].field),
                              p->refusals[i].reason);
    return text;
}

static void a_list_names_coins(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(poll("coins/list",
                  "[{\"id\":\"bitcoin\",\"symbol\":\"btc\",\"name\":\"Bitcoin\"},"
                  "{\"name\":\"\",\"symbol\":\"\",\"id\":\"x y\",\"platforms\":{\"eth\":\"0x1\"}}]",
                  SLOT, NULL, &p),
             err);
    CHECK_Z(shown(&p), "bitcoin|btc|Bitcoin x y||");
    CHECK_EQ(p.rows_in, 2);
    CHECK_Z(drifted(&p), ""); /* platforms are there on request: no news */
    CHECK_EQ(rows_at(&p.rows, 1)[LISTING_FETCHED_AT].number, SLOT + US_PER_S);
}

static void a_bad_row_of_a_list_is_refused_alone(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(
        poll("coins/list",
             "[{\"id\":\"a\",\"symbol\":null,\"name\":\"A\"},7,{\"symbol\":\"b\",\"name\":\"B\"},"
             "{\"id\":\"c\",\"symbol\":\"c\",\"name\":3},"
             "{\"id\":\"d\",\"symbol\":\"d\",\"name\":\"D\",\"web\":\"x\"},"
             "{\"id\":\"d\",\"symbol\":\"d\",\"name\":\"D\"},"
             "{\"id\":\"e\",\"symbol\":\"d\",\"name\":\"D\",\"platforms\":1,\"platforms\":2}]",
             SLOT, NULL, &p),
        err);
    CHECK_Z(shown(&p), "d|d|D");
    CHECK_Z(refused(&p), "0 symbol: missing, 1 : wrong type, 2 id: missing, 3 name: wrong type, "
                         "5 : duplicate coin, 6 platforms: duplicate key");
    CHECK_Z(drifted(&p), "new: web; retyped: name (text -> number)");
}

#define A "{\"id\":\"a\",\"symbol\":\"a\",\"name\":\"A\"}"
#define B "{\"id\":\"b\",\"symbol\":\"b\",\"name\":\"B\"}"

static void a_list_is_whole_once_a_day(void)
{
    struct poll_rows first, p;

    start();
    CHECK_OK(poll("coins/list", "[" A "," B "]", SLOT, NULL, &first), err);
    CHECK_OK(poll("coins/list", "[" A ",{\"id\":\"b\",\"symbol\":\"b\",\"name\":\"new\"}]",
                  SLOT + 23 * HOUR, &first, &p),
             err);
    CHECK(p.is_unchanged[0]);
    CHECK(!p.is_unchanged[1]);
    CHECK_EQ(p.n_unchanged, 1);
    CHECK_EQ(p.unchanged_since, first.end_offset);
    CHECK_OK(poll("coins/list", "[" A "," B "]", SLOT + 24 * HOUR, &first, &p), err);
    CHECK_EQ(p.n_unchanged, 0);
}

static void a_coin_that_is_listed_no_more_is_absent(void)
{
    struct poll_rows first, p;

    start();
    CHECK_OK(poll("coins/list", "[" A "," B "]", SLOT, NULL, &first), err);
    CHECK_OK(poll("coins/list", "[" B "]", SLOT + HOUR, &first, &p), err);
    CHECK_EQ(p.n_absent, 1);
    CHECK_STR(p.absent[0], "a");
}

static void a_list_may_have_200000_coins(void)
{
    struct buf b = BUF_INIT((size_t)32 << 20);
    struct poll_rows p;

    start();
    buf_add_char(&b, '[');
    for (int i = 0; i < 200000; i++)
        buf_addf(&b, "%s{\"id\":\"%d\",\"symbol\":\"\",\"name\":\"\"}", i ? "," : "", i);
    buf_add_z(&b, "]");
    CHECK_OK(poll("coins/list", buf_z(&b), SLOT, NULL, &p), err);
    CHECK_EQ(p.rows.n, 200000);
    b.len--;
    buf_add_z(&b, ",1]");
    start();
    CHECK_EQ(poll("coins/list", buf_z(&b), SLOT, NULL, &p), ST_REJECT);
    CHECK(strstr(err.msg, "more than 200000 rows"));
    buf_release(&b);
}

static void every_figure_of_the_globe_is_a_row(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(poll("global",
                  "{\"data\":{\"active_cryptocurrencies\":17397,"
                  "\"total_market_cap\":{\"btc\":3.5e7,\"usd\":2612345678901.1234567890123},"
                  "\"market_cap_change_percentage_24h_usd\":null,\"updated_at\":1795392000}}",
                  SLOT, NULL, &p),
             err);
    CHECK_Z(shown(&p), "active_cryptocurrencies|active_cryptocurrencies|-|17397 "
                       "total_market_cap.btc|total_market_cap|btc|3.5e7 "
                       "total_market_cap.usd|total_market_cap|usd|2612345678901.1234567890123 "
                       "market_cap_change_percentage_24h_usd|market_cap_change_percentage_24h_usd|-"
                       "|- updated_at|updated_at|-|1795392000");
    CHECK_EQ(p.rows_in, 5);
    CHECK_Z(drifted(&p), "");
    CHECK_EQ(rows_at(&p.rows, 4)[GLOBAL_FETCHED_AT].number, SLOT + US_PER_S);
}

static void what_is_no_figure_is_named(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(poll("global",
                  "{\"version\":2,\"data\":{\"a\":{\"usd\":1,\"deep\":{\"x\":1}},\"b\":\"text\","
                  "\"c\":[1],\"d\":true,\"e\":2}}",
                  SLOT, NULL, &p),
             err);
    CHECK_Z(shown(&p), "a.usd|a|usd|1 e|e|-|2");
    CHECK_EQ(p.n_refusals, 0);
    CHECK_Z(drifted(&p), "new: version, a.deep, b, c, d");
}

static void a_bad_figure_is_refused_alone(void)
{
    struct poll_rows p;

    start();
    CHECK_OK(poll("global",
                  "{\"data\":{\"a\":1,\"a\":2,\"\":3,\"\\ud800\":4,\"b\":{\"usd\":1e9999,"
                  "\"eur\":1,\"eur\":1},\"c\":5,\"d\":\"7.5\"}}",
                  SLOT, NULL, &p),
             err);
    CHECK_Z(shown(&p), "a|a|-|1 b.usd|b|usd|- b.eur|b|eur|1 c|c|-|5 d|d|-|7.5");
    CHECK_Z(refused(&p), "1 : duplicate key, 2 id: missing, 3 \\ud800: bad text, "
                         "4 b.usd: out of range, 6 : duplicate key");
    CHECK_STR(p.refusals[3].coin, "b.usd");
}

static void an_answer_without_data_is_no_globe(void)
{
    static const struct {
        const char *page, *why;
    } rows[] = {
        {"{}", "no object \"data\""},
        {"{\"data\":null}", "no object \"data\""},
        {"{\"data\":[]}", "no object \"data\""},
        {"{\"data\":{\"a\":1},\"data\":{\"b\":1}}", "duplicate key: data"},
        {"[]", "an array where global answers an object"},
        {"{\"data\":{\"a\":1}", "not JSON"},
        {"{\"data\":{\"a\":1}}]", "not JSON"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct poll_rows p;
        start();
        CHECK_EQ(poll("global", rows[i].page, SLOT, NULL, &p), ST_REJECT);
        if (strstr(err.msg, rows[i].why) == NULL)
            CHECK_Z(err.msg, rows[i].why);
    }
}

static void rows_that_are_no_coins_are_whole_and_never_absent(void)
{
    struct poll_rows first, p;

    start();
    CHECK_OK(poll("global", "{\"data\":{\"a\":1,\"b\":2}}", SLOT, NULL, &first), err);
    CHECK_OK(poll("global", "{\"data\":{\"a\":1}}", SLOT + 1, &first, &p), err);
    CHECK_EQ(p.rows.n, 1);
    CHECK_EQ(p.n_unchanged, 0);
    CHECK_EQ(p.n_absent, 0);
}

static void currencies_are_an_array_of_texts(void)
{
    char page[1024], longest[300];
    struct poll_rows p;

    start();
    memset(longest, 'x', sizeof(longest));
    snprintf(page, sizeof(page), "[\"usd\",\"\\u0065ur\",null,5,\"\",{\"a\":1},\"usd\",\"%.257s\"]",
             longest);
    CHECK_OK(poll("simple/supported_vs_currencies", page, SLOT, NULL, &p), err);
    CHECK_Z(shown(&p), "usd eur");
    CHECK_Z(refused(&p), "2 : wrong type, 3 : wrong type, 4 id: missing, 5 : wrong type, "
                         "6 : duplicate key, 7 : out of range");
    CHECK_EQ(rows_at(&p.rows, 0)[VS_CURRENCY_FETCHED_AT].number, SLOT + US_PER_S);
    CHECK_EQ(poll("simple/supported_vs_currencies", "{\"usd\":1}", SLOT, NULL, &p), ST_REJECT);
}

static void blanks_take_no_room_of_rows(void)
{
    const size_t n = (size_t)24 << 20;
    struct buf b = BUF_INIT(n + 16);
    struct poll_rows p;

    start();
    buf_add_z(&b, "[\"usd\"");
    while (b.len < n)
        buf_add_char(&b, ' ');
    buf_add_char(&b, ']');
    CHECK_OK(poll("simple/supported_vs_currencies", buf_z(&b), SLOT, NULL, &p), err);
    CHECK_STR(str_of(shown(&p)), "usd");
    CHECK(arena.total < 2 * n);
    buf_release(&b);
}

static void without_memory_it_says_again(void)
{
    static const char page[] = "{\"data\":{\"a\":{\"usd\":1,\"\\u0065ur\":2},\"b\":\"x\",\"a\":1}}";
    enum st st = ST_AGAIN;
    struct poll_rows p;
    long n = 0;

    start();
    while (st == ST_AGAIN && n < 1000) { /* ever more room */
        arena_release(&arena);
        arena_init(&arena, (size_t)++n * 128 + sizeof(page) + JSON_PADDING);
        st = poll("global", page, SLOT, NULL, &p);
        if (st == ST_AGAIN)
            CHECK(strstr(err.msg, "no memory"));
    }
    CHECK_EQ(st, ST_OK);
    CHECK(n > 5);
    CHECK_EQ(p.rows.n, 3);
}

TAP_MAIN(TAP_CASE(a_list_names_coins), TAP_CASE(a_bad_row_of_a_list_is_refused_alone),
         TAP_CASE(a_list_is_whole_once_a_day), TAP_CASE(a_coin_that_is_listed_no_more_is_absent),
         TAP_CASE(a_list_may_have_200000_coins), TAP_CASE(every_figure_of_the_globe_is_a_row),
         TAP_CASE(what_is_no_figure_is_named), TAP_CASE(a_bad_figure_is_refused_alone),
         TAP_CASE(an_answer_without_data_is_no_globe),
         TAP_CASE(rows_that_are_no_coins_are_whole_and_never_absent),
         TAP_CASE(currencies_are_an_array_of_texts), TAP_CASE(blanks_take_no_room_of_rows),
         TAP_CASE(without_memory_it_says_again))
