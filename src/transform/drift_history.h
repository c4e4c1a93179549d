/* Every change of the API that the polls of streams tell of, a dated line for each.
 *
 * What ends and comes back within three days, and events of a kind that follow each other within
 * them, are one line with a count: two back ends that answer in turns are one change.
 *
 * Limits: at most DRIFT_MAX_LINES lines; more are counted. Thread: one.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_DRIFT_HISTORY_H
#define TRANSFORM_DRIFT_HISTORY_H

#include "transform/drift_track.h"

#define DRIFT_MAX_LINES 10000

struct drift_line {
    struct str job;         /* borrowed from drift_history_begin() */
    struct drift_span span; /* from the first poll that had it to the last, all times together */
    uint64_t n_times;       /* it began or happened */
    bool lasts;             /* the last poll of its stream has it */
};

struct drift_history {
    struct drift_line *lines; /* in the order of their begins, stream by stream */
    size_t n, room;
    uint64_t n_left_out;
    uint64_t n_polls; /* with rows */
    struct drift_track *track;
    struct str job;
    size_t first; /* line of the stream at hand */
};

/* Owner: drift_history_release(). */
void drift_history_init(struct drift_history *h);
void drift_history_release(struct drift_history *h);

/* A stream: begin, its polls with rows in order, end. job lives as long as h. */
void drift_history_begin(struct drift_history *h, struct str job);
void drift_history_poll(struct drift_history *h, const struct poll_rows *poll);
void drift_history_end(struct drift_history *h);

/* Sort the lines by date, then by job: what happened first is first. After the last stream. */
void drift_history_sort(struct drift_history *h);

#endif
