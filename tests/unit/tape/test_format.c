/* SPDX-License-Identifier: Apache-2.0 */
#include "tap.h"
#include "tape/format.h"

static const struct stream_id id = {
    .job = "j", .uuid = {1, 2, 3}, .endpoint = "e", .vs_currency = "v", .selection = "s"};

static struct tape_record page_record(void)
{
    return (struct tape_record){.type = TAPE_PAGE,
                                .is_masked = true,
                                .offset = 258,
                                .stream = &id,
                                .slot_us = -1,
                                .page = 2,
                                .attempt = 3,
                                .fetched_at_us = 4,
                                .status = 503,
                                .latency_us = 5,
                                .body_len = 6,
                                .body_hash = {9, 8, 7},
                                .target = STR("/t"),
                                .headers = STR("age: 1\n")};
}

/* A header and the envelope that fits it. */
static void make(struct buf *header, const struct tape_record *r, struct envelope *ret_e)
{
    struct err err;

    buf_clear(header);
    if (format_put_header(header, r, &err) != ST_OK)
        abort();
    *ret_e = (struct envelope){.version = FORMAT_OPEN,
                               .header_len = (uint32_t)header->len,
                               .hash = format_hash(header->p, header->len)};
}

static bool get(const struct buf *header, struct stream_id *ret_id, uint64_t *pages,
                struct tape_record *ret)
{
    struct envelope e = {.version = FORMAT_OPEN, .header_len = (uint32_t)header->len};
    return format_get_header((const uint8_t *)header->p, &e, ret_id, pages, ret);
}

/* The contract: whoever changes a byte of this breaks every tape there is. */
static void the_bytes_are_the_documented_ones(void)
{
    static const uint8_t want[] = {
        0x50, 0x2A, 0x4D, 0x18, 0xA1, 0,   0,   0,               /* frame */
        'G',  'C',  'K',  'O',  'T',  'A', 'P', 'E', 1, 0, 0, 0, /* version */
        0x81, 0,    0,    0,                                     /* header length */
    };
    static const uint8_t want_header[] = {
        1,    2,    0xF7, 1,    2,    0,    0,   0, 2,   1,   0,   0,   0,   0,   0,    0,    1,
        2,    3,    0,    0,    0,    0,    0,   0, 0,   0,   0,   0,   0,   0,   0,    0xFF, 0xFF,
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 4,   0, 0,   0,   0,   0,   0,   0,   3,    0,    0,
        0,    5,    0,    0,    0,    6,    0,   0, 0,   0,   0,   0,   0,   9,   8,    7,    0,
        0,    0,    0,    0,    0,    0,    0,   0, 0,   0,   0,   0, /* fields */
        1,    0,    1,    0,    0,    0,    'j', 2, 0,   1,   0,   0,   0,   'e', 3,    0,    1,
        0,    0,    0,    'v',  4,    0,    1,   0, 0,   0,   's', 16,  0,   2,   0,    0,    0,
        '/',  't',  17,   0,    7,    0,    0,   0, 'a', 'g', 'e', ':', ' ', '1', '\n',
    };
    struct buf header = BUF_INIT(1 << 20);
    struct tape_record r = page_record();
    uint8_t envelope[FORMAT_ENVELOPE];
    struct envelope e;

    make(&header, &r, &e);
    CHECK_EQ(header.len, sizeof(want_header));
    for (size_t i = 0; i < sizeof(want_header); i++)
        if ((uint8_t)header.p[i] != want_header[i])
            TAP_FAIL("header byte %zu: got %u, want %u", i, (uint8_t)header.p[i], want_header[i]);
    format_put_envelope(envelope, &e);
    CHECK(memcmp(envelope, want, sizeof(want)) == 0);
    CHECK_EQ(e.hash, UINT64_C(0x820637fda3b41973));
    buf_release(&header);
}

static void names_at_their_longest_come_back(void)
{
    struct buf header = BUF_INIT(1 << 20);
    struct stream_id longest = {.uuid = {1}}, back;
    struct tape_record r = page_record(), got;
    struct envelope e;
    uint64_t pages[1];

    memset(longest.job, 'j', sizeof(longest.job) - 1);
    memset(longest.endpoint, 'e', sizeof(longest.endpoint) - 1);
    memset(longest.vs_currency, 'v', sizeof(longest.vs_currency) - 1);
    memset(longest.selection, 's', sizeof(longest.selection) - 1);
    r.stream = &longest;
    make(&header, &r, &e);
    CHECK(get(&header, &back, pages, &got));
    CHECK(memcmp(&back, &longest, sizeof(back)) == 0);
    CHECK(got.stream == &back);
    buf_release(&header);
}

