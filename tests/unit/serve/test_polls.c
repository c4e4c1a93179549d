/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "serve/serve.h"
#include "tap.h"
#include "unit/serve/client.h"

#define T0 INT64_C(1795444200000000) /* 2026-11-23T14:30:00Z */

/* ---- a store of three polls and a gap, and a collector of two jobs ---- */

static struct poll_query asked;
static enum st store_st;
static char polled[80];
static uint64_t ticket;
static struct status_snapshot snapshot;
static struct status *status;
static struct serve *serve;

static struct cell *add_row(struct rows *rows, struct arena *arena, const struct table *table)
{
    if (rows->cells == NULL)
        rows->cells = arena_zalloc(arena, 8 * table->n_columns, sizeof(*rows->cells));
    rows->table = table;
    return rows_at(rows, rows->n++);
}

static enum st fake_polls(struct query *q, const struct poll_query *args, struct arena *arena,
                          struct rows *ret_rows, struct err *err)
{
    (void)q;
    asked = *args;
    *ret_rows = (struct rows){.table = &poll_table};
    if (store_st != ST_OK)
        return err_set(err, store_st, "a.db: locked");
    if (!str_starts(args->job, STR("markets-")))
        return ST_OK;
    for (int i = 0; i < 3; i++) {
        struct cell *row = add_row(ret_rows, arena, &poll_table);
        row[POLL_COLUMN_JOB] = cell_of_text(STR("markets-usd"));
        row[POLL_COLUMN_SLOT] = cell_of_time(T0 - i * US_PER_S + (i == 2));
        row[POLL_COLUMN_ROWS_NEW] = cell_of_int(250);
        row[POLL_COLUMN_ERROR] = cell_of_text(STR("say \"\x1b\""));
    }
    return ST_OK;
}

static enum st fake_gaps(struct query *q, const struct gap_query *args, struct arena *arena,
                         struct rows *ret_rows, struct err *err)
{
    (void)q, (void)err;
    *ret_rows = (struct rows){.table = &gap_table};
    if (!str_eq(args->job, STR("markets-usd")) || args->since_us > T0)
        return ST_OK;
    struct cell *row = add_row(ret_rows, arena, &gap_table);
    row[GAP_JOB] = cell_of_text(args->job);
    row[GAP_FROM_SLOT] = cell_of_time(T0);
    return ST_OK;
}

static const struct query_driver with_polls = {.polls = fake_polls, .gaps = fake_gaps};
static const struct query_driver without_polls = {.polls = NULL};

static uint64_t poll_now(void *ctx, const char *job)
{
    (void)ctx;
    snprintf(polled, sizeof(polled), "%s", job);
    return ticket;
}

