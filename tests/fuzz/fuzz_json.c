/* Any bytes through the JSON cursor: no crash, balanced events, raw text inside the text. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct json *json = json_new();
    struct json_token token;
    struct err err = ERR_INIT;
    int depth = 0;
    bool is_skipping = size > 0 && data[0] & 1;

    arena_init(&arena, 8 << 20);
    struct str text = json_pad(&arena, (struct str){(const char *)data, size});
    enum st st = json_open(json, text, &arena, &err);
    while (st == ST_OK && (st = json_next(json, &token, &err)) == ST_OK &&
           token.event != JSON_DONE) {
        bool is_begin = token.event == JSON_OBJECT_BEGIN || token.event == JSON_ARRAY_BEGIN;
        bool is_end = token.event == JSON_OBJECT_END || token.event == JSON_ARRAY_END;
        assert(token.is_bad || token.event != JSON_STRING || str_is_utf8(token.text));
        if (is_begin && depth > 0 && is_skipping) {
            struct str raw;
            st = json_skip(json, &token, &raw, &err);
            assert(st != ST_OK || (raw.len >= 2 && (raw.p[0] == '[' || raw.p[0] == '{')));
            continue;
        }
        depth += is_begin - is_end;
        assert(depth >= 0 && depth <= JSON_MAX_DEPTH);
    }
    assert(st != ST_OK || depth == 0);
    json_free(json);
    arena_release(&arena);
    return 0;
}
