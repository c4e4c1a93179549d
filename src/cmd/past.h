/* The past of single coins, for the verbs that show it: spans of time, candles. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CMD_PAST_H
#define CMD_PAST_H

#include "base/clock.h"
#include "config/config.h"
#include "query/query.h"

/* What is shown where nothing is asked for. */
#define PAST_ROWS_US (86400 * US_PER_S)
#define PAST_STEP_US (3600 * US_PER_S)
#define PAST_CANDLES 100

/* [from, until) */
struct span {
    int64_t from_us, until_us;
};

/* By --since and --until; default_us long without --since. */
enum st span_choose(const struct config *config, const struct query *query, int64_t default_us,
                    struct span *ret, struct err *err) MUST_USE;

/* id, start, NUMs */
extern const struct table candle_table;
enum { CANDLE_ID, CANDLE_START };

/* A coin's candles that begin in [from, to), at most CHART_MAX - 1 steps: rows of candle_table. */
enum st candles_read(struct query *query, const struct chart_query *args, struct arena *arena,
                     struct rows *ret_rows, struct err *err) MUST_USE;

#endif