static bool start(const struct query_driver *driver, const char *token, size_t n_jobs)
{
    static struct query query;
    static const char *const names[] = {"markets-usd", "markets-eur"};
    struct serve_setup setup = {
        .address = "127.0.0.1", .guard = {.token = token}, .poll_now = poll_now};
    struct err err = ERR_INIT;

    query = (struct query){.driver = driver};
    setup.query = driver ? &query : NULL;
    snapshot = (struct status_snapshot){.n_jobs = n_jobs + 2};
    for (size_t i = 0; i < n_jobs; i++)
        snprintf(snapshot.jobs[i].name, sizeof(snapshot.jobs[i].name), "%s", names[i]);
    snapshot.jobs[n_jobs] = (struct status_job){.name = "markets-gone", .is_gone = true};
    snapshot.jobs[n_jobs + 1] = (struct status_job){.name = "markets-idle", .is_idle = true};
    status = status_new(&snapshot);
    setup.status = status;
    store_st = ST_OK;
    ticket = 7;
    polled[0] = '\0';
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

/* ---- reading ---- */

static void polls_are_the_rows_of_the_store(void)
{
    CHECK(start(&with_polls, "", 1));
    struct client c = get("/api/polls");
    CHECK_EQ(client_status(&c), 200);
    CHECK(str_starts(c.body, STR("{\"job\":\"markets-usd\",\"polls\":[{\"job\":\"markets-usd\","
                                 "\"slot\":\"2026-11-23T14:30:00Z\",\"outcome\":null,")));
    CHECK(has(&c, "\"slot\":\"2026-11-23T14:29:58.000001Z\""));
    CHECK(has(&c, "\"rows_new\":250,"));
    CHECK(has(&c, "\"error\":\"say \\\"\\u001b\\\"\"}],\"next_before\":null}\n"));
    CHECK_EQ(asked.limit, 100);
    CHECK_EQ(asked.before_us, INT64_MAX);
    c = get("/api/polls?job=markets-usd&limit=3&before=2026-11-23T14:30:00.5Z");
    CHECK(has(&c, "\"next_before\":\"2026-11-23T14:29:58.000001Z\"}\n"));
    CHECK_EQ(asked.limit, 3);
    CHECK_EQ(asked.before_us, T0 + 500000);
    c = get("/api/polls?job=markets-of-before"); /* what only the store knows */
    CHECK_EQ(client_status(&c), 200);
    stop();
}

static void gaps_are_those_of_the_last_30_days_unless_asked(void)
{
    CHECK(start(&with_polls, "", 2));
    struct client c = get("/api/gaps?job=markets-usd&since=2026-11-01T00:00:00Z");
    CHECK_EQ(client_status(&c), 200);
    CHECK_STR(c.body, "{\"job\":\"markets-usd\",\"since\":\"2026-11-01T00:00:00Z\",\"gaps\":["
                      "{\"job\":\"markets-usd\",\"from_slot\":\"2026-11-23T14:30:00Z\","
                      "\"until_slot\":null}]}\n");
    c = get("/api/gaps?job=markets-eur");
    CHECK(has(&c, "\"gaps\":[]}\n"));
    stop();
}

static void polls_refuse_what_they_do_not_understand(void)
{
    static const struct {
        const char *target;
        int status;
        const char *why;
    } cases[] = {
        {"/api/polls", 400, "name it as ?job=NAME: markets-usd, markets-eur"},
        {"/api/gaps", 400, "name it as ?job=NAME: markets-usd, markets-eur"},
        {"/api/polls?job=nobody", 404, "none called \\\"nobody\\\"; there are: markets-usd, mark"},
        {"/api/gaps?job=nobody", 404, "none called \\\"nobody\\\"; there are: markets-usd, mark"},
        {"/api/polls?job=%1b%5b2J", 404, "none called \\\"?[2J\\\""},
        {"/api/polls?job=markets-usd&limit=0", 400, "limit: not a number from 1 to 1000"},
        {"/api/polls?job=markets-usd&limit=1001", 400, "limit: not a number from 1 to 1000"},
        {"/api/polls?job=markets-usd&limit=-1", 400, "limit: not a number from 1 to 1000"},
        {"/api/polls?job=markets-usd&limit=ten", 400, "limit: not a number from 1 to 1000"},
        {"/api/polls?job=markets-usd&before=now", 400, "before: not a time"},
        {"/api/gaps?job=markets-usd&since=2026-13-01", 400, "since: not a time"},
        {"/api/gaps?job=markets-usd&since=253402300800000000", 400, "since: not a time"},
        {"/api/gaps?job=markets-usd&since=9223372036854775807", 400, "since: not a time"},
        {"/api/gaps?job=markets-usd&since=253402300799999999", 200, ""},
    };

    CHECK(start(&with_polls, "", 2));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client c = get(cases[i].target);
        CHECK_EQ(client_status(&c), cases[i].status);
        CHECK(has(&c, cases[i].why));
    }
    stop();
}

