/* Drift as polls go by: what began, what ended, what happened.
 *
 * A poll says by itself how its answers were; who wants to say it once needs to know how those
 * before were. Fed with all polls of a stream that have rows, in order.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_DRIFT_TRACK_H
#define TRANSFORM_DRIFT_TRACK_H

#include "transform/drift.h"
#include "transform/transform.h"

#define DRIFT_MAX_OPEN 128 /* states at once; more are not followed */
#define DRIFT_MAX_NAME 208 /* bytes of a field or of what it became, NUL included */

/* A state that lasts, or an event. */
struct drift_span {
    enum drift_kind kind;
    bool is_event;
    char field[DRIFT_MAX_NAME], from[32],
        to[DRIFT_MAX_NAME];    /* as in struct drift, when it began */
    int64_t first_us, last_us; /* slots of the polls that had it */
    uint64_t n_polls;
};

enum drift_change { DRIFT_BEGINS, DRIFT_ENDS, DRIFT_HAPPENS };

struct drift_track {
    struct drift_span open[DRIFT_MAX_OPEN];
    size_t n_open;
};

/* Take a poll, and tell of each change: of what ends first. A poll without rows changes nothing. */
void drift_track_poll(struct drift_track *t, const struct poll_rows *poll,
                      void (*tell)(void *ctx, enum drift_change change,
                                   const struct drift_span *span),
                      void *ctx);

/* A span as a drift, whose texts it lends. */
struct drift drift_of_span(const struct drift_span *span);

#endif
