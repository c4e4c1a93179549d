/* What the charts of one coin have in common: what was asked for, and which answers are not yet
 * whole. Inside transform/ only.
 *
 * A chart's body does not name its coin, its currency, its grid or its span: all that is known of
 * them is in the request, which is on the tape.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSFORM_CHART_H
#define TRANSFORM_CHART_H

#include "transform/walk.h"

#define CHART_MINUTE_US (60 * INT64_C(1000000))
#define CHART_HOUR_US   (60 * CHART_MINUTE_US)
#define CHART_DAY_US    (24 * CHART_HOUR_US)

/* Charts come from caches of minutes, and the past day's point is right only some time after
 * midnight (CoinGecko says 00:10 for market_chart, 00:35 for range and ohlc): what is newer than
 * this when it is answered may change yet. */
#define CHART_SETTLE_US (35 * CHART_MINUTE_US)

#define CHART_MAX_POINTS 20000 /* of an answer; the whole past by days has 5000 */

struct chart_request {
    struct str coin;
    bool is_to_now;  /* the answer ends with now: days=, or from= and a to= that was not over */
    int64_t from_us; /* INT64_MIN: since ever, or nobody knows */
    int64_t to_us;   /* INT64_MAX: until the answer was made, or nobody knows */
    int64_t span_us; /* INT64_MAX: the same */
    int64_t step_us; /* interval=; 0: as the span has it */
    int64_t made_us; /* when the answer was made, at the latest */
};

/* What the page at hand was asked for. ST_REJECT: its target names no coin. */
enum st chart_read_request(struct walk *w, struct chart_request *ret_request,
                           struct err *err) MUST_USE;

/* Milliseconds since 1970 as a time, with CoinGecko's text of it; NULL, or why it is refused. */
const char *chart_read_time(struct walk *w, const struct json_token *value,
                            struct cell *ret_cell) MUST_USE;

/* The next value, stepped over when it is no scalar: then a token that is no number stands for it.
 * ARRAY_END is the end of the array. */
enum st chart_next(struct walk *w, struct json_token *ret_value, struct err *err) MUST_USE;

/* The middle one of the distances between n times in the order sent, as far as they go on; 0: there
 * is none. Uses room for n. */
int64_t chart_median_step(const int64_t *times_us, size_t n, int64_t *room);

/* What stands for the elements of an array that was read to its end. */
const struct json_token *chart_what(const struct json_token *first, const struct json_token *values,
                                    size_t n);

/* Refuse element `index` of an array as a whole; value: what begins it, or stands for it. */
enum st chart_refuse(struct walk *w, const struct chart_request *request, uint32_t index,
                     struct str field, const char *reason, const struct json_token *value,
                     struct err *err) MUST_USE;

#endif
