/* The whole market in one answer, for the page: /api/market.
 *
 *   GET /api/market?vs_currency=&at=   every coin by market cap, as rows of the columns named first
 *                  &ids=a,b            only these, 250 at most
 *                  &limit=N            only the first N, 250 at most
 *                  &columns=a,b        only these columns of market_table, in this order
 *
 * The currency can be left out where there is only one, and is usd where there is that. Each row is
 * a line of its own, so that who reads need not wait for the last.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_MARKET_H
#define SERVE_MARKET_H

#include "serve/own.h"

void market_get(struct own *own, const struct http_request *req, struct http_response *res);

/* Which columns of market_table are told; borrowed. */
struct market_columns {
    const enum market_column *list;
    size_t n;
};

extern const struct market_columns market_shown; /* unless somebody asks for others */

/* {"vs_currency":…,"time":…,"columns":["id",…] */
void market_add_head(struct buf *b, const struct market_columns *columns, struct str vs_currency,
                     const struct rows *rows);

/* A row of market_table as ["bitcoin",…]: numbers digit for digit, times in milliseconds. */
void market_add_row(struct buf *b, const struct market_columns *columns, const struct cell *row);

extern const struct operation op_market;

#endif
