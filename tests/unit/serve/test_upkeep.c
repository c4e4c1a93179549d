/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "query/coverage.h"
#include "serve/serve.h"
#include "tap.h"
#include "unit/serve/client.h"

#define T0     INT64_C(1795444200000000) /* 2026-11-23T14:30:00Z */
#define DAY_US (86400 * US_PER_S)

static struct status_snapshot snapshot;
static struct status *status;
static struct serve *serve;
static uint32_t asked_limit;
static struct coverage_query asked;
static enum st store_st;

/* As many rows as are asked for, but three at most, of which the first cells are filled. */
static enum st newest(const struct table *table, uint32_t limit, struct arena *arena,
                      struct rows *ret_rows, struct err *err)
{
    asked_limit = limit;
    if (store_st != ST_OK)
        return err_set(err, store_st, "a.db: locked");
    *ret_rows = (struct rows){.table = table, .n = limit < 3 ? limit : 3};
    ret_rows->cells = arena_zalloc(arena, 3 * table->n_columns, sizeof(*ret_rows->cells));
    for (size_t i = 0; i < ret_rows->n; i++) {
        rows_at(ret_rows, i)[0] = cell_of_text(STR("markets-usd"));
        rows_at(ret_rows, i)[1] = cell_of_time(T0 - (int64_t)i);
    }
    return ST_OK;
}

static enum st fake_refusals(struct query *q, uint32_t limit, struct arena *arena,
                             struct rows *ret_rows, struct err *err)
{
    (void)q;
    return newest(&refusal_table, limit, arena, ret_rows, err);
}

static enum st fake_flags(struct query *q, uint32_t limit, struct arena *arena,
                          struct rows *ret_rows, struct err *err)
{
    (void)q;
    return newest(&flag_table, limit, arena, ret_rows, err);
}

static enum st fake_coverage(struct query *q, const struct coverage_query *args,
                             struct arena *arena, struct rows *ret_rows, struct err *err)
{
    struct coverage coverage;

    (void)q;
    asked = *args;
    if (store_st != ST_OK || !coverage_begin(&coverage, args->from_us, args->until_us, arena))
        return err_set(err, store_st, "a.db: locked");
    if (str_eq(args->job, STR("markets-usd")))
        coverage_add(&coverage, &(struct coverage_poll){.slot_us = T0, .outcome = STR("ok")});
    *ret_rows = coverage.rows;
    return ST_OK;
}

static enum st no_polls(struct query *q, const struct poll_query *args, struct arena *arena,
                        struct rows *ret_rows, struct err *err)
{
    (void)q, (void)args, (void)arena, (void)err;
    *ret_rows = (struct rows){.table = &poll_table};
    return ST_OK;
}

static const struct query_driver all = {
    .refusals = fake_refusals, .flags = fake_flags, .coverage = fake_coverage, .polls = no_polls};
static const struct query_driver none = {.polls = NULL};

