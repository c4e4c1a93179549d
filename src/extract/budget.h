/* The calls of a billing period: how many there are, and how many are spent by all streams of the
 * tape together. Inside extract/ only, as is its thread.
 *
 * Each stream's count rides on the `end`s of its polls (tape/record.h), so the last ones suffice
 * to go on. What /key says is used beyond that, others spend: its newest word holds, as one of
 * before may have been of the period that just ended.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_BUDGET_H
#define EXTRACT_BUDGET_H

#include "extract/credits.h"

struct budget_entry {
    char job[TAPE_MAX_JOB + 1];
    struct credits credits;
};

struct budget {
    uint64_t calls; /* in a period; 0: no bound */
    bool is_by_key; /* calls is what /key says, once it has */
    int day;        /* of the month, on which a period begins */
    uint64_t key_hash;
    struct budget_entry **all; /* a stream each, for good */
    size_t n;
    uint64_t others;        /* spent with this key, but not by these streams … */
    int64_t others_from_us; /* … in the period that begins then */
};

void budget_init(struct budget *b, uint64_t calls, bool is_by_key, int day, uint64_t key_hash);
void budget_release(struct budget *b);

/* The count of a job's stream: found, or made of the last `end` on its tape (NULL: none). Lives as
 * long as the budget. */
struct credits *budget_of(struct budget *b, const char *job, int64_t now_us,
                          const struct tape_record *end);

/* So many calls of this stream were charged; see credits_count(). */
void budget_count(const struct budget *b, struct credits *credits, int64_t now_us,
                  bool is_clock_good, uint64_t n);

/* What /key says of this period; credits 0, left below 0: nothing of that. */
void budget_key_says(struct budget *b, int64_t now_us, uint64_t credits, int64_t left);

struct budget_state {
    struct period period;
    uint64_t own, others; /* spent */
    uint64_t left;        /* UINT64_MAX: no bound */
};

struct budget_state budget_now(const struct budget *b, int64_t now_us);

#define BUDGET_MAX_TEXT 256 /* bytes, NUL included */

/* For people, when nothing is left: that it is so, and when it goes on. */
void budget_explain(const struct budget *b, const struct budget_state *now,
                    char ret_text[BUDGET_MAX_TEXT]);

#endif
