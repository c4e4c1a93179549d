/* The head of a stream, shared by its writer and all who wait for it: see writer.h. Private to
 * tape/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAPE_HEAD_H
#define TAPE_HEAD_H

#include "tape/writer.h"

#include <pthread.h>

/* Counts the moves of all heads of a tape, for those who wait for several streams at once. */
struct bell {
    pthread_mutex_t mutex;
    pthread_cond_t rung;
    uint64_t n;
};

void bell_init(struct bell *b);
void bell_release(struct bell *b);
void bell_ring(struct bell *b);

struct bell *tape_bell(struct tape *t);

struct tape_head {
    struct bell *bell;
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    uint64_t offset;
    uint64_t ended; /* of the last end */
    bool is_woken;  /* for good */
};

void tape_head_init(struct tape_head *h, struct bell *bell, uint64_t offset, uint64_t ended);
void tape_head_release(struct tape_head *h);
void tape_head_set(struct tape_head *h, uint64_t offset, bool is_end);

#endif
