/* What the polls say of the API: drift and flags, told once for each poll, by
 * the sink that is first to load it.
 *
 * Log: a line when a drift begins, one when it ends. Metrics: what began or happened, and flags.
 * The snapshot: what drifts now, and what is flagged in this hour.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WATCH_H
#define PIPELINE_WATCH_H

#include "load/sink.h"
#include "status/status.h"

struct watch;

/* status and clock are borrowed. */
struct watch *watch_new(struct status *status, struct clock *clock);
void watch_free(struct watch *w); /* NULL is fine */

/* A poll of a stream, in the stream's order; one that was told already changes nothing. Any thread.
 */
void watch_poll(struct watch *w, const struct sink_load *load);

#endif
