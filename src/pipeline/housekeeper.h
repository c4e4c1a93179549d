/* The housekeeper: once a minute it notes how far the sinks are, removes what tape.keep no longer
 * wants, seals what the writers have closed, and looks at the disk.
 *
 * What costs CPU and disk (sealing, removing) is done in a thread of the system's lowest priority,
 * which takes none of the program's locks, so that a starved one holds up nobody. The extractor and
 * the sinks never wait for it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_HOUSEKEEPER_H
#define PIPELINE_HOUSEKEEPER_H

#include "pipeline/sinks.h"
#include "pipeline/streams.h"

struct housekeeper_setup {
    const char *data_dir;
    struct clock *clock;
    struct status *status;
    struct streams *streams;
    struct sinks *sinks; /* NULL: none here */
    int64_t keep_us;     /* 0: for ever */
    int seal_level;      /* of zstd; 0: the default */
};

struct housekeeper;

enum st housekeeper_start(const struct housekeeper_setup *setup, struct housekeeper **ret_keeper,
                          struct err *err) MUST_USE;
void housekeeper_stop(struct housekeeper *h); /* soon; NULL is fine */

/* Held while a stream's segments are sealed or removed: one at a time, whoever does it. */
void housekeeper_lock(struct housekeeper *h);
void housekeeper_unlock(struct housekeeper *h);

#endif
