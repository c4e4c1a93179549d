/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/stopped.h"

#include "base/clock.h"
#include "base/file.h"
#include "load/known.h"
#include "tape/reader.h"
#include "tape/tape.h"
#include "tape/upkeep.h"

#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define TAIL_RECORDS 256 /* of a stream that are looked at for its last polls */
#define MAX_LIST     ((size_t)16 * 1024 * 1024)

enum st stopped_disk(const char *data_dir, uint64_t *ret_free, uint64_t *ret_total, struct err *err)
{
    char path[FILE_MAX_PATH];
    struct statvfs fs;

    enum st st = file_path(path, err, "%s", data_dir);
    if (st != ST_OK)
        return st;
    while (statvfs(path, &fs) != 0) {
        char *slash = strrchr(path, '/');
        if (errno != ENOENT)
            return err_sys(err, ST_AGAIN, errno, "%s", path);
        if (slash == path || (slash == NULL && strcmp(path, ".") == 0))
            return err_sys(err, ST_AGAIN, ENOENT, "%s", data_dir);
        if (slash)
            *slash = '\0';
        else
            snprintf(path, sizeof(path), ".");
    }
    *ret_free = (uint64_t)fs.f_bavail * fs.f_frsize;
    *ret_total = (uint64_t)fs.f_blocks * fs.f_frsize;
    return ST_OK;
}

/* ---- the tape ---- */

static void note_end(struct status_job *job, const struct tape_record *end)
{
    struct status_poll *poll = &job->polls[job->n_polls++ % STATUS_MAX_POLLS];
    const bool is_good = outcome_bears_rows(end->outcome);

    *poll = (struct status_poll){.slot_us = end->slot_us, .ended_us = end->fetched_at_us};
    snprintf(poll->outcome, sizeof(poll->outcome), "%s", poll_outcome_name(end->outcome));
    memcpy(job->last_outcome, poll->outcome, sizeof(job->last_outcome));
    snprintf(job->last_error, sizeof(job->last_error), "%.*s", STR_ARG(end->error));
    job->last_slot_us = end->slot_us;
    job->last_ended_us = end->fetched_at_us;
    job->last_bytes = end->bytes;
    job->last_attempts = end->attempts;
    job->next_due_us = end->next_due_us;
    job->failed_in_row = is_good ? 0 : job->failed_in_row + 1;
    if (end->outcome == POLL_OK)
        job->last_ok_us = end->fetched_at_us;
}

static void describe(struct status_job *job, const struct stream_id *id)
{
    snprintf(job->vs_currency, sizeof(job->vs_currency), "%s", id->vs_currency);
    snprintf(job->what, sizeof(job->what), "%s, %s%s%.90s", id->endpoint, id->vs_currency,
             id->vs_currency[0] ? ", " : "", id->selection);
}

/* The last polls of a stream. What is damaged is stepped over: `tape verify` tells. */
static enum st read_tail(struct tape_reader *reader, struct status_job *job, struct err *err)
{
    uint64_t first, prev_ok = 0;
    struct tape_record record;
    enum st st = tape_reader_bounds(reader, &first, &job->head, err);

    if (st != ST_OK || job->head == 0)
        return st;
    tape_reader_seek(reader, job->head > TAIL_RECORDS ? job->head - TAIL_RECORDS : 0);
    for (;;) {
        struct err why = ERR_INIT;
        st = tape_reader_next(reader, UINT64_MAX, &record, &why);
        if (st == ST_REJECT)
            continue;
        if (st == ST_AGAIN && why.sys == 0)
            break;
        if (st != ST_OK) {
            *err = why;
            return st;
        }
        describe(job, record.stream);
        if (record.type == TAPE_END) {
            note_end(job, &record);
            prev_ok = record.prev_ok_end;
        }
    }
    struct err why = ERR_INIT;
    if (job->last_ok_us == 0 && prev_ok != 0 &&
        tape_reader_get(reader, prev_ok, &record, &why) == ST_OK)
        job->last_ok_us = record.fetched_at_us;
    return ST_OK;
}

