/* What the API makes of a key, and what is made of that. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/limiter.h"
#include "world.h"

#define KEY     "CG-s3cr3ts3cr3ts3cr3t"
#define NOBODYS "CG-invalid00000000000"

#define ANSWER(status, body) {.answer = "HTTP/1.1 " status "\r\n\r\n" body, .is_closed = true}
#define PONG                 ANSWER("200 OK", "{\"gecko_says\":\"(V3) To the Moon!\"}")
#define MISSING \
    ANSWER("401 No", "{\"status\":{\"error_code\":10002,\"error_message\":\"API Key Missing\"}}")
#define PRO_HERE     \
    ANSWER("400 No", \
           "{\"error_code\":10010,\"status\":{\"error_message\":\"If you are using Pro\"}}")
#define DEMO_HERE    \
    ANSWER("400 No", \
           "{\"error_code\":10011,\"status\":{\"error_message\":\"If you are using Demo\"}}")
#define BUSY         ANSWER("429 Slow", "Throttled")
#define DOWN         ANSWER("503 Down", "down")
#define NO_PATH      ANSWER("404 No", "{\"error\":\"Not Found\"}")
#define ECHO         ANSWER("401 No", "{\"error\":\"no such key: " KEY "\"}")
#define LIMITS(body) ANSWER("200 OK", body)

static struct key_finding found;

static void ask_as(const char *plan_path, const struct http_step *steps, size_t n_steps)
{
    prepare(steps, n_steps);
    snprintf(w.setup.api.key, sizeof(w.setup.api.key), KEY);
    w.setup.api.key_header = "x-cg-demo-api-key";
    w.setup.api.key_path = plan_path;
    begin();
    extract_check_key(w.extract, &found);
    end();
}

/* A plan whose bound /key tells. */
static void as_pro(void)
{
    snprintf(w.setup.api.key, sizeof(w.setup.api.key), KEY);
    w.setup.api.key_header = "x-cg-pro-api-key";
    w.setup.api.key_path = "/key";
    w.setup.api.is_budget_by_key = true;
}

static const struct {
    const char *path;
    struct http_step steps[3];
    enum key_state state;
    int n_requests;
    const char *text;
} rows[] = {
    {"/ping", {PONG, MISSING}, KEY_GOOD, 2, ""},
    {"/ping", {PONG, PRO_HERE}, KEY_GOOD, 2, ""},
    {"/ping", {PONG, BUSY}, KEY_GOOD, 2, ""}, /* at least it was taken */
    {"/ping",
     {MISSING},
     KEY_REFUSED,
     1,
     "HTTP 401 (10002): API Key Missing; the API key is missing or wrong: check GECKOTAPE_API_KEY "
     "and --api-plan"},
    {"/ping",
     {PRO_HERE},
     KEY_REFUSED,
     1,
     "HTTP 400 (10010): If you are using Pro; a Pro key belongs to the Pro host: --api-plan pro"},
    {"/ping",
     {ECHO},
     KEY_REFUSED,
     1,
     "HTTP 401: no such key: *********************; check the API key and --api-plan"},
    {"/ping",
     {PONG, PONG},
     KEY_IGNORED,
     2,
     "a made-up key is taken as well: yours is ignored, and calls count as those of nobody; look "
     "for a proxy that removes x-cg-demo-api-key, and at --api-url"},
    {"/ping", {DOWN}, KEY_UNKNOWN, 1, "HTTP 503: not JSON: \"down\""},
    {"/ping", {BUSY}, KEY_UNKNOWN, 1, "HTTP 429: not JSON: \"Throttled\""},
    {"/ping", {{.answer = "", .is_closed = true}}, KEY_UNKNOWN, 1, NULL},
    {"/key",
     {DEMO_HERE},
     KEY_REFUSED,
     1,
     "HTTP 400 (10011): If you are using Demo; a Demo key belongs to the public host: --api-plan "
     "demo"},
    {"/key", {MISSING}, KEY_REFUSED, 1, NULL},
    {"/key", {DOWN}, KEY_UNKNOWN, 1, NULL},
    {"/key", {NO_PATH, PONG, MISSING}, KEY_GOOD, 3, ""},
    {"/key", {NO_PATH, PONG, PONG}, KEY_IGNORED, 3, NULL},
    {"/key", {LIMITS("{}")}, KEY_GOOD, 1, ""},
    {NULL, {PONG}, KEY_UNASKED, 0, ""},
};

