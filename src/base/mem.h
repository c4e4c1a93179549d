/* Memory from the system. Only base/ calls malloc, so that tests can make the Nth call fail.
 *
 * Two kinds of callers, two answers to "no memory":
 *  - what input can grow (buf, arena) uses mem_try(), fails, and the caller answers with an enum
 * st;
 *  - what the program needs to exist at all (drivers, threads, tables) uses mem_new(), which aborts
 *    with a message: dying is safe here (kill -9 is), running half-built is not.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

/* Resize `old` (NULL: allocate) to `size` > 0 bytes. Returns NULL and leaves `old` alone on
 * failure. */
void *mem_try(void *old, size_t size);

/* Allocate n * size zeroed bytes; never NULL. */
void *mem_new(size_t n, size_t size);

/* Grow a program-lifetime array to n * size bytes (new part not zeroed); never NULL. */
void *mem_grow(void *old, size_t n, size_t size);

char *mem_strdup(const char *s);

/* Copy `len` bytes and add a NUL; never NULL. Free with mem_free(). */
char *mem_strndup(const char *s, size_t len);

void mem_free(void *p); /* NULL is fine */

/* Once, first of all in main(): large blocks go back to the system when they are freed. glibc would
 * keep up to 32 MB of them after the first, so that an hourly sealing stayed in memory for good. */
void mem_setup(void);

/* Tests: make the nth mem_try() from now fail (1 = the next); 0 turns it off. */
void mem_fail_nth(long nth);

/* Tests: how many allocations were made so far, all threads. */
unsigned long mem_count(void);

#endif
