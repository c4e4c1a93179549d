/* What the snapshot means: readiness, and the whole of it as JSON. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_HEALTH_H
#define SERVE_HEALTH_H

#include "base/buf.h"
#include "serve/operation.h"
#include "status/status.h"

/* Append {"ready":…,"reasons":[…]}; returns whether the collector is ready: status/ready.h. */
bool health_add_ready(struct buf *b, const struct status_snapshot *now, int64_t now_us);

/* Append the snapshot as one JSON object: times as RFC 3339 (null: not yet), durations in
 * milliseconds. Jobs' polls come newest first. */
void health_add_status(struct buf *b, const struct status_snapshot *now, int64_t now_us);

extern const struct operation op_ready, op_status;

#endif
