/* Candles: what the rows of market make of a coin's prices, by buckets of 5 minutes, hours, days.
 *
 * A row counts when it was received. A poll that left the coin's row out, as it had not changed,
 * counts when it was over, with the row before. A row without a price does not count; but a bucket
 * that has no others tells that it was there. A bucket without a good poll has no candle.
 *
 * A job's candles are made up to a moment, its upkeep (table candle_upkeep): every bucket that ends
 * by then is as its rows are, others are not there. The transaction that stores a poll whose slot
 * is in a later bucket makes those before; one that changes rows of before makes theirs anew. What
 * is left to do, as in a store that was made before there were candles, is done in steps. Where
 * their polls came one after the other they are known already (buckets.h); else SQL reads rows.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_CANDLES_H
#define LOAD_SQL_CANDLES_H

#include "load/sql/store.h"

#define CANDLE_5M_US (300 * US_PER_S)
#define CANDLE_1H_US (3600 * US_PER_S)
#define CANDLE_1D_US (86400 * US_PER_S)

/* Rows that come later than this after their slot have no candle. */
#define CANDLE_MAX_LATE_US (3 * CANDLE_1H_US)

/* A row comes within about an hour of its slot. */
static inline int64_t candle_first_slot(int64_t from_us)
{
    return time_floor(from_us, CANDLE_1H_US) - CANDLE_1H_US;
}

/* Remember what the rows make of candles; they were stored, but the unchanged ones if may_skip. */
void candles_add(struct store *s, const struct store_poll *poll, bool may_skip,
                 const struct sink_result *result);

/* Rows that came in [from, to] were stored, or taken away, in this transaction. */
enum st candles_touch(struct store *s, int64_t from_us, int64_t to_us, struct err *err) MUST_USE;

/* The same of the poll that has the rows of a slot. */
enum st candles_touch_slot(struct store *s, int64_t job_id, int64_t slot_us,
                           struct err *err) MUST_USE;

/* How far they are is asked for soon: before the transaction stores anything. */
enum st candles_expect(struct store *s, struct err *err) MUST_USE;

/* Make what is due, before the transaction's commit; rows are settled. */
enum st candles_update(struct store *s, struct err *err) MUST_USE;

/* Outside of a transaction: make some of what was left to do in an earlier one, or when the store
 * was opened, in one of its own. *ret_has_more: there may be more. After a failure roll back. */
enum st candles_step(struct store *s, bool *ret_has_more, struct err *err) MUST_USE;

#endif
