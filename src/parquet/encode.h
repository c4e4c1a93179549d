/* Parquet's encodings of integers. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PARQUET_ENCODE_H
#define PARQUET_ENCODE_H

#include "base/buf.h"

/* Bits that hold every number up to max. */
int encode_bits(uint64_t max);

/* RLE / bit packing hybrid of numbers of so many bits (0..32): runs of eight and more as runs, what
 * lies between them packed. Without a length in front. */
void encode_hybrid(struct buf *b, const uint32_t *values, size_t n, int bits);

/* A run of it: n times the same number. */
void encode_run(struct buf *b, uint32_t value, size_t n, int bits);

/* DELTA_BINARY_PACKED: differences, less the smallest of their block, packed. Any values: sums wrap
 * around. */
void encode_delta(struct buf *b, const uint64_t *values, size_t n);

#endif
