/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "parquet/chunk.h"
#include "parquet/encode.h"
#include "parquet/thrift.h"

#include <assert.h>
#include <endian.h>
#include <zlib.h>

#define MAX_PAGE   ((size_t)1 << 30) /* bytes; the format has 31 bits for it */
#define MAX_CHUNK  ((size_t)1 << 32)
#define MAX_BOUND  64 /* bytes of a text; longer ones are cut */
#define MAX_BOUNDS ((size_t)64 * 1024 * 1024)
#define ALIKE      4  /* a dictionary pays when each value is there that often */
#define PIECES     64 /* of values that are looked at first, */
#define IN_PIECE   64
#define MATCH      5 /* bytes: numbers share their upper ones. Level 1 has 7 for pages of this size */
#define TRIED      8192 /* values, to choose an encoding */

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "PLAIN is memory as it is");

enum { PAGE_DATA = 0, PAGE_DICTIONARY = 2 }; /* as the format numbers them */

void pager_init(struct pager *p, size_t max_rows, size_t page_rows, int level)
{
    *p = (struct pager){
        .page_rows = page_rows, .raw = BUF_INIT(MAX_PAGE), .trial = BUF_INIT(MAX_PAGE)};
    p->zstd = ZSTD_createCCtx();
    assert(p->zstd);
    ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_minMatch, MATCH);
    p->words = mem_new(max_rows, sizeof(*p->words));
    p->levels = mem_new(page_rows, sizeof(*p->levels));
    p->distinct = mem_new(max_rows / ALIKE + 1, sizeof(*p->distinct));
    p->seen = mem_new(max_rows, sizeof(*p->seen));
    for (p->n_slots = 2; p->n_slots < max_rows / ALIKE * 2;)
        p->n_slots *= 2;
    p->slots = mem_new(p->n_slots, sizeof(*p->slots));
}

void pager_release(struct pager *p)
{
    ZSTD_freeCCtx(p->zstd);
    buf_release(&p->raw);
    buf_release(&p->trial);
    mem_free(p->words);
    mem_free(p->levels);
    mem_free(p->distinct);
    mem_free(p->seen);
    mem_free(p->slots);
}

void pages_init(struct pages *p, size_t max_rows, size_t page_rows)
{
    *p = (struct pages){.bytes = BUF_INIT(MAX_CHUNK), .bounds = BUF_INIT(MAX_BOUNDS)};
    p->page = mem_new(max_rows / page_rows + 1, sizeof(*p->page));
    p->ends = mem_new(max_rows / page_rows + 1, 2 * sizeof(*p->ends));
}

void pages_release(struct pages *p)
{
    buf_release(&p->bytes);
    buf_release(&p->bounds);
    mem_free(p->page);
    mem_free(p->ends);
}

/* ---- what is there how often ---- */

static struct str text_at(const struct chunk *c, size_t i)
{
    const size_t begin = i > 0 ? c->ends[i - 1] : 0;

    return (struct str){c->text.p + begin, c->ends[i] - begin};
}

static size_t slot_of(const struct pager *p, uint64_t value)
{
    const size_t mask = p->n_slots - 1;
    size_t at = (value * UINT64_C(0x9E3779B97F4A7C15) >> 32) & mask;

    while (p->slots[at] != 0 && p->distinct[p->slots[at] - 1] != value)
        at = (at + 1) & mask;
    return at;
}

/* True: a sample of runs says that far more values differ than a dictionary may have, so that
 * nobody need look at all of them. Of r runs of D values that are as likely, some r * r / 2D have
 * one that was there before; there are D at most, and at most as many as runs. */
