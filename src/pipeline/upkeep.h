/* Upkeep of the streams by the process that writes them, for the housekeeper and for requests.
 *
 * One piece of work at a time, whoever wants it, in a thread of the system's lowest priority. That
 * thread takes none of the program's locks, so that a starved one holds up nobody.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_UPKEEP_H
#define PIPELINE_UPKEEP_H

#include "pipeline/streams.h"
#include "tape/upkeep.h"

#include <pthread.h>

#define UPKEEP_HOLDER 512 /* bytes of the text that names who holds back segments */

struct upkeep {
    pthread_mutex_t lock;
    const char *data_dir;
    const char *ship_url; /* nothing is removed that is not in this store; "": no store */
    struct clock *clock;
    const atomic_bool *is_stopping; /* give up soon */
};

void upkeep_init(struct upkeep *u, const char *data_dir, const char *ship_url, struct clock *clock,
                 const atomic_bool *is_stopping);
void upkeep_release(struct upkeep *u);

/* tape_seal_next() of the stream; logged and counted. */
enum st upkeep_seal_stream(struct upkeep *u, const struct stream *stream, int level, char after[64],
                           struct tape_sealed *ret_sealed, struct err *err) MUST_USE;

/* What "old" counts from: tape_reference(). */
enum st upkeep_reference(struct upkeep *u, int64_t *ret_us, struct err *err) MUST_USE;

/* Remove what is older than keep_us, counted from reference_us and never from a clock, and loaded
 * by all known sinks; logged and counted. ret_holder: who holds back more, "" when nobody is known.
 * Not for imports, unless somebody asks for that very one: all of their records are old. */
enum st upkeep_prune_stream(struct upkeep *u, const struct stream *stream, int64_t reference_us,
                            int64_t keep_us, bool is_dry_run, struct tape_pruned *ret_pruned,
                            char ret_holder[UPKEEP_HOLDER], struct err *err) MUST_USE;

#endif
