/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/serve.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/metric.h"
#include "serve/api_v3.h"
#include "serve/assets.h"
#include "serve/health.h"
#include "serve/polls.h"

#define MAX_ANSWER_MEMORY                                                   \
    (64u * 1024 * 1024) /* rows of one answer: the whole market takes 30 MB \
                         */

/* Everything the page needs comes from here; nothing on it leaves the host. */
#define PAGE_POLICY \
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct serve {
    struct http_server *http;
    struct status *status;
    struct status_snapshot snapshot; /* too large for a stack */
    struct api_v3 api;
    struct polls_api polls;
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
    health_add_status(&res->body, &s->snapshot, clock_wall_us(clock_system()));
}

static bool answer_page(const struct http_request *req, struct http_response *res)
{
    static const struct {
        const char *path, *content_type;
        const struct str *bytes;
    } files[] = {
        {"/", "text/html; charset=utf-8", &asset_index_html},
        {"/style.css", "text/css; charset=utf-8", &asset_style_css},
        {"/app.js", "text/javascript; charset=utf-8", &asset_app_js},
        {"/favicon.svg", "image/svg+xml", &asset_favicon_svg},
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (!str_eq(http_path(req), str_of(files[i].path)))
            continue;
        res->content_type = files[i].content_type;
        http_add_header(res, "Content-Security-Policy", PAGE_POLICY);
        buf_add_str(&res->body, *files[i].bytes);
        return true;
    }
    return false;
}

static void handle(void *ctx, const struct http_request *req, struct http_response *res)
{
    static const struct {
        const char *path;
        void (*answer)(struct serve *s, struct http_response *res);
    } routes[] = {
        {"/healthz", healthz},
        {"/readyz", readyz},
        {"/metrics", metrics},
        {"/api/status", api_status},
    };
    struct serve *s = ctx;

    http_add_header(res, "Cache-Control", "no-cache");
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (str_eq(http_path(req), str_of(routes[i].path))) {
            routes[i].answer(s, res);
            return;
        }
    if (polls_handle(&s->polls, req, res) || api_v3_handle(&s->api, req, res) ||
        answer_page(req, res))
        return;
    res->status = 404;
    buf_add_z(&res->body,
              "{\"error\":\"no such path; / is the page, /api/v3 the API, /metrics, "
              "/healthz, /readyz, /api/status, /api/polls and /api/gaps the state\"}\n");
}

enum st serve_start(const struct serve_setup *setup, struct serve **ret_serve, struct err *err)
{
    struct serve *s = mem_new(1, sizeof(*s));
    struct http_setup http = {
        .port = setup->port, .post_path = POLLS_PATH, .handler = handle, .ctx = s};

    memcpy(http.address, setup->address, sizeof(http.address));
    s->status = setup->status;
    s->api.query = setup->query;
    arena_init(&s->api.arena, MAX_ANSWER_MEMORY);
    s->polls = (struct polls_api){
        .query = setup->query,
        .status = setup->status,
        .snapshot = &s->snapshot,
        .arena = &s->api.arena,
        .json = json_new(),
        .token = setup->token ? setup->token : "",
        .poll_now = setup->poll_now,
        .ctx = setup->ctx,
    };
    enum st st = http_start(&http, &s->http, err);
    if (st != ST_OK) {
        serve_stop(s);
        return st;
    }
    *ret_serve = s;
    return ST_OK;
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
    arena_release(&s->api.arena);
    json_free(s->polls.json);
    mem_free(s);
}
