/* Azure's Blob Storage: block blobs.
 *
 * https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "object/azure.h"

#include "base/clock.h"
#include "base/mem.h"
#include "object/driver.h"
#include "object/hash.h"

#include <stdio.h>

#define PART_BYTES    (size_t)(8 * 1024 * 1024)
#define MAX_PATH      (size_t)(4 * OBJECT_MAX_NAME + 1024)
#define MAX_MD5_RANGE (4 * 1024 * 1024) /* bytes of a range whose MD5 it tells */
#define N_CHECKED     3                 /* times that bytes are fetched which do not fit it */
#define API_VERSION   "2021-12-02"

static bool is_account(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!((name.p[i] >= 'a' && name.p[i] <= 'z') || (name.p[i] >= '0' && name.p[i] <= '9')))
            return false;
    return name.len >= 3 && name.len <= 24;
}

static bool is_container(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!((name.p[i] >= 'a' && name.p[i] <= 'z') || (name.p[i] >= '0' && name.p[i] <= '9') ||
              name.p[i] == '-' || name.p[i] == '$'))
            return false;
    return name.len >= 3 && name.len <= 63;
}

/* "CONTAINER@ACCOUNT.dfs.core.windows.net", or "ACCOUNT" and then the container. */
static enum st split(struct str rest, struct str *ret_account, struct str *ret_host,
                     struct str *ret_container, struct str *ret_prefix, struct err *err)
{
    struct str first;

    if (!str_starts(rest, STR("//")))
        return err_set(err, ST_REJECT, "written az://ACCOUNT/CONTAINER/PREFIX");
    rest = (struct str){rest.p + 2, rest.len - 2};
    str_cut(&rest, '/', &first);
    *ret_host = first;
    if (str_cut(ret_host, '@', ret_container)) {
        struct str domain = *ret_host;
        str_cut(&domain, '.', ret_account);
        if (domain.len == 0)
            return err_set(err, ST_REJECT,
                           "written abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX");
        *ret_host = domain;
    } else {
        *ret_account = first;
        *ret_host = STR_NONE;
        str_cut(&rest, '/', ret_container);
    }
    *ret_prefix = rest;
    if (!is_account(*ret_account))
        return err_set(err, ST_REJECT, "\"%.*s\" is no account's name", STR_ARG(*ret_account));
    if (!is_container(*ret_container))
        return err_set(err, ST_REJECT, "\"%.*s\" is no container's name", STR_ARG(*ret_container));
    return ST_OK;
}

enum st azure_address(struct azure *a, struct str rest, const struct sink_url *url, struct err *err)
{
    const char *given = sink_url_option(url, "endpoint");
    char connection[512];
    struct buf usual = BUF_INIT(512);
    struct str account, domain, container, prefix, scheme, host, base;
    enum st st = split(rest, &account, &domain, &container, &prefix, err);

    if (st != ST_OK)
        return st;
    azure_auth_endpoint(a->cloud, connection, sizeof(connection));
    if (str_starts(domain, STR("dfs."))) /* the same blobs by another protocol */
        domain = (struct str){domain.p + 4, domain.len - 4};
    else if (str_starts(domain, STR("blob.")))
        domain = (struct str){domain.p + 5, domain.len - 5};
    if (domain.len == 0)
        domain = STR("core.windows.net");
    buf_addf(&usual, "https://%.*s.blob.%.*s", STR_ARG(account), STR_ARG(domain));
    st = cloud_endpoint(given           ? str_of(given)
                        : connection[0] ? str_of(connection)
                                        : buf_str(&usual),
                        &scheme, &host, &base, err);
    if (st == ST_OK)
        st = object_prefix(prefix, a->prefix, sizeof(a->prefix), err);
    if (st == ST_OK) {
        snprintf(a->account, sizeof(a->account), "%.*s", STR_ARG(account));
        snprintf(a->origin, sizeof(a->origin), "%.*s://%.*s", STR_ARG(scheme), STR_ARG(host));
        snprintf(a->base, sizeof(a->base), "%.*s/%.*s", STR_ARG(base), STR_ARG(container));
    }
    buf_release(&usual);
    return st;
}

static enum st sign(void *ctx, const struct cloud_request *request, struct buf *ret_url,
                    struct buf *ret_headers, struct err *err)
{
    const struct azure *a = ctx;
    char date[TIME_TEXT];

