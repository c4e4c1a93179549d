/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/sealed.h"

#include "base/json.h"
#include "base/mem.h"
#include "tape/bytes.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <xxhash.h>

#define CHUNK     (64 * 1024) /* bytes read or skipped at a time */
#define MAX_TRIES 16          /* places that look like an index, until the search gives up */

struct sealed {
    struct buf bytes; /* what the index borrows */
    struct index index;

    /* the frame that is being decompressed */
    ZSTD_DCtx *zstd;
    struct buf in, waste;
    size_t in_pos;   /* consumed of `in` */
    int64_t next_at; /* of the file, behind `in` */
    bool is_open;
    uint32_t frame;
    uint64_t pos; /* decompressed so far */

    /* where decompressing failed for good: nobody tries again for each body behind it */
    bool has_bad;
    uint32_t bad_frame;
    uint64_t bad_pos;
};

/* ---- the index ---- */

static struct sealed *new_sealed(void)
{
    struct sealed *s = mem_new(1, sizeof(*s));

    buf_init(&s->bytes, FORMAT_MAX_INDEX);
    buf_init(&s->in, CHUNK);
    buf_init(&s->waste, CHUNK);
    return s;
}

void sealed_close(struct sealed *s)
{
    if (s == NULL)
        return;
    ZSTD_freeDCtx(s->zstd);
    buf_release(&s->bytes);
    buf_release(&s->in);
    buf_release(&s->waste);
    mem_free(s);
}

bool sealed_is_index(const char *head)
{
    return get_u32((const uint8_t *)head) == FORMAT_MAGIC_INDEX &&
           memcmp(head + FORMAT_SEAL_AT, FORMAT_SEAL, strlen(FORMAT_SEAL)) == 0;
}

/* Take the index at `at` when there is a valid one, of this stream unless uuid is NULL. */
static enum st load_index(struct cursor *c, int64_t at, size_t len, const uint8_t *uuid,
                          struct err *err)
{
    struct sealed *s = new_sealed();

    enum st st = cursor_read(c, &s->bytes, at, len, err);
    if (st == ST_OK && format_get_index((const uint8_t *)s->bytes.p, s->bytes.len, &s->index) &&
        (uuid == NULL || memcmp(uuid, s->index.uuid, 16) == 0)) {
        c->sealed = s;
        c->records_end = s->index.records_len;
        return ST_OK;
    }
    sealed_close(s);
    return st;
}

enum st sealed_open(struct cursor *c, struct err *err)
{
    struct buf tail = BUF_INIT(FORMAT_INDEX_TAIL);
    uint32_t len = 0;

    if (c->file_size < FORMAT_MIN_RECORD + FORMAT_INDEX_TAIL)
        return ST_OK;
    enum st st = cursor_read(c, &tail, c->file_size - FORMAT_INDEX_TAIL, FORMAT_INDEX_TAIL, err);
    if (st == ST_OK && tail.len == FORMAT_INDEX_TAIL)
        len = format_index_tail((const uint8_t *)tail.p);
    buf_release(&tail);
    /* there are two of them: so what a lie can cost is bounded by the file */
    if (st != ST_OK || len < FORMAT_INDEX_HEAD || len > FORMAT_MAX_INDEX || len > c->file_size / 2)
        return st;
    st = load_index(c, c->file_size - len, len, NULL, err);
    if (c->sealed != NULL && c->sealed->index.file_size != (uint64_t)c->file_size) {
        sealed_close(c->sealed);
        c->sealed = NULL;
        c->records_end = -1;
    }
    return st;
}

/* Try every place of a chunk of the file that looks like an index of this stream. */
static enum st search_chunk(struct cursor *c, struct str chunk, int64_t at, const uint8_t *uuid,
                            int *tries, struct err *err)
{
    const char *p = chunk.p, *end = chunk.p + chunk.len, *hit;
    struct buf head = BUF_INIT(FORMAT_INDEX_HEAD);
    enum st st = ST_OK;

    while (st == ST_OK && c->sealed == NULL && *tries < MAX_TRIES &&
           (hit = memmem(p, (size_t)(end - p), FORMAT_SEAL, strlen(FORMAT_SEAL))) != NULL) {
        int64_t index_at = at + (hit - chunk.p) - FORMAT_SEAL_AT;
        p = hit + 1;
        buf_clear(&head);
        if (index_at < 0)
            continue;
        st = cursor_read(c, &head, index_at, FORMAT_INDEX_HEAD, err);
        if (st != ST_OK || head.len < FORMAT_INDEX_HEAD || !sealed_is_index(head.p))
            continue;
        uint32_t len = get_u32((const uint8_t *)head.p + 4);
        if (len > FORMAT_MAX_INDEX - FORMAT_FRAME_HEAD)
            continue;
        ++*tries;
        st = load_index(c, index_at, len + FORMAT_FRAME_HEAD, uuid, err);
    }
    buf_release(&head);
    return st;
}

