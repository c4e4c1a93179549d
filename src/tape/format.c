/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/format.h"

#include "tape/bytes.h"
#include "tape/tape.h"

#include <errno.h>
#include <xxhash.h>

uint64_t format_hash(const void *header, size_t len)
{
    return XXH3_64bits(header, len);
}

void format_put_frame_head(uint8_t ret_bytes[FORMAT_FRAME_HEAD], uint32_t magic, uint32_t len)
{
    put_u32(ret_bytes, magic);
    put_u32(ret_bytes + 4, len);
}

bool format_is_frame_head(const uint8_t bytes[FORMAT_FRAME_HEAD], uint32_t magic, uint32_t len)
{
    return get_u32(bytes) == magic && get_u32(bytes + 4) == len;
}

/* ---- the envelope ---- */

enum { AT_VERSION = 16, AT_ZERO = 18, AT_HEADER_LEN = 20, AT_HASH = 24, AT_BODY = 32, AT_SUM = 36 };

void format_put_envelope(uint8_t ret_bytes[FORMAT_ENVELOPE], const struct envelope *e)
{
    format_put_frame_head(ret_bytes, FORMAT_MAGIC_RECORD,
                          FORMAT_ENVELOPE - FORMAT_FRAME_HEAD + e->header_len);
    memcpy(ret_bytes + FORMAT_MAGIC_AT, FORMAT_MAGIC, strlen(FORMAT_MAGIC));
    put_u16(ret_bytes + AT_VERSION, e->version);
    put_u16(ret_bytes + AT_ZERO, 0);
    put_u32(ret_bytes + AT_HEADER_LEN, e->header_len);
    put_u64(ret_bytes + AT_HASH, e->hash);
    put_u32(ret_bytes + AT_BODY, e->body_frame_len);
    put_u32(ret_bytes + AT_SUM, (uint32_t)XXH3_64bits(ret_bytes, AT_SUM));
}

enum envelope_state format_get_envelope(const uint8_t bytes[FORMAT_ENVELOPE],
                                        struct envelope *ret_envelope)
{
    struct envelope e = {
        .version = get_u16(bytes + AT_VERSION),
        .header_len = get_u32(bytes + AT_HEADER_LEN),
        .hash = get_u64(bytes + AT_HASH),
        .body_frame_len = get_u32(bytes + AT_BODY),
    };

    if (memcmp(bytes + FORMAT_MAGIC_AT, FORMAT_MAGIC, strlen(FORMAT_MAGIC)) != 0 ||
        get_u32(bytes + AT_SUM) != (uint32_t)XXH3_64bits(bytes, AT_SUM))
        return ENVELOPE_BAD;
    *ret_envelope = e;
    if (e.version > FORMAT_VERSION)
        return ENVELOPE_NEWER;
    if (e.version == FORMAT_SEALED && e.body_frame_len != 0)
        return ENVELOPE_BAD;
    if (e.version == 0 || e.header_len < FORMAT_FIXED || e.header_len > FORMAT_MAX_HEADER ||
        !format_is_frame_head(bytes, FORMAT_MAGIC_RECORD,
                              FORMAT_ENVELOPE - FORMAT_FRAME_HEAD + e.header_len))
        return ENVELOPE_BAD;
    return ENVELOPE_OK;
}

/* ---- the header ---- */

enum {
    AT_TYPE = 0,
    AT_FLAGS = 1,
    AT_STATUS = 2,
    AT_PAGE = 4,
    AT_OFFSET = 8,
    AT_UUID = 16,
    AT_SLOT = 32,
    AT_FETCHED = 40,
    AT_ATTEMPT = 48,
    AT_LATENCY = 52,
    AT_BODY_LEN = 56,
    AT_BODY_HASH = 64,
};

enum { FLAG_JSON = 1, FLAG_MASKED = 2 };

enum { TAG_OUTCOME = 32, TAG_PAGES = 36 };

#define FIELD_HEAD 6 /* bytes of tag and length */

