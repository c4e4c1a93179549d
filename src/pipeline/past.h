/* A tape as a store of the past: what its polls had brought by a moment that moves on.
 *
 * Nothing is known before its poll was on the tape whole; polls without rows change nothing. It
 * begins at the last whole poll of each stream by then, so that what lies before is not read again:
 * coins that were gone by then are not known.
 *
 * Threads: one at a time. Memory: the latest rows of each job, and one poll of each stream.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_PAST_H
#define PIPELINE_PAST_H

#include "base/clock.h"
#include "query/query.h"

#define PAST_FIRST INT64_MIN /* the first poll that brought rows */

struct past_setup {
    const char *data_dir; /* whose tape; only read */
    int64_t at_us;        /* the moment to begin with, or PAST_FIRST */
    uint32_t speed;       /* so much faster than the clock */
    struct clock *clock;
};

struct past;

/* ST_REJECT: no tape there, or none with rows. Owner: past_close(). */
enum st past_open(const struct past_setup *setup, struct past **ret_past, struct err *err) MUST_USE;
void past_close(struct past *p); /* NULL is fine */

/* Let time pass: take up what the tape knew by now, and return that moment. Damage and what cannot
 * be read is logged and stepped over; at its end the last state stays, which is logged once. */
int64_t past_advance(void *past);

/* What is known at the moment that past_advance() returned; lives as long as p. */
struct query *past_query(struct past *p);

#endif
