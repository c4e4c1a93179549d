/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_v3/call.h"

#include "base/clock.h"
#include "serve/openapi.h"
#include "serve/request.h"

#define KEEP_MEMORY (1024 * 1024) /* bytes kept for the next request */

static const struct route {
    const char *pattern; /* {id} stands for one part of a path */
    void (*answer)(struct call *call);
    const struct operation *op;
    bool needs_store, is_paid;
} routes[] = {
    {"/ping", answer_ping, &op_ping, false, false},
    {"/key", answer_key, &op_key, false, false},
    {"/simple/price", answer_simple_price, &op_simple_price, true, false},
    {"/simple/supported_vs_currencies", answer_vs_currencies, &op_vs_currencies, true, false},
    /* the fixed ones first: {id} takes anything */
    {"/coins/list", answer_coins_list, &op_coins_list, true, false},
    {"/coins/list/new", answer_coins_new, &op_coins_new, true, true},
    {"/coins/markets", answer_coins_markets, &op_coins_markets, true, false},
    {"/coins/categories", answer_categories, &op_categories, true, false},
    {"/coins/categories/list", answer_categories_list, &op_categories_list, true, false},
    {"/coins/{id}", answer_coin, &op_coin, true, false},
    {"/coins/{id}/history", answer_history, &op_history, true, false},
    {"/coins/{id}/market_chart", answer_market_chart, &op_market_chart, true, false},
    {"/coins/{id}/market_chart/range", answer_market_chart_range, &op_market_chart_range, true,
     false},
    {"/coins/{id}/ohlc", answer_ohlc, &op_ohlc, true, false},
    {"/coins/{id}/ohlc/range", answer_ohlc_range, &op_ohlc_range, true, true},
    {"/asset_platforms", answer_platforms, &op_platforms, true, false},
    {"/global", answer_global, &op_global, true, false},
};

/* Whether the path is of that pattern; then *ret_id is what stands for {id}. */
static bool matches(struct str path, const char *pattern, struct str *ret_id)
{
    struct str left = str_of(pattern), want, part;
    bool has_more;

    do {
        has_more = str_cut(&path, '/', &part);
        if (str_cut(&left, '/', &want) != has_more)
            return false;
        if (str_eq(want, STR("{id}")) && part.len > 0)
            *ret_id = part;
        else if (!str_eq(want, part))
            return false;
    } while (has_more);
    return true;
}

/* It can ask for those parameters that its operation names, and for no others. */
static void answer_as_said(struct call *call, const struct route *route)
{
    const struct http_request *whole = call->req;
    struct http_request said = *whole;

    said.op = route->op;
    call->req = &said;
    route->answer(call);
    call->req = whole;
}

/* As of the moment that was asked for. */
static void answer_as_of(struct call *call, const struct route *route)
{
    char text[TIME_TEXT];
    const int64_t served_us = call_query(call)->at_us;
    int64_t at_us;

    if (!call_moment(call, &at_us))
        return;
    if (at_us == 0) {
        answer_as_said(call, route);
        return;
    }
    time_format_http(at_us, text);
    http_add_header(call->res, "Memento-Datetime", "%s", text);
    call_query(call)->at_us = at_us;
    answer_as_said(call, route);
    call_query(call)->at_us = served_us;
}

static void answer(struct call *call, const struct route *route)
{
    if (route->is_paid && call->api->plan.is_free)
        call_refuse_unpaid(call);
    else if (route->needs_store && !call_query(call))
        call_refuse(call, 501,
                    "no sink here can be read; add one, such as --sink sqlite:market.db");
    else if (route->needs_store)
        answer_as_of(call, route);
    else
        answer_as_said(call, route);
    if (call_arena(call)->total > KEEP_MEMORY)
        arena_release(call_arena(call));
    else
        arena_reset(call_arena(call));
}

/* Is it below /api/v3? Then *path is what follows. */
static bool cut_root(struct str *path)
{
    const struct str root = STR("/api/v3");

    if (!str_starts(*path, root) || (path->len > root.len && path->p[root.len] != '/'))
        return false;
    *path = (struct str){path->p + root.len, path->len - root.len};
    return true;
}

void api_v3_add_origin(struct http_response *res)
{
    http_add_header(res, "Access-Control-Allow-Origin", "*");
    http_add_header(res, "Access-Control-Expose-Headers",
                    "Age, ETag, Last-Modified, Retry-After, link, per-page, total");
}

void api_v3_options(const struct http_request *req, struct http_response *res)
{
    struct str path = http_path(req);

    if (!cut_root(&path))
        return;
    api_v3_add_origin(res);
    http_add_header(res, "Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
    http_add_header(res, "Access-Control-Allow-Headers",
                    "Accept, Authorization, Content-Type, If-None-Match, X-Requested-With, "
                    "x-cg-demo-api-key, x-cg-pro-api-key");
    http_add_header(res, "Access-Control-Max-Age", "86400");
}

bool api_v3_handle(struct api_v3 *api, const struct http_request *req, struct http_response *res)
{
    struct call call = {.api = api,
                        .req = req,
                        .res = res,
                        .now_us = clock_wall_us(api->clock ? api->clock : clock_system())};
    struct str path = http_path(req);

    if (!cut_root(&path))
        return false;
    if (path.len > 1 && path.p[path.len - 1] == '/')
        path.len--; /* as pycoingecko asks for /coins/bitcoin/, and gets it */
    api_v3_add_origin(res);
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (matches(path, routes[i].pattern, &call.id)) {
            answer(&call, &routes[i]);
            return true;
        }
    call_no_path(&call);
    return true;
}

void api_v3_describe(struct buf *b)
{
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        const struct openapi_path path = {.root = "/api/v3",
                                          .pattern = routes[i].pattern,
                                          .tag = "CoinGecko's",
                                          .get = routes[i].op,
                                          .has_at = routes[i].needs_store};
        openapi_add_path(b, &path);
    }
}
