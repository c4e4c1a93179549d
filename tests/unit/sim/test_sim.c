/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim.h"

#include "base/json.h"
#include "tap.h"
#include "unit/serve/client.h"

static struct err err;
static struct sim *sim;

#define NOW INT64_C(1795444200123456) /* 2026-11-23T14:30:00.123456Z */

static int64_t now_us;

static int64_t get_now(struct clock *c)
{
    (void)c;
    return now_us;
}

static struct clock test_clock = {.wall_us = get_now, .mono_us = get_now};

static void fault_parse_reads_specs(void)
{
    static const struct {
        const char *text, *name;
        uint32_t every;
        uint64_t from, until;
        double rate;
        int64_t after_us, for_us;
    } cases[] = {
        {"429", "429", 1, 0, 0, 1, 0, 0},
        {"throttled", "throttled", 1, 0, 0, 1, 0, 0},
        {"429:every=3", "429", 3, 0, 0, 1, 0, 0},
        {"stall:from=10,until=20", "stall", 1, 10, 20, 1, 0, 0},
        {"html:from=0,every=2", "html", 2, 0, 0, 1, 0, 0},
        {"nulls:until=1", "nulls", 1, 0, 1, 1, 0, 0},
        {"truncate:", "truncate", 1, 0, 0, 1, 0, 0},
        {"bom:rate=0.25", "bom", 1, 0, 0, 0.25, 0, 0},
        {"bom:rate=0", "bom", 1, 0, 0, 0, 0, 0},
        {"10012:after=10s,for=1m", "10012", 1, 0, 0, 1, 10 * US_PER_S, 60 * US_PER_S},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fault f;
        CHECK_OK(fault_parse(str_of(cases[i].text), &f, &err), err);
        CHECK_Z(f.kind->name, cases[i].name);
        CHECK_EQ(f.every, cases[i].every);
        CHECK_EQ(f.from, cases[i].from);
        CHECK_EQ(f.until, cases[i].until);
        CHECK(f.rate == cases[i].rate);
        CHECK_EQ(f.after_us, cases[i].after_us);
        CHECK_EQ(f.for_us, cases[i].for_us);
    }
}

static void fault_parse_names_what_is_wrong(void)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "known: 400 403"},
        {"418", "\"418\": no such fault"},
        {"429:every=0", "\"every=0\""},
        {"429:every=x", "\"every=x\""},
        {"429:every", "\"every\""},
        {"429:often=3", "known are every=N, from=N, until=N, rate=0.2, after=10s and for=30s"},
        {"429:every=99999999999", "\"every=99999999999\""},
        {"429:rate=1.1", "\"rate=1.1\""},
        {"429:rate=-0.1", "\"rate=-0.1\""},
        {"429:rate=often", "\"rate=often\""},
        {"429:for=0s", "\"for=0s\""},
        {"429:after=10", "\"after=10\""},
        {"cut:from=5,until=5", "until=5 does not lie behind from=5"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fault f;
        CHECK_EQ(fault_parse(str_of(cases[i].text), &f, &err), ST_REJECT);
        if (!strstr(err.msg, cases[i].says))
            TAP_FAIL("\"%s\": got \"%s\"", cases[i].text, err.msg);
    }
}

static void fault_parse_knows_every_name_and_names_them_all(void)
{
    struct buf help = BUF_INIT(65536);
    struct fault f;
    char word[32];

    fault_help(&help);
    for (size_t i = 0; i < n_fault_kinds; i++) {
        CHECK_OK(fault_parse(str_of(fault_kinds[i].name), &f, &err), err);
        CHECK(f.kind == &fault_kinds[i]);
        CHECK(strstr(buf_z(&help), fault_kinds[i].help) != NULL);
        CHECK_EQ(fault_parse(STR("smoke"), &f, &err), ST_REJECT);
        snprintf(word, sizeof(word), " %s", fault_kinds[i].name);
        CHECK(strstr(err.msg, word) != NULL);
    }
    buf_release(&help);
}

/* A simulator whose market stands still. faults: specs, separated by spaces. */
static bool start(const char *faults, uint32_t calls_per_minute)
{
    struct sim_setup setup = {.address = "127.0.0.1",
                              .n_coins = 300,
                              .seed = 1,
                              .speed = 1,
                              .calls_per_minute = calls_per_minute,
                              .clock = &test_clock};
    struct str rest = str_of(faults), spec;

    now_us = NOW;
    while (rest.len > 0) {
        str_cut(&rest, ' ', &spec);
        if (fault_parse(spec, &setup.faults[setup.n_faults++], &err) != ST_OK)
            return false;
    }
    return sim_start(&setup, &sim, &err) == ST_OK;
}

