/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_v3.h"

#include "base/clock.h"
#include "tap.h"
#include "unit/serve/client.h"

/* ---- a store of three coins ---- */

static enum st fails_with;
static size_t n_asked; /* how often for rows */

static struct cell num(const char *lexeme)
{
    struct cell c = CELL_NONE;

    if (lexeme && cell_of_num(str_of(lexeme), &c) != DEC_OK)
        abort();
    return c;
}

static void fill(struct cell *row, const char *id, const char *price, const char *cap, int64_t rank)
{
    row[MARKET_ID] = cell_of_text(str_of(id));
    row[MARKET_SYMBOL] = cell_of_text(STR("s\"\\"));
    row[MARKET_NAME] = cell_of_text(STR("N\xC3\xA4me\n"));
    row[MARKET_FETCHED_AT] = cell_of_time(1);
    row[MARKET_CURRENT_PRICE] = num(price);
    row[MARKET_MARKET_CAP] = num(cap);
    if (rank > 0)
        row[MARKET_MARKET_CAP_RANK] = cell_of_int(rank);
}

static enum st fake_market(struct query *q, const struct market_query *args, struct arena *arena,
                           struct rows *ret_rows, struct err *err)
{
    struct cell *row;

    (void)q;
    n_asked++;
    if (fails_with != ST_OK)
        return err_set(err, fails_with, "store: broken");
    *ret_rows = (struct rows){.table = &market_table, .n = 3};
    ret_rows->cells = arena_zalloc(arena, 3, N_MARKET_COLUMNS * sizeof(struct cell));
    fill(rows_at(ret_rows, 0), "cheap-[old]", "9.68e-06", "1000000", 2);
    fill(rows_at(ret_rows, 1), "1move token", NULL, NULL, 0);
    row = rows_at(ret_rows, 2);
    fill(row, "bitcoin", "77074", "1545681131479", 1);
    row[MARKET_IMAGE] = cell_of_text(STR("https://x/1.png?1"));
    row[MARKET_FULLY_DILUTED_VALUATION] = num("1545681131479");
    row[MARKET_TOTAL_VOLUME] = num("36690909378");
    row[MARKET_HIGH_24H] = num("79268");
    row[MARKET_LOW_24H] = num("76595.0");
    row[MARKET_PRICE_CHANGE_24H] = num("-2002.5500261049601");
    row[MARKET_PRICE_CHANGE_PERCENTAGE_24H] = num("-2.53243");
    row[MARKET_MARKET_CAP_CHANGE_24H] = num("-39309412479.89331");
    row[MARKET_MARKET_CAP_CHANGE_PERCENTAGE_24H] = num("-2.4801");
    row[MARKET_CIRCULATING_SUPPLY] = num("20021696.0");
    row[MARKET_TOTAL_SUPPLY] = num("20021696.0");
    row[MARKET_MAX_SUPPLY] = num("21000000.0");
    row[MARKET_ATH] = num("126080");
    row[MARKET_ATH_CHANGE_PERCENTAGE] = num("-38.86918");
    row[MARKET_ATH_DATE] = cell_of_time(1759777062558000);
    row[MARKET_ATL] = num("67.81");
    row[MARKET_ATL_CHANGE_PERCENTAGE] = num("1.9026007997779706e+37");
    row[MARKET_ATL_DATE] = cell_of_time(1373068800000000);
    row[MARKET_ROI_TIMES] = num("38.819830424525165");
    row[MARKET_ROI_CURRENCY] = cell_of_text(STR("btc"));
    row[MARKET_ROI_PERCENTAGE] = num("3881.9830424525165");
    row[MARKET_LAST_UPDATED] = cell_of_time(1777343222402000);
    row[MARKET_CHANGE_24H] = num("-2.5324300001");
    row[MARKET_CHANGE_7D] = num("1e1");
    query_arrange(args, ret_rows);
    return ST_OK;
}

