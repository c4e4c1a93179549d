/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "serve/api_v3.h"
#include "tap.h"
#include "unit/serve/client.h"

#define NOW INT64_C(1795444200123456) /* 2026-11-23T14:30:00.123456Z */

/* ---- a store that knows everything of two coins ---- */

static enum st fails_with;
static struct market_query asked; /* the last one, without what it points to */

static struct cell num(const char *lexeme)
{
    struct cell c = CELL_NONE;

    if (lexeme && cell_of_num(str_of(lexeme), &c) != DEC_OK)
        abort();
    return c;
}

static void fill(struct cell *row, const char *id, const char *symbol, const char *price)
{
    row[MARKET_ID] = cell_of_text(str_of(id));
    row[MARKET_SYMBOL] = cell_of_text(str_of(symbol));
    row[MARKET_NAME] = cell_of_text(STR("A \"Coin\""));
    row[MARKET_IMAGE] = cell_of_text(STR("https://x/1/large/c.png?1"));
    row[MARKET_CURRENT_PRICE] = num(price);
    row[MARKET_MARKET_CAP] = num(price);
}

static enum st fake_market(struct query *q, const struct market_query *args, struct arena *arena,
                           struct rows *ret_rows, struct err *err)
{
    const bool is_usd = str_eq(args->vs_currency, STR("usd"));

    (void)q;
    asked = *args;
    if (fails_with != ST_OK)
        return err_set(err, fails_with, "store: broken");
    *ret_rows = (struct rows){.table = &market_table, .n = 3};
    ret_rows->cells = arena_zalloc(arena, 3, N_MARKET_COLUMNS * sizeof(struct cell));
    fill(rows_at(ret_rows, 0), "big-usdc", "usdc", is_usd ? "100.125" : "90.125");
    fill(rows_at(ret_rows, 1), "small-usdc", "USDC", "1.0");
    fill(rows_at(ret_rows, 2), "blank", "btc", NULL);
    struct cell *row = rows_at(ret_rows, 0);
    row[MARKET_MARKET_CAP_RANK] = cell_of_int(7);
    row[MARKET_RANK_WITH_REHYPOTHECATED] = cell_of_int(8);
    row[MARKET_FULLY_DILUTED_VALUATION] = num("200.25");
    row[MARKET_ATH_DATE] = cell_of_time(1759777062558000);
    row[MARKET_CHANGE_7D] = num("-1.5");
    row[MARKET_SPARKLINE_IN_7D] = cell_of_text(STR("[1.5,2e-07]"));
    rows_at(ret_rows, 1)[MARKET_FULLY_DILUTED_VALUATION] = num("1e-320");
    query_arrange(args, ret_rows);
    return ST_OK;
}

static enum st fake_coins(struct query *q, struct arena *arena, struct rows *ret_rows,
                          struct err *err)
{
    struct market_query all = {.vs_currency = STR("usd"), .order = ORDER_ID_ASC};
    struct rows rows;
    enum st st = fake_market(q, &all, arena, &rows, err);

    if (st != ST_OK)
        return st;
    *ret_rows = (struct rows){.table = &coin_table, .n = rows.n};
    ret_rows->cells = arena_zalloc(arena, rows.n, N_COIN_COLUMNS * sizeof(struct cell));
    for (size_t i = 0; i < rows.n; i++)
        memcpy(rows_at(ret_rows, i), rows_at(&rows, i), N_COIN_COLUMNS * sizeof(struct cell));
    return ST_OK;
}

static enum st fake_currencies(struct query *q, struct arena *arena, struct str **ret_currencies,
                               size_t *ret_n, struct err *err)
{
    (void)q;
    (void)err;
    *ret_currencies = arena_alloc(arena, 2, sizeof(**ret_currencies));
    (*ret_currencies)[0] = STR("eur");
    (*ret_currencies)[1] = STR("usd");
    *ret_n = 2;
    return ST_OK;
}

