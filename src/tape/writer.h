/* The one writer of a stream.
 *
 * A record is written, synced (fdatasync), and only then the head advances; nobody is shown an
 * unsynced record. After a failed write or sync the segment is abandoned at its last synced record
 * and the next append starts a new one, so an append that failed may simply be tried again.
 *
 * Threads: append from one thread. The head may be read and waited for from any.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAPE_WRITER_H
#define TAPE_WRITER_H

#include "base/clock.h"
#include "tape/tape.h"

struct tape_writer;

/* What recovery found and did, to be logged by the caller. */
struct tape_recovery {
    uint64_t head;        /* newest offset on the tape; 0: new stream */
    uint64_t torn_bytes;  /* cut from the tail into a .torn file */
    bool is_poll_aborted; /* an open poll got its `end` */
    char torn_file[256];  /* name in the stream's directory */
    /* A segment that the disk cannot read all of, left as it is; "": none. A new one is begun, and
     * the head is beyond every offset that can have been in this one. */
    char unreadable_file[256];
};

struct tape_writer_setup {
    struct tape *tape;
    struct clock *clock;
    /* uuid is ignored: read from the tape, or made. Only job, endpoint empty: the stream as it is
     * on the tape; ST_REJECT with err->sys ENOENT when it has no record. */
    struct stream_id id;
    int64_t segment_span_us; /* a segment is closed between two polls when the UTC clock has passed
                                a multiple of it (1 h) … */
    uint64_t segment_max_bytes; /* … or it has grown to this */
};

/* Open or make the stream and recover it. ST_REJECT: the stream is another job's (other identity),
 * or of a newer format; the message names both. ST_AGAIN: the disk refuses; try later. Owner:
 * tape_writer_close(). */
enum st tape_writer_open(const struct tape_writer_setup *setup, struct tape_writer **ret_writer,
                         struct tape_recovery *ret_recovery, struct err *err) MUST_USE;
void tape_writer_close(struct tape_writer *w); /* NULL is fine */

const struct stream_id *tape_writer_stream(const struct tape_writer *w);
const char *tape_writer_dir(const struct tape_writer *w); /* for a reader beside it */

/* Append a page (fill slot, page, attempt, fetched_at, status, latency, is_json, is_masked, target,
 * headers; the rest is set here) and its body. Returns after the sync; ret_offset is its number.
 * A first page of another slot while a poll is open ends that poll as aborted first. ST_AGAIN:
 * nothing was added, try again. ST_REJECT: a tape cannot hold it (TAPE_MAX_BODY, TAPE_MAX_PAGES, 62
 * kB of texts). */
enum st tape_append_page(struct tape_writer *w, const struct tape_record *page, struct str body,
                         uint64_t *ret_offset, struct err *err) MUST_USE;

/* Append the `end` of the open poll, or of one that has no pages at all (fill slot, fetched_at,
 * outcome, started, next_due, pages, n_pages, attempts, bytes, credits_*, error; first_offset and
 * prev_* are set here). */
enum st tape_append_end(struct tape_writer *w, const struct tape_record *end, uint64_t *ret_offset,
                        struct err *err) MUST_USE;

/* The last `end` on the tape; false when there is none. Strings and pages are empty in it. */
bool tape_writer_last_end(const struct tape_writer *w, struct tape_record *ret_end);

/* Bytes written since open. */
uint64_t tape_writer_bytes(const struct tape_writer *w);

/* The newest synced offset; any thread. The head object lives until tape_writer_close(). */
struct tape_head;
struct tape_head *tape_writer_head(struct tape_writer *w);
uint64_t tape_head_get(struct tape_head *h);

/* The newest synced end, 0: none; any thread. What is behind it is a poll under way, which nobody
 * can load yet. */
uint64_t tape_head_ended(struct tape_head *h);

/* Wait until the head is beyond `seen`, the head is woken, or timeout_us passed; returns the head.
 */
uint64_t tape_head_wait(struct tape_head *h, uint64_t seen, int64_t timeout_us);

/* Make every waiter return now, and all later waits at once (to stop). */
void tape_head_wake(struct tape_head *h);

#endif
