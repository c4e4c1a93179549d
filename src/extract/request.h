/* One page of a poll: requests until there is a good answer, no hope or no time. Inside extract/
 * only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_REQUEST_H
#define EXTRACT_REQUEST_H

#include "extract/poll.h"

/* What became of the last request for a page. */
struct page_answer {
    bool is_good;
    uint64_t offset; /* of the good answer */
    uint32_t n_rows;
    uint64_t first_id, all_ids; /* as in struct answer_facts */

    bool can_retry;
    bool is_hopeless; /* when all attempts are used up: the other pages need not be tried */
    const char *cause;
    char error[POLL_MAX_ERROR];
};

void page_fail(struct page_answer *a, const char *cause, const char *fmt, ...) PRINTF(3, 4);

/* Ask for the poll's page. can_be_empty: rows are not expected. Counts what it does in j->poll and
 * j->credits; j->poll.is_over is set when the slot ends, the extractor stops or the clock is wrong.
 * The return value is the tape's. */
enum st request_page(struct poller *p, struct poll_job *j, uint32_t page, bool can_be_empty,
                     struct page_answer *ret_answer, struct err *err) MUST_USE;

#endif
