/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/housekeeper.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "pipeline/ship.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROUND_US      (60 * US_PER_S)
#define DAY_US        (86400 * US_PER_S)
#define STEP_US       (900 * US_PER_S) /* a segment is sealed by a child of idle priority */
#define FIRST_US      (5 * US_PER_S)   /* of the first round, before which there may be no tape */
#define SHIP_US       (30 * US_PER_S) /* of a stream in a round: a backlog must not hold up sealing */
#define LEAST_SPAN_US (3600 * US_PER_S) /* of files whose growth can be told */

/* Trouble is logged at its start and its end. */
enum trouble { TROUBLE_NOTE, TROUBLE_SEAL, TROUBLE_PRUNE, TROUBLE_DISK, TROUBLE_SHIP, N_TROUBLES };

struct housekeeper {
    struct housekeeper_setup setup;
    pthread_t thread;
    pthread_mutex_t lock; /* for `wake` alone */
    pthread_cond_t wake;
    struct pulse pulse;
    struct ship *ship; /* NULL: nowhere */
    bool has_more;     /* to ship than a round has time for */
    bool has_trouble[N_TROUBLES];
    bool is_held;                        /* a sink keeps old segments: it was logged */
    int64_t looked_us;                   /* monotonic: since when the files beside the tape … */
    uint64_t looked_bytes;               /* … had this size */
    char sealed[LOADER_MAX_STREAMS][64]; /* of each stream: where sealing goes on */
};

static bool is_stopping(const struct housekeeper *h)
{
    return atomic_load(h->setup.upkeep->is_stopping);
}

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
                                        "remove old segments", "look at the disk",
                                        "copy segments to the store of tape.ship"};
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

/* ---- sealing and removing ---- */

/* All that the writer of a stream has closed, one after the other. */
static enum st seal_stream(struct housekeeper *h, size_t i, struct err *err)
{
    const struct stream *stream = streams_at(h->setup.streams, i);
    struct tape_sealed sealed;
    enum st st;

    do {
        struct err why = ERR_INIT;
        pulse_expect(&h->pulse, STEP_US);
        sealed.segment[0] = '\0';
        st = upkeep_seal_stream(h->setup.upkeep, stream, h->setup.seal_level, h->sealed[i], &sealed,
                                &why);
        if (st == ST_REJECT) /* it stays as it is */
            log_warn("tape", "a damaged segment is not sealed", LOG_Z("job", stream->job.id.job),
                     LOG_Z("error", why.msg));
        else if (st != ST_OK)
            *err = why;
    } while (!is_stopping(h) && (st == ST_REJECT || (st == ST_OK && sealed.segment[0] != '\0')));
    return st == ST_REJECT || is_stopping(h) ? ST_OK : st;
}

/* As the directory says that verbs read. */
static enum st is_simulated(const struct housekeeper *h, bool *ret, struct err *err)
{
    char path[FILE_MAX_PATH];
    enum st st = file_path(path, err, "%s/SIMULATED", h->setup.data_dir);

    *ret = st == ST_OK && access(path, F_OK) == 0;
    return st;
}

/* All that is closed and as small as it gets, one after the other. */
static enum st ship_stream(struct housekeeper *h, size_t i, struct err *err)
{
    const struct stream *stream = streams_at(h->setup.streams, i);
    const char *job = stream->job.id.job;
    char uuid[SINK_UUID_TEXT];
    struct ship_stream what = {
        .dir = stream->dir, .job = job, .uuid = uuid, .sealed_upto = h->sealed[i]};
    struct shipped shipped = {.segment = ""};
    enum st st = is_simulated(h, &what.is_simulated, err);

    sink_uuid_text(&stream->job.id, uuid);
    const int64_t until_us = clock_mono_us(h->setup.clock) + SHIP_US;
    pulse_rest(&h->pulse); /* a slow line is not mended by a restart */
    while (st == ST_OK && !is_stopping(h)) {
        if (clock_mono_us(h->setup.clock) >= until_us) {
            h->has_more = true;
            break;
        }
        st = ship_next(h->ship, &what, &shipped, err);
        if (st != ST_OK || shipped.segment[0] == '\0')
            break;
        metric_add(METRIC_TAPE_SHIPPED, job, NULL, 1);
        log_debug("tape", "segment shipped", LOG_Z("job", job), LOG_Z("segment", shipped.segment),
                  LOG_I("bytes", shipped.bytes));
    }
    pulse_expect(&h->pulse, STEP_US);
    return is_stopping(h) ? ST_OK : st;
}

static void report_held(struct housekeeper *h, bool is_held, const char *job, const char *holder)
{
    if (is_held && !h->is_held)
        log_warn("tape",
                 "tape.keep is over, but a sink has not loaded what is old: it is kept "
                 "(geckotape sink forget drops a sink that is no more)",
                 LOG_Z("job", job), LOG_Z("sink", holder));
    if (!is_held && h->is_held)
        log_info("tape", "no sink holds back old segments any more");
    h->is_held = is_held;
}

static enum st prune_stream(struct housekeeper *h, const struct stream *stream,
                            int64_t reference_us, bool *is_held, struct err *err)
{
    struct tape_pruned pruned;
    char holder[UPKEEP_HOLDER];

    pulse_expect(&h->pulse, STEP_US);
    enum st st = upkeep_prune_stream(h->setup.upkeep, stream, reference_us, h->setup.keep_us, false,
                                     &pruned, holder, err);
    if (st == ST_OK && pruned.is_held_by_sinks && !*is_held)
        report_held(h, *is_held = true, stream->job.id.job, holder);
    return st;
}

