/* SPDX-License-Identifier: Apache-2.0 */
extern "C" {
#include "base/json.h"
}

#include <cctype>
#include <new>
#include <simdjson.h>

using namespace simdjson;

static_assert(JSON_PADDING >= SIMDJSON_PADDING, "json.h promises callers enough padding");

/* Stands in for every ill-formed byte: one byte, legal inside a string, illegal outside. */
static const char bad_byte = '\x7f';

namespace
{
enum class expect {
    root,          /* the array or object that is the text */
    first_element, /* a value, or the array's end */
    first_key,     /* a key, or the object's end */
    value,         /* behind a key, or a comma in an array */
    more,          /* a comma or the container's end; the end of the text outside of all */
};
}

/* simdjson's first stage finds where each token begins (a bracket, a comma, a colon, a string's
 * quote, the first byte of anything else), and checks UTF-8, quotes and control characters. The
 * grammar is walked here, token by token: its second stages skip what a caller skips, cannot tell
 * a duplicate key from another, and take three times as long. */
struct json {
    std::unique_ptr<internal::dom_parser_implementation> stage1;
    struct arena *arena;
    struct str text;
    struct str sent; /* where text is a copy in which ill-formed bytes are bad_byte: the original */
    char *undone;    /* room for all strings of the text without their escapes; NULL: none yet */
    const uint32_t *next, *end; /* where the tokens begin; *end is the text's length */
    expect state;
    size_t depth;
    bool is_object[JSON_MAX_DEPTH];
};

struct json *json_new(void)
{
    return new (std::nothrow) struct json();
}

void json_free(struct json *j)
{
    delete j;
}

struct str json_pad(struct arena *a, struct str text)
{
    char *p = text.len < SIZE_MAX - JSON_PADDING
                  ? (char *)arena_alloc(a, text.len + JSON_PADDING, 1)
                  : NULL;
    if (p == NULL)
        return STR_NONE;
    if (text.len > 0)
        memcpy(p, text.p, text.len);
    memset(p + text.len, ' ', JSON_PADDING);
    return {p, text.len};
}

static enum st no_memory(const struct json *j, struct err *err)
{
    return err_set(err, ST_AGAIN, "json: no memory for a text of %zu bytes", j->text.len);
}

/* Say what was expected at the token that begins at `at`. */
static enum st not_json(const struct json *j, const char *at, const char *expected, struct err *err)
{
    return err_set(err, ST_REJECT, "not JSON: %s expected at byte %zu", expected,
                   (size_t)(at - j->text.p));
}

/* Give the ill-formed bytes a harmless stand-in, in a copy. */
static bool repair(struct json *j)
{
    struct str copy = json_pad(j->arena, j->text);
    if (copy.p == NULL)
        return false;
    for (size_t at = 0; (at += str_utf8_prefix({copy.p + at, copy.len - at})) < copy.len; at++)
        const_cast<char *>(copy.p)[at] = bad_byte;
    j->sent = j->text;
    j->text = copy;
    return true;
}

static error_code find_tokens(struct json *j)
{
    size_t len = j->text.len;

    if (!j->stage1 || j->stage1->capacity() < len) {
        error_code error = get_active_implementation()->create_dom_parser_implementation(
            len, JSON_MAX_DEPTH, j->stage1);
        if (error)
            return error;
    }
    return j->stage1->stage1((const uint8_t *)j->text.p, len, stage1_mode::regular);
}

enum st json_open(struct json *j, struct str text, struct arena *arena, struct err *err)
{
    static const struct str bom = STR("\xEF\xBB\xBF");

    if (str_starts(text, bom))
        text = {text.p + bom.len, text.len - bom.len};
    j->arena = arena;
    j->text = text;
    j->sent = STR_NONE;
    j->undone = NULL;
    j->state = expect::root;
    j->depth = 0;
    if (text.len == 0)
        return err_set(err, ST_REJECT, "not JSON: empty");
    error_code error = find_tokens(j);
    if (error == UTF8_ERROR)
        error = repair(j) ? find_tokens(j) : MEMALLOC;
    if (error == MEMALLOC)
        return no_memory(j, err);
    if (error)
        return err_set(err, ST_REJECT, "not JSON: %s", error_message(error));
    j->next = j->stage1->structural_indexes.get();
    j->end = j->next + j->stage1->n_structural_indexes;
    return ST_OK;
}

