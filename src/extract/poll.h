/* One poll of one job: its pages, their retries, its `end`. Inside extract/ only. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_POLL_H
#define EXTRACT_POLL_H

#include "base/http_client.h"
#include "extract/classify.h"
#include "extract/extract.h"
#include "extract/limiter.h"
#include "extract/wait.h"

#define POLL_MAX_BODY  (size_t)(8 * 1024 * 1024) /* a page of 250 coins has 0.25 MB */
#define POLL_MAX_ERROR 256

/* Why a poll is not ok: a class of classify.h by name, or one of these. Compared as text. */
#define CAUSE_TRANSPORT "transport" /* no answer, or none that was whole */
#define CAUSE_CLOCK     "clock"
#define CAUSE_PACE      "pace" /* the slot ended before a request could start */
#define CAUSE_TAPE      "tape"
#define CAUSE_STOPPED   "stopped"

/* What all polls share; one thread uses it. Memory of one answer is kept and used again. */
struct poller {
    const struct extract_api *api;
    struct clock *clock;
    struct status *status; /* may be NULL */
    struct waiter *waiter;
    struct http_client *http;
    struct limiter limiter;
    uint64_t random; /* of the jitter */
    char key_line[320];
    uint64_t key_hash;
    size_t base_path_at; /* in api->base_url, where its path begins */

    struct http_answer answer;
    struct json *json;
    struct arena arena;
    struct buf url, kept;
    uint64_t pages[TAPE_MAX_PAGES];
    char error[POLL_MAX_ERROR];
};

enum st poller_init(struct poller *p, const struct extract_setup *setup, struct waiter *waiter,
                    struct err *err) MUST_USE;
void poller_release(struct poller *p); /* also what a failed init left */

uint64_t poller_random(struct poller *p);

/* A job as polls leave it. */
struct poll_job {
    const struct extract_job *job;
    const struct endpoint *endpoint;
    int64_t credits_from_us; /* start of the month, by an answer's clock; 0: none counted yet */
    uint64_t credits_spent;
    uint64_t tape_bytes; /* of the writer's, so far counted */
    uint32_t failed_in_row;
};

/* Take up the count of credits where the tape's last `end` left it. */
void poll_job_init(struct poll_job *j, const struct extract_job *job, const struct poller *p);

struct poll_plan {
    int64_t slot_us;
    int64_t deadline_us; /* monotonic: no request starts later */
    int64_t next_due_us; /* 0: none is promised */
};

struct poll_result {
    enum poll_outcome outcome;
    const char *cause;      /* NULL when ok */
    struct tape_record end; /* as appended; its error and pages live in the poller */
};

/* Run a poll to its end. ST_OK: its `end` is on the tape; ST_AGAIN: the tape refuses even that,
 * which cause and end.error say too; ST_FATAL: the tape must not be written any more. */
enum st poll_run(struct poller *p, struct poll_job *j, const struct poll_plan *plan,
                 struct poll_result *ret_result, struct err *err) MUST_USE;

#endif
