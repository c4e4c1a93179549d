/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/page.h"

#include "base/clock.h"
#include "base/mem.h"
#include "serve/body_file.h"
#include "serve/etag.h"

#include <stdio.h>

#define PACK_FROM 1024 /* bytes; below it the headers weigh more */

/* Behind them come those of a 304, which MHD sends without the body, but tells its length. */
#define N_REPLIES (2 * N_ENCODINGS)

/* What MHD makes of a body and its headers. */
struct reply {
    struct MHD_Response *mhd; /* NULL: not needed so far */
    const char *warning;      /* that it has */
    int64_t age_s;            /* that it tells; < 0: none */
};

struct http_page {
    struct replies *replies;
    size_t n_owners;
    bool is_kept;
    struct http_response head; /* without its body */
    char etag[ETAG_TEXT];      /* "": it has none, or its own header */
    struct buf bodies[N_ENCODINGS];
    bool is_tried[N_ENCODINGS]; /* to pack it; an empty body then says that it was not worth it */
    struct reply made[N_REPLIES];
    struct body_file *file;    /* of the body as it is */
    bool is_asked, is_written; /* once at least; to the file, which may not have been to be had */
    const char *warning;
};

struct http_page *page_new(struct replies *r, struct http_response *res)
{
    struct http_page *page = mem_try(NULL, sizeof(*page));

    if (!page)
        return NULL;
    *page = (struct http_page){.replies = r, .n_owners = 1, .head = *res};
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

void page_warn(struct http_page *page, const char *warning)
{
    page->warning = warning;
}

void page_drop(struct http_page *page)
{
    if (!page || --page->n_owners > 0)
        return;
    for (int i = 0; i < N_REPLIES; i++)
        if (page->made[i].mhd)
            MHD_destroy_response(page->made[i].mhd);
    page_set_kept(page, false);
    page->replies->pending_bytes -= page_bytes(page);
    for (int i = 0; i < N_ENCODINGS; i++)
        buf_release(&page->bodies[i]);
    body_file_free(page->file);
    mem_free(page);
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

static void add_headers(const struct http_page *page, enum encoding encoding,
                        struct MHD_Response *mhd)
{
    char text[TIME_TEXT];

    if (encoding != ENCODING_NONE)
        MHD_add_response_header(mhd, "Content-Encoding", encoding_names[encoding]);
    if (page->etag[0])
        MHD_add_response_header(mhd, "ETag", page->etag);
    MHD_add_response_header(mhd, "Vary", "Accept-Encoding");
    if (page->head.as_of_us != 0) {
        time_format_http(page->head.as_of_us, text);
        MHD_add_response_header(mhd, "Date", text);
        MHD_add_response_header(mhd, "Last-Modified", text);
    }
    reply_add_headers(mhd, &page->head);
}

static struct MHD_Response *make(const struct http_page *page, enum encoding encoding)
{
    const struct buf *body = &page->bodies[encoding];
    struct MHD_Response *mhd =
        MHD_create_response_from_buffer(body->len, body->p, MHD_RESPMEM_PERSISTENT);

    if (mhd)
        add_headers(page, encoding, mhd);
    return mhd;
}

static void change_header(struct MHD_Response *mhd, const char *name, const char *from,
                          const char *to)
{
    if (from)
        MHD_del_response_header(mhd, name, from);
    if (to)
        MHD_add_response_header(mhd, name, to);
}

/* As a cache tells of what it keeps (RFC 9111, 5.1): made then, so old now. */
static int64_t age_s(const struct http_page *page)
{
    const int64_t s = (clock_wall_us(clock_system()) / US_PER_S) - (page->head.as_of_us / US_PER_S);

    return s < 0 ? 0 : s;
}

static void set_age(const struct http_page *page, struct reply *reply)
{
    const int64_t now_s = age_s(page);
    char from[24], to[24];

    if (page->head.as_of_us == 0 || now_s == reply->age_s)
        return;
    snprintf(from, sizeof(from), "%lld", (long long)reply->age_s);
    reply->age_s = now_s;
    snprintf(to, sizeof(to), "%lld", (long long)reply->age_s);
    change_header(reply->mhd, "Age", from, to);
}

struct MHD_Response *page_reply(struct http_page *page, enum encoding encoding, struct str etags,
                                int *ret_status)
{
    const bool is_known = page->etag[0] && etags.p && etag_is_among(etags, page->etag);
    const enum encoding packed = pack(page, encoding);
    struct reply *reply = &page->made[packed + (is_known ? N_ENCODINGS : 0)];

    if (!reply->mhd)
        *reply = (struct reply){.mhd = make(page, packed), .age_s = -1};
    if (!reply->mhd)
        return NULL;
    set_age(page, reply);
    if (reply->warning != page->warning)
        change_header(reply->mhd, "Warning", reply->warning, page->warning);
    reply->warning = page->warning;
    *ret_status = is_known ? 304 : page->head.status;
    return reply->mhd;
}

const struct body_file *page_file(struct http_page *page, enum encoding encoding)
{
    if (!page->is_kept || pack(page, encoding) != ENCODING_NONE)
        return NULL;
    if (page->is_asked && !page->is_written) {
        page->is_written = true;
        page->file = body_file_new(page->replies, page_body(page));
    }
    page->is_asked = true;
    return page->file;
}

void page_add_headers(const struct http_page *page, struct MHD_Response *mhd)
{
    struct reply reply = {.mhd = mhd, .age_s = -1};

    add_headers(page, ENCODING_NONE, mhd);
    set_age(page, &reply);
    change_header(mhd, "Warning", NULL, page->warning);
}