    time_format_http(clock_wall_us(clock_system()), date);
    buf_addf(ret_url, "%s%.*s%s%.*s", a->origin, STR_ARG(request->path),
             request->query.len > 0 ? "?" : "", STR_ARG(request->query));
    buf_addf(ret_headers, "%.*sx-ms-date: %s\nx-ms-version: " API_VERSION "\n",
             STR_ARG(request->headers), date);
    return azure_auth_sign(a->auth, request, str_starts(str_of(a->origin), STR("https:")), ret_url,
                           ret_headers, err);
}

static bool renew(void *ctx)
{
    const struct azure *a = ctx;
    return azure_auth_renew(a->auth);
}

enum st azure_send(struct azure *a, const struct azure_request *r, struct err *err)
{
    const struct cloud_signer signer = {.ctx = a, .sign = sign, .renew = renew};
    struct buf path = BUF_INIT(MAX_PATH);

    buf_add_z(&path, a->base);
    if (r->name) {
        buf_add_char(&path, '/');
        hash_percent(&path, str_of(a->prefix), true);
        hash_percent(&path, str_of(r->name), true);
    }
    const struct cloud_request request = {.method = r->method,
                                          .path = buf_str(&path),
                                          .query = r->query,
                                          .headers = r->headers,
                                          .body = r->body,
                                          .max_body = r->max_body,
                                          .is_once = r->is_once};
    enum st st = buf_check(&path, "a name", err);
    if (st == ST_OK)
        st = cloud_send(a->cloud, &request, &signer, &a->answer, err);
    buf_release(&path);
    return st;
}

static void azure_close(void *state)
{
    struct azure *a = state;

    azure_auth_free(a->auth);
    cloud_answer_release(&a->answer);
    cloud_free(a->cloud);
    mem_free(a);
}

static enum st azure_open(struct str rest, const struct sink_url *url,
                          const struct object_setup *setup, void **ret_state, struct err *err)
{
    struct azure *a = mem_new(1, sizeof(*a));

    cloud_answer_init(&a->answer);
    a->part_bytes = setup->part_bytes ? setup->part_bytes : PART_BYTES;
    enum st st = cloud_new(setup, &a->cloud, err);
    if (st == ST_OK)
        st = azure_address(a, rest, url, err);
    if (st == ST_OK)
        st = azure_auth_new(a->cloud, a->account, &a->auth, err);
    if (st == ST_OK)
        *ret_state = a;
    else
        azure_close(a);
    return st;
}

static void azure_cancel(void *state)
{
    const struct azure *a = state;
    cloud_cancel(a->cloud);
}

void azure_add_condition(struct buf *headers, enum object_if condition, const char *etag)
{
    if (condition == OBJECT_ABSENT)
        buf_add_z(headers, "if-none-match: *\n");
    if (condition == OBJECT_MATCH)
        buf_addf(headers, "if-match: %s\n", etag);
}

enum st azure_not_written(struct azure *a, enum object_if condition, struct object_put_result *ret,
                          struct err *err)
{
    const struct cloud_answer *answer = &a->answer;
    const bool is_there = answer->http.status == 409 && cloud_has_code(answer, "BlobAlreadyExists");
    const bool is_missing = answer->http.status == 404 && cloud_has_code(answer, "BlobNotFound");

    if (condition != OBJECT_ALWAYS && (answer->http.status == 412 || is_there || is_missing)) {
        ret->is_refused = true;
        return ST_OK;
    }
    return cloud_refused(answer, err);
}

enum st azure_put(void *state, const char *name, struct str bytes, enum object_if condition,
                  const char *etag, struct object_put_result *ret, struct err *err)
{
    struct azure *a = state;
    struct buf headers = BUF_INIT(1024);
    unsigned char hash[MD5_BYTES];
    char md5[MD5_B64];

    hash_md5(bytes, hash);
    hash_base64(hash, sizeof(hash), md5);
    buf_addf(&headers,
             "content-type: application/octet-stream\ncontent-md5: %s\nx-ms-blob-type: BlockBlob\n",
             md5);
    azure_add_condition(&headers, condition, etag);
    const struct azure_request request = {.method = "PUT",
                                          .name = name,
                                          .headers = buf_str(&headers),
                                          .body = bytes,
                                          .is_once = condition != OBJECT_ALWAYS};
    enum st st = azure_send(a, &request, err);
    buf_release(&headers);
    ret->is_unknown = a->answer.is_unknown;
    if (st != ST_OK)
        return st;
    if (!cloud_is_done(&a->answer))
        return azure_not_written(a, condition, ret, err);
    ret->is_unknown = false;
    cloud_header(&a->answer, "etag", ret->etag, sizeof(ret->etag));
    return ST_OK;
}

