/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim.h"

#include "tap.h"
#include "unit/serve/client.h"

#define NOW     INT64_C(1795444200123456) /* 2026-11-23T14:30:00.123456Z */
#define MARKETS "/api/v3/coins/markets?vs_currency=usd"
#define PING    "/api/v3/ping"

static int64_t now_us;

static int64_t get_now(struct clock *c)
{
    (void)c;
    return now_us;
}

static struct clock test_clock = {.wall_us = get_now, .mono_us = get_now};
static struct err err;
static struct sim *sim;

static const struct sim_plan *find(const char *name)
{
    for (size_t i = 0; i < n_sim_plans; i++)
        if (strcmp(sim_plans[i].api.name, name) == 0)
            return &sim_plans[i];
    return NULL;
}

static bool start(const char *plan, uint32_t calls_per_minute, uint64_t credits)
{
    const struct sim_setup setup = {.address = "127.0.0.1",
                                    .n_coins = 300,
                                    .seed = 1,
                                    .speed = 1,
                                    .plan = find(plan),
                                    .calls_per_minute = calls_per_minute,
                                    .credits_per_month = credits,
                                    .clock = &test_clock};

    now_us = NOW;
    return setup.plan && sim_start(&setup, &sim, &err) == ST_OK;
}

static struct client get(const char *target, const char *headers)
{
    return client_get(sim_port(sim), target, headers);
}

static int status_of(const char *target, const char *headers)
{
    const struct client c = get(target, headers);

    return client_status(&c);
}

#define DEMO(key) "x-cg-demo-api-key: " key "\r\n"
#define PRO(key)  "x-cg-pro-api-key: " key "\r\n"

