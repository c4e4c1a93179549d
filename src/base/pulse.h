/* A sign of life: the moment by which a thread has promised to come round again.
 *
 * A thread that is stuck breaks its promise by itself; nobody has to beat for it. Who watches adds
 * its own patience, so promises are the natural bounds of what is done: a nap, a timeout.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_PULSE_H
#define BASE_PULSE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct pulse {
    atomic_int_least64_t due_us; /* monotonic; INT64_MAX: nothing is promised */
};

void pulse_init(struct pulse *p);

/* The thread whose pulse it is: back within so many microseconds. */
void pulse_expect(struct pulse *p, int64_t within_us);

/* It waits for others, or has ended. */
void pulse_rest(struct pulse *p);

/* Any thread: is the promise broken for longer than patience_us? */
bool pulse_is_late(const struct pulse *p, int64_t patience_us);

#endif
