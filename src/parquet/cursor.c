/* The values of a column in a row group: window of the file → page → levels and values. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "parquet/encode.h"
#include "parquet/reader_inner.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <zlib.h>

#define WINDOW     ((size_t)256 * 1024)
#define MAX_PACKED (PARQUET_MAX_PAGE + PARQUET_MAX_PAGE / 8)
#define MAX_HEADER ((size_t)1024 * 1024)
#define MAX_TEXTS  ((size_t)64 * 1024 * 1024) /* of a batch, where they are put together */

/* As the format numbers them. */
enum { PAGE_DATA = 0, PAGE_INDEX = 1, PAGE_DICTIONARY = 2, PAGE_DATA_2 = 3 };
void cursor_start(struct cursor *c, struct parquet_file *f, const struct leaf *leaf,
                  const char *column)
{
    *c = (struct cursor){.f = f,
                         .leaf = leaf,
                         .column = column,
                         .window = BUF_INIT(MAX_PACKED),
                         .page = BUF_INIT(PARQUET_MAX_PAGE),
                         .dictionary.bytes = BUF_INIT(PARQUET_MAX_PAGE),
                         .before = BUF_INIT(MAX_TEXTS),
                         .texts = BUF_INIT(MAX_TEXTS)};
    c->scratch = mem_new(PARQUET_MAX_BATCH, sizeof(*c->scratch));
    c->numbers = mem_new(PARQUET_MAX_BATCH, sizeof(*c->numbers));
}

void cursor_release(struct cursor *c)
{
    buf_release(&c->window);
    buf_release(&c->page);
    buf_release(&c->dictionary.bytes);
    buf_release(&c->before);
    buf_release(&c->texts);
    mem_free(c->dictionary.numbers);
    mem_free(c->dictionary.texts);
    mem_free(c->scratch);
    mem_free(c->numbers);
}

void cursor_begin(struct cursor *c, size_t group, const struct chunk_meta *meta)
{
    c->group = group;
    c->meta = *meta;
    c->at = c->page_at = meta->at;
    c->end = meta->at + meta->len;
    c->values_left = meta->n_values;
    c->page_left = 0;
    c->has_dictionary = false;
    c->dictionary.n = 0;
    buf_clear(&c->window);
}

enum st cursor_bad(const struct cursor *c, struct err *err, const char *fmt, ...)
{
    char why[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    return err_set(err, ST_REJECT, "%s: column %s, row group %zu, page at byte %" PRIu64 ": %s",
                   c->f->name, c->column, c->group, c->page_at, why);
}

static enum st no_memory(const struct cursor *c, size_t len, struct err *err)
{
    return err_set(err, ST_AGAIN, "%s: no memory for %zu bytes of column %s", c->f->name, len,
                   c->column);
}

/* ---- bytes of the file ---- */

/* The next len bytes of the chunk, or what it has left, are in the window. */
static enum st fill(struct cursor *c, size_t len, struct bytes *ret, struct err *err)
{
    const uint64_t left = c->end - c->at, end = c->window_at + c->window.len;
    const struct parquet_source *s = &c->f->source;

