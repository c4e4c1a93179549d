/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/request.h"

#include "serve/connections.h"

#include <assert.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t request_unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
    struct connection *c = connections_of(mhd);
    size_t len = 0;

    (void)cls;
    for (const char *from = text; *from; len++) {
        int high = *from == '%' ? hex_digit(from[1]) : -1;
        int low = high >= 0 ? hex_digit(from[2]) : -1;
        if (*from == '%' && (low < 0 || high * 16 + low == 0))
            c->is_bad = true;
        text[len] = low >= 0 ? (char)(high * 16 + low) : *from;
        from += low >= 0 ? 3 : 1;
    }
    text[len] = '\0';
    if (!str_is_utf8((struct str){text, len}))
        c->is_bad = true;
    return len;
}

struct str http_path(const struct http_request *req)
{
    return req->path;
}

static struct str lookup(const struct http_request *req, enum MHD_ValueKind kind, const char *name)
{
    const char *value = NULL;
    size_t len = 0;

    if (MHD_lookup_connection_value_n(req->mhd, kind, name, strlen(name), &value, &len) != MHD_YES)
        return STR_NONE;
    return value ? (struct str){value, len} : STR("");
}

struct str http_query(const struct http_request *req, const char *name)
{
    assert(!req->op || operation_takes(req->op, name));
    return lookup(req, MHD_GET_ARGUMENT_KIND, name);
}

struct str http_query_beyond(const struct http_request *req, const char *name)
{
    return lookup(req, MHD_GET_ARGUMENT_KIND, name);
}

struct str http_header(const struct http_request *req, const char *name)
{
    return lookup(req, MHD_HEADER_KIND, name);
}

static enum MHD_Result add_parameter(void *cls, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    struct buf *b = cls;

    (void)kind;
    buf_addf(b, "%c%s=%s", memchr(buf_z(b), '?', b->len) ? '&' : '?', name, value ? value : "");
    return MHD_YES;
}

void http_add_target(const struct http_request *req, struct buf *b)
{
    buf_add_str(b, req->path);
    MHD_get_connection_values(req->mhd, MHD_GET_ARGUMENT_KIND, add_parameter, b);
}

static enum MHD_Result add_key(void *cls, enum MHD_ValueKind kind, const char *name,
                               const char *value)
{
    struct buf *b = cls;

    (void)kind;
    buf_add_json_str(b, str_of(name));
    buf_add_json_str(b, str_of(value ? value : ""));
    return MHD_YES;
}

void http_add_key(const struct http_request *req, struct buf *b)
{
    buf_add_json_str(b, req->path);
    MHD_get_connection_values(req->mhd, MHD_GET_ARGUMENT_KIND, add_key, b);
}

uint64_t http_waited_for(const struct http_request *req)
{
    return req->waited_for;
}

bool http_is_post(const struct http_request *req)
{
    return req->is_post;
}

struct str http_request_body(const struct http_request *req)
{
    return req->body;
}
