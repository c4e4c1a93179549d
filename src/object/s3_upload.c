/* Uploads to S3 in parts; what fits into one part is a plain put. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "object/hash.h"
#include "object/s3.h"
#include "object/xml.h"

#include <stdio.h>

#define MAX_PARTS 10000 /* of S3 */
#define MAX_ID    1024

struct upload {
    struct s3 *s;
    char name[OBJECT_MAX_NAME + 1];
    char id[MAX_ID];  /* "": none was begun */
    struct buf part;  /* not sent yet */
    struct buf parts; /* XML of those that are sent */
    unsigned n_parts;
};

enum st s3_upload_start(void *state, const char *name, void **ret_upload, struct err *err)
{
    struct s3 *s = state;
    struct upload *u = mem_new(1, sizeof(*u));
    (void)err;

    u->s = s;
    snprintf(u->name, sizeof(u->name), "%s", name);
    buf_init(&u->part, s->part_bytes);
    buf_init(&u->parts, (size_t)MAX_PARTS * 512);
    *ret_upload = u;
    return ST_OK;
}

static void drop(struct upload *u)
{
    buf_release(&u->part);
    buf_release(&u->parts);
    mem_free(u);
}

static enum st on_id(void *ctx, const char *path, struct str text, bool is_encoded, struct err *err)
{
    struct upload *u = ctx;
    (void)is_encoded, (void)err;

    if (strcmp(path, "InitiateMultipartUploadResult/UploadId") == 0 && text.len < sizeof(u->id))
        snprintf(u->id, sizeof(u->id), "%.*s", STR_ARG(text));
    return ST_OK;
}

static enum st begin(struct upload *u, struct err *err)
{
    const struct s3_request request = {
        .method = "POST",
        .name = u->name,
        .query = STR("uploads="),
        .headers = u->s->has_checksums ? STR("content-type: application/octet-stream\n"
                                             "x-amz-checksum-algorithm: SHA256\n")
                                       : STR("content-type: application/octet-stream\n"),
    };
    enum st st = s3_send(u->s, &request, err);

    if (st == ST_OK && !cloud_is_done(&u->s->answer))
        return cloud_refused(&u->s->answer, err);
    if (st == ST_OK)
        st = xml_walk(buf_str(&u->s->answer.http.body), on_id, u, err);
    if (st == ST_OK && u->id[0] == '\0')
        st = err_set(err, ST_AGAIN, "the store begins an upload, but does not name it");
    return st;
}

/* '<', '>' and '&' have no place in an etag. */
static bool is_etag(const char *etag)
{
    return etag[0] && strpbrk(etag, "<>&") == NULL;
}

static enum st send_part(struct upload *u, struct err *err)
{
    struct buf query = BUF_INIT(4096), headers = BUF_INIT(512);
    char etag[OBJECT_MAX_ETAG];
    struct s3_hash hash;
    enum st st = u->id[0] ? ST_OK : begin(u, err);

    if (st == ST_OK && u->n_parts == MAX_PARTS)
        st =
            err_set(err, ST_REJECT, "more than %d parts of %zu bytes", MAX_PARTS, u->s->part_bytes);
    buf_addf(&query, "partNumber=%u&uploadId=", u->n_parts + 1);
    hash_percent(&query, str_of(u->id), false);
    buf_add_z(&headers, "content-type: application/octet-stream\n");
    s3_hash(buf_str(&u->part), &hash);
    s3_add_checksum(u->s, &headers, &hash);
    const struct s3_request request = {.method = "PUT",
                                       .name = u->name,
                                       .query = buf_str(&query),
                                       .headers = buf_str(&headers),
                                       .body = buf_str(&u->part),
                                       .hash = &hash};
    if (st == ST_OK)
        st = s3_send(u->s, &request, err);
    if (st == ST_OK && !cloud_is_done(&u->s->answer))
        st = cloud_refused(&u->s->answer, err);
    cloud_header(&u->s->answer, "etag", etag, sizeof(etag));
    if (st == ST_OK && !is_etag(etag))
        st = err_set(err, ST_AGAIN, "the store takes a part, but gives no etag");
    if (st == ST_OK) {
        u->n_parts++;
        buf_addf(&u->parts, "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag>", u->n_parts, etag);
        if (u->s->has_checksums)
            buf_addf(&u->parts, "<ChecksumSHA256>%s</ChecksumSHA256>", hash.base64);
        buf_add_z(&u->parts, "</Part>");
        buf_clear(&u->part);
    }
    buf_release(&query);
    buf_release(&headers);
    return st;
}

