/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/housekeeper.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "load/known.h"
#include "tape/upkeep.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ROUND_US       (60 * US_PER_S)
#define DAY_US         (86400 * US_PER_S)
#define LEAST_SPAN_US  (3600 * US_PER_S) /* of a tape whose growth can be told */
#define IOPRIO_PROCESS 1                 /* linux/ioprio.h, which not every system has */
#define IOPRIO_IDLE    (3 << 13)
#define LEAST_NICE     19

/* Trouble is logged at its start and its end. */
enum trouble { TROUBLE_NOTE, TROUBLE_SEAL, TROUBLE_PRUNE, TROUBLE_DISK, N_TROUBLES };

struct housekeeper {
    struct housekeeper_setup setup;
    pthread_t thread;
    atomic_bool is_stopping;
    pthread_mutex_t lock; /* for `wake` alone */
    pthread_cond_t wake;
    pthread_mutex_t upkeep;
    bool has_trouble[N_TROUBLES];
    bool is_held;                        /* a sink keeps old segments: it was logged */
    char sealed[LOADER_MAX_STREAMS][64]; /* of each stream: where sealing goes on */
};

/* ---- telling ---- */

static void set_error(struct housekeeper *h, const char *text)
{
    struct status_disk *disk = &status_lock(h->setup.status)->disk;

    snprintf(disk->last_error, sizeof(disk->last_error), "%.255s", text);
    status_unlock(h->setup.status);
}

static void report(struct housekeeper *h, enum trouble what, enum st st, const struct err *err)
{
    static const char *const names[] = {"note how far the sinks are", "seal the tape",
                                        "remove old segments", "look at the disk"};
    bool *has = &h->has_trouble[what];

    if (st != ST_OK) {
        set_error(h, err->msg);
        if (!*has)
            log_warn("tape", "upkeep does not succeed; it is tried again every minute",
                     LOG_Z("what", names[what]), LOG_Z("error", err->msg));
    } else if (*has) {
        log_info("tape", "upkeep succeeds again", LOG_Z("what", names[what]));
    }
    *has = st != ST_OK;
}

/* ---- the disk ---- */

static enum st look_at_disk(struct housekeeper *h, struct err *err)
{
    struct status_disk disk = {.checked_us = clock_wall_us(h->setup.clock),
                               .keep_us = h->setup.keep_us};
    struct statvfs vfs;

    if (statvfs(h->setup.data_dir, &vfs) != 0)
        return err_sys(err, ST_AGAIN, errno, "%s", h->setup.data_dir);
    disk.free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    disk.total_bytes = (uint64_t)vfs.f_blocks * vfs.f_frsize;
    for (size_t i = 0; i < streams_count(h->setup.streams); i++) {
        const struct stream *stream = streams_at(h->setup.streams, i);
        struct tape_usage usage;
        enum st st = tape_usage(stream->dir, disk.checked_us, &usage, err);
        if (st != ST_OK)
            return st;
        metric_set(METRIC_TAPE_DISK_BYTES, stream->job.id.job, NULL, (double)usage.bytes);
        disk.tape_bytes += usage.bytes;
        disk.day_bytes += usage.day_bytes;
        if (usage.oldest_us != 0 && (disk.oldest_us == 0 || usage.oldest_us < disk.oldest_us))
            disk.oldest_us = usage.oldest_us;
    }
    int64_t span_us = disk.oldest_us != 0 ? disk.checked_us - disk.oldest_us : 0;
    if (span_us < LEAST_SPAN_US)
        disk.day_bytes = 0;
    else if (span_us < DAY_US)
        disk.day_bytes = (uint64_t)((double)disk.day_bytes * (double)DAY_US / (double)span_us);
    metric_set(METRIC_DISK_FREE, NULL, NULL, (double)disk.free_bytes);
    struct status_disk *shown = &status_lock(h->setup.status)->disk;
    snprintf(disk.last_error, sizeof(disk.last_error), "%s", shown->last_error);
    *shown = disk;
    status_unlock(h->setup.status);
    return ST_OK;
}

/* ---- the thread ---- */

static void note(struct housekeeper *h)
{
    struct err err = ERR_INIT;

    if (h->setup.sinks)
        report(h, TROUBLE_NOTE, sinks_note(h->setup.sinks, &err), &err);
}

static void look(struct housekeeper *h)
{
    struct err err = ERR_INIT;

    streams_show_idle(h->setup.streams);
    if (h->setup.sinks)
        sinks_show_lag(h->setup.sinks);
    report(h, TROUBLE_DISK, look_at_disk(h, &err), &err);
}

static void clear_error(struct housekeeper *h)
{
    for (size_t i = 0; i < N_TROUBLES; i++)
        if (h->has_trouble[i])
            return;
    set_error(h, "");
}

static void wait_round(struct housekeeper *h)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ROUND_US / US_PER_S;
    pthread_mutex_lock(&h->lock);
    while (!atomic_load(&h->is_stopping) && pthread_cond_timedwait(&h->wake, &h->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&h->lock);
}

static void *keeper_main(void *arg)
{
    struct housekeeper *h = arg;

    while (!atomic_load(&h->is_stopping)) {
        look(h);
        note(h);
        clear_error(h);
        wait_round(h);
    }
    return NULL;
}

enum st housekeeper_start(const struct housekeeper_setup *setup, struct housekeeper **ret_keeper,
                          struct err *err)
{
    struct housekeeper *h = mem_new(1, sizeof(*h));
    pthread_condattr_t monotonic;

    h->setup = *setup;
    pthread_mutex_init(&h->lock, NULL);
    pthread_mutex_init(&h->upkeep, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&h->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = pthread_create(&h->thread, NULL, keeper_main, h);
    if (rc != 0) {
        mem_free(h);
        return err_sys(err, ST_FATAL, rc, "start a thread");
    }
    *ret_keeper = h;
    return ST_OK;
}

void housekeeper_stop(struct housekeeper *h)
{
    if (h == NULL)
        return;
    pthread_mutex_lock(&h->lock);
    atomic_store(&h->is_stopping, true);
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
    pthread_cond_destroy(&h->wake);
    pthread_mutex_destroy(&h->upkeep);
    pthread_mutex_destroy(&h->lock);
    mem_free(h);
}

void housekeeper_lock(struct housekeeper *h)
{
    pthread_mutex_lock(&h->upkeep);
}

void housekeeper_unlock(struct housekeeper *h)
{
    pthread_mutex_unlock(&h->upkeep);
}
