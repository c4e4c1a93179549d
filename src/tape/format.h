/* The bytes of a tape. A contract: other programs may read (never write) these files, and
 * geckotape reads every format it ever wrote. In prose, with an example: docs/formats/tape.md.
 *
 * FILES    DATA/tape/<job>/<first>-<start>.jsonl.zst
 *          first: offset of the first record, 20 digits; start: when the segment was begun, UTC,
 *          "20261123T143000Z". Segments follow each other in the order of their names. A segment
 *          ends where the next one begins: records in it whose offset is not below the next
 *          segment's `first` are leftovers of a failed write and do not count. Names of any other
 *          form are not the tape's.
 *
 * SEGMENT  A valid zstd file: everything in it is a frame. All numbers are little-endian.
 *          Open (format version 1), as it is written: records, each page with its body behind it,
 *          one after the other, nothing between them, nothing preallocated.
 *          Sealed (version 2), rewritten after it was closed: the same records without their
 *          bodies, then INDEX, FRAMES, INDEX again. Its offsets have no gap.
 *
 * RECORD   An envelope and a header, together one skippable frame; then, for a page, its body.
 *
 *   envelope: these 40 bytes keep their places in every format version
 *     0  u32  0x184D2A50: zstd's skippable frame 0
 *     4  u32  bytes of this frame after these 8: 32 + header length
 *     8  8    "GCKOTAPE"
 *    16  u16  format version: 1 open, 2 sealed; all records of a segment have the same
 *    18  u16  0
 *    20  u32  header length, 80 .. FORMAT_MAX_HEADER
 *    24  u64  XXH3-64 of the header: the record's fingerprint
 *    32  u32  bytes of the body's frame, which follows the header at once; 0: none follows;
 *             always 0 in version 2
 *    36  u32  low half of XXH3-64 of bytes 0 .. 35
 *
 *   header: never changes once written, whatever becomes of the place of its body
 *     0  u8   type: 1 page, 2 end
 *     1  u8   flags: 1 the body is JSON, 2 the body echoed the API key, overwritten by '*'
 *     2  u16  HTTP status                           (end: 0)
 *     4  u32  page, from 1                          (end: 0)
 *     8  u64  offset, from 1
 *    16  16   UUID of the stream
 *    32  i64  slot of the poll                      times: microseconds since 1970, UTC
 *    40  i64  when the body's last byte came        (end: when it was written)
 *    48  u32  attempt, from 1                       (end: 0)
 *    52  u32  latency in microseconds               (end: 0)
 *    56  u64  bytes of the body, decompressed       (end: 0)
 *    64  16   XXH3-128 of the body, canonical (big-endian, as `xxhsum -H2` prints it)
 *    80       fields up to the header's end: u16 tag, u32 length, value
 *             An absent field is 0 or empty; a tag not listed here is skipped. Texts are bytes as
 *             they were sent: what a server says of itself need not be UTF-8.
 *
 *      1 job             text, 1 .. 63   every record names its stream
 *      2 endpoint        text, .. 63
 *      3 vs_currency     text, .. 31
 *      4 selection       text, .. 255
 *     16 target          text            path and query of the request, without secrets
 *     17 headers         text            "name: value\n" of the answer's headers that matter
 *     18 error           text            why the poll is not ok
 *     32 outcome         u64             1 ok, 2 partial, 3 failed, 4 aborted
 *     33 started         i64
 *     34 next due        i64             when the next poll was promised; 0: none was
 *     35 first offset    u64             of this poll's records
 *     36 page offsets    u64 each        of the good answer of page 1, 2, …; 0: missing
 *     37 attempts        u64             requests sent
 *     38 bytes           u64             of all bodies received
 *     39 previous rows   u64             offset of the last `end` before that was ok or partial
 *     40 previous ok     u64             offset of the last `end` before that was ok
 *     41 credits: key    u64             hash of the API key; 0: keyless
 *     42 credits: from   i64             start of the credit period
 *     43 credits: spent  u64             in it, so far, by this stream
 *     44 skipped         u64             slots before `next due` left out for the budget
 *
 *   body of a page, in an open segment
 *     JSON: one zstd frame (content size, checksum) of the body and one "\n" after it.
 *     Else: u32 0x184D2A51, u32 length, then as many bytes: one zstd frame of the body alone. So
 *     zstdcat prints the JSON bodies, one per line, and nothing else.
 *
 * INDEX    Where everything is in a sealed segment; twice, so that no damaged block costs more than
 *          its own bytes. A skippable frame:
 *
 *     0  u32  0x184D2A52
 *     4  u32  bytes of this frame after these 8
 *     8  8    "GCKOSEAL"
 *    16  u16  format version: 2
 *    18  u16  0
 *    20  u32  bytes of the records before the first index: its position
 *    24  u64  bytes of the file
 *    32  16   UUID of the stream
 *    48  u64  offset of the first record
 *    56  u32  number of records, from 1
 *    60  u32  number of frames
 *    64       for each frame, 32 bytes:
 *               0  u64  its position; frames follow each other, the first follows the index
 *               8  u32  its bytes
 *              12  u32  bytes that it decompresses to, at most FORMAT_MAX_CONTENT
 *              16  u64  XXH3-64 of its bytes
 *              24  u32  kind: 1 packed, 2 single
 *              28  u32  0
 *             for each record, by offset, 12 bytes:
 *               0  u32  position of its envelope
 *               4  u32  frame of its body, from 0; 0xFFFFFFFF: it has none, as it is an end
 *               8  u32  where its body begins in what the frame decompresses to
 *   end-16  u32  bytes of this frame in all: from the end of the file one finds its begin
 *   end-12  u32  0
 *    end-8  u64  XXH3-64 of all bytes of this frame before
 *
 * FRAMES   packed: one zstd frame (content size, checksum, window of at most 2^FORMAT_MAX_WINDOW)
 *          of the bodies of many pages that are JSON, in the order of their offsets, one "\n" after
 *          each. Together these frames hold all of them, in order.
 *          single: the body of one page that is not JSON, as in an open segment; behind the packed
 *          ones, in the order of their offsets.
 *
 * VALID    A record is valid iff the envelope's checksum, the header's checksum and the stream's
 *          UUID fit; its body iff length and XXH3-128 do.
 *
 * DAMAGE   After bytes that are not valid the next record is the next valid envelope after the
 *          last valid header; the offsets between are lost. At the end of the last segment such
 *          bytes are a write under way, or one that a crash cut short: the writer's next start
 *          moves them into <segment>.<position>.torn.
 *
 *          A block that the disk cannot read (EIO) is damage. When the last segment has one, the
 *          writer's next start leaves that segment as it is and begins another. What stood behind
 *          its last readable record is not known, so no offset that can have stood there is used
 *          again: `first` is beyond that record by 1 and one for each 120 bytes behind it, as a
 *          record has more.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAPE_FORMAT_H
#define TAPE_FORMAT_H

#include "base/buf.h"
#include "tape/record.h"

#define FORMAT_VERSION    2 /* the latest */
#define FORMAT_OPEN       1
#define FORMAT_SEALED     2
#define FORMAT_ENVELOPE   40
#define FORMAT_FIXED      80                                /* a header without any field */
#define FORMAT_MAX_HEADER (64 * 1024 + TAPE_MAX_PAGES * 8u) /* bytes */
#define FORMAT_FRAME_HEAD 8 /* magic and length of a skippable frame */
#define FORMAT_MIN_RECORD (FORMAT_ENVELOPE + FORMAT_FIXED)

