/* What the snapshot means: readiness, and the whole of it as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_HEALTH_H
#define SERVE_HEALTH_H

#include "base/buf.h"
#include "status/status.h"

/* Append {"ready":…,"reasons":[…]}; returns whether the collector is ready: no job's newest good
 * poll is older than three of its intervals (90 s at least, counted from the start until there is
 * one), no sink has stopped, and nobody is stopping the program. */
bool health_add_ready(struct buf *b, const struct status_snapshot *now, int64_t now_us);

/* Append the snapshot as one JSON object: times as RFC 3339 (null: not yet), durations in
 * milliseconds. */
void health_add_status(struct buf *b, const struct status_snapshot *now, int64_t now_us);

#endif
