/* The files of the S3 store. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OBJECT_S3_H
#define OBJECT_S3_H

#include "object/aws_credentials.h"
#include "object/cloud.h"

struct s3 {
    struct cloud *cloud;
    struct aws_credentials *credentials;
    struct cloud_answer answer; /* of the request at hand */
    char origin[320];           /* "https://host:port" */
    char host[300];             /* as the Host header says it */
    char bucket[256];
    char base[512];                   /* what every path begins with: "" or "/bucket" */
    char prefix[OBJECT_MAX_NAME + 1]; /* "" or "a/b/" */
    char region[64];
    char payload[65]; /* SHA-256 of the body at hand */
    size_t part_bytes;
    bool is_google;       /* another signature, generations in place of etags */
    bool has_checksums;   /* the store is given SHA-256s and gives them back */
    bool is_bucket_known; /* so that a 404 is about an object */
};

struct s3_request {
    const char *method, *name; /* name NULL: the bucket itself */
    struct str query, headers, body;
    size_t max_body;
    bool is_once, may_fail_late;
    const struct s3_hash *hash; /* of the body, where it is known */
};

/* The SHA-256 of a body, made once for the signature and for the store to keep. */
struct s3_hash {
    char hex[65], base64[45]; /* NUL included */
};

void s3_hash(struct str body, struct s3_hash *ret_hash);

/* Fill the address from "//BUCKET/PREFIX" and the options. */
enum st s3_address(struct s3 *s, struct str rest, const struct sink_url *url,
                   struct err *err) MUST_USE;

/* s->answer is then an answer that settles it. */
enum st s3_send(struct s3 *s, const struct s3_request *r, struct err *err) MUST_USE;

/* The header that makes a write conditional. */
void s3_add_condition(const struct s3 *s, struct buf *headers, enum object_if condition,
                      const char *etag);

/* For the store to keep. */
void s3_add_checksum(const struct s3 *s, struct buf *headers, const struct s3_hash *hash);

/* The etag of what was written, by the answer's headers. */
void s3_etag(const struct s3 *s, char ret_etag[OBJECT_MAX_ETAG]);

/* What a write's answer that is no success means. */
enum st s3_not_written(struct s3 *s, enum object_if condition, struct object_put_result *ret,
                       struct err *err) MUST_USE;

enum st s3_put(void *state, const char *name, struct str bytes, enum object_if condition,
               const char *etag, struct object_put_result *ret, struct err *err) MUST_USE;

enum st s3_list(void *state, const char *prefix, const char *start_after, object_each *each,
                void *ctx, struct err *err) MUST_USE;

enum st s3_upload_start(void *state, const char *name, void **ret_upload, struct err *err) MUST_USE;
enum st s3_upload_add(void *upload, struct str bytes, struct err *err) MUST_USE;
enum st s3_upload_finish(void *upload, enum object_if condition, const char *etag,
                         struct object_put_result *ret, struct err *err) MUST_USE;
void s3_upload_abort(void *upload);

#endif