/* The index at the end is damaged: look for the other. Only one with the stream's UUID will do:
 * that is secret, so no text that a server sent can be one. */
static enum st search_index(struct cursor *c, const uint8_t *uuid, struct err *err)
{
    const size_t overlap = strlen(FORMAT_SEAL) - 1;
    struct buf chunk = BUF_INIT(CHUNK);
    enum st st = ST_OK;
    int64_t at = 0;
    int tries = 0;

    while (c->sealed == NULL && tries < MAX_TRIES) {
        buf_clear(&chunk);
        st = cursor_read(c, &chunk, at, CHUNK, err);
        if (st != ST_OK || chunk.len <= overlap)
            break;
        st = search_chunk(c, buf_str(&chunk), at, uuid, &tries, err);
        if (st != ST_OK)
            break;
        at += (int64_t)(chunk.len - overlap);
    }
    buf_release(&chunk);
    return st;
}

bool sealed_find(const struct sealed *s, uint64_t offset, uint32_t *ret_at)
{
    const struct index *x = &s->index;

    if (offset < x->first || offset - x->first >= x->n_records)
        return false;
    *ret_at = format_index_record(x, (uint32_t)(offset - x->first)).at;
    return true;
}

/* ---- packed bodies ---- */

static enum st bad_frame(struct sealed *s, const char *why, struct err *err)
{
    s->is_open = false;
    s->has_bad = true;
    s->bad_frame = s->frame;
    s->bad_pos = s->pos;
    return err_set(err, ST_REJECT, "its frame is damaged behind %llu bytes: %s",
                   (unsigned long long)s->pos, why);
}

static enum st refill(struct cursor *c, const struct index_frame *f, struct err *err)
{
    struct sealed *s = c->sealed;
    uint64_t n_unreadable = c->n_unreadable;
    int64_t left = f->at + f->len - s->next_at;

    buf_clear(&s->in);
    s->in_pos = 0;
    enum st st =
        cursor_read(c, &s->in, s->next_at, left < CHUNK ? (size_t)left : (size_t)CHUNK, err);
    if (st != ST_OK) {
        s->is_open = false;
        return st;
    }
    if (c->n_unreadable != n_unreadable)
        return bad_frame(s, "the disk cannot read it", err);
    if (s->in.len == 0)
        return bad_frame(s, "it ends early", err);
    s->next_at += (int64_t)s->in.len;
    return ST_OK;
}

static enum st start_frame(struct cursor *c, uint32_t number, const struct index_frame *f,
                           struct err *err)
{
    struct sealed *s = c->sealed;

    if (s->zstd == NULL)
        s->zstd = ZSTD_createDCtx();
    if (s->zstd == NULL)
        return err_sys(err, ST_AGAIN, ENOMEM, "zstd");
    ZSTD_DCtx_reset(s->zstd, ZSTD_reset_session_only);
    ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax, FORMAT_MAX_WINDOW);
    s->frame = number;
    s->pos = 0;
    s->next_at = f->at;
    s->is_open = true;
    enum st st = refill(c, f, err);
    if (st == ST_OK && ZSTD_getFrameContentSize(s->in.p, s->in.len) != f->content)
        st = bad_frame(s, "it has another length than the index tells", err);
    return st;
}

/* The next `len` bytes of the frame. */
static enum st pull(struct cursor *c, const struct index_frame *f, char *ret_bytes, size_t len,
                    struct err *err)
{
    struct sealed *s = c->sealed;
    ZSTD_outBuffer out = {ret_bytes, len, 0};