static enum st fake_coins(struct query *q, struct arena *arena, struct rows *ret_rows,
                          struct err *err)
{
    (void)q;
    if (fails_with != ST_OK)
        return err_set(err, fails_with, "store: broken");
    *ret_rows = (struct rows){.table = &coin_table, .n = 2};
    ret_rows->cells = arena_zalloc(arena, 2, N_COIN_COLUMNS * sizeof(struct cell));
    rows_at(ret_rows, 0)[COIN_ID] = cell_of_text(STR("-a b"));
    rows_at(ret_rows, 0)[COIN_SYMBOL] = cell_of_text(STR(""));
    rows_at(ret_rows, 0)[COIN_NAME] = cell_of_text(STR("<A>"));
    rows_at(ret_rows, 1)[COIN_ID] = cell_of_text(STR("bitcoin"));
    rows_at(ret_rows, 1)[COIN_SYMBOL] = cell_of_text(STR("btc"));
    rows_at(ret_rows, 1)[COIN_NAME] = cell_of_text(STR("Bitcoin"));
    return ST_OK;
}

static enum st fake_currencies(struct query *q, struct arena *arena, struct str **ret_currencies,
                               size_t *ret_n, struct err *err)
{
    struct str *names = arena_alloc(arena, 2, sizeof(*names));

    (void)q;
    (void)err;
    names[0] = STR("usd");
    names[1] = STR("eur");
    *ret_currencies = names;
    *ret_n = 2;
    return ST_OK;
}

/* As a store gives them that keeps them by their names. */
static enum st fake_global(struct query *q, struct arena *arena, struct figure **ret_figures,
                           size_t *ret_n, struct err *err)
{
    static const struct {
        const char *name, *part, *value;
    } figures[] = {
        {"active_cryptocurrencies", "", "17397"},
        {"brand_new", "", "1.50"},
        {"markets", "", NULL},
        {"total_market_cap", "aed", "9.6e+12"},
        {"total_market_cap", "usd", "2621.0405"},
        {"total_volume", "usd", "0.0"},
        {"updated_at", "", "1779878351"},
    };
    const size_t n = sizeof(figures) / sizeof(figures[0]);

    (void)q;
    if (fails_with != ST_OK)
        return err_set(err, fails_with, "store: broken");
    *ret_figures = arena_zalloc(arena, n, sizeof(**ret_figures));
    for (size_t i = 0; i < n; i++)
        (*ret_figures)[i] = (struct figure){.name = str_of(figures[i].name),
                                            .part = str_of(figures[i].part),
                                            .value = num(figures[i].value)};
    *ret_n = n;
    return ST_OK;
}

static const struct query_driver fake_driver = {.market = fake_market,
                                                .coins = fake_coins,
                                                .currencies = fake_currencies,
                                                .global = fake_global};
static enum st no_global(struct query *q, struct arena *arena, struct figure **ret_figures,
                         size_t *ret_n, struct err *err)
{
    (void)q, (void)arena, (void)ret_figures, (void)err;
    *ret_n = 0;
    return ST_OK;
}

static enum st no_inactive(struct query *q, struct arena *arena, struct rows *ret_rows,
                           struct err *err)
{
    (void)q, (void)arena, (void)err;
    *ret_rows = (struct rows){.table = &coin_table};
    return ST_OK;
}

/* What every store could know, if a job collected it. */
static const struct query_driver idle_driver = {.market = fake_market,
                                                .coins = fake_coins,
                                                .currencies = fake_currencies,
                                                .global = no_global,
                                                .inactive = no_inactive};
/* What every store knows, and no more. */
static const struct query_driver plain_driver = {
    .market = fake_market, .coins = fake_coins, .currencies = fake_currencies};

/* ---- asking it ---- */

static struct query store = {.driver = &fake_driver};
static struct query idle_store = {.driver = &idle_driver};
static struct query plain_store = {.driver = &plain_driver};
static struct api_v3 api;
static struct http_server *server;
static struct err err;

static void handle(void *ctx, const struct http_request *req, struct http_response *res)
{
    if (!api_v3_handle(ctx, req, res))
        res->status = 418;
}

