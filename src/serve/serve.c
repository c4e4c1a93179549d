/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/serve.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/metric.h"
#include "serve/api_v3.h"
#include "serve/assets.h"
#include "serve/cache.h"
#include "serve/events.h"
#include "serve/health.h"
#include "serve/market.h"
#include "serve/openapi.h"
#include "serve/polls.h"
#include "serve/record.h"
#include "serve/request.h"
#include "serve/series.h"
#include "serve/sparks.h"
#include "serve/upkeep.h"
#include "serve/upstream.h"

#define MAX_ANSWER_MEMORY                                                   \
    (64u * 1024 * 1024) /* rows of one answer: the whole market takes 30 MB \
                         */

#define MAX_DOCUMENT (1024u * 1024)

#define MAX_KEY (64u * 1024)    /* of an answer that is kept */
#define KEEP_US (10 * US_PER_S) /* at most: charts end now */

/* Everything the page needs comes from here; nothing on it leaves the host. */
#define PAGE_POLICY \
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct serve {
    struct http_server *http;
    struct guard guard;
    struct status *status;
    struct status_snapshot snapshot; /* too large for a stack */
    struct api_v3 api;
    struct own own;
    struct events *events;
    struct cache *cache;
    uint64_t looked_turn;      /* in which its version was looked at; 0: none */
    struct buf openapi;        /* the document of what is served */
    struct upstream *upstream; /* NULL: there is none */
};

static void healthz(struct serve *s, struct http_response *res)
{
    (void)s;
    res->content_type = "text/plain; charset=utf-8";
    buf_add_z(&res->body, "OK");
}

static void readyz(struct serve *s, struct http_response *res)
{
    status_copy(s->status, &s->snapshot);
    if (!health_add_ready(&res->body, &s->snapshot, clock_wall_us(clock_system())))
        res->status = 503;
}

static void metrics(struct serve *s, struct http_response *res)
{
    (void)s;
    res->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metric_write(&res->body);
}

static void api_status(struct serve *s, struct http_response *res)
{
    status_copy(s->status, &s->snapshot);
    s->snapshot.at_us = s->own.past ? clock_wall_us(s->own.past) : 0;
    health_add_status(&res->body, &s->snapshot, clock_wall_us(clock_system()));
}

static void openapi(struct serve *s, struct http_response *res)
{
    buf_add_str(&res->body, buf_str(&s->openapi));
}

static const struct operation op_healthz = {
    .summary = "the process answers", .type = "text/plain", .is_not_guarded = true};
static const struct operation op_metrics = {.summary = "figures for Prometheus",
                                            .type = "text/plain"};
static const struct operation op_openapi = {.summary = "this document", .gives = "*"};

static bool answer_page(const struct http_request *req, struct http_response *res)
{
    for (size_t i = 0; i < n_assets; i++) {
        if (!str_eq(http_path(req), str_of(assets[i].path)))
            continue;
        res->content_type = assets[i].content_type;
        http_add_header(res, "Content-Security-Policy", PAGE_POLICY);
        http_add_header(res, "Cache-Control", "%s",
                        assets[i].is_fixed ? "public, max-age=31536000, immutable" : "no-cache");
        buf_add_str(&res->body, assets[i].bytes);
        return true;
    }
    return false;
}

static const struct route {
    const char *path;
    void (*answer)(struct serve *s, struct http_response *res);
    /* of our own API: these come from it */
    void (*get)(struct own *own, const struct http_request *req, struct http_response *res);
    void (*post)(struct own *own, const struct http_request *req, struct http_response *res);
    bool is_of_now;                       /* its answer cannot be of a moment */
    const struct operation *op, *op_post; /* what get or answer does, and post */
} routes[] = {
    {"/healthz", healthz, NULL, NULL, false, &op_healthz, NULL},
    {"/readyz", readyz, NULL, NULL, false, &op_ready, NULL},
    {"/metrics", metrics, NULL, NULL, false, &op_metrics, NULL},
    {"/api/openapi.json", openapi, NULL, NULL, false, &op_openapi, NULL},
    {"/api/status", api_status, NULL, NULL, false, &op_status, NULL},
    {"/api/market", NULL, market_get, NULL, false, &op_market, NULL},
    {"/api/events", NULL, events_get, NULL, false, &op_events, NULL},
    {"/api/series", NULL, series_get, NULL, false, &op_series, NULL},
    {"/api/sparklines", NULL, sparks_get, NULL, false, &op_sparks, NULL},
    {POLLS_PATH, NULL, polls_get, polls_post, true, &op_polls, &op_poll_now},
    {"/api/gaps", NULL, gaps_get, NULL, true, &op_gaps, NULL},
    {"/api/coverage", NULL, coverage_get, NULL, true, &op_coverage, NULL},
    {"/api/quarantine", NULL, quarantine_get, NULL, true, &op_quarantine, NULL},
    {"/api/quality", NULL, quality_get, NULL, true, &op_quality, NULL},
    {"/api/record", NULL, record_get, NULL, false, &op_record, NULL},
};