    len = left < len ? (size_t)left : len;
    if (c->window.len == 0 || c->at < c->window_at || c->at + len > end) {
        const size_t all = len > WINDOW ? len : left < WINDOW ? (size_t)left : WINDOW;
        buf_clear(&c->window);
        char *room = buf_room(&c->window, all);
        if (room == NULL)
            return no_memory(c, all, err);
        enum st st = s->read_at(s->ctx, c->at, all, room, err);
        if (st != ST_OK)
            return st;
        buf_added(&c->window, all);
        c->window_at = c->at;
    }
    const uint8_t *at = (const uint8_t *)c->window.p + (c->at - c->window_at);
    *ret = (struct bytes){at, at + len};
    return ST_OK;
}

/* ---- headers ---- */

struct header {
    int type, encoding;
    size_t raw_len, len, n;
    size_t rep_len, def_len, n_nulls; /* DATA_2 */
    bool is_packed, has_crc;
    uint32_t crc;
};

static void read_page_fields(struct thrift_in *t, const struct thrift_field *of, struct header *h)
{
    struct thrift_field field = THRIFT_FIRST;
    const bool is_2 = h->type == PAGE_DATA_2;

    if (!thrift_get_struct(t, of))
        return;
    while (thrift_next(t, &field)) {
        if (field.id == 1)
            h->n = (size_t)thrift_get_int(t, &field, 0, INT32_MAX);
        else if (field.id == (is_2 ? 4 : 2))
            h->encoding = (int)thrift_get_int(t, &field, 0, INT32_MAX);
        else if (is_2 && field.id == 2)
            h->n_nulls = (size_t)thrift_get_int(t, &field, 0, INT32_MAX);
        else if (is_2 && field.id == 5)
            h->def_len = (size_t)thrift_get_int(t, &field, 0, INT32_MAX);
        else if (is_2 && field.id == 6)
            h->rep_len = (size_t)thrift_get_int(t, &field, 0, INT32_MAX);
        else if (is_2 && field.id == 7)
            h->is_packed = thrift_get_bool(t, &field);
        else
            thrift_skip(t, &field);
    }
}

static bool read_header_fields(struct thrift_in *t, struct header *h)
{
    struct thrift_field field = THRIFT_FIRST;

    *h = (struct header){.type = -1, .is_packed = true};
    while (thrift_next(t, &field)) {
        switch (field.id) {
        case 1:
            h->type = (int)thrift_get_int(t, &field, 0, INT32_MAX);
            break;
        case 2:
            h->raw_len = (size_t)thrift_get_int(t, &field, 0, INT32_MAX);
            break;
        case 3:
            h->len = (size_t)thrift_get_int(t, &field, 0, INT32_MAX);
            break;
        case 4:
            h->crc = (uint32_t)thrift_get_int(t, &field, INT32_MIN, INT32_MAX);
            h->has_crc = true;
            break;
        case 5: /* of the kinds of pages */
        case 7:
        case 8:
            read_page_fields(t, &field, h);
            break;
        default:
            thrift_skip(t, &field);
        }
    }
    return !t->is_bad && h->type >= 0;
}

/* Moves to the page's bytes. */
static enum st read_header(struct cursor *c, struct header *h, struct err *err)
{
    struct bytes in;

    c->page_at = c->at;
    for (size_t len = 256;; len = MAX_HEADER) {
        enum st st = fill(c, len, &in, err);
        if (st != ST_OK)
            return st;
        struct thrift_in t = {.at = in.at, .end = in.end};
        if (read_header_fields(&t, h)) {
            c->at += (uint64_t)(t.at - in.at);
            break;
        }
        if (len == MAX_HEADER || bytes_left(&in) < len)
            return cursor_bad(c, err, "its header is damaged");
    }
    if (h->raw_len > PARQUET_MAX_PAGE || h->len > MAX_PACKED)
        return cursor_bad(c, err, "it has more than %zu bytes", PARQUET_MAX_PAGE);
    if (h->len > c->end - c->at)
        return cursor_bad(c, err, "it is longer than its column");
    return ST_OK;
}

/* ---- what they hold ---- */

static enum st unpack_to(struct cursor *c, struct bytes packed, size_t raw_len, struct buf *ret,
                         struct err *err)
{
    buf_clear(ret);
    char *room = buf_room(ret, raw_len + 1);
    if (room == NULL)
        return no_memory(c, raw_len, err);
    const char *why =
        unpack((enum codec)c->meta.codec, c->f->zstd, packed, (uint8_t *)room, raw_len);
    if (why)
        return cursor_bad(c, err, "%s", why);
    buf_added(ret, raw_len);
    return ST_OK;
}

static struct bytes bytes_of(const struct buf *b)
{
    const uint8_t *at = (const uint8_t *)b->p;

    return (struct bytes){at, at + b->len};
}

static enum st read_dictionary(struct cursor *c, const struct header *h, struct bytes packed,
                               struct err *err)
{
    struct dictionary *d = &c->dictionary;
    const size_t least = c->leaf->physical == PHYSICAL_BYTES ? sizeof(uint32_t) : c->leaf->width;

