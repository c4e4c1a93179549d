/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "extract/classify.h"
#include "tap.h"

#define UA_403 \
    "{\"status\":{\"error_code\":403,\"error_message\":\"Please add a descriptive User-Agent\"}}"
#define DOWN_403                                                                        \
    "{\"status\":{\"error_code\":403,\"error_message\":\"This endpoint is temporarily " \
    "unavailable due to ongoing issues.\"}}"
#define LIMIT_429 \
    "{\"status\":{\"error_code\":429,\"error_message\":\"You've exceeded the Rate Limit.\"}}"
#define WALL                                                                              \
    "{\"error\":{\"status\":{\"timestamp\":\"x\",\"error_code\":10012,\"error_message\":" \
    "\"Your request exceeds the allowed time range.\"}}}"
#define CLOUDFLARE                                                                      \
    "<html><head><title>Access denied | api.coingecko.com used Cloudflare to restrict " \
    "access</title></head>"

static const struct {
    long status;
    const char *body;
    const char *rule;
    const char *class;
    bool can_retry;
    const char *text; /* begins with this; NULL: not looked at */
} answers[] = {
    {200, "[{\"id\":\"bitcoin\",\"image\":\"\"}]", "rows", "ok", false, NULL},
    {200, "[{\"id\":\"bitcoin\"},1,{},{\"total_volume\":1}]", "rows", "ok", false, NULL},
    {200, "[{\"id\":\"binance\",\"name\":\"Binance\"}]", "other-json", "drift", true,
     "HTTP 200: an array of other things instead of an array of coins"},
    {200, "[{\"id\":\"btc\",\"symbol\":\"b\",\"name\":\"B\",\"x\":{\"image\":1}}]", "other-json",
     "drift", true, "HTTP 200: an array of other things instead of an array of coins"},
    {200, "\xEF\xBB\xBF[{\"image\":1}]", "rows", "ok", false, NULL},

    {200, "[]", "other-json", "drift", true, "HTTP 200: nothing in an array of coins"},
    {200, "{}", "other-json", "drift", true, "HTTP 200: an object instead of an array of coins"},
    {200, "[1,2]", "other-json", "drift", true,
     "HTTP 200: an array of other things instead of an array"},
    {200, "{\"gecko_says\":\"(V3) To the Moon!\"}", "other-json", "drift", true,
     "HTTP 200: an object"},
    {200, "{\"status\":500}", "other-json", "drift", true, "HTTP 200: an object"},

    /* errors with 200 are what they say they are */
    {200, LIMIT_429, "rate-limit", "rate_limited", true,
     "HTTP 200 (429): You've exceeded the Rate Limit. (retry after 1m)"},
    {200, "{\"status\":500,\"error\":\"Internal Server Error\"}", "server-trouble", "transient",
     true, "HTTP 200 (500): Internal Server Error (retry after 1m)"},
    {200, UA_403, "no-user-agent", "permanent", false, "HTTP 200 (403): Please add"},
    {200, DOWN_403, "forbidden", "transient", true, "HTTP 200 (403): This endpoint"},
    {200, WALL, "history-wall", "permanent", false, "HTTP 200 (10012): Your request exceeds"},
    {200, "{\"error\":\"coin not found\"}", "error-200", "transient", true,
     "HTTP 200: coin not found (retry after 1m)"},
    {200, "{\"status\":{\"error_code\":200,\"error_message\":\"?\"}}", "error-200", "transient",
     true, "HTTP 200: ? (retry"},
    {200, "{\"status\":{\"error_code\":-7,\"error_message\":\"?\"}}", "error-200", "transient",
     true, "HTTP 200: ? (retry"},

    {200, "", "not-json", "not_json", true, "HTTP 200: an empty body"},
    {200, "<!DOCTYPE html>\n  <html>\x1b[31m\xff", "not-json", "not_json", true,
     "HTTP 200: not JSON: \"<!DOCTYPE html> <html>?[31m?\""},
    {200, "[{\"id\":\"bitcoin\"", "not-json", "not_json", true, "HTTP 200: not JSON"},
    {200, "[{}] x", "not-json", "not_json", true, "HTTP 200: not JSON"},
    {200, "[{\"a\":tru}]", "not-json", "not_json", true, "HTTP 200: not JSON"},
    {200, "\"text\"", "not-json", "not_json", true, "HTTP 200: not JSON"},
    {204, "", "server-trouble", "transient", true, "HTTP 204: an empty body"},

    {429, LIMIT_429, "rate-limit", "rate_limited", true,
     "HTTP 429: You've exceeded the Rate Limit. (retry after 1m)"},
    {403, LIMIT_429, "rate-limit", "rate_limited", true, "HTTP 403 (429): You've exceeded"},
    {429, "Throttled", "throttled", "rate_limited", true,
     "HTTP 429: not JSON: \"Throttled\" (retry after 1m)"},
    {503, "Throttled\n", "throttled", "rate_limited", true, NULL},
    {429, "", "status-429", "rate_limited", true, "HTTP 429: an empty body (retry after 1m)"},
    {429, "[{\"id\":\"bitcoin\"}]", "status-429", "rate_limited", true,
     "HTTP 429: no reason given"},
    {429, CLOUDFLARE "<h1>Error 1015</h1><h2>You are being rate limited</h2>", "cdn-rate-limit",
     "rate_limited", true, "HTTP 429: not JSON"},
    {403, "error code: 1015", "cdn-rate-limit", "rate_limited", true, NULL},
    {429, "{\"status\":{\"error_code\":429,\"error_message\":\"Your Credits are used up\"}}",
     "credits-spent", "rate_limited", false, "HTTP 429: Your Credits are used up; the plan's"},
    {401, "{\"error\":\"monthly call credit exhausted\"}", "credits-spent", "rate_limited", false,
     "HTTP 401: monthly call credit exhausted; the plan's calls of this month may be spent"},

    {401,
     "{\"status\":{\"timestamp\":\"2024-01-09T07:14:10.135+00:00\",\"error_code\":10002,"
     "\"error_message\":\"API Key Missing\"}}",
     "bad-key", "permanent", false,
     "HTTP 401 (10002): API Key Missing; the API key is missing or wrong"},
    {401, "{\"status\":{\"error_code\":10005,\"error_message\":\"limited to PRO\"}}",
     "paid-endpoint", "permanent", false,
     "HTTP 401 (10005): limited to PRO; this needs a paid plan"},
    {401, WALL, "history-wall", "permanent", false,
     "HTTP 401 (10012): Your request exceeds the allowed time range.; the plan's history does not "
     "go back so far; the key is fine"},
    {400,
     "{\"timestamp\":\"x\",\"error_code\":10012,\"status\":{\"error_message\":\"Number of "
     "contract addresses in the request exceeds the allowed limit (10 addresses)\"}}",
     "plan-limit", "permanent", false, "HTTP 400 (10012): Number of contract addresses"},
    {401,
     "{\"status\":{\"error_code\":401,\"error_message\":\"show_max is exclusive to paid plan "
     "subscribers\"}}",
     "paid-parameter", "permanent", false,
     "HTTP 401: show_max is exclusive to paid plan subscribers; this needs a paid plan"},
    {401, "{}", "unauthorized", "permanent", false, "HTTP 401: no reason given; check the API key"},
    {400,
     "{\"timestamp\":\"x\",\"error_code\":10010,\"status\":{\"error_message\":\"If you are "
     "using Pro API key\"}}",
     "pro-key-on-public-host", "permanent", false,
     "HTTP 400 (10010): If you are using Pro API key; a Pro key belongs to"},
    {400, "{\"error_code\":10011,\"status\":{\"error_message\":\"Demo\"}}", "demo-key-on-pro-host",
     "permanent", false,
     "HTTP 400 (10011): Demo; a Demo key belongs to the public host: --api-plan demo"},

    {404, "{\"error\":\"coin not found\"}", "unknown-id", "permanent", false,
     "HTTP 404: coin not found; check what the job selects"},
    {404, "{\"error\":\"Could not find coin with the given id\"}", "unknown-id", "permanent", false,
     NULL},
    {404, "<h1>404</h1>", "no-such-path", "permanent", false, "HTTP 404: not JSON: \"<h1>404"},
    {422, "{\"error\":\"Missing parameter vs_currency\"}", "bad-request", "permanent", false,
     "HTTP 422: Missing parameter vs_currency; check the job's options"},
    {500, "{\"error\":\"translation missing: en.api.errors.too_many_coin_ids\"}", "too-many-ids",
     "permanent", false,
     "HTTP 500: translation missing: en.api.errors.too_many_coin_ids; ask for fewer ids"},
    {414, "", "long-url", "permanent", false, "HTTP 414: an empty body; ask for fewer ids"},
    {407, "", "proxy-password", "permanent", false, "HTTP 407: an empty body; the proxy wants"},
    {301, "", "redirect", "permanent", false,
     "HTTP 301: to https://elsewhere/; redirects are not followed: check --api-url"},
    {304, "", "not-modified", "transient", true, NULL},

    {403, UA_403, "no-user-agent", "permanent", false,
     "HTTP 403: Please add a descriptive User-Agent; something on the way removes"},
    {403, DOWN_403, "forbidden", "transient", true,
     "HTTP 403: This endpoint is temporarily unavailable"},
    {403, "", "forbidden", "transient", true, "HTTP 403: an empty body"},
    {403, CLOUDFLARE, "cdn-firewall", "transient", false, "HTTP 403: not JSON: \"<html>"},
    {1020, "error code: 1020", "cdn-firewall", "transient", false, NULL},
    {403, "{\"status\":{\"error_code\":1020,\"error_message\":\"x\"}}", "firewall-code",
     "transient", false, "HTTP 403 (1020): x; Cloudflare refuses this address"},
    {503, "<title>Just a moment...</title>", "cdn-challenge", "transient", false,
     "HTTP 503: not JSON: \"<title>Just a moment...</title>\"; Cloudflare refuses"},
    {200, "<title>Attention Required! | Cloudflare</title>", "cdn-challenge", "transient", false,
     NULL},
    {408, "", "try-again", "transient", true, NULL},
    {409, "", "try-again", "transient", true, NULL},
    {500, "{\"status\":500,\"error\":\"Internal Server Error\"}", "server-trouble", "transient",
     true, "HTTP 500: Internal Server Error (retry after 1m)"},
    {502, "Bad Gateway", "server-trouble", "transient", true, NULL},
    {503, "[{\"id\":\"bitcoin\"}]", "server-trouble", "transient", true, NULL},
    {504, "<html>504 Gateway Time-out", "server-trouble", "transient", true, NULL},
    {520, "error code: 520", "server-trouble", "transient", true, NULL},
    {522, "<title>api.coingecko.com | 522: Connection timed out</title>", "server-trouble",
     "transient", true, NULL},
    {524, "", "server-trouble", "transient", true, NULL},
    {99, "", "server-trouble", "transient", true, NULL},
};

