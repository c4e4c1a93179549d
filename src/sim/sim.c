/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim.h"

#include "base/mem.h"
#include "serve/api_v3.h"
#include "sim/market.h"

#include <stdatomic.h>
#include <xxhash.h>

#define SLOW_US           (5 * US_PER_S)
#define MINUTE_US         (60 * US_PER_S)
#define MAX_ANSWER_MEMORY (128u * 1024 * 1024) /* the whole market of 20,000 coins: 70 MB */

/* CoinGecko's own words, so that clients which read them find what they look for. */
#define BODY_LIMIT                                                                                \
    "{\"status\":{\"error_code\":429,\"error_message\":\"You've exceeded the Rate Limit. Please " \
    "visit https://www.coingecko.com/en/api/pricing to subscribe to our API plans for higher "    \
    "rate limits.\"}}"
#define BODY_NO_AGENT                                                                             \
    "{\"status\":{\"error_code\":403,\"error_message\":\"Please add a descriptive User-Agent to " \
    "your request. For higher rate limits & stable integration, please subscribe to our API "     \
    "plans: https://www.coingecko.com/en/api/pricing . If you think this is a mistake, please "   \
    "report here: https://forms.gle/3V2z8Mb3k2RMu5S2A\"}}"
#define BODY_OUTAGE                                                                               \
    "{\"status\":{\"error_code\":403,\"error_message\":\"This endpoint is temporarily "           \
    "unavailable "                                                                                \
    "due to ongoing issues. Please visit https://www.coingecko.com/en/api/pricing to subscribe "  \
    "to our API plans with higher availability and https://status.coingecko.com for API status. " \
    "\"}}"
#define BODY_HTML                                                                               \
    "<!DOCTYPE html>\n<html><head><title>Access denied | api.coingecko.com used Cloudflare to " \
    "restrict access</title></head><body><h1>Error 1020</h1></body></html>\n"

#define TYPE_HTML "text/html; charset=utf-8"
#define TYPE_TEXT "text/plain; charset=utf-8"

struct sim {
    struct sim_setup setup;
    struct market *market;
    struct api_v3 api;
    struct http_server *http;
    atomic_uint_fast64_t n_requests;
    int64_t minute_began_us; /* of the rate limit */
    uint32_t calls_in_minute;
};

static void answer(struct http_response *res, int status, const char *content_type,
                   const char *body)
{
    buf_clear(&res->body);
    buf_add_z(&res->body, body);
    res->status = status;
    if (content_type)
        res->content_type = content_type;
}

static bool is_limited(struct sim *s)
{
    const int64_t now_us = clock_mono_us(s->setup.clock);

    if (s->setup.calls_per_minute == 0)
        return false;
    if (s->calls_in_minute == 0 || now_us - s->minute_began_us >= MINUTE_US) {
        s->minute_began_us = now_us;
        s->calls_in_minute = 0;
    }
    return ++s->calls_in_minute > s->setup.calls_per_minute;
}

static void answer_limit(struct http_response *res)
{
    answer(res, 429, NULL, BODY_LIMIT);
    http_add_header(res, "Retry-After", "60");
}

static const struct fault *find_fault(const struct sim *s, uint64_t request)
{
    for (size_t i = 0; i < s->setup.n_faults; i++) {
        const struct fault *f = &s->setup.faults[i];
        if ((request + 1) % f->every == 0 && request >= f->from &&
            (f->until == 0 || request < f->until))
            return f;
    }
    return NULL;
}

/* What CoinGecko sends with data. */
static void add_cache_headers(const struct http_request *req, struct http_response *res)
{
    XXH128_hash_t hash = XXH3_128bits(buf_z(&res->body), res->body.len);

    if (res->status != 200)
        return;
    http_add_header(res, "ETag", "W/\"%016llx%016llx\"", (unsigned long long)hash.high64,
                    (unsigned long long)hash.low64);
    http_add_header(res, "Cache-Control", "%s",
                    str_eq(http_path(req), STR("/api/v3/ping"))
                        ? "max-age=0, private, must-revalidate"
                        : "max-age=30, public, must-revalidate, s-maxage=30");
}