enum st s3_upload_add(void *upload, struct str bytes, struct err *err)
{
    struct upload *u = upload;
    enum st st = ST_OK;

    while (st == ST_OK && bytes.len > 0) {
        const size_t room = u->part.max - u->part.len;
        const size_t n = bytes.len < room ? bytes.len : room;
        if (n == 0) {
            st = send_part(u, err);
            continue;
        }
        buf_add(&u->part, bytes.p, n);
        st = buf_check(&u->part, "a part", err);
        bytes = (struct str){bytes.p + n, bytes.len - n};
    }
    return st;
}

static void give_up(struct upload *u)
{
    struct buf query = BUF_INIT(4096);
    struct err ignored = ERR_INIT;

    buf_add_z(&query, "uploadId=");
    hash_percent(&query, str_of(u->id), false);
    const struct s3_request request = {
        .method = "DELETE", .name = u->name, .query = buf_str(&query)};
    if (u->id[0]) /* where that fails, too, the bucket's rules remove it */
        err_ignore(s3_send(u->s, &request, &ignored));
    buf_release(&query);
}

static enum st on_etag(void *ctx, const char *path, struct str text, bool is_encoded,
                       struct err *err)
{
    char *etag = ctx;
    (void)is_encoded, (void)err;

    if (strcmp(path, "CompleteMultipartUploadResult/ETag") == 0 && text.len < OBJECT_MAX_ETAG)
        snprintf(etag, OBJECT_MAX_ETAG, "%.*s", STR_ARG(text));
    return ST_OK;
}

static enum st complete(struct upload *u, enum object_if condition, const char *etag,
                        struct object_put_result *ret, struct err *err)
{
    struct s3 *s = u->s;
    struct buf query = BUF_INIT(4096), headers = BUF_INIT(512), body = BUF_INIT(SIZE_MAX / 2);

    buf_add_z(&query, "uploadId=");
    hash_percent(&query, str_of(u->id), false);
    buf_add_z(&headers, "content-type: application/xml\n");
    s3_add_condition(s, &headers, condition, etag);
    buf_add_z(&body, "<CompleteMultipartUpload>");
    buf_add_str(&body, buf_str(&u->parts));
    buf_add_z(&body, "</CompleteMultipartUpload>");
    const struct s3_request request = {.method = "POST",
                                       .name = u->name,
                                       .query = buf_str(&query),
                                       .headers = buf_str(&headers),
                                       .body = buf_str(&body),
                                       .is_once = true,
                                       .may_fail_late = true};
    enum st st = buf_check(&body, "the list of parts", err);
    if (st == ST_OK)
        st = s3_send(s, &request, err);
    ret->is_unknown = s->answer.is_unknown;
    if (st == ST_OK && cloud_is_done(&s->answer)) {
        ret->is_unknown = false;
        if (s->is_google)
            s3_etag(s, ret->etag);
        else
            err_ignore(xml_walk(buf_str(&s->answer.http.body), on_etag, ret->etag, err));
    } else if (st == ST_OK && ret->is_unknown && cloud_has_code(&s->answer, "NoSuchUpload")) {
        st = err_set(err, ST_AGAIN, "the upload is gone: its parts may have become the object");
    } else if (st == ST_OK) {
        st = s3_not_written(s, condition, ret, err);
    }
    buf_release(&query);
    buf_release(&headers);
    buf_release(&body);
    return st;
}

enum st s3_upload_finish(void *upload, enum object_if condition, const char *etag,
                         struct object_put_result *ret, struct err *err)
{
    struct upload *u = upload;
    enum st st;

    if (u->id[0] == '\0') {
        st = s3_put(u->s, u->name, buf_str(&u->part), condition, etag, ret, err);
        drop(u);
        return st;
    }
    st = u->part.len > 0 ? send_part(u, err) : ST_OK;
    if (st == ST_OK)
        st = complete(u, condition, etag, ret, err);
    if ((st != ST_OK || ret->is_refused) && !ret->is_unknown)
        give_up(u);
    drop(u);
    return st;
}

void s3_upload_abort(void *upload)
{
    give_up(upload);
    drop(upload);
}
