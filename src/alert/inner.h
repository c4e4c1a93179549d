/* What rules (alerts.c) and delivery (deliver.c) share. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALERT_INNER_H
#define ALERT_INNER_H

#include "alert/alerts.h"
#include "base/file.h"

#include <pthread.h>
#include <stdatomic.h>

/* A channel; rules that share it share its outages. */
struct receiver {
    int64_t retry_at_us; /* monotonic; 0: it works */
    int64_t backoff_us;
    int64_t taken; /* a message that it has, and that is not out of the outbox yet; 0: none */
    struct alert_send *send; /* one on its way; NULL: none */
    struct alert_waiting message;
    size_t rule; /* … of which */
};

struct alerts {
    struct alert *all;
    size_t n;
    char data_dir[FILE_MAX_PATH], path[FILE_MAX_PATH];
    int64_t budget;
    struct clock *clock;

    struct receiver *receivers; /* [ALERTS_MAX]; each at its first rule */
    struct alert_store *store;  /* the delivery's connection */
    struct buf text, json;

    pthread_t thread;
    bool is_running;
    pthread_mutex_t lock;
    void *multi;              /* libcurl's; guarded by lock where others wake the thread */
    atomic_bool is_stopping;  /* … to wake up for; any thread reads it */
    atomic_bool is_cancelled; /* even what is on its way */
    atomic_bool has_left;
};

void deliver_init(struct alerts *a);
void deliver_release(struct alerts *a); /* after alerts_stop() */

#endif
