/* The head of a stream, shared by its writer and all who wait for it: see writer.h. Private to
 * tape/. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAPE_HEAD_H
#define TAPE_HEAD_H

#include "tape/writer.h"

#include <pthread.h>

struct tape_head {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    uint64_t offset;
    bool is_woken; /* for good */
};

void tape_head_init(struct tape_head *h, uint64_t offset);
void tape_head_release(struct tape_head *h);
void tape_head_set(struct tape_head *h, uint64_t offset);

#endif