static bool start(struct query *query)
{
    const struct http_setup setup = {.address = "127.0.0.1", .handler = handle, .ctx = &api};

    fails_with = ST_OK;
    api.query = query;
    arena_init(&api.arena, 4 * 1024 * 1024);
    return http_start(&setup, &server, &err) == ST_OK;
}

static void stop(void)
{
    http_stop(server);
    arena_release(&api.arena);
}

static struct client get(const char *target)
{
    return client_get(http_port(server), target, "");
}

#define NULLS_FROM_VALUATION                                                                     \
    "\"fully_diluted_valuation\":null,\"total_volume\":null,\"high_24h\":null,\"low_24h\":null," \
    "\"price_change_24h\":null,\"price_change_percentage_24h\":null,"                            \
    "\"market_cap_change_24h\":null,\"market_cap_change_percentage_24h\":null,"                  \
    "\"circulating_supply\":null,\"total_supply\":null,\"max_supply\":null,\"ath\":null,"        \
    "\"ath_change_percentage\":null,\"ath_date\":null,\"atl\":null,"                             \
    "\"atl_change_percentage\":null,\"atl_date\":null,\"roi\":null,\"last_updated\":null"

static const char bitcoin[] =
    "{\"id\":\"bitcoin\",\"symbol\":\"s\\\"\\\\\",\"name\":\"N\xC3\xA4me\\n\","
    "\"image\":\"https://x/1.png?1\",\"current_price\":77074,\"market_cap\":1545681131479,"
    "\"market_cap_rank\":1,\"fully_diluted_valuation\":1545681131479,"
    "\"total_volume\":36690909378,\"high_24h\":79268,\"low_24h\":76595.0,"
    "\"price_change_24h\":-2002.5500261049601,\"price_change_percentage_24h\":-2.53243,"
    "\"market_cap_change_24h\":-39309412479.89331,"
    "\"market_cap_change_percentage_24h\":-2.4801,\"circulating_supply\":20021696.0,"
    "\"total_supply\":20021696.0,\"max_supply\":21000000.0,\"ath\":126080,"
    "\"ath_change_percentage\":-38.86918,\"ath_date\":\"2025-10-06T18:57:42.558Z\","
    "\"atl\":67.81,\"atl_change_percentage\":1.9026007997779706e+37,"
    "\"atl_date\":\"2013-07-06T00:00:00.000Z\",\"roi\":{\"times\":38.819830424525165,"
    "\"currency\":\"btc\",\"percentage\":3881.9830424525165},"
    "\"last_updated\":\"2026-04-28T02:27:02.402Z\"";

static void markets_writes_the_fields_as_coingecko_does(void)
{
    char want[2048];

    CHECK(start(&store));
    struct client c = get("/api/v3/coins/markets?vs_currency=usd&ids=bitcoin");
    CHECK_EQ(client_status(&c), 200);
    CHECK(client_has(&c, "\r\nContent-Type: application/json; charset=utf-8\r\n"));
    CHECK(client_has(&c, "\r\nAccess-Control-Allow-Origin: *\r\n"));
    snprintf(want, sizeof(want), "[%s}]", bitcoin);
    CHECK_STR(c.body, want);
    c = get("/api/v3/coins/markets?vs_currency=usd&ids=1move%20token");
    CHECK_STR(c.body,
              "[{\"id\":\"1move token\",\"symbol\":\"s\\\"\\\\\",\"name\":\"N\xC3\xA4me\\n\","
              "\"image\":null,\"current_price\":null,\"market_cap\":null,"
              "\"market_cap_rank\":null," NULLS_FROM_VALUATION "}]");
    stop();
}

