/* One coin in every currency that the store quotes it in. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_API_V3_QUOTES_H
#define SERVE_API_V3_QUOTES_H

#include "serve/api_v3/call.h"

struct quotes {
    struct words currencies;
    const struct cell **rows; /* of market_table, one for each currency; NULL: not quoted in it */
    const struct cell *usd;   /* the row that stands for all; of another currency where there is
                               * none in usd */
};

/* Find coin {id}; args says when and how exactly. False: refused. */
bool quotes_find(struct call *call, struct market_query args, struct quotes *ret_quotes) MUST_USE;

/* "key":{"usd":…,"eur":…}, without nulls. */
void quotes_add(struct buf *b, const char *key, const struct quotes *quotes, size_t column);

/* "localization":{"en":…}: the one name that is known, in every language. */
void quotes_add_names(struct buf *b, const struct quotes *quotes);

#endif
