/* Compressing bodies for HTTP clients. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_PACK_H
#define SERVE_PACK_H

#include "base/buf.h"

enum encoding { ENCODING_NONE, ENCODING_GZIP, ENCODING_ZSTD, N_ENCODINGS };

extern const char *const encoding_names[N_ENCODINGS]; /* as HTTP writes them; "" for none */

/* What an Accept-Encoding header likes best of these. */
enum encoding encoding_choose(struct str accept_encoding);

struct packer;

/* Compressors, made when they are first needed and used again: their tables are bigger than most
 * bodies. */
struct packer *packer_new(void);
void packer_free(struct packer *p); /* NULL is fine */

/* Compress plain into *ret_packed (empty, any ceiling). False when that brings nothing or there is
 * no memory: then send it as it is. */
bool packer_pack(struct packer *p, enum encoding encoding, struct str plain,
                 struct buf *ret_packed);

#endif
