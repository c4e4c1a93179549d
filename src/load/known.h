/* The sinks that a tape's data directory knows of, and how far each has loaded which stream: what
 * nobody has loaded yet must not be removed from the tape.
 *
 * DATA/sinks/<16 hex: XXH3-64 of the shown URL>, replaced as a whole:
 *
 *     geckotape-sink 1
 *     url sqlite:./data/market.db
 *     stream <uuid> <job> <offset>
 *     end
 *
 * A cache: the truth is in the sinks. An offset here may lag behind the sink, and is never ahead of
 * it. A file that is damaged counts as a sink that has loaded nothing of any stream. Threads: any,
 * for one sink one at a time.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_KNOWN_H
#define LOAD_KNOWN_H

#include "load/sink.h"

#define KNOWN_MAX_STREAMS 4096 /* of one sink, ever */

struct known_stream {
    char uuid[SINK_UUID_TEXT]; /* sink_uuid_text() */
    char job[TAPE_MAX_JOB + 1];
    uint64_t offset; /* that is committed; 0: nothing yet */
};

struct known_sink {
    struct str file; /* path */
    struct str url;  /* as shown; empty when damaged */
    const struct known_stream *streams;
    size_t n_streams;
    int64_t noted_us;   /* when the file was written */
    struct str problem; /* why the file is refused, with the mend; empty: it is fine */
};

/* Note how far a sink is in these streams; what is noted of others stays. Writes nothing when that
 * is known already. ST_REJECT when the file there is damaged; ST_AGAIN when the disk refuses. */
enum st known_note(const char *data_dir, const char *url_shown, const struct known_stream *streams,
                   size_t n, struct err *err) MUST_USE;

/* Note streams that a sink is going to load: at 0 what is not noted yet, the rest stays as it is.
 * So that nothing is removed while the sink cannot be reached for the first time. */
enum st known_expect(const char *data_dir, const char *url_shown,
                     const struct known_stream *streams, size_t n, struct err *err) MUST_USE;

/* All known sinks, by URL, damaged ones too; none when there is no such directory. Owner: the
 * arena. ST_AGAIN when the directory cannot be read or the arena is full. */
enum st known_list(const char *data_dir, struct arena *arena, struct known_sink **ret_sinks,
                   size_t *ret_n, struct err *err) MUST_USE;

/* The smallest offset of all known sinks that list this stream, UINT64_MAX when none does.
 * ret_holder: the URL of a sink that has it, or the damaged file; "" when none does. */
enum st known_below(const char *data_dir, const char *uuid, uint64_t *ret_below, char *ret_holder,
                    size_t size, struct err *err) MUST_USE;

/* Drop a sink, damaged or not. ST_REJECT when it is not known. */
enum st known_forget(const char *data_dir, const char *url_shown, struct err *err) MUST_USE;

#endif
