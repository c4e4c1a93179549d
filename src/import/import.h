/* History that people already have, onto the tape, with its own time.
 *
 * A source is a folder of timestamped JSON files, a git repository whose commits are snapshots of a
 * file, a file of JSON lines, or a CSV file. Its snapshots become the polls of a job and stream of
 * their own, "import-<name>", in the order of time: slot and fetched_at are the snapshot's time,
 * the body is the source's own, byte for byte, where it has one. A time that is on the stream is
 * passed over, so the same import can be run again: after a crash it goes on, later it adds what
 * is new.
 *
 * Memory: an index of the source (some 100 bytes a snapshot) and one body at a time.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef IMPORT_IMPORT_H
#define IMPORT_IMPORT_H

#include "base/buf.h"
#include "base/clock.h"
#include "tape/writer.h"

enum import_kind { IMPORT_DETECT, IMPORT_FOLDER, IMPORT_GIT, IMPORT_JSONL, IMPORT_CSV };

/* Why something of the source is not on the tape. */
enum import_skip {
    IMPORT_ON_TAPE,    /* its time is on the stream already */
    IMPORT_EQUAL,      /* the same as the one before, with skip_equal */
    IMPORT_SAME_TIME,  /* another of the same time came first */
    IMPORT_LATE,       /* older than the stream's newest, and not on it */
    IMPORT_NO_TIME,    /* none that can be read */
    IMPORT_BAD_TIME,   /* in the future, or before CoinGecko */
    IMPORT_NOT_COINS,  /* no array of coins: an error page, cut short, something else */
    IMPORT_TOO_LARGE,  /* beyond what a tape holds */
    IMPORT_UNREADABLE, /* no permission, no file, bad compression */
    N_IMPORT_SKIPS
};

/* "on the tape already", …: for summaries. */
const char *import_skip_text(enum import_skip why);

struct import_progress {
    size_t n_done, n_total; /* snapshots; n_total 0: still looking for them, n_done found so far */
    uint64_t bytes;         /* of bodies put on the tape */
    const char *name;       /* file or commit at hand; borrowed during the call; as it is */
};

struct import_setup {
    const char *source; /* path */
    enum import_kind kind;
    const char *name;        /* of the job, behind "import-"; empty: made of the source's */
    const char *vs_currency; /* what prices are in */
    const char *in_path;     /* git: the file in the repository; folder: a pattern of names ("*") */
    const char *time_zone;   /* of times that do not say theirs; empty: UTC */
    const char *map;         /* "column=field" lines: CSV columns, JSONL keys; field "time": its
                                time, "data": a whole answer */
    bool use_mtime;          /* folder: a file without a time in its name has that of its change */
    bool skip_equal;         /* leave out what equals the snapshot before */

    struct tape *tape; /* the caller holds its lock; NULL: dry run */
    /* The writer of this stream, which stays the caller's and is nobody else's meanwhile; NULL: one
     * of our own. */
    enum st (*open)(void *ctx, const struct stream_id *id, struct tape_writer **ret_writer,
                    struct err *err);
    const char *data_dir; /* of the tape, also for a dry run */
    struct clock *clock;

    /* All on the caller's thread; any may be NULL. */
    void *ctx;
    bool (*progress)(void *ctx, const struct import_progress *p); /* often; false: stop */
    /* One line for people: what was left out and why, or what they should know. Not called for
     * ON_TAPE and EQUAL. */
    void (*skipped)(void *ctx, enum import_skip why, const char *text);
    void (*note)(void *ctx, const char *text);
};

struct import_result {
    char job[TAPE_MAX_JOB + 1];
    enum import_kind kind;
    size_t n_found;            /* snapshots in the source */
    size_t n_polls, n_pages;   /* put on the tape (dry run: would be) */
    size_t n_coins;            /* in the last of them */
    int64_t first_us, last_us; /* of them */
    uint64_t bytes;            /* of bodies */
    size_t n_skipped[N_IMPORT_SKIPS];
    bool is_stopped; /* progress() said so; the same import goes on where it stopped */
};

/* Import. *ret_result is set in every case.
 * Returns: ST_REJECT when source or setup are of no use (the message says which and the mend),
 * ST_AGAIN when the disk refuses; what is on the tape by then is whole. */
enum st import_run(const struct import_setup *setup, struct import_result *ret_result,
                   struct err *err) MUST_USE;

/* The setup as words, for the control socket: what `get` answers to as, path, name, vs, in_path,
 * time_zone, mtime, skip_equal and map (NULL: not given). Tape, clock and callbacks are left alone.
 * Owner: the texts are borrowed. ST_REJECT for a word that is none. */
enum st import_setup_read(const char *(*get)(void *ctx, const char *name), void *ctx,
                          struct import_setup *ret_setup, struct err *err) MUST_USE;

/* Append the summary: lines for people, each with its newline. */
void import_summary(const struct import_setup *setup, const struct import_result *r, struct buf *b);

#endif
