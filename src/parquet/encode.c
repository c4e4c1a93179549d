/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/encode.h"

#include "parquet/thrift.h"

#include <endian.h>

#define MIN_RUN 8 /* values; packed ones come by eight, too */

/* Of DELTA_BINARY_PACKED, as every writer has them. */
#define BLOCK        128
#define MINIBLOCKS   4
#define IN_MINIBLOCK (BLOCK / MINIBLOCKS)

int encode_bits(uint64_t max)
{
    return max == 0 ? 0 : 64 - __builtin_clzll(max);
}

/* A stream of bits, the lowest first, that ends on a whole byte. */
struct packer {
    unsigned char *at;
    uint64_t word;
    int have; /* bits of word */
};

static void pack(struct packer *p, uint64_t value, int bits)
{
    p->word |= value << p->have;
    if (p->have + bits < 64) {
        p->have += bits;
        return;
    }
    const uint64_t little = htole64(p->word);
    memcpy(p->at, &little, sizeof(little));
    p->at += sizeof(little);
    const int used = 64 - p->have; /* of value */
    p->word = used < 64 ? value >> used : 0;
    p->have = bits - used;
}

static void pack_end(struct packer *p)
{
    for (; p->have > 0; p->have -= 8) {
        *p->at++ = (unsigned char)p->word;
        p->word >>= 8;
    }
}

/* Values packed by eight; those that lack at the end are 0. */
static void add_packed(struct buf *b, const uint32_t *values, size_t n, int bits)
{
    const size_t n_eights = (n + 7) / 8, len = n_eights * (size_t)bits;

    if (n == 0)
        return;
    varint_add(b, n_eights << 1 | 1);
    char *room = buf_room(b, len + 1);
    if (room == NULL || len == 0)
        return;
    struct packer p = {.at = (unsigned char *)room};
    for (size_t i = 0; i < n; i++)
        pack(&p, values[i], bits);
    for (size_t i = n; i < n_eights * 8; i++)
        pack(&p, 0, bits);
    pack_end(&p);
    buf_added(b, len);
}

void encode_run(struct buf *b, uint32_t value, size_t n, int bits)
{
    varint_add(b, n << 1);
    for (int i = 0; i < bits; i += 8, value >>= 8)
        buf_add_char(b, (char)value);
}

void encode_hybrid(struct buf *b, const uint32_t *values, size_t n, int bits)
{
    size_t begin = 0; /* of what is to be packed */

    for (size_t i = 0; i < n;) {
        const size_t beside = (i - begin) % 8; /* packed ones end at a multiple of eight only */
        size_t run = 1;
        while (i + run < n && values[i + run] == values[i])
            run++;
        if (beside != 0) {
            i += run < 8 - beside ? run : 8 - beside;
        } else if (run < MIN_RUN) {
            i += run;
        } else {
            add_packed(b, values + begin, i - begin, bits);
            encode_run(b, values[i], run, bits);
            i += run;
            begin = i;
        }
    }
    add_packed(b, values + begin, n - begin, bits);
}

/* n differences, from values[0] to values[1] on. */
static void add_block(struct buf *b, const uint64_t *values, size_t n)
{
    uint64_t deltas[BLOCK] = {0};
    unsigned char bits[MINIBLOCKS] = {0};
    int64_t least = INT64_MAX;

    for (size_t i = 0; i < n; i++) {
        deltas[i] = values[i + 1] - values[i];
        if ((int64_t)deltas[i] < least)
            least = (int64_t)deltas[i];
    }
    for (size_t i = 0; i < n; i++)
        deltas[i] -= (uint64_t)least;
    for (size_t m = 0; m * IN_MINIBLOCK < n; m++) {
        uint64_t all = 0;
        for (size_t i = 0; i < IN_MINIBLOCK; i++)
            all |= deltas[m * IN_MINIBLOCK + i];
        bits[m] = (unsigned char)encode_bits(all);
    }
    varint_add(b, zigzag(least));
    buf_add(b, bits, sizeof(bits));
    for (size_t m = 0; m * IN_MINIBLOCK < n; m++) {
        unsigned char bytes[IN_MINIBLOCK * 8];
        struct packer p = {.at = bytes};
        for (size_t i = 0; i < IN_MINIBLOCK; i++)
            pack(&p, deltas[m * IN_MINIBLOCK + i], bits[m]);
        pack_end(&p);
        buf_add(b, bytes, (size_t)(p.at - bytes));
    }
}

void encode_delta(struct buf *b, const uint64_t *values, size_t n)
{
    varint_add(b, BLOCK);
    varint_add(b, MINIBLOCKS);
    varint_add(b, n);
    varint_add(b, zigzag(n > 0 ? (int64_t)values[0] : 0));
    for (size_t i = 0; i + 1 < n; i += BLOCK)
        add_block(b, values + i, n - 1 - i < BLOCK ? n - 1 - i : BLOCK);
}