static enum st not_found(struct azure *a, bool *ret_is_there, struct err *err)
{
    if (a->answer.http.status != 404 || cloud_has_code(&a->answer, "ContainerNotFound"))
        return cloud_refused(&a->answer, err);
    *ret_is_there = false;
    return ST_OK;
}

/* The MD5 that the store tells of the blob, or of the range that was asked for. */
static bool is_intact(const struct azure *a)
{
    struct str told = http_answer_header(buf_str(&a->answer.http.headers), "content-md5");
    unsigned char hash[MD5_BYTES];
    char text[MD5_B64];

    if (told.len == 0)
        return true;
    hash_md5(buf_str(&a->answer.http.body), hash);
    hash_base64(hash, sizeof(hash), text);
    return str_eq(told, str_of(text));
}

static enum st fetch(struct azure *a, const struct azure_request *request, struct err *err)
{
    for (unsigned i = 0; i < N_CHECKED; i++) {
        enum st st = azure_send(a, request, err);
        if (st != ST_OK || !cloud_is_done(&a->answer) || is_intact(a))
            return st;
    }
    return err_set(err, ST_AGAIN, "its bytes do not fit the checksum that the store tells");
}

static enum st azure_get(void *state, const char *name, int64_t from, int64_t len,
                         struct buf *ret_bytes, struct object_info *ret_info, bool *ret_is_there,
                         struct err *err)
{
    struct azure *a = state;
    const size_t room = ret_bytes->max - ret_bytes->len;
    struct buf headers = BUF_INIT(256);

    if (len >= 0)
        buf_addf(&headers, "x-ms-range: bytes=%lld-%lld\n", (long long)from,
                 (long long)(from + len - 1));
    if (len >= 0 && len <= MAX_MD5_RANGE)
        buf_add_z(&headers, "x-ms-range-get-content-md5: true\n");
    const struct azure_request request = {.method = "GET",
                                          .name = name,
                                          .headers = buf_str(&headers),
                                          .max_body = room > CLOUD_MAX_XML ? room : CLOUD_MAX_XML};
    enum st st = fetch(a, &request, err);
    buf_release(&headers);
    if (st != ST_OK)
        return st;
    *ret_is_there = true;
    if (a->answer.http.status == 416) /* it ends before */
        return ST_OK;
    if (!cloud_is_done(&a->answer))
        return not_found(a, ret_is_there, err);
    cloud_info(&a->answer, ret_info);
    return len < 0 ? cloud_take_body(&a->answer, ret_bytes, err)
                   : cloud_take_range(&a->answer, from, len, ret_bytes, err);
}

static enum st azure_stat(void *state, const char *name, struct object_info *ret_info,
                          bool *ret_is_there, struct err *err)
{
    struct azure *a = state;
    const struct azure_request request = {.method = "HEAD", .name = name};
    enum st st = azure_send(a, &request, err);

    if (st != ST_OK)
        return st;
    *ret_is_there = true;
    if (!cloud_is_done(&a->answer))
        return not_found(a, ret_is_there, err);
    cloud_info(&a->answer, ret_info);
    return ST_OK;
}

static enum st azure_remove(void *state, const char *name, struct err *err)
{
    struct azure *a = state;
    bool is_there;
    const struct azure_request request = {.method = "DELETE", .name = name};
    enum st st = azure_send(a, &request, err);

    if (st != ST_OK || cloud_is_done(&a->answer))
        return st;
    return not_found(a, &is_there, err);
}

#define AZURE(scheme_)                        \
    {                                         \
        .scheme = (scheme_),                  \
        .open = azure_open,                   \
        .close = azure_close,                 \
        .cancel = azure_cancel,               \
        .put = azure_put,                     \
        .upload_start = azure_upload_start,   \
        .upload_add = azure_upload_add,       \
        .upload_finish = azure_upload_finish, \
        .upload_abort = azure_upload_abort,   \
        .get = azure_get,                     \
        .stat = azure_stat,                   \
        .list = azure_list,                   \
        .remove = azure_remove,               \
    }

const struct object_driver object_azure = AZURE("az");
const struct object_driver object_azure_abfss = AZURE("abfss");
