/* The bytes of Parquet's integer encodings, after the examples of its documents. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/encode.h"
#include "tap.h"

#define CHECK_BYTES(b, ...)                                 \
    do {                                                    \
        const unsigned char bytes_[] = {__VA_ARGS__};       \
        CHECK_EQ((b).len, sizeof(bytes_));                  \
        for (size_t i_ = 0; i_ < sizeof(bytes_); i_++)      \
            CHECK_EQ((unsigned char)(b).p[i_], bytes_[i_]); \
    } while (0)

static void bits_hold_the_greatest_number(void)
{
    CHECK_EQ(encode_bits(0), 0);
    CHECK_EQ(encode_bits(1), 1);
    CHECK_EQ(encode_bits(255), 8);
    CHECK_EQ(encode_bits(256), 9);
    CHECK_EQ(encode_bits(UINT64_MAX), 64);
}

static void eight_different_numbers_are_packed(void)
{
    static const uint32_t values[] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct buf b = BUF_INIT(100);

    encode_hybrid(&b, values, 8, 3);
    CHECK_BYTES(b, 0x03, 0x88, 0xC6, 0xFA);
    buf_release(&b);
}

static void a_run_is_its_length_and_value(void)
{
    uint32_t values[100];
    struct buf b = BUF_INIT(100);

    for (size_t i = 0; i < 100; i++)
        values[i] = 4;
    encode_hybrid(&b, values, 100, 3);
    CHECK_BYTES(b, 200, 1, 4);
    buf_clear(&b);
    encode_hybrid(&b, values, 100, 12); /* two bytes wide */
    CHECK_BYTES(b, 200, 1, 4, 0);
    buf_release(&b);
}

/* Packed ones must fill eights, so the run behind three others gives five of its own to them. */
static void a_run_begins_behind_whole_eights(void)
{
    uint32_t values[30] = {1, 0, 1};
    struct buf b = BUF_INIT(100);

    encode_hybrid(&b, values, 30, 1);
    CHECK_BYTES(b, 0x03, 0x05, 44, 0x00);
    buf_release(&b);
}

static void what_is_left_at_the_end_is_filled_up_with_zeros(void)
{
    static const uint32_t values[] = {1, 1, 1};
    struct buf b = BUF_INIT(100);

    encode_hybrid(&b, values, 3, 1);
    CHECK_BYTES(b, 0x03, 0x07);
    buf_release(&b);
}

static void numbers_of_no_bits_have_no_bytes(void)
{
    static const uint32_t values[20] = {0};
    struct buf b = BUF_INIT(100);

    encode_hybrid(&b, values, 20, 0);
    CHECK_BYTES(b, 40);
    buf_clear(&b);
    encode_hybrid(&b, values, 3, 0);
    CHECK_BYTES(b, 0x03);
    buf_clear(&b);
    encode_hybrid(&b, values, 0, 1);
    CHECK_EQ(b.len, 0);
    buf_release(&b);
}

static void steps_of_one_size_need_no_bits(void)
{
    static const uint64_t values[] = {1, 2, 3, 4, 5};
    struct buf b = BUF_INIT(1000);

    encode_delta(&b, values, 5);
    /* block 128, 4 parts, 5 values, the first is 1, the least step 1, all widths 0 */
    CHECK_BYTES(b, 0x80, 0x01, 4, 5, 2, 2, 0, 0, 0, 0);
    buf_release(&b);
}

static void steps_are_packed_less_the_least(void)
{
    static const uint64_t values[] = {7, 5, 3, 1, 2, 3, 4, 5};
    struct buf b = BUF_INIT(1000);

    encode_delta(&b, values, 8);
    /* steps -2 -2 -2 1 1 1 1: 0 0 0 3 3 3 3 in two bits, filled up with what is 0 in the block */
    CHECK_EQ((unsigned char)b.p[5], 3);
    CHECK_EQ(b.p[6], 2);
    CHECK_EQ((unsigned char)b.p[10], 0xC0);
    CHECK_EQ((unsigned char)b.p[11], 0x3F);
    CHECK_EQ(b.len, 10 + 8);
    buf_release(&b);
}

static void differences_wrap_around(void)
{
    static const uint64_t values[] = {(uint64_t)INT64_MIN, (uint64_t)INT64_MAX, 0};
    struct buf b = BUF_INIT(1000);

    /* steps -1 and INT64_MIN + 1: the first is 2^63 - 2 more than the second */
    encode_delta(&b, values, 3);
    CHECK_EQ(b.len, 2 + 1 + 1 + 10 + 10 + 4 + 63 * 32 / 8);
    CHECK_EQ(b.p[24], 63);
    CHECK_EQ(b.p[25], 0);
    CHECK_EQ((unsigned char)b.p[28], 0xFE);
    CHECK_EQ((unsigned char)b.p[29], 0xFF);
    buf_clear(&b);
    encode_delta(&b, values, 0);
    CHECK_BYTES(b, 0x80, 0x01, 4, 0, 0);
    buf_release(&b);
}

TAP_MAIN(TAP_CASE(bits_hold_the_greatest_number), TAP_CASE(eight_different_numbers_are_packed),
         TAP_CASE(a_run_is_its_length_and_value), TAP_CASE(a_run_begins_behind_whole_eights),
         TAP_CASE(what_is_left_at_the_end_is_filled_up_with_zeros),
         TAP_CASE(numbers_of_no_bits_have_no_bytes), TAP_CASE(steps_of_one_size_need_no_bits),
         TAP_CASE(steps_are_packed_less_the_least), TAP_CASE(differences_wrap_around))