struct judged {
    struct answer_facts facts;
    struct answer_verdict verdict;
    char text[ANSWER_MAX_TEXT];
};

static struct judged judge(const struct endpoint *ep, long status, struct str body,
                           bool can_be_empty)
{
    struct arena arena;
    struct judged j;
    struct json *json = json_new();

    arena_init(&arena, 1 << 20);
    struct str padded = json_pad(&arena, body);
    answer_read(json, padded, ep, &arena, &j.facts);
    j.verdict = answer_classify(status, &j.facts, ep, can_be_empty);
    const struct answer_reply reply = {status, STR("location: https://elsewhere/\n"), padded,
                                       60 * US_PER_S};
    answer_describe(&reply, &j.facts, &j.verdict, ep, j.text);
    j.facts.words = STR_NONE; /* was in the arena */
    json_free(json);
    arena_release(&arena);
    return j;
}

static void every_known_answer_has_its_class_and_its_words(void)
{
    const struct endpoint *ep = endpoint_find("coins/markets");

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct judged j = judge(ep, answers[i].status, str_of(answers[i].body), false);
        if (strcmp(j.verdict.rule, answers[i].rule) != 0 ||
            strcmp(answer_class_name(j.verdict.class), answers[i].class) != 0 ||
            j.verdict.can_retry != answers[i].can_retry ||
            (answers[i].text && strncmp(j.text, answers[i].text, strlen(answers[i].text)) != 0))
            TAP_FAIL("%ld %s: %s, %s, retry %d, \"%s\"", answers[i].status, answers[i].body,
                     j.verdict.rule, answer_class_name(j.verdict.class), j.verdict.can_retry,
                     j.text);
    }
}

