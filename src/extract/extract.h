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
#include "base/grid.h"
#include "extract/key.h"
#include "status/status.h"
#include "tape/writer.h"

/* CoinGecko answers 403 to requests without one. */
#define EXTRACT_USER_AGENT "geckotape/" GECKOTAPE_VERSION " (records the CoinGecko API)"

struct extract_api {
    char base_url[512];         /* "https://api.coingecko.com/api/v3", no slash at the end */
    char key[256];              /* "": keyless */
    const char *key_header;     /* "x-cg-demo-api-key" | "x-cg-pro-api-key"; NULL when keyless */
    const char *key_path;       /* "/ping" | "/key": what tells whether the key is good; NULL: it is
                                   not asked */
    uint32_t calls_per_minute;  /* pace of the limiter … */
    bool is_pace_fixed;         /* … also when /key allows another one */
    uint64_t budget;            /* calls in a billing period; 0: no bound … */
    bool is_budget_by_key;      /* … but the one that /key tells */
    int budget_day;             /* of the month, on which the period begins */
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
    SELECT_WHOLE,    /* all that an endpoint without pages answers */
    SELECT_CHART,    /* one chart of one coin */
};

struct chart_ask;

struct selection {
    enum selection_kind kind;
    uint32_t top;           /* 0: no bound */
    const char *category;   /* CoinGecko's id of it */
    const char *const *ids; /* sorted, without repetition */
    size_t n_ids;
    bool is_inactive;              /* coins/list: the coins that are listed no more */
    const char *target;            /* of TAPE_UPSTREAM: path and query below the base URL */
    const struct chart_ask *chart; /* the task's own: each extract_poll_chart() brings another */
};

/* What it points to outlives the extractor. */
struct extract_job {
    struct stream_id id;
    struct selection selection;
    struct grid grid;  /* its slots */
    int64_t every_us;  /* the shortest time between two */
    int64_t most_us;   /* adaptive: the longest, while answers repeat; 0: every slot is polled */
    char times[160];   /* the same for people: "every 30s from 08:00 to 18:00 UTC" */
    int priority;      /* who keeps its slots longest when the budget is short: the highest */
    uint32_t calls;    /* that a poll takes, as far as one can say */
    bool is_on_demand; /* no slot of the grid is polled: only what is asked for is */
    struct tape_writer *writer;
    size_t status; /* index in the snapshot */
};

/* What became of what extract_fetch() asked for. */
enum fetch_end {
    FETCH_ANSWERED,  /* and it is on the tape, whatever it says */
    FETCH_NO_ANSWER, /* none came, or none that was whole */
    FETCH_NO_TURN,   /* no call could be made in time */
    FETCH_NOT_KEPT,  /* the tape does not take it, so nobody gets it */
    FETCH_STOPPED,
};

/* Lives until the call that tells it returns. */
struct extract_fetched {
    enum fetch_end end;
    bool is_good;             /* FETCH_ANSWERED: it is data, and no error */
    long status;              /* so the following three */
    struct str headers, body; /* as in struct http_answer, the key masked */
    int64_t wait_us;          /* until another call can be made, as far as is known */
    const char *error;        /* for people; "" when good */
};

/* What extract tells its owner, on its thread. */
struct extract_events {
    void *ctx;
    void (*poll_ended)(void *ctx, const struct extract_job *job, const struct tape_record *end);
    /* What extract_poll_now() asked for was done; told once a ticket; error: "" when ok, or why the
     * tape has no such poll. May be NULL. */
    void (*polled_now)(void *ctx, uint64_t ticket, enum poll_outcome outcome, const char *error);
    /* The answer to extract_fetch(), once a ticket. May be NULL. */
    void (*fetched)(void *ctx, uint64_t ticket, const struct extract_fetched *fetched);
};

struct extract_setup {
    struct extract_api api;
    const struct extract_job *jobs; /* copied; may be none */
    size_t n_jobs;
    /* Streams of before, not polled: what they spent counts too. Looked at by extract_new() alone.
     */
    const struct tape_writer *const *idle;
    size_t n_idle;
    /* The process before did not stop by itself: a request may have been under way, and is charged
     * on the tape of the first job, or on upstream's when there is none. */
    bool was_killed;
    /* The stream of what is fetched for others: TAPE_UPSTREAM. NULL: nothing is */
    const struct extract_job *upstream;
    struct clock *clock;
    struct status *status; /* may be NULL */
    struct extract_events events;
    uint64_t random_seed; /* of the jitter; 0: from the system */
};

struct extract;

enum st extract_new(const struct extract_setup *setup, struct extract **ret_extract,
                    struct err *err) MUST_USE;
void extract_free(struct extract *e); /* NULL is fine */

/* What was_killed tells of is on a tape, or need not be. Else the next start has to see to that. */
bool extract_has_settled(const struct extract *e);

/* Ask the API what it makes of the key; nothing when there is none, or no key_path. Takes up to
 * three calls, paced as all are, and sets the pace by what a paid plan has. Not while extract_run()
 * runs, which asks by itself, before the first poll; extract_once() asks when no good answer to
 * this key is on the tapes of its jobs, or when only /key tells how many calls there are. */
void extract_check_key(struct extract *e, struct key_finding *ret_finding);

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

/* The same of a job that selects SELECT_CHART, for this chart, which is copied: nobody else shares
 * the poll, and who asked may be gone when it takes place. */
uint64_t extract_poll_chart(struct extract *e, const char *job, const struct chart_ask *chart);

/* Any thread: ask the API for this path and query (below the base URL, well-formed), once, when
 * neither the limiter nor a poll that is due needs the call, and it can begin within wait_us.
 * Returns a ticket for fetched(); 0: too many wait already, or nothing is fetched here (any more).
 */
uint64_t extract_fetch(struct extract *e, struct str target, int64_t wait_us);

/* Any thread: that of the thread of extract_run(); at rest before and after. */
const struct pulse *extract_pulse(const struct extract *e);

/* Any thread: cancel the request at hand; its poll gets its `end` (aborted). */
void extract_stop(struct extract *e);

#endif
