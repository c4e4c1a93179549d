/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/reply.h"

#include "base/mem.h"
#include "serve/pack.h"

#include <assert.h>
#include <stdio.h>

#define MAX_PENDING_BYTES (64u * 1024 * 1024)
#define PACK_FROM         1024 /* bytes; below it the headers weigh more */

/* A body that MHD sends; gone when the last byte is. */
struct body {
    struct replies *replies;
    size_t size, stop_at; /* bytes, and how many of them are sent */
    char *bytes;
};

void http_add_header(struct http_response *res, const char *name, const char *fmt, ...)
{
    va_list ap;

    assert(res->n_headers < HTTP_MAX_HEADERS);
    char *value = res->headers[res->n_headers].value;
    const size_t size = sizeof(res->headers[0].value);
    va_start(ap, fmt);
    int len = vsnprintf(value, size, fmt, ap);
    va_end(ap);
    assert(len >= 0 && (size_t)len < size);
    res->headers[res->n_headers++].name = name;
}

void reply_refuse(struct http_response *res, int status, const char *why)
{
    buf_release(&res->body);
    buf_addf(&res->body, "{\"error\":\"%s\"}", why);
    res->status = status;
    res->content_type = "application/json; charset=utf-8";
    res->faults = (struct http_faults){0};
}

static void body_free(void *cls)
{
    struct body *body = cls;

    body->replies->pending_bytes -= body->size;
    mem_free(body->bytes);
    mem_free(body);
}

static ssize_t body_read(void *cls, uint64_t at, char *to, size_t max)
{
    const struct body *body = cls;

    if (at >= body->stop_at)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t len = body->stop_at - (size_t)at;
    if (len > max)
        len = max;
    memcpy(to, body->bytes + at, len);
    return (ssize_t)len;
}

/* Hand the bytes of *b to MHD; NULL when there is no memory, *b is empty afterwards. */
static struct MHD_Response *take_body(struct replies *r, struct buf *b,
                                      const struct http_faults *faults)
{
    struct body *body = mem_try(NULL, sizeof(*body));

    if (!body) {
        buf_release(b);
        return NULL;
    }
    *body = (struct body){.replies = r, .size = b->len, .stop_at = b->len, .bytes = b->p};
    if (faults->cut_after > 0 && faults->cut_after < b->len)
        body->stop_at = faults->cut_after;
    r->pending_bytes += b->len;
    buf_init(b, b->max);
    struct MHD_Response *reply;
    if (faults->cut_after > 0 || faults->n_promised > 0)
        reply = MHD_create_response_from_callback(body->size + faults->n_promised, 4096, body_read,
                                                  body, body_free);
    else
        reply = MHD_create_response_from_buffer_with_free_callback_cls(body->size, body->bytes,
                                                                       body_free, body);
    if (!reply)
        body_free(body);
    return reply;
}

bool reply_has_header(const struct http_response *res, const char *name)
{
    for (size_t i = 0; i < res->n_headers; i++)
        if (strcmp(res->headers[i].name, name) == 0)
            return true;
    return false;
}

void reply_add_headers(struct MHD_Response *reply, const struct http_response *res)
{
    if (res->content_type)
        MHD_add_response_header(reply, "Content-Type", res->content_type);
    MHD_add_response_header(reply, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(reply, "Referrer-Policy", "no-referrer");
    if (!reply_has_header(res, "Content-Security-Policy"))
        MHD_add_response_header(reply, "Content-Security-Policy",
                                "default-src 'none'; frame-ancestors 'none'");
    for (size_t i = 0; i < res->n_headers; i++)
        MHD_add_response_header(reply, res->headers[i].name, res->headers[i].value);
}

bool reply_has_room(const struct replies *r, size_t n)
{
    return r->pending_bytes + n <= MAX_PENDING_BYTES;
}

bool reply_check(const struct replies *r, struct http_response *res)
{
    if (res->body.is_overflow)
        reply_refuse(res, 500, "the answer is too large or there is no memory for it");
    else if (!reply_has_room(r, res->body.len)) {
        reply_refuse(res, 503, "too many answers are waiting for slow clients");
        http_add_header(res, "Retry-After", "1");
        return false;
    }
    return true;
}

/* Compress for who takes it what is to come whole; half of it where that is the fault. */
static bool pack(struct replies *r, struct str accept_encoding, const struct http_response *res,
                 struct buf *ret_packed)
{
    const struct http_faults *faults = &res->faults;
    const bool is_wanted = res->body.len >= PACK_FROM && faults->cut_after == 0 &&
                           faults->n_promised == 0 &&
                           encoding_choose(accept_encoding) != ENCODING_NONE;

    if (!(is_wanted || faults->is_gzip_cut) ||
        !packer_pack(r->packer, ENCODING_GZIP, buf_str(&res->body), ret_packed))
        return false;
    if (faults->is_gzip_cut)
        ret_packed->len /= 2;
    return true;
}

struct MHD_Response *reply_make(struct replies *r, struct str accept_encoding,
                                struct http_response *res)
{
    struct buf packed = BUF_INIT(HTTP_MAX_BODY);
    const bool is_packed = pack(r, accept_encoding, res, &packed);
    struct MHD_Response *reply = take_body(r, is_packed ? &packed : &res->body, &res->faults);

    buf_release(&packed);
    if (!reply)
        return NULL;
    if (is_packed)
        MHD_add_response_header(reply, "Content-Encoding", "gzip");
    MHD_add_response_header(reply, "Vary", "Accept-Encoding");
    reply_add_headers(reply, res);
    return reply;
}
