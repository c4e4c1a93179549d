/* What answers say. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "object/cloud.h"

#include <stdio.h>

#define MAX_JSON (size_t)(64 * 1024)

void cloud_answer_init(struct cloud_answer *a)
{
    *a = (struct cloud_answer){.is_unknown = false};
    http_answer_init(&a->http, CLOUD_MAX_XML);
}

void cloud_answer_release(struct cloud_answer *a)
{
    http_answer_release(&a->http);
}

bool cloud_has_code(const struct cloud_answer *a, const char *code)
{
    return strcmp(a->code, code) == 0;
}

void cloud_header(const struct cloud_answer *a, const char *name, char *ret, size_t size)
{
    struct str value = http_answer_header(buf_str(&a->http.headers), name);
    snprintf(ret, size, "%.*s", value.len < size ? (int)value.len : 0, value.p ? value.p : "");
}

void cloud_info(const struct cloud_answer *a, struct object_info *ret_info)
{
    struct str headers = buf_str(&a->http.headers);

    *ret_info = (struct object_info){.size = 0};
    if (!str_to_i64(http_answer_header(headers, "content-length"), 0, INT64_MAX, &ret_info->size))
        ret_info->size = 0;
    if (!time_parse_http(http_answer_header(headers, "last-modified"), &ret_info->modified_us))
        ret_info->modified_us = 0;
    cloud_header(a, "etag", ret_info->etag, sizeof(ret_info->etag));
}

enum st cloud_refused(const struct cloud_answer *a, struct err *err)
{
    static const struct {
        const char *code, *mend;
    } mends[] = {
        {"InvalidAccessKeyId", "wrong credentials: the store does not know the access key"},
        {"XAdminUserNotFound", "wrong credentials: the store does not know the access key"},
        {"SignatureDoesNotMatch", "wrong credentials: the secret does not fit the access key"},
        {"AuthenticationFailed", "wrong credentials: look at the account's key, at the clock"},
        {"InvalidToken", "wrong credentials: the session token"},
        {"ExpiredToken", "the credentials have run out"},
        {"ExpiredTokenException", "the credentials have run out"},
        {"NoAuthenticationInformation", "no credentials were given"},
        {"InvalidAuthenticationInfo", "wrong credentials: the token"},
        {"AccountProblem", "the account is not in order"},
        {"AllAccessDisabled", "the account is not in order"},
        {"AccessDenied",
         "the credentials may not do that: docs/object-stores.md has what is needed"},
        {"AuthorizationFailure", "wrong credentials, or the account's firewall forbids it"},
        {"AuthorizationPermissionMismatch",
         "the identity may not do that: it needs the role Storage Blob Data Contributor"},
        {"AuthorizationPermissionDenied", "the signature (SAS) may not do that"},
        {"NoSuchBucket", "there is no such bucket: look at its name, at the endpoint"},
        {"ContainerNotFound", "there is no such container"},
        {"ContainerBeingDeleted", "the container is being deleted"},
        {"InvalidBucketName", "that is no bucket's name"},
        {"KeyBasedAuthenticationNotPermitted",
         "the account takes no keys: use a managed identity or a SAS"},
        {"AccountIsDisabled", "the account is disabled"},
    };
    const char *mend = NULL;

    if (cloud_has_code(a, "RequestTimeTooSkewed") || cloud_has_code(a, "RequestExpired"))
        return err_set(err, ST_FATAL, "the clock here is wrong, or the store's (%s): set it by NTP",
                       a->server_time[0] ? a->server_time : a->code);
    if (a->region[0] && (a->http.status == 301 || a->http.status == 307 || a->http.status == 400))
        return err_set(err, ST_FATAL, "the bucket is in the region %s: write region=%s", a->region,
                       a->region);
    if (a->http.status >= 300 && a->http.status < 400) {
        char location[128];
        cloud_header(a, "location", location, sizeof(location));
        return err_set(err, ST_FATAL,
                       "the endpoint redirects%s%s, which is not followed: look at endpoint and "
                       "region",
                       location[0] ? " to " : "", location);
    }
    for (size_t i = 0; i < sizeof(mends) / sizeof(mends[0]); i++)
        if (cloud_has_code(a, mends[i].code))
            mend = mends[i].mend;
    if (mend)
        return err_set(err, ST_FATAL, "%s (%s)", mend, a->code);
    if (a->http.status == 401 || a->http.status == 403)
        return err_set(err, ST_FATAL, "the store does not let us: status %ld %s %s", a->http.status,
                       a->code, a->text);
    return err_set(err, ST_REJECT, "the store refuses: status %ld %s %s", a->http.status, a->code,
                   a->text);
}

static enum st find_fields(struct json *j, const struct cloud_field *fields, size_t n,
                           struct err *err)
{
    const struct cloud_field *at = NULL;
    struct json_token t;
    enum st st = json_next(j, &t, err);

    if (st == ST_OK && t.event != JSON_OBJECT_BEGIN)
        return err_set(err, ST_REJECT, "not a JSON object");
    while (st == ST_OK) {
        st = json_next(j, &t, err);
        if (st != ST_OK || t.event == JSON_DONE)
            break;
        if (t.event == JSON_KEY) {
            at = NULL;
            for (size_t i = 0; i < n; i++)
                if (str_eq(t.text, str_of(fields[i].name)))
                    at = &fields[i];
            continue;
        }
        if (at && (t.event == JSON_STRING || t.event == JSON_NUMBER) && !t.is_bad) {
            if (t.text.len >= at->size)
                return err_set(err, ST_REJECT, "\"%s\" is too long", at->name);
            snprintf(at->ret, at->size, "%.*s", (int)t.text.len, t.text.p);
        } else if (t.event != JSON_OBJECT_END) {
            st = json_skip(j, &t, NULL, err);
        }
        at = NULL;
    }
    return st;
}

enum st cloud_fields(struct str text, const struct cloud_field *fields, size_t n, struct err *err)
{
    struct json *j = json_new();
    struct arena arena;

    for (size_t i = 0; i < n; i++)
        fields[i].ret[0] = '\0';
    arena_init(&arena, 4 * MAX_JSON);
    struct str padded = text.len < MAX_JSON ? json_pad(&arena, text) : STR_NONE;
    enum st st = padded.p ? json_open(j, padded, &arena, err)
                          : err_set(err, ST_REJECT, "more than %zu bytes of JSON", MAX_JSON);
    if (st == ST_OK)
        st = find_fields(j, fields, n, err);
    arena_release(&arena);
    json_free(j);
    return st;
}

enum st cloud_take_body(struct cloud_answer *a, struct buf *ret_bytes, struct err *err)
{
    struct buf *body = &a->http.body;

    if (ret_bytes->len == 0 && body->len > 0 && body->len <= ret_bytes->max) {
        mem_free(ret_bytes->p);
        ret_bytes->p = body->p;
        ret_bytes->len = body->len;
        ret_bytes->cap = body->cap;
        body->p = NULL;
        body->len = body->cap = 0;
    } else {
        buf_add_str(ret_bytes, buf_str(body));
    }
    return buf_check(ret_bytes, "the object", err);
}

/* A store that does not know ranges sends all of it. */
enum st cloud_take_range(struct cloud_answer *a, int64_t from, int64_t len, struct buf *ret_bytes,
                         struct err *err)
{
    struct str body = buf_str(&a->http.body);
    char told[64], wanted[64];

