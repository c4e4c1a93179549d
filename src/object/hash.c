/* SPDX-License-Identifier: Apache-2.0 */
#include "object/hash.h"

#include "base/mem.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>

struct hash_md5_run {
    gnutls_hash_hd_t handle;
};

/* These fail only where the library was built, or its FIPS mode set, without the hash. */
static void must(int rc, const char *what)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "geckotape: GnuTLS: %s: %s\n", what, gnutls_strerror(rc));
    abort();
}

void hash_sha256(struct str bytes, unsigned char ret_hash[SHA256_BYTES])
{
    must(gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes.len ? bytes.p : "", bytes.len, ret_hash),
         "SHA-256");
}

void hash_hmac_sha256(struct str key, struct str bytes, unsigned char ret_hash[SHA256_BYTES])
{
    must(gnutls_hmac_fast(GNUTLS_MAC_SHA256, key.len ? key.p : "", key.len,
                          bytes.len ? bytes.p : "", bytes.len, ret_hash),
         "HMAC-SHA-256");
}

void hash_md5(struct str bytes, unsigned char ret_hash[MD5_BYTES])
{
    struct hash_md5_run *run = hash_md5_start();
    hash_md5_add(run, bytes);
    hash_md5_end(run, ret_hash);
}

/* Against cut transfers, not against people: FIPS mode has nothing to say. */
struct hash_md5_run *hash_md5_start(void)
{
    struct hash_md5_run *run = mem_new(1, sizeof(*run));

    GNUTLS_FIPS140_SET_LAX_MODE();
    must(gnutls_hash_init(&run->handle, GNUTLS_DIG_MD5), "MD5");
    GNUTLS_FIPS140_SET_STRICT_MODE();
    return run;
}

void hash_md5_add(struct hash_md5_run *run, struct str bytes)
{
    if (bytes.len > 0)
        must(gnutls_hash(run->handle, bytes.p, bytes.len), "MD5");
}

void hash_md5_end(struct hash_md5_run *run, unsigned char ret_hash[MD5_BYTES])
{
    gnutls_hash_deinit(run->handle, ret_hash);
    mem_free(run);
}

void hash_hex(const unsigned char *bytes, size_t len, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        ret_text[2 * i] = digits[bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_text[2 * len] = '\0';
}

void hash_base64(const unsigned char *bytes, size_t len, char *ret_text)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *to = ret_text;

    for (size_t i = 0; i < len; i += 3) {
        const size_t n = len - i;
        const unsigned v = (unsigned)bytes[i] << 16 | (n > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
                           (n > 2 ? bytes[i + 2] : 0);
        *to++ = letters[v >> 18];
        *to++ = letters[v >> 12 & 63];
        *to++ = n > 1 ? letters[v >> 6 & 63] : '=';
        *to++ = n > 2 ? letters[v & 63] : '=';
    }
    *to = '\0';
}

bool hash_unbase64(struct str text, unsigned char *ret_bytes, size_t size, size_t *ret_len)
{
    gnutls_datum_t in = {.size = (unsigned)text.len}, out;
    unsigned char copy[1024];

    if (text.len == 0 || text.len > sizeof(copy))
        return false;
    memcpy(copy, text.p, text.len);
    in.data = copy;
    if (gnutls_base64_decode2(&in, &out) < 0)
        return false;
    bool fits = out.size <= size;
    if (fits) {
        memcpy(ret_bytes, out.data, out.size);
        *ret_len = out.size;
    }
    gnutls_memset(out.data, 0, out.size);
    gnutls_free(out.data);
    return fits;
}

void hash_percent(struct buf *b, struct str s, bool is_slash_kept)
{
    for (size_t i = 0; i < s.len; i++) {
        const unsigned char c = (unsigned char)s.p[i];
        const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || strchr("-._~", c) != NULL;
        if ((is_plain && c) || (c == '/' && is_slash_kept))
            buf_add_char(b, (char)c);
        else
            buf_addf(b, "%%%02X", c);
    }
}
