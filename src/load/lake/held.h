/* Which polls have their rows in a lake: (job, slot), and of partial ones the file that holds
 * nothing but their rows. Read of the log of polls. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_LAKE_HELD_H
#define LOAD_LAKE_HELD_H

#include "load/lake/node.h"
#include "tape/record.h"

#define HELD_NO_FILE "-" /* in place of a path: the poll had no row that was stored */

struct held_poll {
    int64_t slot_us;
    char *partial; /* path of its file; NULL: it is ok */
};

struct held_job {
    char name[TAPE_MAX_JOB + 1];
    struct held_poll *polls; /* by slot */
    size_t n, max;
};

struct held {
    struct held_job *jobs;
    size_t n_jobs;
};

void held_release(struct held *h);

/* NULL: there is none. Borrowed until the next held_take(). */
const struct held_poll *held_find(const struct held *h, const char *job, int64_t slot_us);

int64_t held_newest(const struct held *h, const char *job); /* slot; INT64_MIN: none */

/* partial: copied; NULL: an ok one, which may take the place of a partial one. */
void held_put(struct held *h, struct str job, int64_t slot_us, const struct str *partial);

/* What a commit says of its polls: {"<job>":{"ok":[slot,…],"partial":[[slot,"path"],…]},…} */
void held_take(struct held *h, const struct node *polls);

#endif
