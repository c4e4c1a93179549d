/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/buf.h"
#include "tap.h"

static struct arena arena;
static struct json *json;
static struct err err;

static void start(size_t max)
{
    arena_release(&arena);
    arena_init(&arena, max);
    if (json == NULL)
        json = json_new();
    err = (struct err)ERR_INIT;
}

/* Write the events of a text: '[', '{', 'n' 't' 'f', #number, 'string', key:, '!' after bad ones.
 */
static enum st events(struct str text, struct buf *ret_events)
{
    struct json_token t = {.event = JSON_NULL};

    enum st st = json_open(json, text, &arena, &err);
    while (st == ST_OK) {
        st = json_next(json, &t, &err);
        if (st != ST_OK || t.event == JSON_DONE)
            break;
        static const char *const marks[] = {"", "{", "}", "[", "]", "", "n ", "t ", "f ", "#", "'"};
        buf_add_z(ret_events, marks[t.event]);
        if (t.event >= JSON_NUMBER || t.event == JSON_KEY)
            buf_add_str(ret_events, t.text);
        if (t.is_bad)
            buf_add_char(ret_events, '!');
        buf_add_z(ret_events, t.event == JSON_KEY      ? ":"
                              : t.event == JSON_NUMBER ? " "
                              : t.event == JSON_STRING ? "'"
                                                       : "");
    }
    return st;
}

static struct str padded(const char *text)
{
    return json_pad(&arena, str_of(text));
}

static void events_come_in_order_with_lexemes_as_sent(void)
{
    static const struct {
        const char *text, *events;
    } rows[] = {
        {"[]", "[]"},
        {"{}", "{}"},
        {" [ ] \n", "[]"},
        {"\xEF\xBB\xBF[1]", "[#1 ]"},
        {"[0,-0,1.50,1E+5,9.68e-06,123456789012345678901234567890]",
         "[#0 #-0 #1.50 #1E+5 #9.68e-06 #123456789012345678901234567890 ]"},
        {"[1e99999,null , true,false ]", "[#1e99999 n t f ]"},
        {"{\"a\":1,\"a\" : \"x\",\"\":[{}]}", "{a:#1 a:'x':[{}]}"},
        {"[\"\",\"a b\",\"\\u20bf\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\n\\r\\t\"]",
         "['''a b''\xE2\x82\xBF\xF0\x9F\x98\x80\"\\/\b\f\n\r\t']"},
        {"{\"\\u0061\\\"b\":\"\\\"\"}", "{a\"b:'\"'}"},
        {"[\"\x7f\"]", "['\x7f']"},
        {"{\"a\"\n:\t{\"b\" :[[1],[ ]]}\r}", "{a:{b:[[#1 ][]]}}"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf b = BUF_INIT(4096);
        start(1 << 20);
        CHECK_OK(events(padded(rows[i].text), &b), err);
        CHECK_STR(buf_str(&b), rows[i].events);
        buf_release(&b);
    }
}

static void what_is_no_json_is_refused(void)
{
    static const char *const bad[] = {
        "",
        " ",
        "1",
        "\"a\"",
        "null",
        "[",
        "]",
        "[]]",
        "[[]",
        "{",
        "}",
        "{]",
        "[}",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1,,2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{1:2}",
        "{\"a\":1 \"b\":2}",
        "{\"a\"::1}",
        "{,}",
        "{\"a\":1",
        "{\"a\":",
        "{\"a\"",
        "{\"a",
        "[tru]",
        "[nul]",
        "[nulll]",
        "[TRUE]",
        "[truefalse]",
        "[true false]",
        "[01]",
        "[1.]",
        "[.5]",
        "[+1]",
        "[-]",
        "[1e]",
        "[1e+]",
        "[0x1]",
        "[1_0]",
        "[NaN]",
        "[Infinity]",
        "[--1]",
        "[1.2.3]",
        "[\"a]",
        "[\"\\x\"]",
        "[\"\\u12\"]",
        "[\"\\u12g4\"]",
        "[\"a\nb\"]",
        "[\"a\tb\"]",
        "[\"\x01\"]",
        "['a']",
        "[] []",
        "[],",
        "[] x",
        "{} 1",
        "[]\x0c",
        "[\xC2\xA0]",
        "\xFF[]",
        "[\xFF]",
        "[]\xFF",
        "//c\n[]",
        "[1]//c",
        "\xEF\xBB[]",
        "\xEF\xBB\xBF\xEF\xBB\xBF[]",
        "\xEF\xBB\xBF",
        "[\"\\ud83d\\x\"]",
        "{\"\\q\":1}",
        "<html>",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buf b = BUF_INIT(4096);
        start(1 << 20);
        enum st st = events(padded(bad[i]), &b);
        if (st != ST_REJECT)
            TAP_FAIL("\"%s\" gave %d, events %s", bad[i], st, buf_z(&b));
        CHECK(strncmp(err.msg, "not JSON: ", 10) == 0);
        buf_release(&b);
    }
}

static void zero_bytes_are_no_json(void)
{
    static const struct str bad[] = {STR("[]\0"), STR("[\0]"), STR("\0"), STR("[\"\0\"]"),
                                     STR("[1\0]")};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct buf b = BUF_INIT(4096);
        start(1 << 20);
        CHECK_EQ(events(json_pad(&arena, bad[i]), &b), ST_REJECT);
        buf_release(&b);
    }
}

