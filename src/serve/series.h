/* The line of a coin for the page: /api/series.
 *
 *   GET /api/series?id=&vs_currency=&from=&until=&points=N   about N points, and the gaps between
 *
 * Without from it begins when the coin was first seen, without until it ends now.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_SERIES_H
#define SERVE_SERIES_H

#include "serve/own.h"

/* {"id":…,"vs_currency":…,"from":…,"until":…,"columns":["t",…],"points":[[ms,…],…],
 * "gaps":[[from_ms,until_ms],…]}: numbers digit for digit; gaps are the times of promised polls
 * that did not happen, of all jobs that poll in the currency. */
void series_get(struct own *own, const struct http_request *req, struct http_response *res);

extern const struct operation op_series;

#endif
