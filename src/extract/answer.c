/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/answer.h"

#include "base/clock.h"
#include "base/http_client.h"

static bool matters(struct str name)
{
    static const char *const names[] = {
        "age",  "cache-control", "cf-cache-status", "content-type", "date",
        "etag", "retry-after",   "retry-after-ms",  "x-simulated", /* ours: the data is made up, for
                                                                      ever */
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_eq(name, str_of(names[i])))
            return true;
    return str_starts(name, STR("x-ratelimit-"));
}

void answer_keep_headers(struct str headers, struct buf *ret_kept)
{
    struct str line;

    while (headers.len > 0) {
        str_cut(&headers, '\n', &line);
        struct str value = line, name;
        if (str_cut(&value, ':', &name) && matters(name) &&
            line.len + 1 <= ret_kept->max - ret_kept->len) {
            buf_add_str(ret_kept, line);
            buf_add_char(ret_kept, '\n');
        }
    }
}

bool answer_mask_key(char *bytes, size_t len, struct str key)
{
    bool is_found = false;

    if (key.len < 8 || len == 0)
        return false;
    for (char *at; (at = memmem(bytes, len, key.p, key.len)) != NULL; is_found = true) {
        memset(at, '*', key.len);
        len -= (size_t)(at - bytes) + key.len;
        bytes = at + key.len;
    }
    return is_found;
}

/* CoinGecko's own form: "2026-03-09 03:28:00 +0000". */
static bool parse_reset(struct str s, int64_t *ret_us)
{
    char text[] = "YYYY-MM-DDThh:mm:ssZ";

    if (s.len != 25 || !str_eq((struct str){s.p + 19, 6}, STR(" +0000")))
        return false;
    memcpy(text, s.p, 19);
    return time_parse(str_of(text), ret_us);
}

/* Microseconds in (0, ANSWER_MAX_WAIT_US], else 0. */
static int64_t bounded(int64_t us)
{
    return us <= 0 ? 0 : us > ANSWER_MAX_WAIT_US ? ANSWER_MAX_WAIT_US : us;
}

int64_t answer_wait_us(struct str headers, int64_t now_us, struct str *ret_asked)
{
    struct str in_ms = http_answer_header(headers, "retry-after-ms");
    struct str after = http_answer_header(headers, "retry-after");
    struct str reset = http_answer_header(headers, "x-ratelimit-reset");
    int64_t n, until_us, wait_us = 0;

    /* a date is meant by the API's clock, not ours */
    int64_t date_us;
    if (time_parse_http(http_answer_header(headers, "date"), &date_us))
        now_us = date_us;
    *ret_asked = in_ms.len > 0 ? in_ms : after.len > 0 ? after : reset;
    if (str_to_i64(in_ms, 0, INT64_MAX / US_PER_MS, &n))
        wait_us = bounded(n * US_PER_MS);
    if (wait_us == 0 && str_to_i64(after, 0, INT64_MAX / US_PER_S, &n))
        wait_us = bounded(n * US_PER_S);
    else if (wait_us == 0 && time_parse_http(after, &until_us))
        wait_us = bounded(until_us - now_us);
    if (wait_us == 0 && parse_reset(reset, &until_us))
        wait_us = bounded(until_us - now_us);
    return wait_us;
}

bool answer_clock_is_off(struct str headers, int64_t now_us, int64_t *ret_date_us)
{
    int64_t date_us, age = 0;

    if (!time_parse_http(http_answer_header(headers, "date"), &date_us)) {
        *ret_date_us = 0;
        return now_us < CLOCK_LEAST_US;
    }
    if (!str_to_i64(http_answer_header(headers, "age"), 0, 7 * 86400, &age))
        age = 0;
    *ret_date_us = date_us;
    return now_us < date_us - ANSWER_MAX_SKEW_US ||
           now_us > date_us + age * US_PER_S + ANSWER_MAX_SKEW_US;
}
