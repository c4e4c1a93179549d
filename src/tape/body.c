/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/body.h"

#include "base/json.h"
#include "tape/format.h"

#include <assert.h>
#include <errno.h>
#include <xxhash.h>

ZSTD_CCtx *body_compressor(void)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();

    assert(zstd != NULL);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, 1);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
    return zstd;
}

void body_hash(struct str body, uint8_t ret_hash[16])
{
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, XXH3_128bits(body.p, body.len));
    memcpy(ret_hash, canonical.digest, 16);
}

size_t body_frame_max(uint64_t body_len)
{
    return FORMAT_FRAME_HEAD + ZSTD_compressBound((size_t)body_len + 1);
}

/* The body and its newline reach zstd one after the other, so that no copy of both is needed. */
static size_t compress(ZSTD_CCtx *zstd, bool is_json, struct str body, ZSTD_outBuffer *out)
{
    ZSTD_inBuffer bytes = {body.p, body.len, 0}, newline = {"\n", is_json ? 1 : 0, 0};

    ZSTD_CCtx_reset(zstd, ZSTD_reset_session_only);
    size_t rc = ZSTD_CCtx_setPledgedSrcSize(zstd, body.len + newline.size);
    while (!ZSTD_isError(rc) && bytes.pos < bytes.size)
        rc = ZSTD_compressStream2(zstd, out, &bytes, ZSTD_e_continue);
    if (!ZSTD_isError(rc))
        rc = ZSTD_compressStream2(zstd, out, &newline, ZSTD_e_end);
    return rc;
}

enum st body_put(struct buf *out, ZSTD_CCtx *zstd, bool is_json, struct str body, struct err *err)
{
    char *frame = buf_room(out, body_frame_max(body.len));

    if (frame == NULL)
        return err_sys(err, ST_AGAIN, ENOMEM, "a body of %zu bytes", body.len);
    size_t head = is_json ? 0 : FORMAT_FRAME_HEAD;
    ZSTD_outBuffer dst = {frame + head, body_frame_max(body.len) - head, 0};
    size_t rc = compress(zstd, is_json, body, &dst);
    if (rc != 0) /* the room is enough, so only memory can be short */
        return err_set(err, ST_AGAIN, "zstd: %s", ZSTD_getErrorName(rc));
    if (!is_json)
        format_put_frame_head((uint8_t *)frame, FORMAT_MAGIC_BODY, (uint32_t)dst.pos);
    buf_added(out, head + dst.pos);
    return ST_OK;
}

void unpacker_init(struct unpacker *u)
{
    buf_init(&u->frame, body_frame_max(TAPE_MAX_BODY));
    u->zstd = ZSTD_createDCtx();
    assert(u->zstd != NULL);
}

void unpacker_release(struct unpacker *u)
{
    buf_release(&u->frame);
    ZSTD_freeDCtx(u->zstd);
    u->zstd = NULL;
}

enum st body_get(ZSTD_DCtx *zstd, struct str frame, const struct tape_record *r,
                 struct arena *arena, struct str *ret_body, struct err *err)
{
    size_t want = (size_t)r->body_len + (r->is_json ? 1 : 0);
    uint8_t hash[16];

    if (!r->is_json) {
        if (frame.len < FORMAT_FRAME_HEAD ||
            !format_is_frame_head((const uint8_t *)frame.p, FORMAT_MAGIC_BODY,
                                  (uint32_t)(frame.len - FORMAT_FRAME_HEAD)))
            return err_set(err, ST_REJECT, "its frame is damaged");
        frame.p += FORMAT_FRAME_HEAD;
        frame.len -= FORMAT_FRAME_HEAD;
    }
    /* before any memory is taken for it */
    if (ZSTD_getFrameContentSize(frame.p, frame.len) != want)
        return err_set(err, ST_REJECT, "its frame is not one of %zu bytes", want);
    char *body = arena_alloc(arena, (size_t)r->body_len + 1 + JSON_PADDING, 1);
    if (body == NULL)
        return err_sys(err, ST_AGAIN, ENOMEM, "a body of %zu bytes", want);
    size_t n = ZSTD_decompressDCtx(zstd, body, want, frame.p, frame.len);
    if (n != want || (r->is_json && body[r->body_len] != '\n'))
        return err_set(err, ST_REJECT, "its frame is damaged: %s",
                       ZSTD_isError(n) ? ZSTD_getErrorName(n) : "another length");
    struct str found = {body, (size_t)r->body_len};
    body_hash(found, hash);
    if (memcmp(hash, r->body_hash, sizeof(hash)) != 0)
        return err_set(err, ST_REJECT, "it is not the body that was recorded");
    memset(body + r->body_len, 0, 1 + JSON_PADDING);
    *ret_body = found;
    return ST_OK;
}
