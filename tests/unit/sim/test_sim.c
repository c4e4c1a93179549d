/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim.h"

#include "base/json.h"
#include "tap.h"
#include "unit/serve/client.h"

static struct err err;
static struct sim *sim;

static void fault_parse_reads_specs(void)
{
    static const struct {
        const char *text;
        enum fault_kind kind;
        uint32_t every;
        uint64_t from, until;
    } cases[] = {
        {"429", FAULT_429, 1, 0, 0},
        {"throttled", FAULT_429_BARE, 1, 0, 0},
        {"429:every=3", FAULT_429, 3, 0, 0},
        {"stall:from=10,until=20", FAULT_STALL, 1, 10, 20},
        {"html:from=0,every=2", FAULT_HTML, 2, 0, 0},
        {"nulls:until=1", FAULT_NULLS, 1, 0, 1},
        {"truncate:", FAULT_TRUNCATE, 1, 0, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fault f;
        CHECK_OK(fault_parse(str_of(cases[i].text), &f, &err), err);
        CHECK_EQ(f.kind, cases[i].kind);
        CHECK_EQ(f.every, cases[i].every);
        CHECK_EQ(f.from, cases[i].from);
        CHECK_EQ(f.until, cases[i].until);
    }
}

static void fault_parse_names_what_is_wrong(void)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"", "known: 429 throttled"},
        {"418", "\"418\": no such fault"},
        {"429:every=0", "\"every=0\""},
        {"429:every=x", "\"every=x\""},
        {"429:every", "\"every\""},
        {"429:often=3", "known are every=N, from=N and until=N"},
        {"429:every=99999999999", "\"every=99999999999\""},
        {"cut:from=5,until=5", "until=5 does not lie behind from=5"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fault f;
        CHECK_EQ(fault_parse(str_of(cases[i].text), &f, &err), ST_REJECT);
        if (!strstr(err.msg, cases[i].says))
            TAP_FAIL("\"%s\": got \"%s\"", cases[i].text, err.msg);
    }
}

static bool start(const char *fault, uint32_t calls_per_minute)
{
    struct sim_setup setup = {.address = "127.0.0.1",
                              .n_coins = 300,
                              .seed = 1,
                              .speed = 1,
                              .calls_per_minute = calls_per_minute,
                              .clock = clock_system()};

    if (fault && fault_parse(str_of(fault), &setup.faults[setup.n_faults++], &err) != ST_OK)
        return false;
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
        client_has(&c, "\r\nCache-Control: max-age=30, public, must-revalidate, s-maxage=30\r\n"));
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

static void sim_nulls_every_number(void)
{
    CHECK(start("nulls", 0));
    struct client c = get("/api/v3/coins/markets?vs_currency=usd&ids=bitcoin");
    CHECK(memmem(c.body.p, c.body.len, "\"current_price\":null,", 21) != NULL);
    CHECK(memmem(c.body.p, c.body.len, "\"market_cap_rank\":null,", 23) != NULL);
    CHECK(memmem(c.body.p, c.body.len, "\"id\":\"bitcoin\",", 15) != NULL);
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
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK(start(cases[i].fault, 0));
        for (size_t j = 0; j < 6; j++) {
            struct client c = get("/api/v3/ping");
            CHECK_EQ(client_status(&c), cases[i].status[j]);
        }
        sim_stop(sim);
    }
}

TAP_MAIN(TAP_CASE(fault_parse_reads_specs), TAP_CASE(fault_parse_names_what_is_wrong),
         TAP_CASE(sim_answers_like_coingecko_and_says_what_it_is),
         TAP_CASE(sim_refuses_clients_without_a_name), TAP_CASE(sim_limits_calls_per_minute),
         TAP_CASE(sim_misbehaves_as_told), TAP_CASE(sim_cuts_after_half_the_body),
         TAP_CASE(sim_nulls_every_number), TAP_CASE(sim_selects_by_page_ids_and_category),
         TAP_CASE(sim_ignores_the_page_when_told),
         TAP_CASE(sim_stalls_one_call_and_serves_the_next), TAP_CASE(faults_come_when_they_should))
