/* Answers as libmicrohttpd sends them: their headers, and what the simulator wants broken.
 *
 * Threads: the HTTP server's.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_REPLY_H
#define SERVE_REPLY_H

#include "serve/http.h"

#include <microhttpd.h>

struct replies {
    struct packer *packer;
    size_t pending_bytes; /* of bodies not yet sent */
    size_t n_files;       /* of bodies (body_file.h) */
};

/* Make *res an error of ours, without any of the faults. */
void reply_refuse(struct http_response *res, int status, const char *why);

/* Have so many more bytes room beside those that are under way to clients that do not read? */
bool reply_has_room(const struct replies *r, size_t n);

/* Refuse where the body does not fit, or has no room; false: it has none. */
bool reply_check(const struct replies *r, struct http_response *res) MUST_USE;

/* Make *res, which has faults, what MHD sends, its body given away; NULL when there is no memory at
 * all. */
struct MHD_Response *reply_make(struct replies *r, struct str accept_encoding,
                                struct http_response *res);

bool reply_has_header(const struct http_response *res, const char *name);

/* The headers of res, and those that every answer has. */
void reply_add_headers(struct MHD_Response *reply, const struct http_response *res);

#endif
