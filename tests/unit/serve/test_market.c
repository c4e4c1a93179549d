/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "serve/serve.h"
#include "tap.h"
#include "unit/serve/client.h"

#define T0 INT64_C(1795444200000000) /* 2026-11-23T14:30:00Z */

/* ---- a store of two coins in usd and one in eur ---- */

static struct market_query asked;
static size_t n_ids;
static char asked_ids[64];
static enum st store_st;
static size_t n_currencies;
static struct status_snapshot snapshot;
static struct status *status;
static struct serve *serve;

static struct cell number(const char *lexeme)
{
    struct cell cell = CELL_NONE;

    if (cell_of_num(str_of(lexeme), &cell) != DEC_OK)
        abort();
    return cell;
}

static void add_coin(struct rows *rows, const char *id, const char *price, int64_t fetched_us)
{
    struct cell *row = rows_at(rows, rows->n++);

    row[MARKET_ID] = cell_of_text(str_of(id));
    row[MARKET_SYMBOL] = cell_of_text(STR("s"));
    row[MARKET_NAME] = cell_of_text(STR("a \"name\""));
    row[MARKET_CURRENT_PRICE] = number(price);
    row[MARKET_MARKET_CAP_RANK] = cell_of_int((int64_t)rows->n);
    row[MARKET_LAST_UPDATED] = cell_of_time(T0 + 1999);
    row[MARKET_FETCHED_AT] = cell_of_time(fetched_us);
}

static enum st fake_market(struct query *q, const struct market_query *args, struct arena *arena,
                           struct rows *ret_rows, struct err *err)
{
    struct rows rows = {.table = &market_table};

    (void)q;
    asked = *args;
    n_ids = args->n_ids;
    asked_ids[0] = '\0';
    for (size_t i = 0, at = 0; i < n_ids; i++)
        at += (size_t)snprintf(asked_ids + at, sizeof(asked_ids) - at, "%.*s ",
                               STR_ARG(args->ids[i]));
    if (store_st != ST_OK)
        return err_set(err, store_st, "a.db: locked");
    rows.cells = arena_zalloc(arena, (size_t)2 * N_MARKET_COLUMNS, sizeof(*rows.cells));
    if (str_eq(args->vs_currency, STR("usd"))) {
        add_coin(&rows, "bitcoin", "77074.00", T0 + 5000);
        add_coin(&rows, "dust", "0.00000000012345678901234567890", T0 + 3000);
    } else {
        add_coin(&rows, "bitcoin", "1.5e+4", T0);
    }
    *ret_rows = rows;
    return ST_OK;
}

static enum st fake_currencies(struct query *q, struct arena *arena, struct str **ret_currencies,
                               size_t *ret_n, struct err *err)
{
    static struct str currencies[] = {STR("eur"), STR("usd")};

    (void)q, (void)arena, (void)err;
    *ret_currencies = currencies;
    *ret_n = n_currencies;
    return ST_OK;
}

static const struct query_driver latest_only = {.market = fake_market,
                                                .currencies = fake_currencies};
static const struct query_driver with_past = {
    .market = fake_market, .currencies = fake_currencies, .has_past = true};

static bool start(const struct query_driver *driver)
{
    static struct query query;
    struct serve_setup setup = {.address = "127.0.0.1"};
    struct err err = ERR_INIT;

    query = (struct query){.driver = driver};
    setup.query = driver ? &query : NULL;
    setup.status = status = status_new(&snapshot);
    store_st = ST_OK;
    n_currencies = 2;
    return serve_start(&setup, &serve, &err) == ST_OK;
}

static void stop(void)
{
    serve_stop(serve);
    status_free(status);
}

static bool has(const struct client *c, const char *text)
{
    return c->body.len > 0 && memmem(c->body.p, c->body.len, text, strlen(text));
}

static struct client get(const char *target)
{
    return client_get(serve_port(serve), target, "");
}

static void market_has_every_digit_and_times_in_ms(void)
{
    CHECK(start(&latest_only));
    struct client c = get("/api/market?vs_currency=usd");
    CHECK_EQ(client_status(&c), 200);
    CHECK(str_starts(c.body, STR("{\"vs_currency\":\"usd\",\"time\":1795444200005,\"columns\":["
                                 "\"id\",\"symbol\",\"name\",\"image\",\"current_price\",")));
    CHECK(has(&c, "\"rows\":[\n[\"bitcoin\",\"s\",\"a \\\"name\\\"\",null,77074.00,null,1,"));
    CHECK(has(&c, ",1795444200001,1795444200005,null,"));
    CHECK(has(&c, ",\n[\"dust\",\"s\",\"a \\\"name\\\"\",null,0.00000000012345678901234567890,"));
    CHECK(has(&c, "]]}\n"));
    CHECK_EQ(asked.per_page, 0);
    CHECK_EQ(asked.order, ORDER_MARKET_CAP_DESC);
    CHECK_EQ(asked.at_us, 0);
    stop();
}

