/* The tape of one data directory: its lock and its streams.
 *
 * DATA/tape/<job>/<first offset, 20 digits>-<UTC start>.jsonl.zst    segments, see format.h
 * DATA/lock                                                          held by the one writer
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAPE_TAPE_H
#define TAPE_TAPE_H

#include "base/arena.h"
#include "base/err.h"
#include "tape/record.h"

#include <sys/types.h>

struct tape;

/* Open DATA for writing: make it, take its lock. ST_AGAIN when another process writes it (the
 * message has its pid, where the lock file tells it), ST_FATAL when the directory cannot be used.
 * Owner: the caller, tape_close(). */
enum st tape_open(const char *data_dir, struct tape **ret_tape, struct err *err) MUST_USE;
void tape_close(struct tape *t); /* NULL is fine; after all its writers are closed */

/* The last process that had it was killed, or cut off by a power cut, and nobody has made up for
 * that: tape_settle() says that it is done. */
bool tape_was_left(const struct tape *t);
void tape_settle(struct tape *t);

const char *tape_data_dir(const struct tape *t);

/* For those who wait for several streams at once: counts the moves of all heads of this tape, and
 * the calls of tape_wake(), so that none is missed between a look and the wait that follows. */
uint64_t tape_moves(struct tape *t);

/* Wait until tape_moves() is beyond `seen` or timeout_us passed; returns tape_moves(). Any thread.
 */
uint64_t tape_wait(struct tape *t, uint64_t seen, int64_t timeout_us);

/* Make every waiter return now, and the next wait of who has not seen this call. Any thread. */
void tape_wake(struct tape *t);

/* DATA/tape/<job>; for readers, which need no lock. */
enum st tape_stream_dir(const char *data_dir, const char *job, char *ret_path,
                        struct err *err) MUST_USE;

/* The jobs that have a tape in data_dir, sorted; none when there is no such directory. Owner: the
 * names live in the arena. ST_AGAIN when the directory cannot be read. */
enum st tape_jobs(const char *data_dir, struct arena *arena, const char ***ret_jobs,
                  size_t *ret_n_jobs, struct err *err) MUST_USE;

/* True for a name that can be a job's: see TAPE_MAX_JOB. */
bool tape_job_name_is_valid(struct str name);

#endif