static bool has_too_many(struct pager *p, const struct chunk *c)
{
    const size_t step = c->n_values / PIECES, max = c->n_values / ALIKE;
    size_t n_runs = 0, n = 0;

    if (step < 2 * IN_PIECE)
        return false;
    for (size_t i = 0; i < PIECES * IN_PIECE; i++) {
        const uint64_t *value = &c->values[i / IN_PIECE * step + i % IN_PIECE];
        if (i % IN_PIECE > 0 && *value == value[-1])
            continue;
        n_runs++;
        const size_t at = slot_of(p, *value);
        if (p->slots[at] != 0)
            continue;
        p->distinct[n++] = *value;
        p->slots[at] = (uint32_t)n;
    }
    const size_t all_runs = n_runs * (c->n_values / (PIECES * IN_PIECE));
    memset(p->slots, 0, p->n_slots * sizeof(*p->slots));
    return all_runs > max + max / 5 && (n_runs - n) * 4 * max < n_runs * n_runs;
}

/* Number the distinct values, unless there are too many for a dictionary. */
static bool number_values(struct pager *p, const struct chunk *c, size_t *ret_n)
{
    const size_t max = c->n_values / ALIKE;
    size_t n = 0;

    memset(p->slots, 0, p->n_slots * sizeof(*p->slots));
    if (has_too_many(p, c))
        return false;
    for (size_t i = 0; i < c->n_values; i++) {
        const uint64_t value = c->values[i];
        if (i > 0 && value == c->values[i - 1]) {
            p->words[i] = p->words[i - 1];
            continue;
        }
        const size_t at = slot_of(p, value);
        if (p->slots[at] == 0) {
            if (n == max)
                return false;
            p->distinct[n++] = value;
            p->slots[at] = (uint32_t)n;
        }
        p->words[i] = p->slots[at] - 1;
    }
    *ret_n = n;
    return true;
}

/* ---- bounds ---- */

/* Of a text the first bytes, whole characters. A greatest one is made greater: its last character
 * that is ASCII and not DEL is the next one. False: there is none. */
static bool cut_bound(struct str *text, bool is_max, char *ret_last)
{
    struct str cut = {text->p, MAX_BOUND};

    cut.len = str_utf8_prefix(cut);
    if (is_max) {
        while (cut.len > 0 && (unsigned char)cut.p[cut.len - 1] >= 0x7f)
            cut.len--;
        if (cut.len == 0)
            return false;
        *ret_last = (char)(cut.p[cut.len - 1] + 1);
    }
    *text = cut;
    return true;
}

static struct bound add_bound(struct pages *pages, struct str value, bool is_text, bool is_max)
{
    struct bound bound = {.begin = pages->bounds.len, .is_exact = true};
    char last = 0;

    if (is_text && value.len > MAX_BOUND && cut_bound(&value, is_max, &last))
        bound.is_exact = false;
    buf_add_str(&pages->bounds, value);
    bound.len = value.len;
    if (!bound.is_exact && is_max && !pages->bounds.is_overflow)
        pages->bounds.p[pages->bounds.len - 1] = last;
    return bound;
}

static void set_bounds(struct pages *pages, struct page *page, struct str min, struct str max,
                       bool is_text)
{
    page->has_bounds = true;
    page->min = add_bound(pages, min, is_text, false);
    page->max = add_bound(pages, max, is_text, true);
}

/* Bounds of four parts at a time: a processor need not wait for each comparison. 0 is written as -0
 * below and +0 above, whichever it was: readers need not tell them apart. */
static void bound_doubles(struct pages *pages, struct page *page, const uint64_t *values, size_t n)
{
    double min[4], max[4], x[4];
    size_t i = 0;

    for (int k = 0; k < 4; k++) {
        memcpy(&min[k], values, sizeof(min[k]));
        max[k] = min[k];
    }
    for (; i + 4 <= n; i += 4) {
        memcpy(x, &values[i], sizeof(x));
        for (int k = 0; k < 4; k++) {
            min[k] = x[k] < min[k] ? x[k] : min[k];
            max[k] = x[k] > max[k] ? x[k] : max[k];
        }
    }
    for (; i < n; i++) {
        memcpy(x, &values[i], sizeof(x[0]));
        min[0] = x[0] < min[0] ? x[0] : min[0];
        max[0] = x[0] > max[0] ? x[0] : max[0];
    }
    for (int k = 1; k < 4; k++) {
        min[0] = min[k] < min[0] ? min[k] : min[0];
        max[0] = max[k] > max[0] ? max[k] : max[0];
    }
    min[0] = min[0] == 0 ? -0.0 : min[0];
    max[0] = max[0] == 0 ? 0.0 : max[0];
    set_bounds(pages, page, (struct str){(const char *)min, sizeof(min[0])},
               (struct str){(const char *)max, sizeof(max[0])}, false);
}

