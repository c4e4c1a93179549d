/* Readiness: a rule over a period, the same for /readyz, `status` and its --healthcheck.
 *
 *   not ready when                                                            after
 *   a job has no ok poll (counted within its hours, and from the start on)    3 intervals, >= 90 s
 *   a job has had no ok poll at all                                           at once
 *   a job's last poll failed because clocks differ                            at once
 *   a sink has stopped                                                        at once
 *   a sink does not open, or waits                                            5 min
 *   a sink is behind the tape without a break                                 3 intervals, >= 5 min
 *   the disk has less than 100 MB, or is full within a day as it grows now    at once
 *   the process is stopping, or nobody runs (pid 0)                           at once
 *
 * Jobs that a reload removed and streams that nothing polls do not count, nor do jobs outside of
 * their hours. Intervals of a sink are those of the slowest job; what a sink gathers before it
 * commits (lake:) has its time for that besides. A job whose newest poll promised the next one
 * later than that is late 90 s after then; what the budget leaves out excuses a day, or the way to
 * the next slot.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_READY_H
#define STATUS_READY_H

#include "base/buf.h"
#include "status/status.h"

/* Append a line for each reason, "place: cause; mend\n", clean for a terminal. True when there is
 * none: ready. */
bool ready_add_reasons(struct buf *b, const struct status_snapshot *now, int64_t now_us);

/* Append a line for each job whose answers drift, and for what sinks warn of, of the same form:
 * what should be known, though all works. */
void ready_add_warnings(struct buf *b, const struct status_snapshot *now);

/* For how long since then a job was to poll: now_us - since_us less what lies outside its hours. */
int64_t ready_job_age_us(const struct status_job *job, int64_t since_us, int64_t now_us);

#endif
