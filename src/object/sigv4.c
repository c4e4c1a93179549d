/* SPDX-License-Identifier: Apache-2.0 */
#include "object/sigv4.h"

#include "base/clock.h"
#include "object/hash.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_HEADERS   32
#define MAX_CANONICAL (size_t)(64 * 1024)

static int by_name(const void *a, const void *b)
{
    struct str first = *(const struct str *)a, second = *(const struct str *)b, x, y;

    str_cut(&first, ':', &x); /* "a:" stands behind "a-b:" */
    str_cut(&second, ':', &y);
    return str_cmp(x, y);
}

/* The lines, in the order of their names. */
static size_t sorted(struct str headers, struct str ret_lines[MAX_HEADERS])
{
    struct str line;
    size_t n = 0;

    while (headers.len > 0 && n < MAX_HEADERS) {
        str_cut(&headers, '\n', &line);
        ret_lines[n++] = line;
    }
    qsort(ret_lines, n, sizeof(ret_lines[0]), by_name);
    return n;
}

/* "host;range;x-amz-date" */
static void add_names(struct buf *b, const struct str *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct str rest = lines[i], name;
        str_cut(&rest, ':', &name);
        buf_addf(b, "%s%.*s", i > 0 ? ";" : "", STR_ARG(name));
    }
}

static void add_canonical(struct buf *b, const struct sigv4_request *r, const struct str *lines,
                          size_t n)
{
    buf_addf(b, "%s\n%.*s\n%.*s\n", r->method, STR_ARG(r->path), STR_ARG(r->query));
    for (size_t i = 0; i < n; i++) {
        struct str value = lines[i], name;
        str_cut(&value, ':', &name);
        buf_add_str(b, name);
        buf_add_char(b, ':');
        buf_add_str(b, str_trim(value));
        buf_add_char(b, '\n');
    }
    buf_add_char(b, '\n');
    add_names(b, lines, n);
    buf_addf(b, "\n%s", r->payload);
}

static struct str hash_str(const unsigned char *hash)
{
    return (struct str){(const char *)hash, SHA256_BYTES};
}

static void signing_key(const struct sigv4_key *key, const char *day, const char *end,
                        unsigned char ret_key[SHA256_BYTES])
{
    const char *const parts[] = {day, key->region, key->service, end};
    unsigned char next[SHA256_BYTES];
    struct buf first = BUF_INIT(1024);

    buf_addf(&first, "%s%s", key->is_google ? "GOOG4" : "AWS4", key->secret);
    hash_hmac_sha256(buf_str(&first), str_of(parts[0]), ret_key);
    for (size_t i = 1; i < sizeof(parts) / sizeof(parts[0]); i++) {
        hash_hmac_sha256(hash_str(ret_key), str_of(parts[i]), next);
        memcpy(ret_key, next, sizeof(next));
    }
    if (first.p)
        explicit_bzero(first.p, first.len);
    buf_release(&first);
}

void sigv4_sign(const struct sigv4_key *key, const struct sigv4_request *request, int64_t now_us,
                struct buf *headers)
{
    const char *const x = key->is_google ? "x-goog" : "x-amz";
    const char *const end = key->is_google ? "goog4_request" : "aws4_request";
    const char *const algorithm = key->is_google ? "GOOG4-HMAC-SHA256" : "AWS4-HMAC-SHA256";
    char date[TIME_TEXT], day[9], signature[SHA256_HEX];
    unsigned char hash[SHA256_BYTES], signing[SHA256_BYTES];
    struct buf canonical = BUF_INIT(MAX_CANONICAL), names = BUF_INIT(4096), text = BUF_INIT(4096);
    struct str lines[MAX_HEADERS];

    time_format_compact(now_us, date);
    snprintf(day, sizeof(day), "%.8s", date);
    buf_addf(headers, "%s-content-sha256: %s\n%s-date: %s\n", x, request->payload, x, date);
    if (key->token && key->token[0])
        buf_addf(headers, "%s-security-token: %s\n", x, key->token);
    const size_t n = sorted(buf_str(headers), lines);
    add_canonical(&canonical, request, lines, n);
    add_names(&names, lines, n);
    hash_sha256(buf_str(&canonical), hash);
    hash_hex(hash, sizeof(hash), signature);
    buf_addf(&text, "%s\n%s\n%s/%s/%s/%s\n%s", algorithm, date, day, key->region, key->service, end,
             signature);
    signing_key(key, day, end, signing);
    hash_hmac_sha256(hash_str(signing), buf_str(&text), hash);
    hash_hex(hash, sizeof(hash), signature);
    buf_addf(headers, "authorization: %s Credential=%s/%s/%s/%s/%s,SignedHeaders=%s,Signature=%s\n",
             algorithm, key->id, day, key->region, key->service, end, buf_z(&names), signature);
    buf_release(&canonical);
    buf_release(&names);
    buf_release(&text);
    explicit_bzero(signing, sizeof(signing));
}