#define MARKETS "/api/v3/coins/markets?vs_currency=usd&per_page=250"

static struct client get(const char *target)
{
    return client_get(sim_port(sim), target, "");
}

/* The type of a whole JSON text; JSON_DONE when it is none. */
static enum json_event json_top(struct str body)
{
    struct arena arena;
    enum json_event top;
    struct err ignored = ERR_INIT;
    struct json *json = json_new();

    arena_init(&arena, 32u * 1024 * 1024);
    if (json_validate(json, json_pad(&arena, body), &arena, &top, &ignored) != ST_OK)
        top = JSON_DONE;
    json_free(json);
    arena_release(&arena);
    return top;
}

static void sim_answers_like_coingecko_and_says_what_it_is(void)
{
    CHECK(start(NULL, 0));
    struct client c = get(MARKETS);
    CHECK_EQ(client_status(&c), 200);
    CHECK_EQ(json_top(c.body), JSON_ARRAY_BEGIN);
    CHECK(client_has(&c, "\r\nX-Simulated: geckotape\r\n"));
    CHECK(client_has(&c, "\r\nContent-Type: application/json; charset=utf-8\r\n"));
    CHECK(
        client_has(&c, "\r\nCache-Control: max-age=30, public, must-revalidate, s-maxage=60\r\n"));
    CHECK(client_has(&c, "\r\nETag: W/\""));
    CHECK(str_starts(c.body, STR("[{\"id\":\"bitcoin\",\"symbol\":\"btc\",\"name\":\"Bitcoin\",")));
    c = get("/api/v3/ping");
    CHECK_STR(c.body, "{\"gecko_says\":\"(V3) To the Moon!\"}");
    c = get("/api/v3/coins/list");
    CHECK_EQ(json_top(c.body), JSON_ARRAY_BEGIN);
    CHECK_EQ(sim_requests(sim), 3);
    c = get("/");
    CHECK(client_has(&c, "\r\nX-Simulated: geckotape\r\n"));
    CHECK(str_starts(c.body, STR("SIMULATED")));
    CHECK_EQ(sim_requests(sim), 3);
    sim_stop(sim);
}

static void sim_refuses_clients_without_a_name(void)
{
    CHECK(start(NULL, 0));
    struct client c = client_exchange(
        sim_port(sim), STR("GET /api/v3/ping HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"));
    CHECK_EQ(client_status(&c), 403);
    CHECK(str_starts(c.body, STR("{\"status\":{\"error_code\":403,\"error_message\":\"Please add a "
                                 "descriptive User-Agent to your request. ")));
    sim_stop(sim);
}

static void sim_limits_calls_per_minute(void)
{
    CHECK(start(NULL, 2));
    for (int i = 0; i < 4; i++) {
        struct client c = get("/api/v3/ping");
        CHECK_EQ(client_status(&c), i < 2 ? 200 : 429);
        CHECK_EQ(client_has(&c, "\r\nRetry-After: 60\r\n"), i >= 2);
    }
    sim_stop(sim);
}

