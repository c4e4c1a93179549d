/* Charts of the past onto the tape: the plan, and its requests one by one.
 *
 * One request is one poll, on a stream of its own for each currency and kind: backfill-usd,
 * backfill-ohlc-usd. What the stream has already is not asked for again, so a backfill that was cut
 * short, by whatever, goes on where it was. The extractor does the asking, at its pace and with its
 * key, in turns with what it polls.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_BACKFILL_H
#define PIPELINE_BACKFILL_H

#include "base/buf.h"
#include "base/err.h"

#define BACKFILL_MAX_COINS 2000
#define BACKFILL_MAX_ASKS  100000 /* requests of one backfill */

struct pipeline;

struct backfill {
    const char *coins;  /* CoinGecko's ids, a line each; is_gaps: empty: all that the jobs have */
    const char *vs;     /* "usd" */
    const char *grains; /* "daily,hourly"; empty: daily, of candles on free plans 4d */
    bool is_candle;     /* of ohlc, else of market_chart */
    bool is_gaps; /* only what the polls of the jobs lack, each as fine as the plan has it of its
                   * time: grains and is_candle do not count */
    int64_t since_us; /* INT64_MIN: as far back as the plan has, at most a year */
    int64_t until_us; /* INT64_MAX: now */
    bool is_dry_run;  /* the plan alone */
    bool is_quiet;    /* … or without it, as it was told before */

    void *ctx;
    void (*say)(void *ctx, const char *line); /* the plan, and what went wrong */
    /* False: stop, as soon as the request under way is over. Also asked several times a second. */
    bool (*progress)(void *ctx, size_t n_done, size_t n_all);
};

struct backfill_result {
    size_t n_asks;    /* that were planned */
    size_t n_ok;      /* that were answered */
    size_t n_refused; /* for good: the same would be answered again */
};

/* The extractor runs. ST_REJECT: what is wrong with the request; ST_AGAIN: stopped, or the API does
 * not answer now: the same goes on later where it was; ST_FATAL: the tape. */
enum st backfill_run(struct pipeline *p, const struct backfill *b,
                     struct backfill_result *ret_result, struct err *err) MUST_USE;

/* Say what came of it. */
void backfill_say_result(const struct backfill *b, const struct backfill_result *result);

#endif