static enum st fake_info(struct query *q, struct str id, struct arena *arena,
                         struct coin_info *ret_info, bool *ret_is_known, struct err *err)
{
    static const struct coin_contract contracts[] = {{STR("ethereum"), STR("0xab"), 18},
                                                     {STR("solana"), STR("So1"), -1}};
    static const struct coin_contract own = {STR(""), STR(""), -1};
    static const struct str categories[] = {STR("Meme")};
    const bool is_token = str_eq(id, STR("big-usdc"));

    (void)q;
    (void)arena;
    if (fails_with != ST_OK)
        return err_set(err, fails_with, "store: broken");
    *ret_is_known = true;
    *ret_info = (struct coin_info){.description = STR("It \"is\"."),
                                   .homepage = STR("https://h/"),
                                   .contracts = is_token ? contracts : &own,
                                   .n_contracts = is_token ? 2 : 1,
                                   .categories = categories,
                                   .n_categories = 1,
                                   .genesis_us = is_token ? 1230940800000000 : INT64_MIN};
    return ST_OK;
}

static enum st fake_newest(struct query *q, struct arena *arena, struct rows *ret_rows,
                           struct err *err)
{
    (void)q;
    (void)err;
    *ret_rows = (struct rows){.table = &new_coin_table, .n = 1};
    ret_rows->cells = arena_zalloc(arena, 1, N_NEW_COIN_COLUMNS * sizeof(struct cell));
    ret_rows->cells[COIN_ID] = cell_of_text(STR("new"));
    ret_rows->cells[COIN_SYMBOL] = cell_of_text(STR("NEW"));
    ret_rows->cells[COIN_NAME] = cell_of_text(STR("New"));
    ret_rows->cells[NEW_COIN_ACTIVATED_AT] = cell_of_time(1778737128999999);
    return ST_OK;
}

static enum st fake_inactive(struct query *q, struct arena *arena, struct rows *ret_rows,
                             struct err *err)
{
    enum st st = fake_newest(q, arena, ret_rows, err);

    ret_rows->table = &coin_table;
    ret_rows->cells[COIN_ID] = cell_of_text(STR("gone"));
    return st;
}

static enum st fake_categories(struct query *q, struct arena *arena,
                               struct category **ret_categories, size_t *ret_n, struct err *err)
{
    struct category *list = arena_zalloc(arena, 3, sizeof(*list));

    (void)q;
    (void)err;
    list[0] = (struct category){.id = STR("a"),
                                .name = STR("Z"),
                                .content = STR("C"),
                                .market_cap = num("9"),
                                .market_cap_change_24h = num("-1"),
                                .volume_24h = num("2.5"),
                                .top_ids = {STR("big-usdc")},
                                .top_images = {STR("https://x/large/c.png")},
                                .n_top = 1,
                                .updated_us = NOW};
    list[1] = (struct category){.id = STR("b"), .name = STR("Y")};
    list[2] = (struct category){
        .id = STR("c"), .name = STR("X"), .market_cap = num("10"), .volume_24h = num("0")};
    *ret_categories = list;
    *ret_n = 3;
    return ST_OK;
}

static enum st fake_platforms(struct query *q, struct arena *arena, struct platform **ret_platforms,
                              size_t *ret_n, struct err *err)
{
    (void)q;
    (void)err;
    *ret_platforms = arena_zalloc(arena, 2, sizeof(**ret_platforms));
    (*ret_platforms)[0] = (struct platform){.id = STR("tron"),
                                            .name = STR("TRON"),
                                            .shortname = STR(""),
                                            .native_coin_id = STR("tron"),
                                            .image = STR("https://x/large/t.png"),
                                            .chain = -1};
    (*ret_platforms)[1] = (struct platform){.id = STR("base"), .name = STR("Base"), .chain = 8453};
    *ret_n = 2;
    return ST_OK;
}