static void a_key_is_good_refused_ignored_or_nobody_knows(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ask_as(rows[i].path, rows[i].steps, 3);
        if (found.state != rows[i].state || w.server.n_requests != rows[i].n_requests ||
            (rows[i].text && strcmp(found.text, rows[i].text) != 0))
            TAP_FAIL("row %zu: state %d, %d requests, \"%s\"", i, found.state, w.server.n_requests,
                     found.text);
        CHECK(strstr(found.text, "s3cr3t") == NULL);
    }
}

static void a_made_up_key_has_the_form_of_ours_and_nothing_of_it(void)
{
    ask_as("/ping", SCRIPT(PONG, MISSING));
    const char *first = strstr(w.server.asked, "GET /api/v3/ping HTTP/1.1\r\n");
    CHECK(first && strstr(first, "x-cg-demo-api-key: " KEY "\r\n"));
    const char *second = strstr(first + 1, "GET /api/v3/ping HTTP/1.1\r\n");
    CHECK(second && strstr(second, "x-cg-demo-api-key: " NOBODYS "\r\n"));
    CHECK(strstr(second, "s3cr3t") == NULL);
}

static void what_a_paid_plan_has_is_read_and_the_tighter_counts(void)
{
    static const struct {
        const char *body, *plan;
        uint32_t calls_per_minute;
        uint64_t credits, left;
    } plans[] = {
        {"{\"plan\":\"Other\",\"rate_limit_request_per_minute\":500,\"monthly_call_credit\":1000,"
         "\"current_total_monthly_calls\":4,\"current_remaining_monthly_calls\":996}",
         "Other", 500, 1000, 996},
        {"{\"plan\":\"A\",\"rate_limit_request_per_minute\":500,\"monthly_call_credit\":1000,"
         "\"current_remaining_monthly_calls\":996,\"api_key_rate_limit_request_per_minute\":100,"
         "\"api_key_monthly_call_credit\":50,\"api_key_current_total_monthly_calls\":20}",
         "A", 100, 50, 30},
        {"{\"api_key_monthly_call_credit\":50,\"api_key_current_total_monthly_calls\":60,"
         "\"rate_limit_request_per_minute\":null,\"x\":[{\"plan\":\"no\"}],\"plan\":null}",
         "", 0, 50, 0},
        {"{\"plan\":\"\\u001b[2Jx\",\"rate_limit_request_per_minute\":1.5,"
         "\"monthly_call_credit\":-7,\"current_remaining_monthly_calls\":99999999999999999999}",
         "?[2Jx", 0, 0, 0},
        {"{\"rate_limit_request_per_minute\":99999999999}", "", UINT32_MAX, 0, 0},
        {"{\"monthly_call_credit\":1000,\"current_total_monthly_calls\":4}", "", 0, 1000, 996},
        {"{\"monthly_call_credit\":1000,\"current_remaining_monthly_calls\":996,"
         "\"api_key_monthly_call_credit\":5000}",
         "", 0, 1000, 996},
    };

    for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        char answer[1024];
        snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\n\r\n%s", plans[i].body);
        ask_as("/key", SCRIPT({.answer = answer, .is_closed = true}));
        CHECK_EQ(found.state, KEY_GOOD);
        CHECK_Z(found.plan, plans[i].plan);
        CHECK_EQ(found.calls_per_minute, plans[i].calls_per_minute);
        CHECK_EQ(found.credits, plans[i].credits);
        CHECK_EQ(found.credits_left, plans[i].left);
    }
}

