/* A request as libmicrohttpd tells it; http.h says what handlers may ask of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_REQUEST_H
#define SERVE_REQUEST_H

#include "serve/operation.h"
#include "serve/reply.h"

#include <microhttpd.h>

struct http_request {
    struct MHD_Connection *mhd;
    struct str path, body;
    bool is_post, is_options;
    bool takes_chunks; /* an answer in chunks, and its body at all */
    uint64_t waited_for;
    /* All requests of a turn were on their way before the first of them is handed over, so what is
     * found out for one is not too old for any of them; 0: this one may be of no turn */
    uint64_t turn;
    struct replies *replies;
    const struct operation *op; /* whose parameters alone may be asked for; NULL: all may */
};

/* Percent-decode in place, for the path, and for each name and value of the query; marks the
 * connection as bad when it does not decode. Of MHD's UnescapeCallback. */
size_t request_unescape(void *cls, struct MHD_Connection *mhd, char *text);

#endif
