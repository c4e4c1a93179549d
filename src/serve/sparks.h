/* A look at where prices have been, of some coins at once: /api/sparklines.
 *
 *   GET /api/sparklines?ids=a,b&vs_currency=&at=   hourly prices of the last 7 days
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_SPARKS_H
#define SERVE_SPARKS_H

#include "serve/operation.h"
#include "serve/own.h"

extern const struct operation op_sparks;

/* {"vs_currency":…,"from":ms,"step":ms,"prices":{"bitcoin":[1.5,null,…],…}}: the price by the first
 * poll of each step of time from `from` on, digit for digit; coins that have none are left out. */
void sparks_get(struct own *own, const struct http_request *req, struct http_response *res);

#endif
