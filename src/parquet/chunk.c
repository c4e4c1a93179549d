/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/chunk.h"

#include "base/mem.h"

#include <assert.h>
#include <xxhash.h>

#define MAX_TEXT    ((size_t)1 << 30) /* of a row group; a page's sizes are 31 bits */
#define FIRST_SLOTS 1024

void chunk_init(struct chunk *c, enum parquet_kind kind, size_t max_rows)
{
    *c = (struct chunk){.kind = kind, .text = BUF_INIT(MAX_TEXT)};
    c->is_there = mem_new(max_rows, sizeof(*c->is_there));
    if (kind != PARQUET_TEXT) {
        c->values = mem_new(max_rows, sizeof(*c->values));
        return;
    }
    c->words = mem_new(max_rows, sizeof(*c->words));
    c->ends = mem_new(max_rows, sizeof(*c->ends));
    c->n_slots = FIRST_SLOTS;
    c->slots = mem_new(c->n_slots, sizeof(*c->slots));
}

void chunk_release(struct chunk *c)
{
    buf_release(&c->text);
    mem_free(c->is_there);
    mem_free(c->values);
    mem_free(c->words);
    mem_free(c->ends);
    mem_free(c->slots);
}

void chunk_clear(struct chunk *c)
{
    buf_clear(&c->text);
    c->n_rows = c->n_values = c->n_texts = 0;
    if (c->slots)
        memset(c->slots, 0, c->n_slots * sizeof(*c->slots));
}

/* ---- texts, each once ---- */

static struct str text_at(const struct chunk *c, size_t i)
{
    const size_t begin = i > 0 ? c->ends[i - 1] : 0;

    return (struct str){c->text.p + begin, c->ends[i] - begin};
}

/* Where the text is, or goes. */
static uint32_t *find_slot(const struct chunk *c, struct str text)
{
    size_t at = XXH3_64bits(text.p, text.len) & (c->n_slots - 1);

    while (c->slots[at] != 0 && !str_eq(text_at(c, c->slots[at] - 1), text))
        at = (at + 1) & (c->n_slots - 1);
    return &c->slots[at];
}

static void grow(struct chunk *c)
{
    mem_free(c->slots);
    c->n_slots *= 2;
    c->slots = mem_new(c->n_slots, sizeof(*c->slots));
    for (size_t i = 0; i < c->n_texts; i++)
        *find_slot(c, text_at(c, i)) = (uint32_t)i + 1;
}

static uint32_t word_of(struct chunk *c, struct str text)
{
    /* rows of a coin follow each other, or its texts are those of the row before */
    if (c->n_values > 0 && str_eq(text_at(c, c->words[c->n_values - 1]), text))
        return c->words[c->n_values - 1];
    if (c->n_texts * 2 >= c->n_slots)
        grow(c);
    uint32_t *slot = find_slot(c, text);
    if (*slot == 0) {
        buf_add_str(&c->text, text);
        c->ends[c->n_texts] = c->text.len;
        *slot = (uint32_t)++c->n_texts;
    }
    return *slot - 1; /* after an overflow nobody looks at it any more */
}

size_t chunk_add_text(struct chunk *c, struct str text)
{
    const size_t len = c->text.len;
    const uint32_t word = word_of(c, text);

    c->is_there[c->n_rows++] = 1;
    c->words[c->n_values++] = word;
    return c->text.len - len + c->text.is_overflow;
}

int chunk_order(const struct chunk *c, size_t row)
{
    if (c->n_values != c->n_rows)
        return 1;
    if (c->kind == PARQUET_TEXT)
        return c->words[row - 1] == c->words[row]
                   ? 0
                   : str_cmp(text_at(c, c->words[row - 1]), text_at(c, c->words[row]));
    assert(c->kind != PARQUET_DOUBLE);
    const int64_t a = (int64_t)c->values[row - 1], b = (int64_t)c->values[row];
    return (a > b) - (a < b);
}
