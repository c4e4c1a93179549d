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

#endif
