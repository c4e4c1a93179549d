/* What all polls share: one connection, one pace, the memory of one answer. Inside extract/ only.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_POLLER_H
#define EXTRACT_POLLER_H

#include "base/http_client.h"
#include "extract/classify.h"
#include "extract/extract.h"
#include "extract/governor.h"
#include "extract/limiter.h"
#include "extract/wait.h"

#define POLL_MAX_BODY \
    (size_t)(24 * 1024 * 1024) /* a page of 250 coins has 0.25 MB, all names 2 MB */
#define POLL_MAX_ERROR 256

/* Why a poll is not ok: a class of classify.h by name, or one of these. Compared as text. */
#define CAUSE_TRANSPORT "transport" /* no answer, or none that was whole */
#define CAUSE_CLOCK     "clock"
#define CAUSE_PACE      "pace" /* the slot ended before a request could start */
#define CAUSE_TAPE      "tape"
#define CAUSE_STOPPED   "stopped"
#define CAUSE_BUDGET    "budget" /* no call is left in the period */

/* Memory of one answer is kept and used again. Thread: the extractor's. */
struct poller {
    const struct extract_api *api;
    struct clock *clock;
    struct status *status; /* may be NULL */
    struct waiter *waiter;
    struct http_client *http;
    struct limiter limiter;
    struct budget budget;
    struct governor governor; /* of all jobs, in their order */
    bool has_paused;          /* since the last good answer */
    uint64_t random;          /* of the jitter */
    char key_line[320];
    uint64_t key_hash;
    size_t base_path_at; /* in api->base_url, where its path begins */

    struct http_answer answer;
    struct json *json;
    struct arena arena;
    struct buf url, kept;
};

enum st poller_init(struct poller *p, const struct extract_setup *setup, struct waiter *waiter,
                    struct err *err) MUST_USE;
void poller_release(struct poller *p); /* also what a failed init left */

uint64_t poller_random(struct poller *p);

#endif
