/* What a stream's writer must know to go on: from the disk at start, then kept up by it. Private to
 * tape/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAPE_RECOVER_H
#define TAPE_RECOVER_H

#include "tape/segment.h"
#include "tape/writer.h"

/* The records since the last `end`. */
struct open_poll {
    bool is_open;
    int64_t slot_us;
    int64_t started_us;
    uint64_t first_offset;
    uint32_t attempts;
    uint64_t bytes;
    uint64_t *pages; /* offset of the last good answer of page i + 1, as far as a writer can tell */
    uint32_t n_pages;
    uint32_t pages_room;
};

struct stream_state {
    bool has_id; /* false: a new stream */
    struct stream_id id;
    uint64_t head;
    bool has_end;
    struct tape_record last_end; /* without its texts and pages */
    struct open_poll poll;
};

/* Take the next record into account. */
void stream_state_note(struct stream_state *s, const struct tape_record *r);
void stream_state_release(struct stream_state *s);

/* Cut a torn tail, sync the newest segment and learn the state of the stream in dir.
 * Owner:   the caller gets *ret_fd, the newest segment open for appending at *ret_len; -1 when
 *          there is none, it is sealed, or the disk cannot read all of it: then another is to be
 *          begun at once.
 * Returns: ST_AGAIN when the disk refuses, ST_REJECT for files that are not this stream's or newer
 *          than this program. */
enum st recover_stream(const char *dir, struct stream_state *ret_state, int *ret_fd,
                       struct segment *ret_segment, int64_t *ret_len,
                       struct tape_recovery *ret_recovery, struct err *err) MUST_USE;

#endif
