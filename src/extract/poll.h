/* One poll of one job: its pages, one a step, and its `end`. Inside extract/ only.
 *
 * Polls of different jobs may be under way at the same time, each on its own stream; within one,
 * pages follow each other.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_POLL_H
#define EXTRACT_POLL_H

#include "extract/adapt.h"
#include "extract/poller.h"

#define POLL_MAX_SWEEP 400 /* pages: 100,000 coins; CoinGecko has 17,400 in 2026 */

struct poll_plan {
    int64_t slot_us;
    int64_t deadline_us;   /* monotonic: no request starts later */
    int64_t next_due_us;   /* 0: none is promised */
    uint64_t n_skipped;    /* slots before that are left out on purpose */
    uint32_t max_attempts; /* a page; 0: as many as the API is given */
    struct adapt *adapt;   /* learns of it, and may put the next poll off; NULL: none does */
};

/* A poll under way, or the last one. */
struct poll {
    struct poll_plan plan;
    int64_t started_us, started_mono_us;
    uint32_t page;    /* asked for last */
    uint32_t n_pages; /* wanted as far as known */
    bool is_sweep;    /* nobody knows how many until the end is found */
    uint64_t *pages;  /* offset of each good answer; 0: lost */
    uint32_t max_pages;
    uint32_t n_good, n_lost_in_row;
    uint64_t n_rows;
    uint64_t first_id, all_ids; /* of the last good page, as in struct answer_facts */
    uint32_t attempts;
    uint64_t bytes;
    int64_t latency_us; /* of the last request */
    const char *cause;  /* why the first lost page is lost; NULL: none is */
    char error[POLL_MAX_ERROR];
    bool is_over; /* nothing more will be asked */
};

/* A job as polls leave it. */
struct poll_job {
    const struct extract_job *job;
    const struct endpoint *endpoint;
    struct credits *credits; /* in the budget */
    uint64_t tape_bytes;     /* of the writer's, so far counted */
    uint32_t failed_in_row;
    struct poll poll;
    bool is_polling;
};

/* Take up the count of credits where the tape's last `end` left it. Owner: poll_job_release(). */
void poll_job_init(struct poll_job *j, const struct extract_job *job, struct poller *p);
void poll_job_release(struct poll_job *j);

/* True for polls that may take so many requests that others should have their turn in between. */
bool poll_job_is_sweep(const struct poll_job *j);

/* The time that a poll's requests take at the limiter's pace, and some for retries. */
int64_t poll_job_budget_us(const struct poll_job *j, const struct poller *p);

/* True when the wall clock, at now_us, has jumped since the poll began: it was set, or the machine
 * slept. Then nobody knows what of the poll was when. */
bool poll_clock_jumped(const struct poll *poll, const struct poller *p, int64_t now_us,
                       char ret_error[POLL_MAX_ERROR]);

struct poll_result {
    enum poll_outcome outcome;
    const char *cause;      /* NULL when ok */
    struct tape_record end; /* as appended; its error and pages live in the poll_job */
};

void poll_begin(struct poller *p, struct poll_job *j, const struct poll_plan *plan);

/* Fetch the next page; behind the last one the poll is ended: is_polling is false then. ST_OK: so
 * far all is on the tape; ST_AGAIN: the poll is over, and the tape refuses even its `end`, which
 * cause and end.error say too; ST_FATAL: the tape must not be written any more. */
enum st poll_step(struct poller *p, struct poll_job *j, struct poll_result *ret_result,
                  struct err *err) MUST_USE;

/* What an `end` says, into its job's part of the snapshot, which is locked. */
void poll_show_end(struct status_job *s, const struct tape_record *end);

#endif
