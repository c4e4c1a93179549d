/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "extract/classify.h"
#include "tap.h"

static const struct {
    long status;
    const char *body;
    const char *class;
    bool can_retry;
    const char *text; /* begins with this; NULL: not looked at */
} answers[] = {
    {200, "[{\"id\":\"bitcoin\"}]", "ok", false, NULL},
    {200, "[{\"id\":\"bitcoin\"},1,{}]", "ok", false, NULL},
    {200, "\xEF\xBB\xBF[{}]", "ok", false, NULL},

    {200, "[]", "drift", true, "HTTP 200: nothing in an array of coins"},
    {200, "{}", "drift", true, "HTTP 200: an object instead of an array of coins"},
    {200, "[1,2]", "drift", true, "HTTP 200: an array of other things instead of an array"},
    {200, "{\"gecko_says\":\"(V3) To the Moon!\"}", "drift", true, "HTTP 200: an object"},
    {200, "{\"status\":500,\"error\":\"Internal Server Error\"}", "drift", true,
     "HTTP 200: Internal Server Error"},
    {200, "{\"status\":{\"error_code\":429,\"error_message\":\"slow down\"}}", "rate_limited", true,
     "HTTP 200 (429): slow down (retry after 1m)"},

    {200, "", "not_json", true, "HTTP 200: an empty body"},
    {200, "<!DOCTYPE html>\n  <html>\x1b[31m\xff", "not_json", true,
     "HTTP 200: not JSON: \"<!DOCTYPE html> <html>?[31m?\""},
    {200, "[{\"id\":\"bitcoin\"", "not_json", true, "HTTP 200: not JSON"},
    {200, "[{}] x", "not_json", true, "HTTP 200: not JSON"},
    {200, "[{\"a\":tru}]", "not_json", true, "HTTP 200: not JSON"},
    {200, "\"text\"", "not_json", true, "HTTP 200: not JSON"},
    {204, "", "transient", true, "HTTP 204: an empty body"},

    {429, "{\"status\":{\"error_code\":429,\"error_message\":\"You've exceeded the Rate Limit.\"}}",
     "rate_limited", true, "HTTP 429: You've exceeded the Rate Limit. (retry after 1m)"},
    {429, "Throttled", "rate_limited", true, "HTTP 429: not JSON: \"Throttled\" (retry after 1m)"},
    {429, "[{\"id\":\"bitcoin\"}]", "rate_limited", true, "HTTP 429: no reason given"},

    {401,
     "{\"status\":{\"timestamp\":\"2024-01-09T07:14:10.135+00:00\",\"error_code\":10002,"
     "\"error_message\":\"API Key Missing\"}}",
     "permanent", false, "HTTP 401 (10002): API Key Missing; the API key is missing or wrong"},
    {401, "{\"status\":{\"error_code\":10005,\"error_message\":\"limited to PRO\"}}", "permanent",
     false, "HTTP 401 (10005): limited to PRO; this needs a paid plan"},
    {401,
     "{\"error\":{\"status\":{\"timestamp\":\"x\",\"error_code\":10012,\"error_message\":"
     "\"Your request exceeds the allowed time range.\"}}}",
     "permanent", false, "HTTP 401 (10012): Your request exceeds the allowed time range.;"},
    {401, "{\"status\":{\"error_code\":401,\"error_message\":\"show_max is exclusive\"}}",
     "permanent", false, "HTTP 401: show_max is exclusive; check the API key"},
    {400,
     "{\"timestamp\":\"x\",\"error_code\":10010,\"status\":{\"error_message\":\"If you are "
     "using Pro API key\"}}",
     "permanent", false, "HTTP 400 (10010): If you are using Pro API key; a Pro key belongs to"},
    {400, "{\"error_code\":10011,\"status\":{\"error_message\":\"Demo\"}}", "permanent", false,
     "HTTP 400 (10011): Demo; a Demo key belongs to the public host: --api-plan demo"},
    {404, "{\"error\":\"coin not found\"}", "permanent", false, "HTTP 404: coin not found; check"},
    {422, "{\"error\":\"Missing parameter vs_currency\"}", "permanent", false,
     "HTTP 422: Missing parameter vs_currency; check the job's options"},
    {414, "", "permanent", false, NULL},
    {301, "", "permanent", false, "HTTP 301: an empty body; redirects are not followed"},

    {403,
     "{\"status\":{\"error_code\":403,\"error_message\":\"Please add a descriptive User-Agent "
     "to your request.\"}}",
     "permanent", false, NULL},
    {403,
     "{\"status\":{\"error_code\":403,\"error_message\":\"This endpoint is temporarily "
     "unavailable due to ongoing issues.\"}}",
     "transient", true, "HTTP 403: This endpoint is temporarily unavailable"},
    {403, "<html>Access denied | api.coingecko.com used Cloudflare", "transient", true, NULL},
    {1020, "<html>", "transient", true, NULL},
    {408, "", "transient", true, NULL},
    {500, "{\"status\":500,\"error\":\"Internal Server Error\"}", "transient", true,
     "HTTP 500: Internal Server Error (retry after 1m)"},
    {502, "Bad Gateway", "transient", true, NULL},
    {503, "[{\"id\":\"bitcoin\"}]", "transient", true, NULL},
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
    answer_read(json, padded, &arena, &j.facts);
    j.verdict = answer_classify(status, &j.facts, ep, can_be_empty);
    answer_describe(status, &j.facts, &j.verdict, ep, padded, 60 * US_PER_S, j.text);
    j.facts.error_msg = STR_NONE; /* was in the arena */
    json_free(json);
    arena_release(&arena);
    return j;
}

static void every_known_answer_has_its_class_and_its_words(void)
{
    const struct endpoint *ep = endpoint_find("coins/markets");

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct judged j = judge(ep, answers[i].status, str_of(answers[i].body), false);
        if (strcmp(answer_class_name(j.verdict.class), answers[i].class) != 0 ||
            j.verdict.can_retry != answers[i].can_retry ||
            (answers[i].text && strncmp(j.text, answers[i].text, strlen(answers[i].text)) != 0))
            TAP_FAIL("%ld %s: %s, retry %d, \"%s\"", answers[i].status, answers[i].body,
                     answer_class_name(j.verdict.class), j.verdict.can_retry, j.text);
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
             ANSWER_DRIFT);
}

static void rows_are_counted(void)
{
    struct judged j = judge(endpoint_find("coins/markets"), 200,
                            STR("[{\"a\":[1,{}]}, {\"b\":{\"c\":[]}}, 3]"), false);

    CHECK_EQ(j.facts.n_elements, 3);
    CHECK_EQ(j.facts.n_objects, 2);
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
         TAP_CASE(an_empty_page_behind_the_first_is_fine),
         TAP_CASE(a_coin_called_status_is_no_error_where_an_object_is_due),
         TAP_CASE(rows_are_counted), TAP_CASE(the_coins_of_a_page_are_known_whatever_their_order),
         TAP_CASE(a_million_brackets_are_not_json),
         TAP_CASE(a_text_is_one_clean_line_that_keeps_its_mend))
