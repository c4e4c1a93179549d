/* SPDX-License-Identifier: Apache-2.0 */
#include "status/status.h"

#include "base/mem.h"

#include <pthread.h>

struct status {
    pthread_mutex_t mutex;
    struct status_snapshot now;
};

struct status *status_new(const struct status_snapshot *initial)
{
    struct status *s = mem_new(1, sizeof(*s));
    pthread_mutex_init(&s->mutex, NULL);
    s->now = *initial;
    return s;
}

void status_free(struct status *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->mutex);
    mem_free(s);
}

struct status_snapshot *status_lock(struct status *s)
{
    pthread_mutex_lock(&s->mutex);
    return &s->now;
}

void status_unlock(struct status *s)
{
    pthread_mutex_unlock(&s->mutex);
}

void status_copy(struct status *s, struct status_snapshot *ret_snapshot)
{
    *ret_snapshot = *status_lock(s);
    status_unlock(s);
}

bool status_is_spent(const struct status_budget *b, int64_t now_us)
{
    return b->calls > 0 && b->until_us > now_us && b->own + b->others >= b->calls;
}

const char *sink_state_name(enum sink_state state)
{
    static const char *const names[] = {
        [SINK_STARTING] = "starting",
        [SINK_WORKING] = "working",
        [SINK_WAITING] = "waiting",
        [SINK_STOPPED] = "stopped",
    };
    return names[state];
}
