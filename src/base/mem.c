/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static atomic_long fail_countdown;
static atomic_ulong n_allocations;

void *mem_try(void *old, size_t size)
{
    atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed);
    if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) > 0 &&
        atomic_fetch_sub(&fail_countdown, 1) == 1)
        return NULL;
    return realloc(old, size);
}

static _Noreturn void out_of_memory(size_t size)
{
    fprintf(stderr, "geckotape: out of memory (%zu bytes); nothing on the tape is lost\n", size);
    abort();
}

void *mem_grow(void *old, size_t n, size_t size)
{
    if (size != 0 && n > SIZE_MAX / size)
        out_of_memory(SIZE_MAX);
    size_t bytes = n * size > 0 ? n * size : 1;
    atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed);
    void *p = realloc(old, bytes);
    if (p == NULL)
        out_of_memory(bytes);
    return p;
}

void *mem_new(size_t n, size_t size)
{
    void *p = mem_grow(NULL, n, size);
    memset(p, 0, n * size);
    return p;
}

char *mem_strndup(const char *s, size_t len)
{
    char *copy = mem_new(len + 1, 1);
    if (len > 0)
        memcpy(copy, s, len);
    return copy;
}

char *mem_strdup(const char *s)
{
    return mem_strndup(s, strlen(s));
}

void mem_free(void *p)
{
    free(p);
}

void mem_setup(void)
{
    mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
}

void mem_fail_nth(long nth)
{
    atomic_store(&fail_countdown, nth);
}

unsigned long mem_count(void)
{
    return atomic_load(&n_allocations);
}
