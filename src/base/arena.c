/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>

#define FIRST_BLOCK_BYTES (size_t)(16 * 1024)

struct arena_block {
    struct arena_block *next;
    size_t size; /* usable bytes behind this header */
    alignas(max_align_t) char bytes[];
};

void arena_init(struct arena *a, size_t max)
{
    *a = (struct arena){.max = max};
}

static void free_blocks(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;
        mem_free(block);
        block = next;
    }
}

void arena_release(struct arena *a)
{
    free_blocks(a->block);
    arena_init(a, a->max);
}

void arena_reset(struct arena *a)
{
    if (a->block && a->block->next) { /* next time one block of the same size */
        free_blocks(a->block);
        a->block = NULL;
        a->first = a->total;
        a->total = 0;
    }
    a->used = 0;
    a->is_full = false;
}

/* No, for good: not because the system has no memory now. */
static void *refuse(struct arena *a)
{
    a->is_full = true;
    return NULL;
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
    size_t align = alignof(max_align_t), bytes;

    if (__builtin_mul_overflow(n, size, &bytes) || bytes > a->max)
        return refuse(a);
    bytes = (bytes + align - 1) / align * align;
    if (a->block == NULL || bytes > a->block->size - a->used) {
        /* half as much again each time: few blocks, little waste */
        size_t want = a->total / 2 > FIRST_BLOCK_BYTES ? a->total / 2 : FIRST_BLOCK_BYTES;
        if (a->block == NULL && want < a->first)
            want = a->first;
        if (want > a->max - a->total)
            want = a->max - a->total;
        if (want < bytes)
            want = bytes;
        if (want > a->max - a->total)
            return refuse(a);
        struct arena_block *b = mem_try(NULL, sizeof(*b) + want);
        if (b == NULL)
            return NULL;
        b->next = a->block;
        b->size = want;
        a->block = b;
        a->used = 0;
        a->total += want;
    }
    void *p = a->block->bytes + a->used;
    a->used += bytes;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n, size_t size)
{
    void *p = arena_alloc(a, n, size);
    if (p)
        memset(p, 0, n * size);
    return p;
}

struct str arena_str(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.len + 1, 1);
    if (p == NULL)
        return STR_NONE;
    if (s.len > 0)
        memcpy(p, s.p, s.len);
    p[s.len] = '\0';
    return (struct str){p, s.len};
}