    if (a->http.status == 200) {
        const size_t start = (uint64_t)from < body.len ? (size_t)from : body.len;
        body = (struct str){body.p + start, body.len - start};
        buf_add(ret_bytes, body.p, body.len < (size_t)len ? body.len : (size_t)len);
        return buf_check(ret_bytes, "the object", err);
    }
    cloud_header(a, "content-range", told, sizeof(told));
    snprintf(wanted, sizeof(wanted), "bytes %lld-", (long long)from);
    if (strncmp(told, wanted, strlen(wanted)) != 0 || body.len > (size_t)len)
        return err_set(err, ST_AGAIN, "the store sends another range (%s)", told);
    buf_add_str(ret_bytes, body);
    return buf_check(ret_bytes, "the object", err);
}

enum st cloud_endpoint(struct str url, struct str *ret_scheme, struct str *ret_host,
                       struct str *ret_base, struct err *err)
{
    const bool is_tls = str_starts(url, STR("https://"));

    if (!is_tls && !str_starts(url, STR("http://")))
        return err_set(err, ST_REJECT, "endpoint is written https://HOST[:PORT]");
    *ret_scheme = is_tls ? STR("https") : STR("http");
    const struct str rest = {url.p + ret_scheme->len + 3, url.len - ret_scheme->len - 3};
    const char *slash = memchr(rest.p, '/', rest.len);
    const size_t host_len = slash ? (size_t)(slash - rest.p) : rest.len;
    *ret_host = (struct str){rest.p, host_len};
    *ret_base = (struct str){rest.p + host_len, rest.len - host_len};
    while (str_ends(*ret_base, STR("/")))
        ret_base->len--;
    if (ret_host->len == 0 || memchr(ret_host->p, '@', ret_host->len) ||
        memchr(url.p, '?', url.len) || memchr(url.p, '#', url.len))
        return err_set(err, ST_REJECT, "endpoint is written https://HOST[:PORT]");
    const struct str usual = is_tls ? STR(":443") : STR(":80");
    if (str_ends(*ret_host, usual)) /* nobody sends it */
        ret_host->len -= usual.len;
    return ST_OK;
}