static void markets_adds_change_columns_on_request_only(void)
{
    char want[2048];

    CHECK(start(&store));
    struct client c = get("/api/v3/coins/markets?vs_currency=usd&ids=bitcoin"
                          "&price_change_percentage=7d,%2024h,nonsense,1y");
    snprintf(want, sizeof(want),
             "[%s,\"price_change_percentage_24h_in_currency\":-2.5324300001,"
             "\"price_change_percentage_7d_in_currency\":1e1,"
             "\"price_change_percentage_1y_in_currency\":null}]",
             bitcoin);
    CHECK_STR(c.body, want);
    stop();
}

/* The ids of the answer in their order: "a b c" */
static const char *ids_of(struct str body)
{
    static char ids[256];
    size_t len = 0;

    ids[0] = '\0';
    for (const char *p = body.p; (p = strstr(p, "{\"id\":\"")) != NULL; p += 7)
        len += (size_t)snprintf(ids + len, sizeof(ids) - len, "%s%.*s", len ? "|" : "",
                                (int)strcspn(p + 7, "\""), p + 7);
    return ids;
}

static void markets_orders_selects_and_pages(void)
{
    static const struct {
        const char *query, *want;
    } cases[] = {
        {"", "bitcoin|cheap-[old]|1move token"},
        {"&order=market_cap_desc", "bitcoin|cheap-[old]|1move token"},
        {"&order=market_cap_asc", "cheap-[old]|bitcoin|1move token"},
        {"&order=id_asc", "1move token|bitcoin|cheap-[old]"},
        {"&order=id_desc", "cheap-[old]|bitcoin|1move token"},
        {"&order=nonsense", "bitcoin|cheap-[old]|1move token"},
        {"&per_page=2", "bitcoin|cheap-[old]"},
        {"&per_page=2&page=2", "1move token"},
        {"&per_page=2&page=3", ""},
        {"&page=99999999999999999999", "bitcoin|cheap-[old]|1move token"},
        {"&page=4294967295&per_page=250", ""},
        {"&per_page=0", "bitcoin|cheap-[old]|1move token"},
        {"&per_page=-1&page=0", "bitcoin|cheap-[old]|1move token"},
        {"&per_page=1000", "bitcoin|cheap-[old]|1move token"},
        {"&ids=cheap-%5Bold%5D,%20bitcoin,,bitcoin,unknown", "bitcoin|cheap-[old]"},
        {"&ids=unknown", ""},
    };
    char target[200];

    CHECK(start(&store));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(target, sizeof(target), "/api/v3/coins/markets?vs_currency=usd%s", cases[i].query);
        struct client c = get(target);
        CHECK_EQ(client_status(&c), 200);
        CHECK_Z(ids_of(c.body), cases[i].want);
    }
    stop();
}

static void api_refuses_as_coingecko_does(void)
{
    static const struct {
        const char *target;
        int status;
        const char *body;
    } cases[] = {
        {"/api/v3/coins/markets", 422, "{\"error\":\"Missing parameter vs_currency\"}"},
        {"/api/v3/coins/markets/", 422, "{\"error\":\"Missing parameter vs_currency\"}"},
        {"/api/v3/coins/markets//", 404,
         "{\"error\":\"Incorrect path. Please check https://www.coingecko.com/api/\"}"},
        {"/api/v3/coins/markets?vs_currency=", 422,
         "{\"error\":\"Missing parameter vs_currency\"}"},
        {"/api/v3/coins/markets?vs_currency=xyz", 400, "{\"error\":\"invalid vs_currency\"}"},
        {"/api/v3/simple/price?vs_currencies=usd", 422, "{\"error\":\"Missing parameter ids\"}"},
        {"/api/v3/simple/price?ids=,%20,&vs_currencies=usd", 422,
         "{\"error\":\"Missing parameter ids\"}"},
        {"/api/v3/simple/price?ids=bitcoin", 422,
         "{\"error\":\"Missing parameter vs_currencies\"}"},
        {"/api/v3/nothing", 404,
         "{\"error\":\"Incorrect path. Please check https://www.coingecko.com/api/\"}"},
        {"/api/v3", 404,
         "{\"error\":\"Incorrect path. Please check https://www.coingecko.com/api/\"}"},
        {"/api/v31/ping", 418, ""},
        {"/elsewhere", 418, ""},
    };

    CHECK(start(&store));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client c = get(cases[i].target);
        CHECK_EQ(client_status(&c), cases[i].status);
        CHECK_STR(c.body, cases[i].body);
    }
    stop();
}

