/* Amazon's S3 and what speaks its protocol.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "object/s3.h"

#include "base/clock.h"
#include "base/mem.h"
#include "object/driver.h"
#include "object/hash.h"
#include "object/sigv4.h"

#include <stdio.h>

#define PART_BYTES    (size_t)(8 * 1024 * 1024)
#define MAX_PATH      (size_t)(4 * OBJECT_MAX_NAME + 1024)
#define N_CHECKED     3 /* times that bytes are fetched which do not fit their checksum */
#define CHECKSUM      "x-amz-checksum-sha256"
#define CHECKSUM_MODE "x-amz-checksum-mode: ENABLED\n"

static enum st sign(void *ctx, const struct cloud_request *request, struct buf *ret_url,
                    struct buf *ret_headers, struct err *err)
{
    const struct s3 *s = ctx;
    const struct aws_keys *keys;
    enum st st = aws_credentials_get(s->credentials, &keys, err);

    if (st != ST_OK)
        return st;
    const struct sigv4_key key = {
        .id = keys->id,
        .secret = keys->secret,
        .token = keys->token,
        .region = s->region,
        .service = s->is_google ? "storage" : "s3",
        .is_google = s->is_google,
    };
    const struct sigv4_request signed_request = {.method = request->method,
                                                 .path = request->path,
                                                 .query = request->query,
                                                 .payload = s->payload};
    buf_addf(ret_url, "%s%.*s%s%.*s", s->origin, STR_ARG(request->path),
             request->query.len > 0 ? "?" : "", STR_ARG(request->query));
    buf_addf(ret_headers, "host: %s\n%.*s", s->host, STR_ARG(request->headers));
    sigv4_sign(&key, &signed_request, clock_wall_us(clock_system()), ret_headers);
    return ST_OK;
}

static bool renew(void *ctx)
{
    const struct s3 *s = ctx;
    return aws_credentials_renew(s->credentials);
}

enum st s3_send(struct s3 *s, const struct s3_request *r, struct err *err)
{
    const struct cloud_signer signer = {.ctx = s, .sign = sign, .renew = renew};
    struct buf path = BUF_INIT(MAX_PATH);

    struct s3_hash hash;

    if (r->hash == NULL)
        s3_hash(r->body, &hash);
    snprintf(s->payload, sizeof(s->payload), "%s", r->hash ? r->hash->hex : hash.hex);
    buf_addf(&path, "%s/", s->base);
    if (r->name) {
        hash_percent(&path, str_of(s->prefix), true);
        hash_percent(&path, str_of(r->name), true);
    }
    const struct cloud_request request = {.method = r->method,
                                          .path = buf_str(&path),
                                          .query = r->query,
                                          .headers = r->headers,
                                          .body = r->body,
                                          .max_body = r->max_body,
                                          .is_once = r->is_once,
                                          .may_fail_late = r->may_fail_late};
    enum st st = buf_check(&path, "a name", err);
    if (st == ST_OK)
        st = cloud_send(s->cloud, &request, &signer, &s->answer, err);
    buf_release(&path);
    if (st == ST_OK && (cloud_is_done(&s->answer) || cloud_has_code(&s->answer, "NoSuchKey")))
        s->is_bucket_known = true;
    return st;
}

static void s3_close(void *state)
{
    struct s3 *s = state;

    aws_credentials_free(s->credentials);
    cloud_answer_release(&s->answer);
    cloud_free(s->cloud);
    mem_free(s);
}

static enum st s3_open(struct str rest, const struct sink_url *url,
                       const struct object_setup *setup, void **ret_state, struct err *err)
{
    struct s3 *s = mem_new(1, sizeof(*s));

    cloud_answer_init(&s->answer);
    s->part_bytes = setup->part_bytes ? setup->part_bytes : PART_BYTES;
    enum st st = cloud_new(setup, &s->cloud, err);
    if (st == ST_OK)
        st = s3_address(s, rest, url, err);
    if (st != ST_OK) {
        s3_close(s);
        return st;
    }
    s->credentials = aws_credentials_new(s->cloud, sink_url_option(url, "profile"), s->region);
    *ret_state = s;
    return ST_OK;
}