/* Made once, as no answer changes it. */
static void describe(struct buf *b)
{
    openapi_begin(b);
    api_v3_describe(b);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        const struct openapi_path path = {.root = "",
                                          .pattern = routes[i].path,
                                          .tag = "geckotape's",
                                          .get = routes[i].op,
                                          .post = routes[i].op_post};
        openapi_add_path(b, &path);
    }
    openapi_end(b);
}

static const struct route *find_route(struct str path)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (str_eq(path, str_of(routes[i].path)))
            return &routes[i];
    return NULL;
}

static void answer_route(struct serve *s, const struct route *route, const struct http_request *req,
                         struct http_response *res)
{
    struct http_request said = *req; /* what an operation says that it takes, and no more */

    said.op = http_is_post(req) ? route->op_post : route->op;
    if (route->answer) {
        route->answer(s, res);
        return;
    }
    if (route->is_of_now && s->own.past && !http_is_post(req))
        own_refuse(res, 501,
                   "what happened is not told as of a moment; ask a server without --at for it");
    else if (!http_is_post(req))
        route->get(&s->own, &said, res);
    else if (guard_may_write(&s->guard, req, res))
        route->post(&s->own, &said, res);
    arena_release(s->own.arena);
}

static void answer(struct serve *s, const struct http_request *req, struct http_response *res)
{
    if (answer_page(req, res))
        return;
    http_add_header(res, "Cache-Control", "no-cache");
    const struct route *route = find_route(http_path(req));
    if (route) {
        answer_route(s, route, req, res);
        return;
    }
    if (api_v3_handle(&s->api, req, res))
        return;
    res->status = 404;
    buf_add_z(&res->body,
              "{\"error\":\"no such path; / is the page, /api/v3 the API, /metrics, /healthz, "
              "/readyz, /api/status, /api/polls and /api/gaps the state, /api/market and "
              "/api/events what the page shows, /api/openapi.json the document of all\"}\n");
}

/* Is the answer the same until the store changes, or for a moment? */
static bool is_kept(struct str path)
{
    return str_eq(path, STR("/api/market")) || str_eq(path, STR("/api/coverage")) ||
           str_eq(path, STR("/api/sparklines")) ||
           (str_starts(path, STR("/api/v3/")) && !str_eq(path, STR("/api/v3/ping")) &&
            !str_eq(path, STR("/api/v3/key")));
}

/* Is it known whether the store has changed? Found out once for all requests of a turn. */
static bool look_at_version(struct serve *s, const struct http_request *req)
{
    struct query *q = s->own.query;
    struct err err = ERR_INIT;
    uint64_t version;

    if (req->turn != 0 && req->turn == s->looked_turn)
        return true;
    s->looked_turn = 0;
    if (!q || !q->driver->version || q->driver->version(q, &version, &err) != ST_OK)
        return false;
    cache_set_version(s->cache, version);
    s->looked_turn = req->turn;
    return true;
}

/* The answer of before, or one that is kept from now on. */
static void answer_kept(struct serve *s, const struct http_request *req, struct http_response *res)
{
    const int64_t now_us = clock_mono_us(clock_system());
    struct buf key = BUF_INIT(MAX_KEY);

    http_add_key(req, &key);
    if (!key.is_overflow)
        res->page = cache_find(s->cache, buf_str(&key), now_us);
    if (!res->page) {
        answer(s, req, res);
        if (res->status == 200 && !res->body.is_overflow && !key.is_overflow &&
            reply_has_room(req->replies, res->body.len))
            res->page = page_new(req->replies, res);
        if (res->page)
            cache_add(s->cache, buf_str(&key), res->page, now_us + KEEP_US);
    }
    buf_release(&key);
}