static void every_rule_has_an_answer_here(void)
{
    const char *rule;

    for (size_t i = 0; (rule = answer_rule_name(i)) != NULL; i++) {
        bool is_here = false;
        for (size_t k = 0; k < sizeof(answers) / sizeof(answers[0]) && !is_here; k++)
            is_here = strcmp(answers[k].rule, rule) == 0;
        if (!is_here)
            TAP_FAIL("%s", rule);
    }
}

static void an_empty_page_behind_the_first_is_fine(void)
{
    const struct endpoint *ep = endpoint_find("coins/markets");

    CHECK_EQ(judge(ep, 200, STR("[]"), true).verdict.class, ANSWER_OK);
    CHECK_EQ(judge(ep, 200, STR("{}"), true).verdict.class, ANSWER_DRIFT);
}

static void a_coin_called_status_is_no_error_where_an_object_is_due(void)
{
    static const struct endpoint ep = {.top = JSON_OBJECT_BEGIN, .is_what = "prices by coin"};

    CHECK_EQ(judge(&ep, 200, STR("{\"status\":{\"usd\":0.02},\"error\":{\"usd\":1}}"), false)
                 .verdict.class,
             ANSWER_OK);
    CHECK_EQ(judge(&ep, 200, STR("{\"status\":{\"error_message\":\"x\"}}"), false).verdict.class,
             ANSWER_TRANSIENT);
}

