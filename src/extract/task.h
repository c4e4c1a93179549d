/* A job with its times and its trouble. Inside extract/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_TASK_H
#define EXTRACT_TASK_H

#include "extract/mailbox.h"
#include "extract/poll.h"
#include "extract/schedule.h"

/* Why the poll under way was begun. */
enum turn {
    TURN_SLOT, /* the grid */
    TURN_WISH, /* somebody waits for it */
    TURN_ONCE, /* extract_once() */
};

struct task {
    struct extract_job of;   /* in force */
    struct extract_job next; /* has_next: in force when the poll under way is over */
    bool has_next, is_leaving;
    struct poll_job job;
    struct schedule schedule;
    struct governed governed;
    struct adapt adapt; /* where of.most_us is set */

    enum turn turn;
    uint64_t ticket;                     /* TURN_WISH */
    struct chart_ask chart;              /* of the last one; its owner may be gone by now */
    enum poll_outcome outcome;           /* of the last poll */
    bool has_begun;                      /* a slot, since the schedule is what it is */
    int64_t last_slot_us, last_begun_us; /* of the grid; monotonic */

    int64_t owed_us; /* promised by the grid before, and no slot of this one; 0: nothing is */

    const char *trouble; /* the cause of the outage under way; NULL: all is well */
    uint32_t n_trouble;  /* polls in it */
    int64_t failed_slot_us;
    int64_t retry_at_us; /* monotonic: not before this again for failed_slot_us */
    int64_t retry_wait_us;
    uint64_t n_skipped; /* slots before the promised one that are left out on purpose */
};

/* ST_FATAL says what is wrong with the job. */
enum st task_check(const struct extract_job *job, struct err *err) MUST_USE;

/* Begins where the tape ends. Owner: task_free(). */
struct task *task_new(const struct extract_job *job, struct poller *p);
void task_free(struct task *t); /* NULL is fine */

/* The same job, to be polled otherwise; at once, or when the poll under way is over. */
void task_change(struct task *t, const struct extract_job *job, struct poller *p);

/* The budget may allow more than when its next poll was promised. */
void task_reconsider(struct task *t, struct poller *p);

/* The slot of wall_us, when it is to be polled now. */
bool task_is_due(const struct task *t, const struct poller *p, int64_t wall_us,
                 int64_t *ret_slot_us);

/* Begin a poll: of a slot of the grid; for somebody who waits; as extract_once() does. */
void task_begin_slot(struct task *t, struct poller *p, int64_t slot_us);
void task_begin_wish(struct task *t, struct poller *p, const struct wish *wish);
void task_begin_once(struct task *t, struct poller *p, int64_t slot_us, int64_t budget_us);

/* The poll under way is over: what it means for the slots and the log. is_running: what failed
 * will be tried again. */
void task_end(struct task *t, struct poller *p, const struct poll_result *result, bool is_on_tape,
              bool is_running);

#endif