#define FORMAT_MAGIC    "GCKOTAPE"
#define FORMAT_MAGIC_AT 8 /* its place in the envelope */

#define FORMAT_MAGIC_RECORD UINT32_C(0x184D2A50)
#define FORMAT_MAGIC_BODY   UINT32_C(0x184D2A51)
#define FORMAT_MAGIC_INDEX  UINT32_C(0x184D2A52)

#define FORMAT_SEAL        "GCKOSEAL"
#define FORMAT_SEAL_AT     8 /* its place in the index */
#define FORMAT_INDEX_HEAD  64
#define FORMAT_INDEX_TAIL  16
#define FORMAT_MAX_INDEX   (32u * 1024 * 1024)
#define FORMAT_MAX_CONTENT (128u * 1024 * 1024)
#define FORMAT_MAX_WINDOW  25 /* log2 of bytes: what a reader must hold at most */

struct envelope {
    uint16_t version;
    uint32_t header_len;
    uint64_t hash;           /* of the header */
    uint32_t body_frame_len; /* 0: no body follows */
};

enum envelope_state {
    ENVELOPE_BAD,   /* not an envelope */
    ENVELOPE_OK,    /* of a version that we read */
    ENVELOPE_NEWER, /* whole, but of a later version: only `version` is set */
};

