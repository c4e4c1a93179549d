/* Rows and candles of 5 minutes that a store keeps for a time only: --retain-rows, --retain-5m.
 *
 * What is older than that, counted from the job's newest poll and not by a clock that may lie, is
 * removed bit by bit, in transactions of its own, when all candles of its day are made: hours and
 * days stay for ever. Candles whose rows, or parts, are gone are frozen: nothing changes them any
 * more. A poll of that time that comes late gets no rows, and those that are there are not made
 * anew: who was absent then could not be told any more. `latest`, polls, absences, refusals and
 * flags stay.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_RETAIN_H
#define LOAD_SQL_RETAIN_H

#include "load/sql/store.h"

/* How long; 0: for ever. */
struct retained {
    int64_t rows_us, fine_us;
};

/* Outside of a transaction: remove some of one job, in one of its own. *ret_has_more: there may be
 * more. After a failure roll back. */
enum st retain_step(struct store *s, const struct retained *keep, bool *ret_has_more,
                    struct err *err) MUST_USE;

#endif
