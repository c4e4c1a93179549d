/* The housekeeper: once a minute it notes how far the sinks are, removes what tape.keep no longer
 * wants, seals what the writers have closed, and looks at the disk.
 *
 * The extractor and the sinks never wait for it: see upkeep.h.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_HOUSEKEEPER_H
#define PIPELINE_HOUSEKEEPER_H

#include "base/pulse.h"
#include "pipeline/sinks.h"
#include "pipeline/streams.h"
#include "pipeline/upkeep.h"

struct housekeeper_setup {
    const char *data_dir;
    struct clock *clock;
    struct status *status;
    struct streams *streams;
    struct sinks *sinks; /* NULL: none here */
    struct upkeep *upkeep;
    int64_t keep_us;      /* 0: for ever */
    int seal_level;       /* of zstd; 0: the default */
    const char *ship_url; /* of the store that gets closed segments; "": none */
};

struct housekeeper;

/* ST_REJECT, ST_FATAL: ship_url is no store's, or its credentials are none. */
enum st housekeeper_start(const struct housekeeper_setup *setup, struct housekeeper **ret_keeper,
                          struct err *err) MUST_USE;
/* Any thread. */
const struct pulse *housekeeper_pulse(const struct housekeeper *h);

/* Soon, when *upkeep->is_stopping is set before. NULL is fine. */
void housekeeper_stop(struct housekeeper *h);

#endif