    if (c->has_dictionary || c->leaf->physical == PHYSICAL_BOOLEAN)
        return cursor_bad(c, err, "a dictionary too many");
    if (h->encoding != ENCODING_PLAIN && h->encoding != ENCODING_PLAIN_DICTIONARY)
        return cursor_bad(c, err, "a dictionary of encoding %d", h->encoding);
    enum st st = unpack_to(c, packed, h->raw_len, &d->bytes, err);
    struct bytes in = bytes_of(&d->bytes);
    if (st != ST_OK)
        return st;
    if (h->n > bytes_left(&in) / least)
        return cursor_bad(c, err, "the dictionary ends early");
    mem_free(d->numbers);
    mem_free(d->texts);
    d->numbers = NULL;
    d->texts = NULL;
    d->n = h->n;
    c->has_dictionary = true;
    if (c->leaf->physical == PHYSICAL_BYTES) {
        if ((d->texts = mem_try(NULL, (d->n + 1) * sizeof(*d->texts))) == NULL)
            return no_memory(c, d->n * sizeof(*d->texts), err);
        for (size_t i = 0; st == ST_OK && i < d->n; i++)
            st = cursor_take_text(c, &in, &d->texts[i], err);
        return st;
    }
    if ((d->numbers = mem_try(NULL, (d->n + 1) * sizeof(*d->numbers))) == NULL)
        return no_memory(c, d->n * sizeof(*d->numbers), err);
    return cursor_take_numbers(c, &in, d->n, d->numbers, err);
}

/* ---- data pages: where levels and values begin ---- */

/* Levels of version 1 have their length in front. */
static bool begin_levels(struct bytes *in, struct hybrid *h, int max)
{
    struct bytes part = {in->at, in->at};
    uint32_t len;

    if (max > 0 && (!bytes_take_u32(in, &len) || !bytes_take(in, len, &part)))
        return false;
    return hybrid_begin(h, part, encode_bits((uint64_t)max));
}

static enum st begin_data(struct cursor *c, const struct header *h, struct bytes in, bool is_begun,
                          struct err *err)
{
    bool is_known;

    if (!is_begun)
        return cursor_bad(c, err, "its levels are damaged");
    if (h->n > c->values_left)
        return cursor_bad(c, err, "it has more values than its column");
    c->encoding = h->encoding;
    if (!values_begin(c, h->n, in, &is_known))
        return is_known
                   ? cursor_bad(c, err, "its values are damaged (encoding %d)", h->encoding)
                   : cursor_bad(c, err, "of encoding %d, which is not known here", h->encoding);
    c->page_left = h->n;
    c->values_left -= h->n;
    return ST_OK;
}

static enum st read_data(struct cursor *c, const struct header *h, struct bytes packed,
                         struct err *err)
{
    const struct leaf *l = c->leaf;
    struct bytes in = packed;

    if (c->meta.codec != CODEC_NONE) {
        enum st st = unpack_to(c, packed, h->raw_len, &c->page, err);
        if (st != ST_OK)
            return st;
        in = bytes_of(&c->page);
    } else if (h->raw_len != h->len) {
        return cursor_bad(c, err, "of two lengths, but not packed");
    }
    const bool is_begun =
        begin_levels(&in, &c->rep, l->max_rep) && begin_levels(&in, &c->def, l->max_def);
    return begin_data(c, h, in, is_begun, err);
}

/* Version 2: levels are not packed, and have their lengths in the header. */
static enum st read_data_2(struct cursor *c, const struct header *h, struct bytes packed,
                           struct err *err)
{
    const struct leaf *l = c->leaf;
    struct bytes rep, def, in;

    if (!bytes_take(&packed, h->rep_len, &rep) || !bytes_take(&packed, h->def_len, &def) ||
        h->raw_len < h->rep_len + h->def_len)
        return cursor_bad(c, err, "its levels end early");
    const size_t raw_len = h->raw_len - h->rep_len - h->def_len;
    in = packed;
    if (c->meta.codec != CODEC_NONE && h->is_packed && raw_len > 0) {
        enum st st = unpack_to(c, packed, raw_len, &c->page, err);
        if (st != ST_OK)
            return st;
        in = bytes_of(&c->page);
    }
    const bool is_begun = hybrid_begin(&c->rep, rep, encode_bits(l->max_rep)) &&
                          hybrid_begin(&c->def, def, encode_bits(l->max_def));
    return begin_data(c, h, in, is_begun, err);
}

static enum st read_page(struct cursor *c, struct err *err)
{
    struct header h;
    struct bytes packed;

    enum st st = read_header(c, &h, err);
    if (st == ST_OK)
        st = fill(c, h.len, &packed, err);
    if (st != ST_OK)
        return st;
    if (h.has_crc && crc32_z(0, packed.at, h.len) != h.crc)
        return cursor_bad(c, err, "its checksum is wrong");
    c->at += h.len;
    switch (h.type) {
    case PAGE_DATA:
        return read_data(c, &h, packed, err);
    case PAGE_DATA_2:
        return read_data_2(c, &h, packed, err);
    case PAGE_DICTIONARY:
        return read_dictionary(c, &h, packed, err);
    case PAGE_INDEX:
        return ST_OK;
    default:
        return cursor_bad(c, err, "of type %d, which is not known here", h.type);
    }
}

enum st cursor_page(struct cursor *c, struct err *err)
{
    enum st st = ST_OK;

    while (st == ST_OK && c->page_left == 0 && c->values_left > 0)
        st = c->at < c->end
                 ? read_page(c, err)
                 : cursor_bad(c, err, "its column lacks %" PRIu64 " values", c->values_left);
    return st;
}
