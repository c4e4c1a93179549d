/* Lists of S3, a page at a time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "object/driver.h"
#include "object/hash.h"
#include "object/s3.h"
#include "object/xml.h"

#include <stdio.h>

#define MAX_KEY 1025 /* bytes, NUL included */

struct page {
    /* of the page */
    struct s3 *s;
    bool is_url_encoded, is_truncated;
    char next[2048];
    /* of the object at hand */
    char key[MAX_KEY];
    struct object_info info;
    /* who asks */
    const char *start_after;
    object_each *each;
    void *ctx;
    bool is_enough;
};

static void set(char *to, size_t size, struct str text)
{
    snprintf(to, size, "%.*s", text.len < size ? (int)text.len : 0, text.p ? text.p : "");
}

/* What is said of the page as a whole may stand behind its objects. */
static enum st on_page_end(void *ctx, const char *path, struct str text, bool is_encoded,
                           struct err *err)
{
    struct page *p = ctx;
    (void)is_encoded, (void)err;

    if (strcmp(path, "ListBucketResult/EncodingType") == 0)
        p->is_url_encoded = str_eq(str_trim(text), STR("url"));
    else if (strcmp(path, "ListBucketResult/IsTruncated") == 0)
        p->is_truncated = str_eq(str_trim(text), STR("true"));
    else if (strcmp(path, "ListBucketResult/NextContinuationToken") == 0)
        set(p->next, sizeof(p->next), text);
    return ST_OK;
}

/* '+' is a space there. */
static void read_key(struct page *p, struct str text)
{
    char plain[3 * MAX_KEY];

    p->key[0] = '\0';
    if (!p->is_url_encoded) {
        set(p->key, sizeof(p->key), text);
        return;
    }
    if (text.len >= sizeof(plain))
        return;
    for (size_t i = 0; i < text.len; i++)
        plain[i] = text.p[i];
    for (size_t i = 0; i < text.len; i++)
        if (plain[i] == '+')
            plain[i] = ' ';
    if (!str_percent_decode((struct str){plain, text.len}, p->key, sizeof(p->key)))
        p->key[0] = '\0';
}

static enum st tell(struct page *p, struct err *err)
{
    const size_t prefix_len = strlen(p->s->prefix);
    const char *name = p->key + prefix_len;

    if (strncmp(p->key, p->s->prefix, prefix_len) != 0 || !object_is_name(str_of(name)))
        return ST_OK; /* a marker of a folder, or somebody else's */
    if (p->start_after && strcmp(name, p->start_after) <= 0)
        return ST_OK;
    return p->each(p->ctx, name, &p->info, &p->is_enough, err);
}

static enum st on_object_end(void *ctx, const char *path, struct str text, bool is_encoded,
                             struct err *err)
{
    static const char base[] = "ListBucketResult/Contents";
    struct page *p = ctx;
    enum st st = ST_OK;
    (void)is_encoded;

    if (p->is_enough || strncmp(path, base, sizeof(base) - 1) != 0)
        return ST_OK;
    const char *field = path + sizeof(base) - 1;
    if (field[0] == '\0') {
        st = tell(p, err);
        p->key[0] = '\0';
        p->info = (struct object_info){.size = 0};
    } else if (strcmp(field, "/Key") == 0) {
        read_key(p, text);
    } else if (strcmp(field, "/Size") == 0) {
        if (!str_to_i64(str_trim(text), 0, INT64_MAX, &p->info.size))
            return err_set(err, ST_AGAIN, "a list with the size \"%.*s\"", STR_ARG(text));
    } else if (strcmp(field, "/LastModified") == 0) {
        if (!time_parse(str_trim(text), &p->info.modified_us))
            p->info.modified_us = 0;
    } else if (strcmp(field, p->s->is_google ? "/Generation" : "/ETag") == 0) {
        set(p->info.etag, sizeof(p->info.etag), str_trim(text));
    }
    return st;
}

static void add(struct buf *query, const char *name, const char *first, const char *second)
{
    buf_addf(query, "%s%s=", query->len > 0 ? "&" : "", name);
    hash_percent(query, str_of(first), false);
    hash_percent(query, str_of(second), false);
}

static enum st fetch(struct page *p, const char *prefix, struct buf *ret_body, struct err *err)
{
    struct buf query = BUF_INIT(16 * 1024);

    if (p->next[0])
        add(&query, "continuation-token", p->next, "");
    add(&query, "encoding-type", "url", "");
    add(&query, "list-type", "2", "");
    add(&query, "prefix", p->s->prefix, prefix);
    if (p->start_after && p->next[0] == '\0')
        add(&query, "start-after", p->s->prefix, p->start_after);
    const struct s3_request request = {.method = "GET", .query = buf_str(&query)};
    enum st st = s3_send(p->s, &request, err);
    buf_release(&query);
    if (st == ST_OK && !cloud_is_done(&p->s->answer))
        return cloud_refused(&p->s->answer, err);
    return st == ST_OK ? cloud_take_body(&p->s->answer, ret_body, err) : st;
}

enum st s3_list(void *state, const char *prefix, const char *start_after, object_each *each,
                void *ctx, struct err *err)
{
    struct page p = {.s = state, .start_after = start_after, .each = each, .ctx = ctx};
    enum st st = ST_OK;

    do { /* the body is ours: `each` may ask the store, too */
        struct buf body = BUF_INIT(CLOUD_MAX_XML);
        st = fetch(&p, prefix, &body, err);
        char before[sizeof(p.next)];
        memcpy(before, p.next, sizeof(before));
        p.is_url_encoded = p.is_truncated = false;
        p.next[0] = '\0';
        if (st == ST_OK && (st = xml_walk(buf_str(&body), on_page_end, &p, err)) != ST_OK)
            st = err_wrap(err, ST_AGAIN, "the list: ");
        if (st == ST_OK)
            st = xml_walk(buf_str(&body), on_object_end, &p, err);
        if (st == ST_OK && p.is_truncated && (!p.next[0] || strcmp(before, p.next) == 0))
            st = err_set(err, ST_AGAIN, "the list goes on, but the store does not say how");
        buf_release(&body);
    } while (st == ST_OK && p.is_truncated && !p.is_enough);
    return st;
}
