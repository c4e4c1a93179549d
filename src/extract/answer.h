/* What an answer's headers say, and what of an answer may be kept. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_ANSWER_H
#define EXTRACT_ANSWER_H

#include "base/buf.h"

#define ANSWER_MAX_WAIT_US (INT64_C(600) * 1000000) /* no answer makes us wait longer than this */
#define ANSWER_MAX_SKEW_US (INT64_C(120) * 1000000) /* between the API's clock and ours */
#define ANSWER_MAX_KEPT    4096                     /* bytes of headers kept */

/* Headers are "name: value\n" with lower-case names, see base/http_client.h. */

/* Append the headers that matter later (caching, pace, time); one that finds no room is left out.
 */
void answer_keep_headers(struct str headers, struct buf *ret_kept);

/* Overwrite every copy of the key by '*'; true when there was one. A key of less than 8 bytes is
 * left alone: it is none of CoinGecko's, and masking it would destroy data. */
bool answer_mask_key(char *bytes, size_t len, struct str key);

/* How long the API asks us to wait: retry-after-ms (of CoinGecko's own clients), else Retry-After
 * (seconds or date), else x-ratelimit-reset. 0 when it does not, or says nonsense. At most
 * ANSWER_MAX_WAIT_US. *ret_asked: the header's value as sent, nonsense too; empty: there is none.
 * now_us: wall clock. */
int64_t answer_wait_us(struct str headers, int64_t now_us, struct str *ret_asked);

/* True when the answer's Date shows our wall clock (now_us) to be wrong by more than
 * ANSWER_MAX_SKEW_US; *ret_date_us is what it says. A Date may be that of the answer in a
 * cache, Age seconds ago, or of its delivery: both are taken for right. Without a Date,
 * *ret_date_us is 0, and only a clock from before geckotape was made is known to be wrong. */
bool answer_clock_is_off(struct str headers, int64_t now_us, int64_t *ret_date_us);

#endif
