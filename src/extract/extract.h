/* Extract: polls jobs on their grids and writes every answer to the tape.
 *
 * One thread runs extract_run(); the others talk to it through extract_stop() only. One
 * process-wide limiter paces all requests. A poll is one unit: its pages, retries within its slot,
 * its `end`.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_EXTRACT_H
#define EXTRACT_EXTRACT_H

#include "base/clock.h"
#include "status/status.h"
#include "tape/writer.h"

struct extract_api {
    char base_url[512];         /* "https://api.coingecko.com/api/v3", no slash at the end */
    char key[256];              /* "": keyless */
    const char *key_header;     /* "x-cg-demo-api-key" | "x-cg-pro-api-key"; NULL when keyless */
    uint32_t calls_per_minute;  /* pace of the limiter */
    int64_t connect_timeout_us; /* 10 s */
    int64_t stall_timeout_us;   /* 15 s */
    int64_t total_timeout_us;   /* 30 s */
    uint32_t max_attempts;      /* per page, within the slot */
};

struct extract_job {
    struct stream_id id;
    uint32_t top;     /* coins wanted: pages of 250 */
    int64_t every_us; /* grid */
    struct tape_writer *writer;
    size_t status; /* index in the snapshot */
};

/* What extract tells its owner, on its thread. */
struct extract_events {
    void *ctx;
    void (*poll_ended)(void *ctx, const struct extract_job *job, const struct tape_record *end);
};

struct extract_setup {
    struct extract_api api;
    const struct extract_job *jobs; /* outlive the extractor */
    size_t n_jobs;
    struct clock *clock;
    struct status *status; /* may be NULL */
    struct extract_events events;
    uint64_t random_seed; /* of the jitter; 0: from the system */
};

struct extract;

enum st extract_new(const struct extract_setup *setup, struct extract **ret_extract,
                    struct err *err) MUST_USE;
void extract_free(struct extract *e); /* NULL is fine */

/* Thread body: poll on the grid until extract_stop(). A current slot that is not yet on the tape is
 * polled at once. ST_OK when stopped; ST_FATAL when the tape must not be written. */
enum st extract_run(struct extract *e, struct err *err) MUST_USE;

/* One poll of one job now, in the caller's thread; slot_us 0: now. *ret_outcome tells how it went;
 * the return value is about the tape. The deadline is budget_us from now. */
enum st extract_once(struct extract *e, size_t job, int64_t slot_us, int64_t budget_us,
                     enum poll_outcome *ret_outcome, struct err *err) MUST_USE;

/* Any thread: cancel the request at hand; its poll gets its `end` (aborted). */
void extract_stop(struct extract *e);

#endif