static void s3_cancel(void *state)
{
    const struct s3 *s = state;
    cloud_cancel(s->cloud);
}

void s3_add_condition(const struct s3 *s, struct buf *headers, enum object_if condition,
                      const char *etag)
{
    switch (condition) {
    case OBJECT_ALWAYS:
        break;
    case OBJECT_ABSENT:
        buf_add_z(headers, s->is_google ? "x-goog-if-generation-match: 0\n" : "if-none-match: *\n");
        break;
    case OBJECT_MATCH:
        buf_addf(headers, "%s: %s\n", s->is_google ? "x-goog-if-generation-match" : "if-match",
                 etag);
        break;
    }
}

void s3_hash(struct str body, struct s3_hash *ret_hash)
{
    unsigned char hash[SHA256_BYTES];

    hash_sha256(body, hash);
    hash_hex(hash, sizeof(hash), ret_hash->hex);
    hash_base64(hash, sizeof(hash), ret_hash->base64);
}

void s3_add_checksum(const struct s3 *s, struct buf *headers, const struct s3_hash *hash)
{
    if (s->has_checksums)
        buf_addf(headers, CHECKSUM ": %s\n", hash->base64);
}

void s3_etag(const struct s3 *s, char ret_etag[OBJECT_MAX_ETAG])
{
    cloud_header(&s->answer, s->is_google ? "x-goog-generation" : "etag", ret_etag,
                 OBJECT_MAX_ETAG);
}

enum st s3_not_written(struct s3 *s, enum object_if condition, struct object_put_result *ret,
                       struct err *err)
{
    const long status = s->answer.http.status;

    if (condition != OBJECT_ALWAYS &&
        (status == 412 || (status == 404 && cloud_has_code(&s->answer, "NoSuchKey")))) {
        ret->is_refused = true;
        return ST_OK;
    }
    return cloud_refused(&s->answer, err);
}

enum st s3_put(void *state, const char *name, struct str bytes, enum object_if condition,
               const char *etag, struct object_put_result *ret, struct err *err)
{
    struct s3 *s = state;
    struct buf headers = BUF_INIT(1024);
    struct s3_hash hash;

    buf_add_z(&headers, "content-type: application/octet-stream\n");
    s3_hash(bytes, &hash);
    s3_add_checksum(s, &headers, &hash);
    s3_add_condition(s, &headers, condition, etag);
    const struct s3_request request = {.method = "PUT",
                                       .name = name,
                                       .headers = buf_str(&headers),
                                       .body = bytes,
                                       .hash = &hash,
                                       .is_once = condition != OBJECT_ALWAYS};
    enum st st = s3_send(s, &request, err);
    buf_release(&headers);
    ret->is_unknown = s->answer.is_unknown;
    if (st != ST_OK)
        return st;
    if (!cloud_is_done(&s->answer))
        return s3_not_written(s, condition, ret, err);
    ret->is_unknown = false;
    s3_etag(s, ret->etag);
    return ST_OK;
}

/* ST_OK with *ret_is_there false for what is not there; a bucket that is not there is named. */
static enum st not_found(struct s3 *s, bool *ret_is_there, struct err *err)
{
    if (s->answer.http.status != 404 || cloud_has_code(&s->answer, "NoSuchBucket"))
        return cloud_refused(&s->answer, err);
    *ret_is_there = false;
    if (s->is_bucket_known)
        return ST_OK;
    /* HEAD tells no code */
    const struct s3_request request = {.method = "GET",
                                       .query = STR("list-type=2&max-keys=1&prefix=x")};
    enum st st = s3_send(s, &request, err);
    if (st == ST_OK && cloud_has_code(&s->answer, "NoSuchBucket"))
        return cloud_refused(&s->answer, err);
    return st;
}