static void bound_numbers(struct pages *pages, struct page *page, const uint64_t *values, size_t n)
{
    int64_t min = (int64_t)values[0], max = min;

    for (size_t i = 1; i < n; i++) {
        const int64_t x = (int64_t)values[i];
        min = x < min ? x : min;
        max = x > max ? x : max;
    }
    set_bounds(pages, page, (struct str){(const char *)&min, sizeof(min)},
               (struct str){(const char *)&max, sizeof(max)}, false);
}

/* seen: by text, the page that has looked at it last, from 1. */
static void bound_texts(struct pages *pages, struct page *page, const struct chunk *c,
                        const uint32_t *words, size_t n, uint32_t *seen, uint32_t mark)
{
    struct str min = text_at(c, words[0]), max = min;

    for (size_t i = 1; i < n; i++) {
        if (seen[words[i]] == mark)
            continue;
        seen[words[i]] = mark;
        const struct str x = text_at(c, words[i]);
        min = str_cmp(x, min) < 0 ? x : min;
        max = str_cmp(x, max) > 0 ? x : max;
    }
    set_bounds(pages, page, min, max, true);
}

/* Of some values, from the first on; mark: see bound_texts(). */
static void bound(struct pager *p, struct pages *pages, struct page *page, const struct chunk *c,
                  size_t first, size_t n, uint32_t mark)
{
    if (n == 0)
        page->has_bounds = false;
    else if (c->kind == PARQUET_TEXT)
        bound_texts(pages, page, c, c->words + first, n, p->seen, mark);
    else if (c->kind == PARQUET_DOUBLE)
        bound_doubles(pages, page, c->values + first, n);
    else
        bound_numbers(pages, page, c->values + first, n);
}

/* Of all pages: numbers are those of their pages, texts are there once each. */
static void bound_all(struct pages *pages, const struct chunk *c)
{
    struct page *all = &pages->all;
    struct str min, max;
    size_t n = 0;

    if (c->n_values == 0) {
        all->has_bounds = false;
    } else if (c->kind == PARQUET_TEXT) {
        min = max = text_at(c, 0);
        for (size_t i = 1; i < c->n_texts; i++) {
            const struct str x = text_at(c, i);
            min = str_cmp(x, min) < 0 ? x : min;
            max = str_cmp(x, max) > 0 ? x : max;
        }
        set_bounds(pages, all, min, max, true);
    } else if (!pages->bounds.is_overflow) {
        for (size_t i = 0; i < pages->n; i++) {
            if (!pages->page[i].has_bounds)
                continue;
            memcpy(&pages->ends[n++], pages->bounds.p + pages->page[i].min.begin, 8);
            memcpy(&pages->ends[n++], pages->bounds.p + pages->page[i].max.begin, 8);
        }
        if (c->kind == PARQUET_DOUBLE)
            bound_doubles(pages, all, pages->ends, n);
        else
            bound_numbers(pages, all, pages->ends, n);
    }
}

/* ---- pages ---- */

struct page_header {
    int type;
    enum parquet_encoding encoding;
    size_t raw_len, len, n;
    uint32_t crc;
};