void format_put_envelope(uint8_t ret_bytes[FORMAT_ENVELOPE], const struct envelope *e);
enum envelope_state format_get_envelope(const uint8_t bytes[FORMAT_ENVELOPE],
                                        struct envelope *ret_envelope);

/* Append the header of r; all its fields but `hash` are set. ST_REJECT when it is beyond
 * FORMAT_MAX_HEADER, ST_AGAIN when there is no memory. */
enum st format_put_header(struct buf *out, const struct tape_record *r, struct err *err) MUST_USE;

uint64_t format_hash(const void *header, size_t len);

/* The stream's UUID, borrowed from a header of at least FORMAT_FIXED bytes. */
const uint8_t *format_header_uuid(const uint8_t *header);

/* Read a header whose checksum fits. The record borrows texts from `header`, its identity from
 * *ret_id and its pages from `pages` (room for TAPE_MAX_PAGES or header_len / 8). False when it is
 * not one of ours: then the outputs hold nothing of use. */
bool format_get_header(const uint8_t *header, const struct envelope *e, struct stream_id *ret_id,
                       uint64_t *pages, struct tape_record *ret_record);

/* ---- the index of a sealed segment ---- */

struct index {
    uint8_t uuid[16];
    uint64_t first;       /* offset */
    uint32_t records_len; /* bytes */
    uint64_t file_size;
    uint32_t n_records, n_frames;
    const uint8_t *bytes; /* all of the index frame, */
    size_t len;           /* this long */
};

struct index_frame {
    int64_t at;
    uint32_t len, content;
    uint64_t hash;
    bool is_packed; /* else single */
};

#define INDEX_NO_FRAME UINT32_MAX

struct index_record {
    uint32_t at; /* of its envelope */
    uint32_t frame;
    uint32_t body_at;
};

/* Bytes of an index. */
uint64_t format_index_len(uint64_t n_records, uint64_t n_frames);

/* Bytes of the index of which these are the last FORMAT_INDEX_TAIL bytes; not checked. */
uint32_t format_index_tail(const uint8_t tail[FORMAT_INDEX_TAIL]);

/* Append the index; `bytes` and `len` of index are not read. ST_AGAIN when there is no memory. */
enum st format_put_index(struct buf *out, const struct index *index,
                         const struct index_frame *frames, const struct index_record *records,
                         struct err *err) MUST_USE;

/* Read an index, which borrows the bytes. False unless these are exactly one, its checksum fits,
 * and all in it lies within the file and its bounds, and in order: whoever reads the bodies in the
 * order of their offsets decompresses no frame twice. */
bool format_get_index(const uint8_t *bytes, size_t len, struct index *ret_index);

/* Of a valid index; i below n_frames or n_records. */
struct index_frame format_index_frame(const struct index *index, uint32_t i);
struct index_record format_index_record(const struct index *index, uint32_t i);

/* The head of a skippable frame. */
void format_put_frame_head(uint8_t ret_bytes[FORMAT_FRAME_HEAD], uint32_t magic, uint32_t len);
bool format_is_frame_head(const uint8_t bytes[FORMAT_FRAME_HEAD], uint32_t magic, uint32_t len);

#endif