/* Else a server that leaves it out, or says it in a way of its own, would stop all polls. */
static void what_is_left_is_unknown_unless_it_is_told(void)
{
    static const char *const tells[] = {
        "{\"monthly_call_credit\":1000}",
        "{\"monthly_call_credit\":1000,\"current_remaining_monthly_calls\":-3}",
        "{\"monthly_call_credit\":1000,\"current_remaining_monthly_calls\":9.5e2}",
        "{\"monthly_call_credit\":1000,\"current_remaining_monthly_calls\":\"996\"}",
        "{\"monthly_call_credit\":1000,\"current_remaining_monthly_calls\":null}",
        "{\"api_key_monthly_call_credit\":1000}",
    };

    for (size_t i = 0; i < sizeof(tells) / sizeof(tells[0]); i++) {
        char answer[1024];
        snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\n\r\n%s", tells[i]);
        prepare(SCRIPT({.answer = answer, .is_closed = true}, {.answer = GOOD}));
        as_pro();
        begin();
        poll_once(0, BUDGET_US);
        end();
        if (w.outcome != POLL_OK)
            TAP_FAIL("%s: %s", tells[i], last()->text);
        CHECK_EQ(metric_get(METRIC_BUDGET_CALLS, NULL, NULL), 1000);
    }
}

/* By /key 60 calls a minute: 36 of them are ours, one in 1.67 s. */
static void the_pace_is_the_plans_unless_somebody_fixed_it(void)
{
    for (int is_fixed = 0; is_fixed < 2; is_fixed++) {
        prepare(SCRIPT(LIMITS("{\"rate_limit_request_per_minute\":60}"), {.answer = GOOD}));
        snprintf(w.setup.api.key, sizeof(w.setup.api.key), KEY);
        w.setup.api.key_header = "x-cg-pro-api-key";
        w.setup.api.key_path = "/key";
        w.setup.api.is_pace_fixed = is_fixed;
        begin();
        poll_once(0, BUDGET_US);
        poll_once(0, BUDGET_US);
        end();
        CHECK_EQ(w.outcome, POLL_OK);
        CHECK_EQ(w.server.n_requests, 3);
        CHECK(is_fixed ? w.took_us < US_PER_S : w.took_us > 1500 * US_PER_MS);
    }
    CHECK_EQ(limiter_pace(500), 300);
    CHECK_EQ(limiter_pace(1), 1);
    CHECK_EQ(limiter_pace(UINT32_MAX), 2576980377);
}

/* A timer that calls `once` would otherwise pay two calls for each. */
static void once_asks_for_a_key_that_has_not_been_charged_yet(void)
{
    prepare(SCRIPT(PONG, MISSING, {.answer = GOOD}));
    snprintf(w.setup.api.key, sizeof(w.setup.api.key), KEY);
    w.setup.api.key_header = "x-cg-demo-api-key";
    w.setup.api.key_path = "/ping";
    for (int i = 0; i < 2; i++) {
        begin();
        poll_once(0, BUDGET_US);
        CHECK_EQ(w.outcome, POLL_OK);
        extract_free(w.extract);
        w.extract = NULL;
    }
    end();
    CHECK_EQ(w.server.n_requests, 2 + 1 + 1);
}

static void no_ping_is_sent_when_no_call_is_left(void)
{
    prepare(SCRIPT({.answer = GOOD}, PONG));
    snprintf(w.setup.api.key, sizeof(w.setup.api.key), KEY);
    w.setup.api.key_header = "x-cg-demo-api-key";
    w.setup.api.budget = 1;
    for (int i = 0; i < 2; i++) {
        w.setup.api.key_path = i > 0 ? "/ping" : NULL;
        begin();
        if (i == 0)
            poll_once(0, BUDGET_US);
        else
            extract_check_key(w.extract, &found);
        extract_free(w.extract);
        w.extract = NULL;
    }
    end();
    CHECK_EQ(found.state, KEY_UNKNOWN);
    CHECK_Z(found.text, "no call is left to ask with in this period");
    CHECK_EQ(w.server.n_requests, 1);
}

