/* Compressing bodies for HTTP clients. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_GZIP_H
#define SERVE_GZIP_H

#include "base/buf.h"

struct gzip;

/* One compressor, made once and used again: its tables are bigger than most bodies. NULL when there
 * is no memory. */
struct gzip *gzip_new(void);
void gzip_free(struct gzip *g); /* NULL is fine */

/* Compress plain into *ret_packed (empty, any ceiling). False when that brings nothing or there is
 * no memory: then send it as it is. */
bool gzip_pack(struct gzip *g, struct str plain, struct buf *ret_packed);

/* True when an Accept-Encoding header allows gzip. */
bool gzip_is_accepted(struct str accept_encoding);

#endif
