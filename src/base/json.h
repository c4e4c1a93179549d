/* A cursor over one JSON text: strict, bounded, zero-copy, with numbers and order as sent.
 *
 * A face over simdjson's tokens; json.cc is C++, as is shortest.cc, and nothing else. json_next()
 * hands out the events of the text in order and validates every byte it passes, so a text is known
 * to be JSON only when JSON_DONE came. A JSON text here is an array or an object; a bare scalar is
 * refused.
 *
 * What simdjson refuses for the whole text but costs only one value here: a string that holds
 * ill-formed UTF-8, a lone surrogate escape or U+0000 comes as a token with is_bad set.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/arena.h"
#include "base/dec.h"
#include "base/err.h"
#include "base/str.h"

#define JSON_MAX_DEPTH 32 /* nested arrays and objects; deeper is refused */
#define JSON_PADDING \
    64 /* readable bytes that must follow every text (simdjson's SIMDJSON_PADDING) */

enum json_event {
    JSON_DONE, /* the text is over and was JSON */
    JSON_OBJECT_BEGIN,
    JSON_OBJECT_END,
    JSON_ARRAY_BEGIN,
    JSON_ARRAY_END,
    JSON_KEY, /* text: unescaped */
    JSON_NULL,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NUMBER, /* text: the lexeme, byte for byte */
    JSON_STRING, /* text: unescaped UTF-8 */
};

struct json_token {
    enum json_event event;
    bool is_bad;     /* a key or string that is no text (see above); `text` is then as sent, escapes
                      * and all, with U+007F for each ill-formed byte */
    struct str text; /* in the text itself, or in the arena where escapes had to be undone */
    enum dec_result number; /* JSON_NUMBER: DEC_OK, or DEC_OUT_OF_RANGE */
    struct dec dec;         /* JSON_NUMBER: its value, with DEC_OK */
};

struct json;

/* Owner: the caller, json_free(). Thread: one at a time. */
struct json *json_new(void);
void json_free(struct json *j); /* NULL is fine */

/* Copy `text` into the arena with its padding; p is NULL when there is no room. */
struct str json_pad(struct arena *a, struct str text);

/* Start on a text.
 * Owner:   text (followed by JSON_PADDING readable bytes) and arena must outlive every token.
 * Returns: ST_REJECT when it is plainly not JSON, ST_AGAIN when there is no memory. */
enum st json_open(struct json *j, struct str text, struct arena *arena, struct err *err) MUST_USE;

/* The next event. ST_REJECT: not JSON from here on; the cursor is spent. */
enum st json_next(struct json *j, struct json_token *ret_token, struct err *err) MUST_USE;

/* Walk the rest of the value that `first` began (scalar: nothing to do), validating it. ret_raw
 * (may be NULL) is an array's or object's text as sent. */
enum st json_skip(struct json *j, const struct json_token *first, struct str *ret_raw,
                  struct err *err) MUST_USE;

/* Walk a whole text; ret_top (may be NULL) is JSON_ARRAY_BEGIN or JSON_OBJECT_BEGIN. */
enum st json_validate(struct json *j, struct str text, struct arena *arena,
                      enum json_event *ret_top, struct err *err) MUST_USE;

/* "null", "number", "array", …: for messages. */
const char *json_event_name(enum json_event event);

#endif
