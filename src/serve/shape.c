/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/shape.h"

#include <assert.h>

struct reader {
    const char *at;
};

static bool accept(struct reader *r, char c)
{
    if (*r->at != c)
        return false;
    r->at++;
    return true;
}

static void expect(struct reader *r, char c)
{
    const bool is_there = accept(r, c);

    assert(is_there);
    (void)is_there;
}

static struct str read_name(struct reader *r)
{
    const char *from = r->at;

    while ((*r->at >= 'a' && *r->at <= 'z') || (*r->at >= '0' && *r->at <= '9') || *r->at == '_' ||
           *r->at == '-')
        r->at++;
    assert(r->at > from);
    return (struct str){from, (size_t)(r->at - from)};
}

static void add_shape(struct buf *b, struct reader *r);

static void add_array(struct buf *b, struct reader *r)
{
    buf_add_z(b, "{\"type\":\"array\",\"items\":");
    add_shape(b, r);
    if (accept(r, ';')) {
        assert(*r->at >= '1' && *r->at <= '9');
        buf_addf(b, ",\"minItems\":%c,\"maxItems\":%c", *r->at, *r->at);
        r->at++;
    }
    buf_add_char(b, '}');
}

static void add_map(struct buf *b, struct reader *r)
{
    expect(r, ':');
    buf_add_z(b, "{\"type\":\"object\",\"additionalProperties\":");
    add_shape(b, r);
    buf_add_char(b, '}');
}

static void add_object(struct buf *b, struct reader *r)
{
    struct buf needed = BUF_INIT((size_t)64 * 1024);
    int n = 0;

    buf_add_z(b, "{\"type\":\"object\",\"properties\":{");
    do {
        const struct str key = read_name(r);
        buf_addf(b, "%s\"%.*s\":", n++ > 0 ? "," : "", STR_ARG(key));
        if (!accept(r, '?'))
            buf_addf(&needed, "%s\"%.*s\"", needed.len > 0 ? "," : "", STR_ARG(key));
        expect(r, ':');
        add_shape(b, r);
    } while (accept(r, ','));
    buf_addf(b, "},\"required\":[%s],\"additionalProperties\":false}", buf_z(&needed));
    buf_release(&needed);
}

static void add_simple(struct buf *b, struct reader *r)
{
    static const struct {
        char letter;
        const char *schema;
    } simple[] = {
        {'s', "{\"type\":\"string\"}"},
        {'n', "{\"type\":\"number\"}"},
        {'i', "{\"type\":\"integer\"}"},
        {'b', "{\"type\":\"boolean\"}"},
        {'t', "{\"type\":\"string\",\"format\":\"date-time\"}"},
        {'d', "{\"type\":\"string\",\"format\":\"date\"}"},
        {'z', "{\"type\":\"null\"}"},
        {'*', "{}"},
    };
    size_t i = 0;

    while (i < sizeof(simple) / sizeof(simple[0]) && simple[i].letter != *r->at)
        i++;
    assert(i < sizeof(simple) / sizeof(simple[0]));
    buf_add_z(b, simple[i].schema);
    r->at++;
}

static void add_one(struct buf *b, struct reader *r)
{
    if (accept(r, '[')) {
        add_array(b, r);
        expect(r, ']');
    } else if (accept(r, '{')) {
        if (accept(r, '*'))
            add_map(b, r);
        else
            add_object(b, r);
        expect(r, '}');
    } else if (accept(r, '@')) {
        const struct str name = read_name(r);
        buf_addf(b, "{\"$ref\":\"#/components/schemas/%.*s\"}", STR_ARG(name));
    } else {
        add_simple(b, r);
    }
}

static void add_shape(struct buf *b, struct reader *r)
{
    struct buf all = BUF_INIT((size_t)64 * 1024);
    int n = 0;

    do {
        buf_add_z(&all, n++ > 0 ? "," : "");
        add_one(&all, r);
        for (; accept(r, '?'); n++)
            buf_add_z(&all, ",{\"type\":\"null\"}");
    } while (accept(r, '|'));
    buf_addf(b, n > 1 ? "{\"anyOf\":[%s]}" : "%s", buf_z(&all));
    buf_release(&all);
}

void shape_add_schema(struct buf *b, const char *shape)
{
    struct reader r = {shape};

    add_shape(b, &r);
    assert(*r.at == '\0');
}

const char *shape_of_column(const struct column *column)
{
    const bool may_be_null = !column->is_not_null;

    switch (column->kind) {
    case CELL_NUM:
        return may_be_null ? "n?" : "n";
    case CELL_INT:
        return may_be_null ? "i?" : "i";
    case CELL_TIME:
        return may_be_null ? "t?" : "t";
    case CELL_TEXT:
    case CELL_NULL:
        break;
    }
    return may_be_null ? "s?" : "s";
}