static void handle(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct serve *s = ctx;

    if (!http_is_post(req) && !guard_may_read(&s->guard, req, res))
        return;
    if (s->own.past) { /* whose moment moves: no answer is kept, none has an age */
        if (s->own.query)
            s->own.query->at_us = clock_wall_us(s->own.past);
        answer(s, req, res);
        res->as_of_us = 0;
    } else if (is_kept(http_path(req)) && look_at_version(s, req))
        answer_kept(s, req, res);
    else
        answer(s, req, res);
    if (s->upstream && !http_is_post(req) && str_starts(http_path(req), STR("/api/v3/")))
        upstream_answer(s->upstream, req, res);
}

static bool takes_post(void *ctx, struct str path)
{
    const struct route *route = find_route(path);

    (void)ctx;
    return route && route->post;
}

static void options(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    api_v3_options(req, res);
}

static int64_t tick(void *ctx, struct http_server *http, int64_t now_us)
{
    struct serve *s = ctx;
    bool is_news;
    const int64_t next_us = events_tick(s->events, &s->snapshot, now_us, &is_news);

    if (is_news)
        http_wake_streams(http);
    if (s->upstream)
        upstream_tick(s->upstream, http);
    return next_us;
}

/* Pages do not outlive the server. */
static void ended(void *ctx)
{
    const struct serve *s = ctx;

    cache_clear(s->cache);
    if (s->upstream)
        upstream_clear(s->upstream);
}

bool serve_is_watched(struct serve *s)
{
    return events_are_heard(s->events);
}

void serve_tell(struct serve *s, const struct serve_loaded *loaded)
{
    if (!events_are_heard(s->events))
        return;
    events_tell_poll(s->events, loaded);
    http_wake(s->http);
}

void serve_fetched(struct serve *s, uint64_t ticket, const struct serve_fetched *fetched)
{
    upstream_tell(s->upstream, ticket, fetched);
    http_wake(s->http);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

enum st serve_start(const struct serve_setup *setup, struct serve **ret_serve, struct err *err)
{
    struct serve *s = mem_new(1, sizeof(*s));
    struct http_setup http = {.port = setup->port,
                              .tls_cert = setup->tls_cert,
                              .tls_key = setup->tls_key,
                              .takes_post = takes_post,
                              .options = options,
                              .handler = handle,
                              .tick = tick,
                              .ended = ended,
                              .ctx = s};

    memcpy(http.address, setup->address, sizeof(http.address));
    s->status = setup->status;
    s->guard = setup->guard;
    s->guard.token = or_empty(setup->guard.token);
    s->guard.read_token = or_empty(setup->guard.read_token);
    s->guard.login = or_empty(setup->guard.login);
    s->api.query = setup->query;
    s->api.clock = setup->past;
    s->api.is_past = setup->past != NULL;
    if (setup->upstream.fetch)
        s->upstream = upstream_new(&setup->upstream);
    s->api.has_upstream = s->upstream != NULL;
    arena_init(&s->api.arena, MAX_ANSWER_MEMORY);
    s->cache = cache_new();
    s->events = events_new(setup->status, setup->past);
    buf_init(&s->openapi, MAX_DOCUMENT);
    describe(&s->openapi);
    s->own = (struct own){
        .query = setup->query,
        .status = setup->status,
        .snapshot = &s->snapshot,
        .arena = &s->api.arena,
        .json = json_new(),
        .poll_now = setup->poll_now,
        .ctx = setup->ctx,
        .read_record = setup->read_record,
        .record_ctx = setup->record_ctx,
        .events = s->events,
        .past = setup->past,
        .is_reader = setup->is_reader,
    };
    enum st st = http_start(&http, &s->http, err);
    if (st != ST_OK) {
        serve_stop(s);
        return st;
    }
    *ret_serve = s;
    return ST_OK;
}

enum st serve_reload(struct serve *s, struct err *err)
{
    return http_reload(s->http, err);
}

const struct pulse *serve_pulse(const struct serve *s)
{
    return http_pulse(s->http);
}

uint16_t serve_port(const struct serve *s)
{
    return http_port(s->http);
}

void serve_stop(struct serve *s)
{
    if (!s)
        return;
    http_stop(s->http);
    cache_free(s->cache);
    upstream_free(s->upstream);
    arena_release(&s->api.arena);
    json_free(s->own.json);
    events_free(s->events);
    buf_release(&s->openapi);
    mem_free(s);
}