static const struct query_driver driver = {
    .market = fake_market,
    .coins = fake_coins,
    .currencies = fake_currencies,
    .has_past = true,
    .has_contracts = true,
    .info = fake_info,
    .inactive = fake_inactive,
    .newest = fake_newest,
    .categories = fake_categories,
    .platforms = fake_platforms,
};
static const struct query_driver plain_driver = {
    .market = fake_market, .coins = fake_coins, .currencies = fake_currencies};

/* ---- asking it ---- */

static int64_t get_now(struct clock *c)
{
    (void)c;
    return NOW;
}

static struct clock test_clock = {.wall_us = get_now, .mono_us = get_now};
static struct query store;
static struct api_v3 api;
static struct http_server *server;
static struct err err;

static void handle(void *ctx, const struct http_request *req, struct http_response *res)
{
    api_v3_handle(ctx, req, res);
}

static bool start(const struct query_driver *with, struct api_v3_plan plan)
{
    const struct http_setup setup = {.address = "127.0.0.1", .handler = handle, .ctx = &api};

    fails_with = ST_OK;
    store.driver = with;
    api = (struct api_v3){.query = &store, .clock = &test_clock, .plan = plan};
    arena_init(&api.arena, 1024 * 1024);
    return http_start(&setup, &server, &err) == ST_OK;
}

static void stop(void)
{
    http_stop(server);
    arena_release(&api.arena);
}

static struct client get(const char *path)
{
    char target[512];

    snprintf(target, sizeof(target), "/api/v3%s", path);
    return client_get(http_port(server), target, "");
}

static bool holds(const struct client *c, const char *part)
{
    return c->body.p && memmem(c->body.p, c->body.len, part, strlen(part)) != NULL;
}

static const struct api_v3_plan own,
    demo = {.host = HOST_DEMO, .is_free = true, .history_days = 365},
    pro = {.name = "Analyst",
           .host = HOST_PRO,
           .calls_per_minute = 500,
           .credits_per_month = 1000,
           .credits_used = 4};

/* ---- one coin ---- */

static void a_coin_is_described(void)
{
    CHECK(start(&driver, own));
    struct client c = get("/coins/big-usdc?localization=false");
    CHECK_EQ(client_status(&c), 200);
    CHECK(str_starts(
        c.body,
        STR("{\"id\":\"big-usdc\",\"symbol\":\"usdc\",\"name\":\"A \\\"Coin\\\"\","
            "\"web_slug\":\"big-usdc\",\"asset_platform_id\":\"ethereum\","
            "\"platforms\":{\"ethereum\":\"0xab\",\"solana\":\"So1\"},"
            "\"detail_platforms\":{\"ethereum\":{\"decimal_place\":18,\"contract_address\":"
            "\"0xab\"},\"solana\":{\"decimal_place\":null,\"contract_address\":\"So1\"}},"
            "\"block_time_in_minutes\":0,\"hashing_algorithm\":null,\"categories\":[\"Meme\"],"
            "\"preview_listing\":false,\"public_notice\":null,\"additional_notices\":[],"
            "\"has_supply_breakdown\":false,\"description\":{\"en\":\"It \\\"is\\\".\"},"
            "\"links\":{\"homepage\":[\"https://h/\"],\"whitepaper\":\"\",")));
    CHECK(holds(&c, "\"image\":{\"thumb\":\"https://x/1/thumb/c.png?1\","
                    "\"small\":\"https://x/1/small/c.png?1\","
                    "\"large\":\"https://x/1/large/c.png?1\"},\"country_origin\":\"\","
                    "\"genesis_date\":\"2009-01-03\","));
    CHECK(holds(&c, "\"market_cap_rank\":7,\"market_cap_rank_with_rehypothecated\":8,"
                    "\"market_data\":{\"current_price\":{\"eur\":90.125,\"usd\":100.125},"
                    "\"total_value_locked\":null,"));
    CHECK(holds(&c, "\"ath_date\":{\"eur\":\"2025-10-06T18:57:42.558Z\","));
    CHECK(holds(&c, "\"market_cap_fdv_ratio\":0.50,\"market_cap_rank\":7,"));
    CHECK(holds(&c, "\"price_change_percentage_7d\":-1.5,"));
    CHECK(holds(&c, "\"total_volume\":{},"));
    CHECK(holds(&c, "\"max_supply\":null,\"max_supply_infinite\":true,"));
    CHECK(!holds(&c, "localization") && !holds(&c, "sparkline"));
    CHECK(asked.has_rehypothecated && !asked.has_sparkline && asked.at_us == 0);
    stop();
}