static void sim_misbehaves_as_told(void)
{
    static const struct {
        const char *fault;
        int status;
        const char *body; /* how it begins */
        const char *header;
        enum json_event top;
    } cases[] = {
        {"429", 429, "{\"status\":{\"error_code\":429,", "Retry-After: 60", JSON_OBJECT_BEGIN},
        {"throttled", 429, "Throttled", "Content-Type: text/plain", JSON_DONE},
        {"500", 500, "{\"status\":500,", "", JSON_OBJECT_BEGIN},
        {"502", 502, "Bad Gateway", "Content-Type: text/plain", JSON_DONE},
        {"503", 503, "<html>", "Content-Type: text/html", JSON_DONE},
        {"403", 403, "{\"status\":{\"error_code\":403,\"error_message\":\"This endpoint is", "",
         JSON_OBJECT_BEGIN},
        {"html", 200, "<!DOCTYPE html>", "Content-Type: text/html", JSON_DONE},
        {"cut", 200, "[{\"id\":", "Content-Length: ", JSON_DONE},
        {"truncate", 200, "[{\"id\":", "Content-Length: ", JSON_DONE},
        {"400", 400, "{\"error\":\"invalid vs_currency\"}", "", JSON_OBJECT_BEGIN},
        {"404", 404, "{\"error\":\"coin not found\"}", "", JSON_OBJECT_BEGIN},
        {"408", 408, "<html>", "Content-Type: text/html", JSON_DONE},
        {"414", 414, "<html>", "Content-Type: text/html", JSON_DONE},
        {"422", 422, "{\"error\":\"Missing parameter vs_currency\"}", "", JSON_OBJECT_BEGIN},
        {"429date", 429, "{\"status\":{\"error_code\":429,",
         "Retry-After: Mon, 23 Nov 2026 14:31:00 GMT\r\n", JSON_OBJECT_BEGIN},
        {"429reset", 429, "{\"status\":{\"error_code\":429,",
         "x-ratelimit-reset: 2026-11-23 14:31:00 +0000\r\n", JSON_OBJECT_BEGIN},
        {"429absurd", 429, "{\"status\":{\"error_code\":429,", "Retry-After: 31536000\r\n",
         JSON_OBJECT_BEGIN},
        {"429junk", 429, "{\"status\":{\"error_code\":429,", "Retry-After: -1, soon\r\n",
         JSON_OBJECT_BEGIN},
        {"200error", 200, "{\"status\":{\"error_code\":429,", "", JSON_OBJECT_BEGIN},
        {"1020", 403, "<!DOCTYPE html>", "Content-Type: text/html", JSON_DONE},
        {"10002", 401,
         "{\"status\":{\"timestamp\":\"2026-11-23T14:30:00.123+00:00\",\"error_code\":10002,"
         "\"error_message\":\"API Key Missing\"}}",
         "", JSON_OBJECT_BEGIN},
        {"10005", 401, "{\"status\":{\"error_code\":10005,\"error_message\":\"This request is ", "",
         JSON_OBJECT_BEGIN},
        {"10010", 400,
         "{\"timestamp\":\"2026-11-23T14:30:00.123+00:00\",\"error_code\":10010,\"status\":{"
         "\"error_message\":\"If you are using Pro API key, please change your root URL from "
         "api.coingecko.com to pro-api.coingecko.com\"}}",
         "", JSON_OBJECT_BEGIN},
        {"10011", 400,
         "{\"timestamp\":\"2026-11-23T14:30:00.123+00:00\",\"error_code\":10011,\"status\":{"
         "\"error_message\":\"If you are using Demo API key, ",
         "", JSON_OBJECT_BEGIN},
        {"10012", 401,
         "{\"error\":{\"status\":{\"timestamp\":\"2026-11-23T14:30:00.123+00:00\","
         "\"error_code\":10012,\"error_message\":\"Your request exceeds the allowed time range. ",
         "", JSON_OBJECT_BEGIN},
        {"redirect", 301, "<html>", "Location: /moved\r\n", JSON_DONE},
        {"length", 200, "[{\"id\":", "Content-Length: ", JSON_ARRAY_BEGIN},
        {"date", 200, "[{\"id\":", "\r\nDate: Tue, 24 Nov 2026 14:30:00 GMT\r\n", JSON_ARRAY_BEGIN},
        {"aged", 200, "[{\"id\":", "\r\nAge: 600\r\n", JSON_ARRAY_BEGIN},
        {"bom", 200, "\xEF\xBB\xBF[{\"id\":", "", JSON_ARRAY_BEGIN}, /* the cursor steps over it */
        {"utf8", 200, "[{\"id\":\"bitcoin\",\"symbol\":\"btc\",\"name\":\"Caf\xE9 Bitcoin\",", "",
         JSON_ARRAY_BEGIN}, /* the cursor takes it, and the name as bad */
        {"newfield", 200, "[{\"id\":\"bitcoin\",\"liquidity_score\":12.5,\"symbol\":", "",
         JSON_ARRAY_BEGIN},
        {"missing", 200, "[{\"id\":", "", JSON_ARRAY_BEGIN},
        {"renamed", 200, "[{\"id\":", "", JSON_ARRAY_BEGIN},
        {"retyped", 200, "[{\"id\":", "", JSON_ARRAY_BEGIN},
        {"strings", 200, "[{\"id\":", "", JSON_ARRAY_BEGIN},
        {"bogus", 200, "[{\"id\":\"kpk-eth-prime\",\"symbol\":\"kpk eth prime\",", "",
         JSON_ARRAY_BEGIN},
        {"type", 200, "{", "", JSON_OBJECT_BEGIN},
        {"empty", 200, "[]", "", JSON_ARRAY_BEGIN},
        {"nulls", 200, "[{\"id\":", "", JSON_ARRAY_BEGIN},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK(start(cases[i].fault, 0));
        struct client c = get(MARKETS);
        CHECK_EQ(client_status(&c), cases[i].status);
        CHECK(str_starts(c.body, str_of(cases[i].body)));
        CHECK(client_has(&c, cases[i].header));
        CHECK(client_has(&c, "\r\nX-Simulated: geckotape\r\n"));
        CHECK_EQ(json_top(c.body), cases[i].top);
        sim_stop(sim);
    }
}

