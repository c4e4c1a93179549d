/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/page.h"

#include "base/clock.h"
#include "base/mem.h"
#include "serve/etag.h"

#include <assert.h>
#include <stdio.h>

#define PACK_FROM 1024 /* bytes; below it the headers weigh more */

/* Behind them come those of a 304, which MHD sends without the body, but tells its length. */
#define N_REPLIES (2 * N_ENCODINGS)

struct http_page {
    struct replies *replies;
    size_t n_owners, n_refs; /* the replies that are made, and the owners as one, hold references */
    bool is_kept;
    struct http_response head; /* without its body */
    char etag[ETAG_TEXT];      /* "": it has none, or its own header */
    struct buf bodies[N_ENCODINGS];
    bool is_tried[N_ENCODINGS]; /* to pack it; an empty body then says that it was not worth it */
    struct MHD_Response *made[N_REPLIES]; /* NULL: not needed so far */
    int64_t made_s;                       /* when; they tell their age */
    const char *warning;
};

struct http_page *page_new(struct replies *r, struct http_response *res)
{
    struct http_page *page = mem_try(NULL, sizeof(*page));

    if (!page)
        return NULL;
    *page = (struct http_page){.replies = r, .n_owners = 1, .n_refs = 1, .head = *res};
    for (int i = 0; i < N_ENCODINGS; i++)
        buf_init(&page->bodies[i], HTTP_MAX_BODY);
    page->bodies[ENCODING_NONE] = res->body;
    buf_init(&page->head.body, 0);
    buf_init(&res->body, res->body.max);
    if (res->status == 200 && !reply_has_header(res, "ETag"))
        etag_write(buf_str(&page->bodies[ENCODING_NONE]), page->etag);
    r->pending_bytes += page_bytes(page);
    return page;
}

struct http_page *page_share(struct http_page *page)
{
    page->n_owners++;
    return page;
}

size_t page_bytes(const struct http_page *page)
{
    size_t n = 0;

    for (int i = 0; i < N_ENCODINGS; i++)
        n += page->bodies[i].len;
    return n;
}

void page_set_kept(struct http_page *page, bool is_kept)
{
    const size_t n = page_bytes(page);

    if (is_kept && !page->is_kept)
        page->replies->pending_bytes -= n;
    else if (!is_kept && page->is_kept)
        page->replies->pending_bytes += n;
    page->is_kept = is_kept;
}

const struct http_response *page_head(const struct http_page *page)
{
    return &page->head;
}

struct str page_body(const struct http_page *page)
{
    return buf_str(&page->bodies[ENCODING_NONE]);
}

/* Each of them holds a reference, until the last that is under way has gone too. */
static void forget_replies(struct http_page *page)
{
    for (int i = 0; i < N_REPLIES; i++) {
        struct MHD_Response *made = page->made[i];
        page->made[i] = NULL;
        if (made)
            MHD_destroy_response(made);
    }
}

void page_warn(struct http_page *page, const char *warning)
{
    if (page->warning != warning)
        forget_replies(page);
    page->warning = warning;
}

static void release(struct http_page *page)
{
    if (--page->n_refs > 0)
        return;
    page_set_kept(page, false);
    page->replies->pending_bytes -= page_bytes(page);
    for (int i = 0; i < N_ENCODINGS; i++)
        buf_release(&page->bodies[i]);
    mem_free(page);
}

void page_drop(struct http_page *page)
{
    if (!page || --page->n_owners > 0)
        return;
    forget_replies(page);
    release(page);
}

static void on_sent(void *cls)
{
    release(cls);
}

/* The body in this encoding where that pays, else as it is. */
static enum encoding pack(struct http_page *page, enum encoding wanted)
{
    const struct str plain = buf_str(&page->bodies[ENCODING_NONE]);
    struct buf *to = &page->bodies[wanted];

    if (wanted != ENCODING_NONE && plain.len >= PACK_FROM && !page->is_tried[wanted]) {
        page->is_tried[wanted] = true;
        if (!packer_pack(page->replies->packer, wanted, plain, to))
            buf_release(to);
        if (!page->is_kept)
            page->replies->pending_bytes += to->len;
    }
    return to->len > 0 ? wanted : ENCODING_NONE;
}

/* As a cache tells of what it keeps (RFC 9111, 5.1): made then, so old now. */
static void add_age(const struct http_page *page, struct MHD_Response *reply)
{
    const int64_t as_of_us = page->head.as_of_us;
    const int64_t age_s = page->made_s - as_of_us / US_PER_S;
    char text[TIME_TEXT];

    if (as_of_us == 0)
        return;
    time_format_http(as_of_us, text);
    MHD_add_response_header(reply, "Date", text);
    MHD_add_response_header(reply, "Last-Modified", text);
    snprintf(text, sizeof(text), "%lld", (long long)(age_s > 0 ? age_s : 0));
    MHD_add_response_header(reply, "Age", text);
}

static struct MHD_Response *make(struct http_page *page, int which)
{
    const enum encoding encoding = (enum encoding)(which % N_ENCODINGS);
    const struct buf *body = &page->bodies[encoding];
    struct MHD_Response *reply =
        MHD_create_response_from_buffer_with_free_callback_cls(body->len, body->p, on_sent, page);

    if (!reply)
        return NULL;
    page->n_refs++;
    if (encoding != ENCODING_NONE)
        MHD_add_response_header(reply, "Content-Encoding", encoding_names[encoding]);
    if (page->etag[0])
        MHD_add_response_header(reply, "ETag", page->etag);
    MHD_add_response_header(reply, "Vary", "Accept-Encoding");
    add_age(page, reply);
    if (page->warning)
        MHD_add_response_header(reply, "Warning", page->warning);
    reply_add_headers(reply, &page->head);
    return reply;
}

struct MHD_Response *page_reply(struct http_page *page, enum encoding encoding, struct str etags,
                                int *ret_status)
{
    const int64_t now_s = clock_wall_us(clock_system()) / US_PER_S;
    const bool is_known = page->etag[0] && etags.p && etag_is_among(etags, page->etag);
    const int which = (int)pack(page, encoding) + (is_known ? N_ENCODINGS : 0);

    if (page->head.as_of_us != 0 && page->made_s != now_s)
        forget_replies(page);
    page->made_s = now_s;
    if (!page->made[which])
        page->made[which] = make(page, which);
    *ret_status = is_known ? 304 : page->head.status;
    return page->made[which];
}
