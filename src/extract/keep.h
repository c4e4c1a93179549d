/* What a poll puts onto the tape. Inside extract/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_KEEP_H
#define EXTRACT_KEEP_H

#include "extract/poll.h"

/* The answer in p->answer (to p->url, received at now_us) as it came, the key masked, before
 * anything is made of it; then what was found in it. */
enum st keep_answer(struct poller *p, struct poll_job *j, uint32_t page, uint32_t attempt,
                    int64_t now_us, struct answer_facts *ret_facts, uint64_t *ret_offset,
                    struct err *err) MUST_USE;

enum st keep_end(struct poll_job *j, const struct tape_record *end, uint64_t *ret_offset,
                 struct err *err) MUST_USE;

#endif