static void add_header(struct buf *b, const struct page_header *h)
{
    struct thrift t = thrift_of(b);

    thrift_i32(&t, 1, h->type);
    thrift_i32(&t, 2, (int32_t)h->raw_len);
    thrift_i32(&t, 3, (int32_t)h->len);
    thrift_i32(&t, 4, (int32_t)h->crc);
    thrift_struct(&t, h->type == PAGE_DATA ? 5 : 7);
    thrift_i32(&t, 1, (int32_t)h->n);
    thrift_i32(&t, 2, (int32_t)h->encoding);
    if (h->type == PAGE_DATA) {
        thrift_i32(&t, 3, PARQUET_RLE); /* of what is null */
        thrift_i32(&t, 4, PARQUET_RLE); /* of repetition, which there is not */
    }
    thrift_end(&t);
    thrift_end(&t);
}

/* The page whose bytes are in p->raw, compressed. */
static enum st add_page(struct pager *p, struct pages *pages, struct page_header h, struct err *err)
{
    enum st st = buf_check(&p->raw, "a page", err);
    if (st != ST_OK)
        return st;
    buf_clear(&p->trial);
    char *room = buf_room(&p->trial, ZSTD_compressBound(p->raw.len));
    if (room == NULL)
        return buf_check(&p->trial, "a page", err);
    const size_t len =
        ZSTD_compress2(p->zstd, room, ZSTD_compressBound(p->raw.len), p->raw.p, p->raw.len);
    if (ZSTD_isError(len))
        return err_set(err, ST_REJECT, "zstd: %s", ZSTD_getErrorName(len));
    h.raw_len = p->raw.len;
    h.len = len;
    h.crc = (uint32_t)crc32_z(0, (const unsigned char *)room, len);
    const size_t at = pages->bytes.len;
    add_header(&pages->bytes, &h);
    pages->raw_len += pages->bytes.len - at + p->raw.len;
    buf_add(&pages->bytes, room, len);
    return buf_check(&pages->bytes, "a column of a row group", err);
}

static void add_plain_text(struct buf *b, struct str text)
{
    const uint32_t len = (uint32_t)text.len;

    buf_add(b, &len, sizeof(len));
    buf_add_str(b, text);
}

static enum st add_dictionary(struct pager *p, const struct chunk *c, size_t n, struct pages *pages,
                              struct err *err)
{
    buf_clear(&p->raw);
    if (c->kind == PARQUET_TEXT)
        for (size_t i = 0; i < n; i++)
            add_plain_text(&p->raw, text_at(c, i));
    else
        buf_add(&p->raw, p->distinct, n * sizeof(*p->distinct));
    enum st st = add_page(
        p, pages, (struct page_header){.type = PAGE_DICTIONARY, .encoding = PARQUET_PLAIN, .n = n},
        err);
    pages->has_dictionary = true;
    pages->dictionary_len = pages->bytes.len;
    return st;
}

static void add_values(struct pager *p, const struct chunk *c, enum parquet_encoding encoding,
                       const uint32_t *words, int bits, size_t first, size_t n)
{
    if (encoding == PARQUET_DICTIONARY) {
        buf_add_char(&p->raw, (char)bits);
        encode_hybrid(&p->raw, words + first, n, bits);
    } else if (encoding == PARQUET_DELTA) {
        encode_delta(&p->raw, c->values + first, n);
    } else if (c->kind != PARQUET_TEXT) {
        buf_add(&p->raw, c->values + first, n * sizeof(*c->values));
    } else {
        for (size_t i = 0; i < n; i++)
            add_plain_text(&p->raw, text_at(c, c->words[first + i]));
    }
}

/* Which rows are null: in front of the values, with its length. */
static void add_levels(struct pager *p, const uint8_t *is_there, size_t n, size_t n_there)
{
    struct buf *b = &p->raw;
    const size_t at = b->len;
    uint32_t len = 0;

    buf_add(b, &len, sizeof(len));
    if (n_there == n || n_there == 0) {
        encode_run(b, n_there > 0, n, 1);
    } else {
        for (size_t i = 0; i < n; i++)
            p->levels[i] = is_there[i];
        encode_hybrid(b, p->levels, n, 1);
    }
    len = (uint32_t)(b->len - at - sizeof(len));
    if (!b->is_overflow)
        memcpy(b->p + at, &len, sizeof(len));
}

