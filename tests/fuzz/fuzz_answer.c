/* An answer of any headers and body: waits are bounded, the verdict fits, the description is clean
 * text. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "extract/answer.h"
#include "extract/classify.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* first byte: which status; then header lines up to the first line that starts with '{', '[' or '<'
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const long statuses[] = {200, 304, 400, 401, 403, 404, 408,
                                    414, 422, 429, 500, 502, 503, 999};
    const struct endpoint *ep = endpoint_find("coins/markets");
    struct json *json = json_new();
    struct answer_facts facts;
    char text[ANSWER_MAX_TEXT];
    struct arena arena;
    struct str asked;
    int64_t date_us;

    if (size < 1) {
        json_free(json);
        return 0;
    }
    long status = statuses[data[0] % (sizeof(statuses) / sizeof(statuses[0]))];
    size_t at = 1;
    while (at < size && data[at] != '{' && data[at] != '[' && data[at] != '<') {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        at = end ? (size_t)(end - data) + 1 : size;
    }
    arena_init(&arena, 8 << 20);
    struct str headers = {(const char *)data + 1, at - 1};
    struct str body = json_pad(&arena, (struct str){(const char *)data + at, size - at});
    struct buf kept = BUF_INIT(ANSWER_MAX_KEPT);
    answer_keep_headers(headers, &kept);
    assert(!kept.is_overflow);
    int64_t wait_us = answer_wait_us(headers, INT64_C(1795444200000000), &asked);
    assert(wait_us >= 0 && wait_us <= ANSWER_MAX_WAIT_US);
    (void)answer_clock_is_off(headers, INT64_C(1795444200000000), &date_us);
    answer_read(json, body, ep, &arena, &facts);
    struct answer_verdict verdict = answer_classify(status, &facts, ep, size & 1);
    assert(verdict.class != ANSWER_OK || (status == 200 && facts.is_json && facts.top == ep->top));
    answer_describe(&(struct answer_reply){status, headers, body, wait_us}, &facts, &verdict, ep,
                    text);
    struct str line = str_of(text);
    assert(line.len < ANSWER_MAX_TEXT && str_is_utf8(line));
    for (size_t i = 0; i < line.len; i++)
        assert((unsigned char)line.p[i] >= ' ' && line.p[i] != 0x7F);
    buf_release(&kept);
    json_free(json);
    arena_release(&arena);
    return 0;
}
