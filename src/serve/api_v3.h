/* CoinGecko's API over a store: one implementation for geckotape's own API and for the simulator.
 *
 * Here so far: /ping, /simple/price, /simple/supported_vs_currencies, /coins/list, /coins/markets.
 * CoinGecko's field order, types, nulls and error bodies.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_API_V3_H
#define SERVE_API_V3_H

#include "query/query.h"
#include "serve/http.h"

struct api_v3 {
    struct query *query;
    struct arena arena; /* reset for each request; ceiling set by the owner */
};

/* Answer when the path is below /api/v3; false: not ours, nothing written. */
bool api_v3_handle(struct api_v3 *api, const struct http_request *req, struct http_response *res);

#endif
