/* The names that CoinGecko knows: coins and currencies, from its own lists on the tape. Private to
 * pipeline/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_NAMES_H
#define PIPELINE_NAMES_H

#include "pipeline/inner.h"

/* Is each of the coins (ids, a line each) one of /coins/list, the currency one of
 * /simple/supported_vs_currencies? A list that is on the tape and younger than a week will do; else
 * it is asked for, which is a call and a poll as any other. ST_REJECT names what is unknown, each
 * with what is nearest to it. */
enum st names_check(struct pipeline *p, const char *coins, const char *vs, bool (*go_on)(void *ctx),
                    void *ctx, struct err *err) MUST_USE;

/* Append up to three names of a list that are nearest to a wrong one, as "a, b or c"; of coins also
 * those whose symbol it is. Nothing when none is near. For names_check(), and tests. */
struct name {
    struct str id, symbol; /* symbol: empty for a currency */
};
void names_add_nearest(struct buf *b, struct str wrong, const struct name *names, size_t n);

#endif