static void a_coin_shows_what_was_asked_for(void)
{
    CHECK(start(&driver, own));
    struct client c = get("/coins/small-usdc?sparkline=true&tickers=false&community_data=False&"
                          "developer_data=false");
    CHECK(holds(&c, "\"asset_platform_id\":null,\"platforms\":{\"\":\"\"},\"detail_platforms\":"
                    "{\"\":{\"decimal_place\":null,\"contract_address\":\"\"}}"));
    CHECK(holds(&c, "\"genesis_date\":null"));
    CHECK(holds(&c, "\"market_cap_fdv_ratio\":null,")); /* it is beyond every double */
    CHECK(holds(&c, "\"localization\":{\"en\":\"A \\\"Coin\\\"\",\"de\":"));
    CHECK(holds(&c, "\"sparkline_7d\":{\"price\":[]}},\"status_updates\":[],"
                    "\"last_updated\":null}"));
    CHECK(!holds(&c, "tickers") && !holds(&c, "community") && !holds(&c, "developer"));
    c = get("/coins/big-usdc?market_data=false");
    CHECK_EQ(client_status(&c), 200);
    CHECK(!holds(&c, "market_data") && holds(&c, "\"tickers\":[]}"));
    c = get("/coins/nobody");
    CHECK_EQ(client_status(&c), 404);
    CHECK_STR(c.body, "{\"error\":\"coin not found\"}");
    stop();
}

static void a_coin_is_known_by_its_rows_alone(void)
{
    CHECK(start(&plain_driver, own));
    struct client c = get("/coins/blank");
    CHECK_EQ(client_status(&c), 200);
    CHECK(holds(&c, "\"platforms\":{},\"detail_platforms\":{},"));
    CHECK(holds(&c, "\"categories\":[],"));
    CHECK(holds(&c, "\"description\":{\"en\":\"\"},\"links\":{\"homepage\":[],"));
    CHECK(holds(&c, "\"current_price\":{},"));
    CHECK(holds(&c, "\"market_cap_fdv_ratio\":null,"));
    stop();
}