static void simple_price_answers_as_coingecko_does(void)
{
    static const struct {
        const char *query, *want;
    } cases[] = {
        {"ids=bitcoin&vs_currencies=usd", "{\"bitcoin\":{\"usd\":77074}}"},
        {"ids=bitcoin,cheap-%5Bold%5D&vs_currencies=usd,eur",
         "{\"bitcoin\":{\"usd\":77074,\"eur\":77074},"
         "\"cheap-[old]\":{\"usd\":9.68e-06,\"eur\":9.68e-06}}"},
        {"ids=unknown&vs_currencies=usd", "{}"},
        {"ids=bitcoin,unknown&vs_currencies=xyz", "{\"bitcoin\":{}}"},
        {"ids=1move+token&vs_currencies=usd&include_market_cap=1&include_last_updated_at=true",
         "{\"1move token\":{\"usd\":null,\"usd_market_cap\":null,\"last_updated_at\":null}}"},
        {"ids=bitcoin&vs_currencies=usd&include_market_cap=true&include_24hr_vol=True&"
         "include_24hr_change=true&include_last_updated_at=1",
         "{\"bitcoin\":{\"usd\":77074,\"usd_market_cap\":1545681131479,\"usd_24h_vol\":36690909378,"
         "\"usd_24h_change\":-2.5324300001,\"last_updated_at\":1777343222}}"},
        {"ids=bitcoin&vs_currencies=usd&include_market_cap=false", "{\"bitcoin\":{\"usd\":77074}}"},
    };
    char target[300];

    CHECK(start(&store));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(target, sizeof(target), "/api/v3/simple/price?%s", cases[i].query);
        struct client c = get(target);
        CHECK_EQ(client_status(&c), 200);
        CHECK_STR(c.body, cases[i].want);
    }
    stop();
}

static void lists_and_ping_answer_as_coingecko_does(void)
{
    CHECK(start(&store));
    struct client c = get("/api/v3/ping");
    CHECK_STR(c.body, "{\"gecko_says\":\"(V3) To the Moon!\"}");
    c = get("/api/v3/simple/supported_vs_currencies");
    CHECK_STR(c.body, "[\"usd\",\"eur\"]");
    c = get("/api/v3/coins/list");
    CHECK_STR(c.body, "[{\"id\":\"-a b\",\"symbol\":\"\",\"name\":\"<A>\"},"
                      "{\"id\":\"bitcoin\",\"symbol\":\"btc\",\"name\":\"Bitcoin\"}]");
    stop();
}

static void global_answers_in_coingeckos_order(void)
{
    CHECK(start(&store));
    struct client c = get("/api/v3/global");
    CHECK_EQ(client_status(&c), 200);
    CHECK_STR(c.body,
              "{\"data\":{\"active_cryptocurrencies\":17397,\"markets\":null,"
              "\"total_market_cap\":{\"aed\":9.6e+12,\"usd\":2621.0405},"
              "\"total_volume\":{\"usd\":0.0},\"updated_at\":1779878351,\"brand_new\":1.50}}");
    stop();
}

static void api_says_what_a_store_does_not_know(void)
{
    static const char *const targets[] = {
        "/api/v3/global", "/api/v3/coins/bitcoin/market_chart?vs_currency=usd&days=1",
        "/api/v3/coins/bitcoin/market_chart/range?vs_currency=usd&from=1&to=2",
        "/api/v3/coins/bitcoin/ohlc?vs_currency=usd&days=1"};

    CHECK(start(&plain_store));
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        struct client c = get(targets[i]);
        CHECK_EQ(client_status(&c), 501);
        CHECK(str_starts(c.body, STR("{\"error\":\"this store keeps no ")));
    }
    stop();
}