static void sim_cuts_after_half_the_body(void)
{
    CHECK(start("cut", 0));
    struct client c = get(MARKETS);
    size_t promised = client_answer_len(c.all, false);
    CHECK(c.body.len > 50000);
    CHECK(c.all.len < promised);
    sim_stop(sim);
}

static size_t count(struct str body, const char *word)
{
    size_t n = 0;

    for (const char *at = body.p;
         (at = memmem(at, (size_t)(body.p + body.len - at), word, strlen(word))) != NULL; at++)
        n++;
    return n;
}

static void sim_nulls_every_number(void)
{
    CHECK(start("nulls", 0));
    struct client c = get("/api/v3/coins/markets?vs_currency=usd&ids=bitcoin");
    CHECK(memmem(c.body.p, c.body.len, "\"current_price\":null,", 21) != NULL);
    CHECK(memmem(c.body.p, c.body.len, "\"market_cap_rank\":null,", 23) != NULL);
    CHECK(memmem(c.body.p, c.body.len, "\"id\":\"bitcoin\",", 15) != NULL);
    sim_stop(sim);
}

static void sim_changes_fields_as_told(void)
{
    static const struct {
        const char *fault;
        const char *has, *lacks; /* in each of 250 coins */
    } cases[] = {
        {"newfield", "\"liquidity_score\":12.5,", "\"x\":"},
        {"missing", "\"total_volume\":", "\"fully_diluted_valuation\":"},
        {"renamed", "\"volume_24h\":", "\"total_volume\":"},
        {"missing renamed", "\"volume_24h\":", "\"fully_diluted_valuation\":"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK(start(cases[i].fault, 0));
        struct client c = get(MARKETS);
        CHECK_EQ(json_top(c.body), JSON_ARRAY_BEGIN);
        CHECK_EQ(count(c.body, cases[i].has), 250);
        CHECK_EQ(count(c.body, cases[i].lacks), 0);
        sim_stop(sim);
    }
    CHECK(start("retyped strings", 0));
    struct client c = get(MARKETS);
    CHECK_EQ(json_top(c.body), JSON_ARRAY_BEGIN);
    CHECK(count(c.body, "\"total_supply\":{\"value\":") > 200);
    CHECK_EQ(count(c.body, "\"total_supply\":null") + count(c.body, "\"total_supply\":{\"value\":"),
             250);
    CHECK(count(c.body, "\"current_price\":\"") > 200);
    CHECK_EQ(count(c.body, "\"current_price\":\"") + count(c.body, "\"current_price\":null"), 250);
    sim_stop(sim);
}

/* A name in the table that does nothing would be a lie of another kind. */
static void every_fault_changes_the_answer(void)
{
    static char good[1024 * 1024];
    struct client c;

    CHECK(start(NULL, 0));
    c = get(MARKETS "&page=2");
    CHECK(c.all.len < sizeof(good));
    memcpy(good, c.all.p, c.all.len);
    const size_t len = c.all.len;
    sim_stop(sim);
    for (size_t i = 0; i < n_fault_kinds; i++) {
        const char *name = fault_kinds[i].name;
        if (strcmp(name, "stall") == 0 || strcmp(name, "slow") == 0 || strcmp(name, "bogus") == 0)
            continue; /* tested by themselves, the first page alone is bogus */
        CHECK(start(name, 0));
        c = get(MARKETS "&page=2");
        if (c.all.len == len && memcmp(c.all.p, good, len) == 0)
            TAP_FAIL("%s: the answer is as ever", name);
        sim_stop(sim);
    }
}

static void sim_selects_by_page_ids_and_category(void)
{
    static const struct {
        const char *query;
        int status;
        const char *begins;
        size_t n; /* coins */
    } cases[] = {
        {"order=id_asc&per_page=250&page=1", 200, "[{\"id\":\"-minus-one\",", 250},
        {"order=id_asc&per_page=250&page=2", 200, "[{\"id\":", 50},
        {"order=id_asc&per_page=250&page=3", 200, "[]", 0},
        {"ids=bitcoin,1move%20token,no-such-coin&per_page=250&page=1", 200, "[{\"id\":\"bitcoin\",",
         2},
        {"category=decentralized-finance-defi&per_page=250&page=1", 200, "[{\"id\":", 72},
        {"category=meme-token&per_page=250&page=1", 200, "[{\"id\":", 57},
        {"category=meme-token&ids=bitcoin&per_page=250&page=1", 200, "[{\"id\":", 57},
        {"category=meme-token&per_page=50&page=2", 200, "[{\"id\":", 7},
        {"category=no-such&per_page=250&page=1", 404, "{\"error\":\"category not found\"}", 0},
    };
    char path[200];

    CHECK(start(NULL, 0));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(path, sizeof(path), "/api/v3/coins/markets?vs_currency=usd&%s", cases[i].query);
        struct client c = get(path);
        CHECK_EQ(client_status(&c), cases[i].status);
        CHECK(str_starts(c.body, str_of(cases[i].begins)));
        CHECK_EQ(count(c.body, "\"id\":"), cases[i].n);
    }
    sim_stop(sim);
}

