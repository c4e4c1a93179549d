/* A whole answer, ready to be sent any number of times: its body as it is and packed, each packed
 * once, and what libmicrohttpd makes of them.
 *
 * Owner: as many as share it, of which a connection that takes it is one. Threads: the HTTP
 * server's.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_PAGE_H
#define SERVE_PAGE_H

#include "serve/pack.h"
#include "serve/reply.h"

struct body_file;
struct http_page;

/* Of status, headers and body of *res, the body given away; NULL when there is no memory. Owner:
 * the caller, page_drop(). */
struct http_page *page_new(struct replies *r, struct http_response *res);
void page_drop(struct http_page *page);               /* NULL is fine */
struct http_page *page_share(struct http_page *page); /* one more owner */

/* From now on its bytes are (not) counted as of answers under way. */
void page_set_kept(struct http_page *page, bool is_kept);

/* Of what it is made, without the body; where that is. Borrowed. */
const struct http_response *page_head(const struct http_page *page);
struct str page_body(const struct http_page *page);

/* What its answers warn of from now on (static; a Warning header); NULL: nothing. */
void page_warn(struct http_page *page, const char *warning);

/* Its body in a file, borrowed, where it is kept, not packed, and asked for not for the first time;
 * else NULL. */
const struct body_file *page_file(struct http_page *page, enum encoding encoding);

/* The headers of its answer, as it is, to one that is made elsewhere. */
void page_add_headers(const struct http_page *page, struct MHD_Response *mhd);

size_t page_bytes(const struct http_page *page);

/* What MHD sends, borrowed; the page has to stay until it is sent. NULL when there is no memory.
 * etags: an If-None-Match header. *ret_status is 304 where one of them fits. */
struct MHD_Response *page_reply(struct http_page *page, enum encoding encoding, struct str etags,
                                int *ret_status);

#endif
