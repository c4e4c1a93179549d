/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/serve.h"

#include "base/clock.h"
#include "base/metric.h"
#include "serve/assets.h"
#include "serve/health.h"
#include "tap.h"
#include "unit/serve/client.h"

#define NOW INT64_C(1795444200000000) /* 2026-11-23T14:30:00Z */

static struct status_snapshot snapshot;

static void one_job_one_sink(void)
{
    snapshot = (struct status_snapshot){
        .started_us = NOW - 3600 * US_PER_S, .pid = 7, .n_jobs = 1, .n_sinks = 1};
    snapshot.jobs[0] = (struct status_job){
        .name = "markets-usd", .every_us = 60 * US_PER_S, .last_ok_us = NOW - 10 * US_PER_S};
    snapshot.sinks[0] = (struct status_sink){.url = "sqlite:a.db", .state = SINK_WORKING};
}

/* What readyz says of the snapshot. */
static const char *ready(void)
{
    static struct buf b = BUF_INIT(1 << 20);

    buf_clear(&b);
    health_add_ready(&b, &snapshot, NOW);
    return buf_z(&b);
}

static void ready_is_json_with_the_reasons(void)
{
    one_job_one_sink();
    CHECK_Z(ready(), "{\"ready\":true,\"reasons\":[],\"warnings\":[]}\n");
    snprintf(snapshot.jobs[0].drift, sizeof(snapshot.jobs[0].drift), "new: moon");
    snapshot.jobs[0].drift_since_us = NOW;
    CHECK_Z(ready(),
            "{\"ready\":true,\"reasons\":[],\"warnings\":[\"job markets-usd: CoinGecko's "
            "answers drift since 2026-11-23T14:30:00Z: new: moon; the tape keeps them as "
            "they come, and a geckotape that knows them makes the rows anew (replay)\"]}\n");
    snapshot.jobs[0].drift[0] = '\0';
    snapshot.jobs[0].last_ok_us = NOW - 181 * US_PER_S;
    snprintf(snapshot.jobs[0].last_error, sizeof(snapshot.jobs[0].last_error), "say \"what\"");
    snapshot.sinks[0].state = SINK_STOPPED;
    CHECK_Z(ready(),
            "{\"ready\":false,\"reasons\":[\"job markets-usd: no ok poll for 3m 1s: say "
            "\\\"what\\\"; it will be tried again; geckotape doctor tries all there is\","
            "\"sink sqlite:a.db: stopped; mend that and restart; the tape keeps everything "
            "until then\"],\"warnings\":[]}\n");
}

static void status_is_the_whole_snapshot_as_json(void)
{
    struct buf b = BUF_INIT(1 << 20);

    one_job_one_sink();
    snprintf(snapshot.version, sizeof(snapshot.version), "1.2.3");
    snapshot.jobs[0].last_latency_us = 1500;
    snapshot.jobs[0].head = UINT64_MAX;
    snapshot.jobs[0].n_polls = 2;
    snapshot.jobs[0].polls[0] = (struct status_poll){.outcome = "failed"};
    snapshot.jobs[0].polls[1] = (struct status_poll){.slot_us = NOW, .outcome = "ok"};
    snapshot.jobs[1] = (struct status_job){.name = "gone", .is_gone = true};
    snapshot.n_jobs = 2;
    snapshot.sinks[0].lag = 7;
    snapshot.disk.day_bytes = 5;
    health_add_status(&b, &snapshot, NOW);
    CHECK_STR(
        buf_str(&b),
        "{\"name\":\"geckotape\",\"version\":\"1.2.3\",\"pid\":7,\"simulated\":false,\"stopping\":"
        "false,\"reader\":false,\"at\":null,\"speed\":0,\"ready\":true,\"reasons\":[],\"warnings\":"
        "[],\"data_dir\":\"\",\"started\":\"2026-"
        "11-23T13:30:00."
        "000Z\",\"now\":\"2026-11-23T14:30:00.000Z\","
        "\"key\":{\"checked\":null,\"good\":false,\"trouble\":\"\",\"plan\":\"\",\"calls_per_"
        "minute\":0,\"credits\":0,\"credits_left\":0},"
        "\"budget\":{\"calls\":0,\"from\":null,\"until\":null,\"own\":0,\"others\":0,"
        "\"wanted\":0,\"runs_out\":null},\"disk\":{\"checked\":null,\"tape_bytes\":0,"
        "\"free_bytes\":0,\"total_bytes\":0,\"day_"
        "bytes\":5,\"oldest\":null,\"keep_ms\":0,\"last_error\":\"\"},"
        "\"jobs\":[{\"name\":\"markets-usd\",\"vs_currency\":\"\",\"what\":\"\",\"every_ms\":60000,"
        "\"interval_ms\":0,"
        "\"idle\":false,\"polling\":false,\"last_slot\":null,\"last_ended\":null,\"last_ok\":"
        "\"2026-11-23T14:29:50.000Z\","
        "\"last_outcome\":\"\",\"last_error\":\"\",\"last_cause\":\"\",\"last_latency_ms\":2,"
        "\"last_bytes\":0,\"last_attempts\":0,\"failed_in_row\":0,\"next_due\":null,\"head\":"
        "18446744073709551615,\"missed_slots\":0,\"calls_per_poll\":0,\"share\":null,"
        "\"calls_left\":0,\"drift\":\"\",\"drift_since\":null,\"flagged\":"
        "\"\","
        "\"polls\":[{\"slot\":\"2026-11-23T14:30:00.000Z\",\"ended\":null,\"outcome\":\"ok\"},{"
        "\"slot\":null,\"ended\":null,\"outcome\":\"failed\"}]}],"
        "\"sinks\":[{\"url\":\"sqlite:a.db\",\"state\":\"working\",\"state_since\":null,\"lag\":7,"
        "\"behind_since\":null,\"polls\":0,\"rows\":0,\"unchanged\":0,\"refused\":0,\"newest_row\":"
        "null,\"last_load\":null,\"last_load_ms\":0,\"last_error\":\"\",\"warning\":\"\"}]}\n");
    buf_release(&b);
}