/* Numbers that no dictionary suits: by differences where these are smaller, as a try with the first
 * ones tells. */
static enum parquet_encoding try_delta(struct pager *p, const struct chunk *c)
{
    const size_t n = c->n_values < TRIED ? c->n_values : TRIED;
    size_t len[2];

    for (int i = 0; i < 2; i++) {
        buf_clear(&p->raw);
        buf_clear(&p->trial);
        add_values(p, c, i == 0 ? PARQUET_PLAIN : PARQUET_DELTA, NULL, 0, 0, n);
        const size_t max = ZSTD_compressBound(p->raw.len);
        char *room = buf_room(&p->trial, max);
        len[i] = room ? ZSTD_compress2(p->zstd, room, max, p->raw.p, p->raw.len) : 0;
    }
    return len[1] < len[0] ? PARQUET_DELTA : PARQUET_PLAIN;
}

/* ret_words: which of the distinct values each is, where there is a dictionary of ret_n of them. */
static enum parquet_encoding choose(struct pager *p, const struct chunk *c,
                                    const uint32_t **ret_words, size_t *ret_n)
{
    *ret_words = c->kind == PARQUET_TEXT ? c->words : p->words;
    *ret_n = c->n_texts;
    if (c->n_values == 0)
        return PARQUET_PLAIN;
    if (c->kind == PARQUET_TEXT)
        return c->n_texts <= c->n_values / 2 ? PARQUET_DICTIONARY : PARQUET_PLAIN;
    if (number_values(p, c, ret_n))
        return PARQUET_DICTIONARY;
    return c->kind == PARQUET_DOUBLE ? PARQUET_PLAIN : try_delta(p, c);
}

static size_t count(const uint8_t *is_there, size_t n)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += is_there[i];
    return sum;
}

enum st pager_make(struct pager *p, const struct chunk *c, struct pages *ret, struct err *err)
{
    const uint32_t *words;
    size_t n_distinct, value = 0;
    enum st st = ST_OK;

    buf_clear(&ret->bytes);
    buf_clear(&ret->bounds);
    ret->raw_len = ret->n = ret->dictionary_len = 0;
    ret->has_dictionary = false;
    ret->encoding = choose(p, c, &words, &n_distinct);
    if (c->kind == PARQUET_TEXT)
        memset(p->seen, 0, c->n_texts * sizeof(*p->seen));
    const int bits = n_distinct > 0 ? encode_bits(n_distinct - 1) : 0;
    if (ret->encoding == PARQUET_DICTIONARY)
        st = add_dictionary(p, c, n_distinct, ret, err);
    for (size_t row = 0; st == ST_OK && row < c->n_rows; row += p->page_rows) {
        struct page *page = &ret->page[ret->n++];
        const size_t left = c->n_rows - row;
        const size_t n_rows = left < p->page_rows ? left : p->page_rows;
        const size_t n = count(c->is_there + row, n_rows);
        *page = (struct page){
            .at = ret->bytes.len, .first_row = row, .n_rows = n_rows, .n_nulls = n_rows - n};
        bound(p, ret, page, c, value, n, (uint32_t)ret->n);
        buf_clear(&p->raw);
        add_levels(p, c->is_there + row, n_rows, n);
        add_values(p, c, ret->encoding, words, bits, value, n);
        st = add_page(
            p, ret, (struct page_header){.type = PAGE_DATA, .encoding = ret->encoding, .n = n_rows},
            err);
        page->len = ret->bytes.len - page->at;
        value += n;
    }
    ret->all = (struct page){.n_rows = c->n_rows, .n_nulls = c->n_rows - c->n_values};
    bound_all(ret, c);
    return st == ST_OK ? buf_check(&ret->bounds, "bounds of a column", err) : st;
}