static void sim_ignores_the_page_when_told(void)
{
    CHECK(start("samepage", 0));
    struct client c = get("/api/v3/coins/markets?vs_currency=usd&order=id_asc&page=2");
    CHECK(str_starts(c.body, STR("[{\"id\":\"-minus-one\",")));
    sim_stop(sim);
}

static void sim_stalls_one_call_and_serves_the_next(void)
{
    char byte;

    CHECK(start("stall:until=1", 0));
    int fd = client_connect(sim_port(sim));
    client_send(fd, STR("GET /api/v3/ping HTTP/1.1\r\nHost: t\r\nUser-Agent: t\r\n\r\n"));
    while (sim_requests(sim) == 0)
        usleep(1000);
    struct client c = get("/api/v3/ping");
    CHECK_EQ(client_status(&c), 200);
    CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) < 0);
    close(fd);
    sim_stop(sim);
}

static void faults_come_when_they_should(void)
{
    static const struct {
        const char *fault;
        int status[6];
    } cases[] = {
        {"500", {500, 500, 500, 500, 500, 500}},
        {"500:every=3", {200, 200, 500, 200, 200, 500}},
        {"500:from=2,until=4", {200, 200, 500, 500, 200, 200}},
        {"500:from=4", {200, 200, 200, 200, 500, 500}},
        {"500:every=2,until=3", {200, 500, 200, 200, 200, 200}},
        {"500:after=2s", {200, 200, 500, 500, 500, 500}},
        {"500:after=2s,for=1s", {200, 200, 500, 200, 200, 200}},
        {"500:rate=0", {200, 200, 200, 200, 200, 200}},
        {"500:every=2 502", {502, 500, 502, 500, 502, 500}},
        {"bom 502:every=2", {200, 502, 200, 502, 200, 502}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK(start(cases[i].fault, 0));
        for (size_t j = 0; j < 6; j++) {
            struct client c = get("/api/v3/ping");
            CHECK_EQ(client_status(&c), cases[i].status[j]);
            now_us += US_PER_S;
        }
        sim_stop(sim);
    }
}

static void faults_by_lot_fall_as_often_as_told_and_alike_for_a_seed(void)
{
    struct fault f, g;
    size_t n = 0, n_both = 0, n_other = 0;

    CHECK_OK(fault_parse(STR("500:rate=0.2"), &f, &err), err);
    CHECK_OK(fault_parse(STR("502:rate=0.2"), &g, &err), err);
    for (uint64_t i = 0; i < 10000; i++) {
        const bool is_due = fault_is_due(&f, i, 0, 7);
        CHECK_EQ(fault_is_due(&f, i, 0, 7), is_due);
        n += is_due;
        n_both += is_due && fault_is_due(&g, i, 0, 7);
        n_other += is_due && fault_is_due(&f, i, 0, 8);
    }
    CHECK(n > 1800 && n < 2200);
    CHECK(n_both > 300 && n_both < 500); /* one fault's lots say nothing of another's */
    CHECK(n_other > 300 && n_other < 500);
}

TAP_MAIN(TAP_CASE(fault_parse_reads_specs), TAP_CASE(fault_parse_names_what_is_wrong),
         TAP_CASE(fault_parse_knows_every_name_and_names_them_all),
         TAP_CASE(sim_answers_like_coingecko_and_says_what_it_is),
         TAP_CASE(sim_refuses_clients_without_a_name), TAP_CASE(sim_limits_calls_per_minute),
         TAP_CASE(sim_misbehaves_as_told), TAP_CASE(sim_cuts_after_half_the_body),
         TAP_CASE(sim_nulls_every_number), TAP_CASE(sim_changes_fields_as_told),
         TAP_CASE(every_fault_changes_the_answer), TAP_CASE(sim_selects_by_page_ids_and_category),
         TAP_CASE(sim_ignores_the_page_when_told),
         TAP_CASE(sim_stalls_one_call_and_serves_the_next), TAP_CASE(faults_come_when_they_should),
         TAP_CASE(faults_by_lot_fall_as_often_as_told_and_alike_for_a_seed))