/* The fields but for outcome and pages, which have a case of their own below. */
static const struct field {
    uint16_t tag;
    enum { FIELD_NAME /* in struct stream_id */, FIELD_TEXT, FIELD_U64, FIELD_I64, FIELD_U32 } kind;
    size_t at;   /* in struct tape_record, or struct stream_id for a name */
    size_t size; /* of a name, NUL included */
} fields[] = {
#define NAME(tag, member) \
    {tag, FIELD_NAME, offsetof(struct stream_id, member), sizeof(((struct stream_id *)0)->member)}
#define FIELD(tag, kind, member) {tag, kind, offsetof(struct tape_record, member), 0}
    NAME(1, job),
    NAME(2, endpoint),
    NAME(3, vs_currency),
    NAME(4, selection),
    FIELD(16, FIELD_TEXT, target),
    FIELD(17, FIELD_TEXT, headers),
    FIELD(18, FIELD_TEXT, error),
    FIELD(33, FIELD_I64, started_us),
    FIELD(34, FIELD_I64, next_due_us),
    FIELD(35, FIELD_U64, first_offset),
    FIELD(37, FIELD_U32, attempts),
    FIELD(38, FIELD_U64, bytes),
    FIELD(39, FIELD_U64, prev_rows_end),
    FIELD(40, FIELD_U64, prev_ok_end),
    FIELD(41, FIELD_U64, credits_key),
    FIELD(42, FIELD_I64, credits_from_us),
    FIELD(43, FIELD_U64, credits_spent),
    FIELD(44, FIELD_U64, n_skipped),
#undef NAME
#undef FIELD
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static void add_field_head(struct buf *out, uint16_t tag, size_t len)
{
    uint8_t head[FIELD_HEAD];

    put_u16(head, tag);
    put_u32(head + 2, (uint32_t)len);
    buf_add(out, head, sizeof(head));
}

static void add_text(struct buf *out, uint16_t tag, struct str text)
{
    if (text.len == 0)
        return;
    add_field_head(out, tag, text.len);
    buf_add_str(out, text);
}

static void add_number(struct buf *out, uint16_t tag, uint64_t number)
{
    uint8_t bytes[8];

    if (number == 0)
        return;
    put_u64(bytes, number);
    add_field_head(out, tag, sizeof(bytes));
    buf_add(out, bytes, sizeof(bytes));
}

static void add_field(struct buf *out, const struct field *f, const struct tape_record *r)
{
    const char *at = (f->kind == FIELD_NAME ? (const char *)r->stream : (const char *)r) + f->at;
    struct str text;
    uint64_t u64;
    uint32_t u32;

    switch (f->kind) {
    case FIELD_NAME:
        add_text(out, f->tag, str_of(at));
        break;
    case FIELD_TEXT:
        memcpy(&text, at, sizeof(text));
        add_text(out, f->tag, text);
        break;
    case FIELD_U64:
    case FIELD_I64:
        memcpy(&u64, at, sizeof(u64));
        add_number(out, f->tag, u64);
        break;
    case FIELD_U32:
        memcpy(&u32, at, sizeof(u32));
        add_number(out, f->tag, u32);
        break;
    }
}

static void add_fixed(struct buf *out, const struct tape_record *r)
{
    uint8_t p[FORMAT_FIXED];

    p[AT_TYPE] = (uint8_t)r->type;
    p[AT_FLAGS] = (uint8_t)((r->is_json ? FLAG_JSON : 0) | (r->is_masked ? FLAG_MASKED : 0));
    put_u16(p + AT_STATUS, (uint16_t)r->status);
    put_u32(p + AT_PAGE, r->page);
    put_u64(p + AT_OFFSET, r->offset);
    memcpy(p + AT_UUID, r->stream->uuid, 16);
    put_u64(p + AT_SLOT, (uint64_t)r->slot_us);
    put_u64(p + AT_FETCHED, (uint64_t)r->fetched_at_us);
    put_u32(p + AT_ATTEMPT, r->attempt);
    put_u32(p + AT_LATENCY, r->latency_us);
    put_u64(p + AT_BODY_LEN, r->body_len);
    memcpy(p + AT_BODY_HASH, r->body_hash, 16);
    buf_add(out, p, sizeof(p));
}

enum st format_put_header(struct buf *out, const struct tape_record *r, struct err *err)
{
    size_t texts = r->target.len + r->headers.len + r->error.len;

    /* 2 KiB is more than all other fields; the page list has its own room */
    if (texts > FORMAT_MAX_HEADER - TAPE_MAX_PAGES * 8u - 2048 || r->n_pages > TAPE_MAX_PAGES)
        return err_set(err, ST_REJECT,
                       "a record with %zu bytes of texts and %u pages; at most 62 kB and %d", texts,
                       r->n_pages, TAPE_MAX_PAGES);
    add_fixed(out, r);
    for (size_t i = 0; i < N_FIELDS; i++)
        add_field(out, &fields[i], r);
    if (r->type == TAPE_END)
        add_number(out, TAG_OUTCOME, r->outcome);
    if (r->n_pages > 0)
        add_field_head(out, TAG_PAGES, r->n_pages * 8u);
    for (uint32_t i = 0; i < r->n_pages; i++) {
        uint8_t bytes[8];
        put_u64(bytes, r->pages[i]);
        buf_add(out, bytes, sizeof(bytes));
    }
    if (out->is_overflow)
        return err_sys(err, ST_AGAIN, ENOMEM, "a record");
    return ST_OK;
}

const uint8_t *format_header_uuid(const uint8_t *header)
{
    return header + AT_UUID;
}

static bool get_name(const struct field *f, const uint8_t *value, size_t len,
                     struct stream_id *ret_id)
{
    if (len >= f->size || memchr(value, '\0', len) != NULL)
        return false;
    memcpy((char *)ret_id + f->at, value, len);
    return true;
}

static bool get_field(const struct field *f, const uint8_t *value, size_t len,
                      struct stream_id *ret_id, struct tape_record *ret_record)
{
    char *at = (char *)ret_record + f->at;

    if (f->kind == FIELD_NAME)
        return get_name(f, value, len, ret_id);
    if (f->kind == FIELD_TEXT) {
        struct str text = {(const char *)value, len};
        memcpy(at, &text, sizeof(text));
        return true;
    }
    if (len != 8)
        return false;
    uint64_t u64 = get_u64(value);
    uint32_t u32 = (uint32_t)u64;
    if (f->kind == FIELD_U32 && u64 > UINT32_MAX)
        return false;
    if (f->kind == FIELD_U32)
        memcpy(at, &u32, sizeof(u32));
    else
        memcpy(at, &u64, sizeof(u64));
    return true;
}

static bool get_pages(const uint8_t *value, size_t len, uint64_t *pages,
                      struct tape_record *ret_record)
{
    if (len % 8 != 0 || len / 8 > TAPE_MAX_PAGES)
        return false;
    for (size_t i = 0; i < len / 8; i++)
        pages[i] = get_u64(value + i * 8);
    ret_record->pages = pages;
    ret_record->n_pages = (uint32_t)(len / 8);
    return true;
}

static bool get_tagged(uint16_t tag, const uint8_t *value, size_t len, struct stream_id *ret_id,
                       uint64_t *pages, struct tape_record *ret_record)
{
    if (tag == TAG_PAGES)
        return get_pages(value, len, pages, ret_record);
    if (tag == TAG_OUTCOME) {
        if (len != 8 || get_u64(value) < POLL_OK || get_u64(value) > POLL_ABORTED)
            return false;
        ret_record->outcome = (enum poll_outcome)get_u64(value);
        return true;
    }
    for (size_t i = 0; i < N_FIELDS; i++)
        if (fields[i].tag == tag)
            return get_field(&fields[i], value, len, ret_id, ret_record);
    return true;
}

static void get_fixed(const uint8_t *p, struct stream_id *ret_id, struct tape_record *ret_record)
{
    *ret_record = (struct tape_record){
        .type = (enum tape_type)p[AT_TYPE],
        .is_json = (p[AT_FLAGS] & FLAG_JSON) != 0,
        .is_masked = (p[AT_FLAGS] & FLAG_MASKED) != 0,
        .status = get_u16(p + AT_STATUS),
        .page = get_u32(p + AT_PAGE),
        .offset = get_u64(p + AT_OFFSET),
        .stream = ret_id,
        .slot_us = (int64_t)get_u64(p + AT_SLOT),
        .fetched_at_us = (int64_t)get_u64(p + AT_FETCHED),
        .attempt = get_u32(p + AT_ATTEMPT),
        .latency_us = get_u32(p + AT_LATENCY),
        .body_len = get_u64(p + AT_BODY_LEN),
    };
    memcpy(ret_record->body_hash, p + AT_BODY_HASH, 16);
    memcpy(ret_id->uuid, p + AT_UUID, 16);
}

/* What the checksum cannot know: a header made by a program that is not ours. */
static bool is_sound(const struct tape_record *r, const struct envelope *e)
{
    if (r->offset == 0 || r->offset > INT64_MAX || !tape_job_name_is_valid(str_of(r->stream->job)))
        return false;
    if (r->type == TAPE_END)
        return r->outcome != 0 && e->body_frame_len == 0 && r->body_len == 0;
    return r->type == TAPE_PAGE && r->page >= 1 && r->page <= TAPE_MAX_PAGES &&
           r->body_len <= TAPE_MAX_BODY;
}

bool format_get_header(const uint8_t *header, const struct envelope *e, struct stream_id *ret_id,
                       uint64_t *pages, struct tape_record *ret_record)
{
    const uint8_t *p = header + FORMAT_FIXED, *end = header + e->header_len;

    *ret_id = (struct stream_id){.job = ""};
    get_fixed(header, ret_id, ret_record);
    ret_record->hash = e->hash;
    while (p < end) {
        if (end - p < FIELD_HEAD)
            return false;
        uint16_t tag = get_u16(p);
        uint32_t len = get_u32(p + 2);
        p += FIELD_HEAD;
        if (len > (size_t)(end - p) || !get_tagged(tag, p, len, ret_id, pages, ret_record))
            return false;
        p += len;
    }
    return is_sound(ret_record, e);
}

const char *poll_outcome_name(enum poll_outcome outcome)
{
    switch (outcome) {
    case POLL_OK:
        return "ok";
    case POLL_PARTIAL:
        return "partial";
    case POLL_FAILED:
        return "failed";
    case POLL_ABORTED:
        return "aborted";
    }
    return "unknown";
}
