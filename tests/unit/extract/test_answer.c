/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "extract/answer.h"
#include "tap.h"

#define NOW INT64_C(1795444200000000) /* 2026-11-23T14:30:00Z */

static void waits_are_read_in_every_form_and_nonsense_is_none(void)
{
    static const struct {
        const char *headers;
        int64_t seconds;
    } rows[] = {
        {"", 0},
        {"retry-after: 60\n", 60},
        {"date: x\nretry-after: 119\nage: 1\n", 119},
        {"retry-after: 0\n", 0},
        {"retry-after: -5\n", 0},
        {"retry-after: 86400\n", 600},
        {"retry-after: 9223372036854775807\n", 0},
        {"retry-after: 99999999999999999999999\n", 0},
        {"retry-after: soon\n", 0},
        {"retry-after: 1.5\n", 0},
        {"retry-after:\n", 0},
        {"retry-after: Mon, 23 Nov 2026 14:30:45 GMT\n", 45},
        {"retry-after: Mon, 23 Nov 2026 14:29:00 GMT\n", 0},
        {"retry-after: Thu, 23 Nov 2028 14:29:00 GMT\n", 600},
        /* by the API's clock, not ours */
        {"date: Mon, 23 Nov 2026 14:00:00 GMT\nretry-after: Mon, 23 Nov 2026 14:00:30 GMT\n", 30},
        {"x-ratelimit-reset: 2026-11-23 14:31:00 +0000\n", 60},
        {"x-ratelimit-reset: 2026-11-23 14:31:00\n", 0},
        {"x-ratelimit-reset: 1795444260\n", 0},
        {"x-ratelimit-reset: 2026-13-23 14:31:00 +0000\n", 0},
        {"retry-after: 7\nx-ratelimit-reset: 2026-11-23 14:31:00 +0000\n", 7},
        {"retry-after: -60\nx-ratelimit-reset: 2026-11-23 14:29:00 +0000\n", 0},
        {"x-ratelimit-reset: 2026-11-23 15:31:00 +0000\n", 600},
        {"x-ratelimit-reset: 9999-11-23 15:31:00 +0000\n", 600},
        {"x-ratelimit-reset: 2026-11-23 14:31:00 +0100\n", 0},
        /* as CoinGecko's own clients: the finest first, what is nonsense is passed over */
        {"retry-after-ms: 2000\nretry-after: 7\n", 2},
        {"retry-after: 7\nretry-after-ms: soon\n", 7},
        {"retry-after-ms: -1\nretry-after: 7\n", 7},
        {"retry-after-ms: 9223372036854775807\n", 0},
        {"retry-after-ms: 86400000\n", 600},
        {"retry-after: junk\nx-ratelimit-reset: 2026-11-23 14:31:00 +0000\n", 60},
    };

    struct str asked;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t got = answer_wait_us(str_of(rows[i].headers), NOW, &asked);
        if (got != rows[i].seconds * US_PER_S)
            TAP_FAIL("%s: got %" PRId64 " us", rows[i].headers, got);
    }
}

static void what_was_asked_for_is_told_as_it_was_said(void)
{
    static const struct {
        const char *headers, *asked;
    } rows[] = {
        {"date: x\n", ""},
        {"retry-after: soon\n", "soon"},
        {"retry-after:\nx-ratelimit-reset: 2026-11-23 14:31:00 +0000\n",
         "2026-11-23 14:31:00 +0000"},
        {"retry-after: -5\nretry-after-ms: 1500\n", "1500"},
    };
    struct str asked;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)answer_wait_us(str_of(rows[i].headers), NOW, &asked);
        CHECK_STR(asked, rows[i].asked);
    }
    CHECK_EQ(answer_wait_us(STR("retry-after-ms: 1500\n"), NOW, &asked), 1500 * US_PER_MS);
}

static void a_clock_is_off_beyond_two_minutes_and_an_age_counts_either_way(void)
{
    static const struct {
        const char *headers;
        bool is_off;
    } rows[] = {
        {"", false},
        {"date: junk\n", false},
        {"date: Mon, 23 Nov 2026 14:30:00 GMT\n", false},
        {"date: Mon, 23 Nov 2026 14:28:05 GMT\n", false},
        {"date: Mon, 23 Nov 2026 14:31:55 GMT\n", false},
        {"date: Mon, 23 Nov 2026 14:27:55 GMT\n", true},
        {"date: Mon, 23 Nov 2026 14:32:05 GMT\n", true},
        {"date: Fri, 23 Nov 2018 14:30:00 GMT\n", true},
        {"date: Mon, 23 Nov 2026 14:25:12 GMT\nage: 288\n", false},
        {"date: Mon, 23 Nov 2026 14:30:00 GMT\nage: 288\n", false},
        {"date: Mon, 23 Nov 2026 14:20:00 GMT\nage: 288\n", true},
        {"date: Mon, 23 Nov 2026 14:20:00 GMT\nage: -9\n", true},
        {"date: Mon, 23 Nov 2026 14:20:00 GMT\nage: 99999999999999999\n", true},
    };
    int64_t date_us;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (answer_clock_is_off(str_of(rows[i].headers), NOW, &date_us) != rows[i].is_off)
            TAP_FAIL("%s", rows[i].headers);
    CHECK(answer_clock_is_off(STR("date: Mon, 23 Nov 2026 14:20:00 GMT\n"), NOW, &date_us));
    CHECK_EQ(date_us, NOW - 600 * US_PER_S);
}

static void a_key_is_masked_wherever_it_stands(void)
{
    char body[] = "CG-abcdef{\"key\":\"CG-abcdefCG-abcdef\",\"CG-abcde\":1}CG-abcdef";
    char clean[] = "{\"key\":\"CG-\"}", short_key[] = "a banana";

    CHECK(answer_mask_key(body, strlen(body), STR("CG-abcdef")));
    CHECK_Z(body, "*********{\"key\":\"******************\",\"CG-abcde\":1}*********");
    CHECK(!answer_mask_key(body, strlen(body), STR("CG-abcdef")));
    CHECK(!answer_mask_key(clean, strlen(clean), STR("CG-abcdef")));
    CHECK(!answer_mask_key(short_key, strlen(short_key), STR("a")));
    CHECK(!answer_mask_key(clean, strlen(clean), STR_NONE));
    CHECK(!answer_mask_key(NULL, 0, STR("CG-abcdef")));
}

static void only_headers_that_matter_are_kept_and_never_too_many(void)
{
    struct buf kept = BUF_INIT(64);

    answer_keep_headers(STR("server: cloudflare\ndate: x\nset-cookie: __cf_bm=secret\nage: 3\n"
                            "x-ratelimit-limit: 30\ndates: no\n"),
                        &kept);
    CHECK_STR(buf_str(&kept), "date: x\nage: 3\nx-ratelimit-limit: 30\n");
    buf_clear(&kept);
    answer_keep_headers(STR("etag: 0123456789012345678901234567890123456789012345678901234567890\n"
                            "age: 3\n"),
                        &kept);
    CHECK_STR(buf_str(&kept), "age: 3\n");
    CHECK(!kept.is_overflow);
    buf_release(&kept);
}

TAP_MAIN(TAP_CASE(waits_are_read_in_every_form_and_nonsense_is_none),
         TAP_CASE(what_was_asked_for_is_told_as_it_was_said),
         TAP_CASE(a_clock_is_off_beyond_two_minutes_and_an_age_counts_either_way),
         TAP_CASE(a_key_is_masked_wherever_it_stands),
         TAP_CASE(only_headers_that_matter_are_kept_and_never_too_many))