static enum st read_job(const char *data_dir, const char *name, struct status_job *ret_job,
                        struct status_disk *disk, struct err *err)
{
    char dir[FILE_MAX_PATH];
    struct tape_usage usage;
    struct tape_reader *reader;

    snprintf(ret_job->name, sizeof(ret_job->name), "%s", name);
    enum st st = tape_stream_dir(data_dir, name, dir, err);
    if (st == ST_OK)
        st = tape_usage(dir, disk->checked_us, &usage, err);
    if (st != ST_OK)
        return st;
    disk->tape_bytes += usage.bytes;
    disk->day_bytes += usage.day_bytes;
    if (usage.oldest_us != 0 && (disk->oldest_us == 0 || usage.oldest_us < disk->oldest_us))
        disk->oldest_us = usage.oldest_us;
    st = tape_reader_open(dir, &reader, err);
    if (st != ST_OK)
        return st;
    st = read_tail(reader, ret_job, err);
    tape_reader_close(reader);
    return st;
}

static enum st read_jobs(const char *data_dir, struct arena *arena, struct status_snapshot *s,
                         struct err *err)
{
    const char **names = NULL;
    size_t n = 0;

    enum st st = tape_jobs(data_dir, arena, &names, &n, err);
    for (size_t i = 0; st == ST_OK && i < n && s->n_jobs < STATUS_MAX_JOBS; i++)
        st = read_job(data_dir, names[i], &s->jobs[s->n_jobs++], &s->disk, err);
    return st;
}

/* ---- the sinks ---- */

static uint64_t head_of(const struct status_snapshot *s, const char *job)
{
    for (size_t i = 0; i < s->n_jobs; i++)
        if (strcmp(s->jobs[i].name, job) == 0)
            return s->jobs[i].head;
    return 0;
}

static void note_sink(struct status_snapshot *s, const struct known_sink *known)
{
    struct status_sink *sink = &s->sinks[s->n_sinks++];

    snprintf(sink->url, sizeof(sink->url), "%.*s",
             STR_ARG(known->url.len > 0 ? known->url : known->file));
    snprintf(sink->last_error, sizeof(sink->last_error), "%.*s", STR_ARG(known->problem));
    for (size_t i = 0; i < known->n_streams; i++) {
        const uint64_t head = head_of(s, known->streams[i].job);
        if (head > known->streams[i].offset)
            sink->lag += head - known->streams[i].offset;
    }
}

static enum st read_sinks(const char *data_dir, struct arena *arena, struct status_snapshot *s,
                          struct err *err)
{
    struct known_sink *known = NULL;
    size_t n = 0;

    enum st st = known_list(data_dir, arena, &known, &n, err);
    for (size_t i = 0; st == ST_OK && i < n && s->n_sinks < STATUS_MAX_SINKS; i++)
        note_sink(s, &known[i]);
    return st;
}

enum st stopped_read(const struct config *config, const char *data_dir,
                     struct status_snapshot *ret_snapshot, struct err *err)
{
    struct status_snapshot *s = ret_snapshot;
    char marker[FILE_MAX_PATH];
    struct arena arena;

    *s = (struct status_snapshot){.disk = {.keep_us = config->tape_keep_us}};
    snprintf(s->version, sizeof(s->version), "%s", GECKOTAPE_VERSION);
    snprintf(s->data_dir, sizeof(s->data_dir), "%.255s", data_dir);
    s->disk.checked_us = clock_wall_us(clock_system());
    enum st st = file_path(marker, err, "%s/SIMULATED", data_dir);
    if (st != ST_OK)
        return st;
    s->is_simulated = access(marker, F_OK) == 0;
    arena_init(&arena, MAX_LIST);
    st = stopped_disk(data_dir, &s->disk.free_bytes, &s->disk.total_bytes, err);
    if (st == ST_OK)
        st = read_jobs(data_dir, &arena, s, err);
    s->disk.day_bytes = tape_growth(s->disk.day_bytes, s->disk.oldest_us, s->disk.checked_us);
    if (st == ST_OK)
        st = read_sinks(data_dir, &arena, s, err);
    arena_release(&arena);
    return st;
}
