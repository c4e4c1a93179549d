/* The values of a page: where they begin, by encoding, and the next of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/encode.h"
#include "parquet/reader_inner.h"

#include <assert.h>
#include <inttypes.h>

#define NOT_TEXT "a text is not UTF-8, or has U+0000"

/* ---- PLAIN, which dictionaries are, too ---- */

static bool is_text(struct str s)
{
    return str_is_utf8(s) && (s.len == 0 || memchr(s.p, '\0', s.len) == NULL);
}

enum st cursor_take_text(const struct cursor *c, struct bytes *in, struct str *ret, struct err *err)
{
    struct bytes text;
    uint32_t len;

    if (!bytes_take_u32(in, &len) || !bytes_take(in, len, &text))
        return cursor_bad(c, err, "its texts end early");
    *ret = (struct str){(const char *)text.at, len};
    return is_text(*ret) ? ST_OK : cursor_bad(c, err, NOT_TEXT);
}

enum st cursor_take_numbers(const struct cursor *c, struct bytes *in, size_t n, int64_t *ret,
                            struct err *err)
{
    struct bytes part;

    if (n > bytes_left(in) / c->leaf->width || !bytes_take(in, n * c->leaf->width, &part))
        return cursor_bad(c, err, "its values end early");
    if (c->leaf->width == sizeof(*ret) && c->leaf->meaning == MEANS_ITSELF &&
        c->leaf->physical != PHYSICAL_FIXED) {
        if (n > 0)
            memcpy(ret, part.at, n * sizeof(*ret));
        return ST_OK;
    }
    for (size_t i = 0; i < n; i++)
        if (!leaf_value(c->leaf, part.at + i * c->leaf->width, &ret[i]))
            return cursor_bad(c, err, "%s", leaf_why(c->leaf));
    return ST_OK;
}

/* ---- where values begin ---- */

static bool begin_words(struct cursor *c, struct bytes in)
{
    struct bytes bits;

    if (bytes_left(&in) == 0) /* no values: some writers leave the width out */
        return hybrid_begin(&c->words, in, 0);
    return bytes_take(&in, 1, &bits) && *bits.at <= 32 && hybrid_begin(&c->words, in, *bits.at);
}

/* What follows it. It has no more than n values. */
static bool skip_delta(struct cursor *c, struct delta all, size_t n, struct bytes *ret)
{
    if (all.n > n)
        return false;
    while (all.n > 0)
        if (!delta_next(&all, c->numbers,
                        all.n < PARQUET_MAX_BATCH ? (size_t)all.n : PARQUET_MAX_BATCH))
            return false;
    *ret = delta_rest(&all);
    return true;
}

/* Texts behind their lengths: c->delta tells these, c->values are the texts. */
static bool begin_lengths(struct cursor *c, size_t n, struct bytes in)
{
    return delta_begin(&c->delta, in) && skip_delta(c, c->delta, n, &c->values);
}

static bool begin_prefixed(struct cursor *c, size_t n, struct bytes in)
{
    buf_clear(&c->before);
    return delta_begin(&c->prefixes, in) && skip_delta(c, c->prefixes, n, &in) &&
           begin_lengths(c, n, in);
}

static bool begin_booleans(struct cursor *c, struct bytes in)
{
    struct bytes part;
    uint32_t len;

    if (bytes_left(&in) == 0)
        return hybrid_begin(&c->words, in, 1);
    return bytes_take_u32(&in, &len) && bytes_take(&in, len, &part) &&
           hybrid_begin(&c->words, part, 1);
}

