/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pulse.h"

#include "base/clock.h"

void pulse_init(struct pulse *p)
{
    atomic_init(&p->due_us, INT64_MAX);
}

void pulse_expect(struct pulse *p, int64_t within_us)
{
    int64_t due_us;

    if (__builtin_add_overflow(clock_mono_us(clock_system()), within_us, &due_us))
        due_us = INT64_MAX;
    atomic_store(&p->due_us, due_us);
}

void pulse_rest(struct pulse *p)
{
    atomic_store(&p->due_us, INT64_MAX);
}

bool pulse_is_late(const struct pulse *p, int64_t patience_us)
{
    const int64_t due_us = atomic_load(&p->due_us);

    return due_us != INT64_MAX && clock_mono_us(clock_system()) - due_us > patience_us;
}