static void market_is_in_usd_unless_asked_or_there_is_none(void)
{
    CHECK(start(&latest_only));
    struct client c = get("/api/market");
    CHECK(has(&c, "{\"vs_currency\":\"usd\","));
    c = get("/api/market?vs_currency=eur");
    CHECK(has(&c, "{\"vs_currency\":\"eur\",\"time\":1795444200000,"));
    CHECK(has(&c, ",1.5e+4,"));
    n_currencies = 1;
    c = get("/api/market");
    CHECK(has(&c, "{\"vs_currency\":\"eur\","));
    stop();
}

static void market_refuses_what_it_does_not_have(void)
{
    CHECK(start(&latest_only));
    struct client c = get("/api/market?vs_currency=x%1b");
    CHECK_EQ(client_status(&c), 404);
    CHECK(has(&c, "nothing is polled in \\\"x?\\\"; there are: eur, usd"));
    c = get("/api/market?at=yesterday");
    CHECK_EQ(client_status(&c), 400);
    c = get("/api/market?at=2026-11-23T14:30:00Z");
    CHECK_EQ(client_status(&c), 501);
    CHECK(has(&c, "keeps no market of the past"));
    store_st = ST_AGAIN;
    c = get("/api/market");
    CHECK_EQ(client_status(&c), 503);
    CHECK(client_has(&c, "\r\nRetry-After: 1\r\n"));
    n_currencies = 0;
    c = get("/api/market");
    CHECK_EQ(client_status(&c), 404);
    CHECK(has(&c, "there are: none yet"));
    stop();
    CHECK(start(NULL));
    c = get("/api/market");
    CHECK_EQ(client_status(&c), 501);
    CHECK(has(&c, "no sink here can be read"));
    stop();
}

static void market_of_the_past_is_asked_of_who_knows_it(void)
{
    CHECK(start(&with_past));
    struct client c = get("/api/market?at=2026-11-23T14:30:00Z");
    CHECK_EQ(client_status(&c), 200);
    CHECK_EQ(asked.at_us, T0);
    stop();
}

static void market_of_some_coins_is_asked_for_by_their_ids(void)
{
    CHECK(start(&latest_only));
    struct client c = get("/api/market?ids=dust,,bitcoin,");
    CHECK_EQ(client_status(&c), 200);
    CHECK_EQ(n_ids, 2);
    CHECK(strcmp(asked_ids, "dust bitcoin ") == 0);
    c = get("/api/market?ids=");
    CHECK_EQ(client_status(&c), 200);
    CHECK_EQ(n_ids, 0);
    char many[1200] = "/api/market?ids=";
    for (size_t i = 0, at = strlen(many); i < 251; i++, at += 2)
        memcpy(many + at, "x,", 3);
    c = get(many);
    CHECK_EQ(client_status(&c), 400);
    CHECK(has(&c, "ids: more than 250"));
    stop();
}

static void market_has_the_columns_that_are_asked_for_in_their_order(void)
{
    CHECK(start(&latest_only));
    struct client c = get("/api/market?columns=current_price,id,total_supply");
    CHECK_EQ(client_status(&c), 200);
    CHECK(has(&c, "\"columns\":[\"current_price\",\"id\",\"total_supply\"],\"rows\":[\n"
                  "[77074.00,\"bitcoin\",null],\n"
                  "[0.00000000012345678901234567890,\"dust\",null]]}\n"));
    c = get("/api/market?columns=");
    CHECK(has(&c, "\"columns\":[\"id\",\"symbol\",\"name\",\"image\","));
    c = get("/api/market?columns=id,prize%1b");
    CHECK_EQ(client_status(&c), 400);
    CHECK(has(&c, "columns: \\\"prize?\\\" is no column of a coin; there are: id, symbol, name, "));
    CHECK(has(&c, ", price_change_percentage_1y_in_currency\"}"));
    c = get("/api/market?columns=id,,name");
    CHECK_EQ(client_status(&c), 400);
    c = get("/api/market?columns=id,name,id");
    CHECK_EQ(client_status(&c), 400);
    CHECK(has(&c, "\\\"id\\\" is named twice"));
    stop();
}

static void market_is_cut_behind_the_first_where_so_many_are_asked_for(void)
{
    CHECK(start(&latest_only));
    struct client c = get("/api/market?limit=50");
    CHECK_EQ(client_status(&c), 200);
    CHECK_EQ(asked.per_page, 50);
    CHECK_EQ(asked.page, 1);
    static const char *const wrong[] = {"0", "251", "-1", "x", "1e2"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char target[64];
        snprintf(target, sizeof(target), "/api/market?limit=%s", wrong[i]);
        c = get(target);
        CHECK_EQ(client_status(&c), 400);
        CHECK(has(&c, "limit: not a number from 1 to 250"));
    }
    stop();
}

TAP_MAIN(TAP_CASE(market_has_every_digit_and_times_in_ms),
         TAP_CASE(market_is_in_usd_unless_asked_or_there_is_none),
         TAP_CASE(market_refuses_what_it_does_not_have),
         TAP_CASE(market_of_the_past_is_asked_of_who_knows_it),
         TAP_CASE(market_of_some_coins_is_asked_for_by_their_ids),
         TAP_CASE(market_has_the_columns_that_are_asked_for_in_their_order),
         TAP_CASE(market_is_cut_behind_the_first_where_so_many_are_asked_for))
