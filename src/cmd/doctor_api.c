/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/http_client.h"
#include "base/json.h"
#include "cmd/doctor.h"
#include "extract/answer.h"
#include "extract/limiter.h"
#include "pipeline/setup.h"
#include "sim/sim.h"
#include "status/render.h"

#include <stdio.h>

#define MAX_BODY ((size_t)1024 * 1024)

/* ---- the clock ---- */

static bool say_clock(struct doctor *d)
{
    const int64_t now_us = clock_wall_us(clock_system());
    char text[TIME_TEXT];

    if (now_us >= CLOCK_LEAST_US)
        return true;
    time_format(time_floor(now_us, US_PER_S), text);
    doctor_say(d, FINDING_FAIL, "clock",
               "it says %s; set this machine's clock, with NTP if it can be", text);
    return false;
}

static void compare_clocks(struct doctor *d, struct str headers)
{
    const int64_t now_us = clock_wall_us(clock_system());
    struct buf off = BUF_INIT(64);
    int64_t date_us = 0;

    if (http_answer_header(headers, "date").len == 0) {
        doctor_say(d, FINDING_WARN, "clock", "the API sends no Date to compare it with");
    } else if (answer_clock_is_off(headers, now_us, &date_us)) {
        status_add_span(&off, now_us > date_us ? now_us - date_us : date_us - now_us);
        doctor_say(d, FINDING_FAIL, "clock",
                   "it is %s %s the API's; set this machine's clock, with NTP if it can be",
                   buf_z(&off), now_us > date_us ? "ahead of" : "behind");
    } else {
        doctor_say(d, FINDING_OK, "clock", "it agrees with the API's");
    }
    buf_release(&off);
}

/* ---- the API ---- */

static bool is_json_object(struct str body)
{
    struct json *json = json_new();
    enum json_event top = JSON_DONE;
    struct arena arena;
    struct err err = ERR_INIT;

    arena_init(&arena, 4 * MAX_BODY);
    const struct str padded = json_pad(&arena, body);
    const bool is_object = padded.p && json_validate(json, padded, &arena, &top, &err) == ST_OK &&
                           top == JSON_OBJECT_BEGIN;
    arena_release(&arena);
    json_free(json);
    return is_object;
}

static void judge_answer(struct doctor *d, const struct extract_api *api,
                         const struct http_answer *answer)
{
    const char *url = api->base_url;

    if (api->key_path && (answer->status == 400 || answer->status == 401))
        return; /* the key's line says it */
    if (answer->status == 401 || answer->status == 403)
        doctor_say(d, FINDING_FAIL, "API",
                   "%s answers %ld; it wants a key (GECKOTAPE_API_KEY and --api-plan), or refuses "
                   "this address",
                   url, answer->status);
    else if (answer->status == 429)
        doctor_say(d, FINDING_WARN, "API",
                   "%s answers 429: too many calls by this key or address; it is tried again, "
                   "poll less if that stays",
                   url);
    else if (answer->status != 200)
        doctor_say(d, answer->status >= 500 ? FINDING_WARN : FINDING_FAIL, "API",
                   "%s answers %ld to /ping; %s", url, answer->status,
                   answer->status >= 500 ? "its trouble, which may be over soon"
                                         : "look at --api-url: it ends in /api/v3");
    else if (!is_json_object(buf_str(&answer->body)))
        doctor_say(d, FINDING_FAIL, "API",
                   "%s answers, but not as CoinGecko does; look at --api-url, and for a proxy or a "
                   "login page in between",
                   url);
    else
        doctor_say(d, FINDING_OK, "API", "%s answers in %lld ms", url,
                   (long long)(answer->latency_us / US_PER_MS));
}

static enum st ping(const struct extract_api *api, struct http_answer *answer, struct err *err)
{
    const struct http_client_setup setup = {.user_agent = EXTRACT_USER_AGENT,
                                            .connect_timeout_us = api->connect_timeout_us,
                                            .stall_timeout_us = api->stall_timeout_us,
                                            .max_body = MAX_BODY};
    char url[sizeof(api->base_url) + 8], key_line[sizeof(api->key) + 64];
    struct http_client *client;

    snprintf(url, sizeof(url), "%s/ping", api->base_url);
    snprintf(key_line, sizeof(key_line), "%s: %s", api->key_header ? api->key_header : "",
             api->key);
    enum st st = http_client_new(&setup, &client, err);
    if (st != ST_OK)
        return st;
    st = http_client_get(client, url, api->key_header ? key_line : NULL, api->total_timeout_us,
                         answer, err);
    http_client_free(client);
    return st;
}

