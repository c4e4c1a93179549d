/* Answers that somebody waits for: one request each, kept as a poll of a stream of its own. Inside
 * extract/ only.
 *
 * Threads: fetch_add() any; the rest the extractor's. Limits: FETCH_MAX_WAITING wait at a time.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_FETCH_H
#define EXTRACT_FETCH_H

#include "extract/poll.h"

#include <pthread.h>

#define FETCH_MAX_WAITING 32
#define FETCH_MAX_US      (10 * US_PER_S) /* a request may take: then polls have their turn */

struct fetch {
    uint64_t ticket;
    int64_t deadline_us; /* monotonic: to be begun by then */
    char target[ENDPOINT_MAX_TARGET + 1];
};

struct fetcher {
    struct extract_job of; /* the stream; its selection says what is asked for now */
    struct poll_job job;
    const struct extract_events *events;
    bool is_on;
    const char *trouble; /* as in struct task */
    uint32_t n_passed;   /* pages of sweeps since the last one */

    pthread_mutex_t lock;
    struct fetch *waiting; /* oldest first */
    size_t n_waiting;
    uint64_t last_ticket;
    bool is_closed;
};

/* upstream: the stream's job; NULL: nothing is fetched here. */
void fetcher_init(struct fetcher *f, const struct extract_job *upstream,
                  const struct extract_events *events, struct poller *p);
void fetcher_release(struct fetcher *f);

/* 0: there are too many already, or nothing is fetched (any more). */
uint64_t fetch_add(struct fetcher *f, struct str target, int64_t deadline_us);

/* When a call can be made (monotonic): now_us or later, by the pace and the budget. */
int64_t fetch_ready_at(const struct poller *p, int64_t now_us);

/* Answer those who cannot have their turn in time; true when somebody waits still. */
bool fetch_is_wanted(struct fetcher *f, struct poller *p);

/* Fetch what has waited for longest, begun by until_us and not to last longer. The return value is
 * the tape's. */
enum st fetch_next(struct fetcher *f, struct poller *p, int64_t until_us, struct err *err) MUST_USE;

/* Nobody is left without an answer, and nobody comes any more. */
void fetch_close(struct fetcher *f);

#endif