static void unknown_fields_are_skipped(void)
{
    static const uint8_t unknown[] = {0xFF, 0x7F, 3, 0, 0, 0, 'x', 'y', 'z'};
    struct buf header = BUF_INIT(1 << 20);
    struct tape_record r = page_record(), got;
    struct stream_id back;
    struct envelope e;
    uint64_t pages[1];

    make(&header, &r, &e);
    buf_add(&header, unknown, sizeof(unknown));
    CHECK(get(&header, &back, pages, &got));
    CHECK_EQ(got.offset, 258);
    CHECK_STR(got.headers, "age: 1\n");
    buf_release(&header);
}

static void headers_that_make_no_sense_are_refused(void)
{
    static const struct {
        const char *what;
        size_t len;
        uint8_t field[20];
    } rows[] = {
        {"a field head that is cut", 5, {1, 0, 0, 0, 0}},
        {"a field longer than the header", 7, {16, 0, 9, 0, 0, 0, 'x'}},
        {"a field of 4 GB", 7, {16, 0, 0xFF, 0xFF, 0xFF, 0xFF, 'x'}},
        {"a NUL in a name", 8, {2, 0, 2, 0, 0, 0, 'x', 0}},
        {"a job that is no name", 9, {1, 0, 3, 0, 0, 0, '.', '.', '/'}},
        {"a vs_currency of 32 bytes", 6, {3, 0, 32, 0, 0, 0}},
        {"a number of 4 bytes", 10, {33, 0, 4, 0, 0, 0, 1, 1, 1, 1}},
        {"an outcome that is none", 14, {32, 0, 8, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0}},
        {"half a page offset", 10, {36, 0, 4, 0, 0, 0, 1, 1, 1, 1}},
        {"more than 2^32 attempts", 14, {37, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}},
    };
    struct buf header = BUF_INIT(1 << 20);
    struct tape_record r = page_record(), got;
    struct stream_id back;
    struct envelope e;
    uint64_t pages[16];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        make(&header, &r, &e);
        CHECK(get(&header, &back, pages, &got));
        buf_add(&header, rows[i].field, rows[i].len);
        if (get(&header, &back, pages, &got))
            TAP_FAIL("%s is accepted", rows[i].what);
    }
    static const struct {
        const char *what;
        size_t at;
        uint8_t value;
    } bytes[] = {
        {"type 0", 0, 0},    {"type 3", 0, 3},         {"an end without outcome", 0, 2},
        {"page 2^24", 7, 1}, {"offset 2^63", 15, 128}, {"a body of 4 GB", 60, 1},
    };
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        make(&header, &r, &e);
        header.p[bytes[i].at] = (char)bytes[i].value;
        if (get(&header, &back, pages, &got))
            TAP_FAIL("%s is accepted", bytes[i].what);
    }
    buf_release(&header);
}

static void an_envelope_tells_damage_from_a_newer_version(void)
{
    struct envelope e = {.version = 1, .header_len = 80, .hash = 7, .body_frame_len = 9}, got;
    uint8_t bytes[FORMAT_ENVELOPE];

    format_put_envelope(bytes, &e);
    CHECK_EQ(format_get_envelope(bytes, &got), ENVELOPE_OK);
    CHECK(got.header_len == 80 && got.hash == 7 && got.body_frame_len == 9);
    for (size_t i = 0; i < sizeof(bytes) * 8; i++) {
        bytes[i / 8] = (uint8_t)(bytes[i / 8] ^ 1 << i % 8);
        CHECK_EQ(format_get_envelope(bytes, &got), ENVELOPE_BAD);
        bytes[i / 8] = (uint8_t)(bytes[i / 8] ^ 1 << i % 8);
    }
    e.version = FORMAT_SEALED; /* these have no body behind them */
    format_put_envelope(bytes, &e);
    CHECK_EQ(format_get_envelope(bytes, &got), ENVELOPE_BAD);
    e.version = 3;
    format_put_envelope(bytes, &e);
    CHECK_EQ(format_get_envelope(bytes, &got), ENVELOPE_NEWER);
    CHECK_EQ(got.version, 3);
    e = (struct envelope){.version = 1, .header_len = FORMAT_MAX_HEADER + 1};
    format_put_envelope(bytes, &e);
    CHECK_EQ(format_get_envelope(bytes, &got), ENVELOPE_BAD);
}

static void outcomes_have_names(void)
{
    CHECK_Z(poll_outcome_name(POLL_OK), "ok");
    CHECK_Z(poll_outcome_name(POLL_PARTIAL), "partial");
    CHECK_Z(poll_outcome_name(POLL_FAILED), "failed");
    CHECK_Z(poll_outcome_name(POLL_ABORTED), "aborted");
}

TAP_MAIN(TAP_CASE(the_bytes_are_the_documented_ones), TAP_CASE(names_at_their_longest_come_back),
         TAP_CASE(unknown_fields_are_skipped), TAP_CASE(headers_that_make_no_sense_are_refused),
         TAP_CASE(an_envelope_tells_damage_from_a_newer_version), TAP_CASE(outcomes_have_names))