/* Which encodings there are of what. */
bool values_begin(struct cursor *c, size_t n, struct bytes in, bool *ret_is_known)
{
    const enum physical p = c->leaf->physical;

    *ret_is_known = true;
    c->values = in;
    c->bit = 0;
    c->delta.n = c->prefixes.n = 0;
    switch (c->encoding) {
    case ENCODING_PLAIN:
        return true;
    case ENCODING_PLAIN_DICTIONARY:
    case ENCODING_DICTIONARY:
        if (p != PHYSICAL_BOOLEAN)
            return begin_words(c, in);
        break;
    case ENCODING_RLE:
        if (p == PHYSICAL_BOOLEAN)
            return begin_booleans(c, in);
        break;
    case ENCODING_DELTA:
        if (p == PHYSICAL_INT32 || p == PHYSICAL_INT64)
            return bytes_left(&in) == 0 || delta_begin(&c->delta, in);
        break;
    case ENCODING_DELTA_LENGTH:
        if (p == PHYSICAL_BYTES)
            return bytes_left(&in) == 0 || begin_lengths(c, n, in);
        break;
    case ENCODING_DELTA_TEXT:
        if (p == PHYSICAL_BYTES)
            return bytes_left(&in) == 0 || begin_prefixed(c, n, in);
        break;
    case ENCODING_SPLIT:
        if (c->leaf->width > 0) {
            c->n_split = bytes_left(&in) / c->leaf->width;
            c->at_split = 0;
            return bytes_left(&in) % c->leaf->width == 0;
        }
        break;
    default:
        break;
    }
    *ret_is_known = false;
    return false;
}

/* ---- levels and values ---- */