static void keys_are_looked_at_as_the_host_does(void)
{
    static const struct {
        const char *plan, *target, *headers;
        int status;
        const char *says;
    } cases[] = {
        {"none", PING, DEMO("anything"), 200, "gecko_says"},
        {"none", PING "?x_cg_pro_api_key=CG-invalid", "", 200, "gecko_says"},
        {"keyless", PING, "", 200, "gecko_says"},
        {"keyless", PING, DEMO("CG-abc123"), 401, "\"error_code\":10002,"},
        {"keyless", PING, PRO("CG-abc123"), 400, "\"error_code\":10010,"},
        {"keyless", PING "?x_cg_api_key=CG-abc123", "x-cg-api-key: CG-abc123\r\n", 200,
         "gecko_says"},
        {"demo", PING, "", 200, "gecko_says"},
        {"demo", PING, DEMO("CG-abc123"), 200, "gecko_says"},
        {"demo", PING "?x_cg_demo_api_key=CG-abc123", "", 200, "gecko_says"},
        {"demo", PING, DEMO("CG-invalid"), 401, "\"error_message\":\"API Key Missing\"}}"},
        {"demo", PING, DEMO("CG-"), 401, "\"error_code\":10002,"},
        {"demo", PING, DEMO("abc123"), 401, "\"error_code\":10002,"},
        {"demo", PING, DEMO("CG-abc 123"), 401, "\"error_code\":10002,"},
        {"demo", PING "?x_cg_demo_api_key=CG-invalid", DEMO("CG-abc123"), 200, "gecko_says"},
        {"demo", PING, PRO("CG-abc123"), 400,
         "{\"timestamp\":\"2026-11-23T14:30:00.123+00:00\",\"error_code\":10010,\"status\":{"
         "\"error_message\":\"If you are using Pro API key, please change your root URL from "
         "api.coingecko.com to pro-api.coingecko.com\"}}"},
        {"pro", PING, "", 401, "\"error_code\":10002,"},
        {"pro", PING, PRO("CG-abc123"), 200, "gecko_says"},
        {"pro", PING "?x_cg_pro_api_key=CG-abc123", "", 200, "gecko_says"},
        {"pro", PING, PRO("CG-invalid7"), 401, "\"error_code\":10002,"},
        {"pro", PING "?x_cg_demo_api_key=CG-abc123", "", 400,
         "\"error_message\":\"If you are using Demo API key, please change your root URL from "
         "pro-api.coingecko.com to api.coingecko.com\"}}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK(start(cases[i].plan, 0, 0));
        struct client c = get(cases[i].target, cases[i].headers);
        if (client_status(&c) != cases[i].status || !strstr(c.body.p, cases[i].says))
            TAP_FAIL("%s %s %s: %d %.*s", cases[i].plan, cases[i].target, cases[i].headers,
                     client_status(&c), STR_ARG(c.body));
        sim_stop(sim);
    }
}

static void plans_have_their_pace(void)
{
    static const struct {
        const char *plan, *headers;
        int pace;
    } cases[] = {
        {"keyless", "", 5},
        {"demo", DEMO("CG-a"), 100},
        {"demo", "", 5}, /* who has no key on the public host */
        {"basic", PRO("CG-a"), 250},
        {"analyst", PRO("CG-a"), 500},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK(start(cases[i].plan, 0, 0));
        for (int n = 0; n < cases[i].pace; n++)
            CHECK_EQ(status_of(PING, cases[i].headers), 200);
        struct client c = get(PING, cases[i].headers);
        CHECK_EQ(client_status(&c), 429);
        CHECK(client_has(&c, "\r\nRetry-After: 60\r\n"));
        now_us += 60 * US_PER_S;
        CHECK_EQ(status_of(PING, cases[i].headers), 200);
        sim_stop(sim);
    }
}

static void every_answer_counts_to_the_minute(void)
{
    CHECK(start("demo", 4, 0));
    CHECK_EQ(status_of("/api/v3/nowhere", DEMO("CG-a")), 404);
    CHECK_EQ(status_of(PING, DEMO("CG-invalid")), 401);
    CHECK_EQ(status_of(PING, DEMO("CG-a")), 200);
    CHECK_EQ(status_of(PING, DEMO("CG-a")), 200);
    CHECK_EQ(status_of(PING, DEMO("CG-a")), 429);
    CHECK_EQ(status_of(PING, ""), 200); /* another's pace */
    sim_stop(sim);
}

static void answers_of_status_200_alone_cost_a_credit(void)
{
    CHECK(start("demo", 0, 3));
    CHECK_EQ(status_of(PING, DEMO("CG-a")), 200);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(status_of("/api/v3/nowhere", DEMO("CG-a")), 404);
    CHECK_EQ(status_of(PING, DEMO("CG-a")), 200);
    CHECK_EQ(status_of(PING, DEMO("CG-a")), 200);
    for (int i = 0; i < 3; i++) {
        struct client c = get(PING, DEMO("CG-a"));
        CHECK_EQ(client_status(&c), 429);
        CHECK(!client_has(&c, "\r\nRetry-After:"));
        now_us += 3600 * US_PER_S; /* waiting does not help */
    }
    CHECK_EQ(status_of(PING, ""), 200);
    now_us += 8 * 86400 * US_PER_S; /* December */
    CHECK_EQ(status_of(PING, DEMO("CG-a")), 200);
    sim_stop(sim);
}

static bool has_header(const char *target, const char *headers, const char *line)
{
    const struct client c = get(target, headers);

    return client_has(&c, line);
}

static void answers_of_a_plan_age_in_the_cache(void)
{
    static char body[256 * 1024];
    struct client c;

    CHECK(start("demo", 0, 0));
    c = get(MARKETS, DEMO("CG-a"));
    CHECK(client_has(&c, "\r\nCF-Cache-Status: MISS\r\n"));
    CHECK(!client_has(&c, "\r\nAge:"));
    CHECK(client_has(&c, "\r\nCache-Control: max-age=30, public, must-revalidate, "
                         "s-maxage=60\r\n"));
    const size_t len = c.body.len;
    memcpy(body, c.body.p, len);
    now_us += 59 * US_PER_S;
    c = get(MARKETS, DEMO("CG-a"));
    CHECK(client_has(&c, "\r\nCF-Cache-Status: HIT\r\n"));
    CHECK(client_has(&c, "\r\nAge: 59\r\n"));
    CHECK(c.body.len == len && memcmp(c.body.p, body, len) == 0);
    c = get(MARKETS "&per_page=1", DEMO("CG-a")); /* another target */
    CHECK(client_has(&c, "\r\nCF-Cache-Status: MISS\r\n"));
    now_us += US_PER_S;
    c = get(MARKETS, DEMO("CG-a"));
    CHECK(client_has(&c, "\r\nCF-Cache-Status: EXPIRED\r\n"));
    CHECK(!client_has(&c, "\r\nAge:"));
    CHECK(c.body.len != len || memcmp(c.body.p, body, len) != 0);
    sim_stop(sim);
}

static void endpoints_are_kept_for_as_long_as_theirs(void)
{
    static const struct {
        const char *plan, *headers, *target, *control;
        int kept; /* seconds; 0: never */
    } cases[] = {
        {"none", "", MARKETS, "max-age=30, public, must-revalidate, s-maxage=60", 0},
        {"pro", PRO("CG-a"), MARKETS, "max-age=30, public, must-revalidate, s-maxage=30", 45},
        {"pro", PRO("CG-a"), "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd",
         "max-age=30, public, must-revalidate, s-maxage=30", 20},
        {"demo", "", "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd",
         "max-age=30, public, must-revalidate, s-maxage=60", 60},
        {"demo", "", "/api/v3/coins/list", "max-age=30, public, must-revalidate, s-maxage=300",
         300},
        {"demo", "", "/api/v3/simple/supported_vs_currencies",
         "max-age=30, public, must-revalidate, s-maxage=60", 60},
        {"demo", "", PING, "max-age=0, private, must-revalidate", 0},
    };
    char line[128];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK(start(cases[i].plan, 0, 0));
        snprintf(line, sizeof(line), "\r\nCache-Control: %s\r\n", cases[i].control);
        CHECK(has_header(cases[i].target, cases[i].headers, line));
        now_us += (cases[i].kept > 0 ? cases[i].kept - 1 : 0) * US_PER_S;
        CHECK_EQ(has_header(cases[i].target, cases[i].headers, "\r\nCF-Cache-Status: HIT\r\n"),
                 cases[i].kept > 0);
        now_us += US_PER_S;
        CHECK(!has_header(cases[i].target, cases[i].headers, "\r\nCF-Cache-Status: HIT\r\n"));
        sim_stop(sim);
    }
}

