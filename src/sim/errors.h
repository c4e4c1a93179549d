/* CoinGecko's errors, word for word, so that clients which read them find what they look for.
 *
 * Each stands in the table of errors.c with where its words are from.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_ERRORS_H
#define SIM_ERRORS_H

#include "serve/http.h"

enum sim_error {
    ERROR_NONE,
    ERROR_CURRENCY,      /* 400, flat */
    ERROR_COIN,          /* 404, flat */
    ERROR_TIMEOUT,       /* 408 */
    ERROR_LONG_URL,      /* 414 */
    ERROR_PARAMETER,     /* 422, flat */
    ERROR_LIMIT,         /* 429 */
    ERROR_LIMIT_AS_200,  /* the same body with status 200 */
    ERROR_CREDITS,       /* 429 that waiting does not clear */
    ERROR_THROTTLED,     /* 429, plain text */
    ERROR_500,           /* Rails' own, whose `status` is a number */
    ERROR_502,           /* plain text */
    ERROR_503,           /* HTML */
    ERROR_OUTAGE,        /* 403, transient */
    ERROR_NO_AGENT,      /* 403, until the client has a name */
    ERROR_FIREWALL,      /* 403, Cloudflare's page */
    ERROR_PAGE,          /* the same page with status 200 */
    ERROR_KEY,           /* 401, 10002 */
    ERROR_PAID_ENDPOINT, /* 401, 10005 */
    ERROR_PRO_KEY_HERE,  /* 400, 10010 */
    ERROR_DEMO_KEY_HERE, /* 400, 10011 */
    ERROR_HISTORY,       /* 401, 10012 */
    ERROR_MOVED,         /* 301 */
    ERROR_TYPE,          /* 200 with an object where an array belongs */
    ERROR_EMPTY,         /* 200 with [] */
    N_ERRORS
};

/* Make *res this error; now_us: for errors that carry a time. */
void errors_answer(struct http_response *res, enum sim_error error, int64_t now_us);

#endif