static bool can_prune(const struct housekeeper *h, size_t i)
{
    return h->setup.keep_us > 0 && !stream_is_history(&streams_at(h->setup.streams, i)->job.id) &&
           (h->setup.sinks == NULL || sinks_are_noted(h->setup.sinks, i));
}

/* ---- the disk ---- */

/* Bytes of the files right in DATA: the default database. */
static uint64_t bytes_of_files(const char *data_dir)
{
    DIR *d = opendir(data_dir);
    uint64_t bytes = 0;
    struct stat s;

    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        if (fstatat(dirfd(d), e->d_name, &s, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(s.st_mode))
            bytes += (uint64_t)s.st_blocks * 512;
    if (d != NULL)
        closedir(d);
    return bytes;
}

/* What they grow by in a day, by what they grew since we began to look; 0: not known yet. */
static uint64_t growth_of_files(struct housekeeper *h)
{
    uint64_t bytes = bytes_of_files(h->setup.data_dir);
    int64_t now_us = clock_mono_us(h->setup.clock);

    if (h->looked_us == 0) {
        h->looked_us = now_us;
        h->looked_bytes = bytes;
    }
    int64_t span_us = now_us - h->looked_us;
    if (span_us < LEAST_SPAN_US || bytes < h->looked_bytes)
        return 0;
    return (uint64_t)((double)(bytes - h->looked_bytes) * (double)DAY_US / (double)span_us);
}

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
    disk.day_bytes = tape_growth(disk.day_bytes, disk.oldest_us, disk.checked_us);
    disk.day_bytes += growth_of_files(h);
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

/* The first n streams, which the sinks were noted for; the first failure of each kind is the
 * round's. */
static void keep_up(struct housekeeper *h, size_t n)
{
    struct err prune_err = ERR_INIT, seal_err = ERR_INIT, ship_err = ERR_INIT;
    enum st prune_st = ST_OK, seal_st = ST_OK, ship_st = ST_OK;
    int64_t reference_us = 0;
    bool is_held = false;

    if (h->setup.keep_us > 0)
        prune_st = upkeep_reference(h->setup.upkeep, &reference_us, &prune_err);
    for (size_t i = 0; i < n; i++) {
        const struct stream *stream = streams_at(h->setup.streams, i);
        if (can_prune(h, i) && prune_st == ST_OK)
            prune_st = prune_stream(h, stream, reference_us, &is_held, &prune_err);
        if (seal_st == ST_OK)
            seal_st = seal_stream(h, i, &seal_err);
        if (h->ship && ship_st == ST_OK)
            ship_st = ship_stream(h, i, &ship_err);
        if (is_stopping(h))
            return;
    }
    if (!is_held)
        report_held(h, false, "", "");
    report(h, TROUBLE_PRUNE, prune_st, &prune_err);
    report(h, TROUBLE_SEAL, seal_st, &seal_err);
    report(h, TROUBLE_SHIP, ship_st, &ship_err);
}

static void clear_error(struct housekeeper *h)
{
    for (size_t i = 0; i < N_TROUBLES; i++)
        if (h->has_trouble[i])
            return;
    set_error(h, "");
}

static void wait_round(struct housekeeper *h, int64_t round_us)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += round_us / US_PER_S;
    pthread_mutex_lock(&h->lock);
    while (!is_stopping(h) && pthread_cond_timedwait(&h->wake, &h->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&h->lock);
}

static void *keeper_main(void *arg)
{
    struct housekeeper *h = arg;
    int64_t round_us = FIRST_US;

    while (!is_stopping(h)) {
        size_t n = streams_count(h->setup.streams);
        h->has_more = false;
        pulse_expect(&h->pulse, STEP_US);
        look(h);
        note(h);
        keep_up(h, n);
        clear_error(h);
        if (h->has_more)
            round_us = FIRST_US;
        pulse_expect(&h->pulse, round_us);
        wait_round(h, round_us);
        round_us = ROUND_US;
    }
    pulse_rest(&h->pulse);
    return NULL;
}

enum st housekeeper_start(const struct housekeeper_setup *setup, struct housekeeper **ret_keeper,
                          struct err *err)
{
    struct housekeeper *h = mem_new(1, sizeof(*h));
    pthread_condattr_t monotonic;

    h->setup = *setup;
    if (setup->ship_url[0] != '\0') {
        enum st st = ship_new(setup->ship_url, setup->upkeep->is_stopping, &h->ship, err);
        if (st != ST_OK) {
            mem_free(h);
            return err_wrap(err, st, "tape.ship: ");
        }
    }
    pulse_init(&h->pulse);
    pthread_mutex_init(&h->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&h->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = pthread_create(&h->thread, NULL, keeper_main, h);
    if (rc != 0) {
        ship_free(h->ship);
        mem_free(h);
        return err_sys(err, ST_FATAL, rc, "start a thread");
    }
    *ret_keeper = h;
    return ST_OK;
}

const struct pulse *housekeeper_pulse(const struct housekeeper *h)
{
    return &h->pulse;
}

void housekeeper_stop(struct housekeeper *h)
{
    if (h == NULL)
        return;
    ship_cancel(h->ship);
    pthread_mutex_lock(&h->lock);
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
    pthread_join(h->thread, NULL);
    pthread_cond_destroy(&h->wake);
    pthread_mutex_destroy(&h->lock);
    ship_free(h->ship);
    mem_free(h);
}
