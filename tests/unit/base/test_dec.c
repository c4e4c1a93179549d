/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dec.h"
#include "tap.h"

static void dec_is_canonical(void)
{
    static const struct {
        const char *lexeme;
        int64_t mant;
        int exp;
    } rows[] = {
        {"0", 0, 0},
        {"-0.0", 0, 0},
        {"21000000.0", 21, 6},
        {"9.68e-06", 968, -8},
        {"2.1e+15", 21, 14},
        {"1.0e15", 1, 15},
        {"-12.50", -125, -1},
        {"420000000000000000", 42, 16},
        {"0.0000026", 26, -7},
        {"1E2", 1, 2},
        {"123456789012345678", 123456789012345678, 0},
        {"1.9026007997779706e+37", 19026007997779706, 21},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dec d;
        CHECK_EQ(dec_parse(str_of(rows[i].lexeme), &d), DEC_OK);
        CHECK_EQ(d.mant, rows[i].mant);
        CHECK_EQ(d.exp, rows[i].exp);
        CHECK(d.is_exact);
    }
}

static void dec_refuses_what_json_refuses(void)
{
    static const char *const bad[] = {"",    "-",   "01",   "1.",       ".5",   "1e",
                                      "1e+", "+1",  "0x1",  "1_0",      "nan",  "1 ",
                                      " 1",  "--1", "1.e5", "Infinity", "1e5.5"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct dec d;
        CHECK_EQ(dec_parse(str_of(bad[i]), &d), DEC_NOT_A_NUMBER);
    }
}

static void dec_refuses_what_is_long_by_its_grammar_first(void)
{
    char text[2 * DEC_MAX_LEXEME];
    struct dec d;

    memset(text, '1', sizeof(text));
    CHECK_EQ(dec_parse((struct str){text, sizeof(text)}, &d), DEC_OUT_OF_RANGE);
    text[DEC_MAX_LEXEME + 1] = 'x';
    CHECK_EQ(dec_parse((struct str){text, sizeof(text)}, &d), DEC_NOT_A_NUMBER);
}

static void dec_says_when_it_is_not_exact(void)
{
    struct dec d;

    CHECK_EQ(dec_parse(STR("1234567890123456789012345"), &d), DEC_OK);
    CHECK(!d.is_exact);
    CHECK_EQ(dec_parse(STR("1000000000000000000000000"), &d), DEC_OK);
    CHECK(d.is_exact);
    CHECK_EQ(dec_parse(STR("1e1001"), &d), DEC_OUT_OF_RANGE);
    CHECK_EQ(dec_parse(STR("1e99999999999999999999"), &d), DEC_OUT_OF_RANGE);
}