static void who_has_the_answer_gets_304_without_paying(void)
{
    char header[128];

    CHECK(start("demo", 0, 2));
    struct client c = get(MARKETS, DEMO("CG-a"));
    const char *tag = strcasestr(c.all.p, "\r\nETag: ");
    CHECK(tag != NULL);
    snprintf(header, sizeof(header), DEMO("CG-a") "If-None-Match: %.36s\r\n", tag + 8);
    for (int i = 0; i < 3; i++) {
        c = get(MARKETS, header);
        CHECK_EQ(client_status(&c), 304);
        CHECK_EQ(c.body.len, 0);
        CHECK(client_has(&c, "\r\nETag: W/\""));
    }
    CHECK_EQ(status_of(MARKETS, DEMO("CG-a") "If-None-Match: W/\"0\"\r\n"), 200);
    CHECK_EQ(status_of(MARKETS, header), 429);
    sim_stop(sim);
}

static void answers_have_a_number_and_the_time_of_the_clock(void)
{
    char id[64];

    CHECK(start("none", 0, 0));
    struct client c = get(PING, "");
    CHECK(client_has(&c, "\r\nDate: Mon, 23 Nov 2026 14:30:00 GMT\r\n"));
    const char *found = strcasestr(c.all.p, "\r\nX-Request-Id: ");
    CHECK(found != NULL);
    snprintf(id, sizeof(id), "%.54s", found);
    c = get(PING, "");
    CHECK(client_has(&c, "\r\nX-Request-Id: "));
    CHECK(!client_has(&c, id));
    sim_stop(sim);
}

static void plans_are_told_by_name(void)
{
    struct buf b = BUF_INIT(65536);

    plan_help(&b);
    CHECK(strstr(buf_z(&b), "  demo       api.coingecko.com, 100 calls a minute, 10000 credits a "
                            "month\n") != NULL);
    buf_release(&b);
}

TAP_MAIN(TAP_CASE(keys_are_looked_at_as_the_host_does), TAP_CASE(plans_have_their_pace),
         TAP_CASE(every_answer_counts_to_the_minute),
         TAP_CASE(answers_of_status_200_alone_cost_a_credit),
         TAP_CASE(answers_of_a_plan_age_in_the_cache),
         TAP_CASE(endpoints_are_kept_for_as_long_as_theirs),
         TAP_CASE(who_has_the_answer_gets_304_without_paying),
         TAP_CASE(answers_have_a_number_and_the_time_of_the_clock),
         TAP_CASE(plans_are_told_by_name))
