/* Charts of the past: which requests a span of time takes, and which of it a plan has at all.
 *
 * CoinGecko chooses how fine a chart is by how long its span is and how old: up to a day of the
 * past one every 5 minutes, up to 90 days hourly, beyond them daily. So a span is cut, or extended
 * into the past, until the answer is as fine as it was asked for: that costs the same call and
 * needs no `interval`, which free plans are refused. Candles of free plans have no spans: they end
 * now. All of these limits are CoinGecko's, as its docs of 2026-06 have them. Pure functions.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_CHARTS_H
#define EXTRACT_CHARTS_H

#include "base/buf.h"
#include "config/config.h"

#define CHARTS_MAX_COIN 256 /* bytes of an id */

/* How fine. */
struct chart_grain {
    const char *name; /* "hourly" */
    bool is_candle;   /* of /coins/{id}/ohlc, else of /coins/{id}/market_chart */
    int64_t step_us;
    int64_t reach_us; /* it goes back so far from now; INT64_MAX: as the plan's history does */
    int64_t first_us; /* nothing is older, on any plan */
    int64_t least_us; /* a span must be longer to be this fine; 0: it need not */
    int64_t most_us;  /* one request spans at most so much */
    bool is_paid;     /* a paid plan with /ohlc/range has it; free ones do not */
};

/* NULL: there is none of that name. */
const struct chart_grain *chart_grain_find(struct str name, bool is_candle);

/* Append the names that a plan has: "daily, hourly, 5m". */
void chart_grain_list(bool is_candle, int api_plan, struct buf *b);

/* From when on the plan has charts so fine; INT64_MAX: it has none. Beyond that the answer is an
 * error. margin_us: the request may be sent so much later. */
int64_t chart_wall(const struct chart_grain *grain, int api_plan, int64_t now_us,
                   int64_t margin_us);

/* The newest moment whose point has settled: what is younger may change yet. */
int64_t chart_newest(int64_t now_us);

enum chart_path { CHART_RANGE, CHART_OHLC, CHART_OHLC_RANGE };

/* One request. */
struct chart_ask {
    char coin[CHARTS_MAX_COIN + 1];
    enum chart_path path;
    int64_t from_us, to_us; /* whole seconds; CHART_OHLC: what it is expected to bring */
    int days;               /* CHART_OHLC */
    const char *interval;   /* CHART_OHLC_RANGE */
};

/* The first request for what is missing in [*from, until), which is then cut off it; the rest has
 * *from == until. Coin is left alone. False: it is too short for the grain, and the wall forbids to
 * extend it, or free candles do not reach back so far: *from moves on all the same. */
bool chart_cut(const struct chart_grain *grain, int64_t now_us, int64_t wall_us, int64_t *from_us,
               int64_t until_us, struct chart_ask *ret_ask) MUST_USE;

/* Append path and query of the request. */
void chart_target(const struct chart_ask *ask, const char *vs_currency, struct buf *ret_target);

/* What a request on the tape was for, as far as it says; made_us: when its answer was made. False:
 * it is no request of a chart. */
struct chart_asked {
    char coin[CHARTS_MAX_COIN + 1];
    bool is_candle;
    int64_t step_us; /* as fine as CoinGecko answers it */
    int64_t from_us, to_us;
};
bool chart_read_target(struct str target, int64_t made_us, struct chart_asked *ret_asked) MUST_USE;

#endif