static void each_endpoint_is_judged_by_its_own_kind_of_answer(void)
{
    static const struct {
        const char *endpoint, *body, *class, *text;
    } rows[] = {
        {"coins/list", "[{\"id\":\"a\",\"symbol\":\"\"}]", "ok", NULL},
        {"coins/list", "[{\"id\":\"a\",\"name\":\"A\"}]", "drift",
         "an array of other things instead of an array of coins"},
        {"coins/list", "[\"usd\"]", "drift",
         "an array of other things instead of an array of coins"},
        {"coins/list", "[]", "drift", "nothing in an array of coins"},
        {"simple/supported_vs_currencies", "[\"usd\",\"eur\"]", "ok", NULL},
        {"simple/supported_vs_currencies", "[{\"id\":\"a\"}]", "drift",
         "an array of other things instead of an array of currencies"},
        {"simple/supported_vs_currencies", "[]", "drift", "nothing in an array of currencies"},
        {"global", "{\"data\":{\"markets\":1}}", "ok", NULL},
        {"global", "{\"data\":[]}", "drift",
         "an object of other things instead of an object with data"},
        {"global", "{\"a\":{\"data\":{}}}", "drift", "an object of other things"},
        {"global", "[]", "drift", "an array instead of an object with data"},
        {"global", "{\"data\":{},\"status\":{\"error_code\":429}}", "rate_limited", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct judged j = judge(endpoint_find(rows[i].endpoint), 200, str_of(rows[i].body), false);
        CHECK_Z(answer_class_name(j.verdict.class), rows[i].class);
        if (rows[i].text && strstr(j.text, rows[i].text) == NULL)
            CHECK_Z(j.text, rows[i].text);
    }
}

static void rows_are_counted(void)
{
    struct judged j =
        judge(endpoint_find("coins/markets"), 200,
              STR("[{\"image\":[1,{}]}, {\"b\":{\"image\":[]}}, 3, {\"x\":[],\"last_updated\":1}]"),
              false);

    CHECK_EQ(j.facts.n_elements, 4);
    CHECK_EQ(j.facts.n_rows, 2);
}

static void the_coins_of_a_page_are_known_whatever_their_order(void)
{
    static const struct {
        const char *a, *b;
        bool is_same_first, is_same_all;
    } rows[] = {
        {"[{\"id\":\"a\"},{\"id\":\"b\"}]", "[{\"x\":[{}],\"id\":\"a\",\"y\":{}},{\"id\":\"b\"}]",
         true, true},
        {"[{\"id\":\"a\"},{\"id\":\"b\"}]", "[{\"id\":\"b\"},{\"id\":\"a\"}]", false, true},
        {"[{\"id\":\"a\"},{\"id\":\"b\"}]", "[{\"id\":\"a\"},{\"id\":\"c\"}]", true, false},
        {"[{\"id\":\"a\"}]", "[{\"id\":\"\\u0061\"}]", true, true},
        {"[{\"id\":\"a\"}]", "[{\"id\":\"b\",\"id\":\"a\"}]", false, false},
        {"[{\"id\":\"a\"}]", "[{\"x\":{\"id\":\"a\"}}]", false, false},
    };
    static const char *const nameless[] = {"[]",
                                           "[{}]",
                                           "[1,\"id\",[\"id\",\"a\"]]",
                                           "[{\"id\":1}]",
                                           "[{\"id\":{\"id\":\"a\"}}]",
                                           "{\"id\":\"a\"}"};
    const struct endpoint *ep = endpoint_find("coins/markets");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct answer_facts a = judge(ep, 200, str_of(rows[i].a), true).facts;
        const struct answer_facts b = judge(ep, 200, str_of(rows[i].b), true).facts;
        CHECK(a.first_id != 0 && a.all_ids != 0);
        CHECK_EQ(a.first_id == b.first_id, rows[i].is_same_first);
        CHECK_EQ(a.all_ids == b.all_ids, rows[i].is_same_all);
    }
    for (size_t i = 0; i < sizeof(nameless) / sizeof(nameless[0]); i++) {
        const struct answer_facts facts = judge(ep, 200, str_of(nameless[i]), true).facts;
        CHECK(facts.is_json && facts.first_id == 0 && facts.all_ids == 0);
    }
}