/* The string whose text between the quotes is `raw` was well-formed as it was sent. */
static bool is_well_formed(const struct json *j, struct str raw)
{
    return j->sent.p == NULL || str_is_utf8({j->sent.p + (raw.p - j->text.p), raw.len});
}

/* The four hex digits at p; -1 when they are not there. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t code = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)p[i]))
            return -1;
        code = code * 16 + (p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
    }
    return code;
}

static char *put_utf8(char *dst, int32_t code)
{
    if (code < 0x80) {
        *dst++ = (char)code;
        return dst;
    }
    if (code < 0x800) {
        *dst++ = (char)(0xC0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *dst++ = (char)(0xE0 | code >> 12);
        } else {
            *dst++ = (char)(0xF0 | code >> 18);
            *dst++ = (char)(0x80 | (code >> 12 & 0x3F));
        }
        *dst++ = (char)(0x80 | (code >> 6 & 0x3F));
    }
    *dst++ = (char)(0x80 | (code & 0x3F));
    return dst;
}

/* Undo the escape whose backslash is at *p. False: JSON has no such escape. */
static bool undo_escape(const char **p, const char *end, char **dst, bool *is_bad)
{
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *name = (const char *)memchr(names, (*p)[1], sizeof(names) - 1);

    if (name != NULL) {
        *(*dst)++ = meanings[name - names];
        *p += 2;
        return true;
    }
    int32_t code = (*p)[1] == 'u' ? hex4(*p + 2, end) : -1;
    if (code < 0)
        return false;
    *p += 6;
    bool is_high = code >= 0xD800 && code < 0xDC00;
    if (is_high && end - *p >= 2 && (*p)[0] == '\\' && (*p)[1] == 'u') {
        int32_t low = hex4(*p + 2, end);
        if (low >= 0xDC00 && low < 0xE000) {
            *p += 6;
            *dst = put_utf8(*dst, 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00));
            return true;
        }
    }
    if (code == 0 || (code >= 0xD800 && code < 0xE000))
        *is_bad = true;
    *dst = put_utf8(*dst, code);
    return true;
}

/* Undo the escapes of token->text, the text between a string's quotes. A string becomes shorter by
 * it, so that room for the whole text is enough for all of them, however many there are. */
static enum st unescape(struct json *j, struct json_token *token, struct err *err)
{
    const char *p = token->text.p, *end = p + token->text.len;

    if (j->undone == NULL)
        j->undone = (char *)arena_alloc(j->arena, j->text.len, 1);
    if (j->undone == NULL)
        return no_memory(j, err);
    char *dst = j->undone;
    while (p < end) {
        const char *escape = (const char *)memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((escape ? escape : end) - p);
        memcpy(dst, p, plain);
        dst += plain;
        p += plain;
        if (escape && !undo_escape(&p, end, &dst, &token->is_bad))
            return not_json(j, p, "an escape", err);
    }
    if (token->is_bad)
        return ST_OK;
    token->text = {j->undone, (size_t)(dst - j->undone)};
    j->undone = dst;
    return ST_OK;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Take the next token: all that stands before the one behind it, but for white space. At the end of
 * the text it is empty. */
static struct str take(struct json *j)
{
    const char *begin = j->text.p + *j->next;
    if (j->next == j->end)
        return {begin, 0};
    const char *end = j->text.p + *++j->next;
    while (end > begin && is_space(end[-1]))
        end--;
    return {begin, (size_t)(end - begin)};
}

/* raw: the token, quotes and all. */
static enum st string(struct json *j, struct str raw, struct json_token *token, struct err *err)
{
    token->text = {raw.p + 1, raw.len - 2};
    token->is_bad = !is_well_formed(j, token->text);
    if (memchr(token->text.p, '\\', token->text.len) != NULL)
        return unescape(j, token, err);
    return ST_OK;
}

static bool is_string(struct str raw)
{
    return raw.len >= 2 && raw.p[0] == '"' && raw.p[raw.len - 1] == '"';
}

static enum st begin_container(struct json *j, struct str raw, struct json_token *token,
                               struct err *err)
{
    bool is_object = raw.p[0] == '{';

    if (j->depth == JSON_MAX_DEPTH)
        return err_set(err, ST_REJECT, "not JSON: nested deeper than %d", JSON_MAX_DEPTH);
    j->is_object[j->depth++] = is_object;
    j->state = is_object ? expect::first_key : expect::first_element;
    token->event = is_object ? JSON_OBJECT_BEGIN : JSON_ARRAY_BEGIN;
    token->text = raw;
    return ST_OK;
}

static enum st end_container(struct json *j, struct str raw, struct json_token *token)
{
    token->event = j->is_object[--j->depth] ? JSON_OBJECT_END : JSON_ARRAY_END;
    token->text = raw;
    j->state = expect::more;
    return ST_OK;
}

static enum st value(struct json *j, struct str raw, struct json_token *token, struct err *err)
{
    char first = raw.len > 0 ? raw.p[0] : '\0';

