/* Reading a stream, from any thread or process, beside its writer.
 *
 * Memory: headers and one body at a time; a body is decompressed into the caller's arena only on
 * request. Trusts nothing it reads: lengths, checksums and hashes are checked before use.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAPE_READER_H
#define TAPE_READER_H

#include "base/arena.h"
#include "base/err.h"
#include "tape/record.h"

struct tape_reader;

/* dir: tape_stream_dir(). A directory that does not exist yet reads as an empty stream. */
enum st tape_reader_open(const char *dir, struct tape_reader **ret_reader,
                         struct err *err) MUST_USE;
void tape_reader_close(struct tape_reader *r); /* NULL is fine */

/* Continue with the first record whose offset is >= offset. */
void tape_reader_seek(struct tape_reader *r, uint64_t offset);

/* The next record, none beyond max_offset (the head, in the writer's process; else UINT64_MAX).
 * Owner:   *ret_record's pointers are borrowed until the next call on r.
 * Returns: ST_AGAIN at the end (err->sys is 0), or when the disk cannot be read or memory is short
 * (err->sys says why): call again later; ST_REJECT when damage was stepped over, which includes
 * what the disk cannot read (EIO; the message has segment, bytes and the offsets lost): call again;
 * ST_FATAL for a foreign or newer tape. */
enum st tape_reader_next(struct tape_reader *r, uint64_t max_offset, struct tape_record *ret_record,
                         struct err *err) MUST_USE;

/* The record with exactly this offset; does not move the position of tape_reader_next(). ST_REJECT
 * when it is not on the tape (any more), or damaged, or what the disk cannot read (err->sys is
 * EIO). Borrowed as above. */
enum st tape_reader_get(struct tape_reader *r, uint64_t offset, struct tape_record *ret_record,
                        struct err *err) MUST_USE;

/* The body of the page `record` that r returned last, verified against its hash, followed by
 * JSON_PADDING bytes. ST_REJECT when damaged or the disk cannot read it, ST_AGAIN when the arena is
 * full. */
enum st tape_reader_body(struct tape_reader *r, const struct tape_record *record,
                         struct arena *arena, struct str *ret_body, struct err *err) MUST_USE;

/* Oldest and newest offset on disk by segment names and a scan of the last segment; 0, 0 when
 * empty. */
enum st tape_reader_bounds(struct tape_reader *r, uint64_t *ret_first, uint64_t *ret_last,
                           struct err *err) MUST_USE;

/* Make the newest segment's records durable. For a reader in another process than the writer's, who
 * sees records that the writer has not synced yet: before it acts on the last one there is. */
enum st tape_sync(const char *dir, struct err *err) MUST_USE;

#endif
