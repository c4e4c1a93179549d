/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/decode.h"

#include "parquet/thrift.h"

#include <endian.h>

#define MAX_BLOCK      65536 /* values; writers have 128 to 2048 */
#define MAX_MINIBLOCKS 512

bool bytes_take(struct bytes *b, size_t len, struct bytes *ret)
{
    if (len > bytes_left(b))
        return false;
    *ret = (struct bytes){b->at, b->at + len};
    b->at += len;
    return true;
}

bool bytes_take_u32(struct bytes *b, uint32_t *ret)
{
    struct bytes four;
    uint32_t little;

    if (!bytes_take(b, sizeof(little), &four))
        return false;
    memcpy(&little, four.at, sizeof(little));
    *ret = le32toh(little);
    return true;
}

static bool take_varint(struct bytes *b, uint64_t *ret)
{
    struct thrift_in t = {.at = b->at, .end = b->end};

    *ret = varint_get(&t);
    b->at = t.at;
    return !t.is_bad;
}

/* So many bits (0..64) from a bit on; end: of all bytes that may be looked at. */
static uint64_t get_bits(const uint8_t *packed, const uint8_t *end, uint64_t bit, int bits)
{
    const uint8_t *at = packed + bit / 8;
    const int shift = (int)(bit % 8);
    uint64_t word = 0, above = 0;

    if (bits == 0)
        return 0;
    const size_t left = (size_t)(end - at);
    memcpy(&word, at, left < sizeof(word) ? left : sizeof(word));
    word = le64toh(word) >> shift;
    if (shift > 0 && bits + shift > 64) {
        above = at[8];
        word |= above << (64 - shift);
    }
    return bits == 64 ? word : word & ((UINT64_C(1) << bits) - 1);
}

/* ---- hybrid ---- */

bool hybrid_begin(struct hybrid *h, struct bytes in, int bits)
{
    *h = (struct hybrid){.in = in, .bits = bits};
    return bits >= 0 && bits <= 32;
}

/* The last eight of packed ones may be cut short: some writers leave its filling out. */
static bool begin_packed(struct hybrid *h, uint64_t n_eights)
{
    const uint64_t left = bytes_left(&h->in);

    h->is_packed = true;
    h->packed = h->in.at;
    h->bit = 0;
    if (h->bits == 0) {
        h->n_left = n_eights < UINT32_MAX ? n_eights * 8 : UINT32_MAX;
        return true;
    }
    if (n_eights <= left / (uint64_t)h->bits) {
        h->n_left = n_eights * 8;
        h->in.at += n_eights * (uint64_t)h->bits;
    } else {
        h->n_left = left * 8 / (uint64_t)h->bits;
        h->in.at = h->in.end;
    }
    return h->n_left > 0 || n_eights == 0;
}

static bool begin_run(struct hybrid *h, uint64_t n)
{
    struct bytes value;

    h->is_packed = false;
    h->n_left = n;
    h->value = 0;
    if (!bytes_take(&h->in, (size_t)(h->bits + 7) / 8, &value))
        return false;
    for (int i = 0; value.at < value.end; i += 8)
        h->value |= (uint32_t)*value.at++ << i;
    return true;
}

static bool begin_next(struct hybrid *h)
{
    uint64_t head;

    if (!take_varint(&h->in, &head))
        return false;
    return head & 1 ? begin_packed(h, head >> 1) : begin_run(h, head >> 1);
}

bool hybrid_next(struct hybrid *h, uint32_t *ret, size_t n)
{
    while (n > 0) {
        if (h->n_left == 0) {
            if (!begin_next(h))
                return false;
            continue;
        }
        const size_t now = n < h->n_left ? n : (size_t)h->n_left;
        if (h->is_packed)
            for (size_t i = 0; i < now; i++, h->bit += (uint64_t)h->bits)
                ret[i] = (uint32_t)get_bits(h->packed, h->in.end, h->bit, h->bits);
        else
            for (size_t i = 0; i < now; i++)
                ret[i] = h->value;
        ret += now;
        n -= now;
        h->n_left -= now;
    }
    return true;
}

/* ---- delta ---- */

bool delta_begin(struct delta *d, struct bytes in)
{
    uint64_t block, first;

    *d = (struct delta){.in = in, .is_first = true};
    if (!take_varint(&d->in, &block) || !take_varint(&d->in, &d->n_miniblocks) ||
        !take_varint(&d->in, &d->n) || !take_varint(&d->in, &first))
        return false;
    d->last = (uint64_t)unzigzag(first);
    if (block == 0 || block > MAX_BLOCK || d->n_miniblocks == 0 ||
        d->n_miniblocks > MAX_MINIBLOCKS || block % d->n_miniblocks != 0)
        return false;
    d->in_miniblock = block / d->n_miniblocks;
    return d->in_miniblock % 8 == 0;
}

static bool begin_miniblock(struct delta *d)
{
    struct bytes part;
    uint64_t least;

    if (d->miniblocks_left == 0) {
        if (!take_varint(&d->in, &least) || !bytes_take(&d->in, (size_t)d->n_miniblocks, &part))
            return false;
        d->least = (uint64_t)unzigzag(least);
        d->widths = part.at;
        d->miniblocks_left = d->n_miniblocks;
    }
    d->miniblocks_left--;
    d->bits = *d->widths++;
    if (d->bits > 64 || !bytes_take(&d->in, (size_t)d->in_miniblock / 8 * (size_t)d->bits, &part))
        return false;
    d->packed = part.at;
    d->bit = 0;
    d->values_left = d->in_miniblock;
    return true;
}

bool delta_next(struct delta *d, uint64_t *ret, size_t n)
{
    if (n > d->n)
        return false;
    d->n -= n;
    if (n > 0 && d->is_first) {
        *ret++ = d->last;
        d->is_first = false;
        n--;
    }
    while (n > 0) {
        if (d->values_left == 0 && !begin_miniblock(d))
            return false;
        const size_t now = n < d->values_left ? n : (size_t)d->values_left;
        for (size_t i = 0; i < now; i++, d->bit += (uint64_t)d->bits) {
            d->last += d->least + get_bits(d->packed, d->in.end, d->bit, d->bits);
            ret[i] = d->last;
        }
        ret += now;
        n -= now;
        d->values_left -= now;
    }
    return true;
}