static bool take_levels(struct hybrid *h, int max, size_t n, uint32_t *ret)
{
    if (max == 0) {
        memset(ret, 0, n * sizeof(*ret));
        return true;
    }
    if (!hybrid_next(h, ret, n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (ret[i] > (uint32_t)max)
            return false;
    return true;
}

enum st cursor_levels(struct cursor *c, size_t n, uint32_t *ret_rep, uint32_t *ret_def,
                      struct err *err)
{
    assert(n <= c->page_left && n <= PARQUET_MAX_BATCH);
    c->page_left -= n;
    if ((ret_rep && !take_levels(&c->rep, c->leaf->max_rep, n, ret_rep)) ||
        !take_levels(&c->def, c->leaf->max_def, n, ret_def))
        return cursor_bad(c, err, "its levels end early, or are beyond the column's");
    return ST_OK;
}

static enum st take_words(struct cursor *c, size_t n, struct err *err)
{
    if (!hybrid_next(&c->words, c->scratch, n))
        return cursor_bad(c, err, "its values end early");
    for (size_t i = 0; i < n; i++)
        if (c->scratch[i] >= c->dictionary.n)
            return cursor_bad(c, err, "value %" PRIu32 " of a dictionary of %zu", c->scratch[i],
                              c->dictionary.n);
    return ST_OK;
}

static enum st take_booleans(struct cursor *c, size_t n, int64_t *ret, struct err *err)
{
    if (c->encoding == ENCODING_RLE) {
        if (!hybrid_next(&c->words, c->scratch, n))
            return cursor_bad(c, err, "its values end early");
        for (size_t i = 0; i < n; i++)
            ret[i] = c->scratch[i];
        return ST_OK;
    }
    if (n > bytes_left(&c->values) * 8 - c->bit)
        return cursor_bad(c, err, "its values end early");
    for (size_t i = 0; i < n; i++, c->bit++)
        ret[i] = c->values.at[c->bit / 8] >> c->bit % 8 & 1;
    return ST_OK;
}

static enum st take_split(struct cursor *c, size_t n, int64_t *ret, struct err *err)
{
    uint8_t plain[64];

    if (n > c->n_split - c->at_split)
        return cursor_bad(c, err, "its values end early");
    for (size_t i = 0; i < n; i++, c->at_split++) {
        for (size_t k = 0; k < c->leaf->width; k++)
            plain[k] = c->values.at[k * c->n_split + c->at_split];
        if (!leaf_value(c->leaf, plain, &ret[i]))
            return cursor_bad(c, err, "%s", leaf_why(c->leaf));
    }
    return ST_OK;
}

static enum st take_delta(struct cursor *c, size_t n, int64_t *ret, struct err *err)
{
    const bool is_short = c->leaf->physical == PHYSICAL_INT32;

    if (!delta_next(&c->delta, c->numbers, n))
        return cursor_bad(c, err, "its values end early");
    for (size_t i = 0; i < n; i++) {
        const int64_t stored = is_short ? (int32_t)c->numbers[i] : (int64_t)c->numbers[i];
        if (!leaf_mean(c->leaf, stored, &ret[i]))
            return cursor_bad(c, err, "%s", leaf_why(c->leaf));
    }
    return ST_OK;
}

enum st cursor_numbers(struct cursor *c, size_t n, int64_t *ret, struct err *err)
{
    enum st st;

    if (n == 0)
        return ST_OK;
    if (c->leaf->physical == PHYSICAL_BOOLEAN)
        return take_booleans(c, n, ret, err);
    switch (c->encoding) {
    case ENCODING_PLAIN:
        return cursor_take_numbers(c, &c->values, n, ret, err);
    case ENCODING_DELTA:
        return take_delta(c, n, ret, err);
    case ENCODING_SPLIT:
        return take_split(c, n, ret, err);
    default:
        break;
    }
    st = take_words(c, n, err);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        ret[i] = c->dictionary.numbers[c->scratch[i]];
    return st;
}

/* ---- texts ---- */

static enum st take_lengthed(struct cursor *c, size_t n, struct str *ret, struct err *err)
{
    struct bytes text;

    if (!delta_next(&c->delta, c->numbers, n))
        return cursor_bad(c, err, "its values end early");
    for (size_t i = 0; i < n; i++) {
        if (c->numbers[i] > bytes_left(&c->values) ||
            !bytes_take(&c->values, (size_t)c->numbers[i], &text))
            return cursor_bad(c, err, "its texts end early");
        ret[i] = (struct str){(const char *)text.at, bytes_left(&text)};
    }
    return ST_OK;
}

/* Each text: so many bytes of the one before, and a rest. */
static enum st take_prefixed(struct cursor *c, size_t n, struct str *ret, struct err *err)
{
    enum st st = take_lengthed(c, n, ret, err);
    if (st != ST_OK)
        return st;
    if (!delta_next(&c->prefixes, c->numbers, n))
        return cursor_bad(c, err, "its values end early");
    buf_clear(&c->texts);
    for (size_t i = 0; i < n; i++) {
        if (c->numbers[i] > c->before.len)
            return cursor_bad(c, err, "a prefix is longer than the text before");
        c->before.len = (size_t)c->numbers[i];
        buf_add_str(&c->before, ret[i]);
        ret[i].len = c->before.len;
        buf_add_str(&c->texts, buf_str(&c->before));
        if (c->before.is_overflow || c->texts.is_overflow)
            return cursor_bad(c, err, "its texts have more than %zu bytes", c->texts.max);
    }
    const char *at = buf_z(&c->texts);
    for (size_t i = 0; i < n; at += ret[i++].len)
        ret[i].p = at;
    return ST_OK;
}

enum st cursor_texts(struct cursor *c, size_t n, struct str *ret, struct err *err)
{
    enum st st = ST_OK;

    if (n == 0)
        return ST_OK;
    if (c->encoding == ENCODING_PLAIN) {
        for (size_t i = 0; st == ST_OK && i < n; i++)
            st = cursor_take_text(c, &c->values, &ret[i], err);
        return st;
    }
    if (c->encoding == ENCODING_DELTA_LENGTH || c->encoding == ENCODING_DELTA_TEXT) {
        st = c->encoding == ENCODING_DELTA_TEXT ? take_prefixed(c, n, ret, err)
                                                : take_lengthed(c, n, ret, err);
        for (size_t i = 0; st == ST_OK && i < n; i++)
            if (!is_text(ret[i]))
                st = cursor_bad(c, err, NOT_TEXT);
        return st;
    }
    st = take_words(c, n, err);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        ret[i] = c->dictionary.texts[c->scratch[i]];
    return st;
}
