/* Shapes of JSON values as JSON schemas. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shape.h"
#include "tap.h"

static const char *schema(const char *shape)
{
    static struct buf b = BUF_INIT(4096);

    buf_clear(&b);
    shape_add_schema(&b, shape);
    return buf_z(&b);
}

static void simple_ones_are_their_types(void)
{
    CHECK_Z(schema("s"), "{\"type\":\"string\"}");
    CHECK_Z(schema("n"), "{\"type\":\"number\"}");
    CHECK_Z(schema("i"), "{\"type\":\"integer\"}");
    CHECK_Z(schema("b"), "{\"type\":\"boolean\"}");
    CHECK_Z(schema("t"), "{\"type\":\"string\",\"format\":\"date-time\"}");
    CHECK_Z(schema("d"), "{\"type\":\"string\",\"format\":\"date\"}");
    CHECK_Z(schema("z"), "{\"type\":\"null\"}");
    CHECK_Z(schema("*"), "{}");
    CHECK_Z(schema("@market"), "{\"$ref\":\"#/components/schemas/market\"}");
}

static void arrays_have_items_and_may_have_a_length(void)
{
    CHECK_Z(schema("[s]"), "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}");
    CHECK_Z(schema("[[n;2]]"),
            "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{\"type\":\"number\"},"
            "\"minItems\":2,\"maxItems\":2}}");
}

static void objects_have_no_other_members(void)
{
    CHECK_Z(schema("{zh-tw:s,b?:i}"),
            "{\"type\":\"object\",\"properties\":{\"zh-tw\":{\"type\":\"string\"},\"b\":{\"type\":"
            "\"integer\"}},\"required\":[\"zh-tw\"],\"additionalProperties\":false}");
    CHECK_Z(schema("{*:[n]}"), "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"array\","
                               "\"items\":{\"type\":\"number\"}}}");
}

static void alternatives_are_any_of_them(void)
{
    CHECK_Z(schema("n?"), "{\"anyOf\":[{\"type\":\"number\"},{\"type\":\"null\"}]}");
    CHECK_Z(schema("@a|@b|s?"),
            "{\"anyOf\":[{\"$ref\":\"#/components/schemas/a\"},{\"$ref\":\"#/components/schemas/"
            "b\"},{\"type\":\"string\"},{\"type\":\"null\"}]}");
}

static void columns_have_the_shape_of_their_kind(void)
{
    CHECK_Z(shape_of_column(&(struct column){.kind = CELL_NUM}), "n?");
    CHECK_Z(shape_of_column(&(struct column){.kind = CELL_INT, .is_not_null = true}), "i");
    CHECK_Z(shape_of_column(&(struct column){.kind = CELL_TIME}), "t?");
    CHECK_Z(shape_of_column(&(struct column){.kind = CELL_TEXT, .is_not_null = true}), "s");
}

TAP_MAIN(TAP_CASE(simple_ones_are_their_types), TAP_CASE(arrays_have_items_and_may_have_a_length),
         TAP_CASE(objects_have_no_other_members), TAP_CASE(alternatives_are_any_of_them),
         TAP_CASE(columns_have_the_shape_of_their_kind))
