/* The streams of a data directory, for loaders beside the collector. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_STREAMS_H
#define CMD_STREAMS_H

#include "load/loader.h"

#define CMD_MAX_POLL_BYTES (UINT64_C(512) * 1024 * 1024) /* of one poll in memory */

/* The data directory that --from names as tape:DIR; nothing is given: ./data. Of tape+URL the tape
 * is fetched from the object store into a temporary one, which goes with the process. */
enum st cmd_tape_source(const char *from, const char **ret_data_dir, struct err *err) MUST_USE;

/* Those of all jobs, or of one; at most LOADER_MAX_STREAMS, ST_FATAL beyond; none is fine. */
enum st cmd_list_streams(const char *data_dir, const char *only_job,
                         struct loader_stream ret_streams[LOADER_MAX_STREAMS], size_t *ret_n,
                         struct err *err) MUST_USE;

/* Is what lies there made up by the simulator? */
bool cmd_is_simulated(const char *data_dir);

/* The newest offset of a stream on disk, 0 when it is empty or cannot be read. */
uint64_t cmd_last_offset(const struct loader_stream *stream);

#endif