static void try_api(struct doctor *d, const struct extract_api *api, bool is_clock_sane)
{
    struct http_answer answer;
    struct err err = ERR_INIT;

    http_answer_init(&answer, MAX_BODY);
    if (ping(api, &answer, &err) != ST_OK) {
        doctor_say(d, FINDING_FAIL, "API", "%s: %s", api->base_url, err.msg);
    } else {
        judge_answer(d, api, &answer);
        if (is_clock_sane)
            compare_clocks(d, buf_str(&answer.headers));
    }
    http_answer_release(&answer);
}

static void try_simulator(struct doctor *d, struct extract_api *api, bool is_clock_sane)
{
    struct sim_setup setup = {.address = "127.0.0.1", .clock = clock_system()};
    struct sim *sim = NULL;
    struct err err = ERR_INIT;

    enum st st = setup_simulator(d->config, &setup, &err);
    if (st == ST_OK)
        st = sim_start(&setup, &sim, &err);
    if (st != ST_OK) {
        doctor_say(d, FINDING_FAIL, "API", "simulator: %s", err.msg);
        return;
    }
    snprintf(api->base_url, sizeof(api->base_url), "http://127.0.0.1:%u/api/v3", sim_port(sim));
    try_api(d, api, is_clock_sane);
    sim_stop(sim);
}

/* ---- the key ---- */

/* As `run` does before its first poll; *ret_finding is what a paid plan has. */
static void try_key(struct doctor *d, const struct extract_api *api,
                    struct key_finding *ret_finding)
{
    static const enum finding findings[] = {[KEY_UNASKED] = FINDING_OK,
                                            [KEY_UNKNOWN] = FINDING_WARN,
                                            [KEY_GOOD] = FINDING_OK,
                                            [KEY_REFUSED] = FINDING_FAIL,
                                            [KEY_IGNORED] = FINDING_FAIL};
    const struct extract_setup setup = {.api = *api, .clock = clock_system()};
    const char *plan = config_plan(d->config->api_plan)->name;
    struct err err = ERR_INIT;
    struct extract *extract;

    if (extract_new(&setup, &extract, &err) != ST_OK) {
        doctor_say(d, FINDING_FAIL, "key", "%s", err.msg);
        return;
    }
    extract_check_key(extract, ret_finding);
    extract_free(extract);
    if (ret_finding->state == KEY_GOOD)
        doctor_say(d, FINDING_OK, "key", "*** of %zu bytes, for plan %s: the API knows it",
                   strlen(api->key), plan);
    else
        doctor_say(d, findings[ret_finding->state], "key", "*** of %zu bytes, for plan %s%s%s",
                   strlen(api->key), plan, ret_finding->text[0] ? ": " : "", ret_finding->text);
}

static void say_key(struct doctor *d, const struct extract_api *api)
{
    struct key_finding finding = {.state = KEY_UNASKED};
    uint32_t pace = api->calls_per_minute;
    int64_t at_us;

    if (api->key[0])
        try_key(d, api, &finding);
    else
        doctor_say(d, FINDING_OK, "key", "none%s",
                   d->config->is_simulated ? ": the simulator needs none"
                                           : ", plan keyless: shared with all behind this address");
    if (finding.credits > 0)
        doctor_say(d, finding.credits_left > 0 ? FINDING_OK : FINDING_WARN, "credits",
                   "%llu of %llu are left this month", (unsigned long long)finding.credits_left,
                   (unsigned long long)finding.credits);
    if (finding.calls_per_minute > 0 && !api->is_pace_fixed)
        pace = limiter_pace(finding.calls_per_minute);
    const double calls = config_calls_per_minute(d->config, &at_us);
    doctor_say(d, calls > pace ? FINDING_WARN : FINDING_OK, "rate",
               "%u calls a minute at most, the jobs make %.1f", pace, calls);
}

void doctor_api(struct doctor *d)
{
    const bool is_clock_sane = say_clock(d);
    struct extract_api api;

    setup_api(d->config, &api);
    if (d->config->is_offline)
        api.key_path = NULL;
    if (d->config->is_simulated)
        try_simulator(d, &api, is_clock_sane);
    else if (!d->config->is_offline)
        try_api(d, &api, is_clock_sane);
    else
        doctor_say(d, FINDING_OK, "API", "not tried (--offline)");
    say_key(d, &api);
}
