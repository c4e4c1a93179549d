/* One column of a row group: its values are gathered, then encoded as pages with their bounds. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PARQUET_CHUNK_H
#define PARQUET_CHUNK_H

#include "base/buf.h"

#include <zstd.h>

enum parquet_kind { PARQUET_INT, PARQUET_TIME, PARQUET_DOUBLE, PARQUET_TEXT };

/* As the format numbers them. */
enum parquet_encoding {
    PARQUET_PLAIN = 0,
    PARQUET_RLE = 3,
    PARQUET_DELTA = 5,
    PARQUET_DICTIONARY = 8,
};

struct chunk {
    enum parquet_kind kind;
    uint8_t *is_there; /* by row: 1, or 0 for null */
    size_t n_rows, n_values;

    uint64_t *values; /* INT, TIME: the number; DOUBLE: its bits */

    uint32_t *words; /* TEXT: which of the texts */
    struct buf text; /* each text once, one behind the other */
    size_t *ends;    /* in text */
    size_t n_texts;
    uint32_t *slots; /* hash table: text + 1 */
    size_t n_slots;
};

void chunk_init(struct chunk *c, enum parquet_kind kind, size_t max_rows);
void chunk_release(struct chunk *c);
void chunk_clear(struct chunk *c);

/* The next row; at most max_rows of them. */
static inline void chunk_add_null(struct chunk *c)
{
    c->is_there[c->n_rows++] = 0;
}

static inline void chunk_add_number(struct chunk *c, int64_t value)
{
    c->is_there[c->n_rows++] = 1;
    c->values[c->n_values++] = (uint64_t)value;
}

static inline void chunk_add_double(struct chunk *c, double value)
{
    c->is_there[c->n_rows++] = 1;
    memcpy(&c->values[c->n_values++], &value, sizeof(value));
}

/* Returns its bytes, 0 when the chunk has that text already; text.is_overflow: it has no room. */
size_t chunk_add_text(struct chunk *c, struct str text);

/* The text of the row before once more. */
static inline void chunk_add_again(struct chunk *c)
{
    c->is_there[c->n_rows++] = 1;
    c->words[c->n_values] = c->words[c->n_values - 1];
    c->n_values++;
}

/* Order of a row (not the first) and the one before: <0 when it is the greater one; with nulls in
 * the chunk there is none. */
int chunk_order(const struct chunk *c, size_t row);

/* ---- pages ---- */

/* Bytes of a value as statistics have it: PLAIN, without a length; a prefix of a long text. */
struct bound {
    size_t begin, len; /* in bounds->bytes */
    bool is_exact;
};

struct page {
    size_t at, len; /* in the chunk's bytes, header too */
    size_t first_row, n_rows, n_nulls;
    bool has_bounds;
    struct bound min, max;
};

struct pages {
    struct buf bytes; /* of the chunk, as the file has them */
    size_t raw_len;   /* uncompressed, headers too */
    enum parquet_encoding encoding;
    bool has_dictionary;
    size_t dictionary_len; /* of that page; the pages of data follow it */
    struct page *page;
    size_t n;
    struct page all; /* bounds and nulls of all of them */
    uint64_t *ends;  /* scratch: their bounds */
    struct buf bounds;
};

/* What makes pages, and its scratch memory; one serves all columns. */
struct pager {
    size_t page_rows;
    ZSTD_CCtx *zstd;
    struct buf raw, trial;
    uint32_t *words;  /* of numbers: which of the distinct ones */
    uint32_t *levels; /* of a page: see chunk.is_there */
    uint64_t *distinct;
    uint32_t *slots, *seen;
    size_t n_slots;
};

/* Threads: one. level: zstd's. */
void pager_init(struct pager *p, size_t max_rows, size_t page_rows, int level);
void pager_release(struct pager *p);

void pages_init(struct pages *p, size_t max_rows, size_t page_rows);
void pages_release(struct pages *p);

/* Encode and compress. ST_REJECT: a page beyond what the format can hold, or no memory. */
enum st pager_make(struct pager *p, const struct chunk *c, struct pages *ret,
                   struct err *err) MUST_USE;

#endif
