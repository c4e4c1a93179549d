/* Reading a sealed segment beyond its records: the index and the frames; see format.h. Private to
 * tape/.
 *
 * Memory: the index (12 bytes a record), the window of the frame at hand (FORMAT_MAX_WINDOW at
 * most; 1 MB where a poll is a page) and 192 kB.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAPE_SEALED_H
#define TAPE_SEALED_H

#include "tape/segment.h"

struct sealed;

/* Look for the index at the end of c's segment: sets c->sealed and c->records_end, or leaves them.
 * ST_AGAIN when the disk cannot be read or memory is short. */
enum st sealed_open(struct cursor *c, struct err *err) MUST_USE;
void sealed_close(struct sealed *s); /* NULL is fine */

/* Do FORMAT_INDEX_HEAD bytes look like the begin of an index? */
bool sealed_is_index(const char *head);

/* Where the envelope of the record with this offset is; false when the segment has none. */
bool sealed_find(const struct sealed *s, uint64_t offset, uint32_t *ret_at);

/* cursor_body() for a record of a sealed segment. */
enum st sealed_body(struct cursor *c, const struct found *f, struct unpacker *u,
                    struct arena *arena, struct str *ret_body, struct err *err) MUST_USE;

/* Compare both copies of the index, and with has_frames every byte of the frames with their
 * hashes. */
struct sealed_check {
    const uint8_t *uuid; /* of the stream */
    bool has_frames;
    void (*tell)(void *context, int64_t byte, const char *what); /* for each problem */
    void *context;
};
enum st sealed_check(struct cursor *c, const struct sealed_check *check, struct err *err) MUST_USE;

#endif
