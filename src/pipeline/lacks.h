/* What of the market was not seen: spans of time by coin, from the gaps of the jobs and the
 * absences of the coins. Private to pipeline/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_LACKS_H
#define PIPELINE_LACKS_H

#include "pipeline/covered.h"
#include "pipeline/inner.h"

struct lack {
    const char *coin;
    struct span span;
};

struct lacks {
    struct arena arena;
    struct lack *all; /* by coin, then by time; spans of a coin do not touch */
    size_t n;
    size_t n_coins; /* that the jobs have */
    size_t n_gaps;  /* of the jobs */
};

/* From the first sink that can be read back, and keeps polls. Of several jobs of the currency a
 * coin lacks what all of them lack that have it, or had. An absence that has not ended is none: the
 * coin left the selection. coins: only these (a line each; empty: all), each of which a job must
 * have. ST_REJECT: no such sink, job or coin; ST_AGAIN: the store cannot be read now. Owner:
 * lacks_release(), also after a failure. */
enum st lacks_find(struct pipeline *p, const char *coins, const char *vs, struct span within,
                   struct lacks *ret_lacks, struct err *err) MUST_USE;
void lacks_release(struct lacks *lacks);

#endif