    if (first == '{' || first == '[')
        return begin_container(j, raw, token, err);
    j->state = expect::more;
    if (is_string(raw)) {
        token->event = JSON_STRING;
        return string(j, raw, token, err);
    }
    token->text = raw;
    if (first == '-' || (first >= '0' && first <= '9')) {
        token->event = JSON_NUMBER;
        token->number = dec_parse(raw, &token->dec);
        if (token->number != DEC_NOT_A_NUMBER)
            return ST_OK;
    } else if (str_eq(raw, STR("null"))) {
        token->event = JSON_NULL;
        return ST_OK;
    } else if (str_eq(raw, STR("true")) || str_eq(raw, STR("false"))) {
        token->event = first == 't' ? JSON_TRUE : JSON_FALSE;
        return ST_OK;
    }
    return not_json(j, raw.p, "a value", err);
}

static enum st key(struct json *j, struct str raw, struct json_token *token, struct err *err)
{
    if (!is_string(raw))
        return not_json(j, raw.p, "a key", err);
    struct str colon = take(j);
    if (!str_eq(colon, STR(":")))
        return not_json(j, colon.p, "a colon", err);
    token->event = JSON_KEY;
    j->state = expect::value;
    return string(j, raw, token, err);
}

static enum st more(struct json *j, struct str raw, struct json_token *token, struct err *err)
{
    if (j->depth == 0) {
        token->event = JSON_DONE;
        return raw.len == 0 ? ST_OK : not_json(j, raw.p, "the end", err);
    }
    bool is_object = j->is_object[j->depth - 1];
    if (str_eq(raw, is_object ? STR("}") : STR("]")))
        return end_container(j, raw, token);
    if (!str_eq(raw, STR(",")))
        return not_json(j, raw.p, is_object ? "',' or '}'" : "',' or ']'", err);
    raw = take(j);
    return is_object ? key(j, raw, token, err) : value(j, raw, token, err);
}

enum st json_next(struct json *j, struct json_token *ret_token, struct err *err)
{
    struct str raw = take(j);

    *ret_token = {};
    switch (j->state) {
    case expect::root:
        if (!str_eq(raw, STR("{")) && !str_eq(raw, STR("[")))
            return not_json(j, raw.p, "an array or object", err);
        return begin_container(j, raw, ret_token, err);
    case expect::first_element:
        if (str_eq(raw, STR("]")))
            return end_container(j, raw, ret_token);
        return value(j, raw, ret_token, err);
    case expect::first_key:
        if (str_eq(raw, STR("}")))
            return end_container(j, raw, ret_token);
        return key(j, raw, ret_token, err);
    case expect::value:
        return value(j, raw, ret_token, err);
    case expect::more:
        break;
    }
    return more(j, raw, ret_token, err);
}

enum st json_skip(struct json *j, const struct json_token *first, struct str *ret_raw,
                  struct err *err)
{
    size_t outside = j->depth - 1;
    struct json_token token;

    if (first->event != JSON_OBJECT_BEGIN && first->event != JSON_ARRAY_BEGIN)
        return ST_OK;
    do {
        enum st st = json_next(j, &token, err);
        if (st != ST_OK)
            return st;
    } while (j->depth > outside);
    if (ret_raw)
        *ret_raw = {first->text.p, (size_t)(token.text.p + 1 - first->text.p)};
    return ST_OK;
}

enum st json_validate(struct json *j, struct str text, struct arena *arena,
                      enum json_event *ret_top, struct err *err)
{
    struct json_token token;

    enum st st = json_open(j, text, arena, err);
    if (st != ST_OK)
        return st;
    st = json_next(j, &token, err);
    enum json_event top = token.event;
    while (st == ST_OK && token.event != JSON_DONE)
        st = json_next(j, &token, err);
    if (st == ST_OK && ret_top)
        *ret_top = top;
    return st;
}

const char *json_event_name(enum json_event event)
{
    static const char *const names[] = {"end of text",  "object", "end of object", "array",
                                        "end of array", "key",    "null",          "true",
                                        "false",        "number", "string"};
    return names[event];
}
