/* SPDX-License-Identifier: Apache-2.0 */
#include "parquet/thrift.h"
#include "tap.h"

static struct buf out = BUF_INIT(10000);

static void check(const char *hex)
{
    char got[200] = "";

    for (size_t i = 0; i < out.len && 2 * i + 2 < sizeof(got); i++)
        snprintf(got + 2 * i, 3, "%02x", (unsigned char)out.p[i]);
    CHECK_Z(got, hex);
    buf_release(&out);
}

static void numbers_are_zigzag_varints(void)
{
    struct thrift t = thrift_of(&out);

    thrift_i32(&t, 1, -1);
    thrift_i64(&t, 2, 64);
    thrift_i64(&t, 5, INT64_MIN);
    thrift_end(&t);
    check("1501"
          "168001"
          "36ffffffffffffffffff01"
          "00");
}

static void booleans_are_types(void)
{
    struct thrift t = thrift_of(&out);

    thrift_bool(&t, 1, true);
    thrift_bool(&t, 3, false);
    thrift_end(&t);
    check("112200");
}

static void structs_number_their_own_fields(void)
{
    struct thrift t = thrift_of(&out);

    thrift_struct(&t, 4);
    thrift_struct(&t, 1);
    thrift_end(&t);
    thrift_i32(&t, 2, 1);
    thrift_end(&t);
    thrift_binary(&t, 5, STR("ab"));
    thrift_end(&t);
    check("4c"
          "1c00"
          "1502"
          "00"
          "18026162"
          "00");
}

static void long_lists_have_their_length_behind(void)
{
    struct thrift t = thrift_of(&out);

    thrift_list(&t, 1, THRIFT_TRUE, 2);
    thrift_item_bool(&t, true);
    thrift_item_bool(&t, false);
    thrift_list(&t, 2, THRIFT_I32, 15);
    for (int i = 0; i < 15; i++)
        thrift_item_int(&t, i);
    thrift_list(&t, 3, THRIFT_STRUCT, 1);
    thrift_item_struct(&t);
    thrift_i32(&t, 1, 1);
    thrift_end(&t);
    thrift_end(&t);
    check("19210102"
          "19f50f00020406080a0c0e10121416181a1c"
          "191c150200"
          "00");
}

TAP_MAIN(TAP_CASE(numbers_are_zigzag_varints), TAP_CASE(booleans_are_types),
         TAP_CASE(structs_number_their_own_fields), TAP_CASE(long_lists_have_their_length_behind))
