/* SPDX-License-Identifier: Apache-2.0 */
extern "C" {
#include "base/json.h"

#include "base/dec.h"
}

#include <cctype>
#include <new>
#include <simdjson.h>
#include <utility>

using namespace simdjson;

static_assert(JSON_PADDING >= SIMDJSON_PADDING, "json.h promises callers enough padding");

/* Stands in for every ill-formed byte: one byte, legal inside a string, illegal outside. */
static const char bad_byte = '\x7f';

namespace
{
struct level {
    bool is_object;
    bool is_started; /* an element was handed out: step over it first */
    ondemand::array_iterator element;
    ondemand::object_iterator field;
};
} // namespace

struct json {
    ondemand::parser parser;
    ondemand::document doc;
    struct arena *arena;
    struct str text;
    struct str sent; /* where text is a copy in which ill-formed bytes are bad_byte: the original */
    uint8_t *undone; /* room for all strings of the text without their escapes; NULL: none yet */
    bool is_begun;   /* the top-level value was handed out */
    bool has_value;  /* a key was handed out, its value is next */
    ondemand::value value;
    size_t depth;
    level stack[JSON_MAX_DEPTH];
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

static enum st not_json(struct json *j, error_code error, struct err *err)
{
    j->depth = 0;
    if (error == MEMALLOC)
        return err_set(err, ST_AGAIN, "json: no memory");
    return err_set(err, ST_REJECT, "not JSON: %s", error_message(error));
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

static error_code start(struct json *j)
{
    padded_string_view view(j->text.p, j->text.len, j->text.len + JSON_PADDING);
    return j->parser.iterate(view).get(j->doc);
}

static error_code push_array(struct json *j, simdjson_result<ondemand::array> result)
{
    ondemand::array array;
    error_code error = std::move(result).get(array);
    if (error)
        return error;
    level *l = &j->stack[j->depth++];
    l->is_object = false;
    l->is_started = false;
    return array.begin().get(l->element);
}

static error_code push_object(struct json *j, simdjson_result<ondemand::object> result)
{
    ondemand::object object;
    error_code error = std::move(result).get(object);
    if (error)
        return error;
    level *l = &j->stack[j->depth++];
    l->is_object = true;
    l->is_started = false;
    return object.begin().get(l->field);
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
    j->is_begun = false;
    j->has_value = false;
    j->depth = 0;
    if (text.len == 0)
        return err_set(err, ST_REJECT, "not JSON: empty");
    error_code error = start(j);
    if (error == UTF8_ERROR) {
        if (!repair(j))
            return err_set(err, ST_AGAIN, "json: no memory");
        error = start(j);
    }
    return error ? not_json(j, error, err) : ST_OK;
}

/* The string whose text between the quotes is `raw` was well-formed as it was sent. */
static bool is_well_formed(const struct json *j, struct str raw)
{
    return j->sent.p == NULL || str_is_utf8({j->sent.p + (raw.p - j->text.p), raw.len});
}

/* Every backslash begins an escape of JSON, whether or not it makes a character. */
static bool has_json_escapes(struct str raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.p[i] != '\\')
            continue;
        char c = raw.p[++i]; /* at worst the closing quote, which no backslash precedes */
        if (c != 'u' && strchr("\"\\/bfnrt", c) == NULL)
            return false;
        for (int n = 0; c == 'u' && n < 4; n++)
            if (++i >= raw.len || !isxdigit((unsigned char)raw.p[i]))
                return false;
    }
    return true;
}

/* Undo the escapes of the string whose text between the quotes is `raw`. A string becomes shorter
 * by it, so that room for the whole text is enough for all of them, however many there are. */
static enum st unescape(struct json *j, struct str raw, struct json_token *token, struct err *err)
{
    std::string_view view;

    token->text = raw;
    token->is_bad = !is_well_formed(j, raw);
    if (raw.len == 0 || memchr(raw.p, '\\', raw.len) == NULL)
        return ST_OK;
    if (j->undone == NULL)
        j->undone = (uint8_t *)arena_alloc(j->arena, j->text.len + SIMDJSON_PADDING, 1);
    if (j->undone == NULL)
        return err_set(err, ST_AGAIN, "json: no memory for the strings of %zu bytes", j->text.len);
    uint8_t *end = j->undone;
    /* a raw_json_string is the address behind the opening quote */
    error_code error =
        j->parser.unescape(ondemand::raw_json_string((const uint8_t *)raw.p), end).get(view);
    if (error && !has_json_escapes(raw))
        return not_json(j, STRING_ERROR, err);
    if (error || view.find('\0') != view.npos)
        token->is_bad = true;
    if (token->is_bad)
        return ST_OK;
    j->undone = end;
    token->text = {view.data(), view.size()};
    return ST_OK;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static struct str trimmed(std::string_view s)
{
    size_t n = s.size();
    while (n > 0 && is_space(s[n - 1]))
        n--;
    return {s.data(), n};
}

static enum st begin_container(struct json *j, bool is_object, struct json_token *token,
                               struct err *err)
{
    error_code error;

