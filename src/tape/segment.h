/* Segments of a stream on disk: their names, and a cursor over the records of one. Private to
 * tape/.
 *
 * The directory is the only list of segments there is: it is read again each time one is looked
 * for, so nothing can be out of date.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAPE_SEGMENT_H
#define TAPE_SEGMENT_H

#include "base/buf.h"
#include "tape/body.h"
#include "tape/format.h"

#define SEGMENT_NAME 48 /* bytes of a name, NUL included */

/* Ordered by first, then start. */
struct segment {
    uint64_t first; /* 0: no segment */
    uint64_t start; /* YYYYMMDDhhmmss, UTC */
};

#define SEGMENT_NONE   ((struct segment){0, 0})
#define SEGMENT_NEWEST ((struct segment){UINT64_MAX, UINT64_MAX})
#define SEGMENT_OF(off)                                                      \
    ((struct segment){(off), UINT64_MAX}) /* sorts after all with this first \
                                           */

struct segment segment_make(uint64_t first, int64_t start_us);
int64_t segment_start_us(const struct segment *s);
void segment_name(const struct segment *s, char ret_name[SEGMENT_NAME]);
bool segment_parse(const char *name, struct segment *ret_segment);
int segment_cmp(const struct segment *a, const struct segment *b);

/* Look into dir for the last segment not after `key` and the first one after it; either may be
 * NULL, and is SEGMENT_NONE when there is none. No such directory: no segments. */
enum st segment_around(const char *dir, struct segment key, struct segment *ret_upto,
                       struct segment *ret_after, struct err *err) MUST_USE;

/* All segments of dir in order, as struct segment in *ret_list, whose ceiling the caller sets. No
 * such directory: none. */
enum st segment_list(const char *dir, struct buf *ret_list, struct err *err) MUST_USE;

/* Does the file begin as a sealed segment does? False also when it cannot be read. */
bool segment_is_sealed(int dir_fd, const char *name);

#define CURSOR_PASSED 128 /* records that a cursor finds again */

/* What a cursor reads into: one record at a time. */
struct scratch {
    struct buf bytes;    /* envelope and header */
    struct buf haystack; /* used while searching after damage */
    struct stream_id id;
    uint64_t *pages; /* room for pages_room */
    size_t pages_room;
};

void scratch_init(struct scratch *s);
void scratch_release(struct scratch *s);

/* Blocks that the disk cannot read (EIO) are taken for zeros, so that they are damage like any
 * other: no checksum fits them. */
struct cursor {
    const char *dir;
    struct segment segment; /* first 0: none is open */
    int fd;
    uint64_t limit;        /* records from here on are the next segment's; UINT64_MAX: the last */
    int64_t size;          /* of the file, or of its records when it is sealed, as far as known */
    int64_t at;            /* where the next record should begin */
    int64_t search_from;   /* end of the last valid header: a search starts here */
    int64_t limited_size;  /* the limit was looked for when the file had this size */
    int64_t searched_size; /* a search found nothing in a file of this size */
    uint64_t last_offset;  /* of the record before `at` */
    uint64_t n_unreadable; /* times that the disk could not read a block of it */
    struct {
        uint64_t offset; /* 0: none */
        int64_t at;
    } passed[CURSOR_PASSED]; /* the last that was stepped onto of each offset modulo their number */

    bool is_sealed;
    int64_t file_size;
    int64_t records_end;   /* of a sealed segment; -1: not known */
    struct sealed *sealed; /* its index; NULL: not found (yet) */
};

struct found {
    struct tape_record record; /* borrows from the scratch */
    uint16_t version;          /* FORMAT_OPEN, FORMAT_SEALED */
    int64_t at, end;           /* its bytes; end: of its body's frame */
    int64_t body_at;
    uint32_t body_frame_len;
    int64_t damage_at; /* >= 0: bytes from here to `at` are not a record */
};

void cursor_init(struct cursor *c, const char *dir);
void cursor_close(struct cursor *c);

/* Go to the start of a segment. ST_REJECT with err->sys ENOENT when it has just been removed. */
enum st cursor_open(struct cursor *c, struct segment s, uint64_t limit, struct err *err) MUST_USE;

/* The same for a file of any name. */
enum st cursor_open_file(struct cursor *c, const char *path, struct segment s, uint64_t limit,
                         struct err *err) MUST_USE;

/* Go to the start of the segment that is open. */
void cursor_rewind(struct cursor *c);

/* Go to the record with this offset when the index of a sealed segment tells where it is, or when
 * the cursor passed it not long ago: a poll's end comes behind its pages, and is read before them.
 */
bool cursor_seek(struct cursor *c, uint64_t offset);

/* The next valid record below the limit. uuid: of the stream; NULL: any will do.
 * Returns: ST_AGAIN at the end (err->sys is 0) or when the disk cannot be read; ST_FATAL when the
 * segment is of another stream or of a newer format. */
enum st cursor_step(struct cursor *c, const uint8_t *uuid, struct scratch *scratch,
                    struct found *ret_found, struct err *err) MUST_USE;

void cursor_limit(struct cursor *c, uint64_t limit);

/* Step again onto the record that was found last. */
void cursor_unstep(struct cursor *c, const struct found *f);

/* Make bytes hold at least `len` bytes of the file from `at` on, or what there is of them. */
enum st cursor_read(struct cursor *c, struct buf *bytes, int64_t at, size_t len,
                    struct err *err) MUST_USE;

/* The body of the page found, verified, in the arena, followed by JSON_PADDING zero bytes.
 * ST_REJECT when it is damaged, not there, or the disk cannot read it; ST_AGAIN when the arena is
 * full. The bodies of a sealed segment are decompressed as one stream: cheap in the order of their
 * offsets; one before the last that was read costs a frame from its start. */
enum st cursor_body(struct cursor *c, const struct found *f, struct unpacker *u,
                    struct arena *arena, struct str *ret_body, struct err *err) MUST_USE;

/* The stream's identity from any valid record, *ret_has false when there is none. ST_AGAIN when
 * there is none because the disk cannot read what is there (err->sys is EIO). */
enum st segment_identity(const char *dir, struct scratch *scratch, bool *ret_has,
                         struct stream_id *ret_id, struct err *err) MUST_USE;

#endif