/* The store's SHA-256 of the whole object, where it has one. */
static bool is_intact(const struct s3 *s)
{
    struct str told = http_answer_header(buf_str(&s->answer.http.headers), CHECKSUM);
    unsigned char hash[SHA256_BYTES];
    char text[SHA256_B64];

    if (told.len != SHA256_B64 - 1) /* none, or one of parts: "…-3" */
        return true;
    hash_sha256(buf_str(&s->answer.http.body), hash);
    hash_base64(hash, sizeof(hash), text);
    return str_eq(told, str_of(text));
}

static enum st fetch(struct s3 *s, const struct s3_request *request, bool is_whole, struct err *err)
{
    for (unsigned i = 0; i < N_CHECKED; i++) {
        enum st st = s3_send(s, request, err);
        if (st != ST_OK || !is_whole || !cloud_is_done(&s->answer) || is_intact(s))
            return st;
    }
    return err_set(err, ST_AGAIN, "its bytes do not fit the checksum that the store tells");
}

static enum st s3_get(void *state, const char *name, int64_t from, int64_t len,
                      struct buf *ret_bytes, struct object_info *ret_info, bool *ret_is_there,
                      struct err *err)
{
    struct s3 *s = state;
    const bool is_whole = len < 0;
    struct buf headers = BUF_INIT(256);
    const size_t room = ret_bytes->max - ret_bytes->len;

    if (!is_whole)
        buf_addf(&headers, "range: bytes=%lld-%lld\n", (long long)from,
                 (long long)(from + len - 1));
    else if (s->has_checksums)
        buf_add_z(&headers, CHECKSUM_MODE);
    const struct s3_request request = {.method = "GET",
                                       .name = name,
                                       .headers = buf_str(&headers),
                                       .max_body = room > CLOUD_MAX_XML ? room : CLOUD_MAX_XML};
    enum st st = fetch(s, &request, is_whole, err);
    buf_release(&headers);
    if (st != ST_OK)
        return st;
    *ret_is_there = true;
    if (s->answer.http.status == 416) /* it ends before */
        return ST_OK;
    if (!cloud_is_done(&s->answer))
        return not_found(s, ret_is_there, err);
    cloud_info(&s->answer, ret_info);
    s3_etag(s, ret_info->etag);
    return is_whole ? cloud_take_body(&s->answer, ret_bytes, err)
                    : cloud_take_range(&s->answer, from, len, ret_bytes, err);
}

static enum st s3_stat(void *state, const char *name, struct object_info *ret_info,
                       bool *ret_is_there, struct err *err)
{
    struct s3 *s = state;
    const struct s3_request request = {.method = "HEAD", .name = name};
    enum st st = s3_send(s, &request, err);

    if (st != ST_OK)
        return st;
    *ret_is_there = true;
    if (!cloud_is_done(&s->answer))
        return not_found(s, ret_is_there, err);
    cloud_info(&s->answer, ret_info);
    s3_etag(s, ret_info->etag);
    return ST_OK;
}

static enum st s3_remove(void *state, const char *name, struct err *err)
{
    struct s3 *s = state;
    bool is_there;
    const struct s3_request request = {.method = "DELETE", .name = name};
    enum st st = s3_send(s, &request, err);

    if (st != ST_OK || cloud_is_done(&s->answer))
        return st;
    return not_found(s, &is_there, err);
}

const struct object_driver object_s3 = {
    .scheme = "s3",
    .open = s3_open,
    .close = s3_close,
    .cancel = s3_cancel,
    .put = s3_put,
    .upload_start = s3_upload_start,
    .upload_add = s3_upload_add,
    .upload_finish = s3_upload_finish,
    .upload_abort = s3_upload_abort,
    .get = s3_get,
    .stat = s3_stat,
    .list = s3_list,
    .remove = s3_remove,
};