/* The answer as it should be; then what is to be broken about it. */
static void answer_well(struct sim *s, const struct http_request *req, struct http_response *res,
                        const struct fault *f)
{
    market_set_nulls(s->market, f && f->kind == FAULT_NULLS);
    market_set_same_page(s->market, f && f->kind == FAULT_SAMEPAGE);
    api_v3_handle(&s->api, req, res);
    add_cache_headers(req, res);
    if (!f)
        return;
    if (f->kind == FAULT_CUT)
        res->cut_after = res->body.len > 2 ? res->body.len / 2 : 1;
    else if (f->kind == FAULT_TRUNCATE)
        res->body.len /= 2;
    else if (f->kind == FAULT_SLOW)
        res->delay_us = SLOW_US;
}

static void answer_fault(struct sim *s, const struct http_request *req, struct http_response *res,
                         const struct fault *f)
{
    switch (f->kind) {
    case FAULT_429:
        answer_limit(res);
        break;
    case FAULT_429_BARE:
        answer(res, 429, TYPE_TEXT, "Throttled");
        break;
    case FAULT_500:
        answer(res, 500, NULL, "{\"status\":500,\"error\":\"Internal Server Error\"}");
        break;
    case FAULT_502:
        answer(res, 502, TYPE_TEXT, "Bad Gateway");
        break;
    case FAULT_503:
        answer(res, 503, TYPE_HTML, "<html><body><h1>503 Service Unavailable</h1></body></html>");
        break;
    case FAULT_HTML:
        answer(res, 200, TYPE_HTML, BODY_HTML);
        break;
    case FAULT_403:
        answer(res, 403, NULL, BODY_OUTAGE);
        break;
    case FAULT_STALL:
        res->delay_us = -1;
        break;
    case FAULT_TYPE:
        answer(res, 200, NULL, "{\"data\":[]}");
        break;
    case FAULT_EMPTY:
        answer(res, 200, NULL, "[]");
        break;
    case FAULT_CUT:
    case FAULT_TRUNCATE:
    case FAULT_SLOW:
    case FAULT_NULLS:
    case FAULT_SAMEPAGE:
    case N_FAULTS:
        answer_well(s, req, res, f);
        break;
    }
}

static void handle_api(struct sim *s, const struct http_request *req, struct http_response *res)
{
    const uint64_t request = atomic_fetch_add(&s->n_requests, 1);
    const struct fault *f = find_fault(s, request);

    if (http_header(req, "User-Agent").len == 0)
        answer(res, 403, NULL, BODY_NO_AGENT);
    else if (is_limited(s))
        answer_limit(res);
    else if (f)
        answer_fault(s, req, res, f);
    else
        answer_well(s, req, res, NULL);
}

static void handle(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sim *s = ctx;

    http_add_header(res, "X-Simulated", "geckotape");
    if (str_starts(http_path(req), STR("/api/v3/")))
        handle_api(s, req, res);
    else if (str_eq(http_path(req), STR("/")))
        answer(res, 200, TYPE_TEXT,
               "SIMULATED market by geckotape " GECKOTAPE_VERSION ": no price here is real.\n\n"
               "The API is below /api/v3, for example\n"
               "/api/v3/coins/markets?vs_currency=usd&per_page=250\n");
    else
        answer(res, 404, TYPE_TEXT, "SIMULATED market by geckotape: the API is below /api/v3\n");
}

enum st sim_start(const struct sim_setup *setup, struct sim **ret_sim, struct err *err)
{
    struct sim *s = mem_new(1, sizeof(*s));
    const struct market_setup market = {.n_coins = setup->n_coins,
                                        .seed = setup->seed,
                                        .speed = setup->speed,
                                        .clock = setup->clock};
    struct http_setup http = {.port = setup->port, .handler = handle, .ctx = s};

    s->setup = *setup;
    s->market = market_new(&market);
    s->api.query = market_query(s->market);
    arena_init(&s->api.arena, MAX_ANSWER_MEMORY);
    memcpy(http.address, setup->address, sizeof(http.address));
    enum st st = http_start(&http, &s->http, err);
    if (st != ST_OK) {
        sim_stop(s);
        return st;
    }
    *ret_sim = s;
    return ST_OK;
}

uint16_t sim_port(const struct sim *s)
{
    return http_port(s->http);
}

uint64_t sim_requests(const struct sim *s)
{
    return atomic_load(&s->n_requests);
}

void sim_stop(struct sim *s)
{
    if (!s)
        return;
    http_stop(s->http);
    arena_release(&s->api.arena);
    market_free(s->market);
    mem_free(s);
}
