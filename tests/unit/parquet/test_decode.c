/* Parquet's encodings read: what is encoded comes back, whole or by parts; damage is seen. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/decode.h"
#include "parquet/encode.h"
#include "parquet/unpack.h"
#include "tap.h"

static struct bytes of(const struct buf *b, size_t len)
{
    const uint8_t *at = (const uint8_t *)b->p;

    return (struct bytes){at, at + len};
}

static uint64_t seed = 88172645463325252U;

static uint64_t dice(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

#define N 3000

static void hybrids_of_all_widths_come_back(void)
{
    static uint32_t values[N], got[N];

    for (int bits = 0; bits <= 32; bits++) {
        struct buf b = BUF_INIT(100000);
        struct hybrid h;
        for (size_t i = 0; i < N; i++)
            values[i] = i > 0 && dice() % 3 > 0 ? values[i - 1]
                                                : (uint32_t)(dice() & ((UINT64_C(1) << bits) - 1));
        encode_hybrid(&b, values, N, bits);
        CHECK(hybrid_begin(&h, of(&b, b.len), bits));
        for (size_t at = 0, n; at < N; at += n) {
            n = dice() % 100 < N - at ? dice() % 7 : N - at;
            n = n < N - at ? n : N - at;
            CHECK(hybrid_next(&h, got + at, n));
        }
        for (size_t i = 0; i < N; i++)
            CHECK_EQ(got[i], values[i]);
        buf_release(&b);
    }
}

static void a_hybrid_that_ends_early_is_seen(void)
{
    static const uint32_t values[] = {1, 2, 3, 4, 5, 6, 7, 0, 5, 5, 5, 5, 5, 5, 5, 5};
    struct buf b = BUF_INIT(1000);
    struct hybrid h;
    uint32_t got[16];

    encode_hybrid(&b, values, 16, 3);
    CHECK(hybrid_begin(&h, of(&b, b.len), 3) && hybrid_next(&h, got, 16));
    CHECK(!hybrid_next(&h, got, 1));
    for (size_t len = 0; len < b.len; len++)
        CHECK(hybrid_begin(&h, of(&b, len), 3) && !hybrid_next(&h, got, 16));
    CHECK(!hybrid_begin(&h, of(&b, b.len), 33));
    buf_release(&b);
}

static void deltas_of_all_widths_come_back(void)
{
    static uint64_t values[N], got[N];

    for (int bits = 0; bits <= 64; bits++) {
        struct buf b = BUF_INIT(100000);
        struct delta d;
        for (size_t i = 0; i < N; i++)
            values[i] = (i > 0 ? values[i - 1] : dice()) + (bits == 0 ? 7 : dice() >> (64 - bits));
        encode_delta(&b, values, N);
        buf_add_z(&b, "behind");
        CHECK(delta_begin(&d, of(&b, b.len)));
        CHECK_EQ(d.n, N);
        for (size_t at = 0, n; at < N; at += n) {
            n = dice() % 50;
            n = n < N - at ? n : N - at;
            CHECK(delta_next(&d, got + at, n));
        }
        for (size_t i = 0; i < N; i++)
            CHECK_EQ(got[i], values[i]);
        CHECK(!delta_next(&d, got, 1));
        CHECK_EQ(bytes_left(&(struct bytes){delta_rest(&d).at, delta_rest(&d).end}), 6);
        buf_release(&b);
    }
}

static void a_delta_that_ends_early_is_seen(void)
{
    static const uint64_t values[] = {5, 1, 100, 7, 7, 7};
    struct buf b = BUF_INIT(1000);
    struct delta d;
    uint64_t got[6];

    encode_delta(&b, values, 6);
    for (size_t len = 0; len < b.len; len++)
        CHECK(!delta_begin(&d, of(&b, len)) || !delta_next(&d, got, 6));
    CHECK(delta_begin(&d, of(&b, b.len)) && delta_next(&d, got, 6));
    b.p[0] = 7; /* of the block: not whole eights */
    CHECK(!delta_begin(&d, of(&b, b.len)));
    buf_release(&b);
}

/* After the format's description: "aaaabaaab" and a copy that overlaps itself. */
static void snappy_is_unpacked(void)
{
    static const uint8_t packed[] = {14, 0x10, 'a', 'b', 'c', 'd', 'e', 0x15, 5};
    static const uint8_t late[] = {14, 0x10, 'a', 'b', 'c', 'd', 'e', 0x15, 6};
    static const uint8_t run[] = {9, 0x00, 'x', 0x1e, 1, 0};
    uint8_t got[32];
    struct bytes in = {packed, packed + sizeof(packed)};

    CHECK(unpack(CODEC_SNAPPY, NULL, in, got, 14) == NULL);
    CHECK_STR(((struct str){(char *)got, 14}), "abcdeabcdeabcd");
    CHECK_Z(unpack(CODEC_SNAPPY, NULL, in, got, 13), "snappy: another length than the page's");
    for (; in.end > in.at + 1;) {
        in.end--;
        CHECK(unpack(CODEC_SNAPPY, NULL, in, got, 14) != NULL);
    }
    in = (struct bytes){late, late + sizeof(late)};
    CHECK_Z(unpack(CODEC_SNAPPY, NULL, in, got, 14), "snappy: damaged");
    in = (struct bytes){run, run + sizeof(run)};
    CHECK(unpack(CODEC_SNAPPY, NULL, in, got, 9) == NULL);
    CHECK_STR(((struct str){(char *)got, 9}), "xxxxxxxxx");
}

TAP_MAIN(TAP_CASE(hybrids_of_all_widths_come_back), TAP_CASE(a_hybrid_that_ends_early_is_seen),
         TAP_CASE(deltas_of_all_widths_come_back), TAP_CASE(a_delta_that_ends_early_is_seen),
         TAP_CASE(snappy_is_unpacked))
