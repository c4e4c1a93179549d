/* What of the past is on the tape of a backfill: spans of time by coin and grain. Private to
 * pipeline/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_COVERED_H
#define PIPELINE_COVERED_H

#include "base/err.h"
#include "base/str.h"

struct span {
    int64_t from_us, until_us; /* until is not included */
};

struct covered_key {
    struct str coin;
    bool is_candle;
    int64_t step_us;
};

struct covered;

/* From the stream's ok polls: what each was asked for, as far as it had settled when the answer was
 * made, which a cache may have had for a while. No such stream covers nothing. ST_AGAIN: the tape
 * cannot be read now; damaged records cover nothing. Owner: covered_free(). */
enum st covered_read(const char *data_dir, const char *job, struct covered **ret_covered,
                     struct err *err) MUST_USE;
void covered_free(struct covered *covered); /* NULL is fine */

/* The first span of *rest that is not covered, which is cut off *rest with what is before it.
 * False: there is none. */
bool covered_next(const struct covered *covered, const struct covered_key *key, struct span *rest,
                  struct span *ret_missing) MUST_USE;

#endif
