/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include "tap.h"

static void strings_are_equal_by_bytes(void)
{
    CHECK(str_eq(STR("a"), STR("a")));
    CHECK(!str_eq(STR("a"), STR("b")));
    CHECK(!str_eq(STR("a"), STR("ab")));
    CHECK(!str_eq(STR("a\0b"), STR("a\0c")));
    CHECK(str_eq(STR_NONE, STR("")));
    CHECK(str_eq(str_of(NULL), STR_NONE));
}

static void strings_are_ordered_by_bytes(void)
{
    static const char *const sorted[] = {"", "a", "a\x01", "ab", "b", "\xC3\xA9"};

    for (size_t i = 0; i < 6; i++)
        for (size_t k = 0; k < 6; k++) {
            int order = str_cmp(str_of(sorted[i]), str_of(sorted[k]));
            CHECK_EQ((order > 0) - (order < 0), (i > k) - (i < k));
        }
}

static void a_string_starts_with_its_prefixes(void)
{
    CHECK(str_starts(STR("abc"), STR("ab")));
    CHECK(str_starts(STR("abc"), STR("")));
    CHECK(str_starts(STR_NONE, STR_NONE));
    CHECK(!str_starts(STR("ab"), STR("abc")));
    CHECK(!str_starts(STR("abc"), STR("b")));
    CHECK(str_ends(STR("x.csv"), STR(".csv")));
    CHECK(str_ends(STR("abc"), STR("")));
    CHECK(str_ends(STR_NONE, STR_NONE));
    CHECK(!str_ends(STR("sv"), STR("csv")));
    CHECK(!str_ends(STR("csv.gz"), STR("csv")));
}

static void cut_takes_the_part_before_the_separator(void)
{
    struct str s = STR("a,,b"), head;

    CHECK(str_cut(&s, ',', &head));
    CHECK_STR(head, "a");
    CHECK(str_cut(&s, ',', &head));
    CHECK_STR(head, "");
    CHECK(!str_cut(&s, ',', &head));
    CHECK_STR(head, "b");
    CHECK_EQ(s.len, 0);
    CHECK(!str_cut(&s, ',', &head));
    CHECK_EQ(head.len, 0);
}

static void trim_takes_what_is_blank_around(void)
{
    CHECK_STR(str_trim(STR(" \t a b\r\n")), "a b");
    CHECK_STR(str_trim(STR("\xC3\xA9")), "\xC3\xA9");
    CHECK_EQ(str_trim(STR(" \t ")).len, 0);
    CHECK_EQ(str_trim(STR_NONE).len, 0);
}

static void an_integer_is_read_whole_and_in_range(void)
{
    static const struct {
        const char *text;
        int64_t min, max, value;
    } rows[] = {
        {"0", 0, 0, 0},
        {"-0", 0, 0, 0},
        {"007", 0, 10, 7},
        {"9223372036854775807", INT64_MIN, INT64_MAX, INT64_MAX},
        {"-9223372036854775808", INT64_MIN, INT64_MAX, INT64_MIN},
        {"250", 1, 250, 250},
    };
    static const struct {
        const char *text;
        int64_t min, max;
    } bad[] = {
        {"", 0, 9},
        {"-", -9, 9},
        {"+1", 0, 9},
        {" 1", 0, 9},
        {"1 ", 0, 9},
        {"1.0", 0, 9},
        {"0x1", 0, 9},
        {"--1", -9, 9},
        {"251", 1, 250},
        {"0", 1, 250},
        {"-1", 0, 9},
        {"9223372036854775808", INT64_MIN, INT64_MAX},
        {"-9223372036854775809", INT64_MIN, INT64_MAX},
        {"99999999999999999999999", INT64_MIN, INT64_MAX},
    };
    int64_t value;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK(str_to_i64(str_of(rows[i].text), rows[i].min, rows[i].max, &value));
        CHECK_EQ(value, rows[i].value);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (str_to_i64(str_of(bad[i].text), bad[i].min, bad[i].max, &value))
            TAP_FAIL("\"%s\" is read", bad[i].text);
}

static void utf8_is_checked_to_the_letter(void)
{
    static const struct {
        const char *text;
        size_t good; /* bytes of the well-formed prefix */
    } rows[] = {
        {"", 0},
        {"plain", 5},
        {"\x7f", 1},
        {"\xC2\x80\xDF\xBF", 4},
        {"\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF", 12},
        {"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8},
        {"a\x80", 1},
        {"\xC0\x80", 0},
        {"\xC1\xBF", 0},
        {"\xE0\x9F\xBF", 0},
        {"\xED\xA0\x80", 0},
        {"\xED\xBF\xBF", 0},
        {"\xF0\x8F\xBF\xBF", 0},
        {"\xF4\x90\x80\x80", 0},
        {"\xF5\x80\x80\x80", 0},
        {"\xFF", 0},
        {"ok\xE2\x82", 2},
        {"ok\xE2\x28\xA1", 2},
        {"ok\xF0\x9F\x98", 2},
        {"ok\xF0\x9F\x28\x80", 2},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct str s = str_of(rows[i].text);
        CHECK_EQ(str_utf8_prefix(s), rows[i].good);
        CHECK_EQ(str_is_utf8(s), rows[i].good == s.len);
    }
    CHECK(str_is_utf8(STR_NONE));
}

static void distance_counts_edits(void)
{
    static const struct {
        const char *a, *b;
        size_t distance;
    } rows[] = {{"", "", 0},          {"once", "once", 0}, {"onec", "once", 2},
                {"qery", "query", 1}, {"", "abc", 3},      {"kitten", "sitting", 3}};
    static const char sixty_four[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        CHECK_EQ(str_distance(str_of(rows[i].a), str_of(rows[i].b)), rows[i].distance);
    CHECK_EQ(str_distance(str_of(sixty_four), STR("a")), 64);
    CHECK_EQ(str_distance((struct str){sixty_four, 63}, STR("a")), 62);
}

TAP_MAIN(TAP_CASE(strings_are_equal_by_bytes), TAP_CASE(strings_are_ordered_by_bytes),
         TAP_CASE(a_string_starts_with_its_prefixes),
         TAP_CASE(cut_takes_the_part_before_the_separator),
         TAP_CASE(trim_takes_what_is_blank_around), TAP_CASE(an_integer_is_read_whole_and_in_range),
         TAP_CASE(utf8_is_checked_to_the_letter), TAP_CASE(distance_counts_edits))