static void history_is_that_of_a_midnight(void)
{
    static const struct {
        const struct api_v3_plan *plan;
        const char *date;
        int status;
    } cases[] = {
        {&own, "30-12-2017", 200},  {&own, "2017-12-30", 200},
        {&demo, "30-12-2025", 200}, {&demo, "2025-12-30", 400},
        {&pro, "2017-12-30", 200},  {&pro, "30-12-2017", 200},
        {&demo, "30-12-2017", 401}, {&own, "31-02-2017", 400},
        {&own, "today", 400},       {&own, "", 422},
        {&own, "----------", 400},  {&own, "2017-12-30T12:00:00Z", 400},
    };
    char path[128];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK(start(&driver, *cases[i].plan));
        snprintf(path, sizeof(path), "/coins/big-usdc/history?date=%s", cases[i].date);
        struct client c = get(path);
        CHECK_EQ(client_status(&c), cases[i].status);
        if (cases[i].status == 200) {
            CHECK_EQ(asked.at_us % (86400 * US_PER_S), 0);
            CHECK(asked.has_full_prices && asked.has_full_sizes);
        }
        stop();
    }
    CHECK(start(&driver, own));
    struct client c = get("/coins/big-usdc/history?date=30-12-2017&localization=false");
    CHECK_EQ(asked.at_us, INT64_C(1514592000000000));
    CHECK(str_starts(c.body,
                     STR("{\"id\":\"big-usdc\",\"symbol\":\"usdc\",\"name\":\"A \\\"Coin\\\"\","
                         "\"image\":{\"thumb\":\"https://x/1/thumb/c.png?1\",\"small\":"
                         "\"https://x/1/small/c.png?1\"},\"market_data\":{\"current_price\":"
                         "{\"eur\":90.125,\"usd\":100.125},\"market_cap\":{\"eur\":90.125,"
                         "\"usd\":100.125},\"total_volume\":{}},\"community_data\":{")));
    /* coins that had no price, and days to come */
    c = get("/coins/blank/history?date=30-12-2017&localization=false");
    CHECK(client_status(&c) == 200 && !holds(&c, "market_data"));
    c = get("/coins/big-usdc/history?date=24-11-2026");
    CHECK(client_status(&c) == 200 && !holds(&c, "market_data"));
    stop();
}

/* ---- lists ---- */

static void lists_show_contracts_and_gone_and_new_coins(void)
{
    CHECK(start(&driver, pro));
    struct client c = get("/coins/list?include_platform=true");
    CHECK_STR(c.body,
              "[{\"id\":\"big-usdc\",\"symbol\":\"usdc\",\"name\":\"A \\\"Coin\\\"\","
              "\"platforms\":{\"ethereum\":\"0xab\",\"solana\":\"So1\"}},"
              "{\"id\":\"blank\",\"symbol\":\"btc\",\"name\":\"A \\\"Coin\\\"\",\"platforms\":{}},"
              "{\"id\":\"small-usdc\",\"symbol\":\"USDC\",\"name\":\"A \\\"Coin\\\"\","
              "\"platforms\":{}}]");
    c = get("/coins/list?status=inactive");
    CHECK_STR(c.body, "[{\"id\":\"gone\",\"symbol\":\"NEW\",\"name\":\"New\"}]");
    c = get("/coins/list/new");
    CHECK_STR(c.body,
              "[{\"id\":\"new\",\"symbol\":\"NEW\",\"name\":\"New\",\"activated_at\":1778737128}]");
    stop();
    CHECK(start(&driver, demo));
    c = get("/coins/list/new");
    CHECK_EQ(client_status(&c), 401);
    CHECK(holds(&c, "\"error_code\":10005"));
    stop();
}

static void categories_are_sorted_and_nulls_come_last(void)
{
    static const struct {
        const char *order, *want;
    } cases[] = {
        {"", "cab"},          {"market_cap_asc", "acb"}, {"name_asc", "cba"},
        {"name_desc", "abc"}, {"nonsense", "cab"},       {"market_cap_change_24h_desc", "abc"},
    };
    char path[128], ids[8];

    CHECK(start(&driver, own));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(path, sizeof(path), "/coins/categories?order=%s", cases[i].order);
        struct client c = get(path);
        size_t n = 0;
        for (const char *p = c.body.p; n < 7 && (p = strstr(p, "{\"id\":\"")) != NULL; p += 7)
            ids[n++] = p[7];
        ids[n] = '\0';
        CHECK_Z(ids, cases[i].want);
    }
    struct client c = get("/coins/categories?order=name_desc");
    CHECK(str_starts(
        c.body, STR("[{\"id\":\"a\",\"name\":\"Z\",\"market_cap\":9,\"market_cap_change_24h\":-1,"
                    "\"content\":\"C\",\"top_3_coins_id\":[\"big-usdc\"],"
                    "\"top_3_coins\":[\"https://x/small/c.png\"],\"volume_24h\":2.5,"
                    "\"updated_at\":\"2026-11-23T14:30:00.123Z\"},"
                    "{\"id\":\"b\",\"name\":\"Y\",\"market_cap\":null,"
                    "\"market_cap_change_24h\":null,\"content\":null,\"top_3_coins_id\":[],")));
    c = get("/coins/categories/list");
    CHECK_STR(c.body, "[{\"category_id\":\"c\",\"name\":\"X\"},{\"category_id\":\"b\",\"name\":"
                      "\"Y\"},{\"category_id\":\"a\",\"name\":\"Z\"}]");
    c = get("/asset_platforms");
    CHECK_STR(c.body,
              "[{\"id\":\"tron\",\"chain_identifier\":null,\"name\":\"TRON\",\"shortname\":\"\","
              "\"native_coin_id\":\"tron\",\"image\":{\"thumb\":\"https://x/thumb/t.png\","
              "\"small\":\"https://x/small/t.png\",\"large\":\"https://x/large/t.png\"}},"
              "{\"id\":\"base\",\"chain_identifier\":8453,\"name\":\"Base\",\"shortname\":null,"
              "\"native_coin_id\":null,\"image\":{\"thumb\":\"\",\"small\":\"\",\"large\":\"\"}}]");
    stop();
}

