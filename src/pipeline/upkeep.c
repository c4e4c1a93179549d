/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/upkeep.h"

#include "base/log.h"
#include "base/metric.h"
#include "load/known.h"
#include "pipeline/ship.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define IOPRIO_PROCESS 1 /* of linux/ioprio.h, which not every system has */
#define IOPRIO_IDLE    (3 << 13)
#define LEAST_NICE     19

struct work {
    enum st (*run)(struct work *work);
    struct tape_seal_setup seal;
    char *after;
    struct tape_sealed sealed;
    struct tape_prune_setup prune;
    struct tape_pruned pruned;
    const char *data_dir;
    int64_t now_us, reference_us;
    enum st st;
    struct err err;
};

static enum st run_seal(struct work *work)
{
    return tape_seal_next(&work->seal, work->after, &work->sealed, &work->err);
}

static enum st run_prune(struct work *work)
{
    return tape_prune(&work->prune, &work->pruned, &work->err);
}

static enum st run_reference(struct work *work)
{
    return tape_reference(work->data_dir, work->now_us, &work->reference_us, &work->err);
}

static void *work_main(void *arg)
{
    struct work *work = arg;
    const struct sched_param none = {.sched_priority = 0};
    pid_t self = (pid_t)syscall(SYS_gettid);

    /* each is an offer to the system: what it does not know or allow changes nothing */
    if (sched_setscheduler(self, SCHED_IDLE, &none) != 0)
        setpriority(PRIO_PROCESS, (id_t)self, LEAST_NICE);
    syscall(SYS_ioprio_set, IOPRIO_PROCESS, self, IOPRIO_IDLE);
    work->st = work->run(work);
    return NULL;
}

static enum st run_idle(struct upkeep *u, struct work *work, struct err *err)
{
    pthread_t thread;

    pthread_mutex_lock(&u->lock);
    int rc = pthread_create(&thread, NULL, work_main, work);
    if (rc == 0)
        pthread_join(thread, NULL);
    pthread_mutex_unlock(&u->lock);
    if (rc != 0)
        return err_sys(err, ST_AGAIN, rc, "start a thread");
    if (work->st != ST_OK)
        *err = work->err;
    return work->st;
}

void upkeep_init(struct upkeep *u, const char *data_dir, const char *ship_url, struct clock *clock,
                 const atomic_bool *is_stopping)
{
    pthread_mutex_init(&u->lock, NULL);
    u->ship_url = ship_url;
    u->data_dir = data_dir;
    u->clock = clock;
    u->is_stopping = is_stopping;
}

void upkeep_release(struct upkeep *u)
{
    pthread_mutex_destroy(&u->lock);
}

enum st upkeep_seal_stream(struct upkeep *u, const struct stream *stream, int level, char after[64],
                           struct tape_sealed *ret_sealed, struct err *err)
{
    struct work work = {
        .run = run_seal,
        .seal = {.dir = stream->dir, .level = level, .is_stopping = u->is_stopping},
        .after = after,
        .err = ERR_INIT,
    };
    const char *job = stream->job.id.job;

    enum st st = run_idle(u, &work, err);
    if (st != ST_OK)
        return st;
    *ret_sealed = work.sealed;
    if (work.sealed.segment[0] == '\0')
        return ST_OK;
    metric_add(METRIC_TAPE_SEALED, job, NULL, 1);
    metric_add(METRIC_TAPE_SEALED_BYTES, job, NULL, (double)work.sealed.bytes_after);
    log_debug("tape", "segment sealed", LOG_Z("job", job), LOG_Z("segment", work.sealed.segment),
              LOG_I("bytes_before", work.sealed.bytes_before),
              LOG_I("bytes_after", work.sealed.bytes_after));
    return ST_OK;
}

enum st upkeep_reference(struct upkeep *u, int64_t *ret_us, struct err *err)
{
    struct work work = {
        .run = run_reference,
        .data_dir = u->data_dir,
        .now_us = clock_wall_us(u->clock),
        .err = ERR_INIT,
    };

    enum st st = run_idle(u, &work, err);
    if (st == ST_OK)
        *ret_us = work.reference_us;
    return st;
}

enum st upkeep_prune_stream(struct upkeep *u, const struct stream *stream, int64_t reference_us,
                            int64_t keep_us, bool is_dry_run, struct tape_pruned *ret_pruned,
                            char ret_holder[UPKEEP_HOLDER], struct err *err)
{
    struct work work = {
        .run = run_prune,
        .prune = {.dir = stream->dir,
                  .reference_us = reference_us,
                  .keep_us = keep_us,
                  .is_dry_run = is_dry_run},
        .err = ERR_INIT,
    };
    char uuid[SINK_UUID_TEXT];
    const char *job = stream->job.id.job;

    ret_holder[0] = '\0';
    sink_uuid_text(&stream->job.id, uuid);
    enum st st = known_below(u->data_dir, uuid, &work.prune.below, ret_holder, UPKEEP_HOLDER, err);
    if (st == ST_OK)
        st = ship_hold(stream->dir, u->ship_url, &work.prune.below, ret_holder, UPKEEP_HOLDER, err);
    if (st == ST_OK)
        st = run_idle(u, &work, err);
    if (st != ST_OK)
        return st;
    *ret_pruned = work.pruned;
    if (is_dry_run || work.pruned.n_segments == 0)
        return ST_OK;
    metric_add(METRIC_TAPE_PRUNED_BYTES, job, NULL, (double)work.pruned.bytes);
    log_info("tape", "old segments removed", LOG_Z("job", job),
             LOG_I("segments", work.pruned.n_segments), LOG_I("bytes", work.pruned.bytes),
             LOG_I("first_kept", work.pruned.first_kept));
    return ST_OK;
}