/* Of a ping that went out and had no answer nobody knows whether it was charged. */
static void a_ping_without_an_answer_counts(void)
{
    prepare(SCRIPT({.answer = "", .is_closed = true}, {.answer = GOOD}));
    snprintf(w.setup.api.key, sizeof(w.setup.api.key), KEY);
    w.setup.api.key_header = "x-cg-demo-api-key";
    w.setup.api.key_path = "/ping";
    begin();
    poll_once(0, BUDGET_US);
    end();
    CHECK_EQ(w.outcome, POLL_OK);
    CHECK_EQ(last()->r.credits_spent, 2);
}

/* A plan whose bound only /key tells: each `once` has to know it. */
static void once_asks_each_time_where_only_the_key_tells_the_bound(void)
{
    prepare(SCRIPT(LIMITS("{\"monthly_call_credit\":9,\"current_remaining_monthly_calls\":9}"),
                   {.answer = GOOD},
                   LIMITS("{\"monthly_call_credit\":9,\"current_remaining_monthly_calls\":0}"),
                   {.answer = GOOD}));
    as_pro();
    for (int i = 0; i < 2; i++) {
        begin();
        poll_once(0, BUDGET_US);
        CHECK_EQ(w.outcome, i == 0 ? POLL_OK : POLL_FAILED);
        extract_free(w.extract);
        w.extract = NULL;
    }
    end();
    CHECK_EQ(w.server.n_requests, 3);
}

/* Its monotonic clock goes 700 times as fast. */
static int64_t fast_mono_us(struct clock *c)
{
    (void)c;
    return clock_mono_us(clock_system()) * 700;
}

static int64_t real_wall_us(struct clock *c)
{
    (void)c;
    return clock_wall_us(clock_system());
}

static void a_bound_that_was_not_told_at_the_start_is_asked_for_again(void)
{
    static struct clock fast = {real_wall_us, fast_mono_us};
    enum st st = ST_FATAL;
    pthread_t thread;

    prepare(SCRIPT(DOWN, {.answer = GOOD}, LIMITS("{\"monthly_call_credit\":77}")));
    as_pro();
    w.job.grid.every_us = INT64_C(86400) * US_PER_S;
    w.setup.clock = &fast;
    begin();
    pthread_create(&thread, NULL, run_extract, &st);
    AWAIT(metric_get(METRIC_BUDGET_CALLS, NULL, NULL) == 77);
    extract_stop(w.extract);
    pthread_join(thread, NULL);
    end();
    CHECK_OK(st, err);
    CHECK_EQ(w.server.n_requests, 3);
}

static void a_refusal_is_shown_and_stops_no_poll(void)
{
    static struct status_snapshot snapshot;

    snapshot = (struct status_snapshot){.n_jobs = 1};
    prepare(SCRIPT(MISSING, {.answer = GOOD}));
    snprintf(w.setup.api.key, sizeof(w.setup.api.key), KEY);
    w.setup.api.key_header = "x-cg-demo-api-key";
    w.setup.api.key_path = "/ping";
    w.setup.status = status_new(&snapshot);
    begin();
    poll_once(0, BUDGET_US);
    end();
    status_copy(w.setup.status, &snapshot);
    status_free(w.setup.status);
    CHECK_EQ(w.outcome, POLL_OK);
    CHECK(snapshot.key.checked_us > 0 && !snapshot.key.is_good);
    CHECK(strstr(snapshot.key.trouble, "the API key is missing or wrong"));
}

TAP_MAIN(TAP_CASE(a_key_is_good_refused_ignored_or_nobody_knows),
         TAP_CASE(a_made_up_key_has_the_form_of_ours_and_nothing_of_it),
         TAP_CASE(what_a_paid_plan_has_is_read_and_the_tighter_counts),
         TAP_CASE(what_is_left_is_unknown_unless_it_is_told),
         TAP_CASE(the_pace_is_the_plans_unless_somebody_fixed_it),
         TAP_CASE(once_asks_for_a_key_that_has_not_been_charged_yet),
         TAP_CASE(no_ping_is_sent_when_no_call_is_left), TAP_CASE(a_ping_without_an_answer_counts),
         TAP_CASE(once_asks_each_time_where_only_the_key_tells_the_bound),
         TAP_CASE(a_bound_that_was_not_told_at_the_start_is_asked_for_again),
         TAP_CASE(a_refusal_is_shown_and_stops_no_poll))
