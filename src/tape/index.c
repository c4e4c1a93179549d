/* The index of a sealed segment: see format.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/bytes.h"
#include "tape/format.h"

#include <errno.h>

enum {
    AT_VERSION = 16,
    AT_ZERO = 18,
    AT_RECORDS_LEN = 20,
    AT_FILE_SIZE = 24,
    AT_UUID = 32,
    AT_FIRST = 48,
    AT_N_RECORDS = 56,
    AT_N_FRAMES = 60,
};

enum { KIND_PACKED = 1, KIND_SINGLE = 2 };

#define FRAME_LEN  32
#define RECORD_LEN 12

uint64_t format_index_len(uint64_t n_records, uint64_t n_frames)
{
    return FORMAT_INDEX_HEAD + n_frames * FRAME_LEN + n_records * RECORD_LEN + FORMAT_INDEX_TAIL;
}

uint32_t format_index_tail(const uint8_t tail[FORMAT_INDEX_TAIL])
{
    return get_u32(tail);
}

/* ---- writing ---- */

static void put_head(uint8_t *p, const struct index *x, size_t len)
{
    format_put_frame_head(p, FORMAT_MAGIC_INDEX, (uint32_t)len - FORMAT_FRAME_HEAD);
    memcpy(p + FORMAT_SEAL_AT, FORMAT_SEAL, strlen(FORMAT_SEAL));
    put_u16(p + AT_VERSION, FORMAT_SEALED);
    put_u16(p + AT_ZERO, 0);
    put_u32(p + AT_RECORDS_LEN, x->records_len);
    put_u64(p + AT_FILE_SIZE, x->file_size);
    memcpy(p + AT_UUID, x->uuid, 16);
    put_u64(p + AT_FIRST, x->first);
    put_u32(p + AT_N_RECORDS, x->n_records);
    put_u32(p + AT_N_FRAMES, x->n_frames);
}

static void put_frame(uint8_t *p, const struct index_frame *f)
{
    put_u64(p, (uint64_t)f->at);
    put_u32(p + 8, f->len);
    put_u32(p + 12, f->content);
    put_u64(p + 16, f->hash);
    put_u32(p + 24, f->is_packed ? KIND_PACKED : KIND_SINGLE);
    put_u32(p + 28, 0);
}

static void put_record(uint8_t *p, const struct index_record *r)
{
    put_u32(p, r->at);
    put_u32(p + 4, r->frame);
    put_u32(p + 8, r->body_at);
}

enum st format_put_index(struct buf *out, const struct index *x, const struct index_frame *frames,
                         const struct index_record *records, struct err *err)
{
    size_t len = (size_t)format_index_len(x->n_records, x->n_frames);
    uint8_t *begin = (uint8_t *)buf_room(out, len), *p = begin;

    if (begin == NULL)
        return err_sys(err, ST_AGAIN, ENOMEM, "an index of %zu bytes", len);
    put_head(p, x, len);
    p += FORMAT_INDEX_HEAD;
    for (uint32_t i = 0; i < x->n_frames; i++, p += FRAME_LEN)
        put_frame(p, &frames[i]);
    for (uint32_t i = 0; i < x->n_records; i++, p += RECORD_LEN)
        put_record(p, &records[i]);
    put_u32(p, (uint32_t)len);
    put_u32(p + 4, 0);
    put_u64(p + 8, format_hash(begin, len - 8));
    buf_added(out, len);
    return ST_OK;
}

/* ---- reading ---- */

struct index_frame format_index_frame(const struct index *x, uint32_t i)
{
    const uint8_t *p = x->bytes + FORMAT_INDEX_HEAD + (size_t)i * FRAME_LEN;

    return (struct index_frame){
        .at = (int64_t)get_u64(p),
        .len = get_u32(p + 8),
        .content = get_u32(p + 12),
        .hash = get_u64(p + 16),
        .is_packed = get_u32(p + 24) == KIND_PACKED,
    };
}

struct index_record format_index_record(const struct index *x, uint32_t i)
{
    const uint8_t *p =
        x->bytes + FORMAT_INDEX_HEAD + (size_t)x->n_frames * FRAME_LEN + (size_t)i * RECORD_LEN;

    return (struct index_record){get_u32(p), get_u32(p + 4), get_u32(p + 8)};
}

/* Frames follow each other from the first index to the second, packed ones first. */
static bool frames_are_sound(const struct index *x)
{
    uint64_t at = (uint64_t)x->records_len + x->len;
    bool is_packed = true;

    for (uint32_t i = 0; i < x->n_frames; i++) {
        struct index_frame f = format_index_frame(x, i);
        if ((uint64_t)f.at != at || f.len < FORMAT_FRAME_HEAD || f.content > FORMAT_MAX_CONTENT ||
            (f.is_packed && (f.content == 0 || !is_packed)))
            return false;
        is_packed = f.is_packed;
        at += f.len;
    }
    return at + x->len == x->file_size;
}

/* Records follow each other; so do the bodies of each kind. */
static bool records_are_sound(const struct index *x)
{
    struct index_record packed = {.frame = 0}, single = {.frame = 0};
    bool has_packed = false, has_single = false;
    uint64_t at = 0;

    for (uint32_t i = 0; i < x->n_records; i++) {
        struct index_record r = format_index_record(x, i);
        if (r.at < at || (i == 0 && r.at != 0))
            return false;
        at = (uint64_t)r.at + FORMAT_MIN_RECORD;
        if (r.frame == INDEX_NO_FRAME)
            continue;
        if (r.frame >= x->n_frames)
            return false;
        struct index_frame f = format_index_frame(x, r.frame);
        bool *has = f.is_packed ? &has_packed : &has_single;
        struct index_record *before = f.is_packed ? &packed : &single;
        bool is_next = r.frame > before->frame ||
                       (f.is_packed && r.frame == before->frame && r.body_at > before->body_at);
        if (f.is_packed ? r.body_at >= f.content : r.body_at != 0)
            return false;
        if (*has && !is_next)
            return false;
        *before = r;
        *has = true;
    }
    return at <= x->records_len;
}

bool format_get_index(const uint8_t *bytes, size_t len, struct index *ret_index)
{
    if (len < FORMAT_INDEX_HEAD + FORMAT_INDEX_TAIL || len > FORMAT_MAX_INDEX ||
        !format_is_frame_head(bytes, FORMAT_MAGIC_INDEX, (uint32_t)len - FORMAT_FRAME_HEAD) ||
        memcmp(bytes + FORMAT_SEAL_AT, FORMAT_SEAL, strlen(FORMAT_SEAL)) != 0 ||
        get_u16(bytes + AT_VERSION) != FORMAT_SEALED ||
        get_u32(bytes + len - FORMAT_INDEX_TAIL) != len ||
        get_u64(bytes + len - 8) != format_hash(bytes, len - 8))
        return false;
    struct index x = {
        .first = get_u64(bytes + AT_FIRST),
        .records_len = get_u32(bytes + AT_RECORDS_LEN),
        .file_size = get_u64(bytes + AT_FILE_SIZE),
        .n_records = get_u32(bytes + AT_N_RECORDS),
        .n_frames = get_u32(bytes + AT_N_FRAMES),
        .bytes = bytes,
        .len = len,
    };
    memcpy(x.uuid, bytes + AT_UUID, 16);
    if (x.n_records == 0 || x.first == 0 || x.first > INT64_MAX || x.file_size > INT64_MAX ||
        format_index_len(x.n_records, x.n_frames) != len || !frames_are_sound(&x) ||
        !records_are_sound(&x))
        return false;
    *ret_index = x;
    return true;
}
