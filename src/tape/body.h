/* Bodies of pages as frames of a segment; their layout: format.h. Private to tape/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAPE_BODY_H
#define TAPE_BODY_H

#include "base/arena.h"
#include "base/buf.h"
#include "tape/record.h"

#include <zstd.h>

/* A compressor for body_put(); never NULL. Free with ZSTD_freeCCtx(). */
ZSTD_CCtx *body_compressor(void);

void body_hash(struct str body, uint8_t ret_hash[16]);

/* Bytes that the frame of a body takes at most. */
size_t body_frame_max(uint64_t body_len);

/* Append the frame of a body of at most TAPE_MAX_BODY bytes. ST_AGAIN when there is no memory. */
enum st body_put(struct buf *out, ZSTD_CCtx *zstd, bool is_json, struct str body,
                 struct err *err) MUST_USE;

/* For reading bodies one by one. */
struct unpacker {
    struct buf frame;
    ZSTD_DCtx *zstd;
};

void unpacker_init(struct unpacker *u);
void unpacker_release(struct unpacker *u);

/* Unpack the frame of r's body into the arena, followed by JSON_PADDING zero bytes, and check it
 * against r. ST_REJECT when the frame is not that body, ST_AGAIN when the arena is full. */
enum st body_get(ZSTD_DCtx *zstd, struct str frame, const struct tape_record *r,
                 struct arena *arena, struct str *ret_body, struct err *err) MUST_USE;

#endif
