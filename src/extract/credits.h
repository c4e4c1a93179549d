/* What polls cost of a plan: CoinGecko charges answers with status 200, by calendar month. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_CREDITS_H
#define EXTRACT_CREDITS_H

#include "tape/record.h"

struct credits {
    uint64_t key_hash; /* 0: keyless */
    int64_t from_us;   /* start of the month, by an answer's clock; 0: none counted yet */
    uint64_t spent;
};

/* Go on where the tape's last `end` (NULL: there is none) left the count of this key. */
void credits_init(struct credits *c, uint64_t key_hash, const struct tape_record *end);

/* An answer was charged. A clock that is off must not begin another month. */
void credits_count(struct credits *c, int64_t now_us, bool is_clock_off);

#endif
