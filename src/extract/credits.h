/* What the calls of a stream cost of a plan: CoinGecko charges answers with status 200, by billing
 * period. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_CREDITS_H
#define EXTRACT_CREDITS_H

#include "tape/record.h"

/* A billing period, UTC. */
struct period {
    int64_t from_us, until_us;
};

/* The period of this moment, when they begin on this day of the month (1 … 31; the last one in
 * shorter months), at midnight. */
struct period period_of(int64_t ts_us, int day);

struct credits {
    uint64_t key_hash; /* 0: keyless */
    int64_t from_us;   /* start of the period, by an answer's clock; 0: none counted yet */
    uint64_t spent;
    uint64_t unsure; /* of that since the last answer by a good clock: perhaps of a later period */
};

/* Go on where the tape's last `end` (NULL: there is none) left the count of this key. An aborted
 * one was made by a later start: it charges what was under way to the period before, which it knows
 * alone, and so to now_us's here. A day of the month that is set anew charges too much rather than
 * too little. */
void credits_init(struct credits *c, uint64_t key_hash, int day, int64_t now_us,
                  const struct tape_record *end);

/* So many calls were charged. A clock that is off, not known to be right or set back must not begin
 * another period. */
void credits_count(struct credits *c, int day, int64_t now_us, bool is_clock_good, uint64_t n);

/* What of it is of the period that begins then. */
uint64_t credits_spent(const struct credits *c, int64_t from_us);

#endif