static void a_string_that_is_no_text_costs_only_itself(void)
{
    static const struct {
        const char *text, *events;
    } rows[] = {
        {"[\"\xFF\",\"\x7f\",\"ok\"]", "['\x7f!''\x7f''ok']"},
        {"[\"a\xC0\x80z\"]", "['a\x7f\x7fz!']"},
        {"[\"\xED\xA0\x80\"]", "['\x7f\x7f\x7f!']"},
        {"[\"\xF4\x90\x80\x80\"]", "['\x7f\x7f\x7f\x7f!']"},
        {"[\"\xE2\x82\"]", "['\x7f\x7f!']"},
        {"[\"\\ud83d\"]", "['\\ud83d!']"},
        {"[\"\\ude00\"]", "['\\ude00!']"},
        {"[\"\\ud83d\\u0041\"]", "['\\ud83d\\u0041!']"},
        {"[\"\\ud83d\\ud83d\\ude00\"]", "['\\ud83d\\ud83d\\ude00!']"},
        {"[\"\\ud83dx\"]", "['\\ud83dx!']"},
        {"[\"a\\u0000b\"]", "['a\\u0000b!']"},
        {"{\"\xFF\":1,\"\\ud800\":\"\\u20ac\"}", "{\x7f!:#1 \\ud800!:'\xE2\x82\xAC'}"},
        {"[\"\xFF\\n\"]", "['\x7f\\n!']"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf b = BUF_INIT(4096);
        start(1 << 20);
        CHECK_OK(events(padded(rows[i].text), &b), err);
        CHECK_STR(buf_str(&b), rows[i].events);
        buf_release(&b);
    }
}

static void depth_has_a_limit(void)
{
    for (int depth = JSON_MAX_DEPTH; depth <= JSON_MAX_DEPTH + 1; depth++) {
        struct buf b = BUF_INIT(4096), ignored = BUF_INIT(4096);
        start(1 << 20);
        for (int i = 0; i < depth; i++)
            buf_add_z(&b, i % 2 ? "[" : "{\"a\":");
        buf_add_z(&b, "1");
        for (int i = depth; i-- > 0;)
            buf_add_z(&b, i % 2 ? "]" : "}");
        enum st st = events(json_pad(&arena, buf_str(&b)), &ignored);
        CHECK_EQ(st, depth == JSON_MAX_DEPTH ? ST_OK : ST_REJECT);
        buf_release(&b);
        buf_release(&ignored);
    }
    CHECK(strstr(err.msg, "32"));
}

static void a_million_brackets_are_refused_at_once(void)
{
    struct buf b = BUF_INIT((size_t)1 << 21);

    start((size_t)8 << 20);
    for (int i = 0; i < 1000000; i++)
        buf_add_char(&b, '[');
    CHECK_EQ(json_validate(json, json_pad(&arena, buf_str(&b)), &arena, NULL, &err), ST_REJECT);
    buf_release(&b);
}

static void a_spent_cursor_opens_the_next_text(void)
{
    struct buf b = BUF_INIT(4096);

    start(1 << 20);
    CHECK_EQ(events(padded("[[[1,"), &b), ST_REJECT);
    buf_clear(&b);
    CHECK_OK(events(padded("[2]"), &b), err);
    CHECK_STR(buf_str(&b), "[#2 ]");
    buf_release(&b);
}

static void skip_gives_the_raw_text_of_containers(void)
{
    static const struct {
        const char *text, *raw;
    } rows[] = {
        {"[ {\"a\": [1, 2 ]} ,7]", "{\"a\": [1, 2 ]}"},
        {"[[ ] , 7]", "[ ]"},
        {"[[\"]\",\"}\"]\n,7]", "[\"]\",\"}\"]"},
        {"[{} , 7]", "{}"},
        {"[[[1],[2]],7 ]", "[[1],[2]]"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct json_token t;
        struct str raw;
        start(1 << 20);
        CHECK_OK(json_open(json, padded(rows[i].text), &arena, &err), err);
        CHECK_OK(json_next(json, &t, &err), err);
        CHECK_OK(json_next(json, &t, &err), err);
        CHECK_OK(json_skip(json, &t, &raw, &err), err);
        CHECK_STR(raw, rows[i].raw);
        CHECK_OK(json_next(json, &t, &err), err);
        CHECK_STR(t.text, "7");
        CHECK_OK(json_skip(json, &t, &raw, &err), err);
        CHECK_OK(json_next(json, &t, &err), err);
        CHECK_EQ(t.event, JSON_ARRAY_END);
        CHECK_OK(json_next(json, &t, &err), err);
        CHECK_EQ(t.event, JSON_DONE);
    }
}

static void skip_of_the_whole_text_ends_at_its_end(void)
{
    struct json_token t;
    struct str raw;

    start(1 << 20);
    CHECK_OK(json_open(json, padded(" {\"a\":[1]} \n"), &arena, &err), err);
    CHECK_OK(json_next(json, &t, &err), err);
    CHECK_OK(json_skip(json, &t, &raw, &err), err);
    CHECK_STR(raw, "{\"a\":[1]}");
    CHECK_OK(json_next(json, &t, &err), err);
    CHECK_EQ(t.event, JSON_DONE);
}

static void skip_validates(void)
{
    struct json_token t;

    start(1 << 20);
    CHECK_OK(json_open(json, padded("[{\"a\":[01]}]"), &arena, &err), err);
    CHECK_OK(json_next(json, &t, &err), err);
    CHECK_OK(json_next(json, &t, &err), err);
    CHECK_EQ(json_skip(json, &t, NULL, &err), ST_REJECT);
}

static void validate_tells_the_top_level_type(void)
{
    enum json_event top;

    start(1 << 20);
    CHECK_OK(json_validate(json, padded("[1]"), &arena, &top, &err), err);
    CHECK_EQ(top, JSON_ARRAY_BEGIN);
    CHECK_OK(json_validate(json, padded("{\"a\":[]}"), &arena, &top, &err), err);
    CHECK_EQ(top, JSON_OBJECT_BEGIN);
    CHECK_Z(json_event_name(top), "object");
}

static void padding_of_any_content_changes_nothing(void)
{
    static const char *const texts[] = {"[1", "[1]", "[\"a", "[tru", "{\"a\":1}", "[1.5e"};
    char text[128];

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        size_t len = strlen(texts[i]);
        struct buf spaces = BUF_INIT(4096), rest = BUF_INIT(4096);
        start(1 << 20);
        enum st st = events(padded(texts[i]), &spaces);
        memset(text, ']', sizeof(text));
        memcpy(text, texts[i], len);
        CHECK_EQ(events((struct str){text, len}, &rest), st);
        buf_release(&spaces);
        buf_release(&rest);
    }
}

static void many_escapes_take_no_more_room_than_the_text(void)
{
    struct buf b = BUF_INIT((size_t)1 << 21);

    start((size_t)4 << 20);
    buf_add_char(&b, '[');
    for (int i = 0; i < 100000; i++)
        buf_add_z(&b, "\"\\n\\u0041\",");
    buf_add_z(&b, "0]");
    struct str text = json_pad(&arena, buf_str(&b));
    size_t before = arena.total;
    CHECK_OK(json_validate(json, text, &arena, NULL, &err), err);
    CHECK(arena.total - before < 2 * text.len);
    buf_release(&b);
}

static void without_memory_it_says_again(void)
{
    static const char *const texts[] = {"[\"\\n\"]", "[\"\xFF\"]"};

    for (size_t i = 0; i < 2; i++) {
        struct arena none;
        start(1 << 20);
        struct str text = padded(texts[i]);
        arena_init(&none, 8);
        CHECK_EQ(json_validate(json, text, &none, NULL, &err), ST_AGAIN);
        CHECK(json_pad(&none, text).p == NULL);
    }
    arena_release(&arena);
    json_free(json);
    json_free(NULL);
}

TAP_MAIN(TAP_CASE(events_come_in_order_with_lexemes_as_sent), TAP_CASE(what_is_no_json_is_refused),
         TAP_CASE(zero_bytes_are_no_json), TAP_CASE(a_string_that_is_no_text_costs_only_itself),
         TAP_CASE(depth_has_a_limit), TAP_CASE(a_million_brackets_are_refused_at_once),
         TAP_CASE(a_spent_cursor_opens_the_next_text),
         TAP_CASE(skip_gives_the_raw_text_of_containers),
         TAP_CASE(skip_of_the_whole_text_ends_at_its_end), TAP_CASE(skip_validates),
         TAP_CASE(validate_tells_the_top_level_type),
         TAP_CASE(padding_of_any_content_changes_nothing),
         TAP_CASE(many_escapes_take_no_more_room_than_the_text),
         TAP_CASE(without_memory_it_says_again))
