/* The snapshot everyone may read: what each job and each sink is doing.
 *
 * Threads: any thread may write its own part and anyone may copy the whole; a mutex inside. The
 * sets of jobs and sinks are fixed when it is made.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

#include "base/err.h"
#include "base/str.h"

#define STATUS_MAX_JOBS  64
#define STATUS_MAX_SINKS 16

struct status_job {
    char name[64];
    char vs_currency[32];
    char what[192]; /* "top 250 of coins/markets in usd, every 30s" */
    int64_t every_us;
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
    int64_t next_due_us;
    uint64_t head; /* of its stream */
};

enum sink_state { SINK_STARTING, SINK_WORKING, SINK_WAITING, SINK_STOPPED };

struct status_sink {
    char url[256]; /* without secrets */
    enum sink_state state;
    uint64_t lag;                                     /* records behind, all streams */
    uint64_t n_polls, n_rows, n_unchanged, n_refused; /* since start */
    int64_t newest_row_us;                            /* fetched_at of the newest row stored */
    int64_t last_load_us, last_load_duration_us;
    char last_error[256]; /* empty while it works */
};

struct status_snapshot {
    char version[32];
    char data_dir[256];
    bool is_simulated;
    bool is_stopping;
    int64_t started_us;
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

const char *sink_state_name(enum sink_state state);

#endif