    while (out.pos < len) {
        size_t before = out.pos;
        ZSTD_inBuffer in = {s->in.p, s->in.len, s->in_pos};
        size_t rc = ZSTD_decompressStream(s->zstd, &out, &in);
        s->in_pos = in.pos;
        s->pos += out.pos - before;
        if (ZSTD_isError(rc))
            return bad_frame(s, ZSTD_getErrorName(rc), err);
        if (out.pos == len)
            break;
        if (rc == 0)
            return bad_frame(s, "it ends early", err);
        if (s->in_pos == s->in.len) {
            enum st st = refill(c, f, err);
            if (st != ST_OK)
                return st;
        }
    }
    return ST_OK;
}

/* Go to byte `to` of the frame's content, from where the stream is when that is not beyond. */
static enum st go_to(struct cursor *c, uint32_t number, const struct index_frame *f, uint64_t to,
                     struct err *err)
{
    struct sealed *s = c->sealed;
    enum st st = ST_OK;

    if (!s->is_open || s->frame != number || s->pos > to)
        st = start_frame(c, number, f, err);
    while (st == ST_OK && s->pos < to) {
        size_t n = to - s->pos < CHUNK ? (size_t)(to - s->pos) : CHUNK;
        buf_clear(&s->waste);
        char *room = buf_room(&s->waste, n);
        if (room == NULL)
            return err_sys(err, ST_AGAIN, ENOMEM, "%zu bytes", n);
        st = pull(c, f, room, n, err);
    }
    return st;
}

static enum st packed_body(struct cursor *c, const struct tape_record *r,
                           const struct index_record *place, const struct index_frame *f,
                           struct arena *arena, struct str *ret_body, struct err *err)
{
    struct sealed *s = c->sealed;
    uint64_t end = place->body_at + r->body_len + 1;
    uint8_t hash[16];

    if (end > f->content)
        return err_set(err, ST_REJECT, "the index tells a place for it where it cannot be");
    if (s->has_bad && s->bad_frame == place->frame && end > s->bad_pos)
        return err_set(err, ST_REJECT, "its frame is damaged behind %llu bytes",
                       (unsigned long long)s->bad_pos);
    char *body = arena_alloc(arena, (size_t)r->body_len + 1 + JSON_PADDING, 1);
    if (body == NULL)
        return err_sys(err, ST_AGAIN, ENOMEM, "a body of %llu bytes",
                       (unsigned long long)r->body_len);
    enum st st = go_to(c, place->frame, f, place->body_at, err);
    if (st == ST_OK)
        st = pull(c, f, body, (size_t)r->body_len + 1, err);
    if (st != ST_OK)
        return st;
    struct str found = {body, (size_t)r->body_len};
    body_hash(found, hash);
    if (body[r->body_len] != '\n' || memcmp(hash, r->body_hash, sizeof(hash)) != 0)
        return err_set(err, ST_REJECT, "it is not the body that was recorded");
    memset(body + r->body_len, 0, 1 + JSON_PADDING);
    *ret_body = found;
    return ST_OK;
}

/* ---- bodies of either kind of segment ---- */

static enum st single_body(struct cursor *c, const struct tape_record *r, int64_t at, uint32_t len,
                           struct unpacker *u, struct arena *arena, struct str *ret_body,
                           struct err *err)
{
    uint64_t n_unreadable = c->n_unreadable;

    buf_clear(&u->frame);
    if (len == 0 || len > body_frame_max(r->body_len))
        return err_set(err, ST_REJECT, "its frame cannot have %u bytes", len);
    enum st st = cursor_read(c, &u->frame, at, len, err);
    if (st == ST_OK && u->frame.len < len)
        st = err_set(err, ST_REJECT, "the file ends before it does");
    else if (st == ST_OK && c->n_unreadable != n_unreadable)
        st = err_sys(err, ST_REJECT, EIO, "the disk cannot read it");
    return st == ST_OK ? body_get(u->zstd, buf_str(&u->frame), r, arena, ret_body, err) : st;
}

enum st sealed_body(struct cursor *c, const struct found *f, struct unpacker *u,
                    struct arena *arena, struct str *ret_body, struct err *err)
{
    const struct tape_record *r = &f->record;
    enum st st = c->sealed == NULL ? search_index(c, r->stream->uuid, err) : ST_OK;

