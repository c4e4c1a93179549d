/* CoinGecko's API over a store: one implementation for geckotape's own API and for the simulator.
 *
 * CoinGecko's field order, types, nulls and error bodies. What the store does not know is answered
 * with 501 and why; docs/api.md lists what is served.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_API_V3_H
#define SERVE_API_V3_H

#include "query/query.h"
#include "serve/http.h"

enum api_v3_host {
    HOST_OWN,  /* geckotape's: takes what either host takes */
    HOST_DEMO, /* api.coingecko.com */
    HOST_PRO,  /* pro-api.coingecko.com */
};

/* As what to answer. All zero: geckotape's own API, which refuses nothing. */
struct api_v3_plan {
    const char *name; /* as /key tells it */
    enum api_v3_host host;
    bool is_free;          /* endpoints and parameters of paid plans are refused */
    uint32_t history_days; /* what is older is refused; 0: no wall */

    /* what /key tells, on HOST_PRO */
    uint32_t calls_per_minute;
    uint64_t credits_per_month, credits_used;
};

struct api_v3 {
    struct query *query;
    struct arena arena;      /* reset for each request; ceiling set by the owner */
    struct clock *clock;     /* NULL: the system's */
    bool is_past;            /* the clock says a moment that no answer may look beyond */
    bool has_upstream;       /* the owner asks how much of an answer the store has */
    struct api_v3_plan plan; /* the owner may change it between requests */
};

/* Answer when the path is below /api/v3; false: not ours, nothing written. */
bool api_v3_handle(struct api_v3 *api, const struct http_request *req, struct http_response *res);

/* Browsers of every origin may read an answer, as they may read CoinGecko's. */
void api_v3_add_origin(struct http_response *res);

/* What browsers of other origins ask before they ask: adds to the answer of an OPTIONS. */
void api_v3_options(const struct http_request *req, struct http_response *res);

/* Every path that is served, for the document. */
void api_v3_describe(struct buf *b);

/* Append the shapes (serve/shape.h) of a row of /coins/markets, and of what a coin has as
 * market_data: made of the tables that write them. */
void api_v3_market_shape(struct buf *b);
void api_v3_market_data_shape(struct buf *b);

#endif