static void polls_say_what_is_wrong_with_the_store(void)
{
    CHECK(start(&with_polls, "", 1));
    store_st = ST_AGAIN;
    struct client c = get("/api/polls");
    CHECK_EQ(client_status(&c), 503);
    CHECK(client_has(&c, "\r\nRetry-After: 1\r\n"));
    CHECK(has(&c, "a.db: locked"));
    store_st = ST_FATAL;
    c = get("/api/polls");
    CHECK_EQ(client_status(&c), 500);
    stop();
    CHECK(start(&without_polls, "", 1));
    c = get("/api/polls");
    CHECK_EQ(client_status(&c), 501);
    CHECK(has(&c, "the store that is served keeps no polls; add a sink that does"));
    stop();
    CHECK(start(NULL, "", 1));
    c = get("/api/gaps");
    CHECK_EQ(client_status(&c), 501);
    CHECK(has(&c, "no sink here can be read; add a sink that does"));
    stop();
}

/* ---- poll now ---- */

static struct client post(const char *query, const char *authorization, const char *body)
{
    char request[4096];

    snprintf(request, sizeof(request),
             "POST /api/polls%s HTTP/1.1\r\nHost: t\r\n%s%s%sContent-Length: %zu\r\n\r\n%s", query,
             authorization ? "Authorization: " : "", authorization ? authorization : "",
             authorization ? "\r\n" : "", strlen(body), body);
    return client_exchange(serve_port(serve), str_of(request));
}

static void a_poll_is_asked_for_with_the_token(void)
{
    CHECK(start(&with_polls, "s3cret-token", 1));
    struct client c = post("", "Bearer s3cret-token", "");
    CHECK_EQ(client_status(&c), 202);
    CHECK(str_starts(c.body, STR("{\"job\":\"markets-usd\",\"ticket\":7,\"slot_from\":\"20")));
    CHECK_Z(polled, "markets-usd");
    stop();
    CHECK(start(NULL, "s3cret-token", 2)); /* needs no store */
    c = post("?job=markets-eur", "bearer s3cret-token", "");
    CHECK_EQ(client_status(&c), 202);
    CHECK_Z(polled, "markets-eur");
    c = post("", "Bearer s3cret-token", " {\"job\":\"markets-\\u0075sd\"}\n");
    CHECK_EQ(client_status(&c), 202);
    CHECK_Z(polled, "markets-usd");
    stop();
}

static void a_poll_needs_the_right_token(void)
{
    static const char *const wrong[] = {NULL,
                                        "",
                                        "Bearer",
                                        "Bearer ",
                                        "Bearer s",
                                        "Bearer s3cret-toke",
                                        "Bearer s3cret-token ",
                                        "Bearer s3cret-token2",
                                        "Bearer S3cret-token",
                                        "Basic s3cret-token",
                                        "s3cret-token",
                                        "Bearer  s3cret-token",
                                        "Bearer s3cret-tokens3cret-token"};
    static char huge[3000];

    CHECK(start(&with_polls, "s3cret-token", 1));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct client c = post("", wrong[i], "");
        CHECK_EQ(client_status(&c), 401);
        CHECK(client_has(&c, "\r\nWWW-Authenticate: Bearer realm=\"geckotape\"\r\n"));
        CHECK(!has(&c, "s3cret"));
    }
    memset(huge, 'x', sizeof(huge) - 1);
    memcpy(huge, "Bearer ", 7);
    struct client c = post("", huge, "");
    CHECK_EQ(client_status(&c), 401);
    stop();
}

static void polls_are_closed_without_a_token(void)
{
    CHECK(start(&with_polls, "", 1));
    struct client c = post("", "Bearer ", "");
    CHECK_EQ(client_status(&c), 403);
    CHECK(has(&c, "set GECKOTAPE_HTTP_TOKEN (or --http-token) and restart"));
    CHECK_Z(polled, "");
    stop();
    CHECK(start(&with_polls, NULL, 1));
    c = post("", NULL, "");
    CHECK_EQ(client_status(&c), 403);
    stop();
}

