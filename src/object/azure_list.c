/* Lists of Azure, a page at a time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "object/azure.h"
#include "object/driver.h"
#include "object/hash.h"
#include "object/xml.h"

#include <stdio.h>

#define MAX_NAME 1025 * 4 /* bytes, NUL included: 1024 characters */

struct page {
    struct azure *a;
    char next[4096];
    /* of the blob at hand */
    char name[MAX_NAME];
    struct object_info info;
    bool is_folder;
    /* who asks */
    const char *start_after;
    object_each *each;
    void *ctx;
    bool is_enough;
};

static enum st on_page_end(void *ctx, const char *path, struct str text, bool is_encoded,
                           struct err *err)
{
    struct page *p = ctx;
    (void)is_encoded;

    if (strcmp(path, "EnumerationResults/NextMarker") != 0)
        return ST_OK;
    if (text.len >= sizeof(p->next))
        return err_set(err, ST_REJECT, "a marker of %zu bytes", text.len);
    snprintf(p->next, sizeof(p->next), "%.*s", STR_ARG(text));
    return ST_OK;
}

static void read_name(struct page *p, struct str text, bool is_encoded)
{
    p->name[0] = '\0';
    if (is_encoded && !str_percent_decode(text, p->name, sizeof(p->name)))
        p->name[0] = '\0';
    if (!is_encoded && text.len < sizeof(p->name))
        snprintf(p->name, sizeof(p->name), "%.*s", STR_ARG(text));
}

static enum st tell(struct page *p, struct err *err)
{
    const size_t prefix_len = strlen(p->a->prefix);
    const char *name = p->name + prefix_len;

    if (p->is_folder || strncmp(p->name, p->a->prefix, prefix_len) != 0 ||
        !object_is_name(str_of(name)))
        return ST_OK;
    if (p->start_after && strcmp(name, p->start_after) <= 0)
        return ST_OK;
    return p->each(p->ctx, name, &p->info, &p->is_enough, err);
}

static enum st on_blob_end(void *ctx, const char *path, struct str text, bool is_encoded,
                           struct err *err)
{
    static const char base[] = "EnumerationResults/Blobs/Blob";
    struct page *p = ctx;
    enum st st = ST_OK;

    if (p->is_enough || strncmp(path, base, sizeof(base) - 1) != 0)
        return ST_OK;
    const char *field = path + sizeof(base) - 1;
    if (field[0] == '\0') {
        st = tell(p, err);
        p->name[0] = '\0';
        p->is_folder = false;
        p->info = (struct object_info){.size = 0};
    } else if (strcmp(field, "/Name") == 0) {
        read_name(p, text, is_encoded);
    } else if (strcmp(field, "/Properties/Content-Length") == 0) {
        if (!str_to_i64(str_trim(text), 0, INT64_MAX, &p->info.size))
            return err_set(err, ST_AGAIN, "a list with the size \"%.*s\"", STR_ARG(text));
    } else if (strcmp(field, "/Properties/Last-Modified") == 0) {
        if (!time_parse_http(str_trim(text), &p->info.modified_us))
            p->info.modified_us = 0;
    } else if (strcmp(field, "/Properties/ResourceType") == 0) {
        p->is_folder = str_eq(str_trim(text), STR("directory")); /* of accounts that have them */
    } else if (strcmp(field, "/Properties/Etag") == 0 && text.len + 3 <= sizeof(p->info.etag)) {
        text = str_trim(text); /* without the quotes that headers have */
        const char *quote = str_starts(text, STR("\"")) ? "" : "\"";
        snprintf(p->info.etag, sizeof(p->info.etag), "%s%.*s%s", quote, STR_ARG(text), quote);
    }
    return st;
}

static enum st fetch(struct page *p, const char *prefix, struct buf *ret_body, struct err *err)
{
    struct buf query = BUF_INIT(32 * 1024);

    buf_add_z(&query, "comp=list");
    if (p->next[0]) {
        buf_add_z(&query, "&marker=");
        hash_percent(&query, str_of(p->next), false);
    }
    buf_add_z(&query, "&prefix=");
    hash_percent(&query, str_of(p->a->prefix), false);
    hash_percent(&query, str_of(prefix), false);
    buf_add_z(&query, "&restype=container");
    const struct azure_request request = {.method = "GET", .query = buf_str(&query)};
    enum st st = azure_send(p->a, &request, err);
    buf_release(&query);
    if (st == ST_OK && !cloud_is_done(&p->a->answer))
        return cloud_refused(&p->a->answer, err);
    return st == ST_OK ? cloud_take_body(&p->a->answer, ret_body, err) : st;
}

enum st azure_list(void *state, const char *prefix, const char *start_after, object_each *each,
                   void *ctx, struct err *err)
{
    struct page p = {.a = state, .start_after = start_after, .each = each, .ctx = ctx};
    char before[sizeof(p.next)];
    enum st st = ST_OK;

    do { /* the body is ours: `each` may ask the store, too */
        struct buf body = BUF_INIT(CLOUD_MAX_XML);
        st = fetch(&p, prefix, &body, err);
        memcpy(before, p.next, sizeof(before));
        p.next[0] = '\0';
        if (st == ST_OK && (st = xml_walk(buf_str(&body), on_page_end, &p, err)) != ST_OK)
            st = err_wrap(err, ST_AGAIN, "the list: ");
        if (st == ST_OK)
            st = xml_walk(buf_str(&body), on_blob_end, &p, err);
        if (st == ST_OK && p.next[0] && strcmp(before, p.next) == 0)
            st = err_set(err, ST_AGAIN, "the list goes on, but the store does not say how");
        buf_release(&body);
    } while (st == ST_OK && p.next[0] && !p.is_enough);
    return st;
}
