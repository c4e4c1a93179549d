/* Extract: polls jobs on their grids and writes every answer to the tape.
 *
 * One thread runs extract_run(); the others talk to it through extract_stop(), extract_set_jobs()
 * and extract_poll_now() only, which it heeds between two pages. One process-wide limiter paces all
 * requests. A poll is one unit: its pages, retries within its slot, its `end`. Jobs that are due
 * are polled one after the other; but a sweep, whose pages nobody can count beforehand, lets them
 * have their turn between two of its pages.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_EXTRACT_H
#define EXTRACT_EXTRACT_H

#include "base/clock.h"
#include "status/status.h"
#include "tape/writer.h"

/* CoinGecko answers 403 to requests without one. */
#define EXTRACT_USER_AGENT "geckotape/" GECKOTAPE_VERSION " (records the CoinGecko API)"

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

enum selection_kind {
    SELECT_TOP,      /* the first `top` coins by market cap */
    SELECT_ALL,      /* every coin, swept by id */
    SELECT_CATEGORY, /* the coins of a category, by market cap; at most `top` unless 0 */
    SELECT_IDS,      /* these coins */
};

struct selection {
    enum selection_kind kind;
    uint32_t top;           /* 0: no bound */
    const char *category;   /* CoinGecko's id of it */
    const char *const *ids; /* sorted, without repetition */
    size_t n_ids;
};

/* What it points to outlives the extractor. */
struct extract_job {
    struct stream_id id;
    struct selection selection;
    int64_t every_us; /* grid */
    /* Only slots in these hours of the UTC day, in microseconds since midnight: from included, to
     * not; from beyond to: over midnight; both equal: always. */
    int64_t from_us, to_us;
    struct tape_writer *writer;
    size_t status; /* index in the snapshot */
};

/* What extract tells its owner, on its thread. */
struct extract_events {
    void *ctx;
    void (*poll_ended)(void *ctx, const struct extract_job *job, const struct tape_record *end);
    /* What extract_poll_now() asked for was done; told once a ticket; error: "" when ok, or why the
     * tape has no such poll. May be NULL. */
    void (*polled_now)(void *ctx, uint64_t ticket, enum poll_outcome outcome, const char *error);
};

struct extract_setup {
    struct extract_api api;
    const struct extract_job *jobs; /* copied; may be none */
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

enum slot_state {
    SLOT_DUE,
    SLOT_POLLED, /* it is on the tape, or one shortly after it is: the clock was set back */
    SLOT_OUT_OF_HOURS,
};

/* The slot of a job's grid that the present moment is in, and what extract_run() would make of it.
 * Not while extract_run() runs. */
enum slot_state extract_slot(const struct extract *e, size_t job, int64_t *ret_slot_us);

/* One poll of one job now, in the caller's thread; slot_us 0: now. *ret_outcome tells how it went;
 * the return value is about the tape. The deadline is budget_us from now. */
enum st extract_once(struct extract *e, size_t job, int64_t slot_us, int64_t budget_us,
                     enum poll_outcome *ret_outcome, struct err *err) MUST_USE;

/* Any thread: from the next poll on these are the jobs (the array is copied). A job that stays, by
 * name, keeps what is known of its slots and troubles; polls under way go on to their end, also of
 * a job that is no more. */
void extract_set_jobs(struct extract *e, const struct extract_job *jobs, size_t n_jobs);

/* Any thread: poll this job (by name) next, whatever its slots, in turns with slots that are due;
 * its slot is the moment it starts. Returns a ticket for polled_now(), the same to all who ask
 * before it starts; 0 when there is no such job or the polls of 16 others wait already. */
uint64_t extract_poll_now(struct extract *e, const char *job);

/* Any thread: cancel the request at hand; its poll gets its `end` (aborted). */
void extract_stop(struct extract *e);

#endif
