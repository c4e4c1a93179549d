/* Upkeep of a stream by the holder of the tape's lock, beside its writer and any reader: sealing
 * and removing segments that the writer has closed.
 *
 * A sealed segment holds the same records with the same offsets and hashes; only the bodies are
 * packed tightly over many polls (format.h). It takes the place of the open one by rename, after
 * every body was read back and compared. Threads: one upkeep of a stream at a time, in any thread.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAPE_UPKEEP_H
#define TAPE_UPKEEP_H

#include "base/err.h"
#include "base/str.h"

#include <stdatomic.h>

struct tape_sealed {
    char segment[64]; /* its name; "": there was nothing to seal */
    uint64_t bytes_before, bytes_after;
    uint64_t bytes_raw; /* of the bodies, as they came */
    uint64_t n_records;
};

struct tape_seal_setup {
    const char *dir;                /* tape_stream_dir() */
    int level;                      /* of zstd, 1 .. 19; 0: the default, 9 */
    const atomic_bool *is_stopping; /* give up soon when it gets true; may be NULL */
};

/* Seal the oldest closed segment behind `after` that is not sealed yet. `after` is "" at first,
 * which also removes what a killed sealing left; then the caller keeps it, and the next call goes
 * on behind it.
 *
 * Limits:  memory for the two largest bodies and zstd: 15 MB where a poll is a page, 80 MB for
 *          whole markets, at level 9.
 * Returns: ST_AGAIN: the disk refuses, or told to stop; nothing has changed, and the next call
 *          tries the same segment again. ST_REJECT: the segment is damaged and stays as it is (the
 *          message says where). */
enum st tape_seal_next(const struct tape_seal_setup *setup, char after[64],
                       struct tape_sealed *ret_sealed, struct err *err) MUST_USE;

/* A segment that the writer has closed: its records are [first, limit). */
struct tape_closed {
    char name[64]; /* "": there is none */
    uint64_t first, limit;
    bool is_sealed;
};

/* The oldest closed segment that has records at or beyond the offset `from`. */
enum st tape_closed_next(const char *dir, uint64_t from, struct tape_closed *ret_closed,
                         struct err *err) MUST_USE;

/* Whether a file of that name in a stream's directory is a segment. */
bool tape_is_segment(const char *name);

/* What "old" counts from: when the newest poll with rows of all streams of data_dir was written,
 * and at most now_us. Its answers carried a Date that agreed with the clock (with a wrong clock all
 * polls fail), so that no jump of the clock makes anything old; and a stream that is polled no more
 * ages by the others. Imports do not count, as their times are those of history; where there is
 * nothing else, it is now_us. 0: there is no such poll, and nothing is old. A stream that cannot be
 * read is left out: it could only make more old. ST_AGAIN when the directory cannot be read. */
enum st tape_reference(const char *data_dir, int64_t now_us, int64_t *ret_us,
                       struct err *err) MUST_USE;

struct tape_prune_setup {
    const char *dir;
    int64_t reference_us; /* tape_reference(); a record's time beyond it is not believed: such a one
                             is as old as what came behind it */
    int64_t keep_us;      /* only segments whose records are all older than that by then */
    uint64_t below;       /* … and whose offsets are all below this: what every sink has loaded */
    bool is_dry_run;
};

struct tape_pruned {
    size_t n_segments;
    uint64_t bytes;
    uint64_t first_kept;   /* offset; 0: the tape is empty */
    bool is_held_by_sinks; /* there was more that is old, not loaded by all */
};

/* Remove whole segments from the oldest on; never the one that is written, nor what the next poll
 * refers to: the last `end` and the last polls with rows and ok. ST_AGAIN when the disk refuses,
 * ST_FATAL for a foreign or newer segment; what was removed before is counted also then. */
enum st tape_prune(const struct tape_prune_setup *setup, struct tape_pruned *ret_pruned,
                   struct err *err) MUST_USE;

/* From names, sizes and first bytes. */
/* No such directory: an empty stream. ST_AGAIN when it cannot be read. */
struct tape_usage {
    size_t n_segments, n_sealed;
    uint64_t bytes;
    int64_t oldest_us;     /* when the oldest segment was begun; 0: none */
    uint64_t day_bytes;    /* of the segments begun in the 24 hours before now_us, as packed now */
    uint64_t first_offset; /* of the oldest segment; 0: empty */
};
enum st tape_usage(const char *dir, int64_t now_us, struct tape_usage *ret_usage,
                   struct err *err) MUST_USE;

/* What a tape grows by in a day, by day_bytes and oldest_us of its streams together; 0: it is too
 * young to tell. */
uint64_t tape_growth(uint64_t day_bytes, int64_t oldest_us, int64_t now_us);

#endif
