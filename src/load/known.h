/* The sinks that a tape's data directory knows of, and how far each has loaded which stream: what
 * nobody has loaded yet must not be removed from the tape.
 *
 * A sink goes by its URL as shown, without the options that only say how it is written, so that a
 * store that is written otherwise from now on stays the same one; where that is a path, by the
 * whole path, so that two stores of the same relative path in two directories are two sinks.
 *
 * DATA/sinks/<16 hex: XXH3-64 of the name>, replaced as a whole:
 *
 *     geckotape-sink 1
 *     url sqlite:/srv/data/market.db
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

#define KNOWN_MAX_STREAMS 4096                      /* of one sink, ever */
#define KNOWN_NAME_MAX    (SINK_URL_MAX + 3 * 1024) /* bytes, NUL included */

struct known_stream {
    char uuid[SINK_UUID_TEXT]; /* sink_uuid_text() */
    char job[TAPE_MAX_JOB + 1];
    uint64_t offset; /* that is committed; 0: nothing yet */
};

struct known_sink {
    struct str file; /* path */
    struct str url;  /* its name; empty when damaged */
    const struct known_stream *streams;
    size_t n_streams;
    int64_t noted_us;   /* when the file was written */
    struct str problem; /* why the file is refused, with the mend; empty: it is fine */
};

/* What a sink is called: see above. Relative paths begin at the working directory; nothing need be
 * there. ST_AGAIN when there is no working directory any more, ST_REJECT when it is too long. */
enum st known_name(const struct sink_url *url, char ret_name[KNOWN_NAME_MAX],
                   struct err *err) MUST_USE;

/* Is there a file of a sink with this name? */
bool known_has(const char *data_dir, const char *name);

/* Note how far a sink is in these streams; what is noted of others stays. Writes nothing when that
 * is known already. ST_REJECT when the file there is damaged; ST_AGAIN when the disk refuses. */
enum st known_note(const char *data_dir, const struct sink_url *url,
                   const struct known_stream *streams, size_t n, struct err *err) MUST_USE;

/* Note streams that a sink is going to load: at 0 what is not noted yet, the rest stays as it is.
 * So that nothing is removed while the sink cannot be reached for the first time. */
enum st known_expect(const char *data_dir, const struct sink_url *url,
                     const struct known_stream *streams, size_t n, struct err *err) MUST_USE;

/* All known sinks, by name, damaged ones too; none when there is no such directory. Owner: the
 * arena. ST_AGAIN when the directory cannot be read or the arena is full. */
enum st known_list(const char *data_dir, struct arena *arena, struct known_sink **ret_sinks,
                   size_t *ret_n, struct err *err) MUST_USE;

/* The smallest offset of all known sinks that list this stream, UINT64_MAX when none does.
 * ret_holder: the name of a sink that has it, or the damaged file; "" when none does. */
enum st known_below(const char *data_dir, const char *uuid, uint64_t *ret_below, char *ret_holder,
                    size_t size, struct err *err) MUST_USE;

/* Drop a sink, damaged or not. ST_REJECT when it is not known. */
enum st known_forget(const char *data_dir, const char *name, struct err *err) MUST_USE;

#endif
