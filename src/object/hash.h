/* Hashes and the texts they are sent as, over GnuTLS. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECT_HASH_H
#define OBJECT_HASH_H

#include "base/buf.h"

#define SHA256_BYTES 32
#define SHA256_HEX   65 /* NUL included */
#define SHA256_B64   45
#define MD5_BYTES    16
#define MD5_B64      25

void hash_sha256(struct str bytes, unsigned char ret_hash[SHA256_BYTES]);
void hash_hmac_sha256(struct str key, struct str bytes, unsigned char ret_hash[SHA256_BYTES]);
void hash_md5(struct str bytes, unsigned char ret_hash[MD5_BYTES]);

/* MD5 of what comes piece by piece. */
struct hash_md5_run;
struct hash_md5_run *hash_md5_start(void);
void hash_md5_add(struct hash_md5_run *run, struct str bytes);
void hash_md5_end(struct hash_md5_run *run, unsigned char ret_hash[MD5_BYTES]); /* frees */

void hash_hex(const unsigned char *bytes, size_t len, char *ret_text); /* 2 * len + 1 bytes */
void hash_base64(const unsigned char *bytes, size_t len,
                 char *ret_text); /* 4 * (len + 2) / 3 + 1 */

/* Undo base64 into at most `size` bytes; false when it is none or does not fit. */
bool hash_unbase64(struct str text, unsigned char *ret_bytes, size_t size, size_t *ret_len);

/* Append s with %XX for all but letters, digits, "-._~", and "/" where it is kept. */
void hash_percent(struct buf *b, struct str s, bool is_slash_kept);

#endif
