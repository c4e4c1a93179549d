/* A batch's memory: allocate freely, give all back at once, never beyond a hard cap. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *block; /* newest first */
    size_t used;               /* bytes in the newest block */
    size_t total;              /* bytes of all blocks */
    size_t max;                /* ceiling of total */
    size_t first;              /* size of the first block, where it is known; 0 */
    bool is_full;              /* the cap refused a request since the last reset */
};

void arena_init(struct arena *a, size_t max);
void arena_release(struct arena *a);

/* Forget all allocations; the memory stays, from the second time on in one block, so that a steady
 * load allocates nothing. */
void arena_reset(struct arena *a);

/* n * size bytes, aligned for any type, not zeroed. NULL when the cap is reached, which is_full
 * remembers, or the system has no memory; the arena stays usable. */
void *arena_alloc(struct arena *a, size_t n, size_t size);

/* The same, zeroed. */
void *arena_zalloc(struct arena *a, size_t n, size_t size);

/* Copy s, adding a NUL that is not counted. p is NULL when there is no room. */
struct str arena_str(struct arena *a, struct str s);

#endif