/* ---- coins by their names ---- */

static void coins_are_found_by_id_then_name_then_symbol(void)
{
    static const struct {
        const char *query, *want;
    } cases[] = {
        {"symbols=usdc", "{\"big-usdc\":{\"usd\":100.125}}"},
        {"symbols=UsDc&include_tokens=all",
         "{\"big-usdc\":{\"usd\":100.125},\"small-usdc\":{\"usd\":1.0}}"},
        {"symbols=usdc,btc", "{\"big-usdc\":{\"usd\":100.125},\"blank\":{\"usd\":null}}"},
        {"names=a%20%22coin%22", "{\"big-usdc\":{\"usd\":100.125},\"blank\":{\"usd\":null},"
                                 "\"small-usdc\":{\"usd\":1.0}}"},
        {"names=nobody&symbols=usdc", "{}"},
        {"ids=blank&names=nobody&symbols=usdc", "{\"blank\":{\"usd\":null}}"},
        {"symbols=nobody", "{}"},
        {"ids=big-usdc&precision=2", "{\"big-usdc\":{\"usd\":100.13}}"},
        {"ids=big-usdc&precision=full&include_market_cap=true",
         "{\"big-usdc\":{\"usd\":100.125,\"usd_market_cap\":100.125}}"},
    };
    char path[256];

    CHECK(start(&driver, own));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(path, sizeof(path), "/simple/price?vs_currencies=usd&%s", cases[i].query);
        struct client c = get(path);
        CHECK_EQ(client_status(&c), 200);
        CHECK_STR(c.body, cases[i].want);
    }
    struct client c = get("/coins/markets?vs_currency=usd&symbols=nobody");
    CHECK_STR(c.body, "[]");
    c = get("/simple/price?vs_currencies=usd&names=nobody");
    CHECK_STR(c.body, "{}");
    stop();
}

static void markets_have_what_was_asked_for(void)
{
    CHECK(start(&driver, own));
    struct client c = get("/coins/markets?vs_currency=usd&ids=big-usdc&precision=1&sparkline=true&"
                          "include_rehypothecated=true&price_change_percentage=7d&locale=de");
    CHECK(holds(&c, "\"current_price\":100.1,\"market_cap\":100.125,"));
    CHECK(holds(&c, "\"last_updated\":null,\"market_cap_rank_with_rehypothecated\":8,"
                    "\"sparkline_in_7d\":{\"price\":[1.5,2e-07]},"
                    "\"price_change_percentage_7d_in_currency\":-1.5}]"));
    CHECK(asked.has_full_prices && asked.has_sparkline && asked.has_rehypothecated);
    c = get("/coins/markets?vs_currency=usd&ids=big-usdc");
    CHECK(holds(&c, "\"last_updated\":null}]"));
    CHECK(!asked.has_full_prices && !asked.has_sparkline && !asked.has_rehypothecated);
    c = get("/coins/markets?vs_currency=usd&symbols=usdc&include_tokens=all&per_page=1&page=2");
    CHECK(str_starts(c.body, STR("[{\"id\":\"small-usdc\"")));
    stop();
}