/* Not the 503 of a store that will know it soon. */
static void api_names_the_job_that_would_collect_it(void)
{
    CHECK(start(&idle_store));
    struct client c = get("/api/v3/global");
    CHECK_EQ(client_status(&c), 501);
    CHECK(!client_has(&c, "\r\nRetry-After:"));
    CHECK_STR(c.body, "{\"error\":\"this store keeps no figures of the whole market; a job with "
                      "endpoint: global collects them\"}");
    c = get("/api/v3/coins/list?status=inactive");
    CHECK_EQ(client_status(&c), 501);
    CHECK_STR(c.body, "{\"error\":\"this store keeps no coins that are listed no more; a job with "
                      "endpoint: coins/list, inactive: true collects them\"}");
    stop();
}

static void api_takes_lists_as_long_as_a_request_can_be(void)
{
    static char target[8192] = "/api/v3/simple/price?vs_currencies=usd&ids=bitcoin";
    size_t len = strlen(target);

    for (int i = 0; len < 6000; i++)
        len += (size_t)snprintf(target + len, sizeof(target) - len, ",%d", i);
    CHECK(start(&store));
    struct client c = get(target);
    CHECK_STR(c.body, "{\"bitcoin\":{\"usd\":77074}}");
    stop();
}

/* However many ids: the store's work is that of one read of the market for each currency. */
static void simple_price_asks_the_store_once_for_each_currency(void)
{
    static char target[16000] = "/api/v3/simple/price?vs_currencies=usd,eur&ids=bitcoin";
    size_t len = strlen(target);

    for (int i = 0; i < 2500; i++)
        len += (size_t)snprintf(target + len, sizeof(target) - len, ",%x", i);
    CHECK(start(&store));
    n_asked = 0;
    struct client c = get(target);
    CHECK_STR(c.body, "{\"bitcoin\":{\"usd\":77074,\"eur\":77074}}");
    CHECK_EQ(n_asked, 2);
    stop();
}

static void api_says_when_the_store_fails(void)
{
    CHECK(start(&store));
    fails_with = ST_AGAIN;
    struct client c = get("/api/v3/coins/markets?vs_currency=usd");
    CHECK_EQ(client_status(&c), 503);
    CHECK(client_has(&c, "\r\nRetry-After: 1\r\n"));
    CHECK_STR(c.body, "{\"error\":\"store: broken\"}");
    fails_with = ST_FATAL;
    c = get("/api/v3/coins/list");
    CHECK_EQ(client_status(&c), 500);
    fails_with = ST_OK;
    c = get("/api/v3/coins/list");
    CHECK_EQ(client_status(&c), 200);
    stop();
}

static void api_says_what_to_do_without_a_store(void)
{
    CHECK(start(NULL));
    struct client c = get("/api/v3/coins/markets?vs_currency=usd");
    CHECK_EQ(client_status(&c), 501);
    CHECK(memmem(c.body.p, c.body.len, "--sink", 6) != NULL);
    c = get("/api/v3/ping");
    CHECK_EQ(client_status(&c), 200);
    stop();
}

TAP_MAIN(TAP_CASE(markets_writes_the_fields_as_coingecko_does),
         TAP_CASE(markets_adds_change_columns_on_request_only),
         TAP_CASE(markets_orders_selects_and_pages), TAP_CASE(api_refuses_as_coingecko_does),
         TAP_CASE(simple_price_answers_as_coingecko_does),
         TAP_CASE(lists_and_ping_answer_as_coingecko_does),
         TAP_CASE(global_answers_in_coingeckos_order),
         TAP_CASE(api_says_what_a_store_does_not_know),
         TAP_CASE(api_names_the_job_that_would_collect_it),
         TAP_CASE(api_takes_lists_as_long_as_a_request_can_be),
         TAP_CASE(simple_price_asks_the_store_once_for_each_currency),
         TAP_CASE(api_says_when_the_store_fails), TAP_CASE(api_says_what_to_do_without_a_store))