static void a_million_brackets_are_not_json(void)
{
    static char deep[1000000];

    memset(deep, '[', sizeof(deep));
    struct judged j = judge(endpoint_find("coins/markets"), 200, (struct str){deep, 900000}, false);
    CHECK_EQ(j.verdict.class, ANSWER_NOT_JSON);
    memset(deep, '{', sizeof(deep));
    for (size_t i = 0; i + 9 < 900000; i += 9)
        memcpy(deep + i, "{\"error\":", 9);
    j = judge(endpoint_find("coins/markets"), 500, (struct str){deep, 900000}, false);
    CHECK_EQ(j.verdict.class, ANSWER_TRANSIENT);
    CHECK(!j.facts.is_json);
}

static void a_text_is_one_clean_line_that_keeps_its_mend(void)
{
    char body[2000] = "{\"status\":{\"error_code\":10002,\"error_message\":\"\\n\\u0007\\u0085";
    size_t n = strlen(body);

    while (n < 1500)
        n += (size_t)snprintf(body + n, sizeof(body) - n, "\xE2\x82\xAC");
    memcpy(body + n, "\"}}", 4);
    struct judged j = judge(endpoint_find("coins/markets"), 401, str_of(body), false);
    struct str text = str_of(j.text);
    CHECK(text.len < ANSWER_MAX_TEXT);
    CHECK(str_is_utf8(text));
    CHECK(str_starts(text, STR("HTTP 401 (10002): ??\xE2\x82\xAC")));
    CHECK(strstr(j.text, "\xE2\x82\xAC; the API key is missing or wrong: check GECKOTAPE_API_KEY "
                         "and --api-plan"));
    for (size_t i = 0; i < text.len; i++)
        CHECK((unsigned char)text.p[i] >= ' ' && text.p[i] != 0x7F);
}

TAP_MAIN(TAP_CASE(every_known_answer_has_its_class_and_its_words),
         TAP_CASE(every_rule_has_an_answer_here), TAP_CASE(an_empty_page_behind_the_first_is_fine),
         TAP_CASE(a_coin_called_status_is_no_error_where_an_object_is_due),
         TAP_CASE(each_endpoint_is_judged_by_its_own_kind_of_answer), TAP_CASE(rows_are_counted),
         TAP_CASE(the_coins_of_a_page_are_known_whatever_their_order),
         TAP_CASE(a_million_brackets_are_not_json),
         TAP_CASE(a_text_is_one_clean_line_that_keeps_its_mend))
