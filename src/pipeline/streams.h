/* The streams of a tape that are open here: of the jobs, of jobs of before, of imports.
 *
 * Each has its one writer and its place in the snapshot. Streams are only ever added, in one order
 * for good, which is also that of every loader's streams. Threads: one at a time opens and
 * configures (see struct pipeline's `change`); any thread may count, find and look at what is
 * fixed.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_STREAMS_H
#define PIPELINE_STREAMS_H

#include "base/file.h"
#include "config/config.h"
#include "extract/extract.h"
#include "load/loader.h"
#include "status/status.h"

#include <stdatomic.h>

#define STREAM_NO_PLACE SIZE_MAX

struct stream {
    char dir[FILE_MAX_PATH]; /* fixed; so are id, writer and status of the job */
    struct extract_job job;  /* as it was configured last; status: STREAM_NO_PLACE when not shown */
    struct job_config selected; /* owner of what job.selection points to */
    bool is_configured;         /* job.selection is set */
    atomic_bool is_idle;        /* no job polls it */
    atomic_bool is_removed;     /* … any more: a reload took the job away */
    atomic_bool is_demanded; /* no job polls it, but somebody asks for polls: pipeline/demand.h */
};

struct streams {
    struct tape *tape;
    struct clock *clock;
    struct status *status;
    struct stream *all[LOADER_MAX_STREAMS];
    atomic_size_t n;
};

void streams_init(struct streams *s, struct tape *tape, struct clock *clock, struct status *status);
void streams_release(struct streams *s); /* closes the writers */

/* Any thread. */
size_t streams_count(const struct streams *s);
struct stream *streams_at(const struct streams *s, size_t i);
struct stream *streams_find(const struct streams *s, const char *job); /* NULL: not open */

/* Open a stream, or find it open: *ret_is_new tells which. It begins idle. ST_REJECT: the name has
 * another stream on the tape, or there are LOADER_MAX_STREAMS already; the rest as
 * tape_writer_open(). */
enum st streams_open(struct streams *s, const struct stream_id *id, struct stream **ret_stream,
                     bool *ret_is_new, struct err *err) MUST_USE;

/* Can a job have this stream? To be asked before it is opened: that makes it on disk. ST_REJECT:
 * there is no place in the snapshot for one more. */
enum st streams_check_room(struct streams *s, const struct stream_id *id, struct err *err) MUST_USE;

/* Open what else is on the tape. A stream that cannot be opened is logged and left out: the others
 * go on. */
enum st streams_open_rest(struct streams *s, struct err *err) MUST_USE;

/* Make it the stream of this job (of the same identity), or change its grid and hours. */
enum st stream_configure(struct streams *s, struct stream *stream, const struct job_config *config,
                         struct err *err) MUST_USE;
void stream_set_idle(struct streams *s, struct stream *stream);

/* Show the heads of the streams that no job polls, and drop the metrics of jobs that were removed:
 * also what a last poll of theirs has counted since. Any thread. */
void streams_show_idle(struct streams *s);

struct loader_stream stream_for_loader(const struct stream *stream);

#endif