static void dec_knows_when_a_double_is_enough(void)
{
    static const struct {
        const char *lexeme;
        bool is_same;
    } rows[] = {
        {"0.1", true},
        {"77074", true},
        {"2.6e-9", true},
        {"1.9026007997779706e+37", true},
        {"9007199254740993", false},
        {"0.10000000000000001", false},
        {"1e400", false},
        {"-2002.5500261049601", true},
        {"0.30000000000000004", true},
        {"123456789012345678", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dec d;
        bool is_same;
        CHECK_EQ(dec_parse(str_of(rows[i].lexeme), &d), DEC_OK);
        double x = dec_to_double(d, str_of(rows[i].lexeme), &is_same);
        CHECK(x == strtod(rows[i].lexeme, NULL));
        CHECK_EQ(is_same, rows[i].is_same);
        /* as a store gives it back: the number alone */
        CHECK(!d.is_exact || dec_to_double(d, STR_NONE, &is_same) == x);
        CHECK_EQ(is_same, rows[i].is_same);
    }
}

static void dec_formats_what_it_parsed(void)
{
    static const char *const texts[] = {"0",     "-12.5",    "0.0000026", "4.2e30",
                                        "1e-12", "21000000", "-1.25e-9"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct dec d;
        char text[DEC_MAX_TEXT];
        CHECK_EQ(dec_parse(str_of(texts[i]), &d), DEC_OK);
        size_t n = dec_format(d, text);
        CHECK_STR(((struct str){text, n}), texts[i]);
    }
}

static void dec_rounds_to_places(void)
{
    static const struct {
        const char *lexeme;
        int places;
        const char *want;
    } cases[] = {
        {"40107.574", 2, "40107.57"},
        {"40107.575", 2, "40107.58"},
        {"-40107.575", 2, "-40107.58"},
        {"-0.4", 0, "0"},
        {"0.5", 0, "1"},
        {"99.999", 2, "100"},
        {"9.68e-06", 6, "0.00001"},
        {"9.68e-06", 18, "0.00000968"},
        {"1e-30", 18, "0"},
        {"0.999999999999999999", 0, "1"},
        {"4.2e17", 2, "420000000000000000"},
        {"0.1234567890123456789", 3, "0.123"}, /* not exact, but what is lost does not matter */
        {"0.9999999999999999999", 17, "1"},
        {"0", 0, "0"},
    };
    char text[DEC_MAX_TEXT];
    struct dec d;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CHECK_EQ(dec_parse(str_of(cases[i].lexeme), &d), DEC_OK);
        d = dec_round(d, cases[i].places);
        dec_format(d, text);
        CHECK_Z(text, cases[i].want);
    }
}

static void dec_compares_exactly(void)
{
    static const char *const grow[] = {"-1e300",  "-12.51",
                                       "-12.5",   "-1e-300",
                                       "0",       "1e-300",
                                       "0.09999", "0.1",
                                       "9.9",     "9.999999999999999",
                                       "10",      "10.00000000000001",
                                       "99",      "100",
                                       "101",     "123456789012345678",
                                       "1e40"};

    for (size_t i = 0; i < sizeof(grow) / sizeof(grow[0]); i++)
        for (size_t k = 0; k < sizeof(grow) / sizeof(grow[0]); k++) {
            struct dec a, b;
            CHECK_EQ(dec_parse(str_of(grow[i]), &a), DEC_OK);
            CHECK_EQ(dec_parse(str_of(grow[k]), &b), DEC_OK);
            const int order = dec_compare(a, b);
            CHECK_EQ((order > 0) - (order < 0), (i > k) - (i < k));
        }
}

static void dec_of_a_double_is_its_shortest_digits(void)
{
    static const struct {
        double x;
        int64_t mant;
        int exp;
    } rows[] = {
        {0, 0, 0},
        {-0.0, 0, 0},
        {0.1, 1, -1},
        {-1234.5, -12345, -1},
        {100, 1, 2},
        {1e22, 1, 22},
        {5e-324, 5, -324},
        {1.7976931348623157e308, 17976931348623157, 292},
        {40314176381427488.0, 4031417638142749, 1},
        {-2.2250738585072014e-308, -22250738585072014, -324},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct dec d = dec_of_double(rows[i].x);
        bool is_same;
        CHECK(d.is_exact);
        CHECK_EQ(d.mant, rows[i].mant);
        CHECK_EQ(d.exp, rows[i].exp);
        CHECK(dec_to_double(d, STR_NONE, &is_same) == rows[i].x);
    }
}

TAP_MAIN(TAP_CASE(dec_is_canonical), TAP_CASE(dec_refuses_what_json_refuses),
         TAP_CASE(dec_refuses_what_is_long_by_its_grammar_first),
         TAP_CASE(dec_says_when_it_is_not_exact), TAP_CASE(dec_knows_when_a_double_is_enough),
         TAP_CASE(dec_formats_what_it_parsed), TAP_CASE(dec_rounds_to_places),
         TAP_CASE(dec_compares_exactly), TAP_CASE(dec_of_a_double_is_its_shortest_digits))