    if (j->depth == JSON_MAX_DEPTH) {
        j->depth = 0;
        return err_set(err, ST_REJECT, "json: nested deeper than %d", JSON_MAX_DEPTH);
    }
    bool is_root = j->depth == 0;
    if (is_object)
        error = push_object(j, is_root ? j->doc.get_object() : j->value.get_object());
    else
        error = push_array(j, is_root ? j->doc.get_array() : j->value.get_array());
    if (error)
        return not_json(j, error, err);
    token->event = is_object ? JSON_OBJECT_BEGIN : JSON_ARRAY_BEGIN;
    return ST_OK;
}

static enum st scalar(struct json *j, struct str raw, struct json_token *token, struct err *err)
{
    struct dec ignored;

    token->text = raw;
    if (str_eq(raw, STR("null")))
        token->event = JSON_NULL;
    else if (str_eq(raw, STR("true")))
        token->event = JSON_TRUE;
    else if (str_eq(raw, STR("false")))
        token->event = JSON_FALSE;
    else if (dec_parse(raw, &ignored) != DEC_NOT_A_NUMBER)
        token->event = JSON_NUMBER;
    else
        return not_json(j,
                        raw.len > 0 && (raw.p[0] == '-' || (raw.p[0] >= '0' && raw.p[0] <= '9'))
                            ? NUMBER_ERROR
                            : TAPE_ERROR,
                        err);
    return ST_OK;
}

static enum st hand_out_value(struct json *j, struct json_token *token, struct err *err)
{
    struct str raw = trimmed(j->value.raw_json_token());
    char first = raw.len > 0 ? raw.p[0] : '\0';

    j->has_value = false;
    token->text = {raw.p, 1};
    if (first == '{' || first == '[')
        return begin_container(j, first == '{', token, err);
    if (first != '"')
        return scalar(j, raw, token, err);
    ondemand::raw_json_string ignored;
    error_code error = j->value.get_raw_json_string().get(ignored); /* steps over it */
    if (error || raw.len < 2 || raw.p[raw.len - 1] != '"')
        return not_json(j, error ? error : STRING_ERROR, err);
    token->event = JSON_STRING;
    return unescape(j, {raw.p + 1, raw.len - 2}, token, err);
}

static enum st hand_out_key(struct json *j, level *top, struct json_token *token, struct err *err)
{
    ondemand::field field;
    error_code error = (*top->field).get(field);
    if (error)
        return not_json(j, error, err);
    const char *begin = (const char *)field.key().raw();
    j->value = field.value();
    /* back from the value over ':' and white space to the key's closing quote */
    const char *end = j->value.raw_json_token().data();
    do
        end--;
    while (end > begin && *end != '"');
    token->event = JSON_KEY;
    j->has_value = true;
    return unescape(j, {begin, (size_t)(end - begin)}, token, err);
}

static enum st at_root(struct json *j, struct json_token *token, struct err *err)
{
    const char *rest;

    if (!j->is_begun) {
        size_t i = 0;
        while (i < j->text.len && is_space(j->text.p[i]))
            i++;
        char first = i < j->text.len ? j->text.p[i] : '\0';
        if (first != '{' && first != '[')
            return not_json(j, INCORRECT_TYPE, err);
        j->is_begun = true;
        token->text = {j->text.p + i, 1};
        return begin_container(j, first == '{', token, err);
    }
    if (j->doc.current_location().get(rest) != OUT_OF_BOUNDS)
        return not_json(j, TAPE_ERROR, err);
    token->event = JSON_DONE;
    return ST_OK;
}

enum st json_next(struct json *j, struct json_token *ret_token, struct err *err)
{
    *ret_token = {};
    if (j->has_value)
        return hand_out_value(j, ret_token, err);
    if (j->depth == 0)
        return at_root(j, ret_token, err);
    level *top = &j->stack[j->depth - 1];
    if (top->is_started) {
        if (top->is_object)
            ++top->field;
        else
            ++top->element;
    }
    top->is_started = true;
    bool has_more = top->is_object ? top->field != ondemand::object_iterator()
                                   : top->element != ondemand::array_iterator();
    if (!has_more) {
        j->depth--;
        ret_token->event = top->is_object ? JSON_OBJECT_END : JSON_ARRAY_END;
        return ST_OK;
    }
    if (top->is_object)
        return hand_out_key(j, top, ret_token, err);
    error_code error = (*top->element).get(j->value);
    return error ? not_json(j, error, err) : hand_out_value(j, ret_token, err);
}

enum st json_skip(struct json *j, const struct json_token *first, struct str *ret_raw,
                  struct err *err)
{
    size_t outside = j->depth - 1;
    struct json_token token;
    const char *end;

    if (first->event != JSON_OBJECT_BEGIN && first->event != JSON_ARRAY_BEGIN)
        return ST_OK;
    do {
        enum st st = json_next(j, &token, err);
        if (st != ST_OK)
            return st;
    } while (j->depth > outside);
    if (ret_raw) {
        if (j->doc.current_location().get(end) == OUT_OF_BOUNDS)
            end = j->text.p + j->text.len;
        do
            end--;
        while (*end != ']' && *end != '}');
        *ret_raw = {first->text.p, (size_t)(end + 1 - first->text.p)};
    }
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