    if (st != ST_OK)
        return st;
    if (c->sealed == NULL)
        return err_set(err, ST_REJECT, "the index of its sealed segment is damaged");
    const struct index *x = &c->sealed->index;
    if (memcmp(x->uuid, r->stream->uuid, 16) != 0 || r->offset < x->first ||
        r->offset - x->first >= x->n_records)
        return err_set(err, ST_REJECT, "the index of its sealed segment does not have it");
    struct index_record place = format_index_record(x, (uint32_t)(r->offset - x->first));
    if (place.frame == INDEX_NO_FRAME)
        return err_set(err, ST_REJECT, "the index of its sealed segment has no body for it");
    struct index_frame frame = format_index_frame(x, place.frame);
    if (frame.is_packed != r->is_json)
        return err_set(err, ST_REJECT, "the index tells a frame of another kind");
    if (r->is_json)
        st = packed_body(c, r, &place, &frame, arena, ret_body, err);
    else
        st = single_body(c, r, frame.at, frame.len, u, arena, ret_body, err);
    return st == ST_OK ? st : err_wrap(err, st, "frame at byte %lld: ", (long long)frame.at);
}

enum st cursor_body(struct cursor *c, const struct found *f, struct unpacker *u,
                    struct arena *arena, struct str *ret_body, struct err *err)
{
    if (f->version == FORMAT_SEALED)
        return sealed_body(c, f, u, arena, ret_body, err);
    return single_body(c, &f->record, f->body_at, f->body_frame_len, u, arena, ret_body, err);
}

/* ---- checks ---- */

static enum st check_copy(struct cursor *c, int64_t at, const struct sealed_check *check,
                          struct err *err)
{
    const struct buf *want = &c->sealed->bytes;
    struct buf got = BUF_INIT(want->len);

    enum st st = cursor_read(c, &got, at, want->len, err);
    if (st == ST_OK && !str_eq(buf_str(&got), buf_str(want)))
        check->tell(check->context, at, "this copy of the index is damaged");
    buf_release(&got);
    return st;
}

static enum st check_frame(struct cursor *c, const struct index_frame *f, XXH3_state_t *hash,
                           const struct sealed_check *check, struct err *err)
{
    struct buf *chunk = &c->sealed->waste;
    uint32_t done = 0;

    XXH3_64bits_reset(hash);
    while (done < f->len) {
        size_t n = f->len - done < CHUNK ? f->len - done : CHUNK;
        buf_clear(chunk);
        enum st st = cursor_read(c, chunk, f->at + done, n, err);
        if (st != ST_OK)
            return st;
        if (chunk->len == 0)
            break;
        XXH3_64bits_update(hash, chunk->p, chunk->len);
        done += (uint32_t)chunk->len;
    }
    if (done < f->len || XXH3_64bits_digest(hash) != f->hash)
        check->tell(check->context, f->at, "this frame of bodies is damaged");
    return ST_OK;
}

static enum st check_frames(struct cursor *c, const struct sealed_check *check, struct err *err)
{
    const struct index *x = &c->sealed->index;
    XXH3_state_t *hash = XXH3_createState();
    enum st st = ST_OK;

    assert(hash != NULL);
    for (uint32_t i = 0; st == ST_OK && i < x->n_frames; i++) {
        struct index_frame f = format_index_frame(x, i);
        st = check_frame(c, &f, hash, check, err);
    }
    XXH3_freeState(hash);
    return st;
}

enum st sealed_check(struct cursor *c, const struct sealed_check *check, struct err *err)
{
    enum st st = c->sealed == NULL ? search_index(c, check->uuid, err) : ST_OK;

    if (st != ST_OK)
        return st;
    if (c->sealed == NULL) {
        check->tell(check->context, c->at,
                    "both copies of the index are damaged: no body is known");
        return ST_OK;
    }
    const struct index *x = &c->sealed->index;
    if ((int64_t)x->file_size != c->file_size)
        check->tell(check->context, c->file_size, "the file has another size than its index tells");
    st = check_copy(c, x->records_len, check, err);
    if (st == ST_OK)
        st = check_copy(c, (int64_t)(x->file_size - x->len), check, err);
    if (st == ST_OK && check->has_frames)
        st = check_frames(c, check, err);
    return st;
}