/* ---- plans ---- */

static void key_tells_the_plan_on_the_host_that_has_it(void)
{
    CHECK(start(&driver, pro));
    struct client c = get("/key");
    CHECK_STR(c.body,
              "{\"plan\":\"Analyst\",\"rate_limit_request_per_minute\":500,"
              "\"monthly_call_credit\":1000,\"current_total_monthly_calls\":4,"
              "\"current_remaining_monthly_calls\":996,"
              "\"api_key_rate_limit_request_per_minute\":500,\"api_key_monthly_call_credit\":1000,"
              "\"api_key_current_total_monthly_calls\":4}");
    api.plan.credits_used = 1001;
    c = get("/key");
    CHECK(holds(&c, "\"current_remaining_monthly_calls\":0,"));
    stop();
    CHECK(start(&driver, demo));
    c = get("/key");
    CHECK_EQ(client_status(&c), 404);
    stop();
}

static void what_needs_too_much_memory_is_not_asked_again(void)
{
    CHECK(start(&driver, own));
    arena_release(&api.arena);
    arena_init(&api.arena, 100);
    struct client c = get("/simple/price?vs_currencies=usd&ids=a,b,c,d,e,f,g,h,i,j,k,l,m,n");
    CHECK_EQ(client_status(&c), 400);
    CHECK_STR(c.body, "{\"error\":\"too much was asked for at once; ask for less\"}");
    stop();
}

static void answers_say_when_the_store_fails(void)
{
    static const char *const paths[] = {"/coins/big-usdc", "/coins/list?include_platform=true",
                                        "/simple/price?vs_currencies=usd&symbols=usdc",
                                        "/coins/big-usdc/history?date=01-01-2026"};

    CHECK(start(&driver, own));
    fails_with = ST_AGAIN;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct client c = get(paths[i]);
        CHECK_EQ(client_status(&c), 503);
        CHECK_STR(c.body, "{\"error\":\"store: broken\"}");
    }
    stop();
}

static void answers_say_what_a_store_does_not_know(void)
{
    static const char *const paths[] = {"/coins/list?include_platform=true",
                                        "/coins/list?status=inactive",
                                        "/coins/list/new",
                                        "/coins/categories",
                                        "/coins/categories/list",
                                        "/asset_platforms",
                                        "/coins/big-usdc/history?date=01-01-2026"};

    CHECK(start(&plain_driver, own));
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct client c = get(paths[i]);
        CHECK_EQ(client_status(&c), 501);
        CHECK(str_starts(c.body, STR("{\"error\":\"this store keeps no ")));
    }
    stop();
}

TAP_MAIN(TAP_CASE(a_coin_is_described), TAP_CASE(a_coin_shows_what_was_asked_for),
         TAP_CASE(a_coin_is_known_by_its_rows_alone), TAP_CASE(history_is_that_of_a_midnight),
         TAP_CASE(lists_show_contracts_and_gone_and_new_coins),
         TAP_CASE(categories_are_sorted_and_nulls_come_last),
         TAP_CASE(coins_are_found_by_id_then_name_then_symbol),
         TAP_CASE(markets_have_what_was_asked_for),
         TAP_CASE(key_tells_the_plan_on_the_host_that_has_it),
         TAP_CASE(what_needs_too_much_memory_is_not_asked_again),
         TAP_CASE(answers_say_when_the_store_fails),
         TAP_CASE(answers_say_what_a_store_does_not_know))