/* ---- the server ---- */

static struct status *status;
static struct serve *serve;

static bool start(void)
{
    struct serve_setup setup = {.address = "127.0.0.1"};
    struct err err = ERR_INIT;

    one_job_one_sink();
    snapshot.started_us = clock_wall_us(clock_system());
    snapshot.jobs[0].last_ok_us = snapshot.started_us;
    status = status_new(&snapshot);
    setup.status = status;
    return serve_start(&setup, &serve, &err) == ST_OK;
}

static void stop(void)
{
    serve_stop(serve);
    status_free(status);
}

static struct client get(const char *target)
{
    return client_get(serve_port(serve), target, "");
}

static void serve_answers_health_readiness_and_state(void)
{
    CHECK(start());
    struct client c = get("/healthz");
    CHECK_EQ(client_status(&c), 200);
    CHECK_STR(c.body, "OK");
    c = get("/readyz");
    CHECK_EQ(client_status(&c), 200);
    status_lock(status)->sinks[0].state = SINK_STOPPED;
    status_unlock(status);
    c = get("/readyz");
    CHECK_EQ(client_status(&c), 503);
    c = get("/api/status");
    CHECK_EQ(client_status(&c), 200);
    CHECK(memmem(c.body.p, c.body.len, "\"state\":\"stopped\"", 17) != NULL);
    c = get("/nothing");
    CHECK_EQ(client_status(&c), 404);
    stop();
}

static void serve_counts_its_requests_in_its_metrics(void)
{
    metric_reset();
    CHECK(start());
    get("/healthz");
    get("/healthz");
    get("/nothing");
    struct client c = get("/metrics");
    CHECK(client_has(&c, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    const char *sample = "geckotape_http_requests_total{code=\"200\"} 2\n";
    CHECK(memmem(c.body.p, c.body.len, sample, strlen(sample)) != NULL);
    CHECK_EQ(metric_get(METRIC_HTTP_REQUESTS, "404", NULL), 1);
    stop();
}

/* With the dashboard or without it, by how this was built. */
static struct client options(const char *path)
{
    char request[300];

    snprintf(request, sizeof(request),
             "OPTIONS %s HTTP/1.1\r\nHost: t\r\nOrigin: https://example.org\r\n"
             "Access-Control-Request-Method: GET\r\nConnection: close\r\n\r\n",
             path);
    return client_exchange(serve_port(serve), str_of(request));
}

static void other_origins_may_read_coingeckos_api_and_nothing_else(void)
{
    static const char *const own[] = {"/api/polls", "/api/market", "/api/v33", "/", "/metrics"};

    CHECK(start());
    struct client c = options("/api/v3/coins/list");
    CHECK_EQ(client_status(&c), 204);
    CHECK(client_has(&c, "\r\nAccess-Control-Allow-Origin: *\r\n"));
    CHECK(client_has(&c, "\r\nAccess-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n"));
    CHECK(client_has(&c, "x-cg-pro-api-key"));
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        c = options(own[i]);
        CHECK_EQ(client_status(&c), 204);
        CHECK(!client_has(&c, "\r\nAccess-Control-"));
        c = get(own[i]);
        CHECK(!client_has(&c, "\r\nAccess-Control-"));
    }
    stop();
}

static void serve_page_allows_nothing_from_elsewhere(void)
{
    CHECK(start());
    CHECK(n_assets >= 3);
    for (size_t i = 0; i < n_assets; i++) {
        char line[80];
        struct client c = get(assets[i].path);
        snprintf(line, sizeof(line), "\r\nContent-Type: %s\r\n", assets[i].content_type);
        CHECK_EQ(client_status(&c), 200);
        CHECK(client_has(&c, line));
        CHECK(client_has(&c, "\r\nContent-Security-Policy: default-src 'self'; "));
        CHECK(client_has(&c, assets[i].is_fixed ? "\r\nCache-Control: public, max-age=31536000"
                                                : "\r\nCache-Control: no-cache\r\n"));
        CHECK(memmem(c.body.p, c.body.len, "src=\"http", 9) == NULL);
        CHECK(memmem(c.body.p, c.body.len, "url(http", 8) == NULL);
    }
    stop();
}

static void serve_root_says_whose_data_it_is(void)
{
    CHECK(start());
    struct client c = get("/");
    CHECK(client_has(&c, "\r\nContent-Type: text/html"));
    CHECK(memmem(c.body.p, c.body.len, "Data provided by <a href=\"https://www.coingecko.com/\"",
                 53) != NULL);
    CHECK(memmem(c.body.p, c.body.len, "not affiliated with", 19) != NULL);
    CHECK(memmem(c.body.p, c.body.len, " style=", 7) == NULL);
    CHECK(memmem(c.body.p, c.body.len, " onclick=", 9) == NULL);
    stop();
}

TAP_MAIN(TAP_CASE(ready_is_json_with_the_reasons), TAP_CASE(status_is_the_whole_snapshot_as_json),
         TAP_CASE(serve_answers_health_readiness_and_state),
         TAP_CASE(serve_counts_its_requests_in_its_metrics),
         TAP_CASE(other_origins_may_read_coingeckos_api_and_nothing_else),
         TAP_CASE(serve_page_allows_nothing_from_elsewhere),
         TAP_CASE(serve_root_says_whose_data_it_is))
