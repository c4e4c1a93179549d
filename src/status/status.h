/* The snapshot everyone may read: what each job and each sink is doing.
 *
 * Threads: any thread may write its own part and anyone may copy the whole; a mutex inside. Jobs
 * and sinks keep their places; those that a reload removed are marked is_gone and not shown.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

#include "base/err.h"
#include "base/str.h"

#define STATUS_MAX_JOBS  64
#define STATUS_MAX_SINKS 16
#define STATUS_MAX_POLLS 16 /* of a job, remembered */

struct status_poll {
    int64_t slot_us, ended_us;
    char outcome[16];
};

struct status_job {
    char name[64];
    char vs_currency[32];
    char what[192]; /* "top 250 of coins/markets in usd, every 30s" */
    int64_t every_us;
    int64_t
        apart_us; /* adaptive: from its newest slot to the one promised; 0: not known, or not so */
    int64_t from_us, to_us; /* its hours of the UTC day, as in struct extract_job; equal: always */
    bool is_gone;
    bool is_idle; /* nothing polls it: a stream of before, or an import */
    bool is_polling;
    int64_t last_slot_us; /* 0: none yet */
    int64_t last_ended_us;
    int64_t last_ok_us;      /* fetched_at of the newest ok poll */
    int64_t last_latency_us; /* of its last request */
    uint64_t last_bytes;
    uint32_t last_attempts;
    char last_outcome[16];
    char last_error[256];
    char last_cause[24];    /* "" "transport" "clock" "permanent" …: extract's word for the error */
    uint32_t failed_in_row; /* polls that failed since the last ok or partial one */
    int64_t next_due_us;    /* what the newest poll promised; 0: nothing */
    int64_t next_slot_us;   /* first of its grid after that one, polled or left out; 0: none */
    uint64_t head;          /* of its stream */
    struct status_poll polls[STATUS_MAX_POLLS]; /* a ring */
    uint64_t n_polls;                           /* ever; the newest is at (n_polls - 1) % MAX */
    uint64_t n_gaps;                            /* slots promised and missed since start */
    uint32_t calls_per_poll;                    /* 0: not known */
    double share;        /* of its slots that the budget lets it poll: 0 … 1; with calls_per_poll */
    uint64_t calls_left; /* that it will so make to the end of the period */
    char drift[512];     /* how the answers are not as they were known to be; empty: they are */
    int64_t drift_since_us; /* slot of the first poll, seen since the start, that had any of it */
    char flagged[256]; /* rows flagged in the hour of the last poll: "stale 9, cap_mismatch 3" */
};

enum sink_state { SINK_STARTING, SINK_WORKING, SINK_WAITING, SINK_STOPPED };

struct status_sink {
    char url[256]; /* without secrets */
    bool is_gone;
    enum sink_state state;
    int64_t state_since_us;  /* wall clock */
    int64_t gathers_us;      /* polls before it commits them, at most; 0: it does not */
    int64_t behind_since_us; /* lag has not been 0 since; 0: it is */
    uint64_t lag;            /* records behind, all streams */
    uint64_t n_polls, n_rows, n_unchanged, n_refused; /* since start */
    int64_t newest_row_us;                            /* fetched_at of the newest row stored */
    int64_t last_load_us, last_load_duration_us;
    char last_error[256]; /* empty while it works */
    char warning[512];    /* what is not as it should be though it works; empty: nothing */
};

/* The tape on its disk, as the housekeeper last saw it. */
struct status_disk {
    int64_t checked_us; /* 0: not yet */
    uint64_t tape_bytes, free_bytes, total_bytes;
    uint64_t day_bytes;   /* that the data directory grows in a day; 0: not known yet */
    int64_t oldest_us;    /* of the tape */
    int64_t keep_us;      /* tape.keep; 0: all */
    char last_error[256]; /* of sealing and pruning; empty: all is well */
};

/* What the API said to the key at the start. */
struct status_key {
    int64_t checked_us; /* 0: it was not asked */
    bool is_good;
    char trouble[256]; /* it is refused or ignored: why, and what helps; empty: neither is known */
    char plan[32];     /* by the API's name; "": not known, and so are the following, 0 */
    uint32_t calls_per_minute;
    uint64_t credits, credits_left; /* of the month, then */
};

/* The calls of the billing period. */
struct status_budget {
    uint64_t calls;            /* 0: no bound */
    int64_t from_us, until_us; /* 0: not known: nobody runs */
    uint64_t own, others;      /* spent */
    uint64_t wanted;           /* by all slots from now to its end */
    int64_t runs_out_us;       /* when it would be spent if no slot was left out; 0: it lasts */
};

struct status_snapshot {
    char version[32];
    char data_dir[256];
    bool is_simulated;
    bool is_reader; /* it serves a store, and neither polls nor loads: ready while that answers */
    bool is_stopping;
    int64_t at_us; /* the moment that its answers are of; 0: now */
    int64_t speed; /* how many times as fast as time that moves; 0: it stands still */
    int64_t started_us;
    long pid; /* 0: nobody runs */
    struct status_key key;
    struct status_budget budget;
    struct status_disk disk;
    struct status_job jobs[STATUS_MAX_JOBS];
    size_t n_jobs;
    struct status_sink sinks[STATUS_MAX_SINKS];
    size_t n_sinks;
};

struct status;

struct status *status_new(const struct status_snapshot *initial);
void status_free(struct status *s);

/* Change in place under the lock: get it, write your own part, put it back at once. */
struct status_snapshot *status_lock(struct status *s);
void status_unlock(struct status *s);

/* Copy the whole; ret is large: keep it off the stack. */
void status_copy(struct status *s, struct status_snapshot *ret_snapshot);

/* No call is left of the period that this moment is in, as far as is known. */
bool status_is_spent(const struct status_budget *b, int64_t now_us);

const char *sink_state_name(enum sink_state state);

#endif