static void while_no_job_is_polled_it_may_be_asked_again(void)
{
    static const char *const queries[] = {"?job=markets-idle", "?job=markets-usd"};

    CHECK(start(&with_polls, "token", 0));
    for (size_t i = 0; i < 2; i++) {
        struct client c = post(queries[i], "Bearer token", "");
        CHECK_EQ(client_status(&c), 503);
        CHECK(client_has(&c, "\r\nRetry-After: 1\r\n"));
        CHECK_Z(polled, "");
    }
    stop();
}

static void a_poll_that_cannot_be_is_refused(void)
{
    static const struct {
        const char *query, *body;
        int status;
        const char *why;
    } cases[] = {
        {"", "", 400, "name it as ?job=NAME: markets-usd, markets-eur"},
        {"?job=nobody", "", 404, "none called \\\"nobody\\\""},
        {"?job=markets-gone", "", 404, "none called"},
        {"?job=markets-idle", "", 404, "none called"},
        {"?job=markets-usd", "{\"job\":\"markets-eur\"}", 400, "one in the query and another"},
        {"", "job=markets-usd", 400, "send {\\\"job\\\":\\\"NAME\\\"}, or nothing"},
        {"", "[]", 400, "body: it is no object"},
        {"", "{\"job\":1}", 400, "body: \\\"job\\\" is no text"},
        {"", "{\"job\":\"markets-usd\",\"job\":\"markets-usd\"}", 400, "or there twice"},
        {"", "{\"jobs\":\"markets-usd\"}", 400, "a key that is not \\\"job\\\""},
        {"", "{\"job\":{\"job\":\"markets-usd\"}}", 400, "\\\"job\\\" is no text"},
        {"", "{\"job\":\"markets-usd\"", 400, "body: "},
        {"", "{\"job\":\"markets-usd\"}}", 400, "body: "},
        {"", "{\"job\":\"\xff\"}", 400, "\\\"job\\\" is no text"},
    };

    CHECK(start(&with_polls, "token", 2));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client c = post(cases[i].query, "Bearer token", cases[i].body);
        CHECK_EQ(client_status(&c), cases[i].status);
        CHECK(has(&c, cases[i].why));
        CHECK_Z(polled, "");
    }
    ticket = 0;
    struct client c = post("?job=markets-usd", "Bearer token", "");
    CHECK_EQ(client_status(&c), 429);
    CHECK(client_has(&c, "\r\nRetry-After: 10\r\n"));
    status_lock(status)->is_stopping = true;
    status_unlock(status);
    c = post("?job=markets-usd", "Bearer token", "");
    CHECK_EQ(client_status(&c), 503);
    stop();
}

static void only_polls_take_a_post(void)
{
    static const char *const paths[] = {
        "/", "/api/gaps", "/api/status", "/api/polls/", "/api/v3/coins/markets", "/healthz"};
    char request[200];

    CHECK(start(&with_polls, "token", 1));
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        snprintf(request, sizeof(request),
                 "POST %s HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer token\r\n\r\n", paths[i]);
        struct client c = client_exchange(serve_port(serve), str_of(request));
        CHECK_EQ(client_status(&c), 405);
    }
    stop();
}

TAP_MAIN(TAP_CASE(polls_are_the_rows_of_the_store),
         TAP_CASE(gaps_are_those_of_the_last_30_days_unless_asked),
         TAP_CASE(polls_refuse_what_they_do_not_understand),
         TAP_CASE(polls_say_what_is_wrong_with_the_store),
         TAP_CASE(a_poll_is_asked_for_with_the_token), TAP_CASE(a_poll_needs_the_right_token),
         TAP_CASE(polls_are_closed_without_a_token),
         TAP_CASE(while_no_job_is_polled_it_may_be_asked_again),
         TAP_CASE(a_poll_that_cannot_be_is_refused), TAP_CASE(only_polls_take_a_post))