static bool start(const struct query_driver *driver)
{
    static struct query query;
    struct serve_setup setup = {.address = "127.0.0.1"};
    struct err err = ERR_INIT;

    query = (struct query){.driver = driver};
    setup.query = &query;
    snapshot = (struct status_snapshot){.n_jobs = 2};
    snprintf(snapshot.jobs[0].name, sizeof(snapshot.jobs[0].name), "markets-usd");
    snprintf(snapshot.jobs[1].name, sizeof(snapshot.jobs[1].name), "markets-eur");
    setup.status = status = status_new(&snapshot);
    store_st = ST_OK;
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

static void quarantine_and_quality_give_their_newest_rows(void)
{
    CHECK(start(&all));
    struct client c = get("/api/quarantine");
    CHECK_EQ(client_status(&c), 200);
    CHECK_EQ(asked_limit, 100);
    CHECK(str_starts(c.body, STR("{\"quarantine\":[{\"job\":\"markets-usd\",\"slot\":"
                                 "\"2026-11-23T14:30:00Z\",\"stream\":null,")));
    c = get("/api/quality?limit=1");
    CHECK_EQ(asked_limit, 1);
    CHECK_STR(c.body, "{\"quality\":[{\"job\":\"markets-usd\",\"slot\":\"2026-11-23T14:30:00Z\","
                      "\"coin\":null,\"rule\":null,\"detail\":null}]}\n");
    stop();
}

static void coverage_takes_whole_days(void)
{
    CHECK(start(&all));
    struct client c =
        get("/api/coverage?job=markets-usd&from=2026-11-23T23:00:00Z&until=2026-11-24T00:00:01Z");
    CHECK_EQ(client_status(&c), 200);
    CHECK_STR(c.body,
              "{\"job\":\"markets-usd\",\"days\":[{\"day\":\"2026-11-23T00:00:00Z\",\"ok\":1,"
              "\"partial\":0,\"failed\":0,\"aborted\":0,\"promised\":0,\"missed\":0,\"gaps\":0,"
              "\"gap_ms\":0},{\"day\":\"2026-11-24T00:00:00Z\",\"ok\":0,\"partial\":0,\"failed\":0,"
              "\"aborted\":0,\"promised\":0,\"missed\":0,\"gaps\":0,\"gap_ms\":0}]}\n");
    c = get("/api/coverage?job=markets-eur&until=2026-11-24T00:00:00Z");
    CHECK_EQ(client_status(&c), 200);
    CHECK_EQ(asked.until_us, time_floor(T0, DAY_US) + DAY_US);
    CHECK_EQ(asked.from_us, asked.until_us - 30 * DAY_US);
    stop();
}

static void upkeep_refuses_what_it_does_not_understand(void)
{
    static const struct {
        const char *target;
        int status;
        const char *why;
    } cases[] = {
        {"/api/quarantine?limit=0", 400, "limit: not a number from 1 to 1000"},
        {"/api/quality?limit=1001", 400, "limit: not a number from 1 to 1000"},
        {"/api/coverage", 400, "name it as ?job=NAME: markets-usd, markets-eur"},
        {"/api/coverage?job=nobody", 404, "none called \\\"nobody\\\""},
        {"/api/coverage?job=markets-usd&from=now", 400, "from: not a time"},
        {"/api/coverage?job=markets-usd&from=2026-11-23T00:00:00Z&until=2026-11-22T00:00:00Z", 400,
         "not a span of at most 400 days"},
        {"/api/coverage?job=markets-usd&from=2020-11-23T00:00:00Z", 400, "at most 400 days"},
        {"/api/coverage?job=markets-usd&until=9223372036854775807", 400, "until: not a time"},
        {"/api/coverage?job=markets-usd&until=253402300799999999", 400, "at most 400 days"},
        {"/api/coverage?job=markets-usd&from=0&until=0", 400, "at most 400 days"},
    };

    CHECK(start(&all));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client c = get(cases[i].target);
        CHECK_EQ(client_status(&c), cases[i].status);
        CHECK(has(&c, cases[i].why));
    }
    store_st = ST_AGAIN;
    static const char *const targets[] = {"/api/quarantine", "/api/quality",
                                          "/api/coverage?job=markets-usd"};
    for (size_t i = 0; i < 3; i++) {
        struct client c = get(targets[i]);
        CHECK_EQ(client_status(&c), 503);
        CHECK(has(&c, "a.db: locked"));
    }
    stop();
    CHECK(start(&none));
    for (size_t i = 0; i < 3; i++) {
        struct client c = get(targets[i]);
        CHECK_EQ(client_status(&c), 501);
        CHECK(has(&c, "the store that is served keeps no "));
    }
    stop();
}

TAP_MAIN(TAP_CASE(quarantine_and_quality_give_their_newest_rows),
         TAP_CASE(coverage_takes_whole_days), TAP_CASE(upkeep_refuses_what_it_does_not_understand))
