/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "serve/serve.h"
#include "tap.h"
#include "unit/serve/client.h"

#define HOUR_US (3600 * US_PER_S)
#define T0      INT64_C(1795442400000000) /* 2026-11-23T14:00:00Z */

/* ---- a store that knows two hours of one coin, the later by two jobs ---- */

static struct spark_query asked;
static char asked_ids[64];
static enum st store_st;
static struct status_snapshot snapshot;
static struct status *status;
static struct serve *serve;

static void add(struct rows *rows, const char *id, int64_t slot_us, const char *price)
{
    struct cell *row = rows_at(rows, rows->n++);

    row[SPARK_ID] = cell_of_text(str_of(id));
    row[SPARK_SLOT] = cell_of_time(slot_us);
    if (cell_of_num(str_of(price), &row[SPARK_PRICE]) != DEC_OK)
        abort();
}

static enum st fake_sparks(struct query *q, const struct spark_query *args, struct arena *arena,
                           struct rows *ret_rows, struct err *err)
{
    struct rows rows = {.table = &spark_table};

    (void)q;
    asked = *args;
    asked_ids[0] = '\0';
    for (size_t i = 0, at = 0; i < args->n_ids && at < sizeof(asked_ids); i++)
        at += (size_t)snprintf(asked_ids + at, sizeof(asked_ids) - at, "%.*s ",
                               STR_ARG(args->ids[i]));
    if (store_st != ST_OK)
        return err_set(err, store_st, "a.db: locked");
    rows.cells = arena_zalloc(arena, (size_t)3 * N_SPARK_COLUMNS, sizeof(*rows.cells));
    add(&rows, "bitcoin", args->from_us, "77074.00");
    add(&rows, "bitcoin", args->to_us - 1, "0.00000000012345678901234567890");
    add(&rows, "bitcoin", args->to_us - HOUR_US, "2");
    *ret_rows = rows;
    return ST_OK;
}

static bool start(bool has_sparks)
{
    static struct query_driver driver;
    static struct query query;
    struct serve_setup setup = {.address = "127.0.0.1"};
    struct err err = ERR_INIT;

    driver = (struct query_driver){.sparks = has_sparks ? fake_sparks : NULL};
    query = (struct query){.driver = &driver};
    setup.query = &query;
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

static void sparklines_have_every_digit_hour_by_hour(void)
{
    CHECK(start(true));
    struct client c = get("/api/sparklines?ids=bitcoin,dust,bitcoin&at=2026-11-23T13:59:59Z");
    CHECK_EQ(client_status(&c), 200);
    CHECK(strcmp(asked_ids, "bitcoin dust bitcoin ") == 0);
    CHECK_EQ(asked.to_us, T0);
    CHECK_EQ(asked.from_us, T0 - 7 * 24 * HOUR_US);
    CHECK_EQ(asked.step_us, HOUR_US);
    CHECK(has(&c, "{\"vs_currency\":\"usd\",\"from\":1794837600000,\"step\":3600000,\"prices\":{\n"
                  "\"bitcoin\":[77074.00,null,"));
    CHECK(has(&c, ",null,0.00000000012345678901234567890]}}\n"));
    stop();
}

static void sparklines_end_in_the_hour_that_is_even_when_more_is_asked_for(void)
{
    CHECK(start(true));
    const int64_t before_us = clock_wall_us(clock_system());
    struct client c = get("/api/sparklines?ids=bitcoin&at=253402300799999999");
    CHECK_EQ(client_status(&c), 200);
    CHECK(asked.to_us > before_us && asked.to_us <= before_us + 2 * HOUR_US);
    CHECK_EQ(asked.to_us % HOUR_US, 0);
    stop();
}

static void sparklines_refuse_what_they_cannot_tell(void)
{
    CHECK(start(true));
    struct client c = get("/api/sparklines");
    CHECK_EQ(client_status(&c), 400);
    CHECK(has(&c, "ids: which coins?"));
    char many[256] = "/api/sparklines?ids=";
    for (size_t i = 0, at = strlen(many); i < 61; i++, at += 2)
        memcpy(many + at, "x,", 3);
    c = get(many);
    CHECK_EQ(client_status(&c), 400);
    CHECK(has(&c, "ids: more than 60"));
    c = get("/api/sparklines?ids=x&at=never");
    CHECK_EQ(client_status(&c), 400);
    store_st = ST_AGAIN;
    c = get("/api/sparklines?ids=x");
    CHECK_EQ(client_status(&c), 503);
    stop();
    CHECK(start(false));
    c = get("/api/sparklines?ids=x");
    CHECK_EQ(client_status(&c), 501);
    CHECK(has(&c, "keeps no sparklines"));
    stop();
}

TAP_MAIN(TAP_CASE(sparklines_have_every_digit_hour_by_hour),
         TAP_CASE(sparklines_end_in_the_hour_that_is_even_when_more_is_asked_for),
         TAP_CASE(sparklines_refuse_what_they_cannot_tell))
