/* Parquet's encodings, read from bytes that nobody vouches for: false is returned where these end
 * too early, or are none of the encoding. See encode.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PARQUET_DECODE_H
#define PARQUET_DECODE_H

#include "base/buf.h"

struct bytes {
    const uint8_t *at, *end;
};

static inline size_t bytes_left(const struct bytes *b)
{
    return (size_t)(b->end - b->at);
}

/* The next len bytes of b; false: it has not as many. */
bool bytes_take(struct bytes *b, size_t len, struct bytes *ret) MUST_USE;

/* A number of four bytes, the lowest first. */
bool bytes_take_u32(struct bytes *b, uint32_t *ret) MUST_USE;

/* ---- RLE / bit packing hybrid ---- */

struct hybrid {
    struct bytes in;
    int bits;        /* 0..32 */
    uint64_t n_left; /* of the run at hand */
    bool is_packed;
    uint32_t value;
    const uint8_t *packed;
    uint64_t bit; /* of packed */
};

bool hybrid_begin(struct hybrid *h, struct bytes in, int bits) MUST_USE;
bool hybrid_next(struct hybrid *h, uint32_t *ret, size_t n) MUST_USE;

/* ---- DELTA_BINARY_PACKED ---- */

struct delta {
    struct bytes in;
    uint64_t n; /* values, as the encoding says */
    uint64_t in_miniblock, n_miniblocks;
    bool is_first;
    uint64_t last, least;
    const uint8_t *widths; /* of the miniblocks of the block at hand, from miniblock on */
    uint64_t miniblocks_left;
    const uint8_t *packed;
    int bits;
    uint64_t bit, values_left; /* of the miniblock at hand */
};

bool delta_begin(struct delta *d, struct bytes in) MUST_USE;
/* At most d->n in all. */
bool delta_next(struct delta *d, uint64_t *ret, size_t n) MUST_USE;
/* Where what follows it begins, once all values were taken. */
static inline struct bytes delta_rest(const struct delta *d)
{
    return d->in;
}

#endif
