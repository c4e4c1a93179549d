/* Retention: whole segments, from the oldest on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/upkeep.h"

#include "base/file.h"
#include "tape/reader.h"
#include "tape/segment.h"
#include "tape/tape.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LIST ((size_t)64 * 1024 * 1024) /* 4 million segments */
#define MAX_JOBS ((size_t)64 * 1024 * 1024)

struct prune {
    const struct tape_prune_setup *setup;
    struct buf list; /* of the segments */
    const struct segment *segments;
    size_t n;
    struct tape_reader *reader;
    uint64_t needed; /* offsets from here on are what the next poll refers to */
};

static enum st open_stream(struct prune *p, const char *dir, struct err *err)
{
    p->list = (struct buf)BUF_INIT(MAX_LIST);
    enum st st = segment_list(dir, &p->list, err);
    if (st != ST_OK)
        return st;
    p->segments = (const struct segment *)p->list.p;
    p->n = p->list.len / sizeof(*p->segments);
    return tape_reader_open(dir, &p->reader, err);
}

static void close_stream(struct prune *p)
{
    tape_reader_close(p->reader);
    buf_release(&p->list);
}

/* The last `end` of the stream, offset 0 when there is none, and whether it is an import. What the
 * record points to is not to be used. */
static enum st find_last_end(const struct prune *p, struct tape_record *ret_last,
                             bool *ret_is_import, struct err *err)
{
    struct err why = ERR_INIT;
    struct tape_record r;

    *ret_last = (struct tape_record){.offset = 0};
    *ret_is_import = false;
    for (size_t i = p->n; i > 0 && ret_last->offset == 0; i--) {
        enum st st;
        tape_reader_seek(p->reader, p->segments[i - 1].first);
        while ((st = tape_reader_next(p->reader, UINT64_MAX, &r, &why)) != ST_AGAIN) {
            if (st == ST_FATAL) {
                *err = why;
                return st;
            }
            if (st == ST_OK && r.type == TAPE_END) {
                *ret_last = r;
                *ret_is_import = stream_is_history(r.stream);
            }
        }
        if (why.sys != 0) {
            *err = why;
            return ST_AGAIN;
        }
    }
    return ST_OK;
}

/* ---- what old counts from ---- */

/* When the last poll with rows was written; 0: none was. */
static enum st newest_rows(const char *dir, int64_t *ret_us, bool *ret_is_import, struct err *err)
{
    struct prune p = {.n = 0};
    struct tape_record last, r;
    struct err why = ERR_INIT;

    *ret_us = 0;
    enum st st = open_stream(&p, dir, err);
    if (st == ST_OK)
        st = find_last_end(&p, &last, ret_is_import, err);
    if (st == ST_OK && last.offset > 0 && outcome_bears_rows(last.outcome))
        *ret_us = last.fetched_at_us;
    else if (st == ST_OK && last.prev_rows_end > 0 &&
             tape_reader_get(p.reader, last.prev_rows_end, &r, &why) == ST_OK && r.type == TAPE_END)
        *ret_us = r.fetched_at_us;
    close_stream(&p);
    return st;
}

enum st tape_reference(const char *data_dir, int64_t now_us, int64_t *ret_us, struct err *err)
{
    bool are_imports = true;
    int64_t newest_us = 0;
    struct arena arena;
    const char **jobs;
    size_t n = 0;

    arena_init(&arena, MAX_JOBS);
    enum st st = tape_jobs(data_dir, &arena, &jobs, &n, err);
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        struct err why = ERR_INIT;
        char dir[FILE_MAX_PATH];
        bool is_import = false;
        int64_t us = 0;
        st = tape_stream_dir(data_dir, jobs[i], dir, err);
        if (st != ST_OK || (newest_rows(dir, &us, &is_import, &why) == ST_OK && is_import))
            continue;
        are_imports = false;
        newest_us = us > newest_us ? us : newest_us;
    }
    arena_release(&arena);
    if (st == ST_OK)
        *ret_us = are_imports || newest_us > now_us ? now_us : newest_us;
    return st;
}

/* ---- what must stay in any case ---- */

/* What the disk cannot read now may be there tomorrow; what is damaged or gone is not. */
static enum st need_poll(struct prune *p, uint64_t end_offset, struct err *err)
{
    struct err why = ERR_INIT;
    struct tape_record r;

    if (end_offset == 0)
        return ST_OK;
    enum st st = tape_reader_get(p->reader, end_offset, &r, &why);
    if (st != ST_OK && why.sys != 0 && why.sys != ENOENT) {
        *err = why;
        return ST_AGAIN;
    }
    if (st == ST_OK && r.type == TAPE_END && r.first_offset < p->needed)
        p->needed = r.first_offset;
    return ST_OK;
}

/* The last `end` of the stream: its credits count, and the next poll is compared with it or those
 * that it names. Without any, nothing may go. */
static enum st find_needed(struct prune *p, struct err *err)
{
    struct tape_record last;
    bool is_import;

    enum st st = find_last_end(p, &last, &is_import, err);
    if (st != ST_OK)
        return st;
    p->needed = last.offset;
    st = need_poll(p, last.offset, err);
    if (st == ST_OK && !outcome_bears_rows(last.outcome))
        st = need_poll(p, last.prev_rows_end, err);
    if (st == ST_OK && last.outcome != POLL_OK)
        st = need_poll(p, last.prev_ok_end, err);
    return st;
}

/* ---- segments ---- */

/* When segment i was closed at the latest: when one behind it was begun, by a time that can be
 * believed. */
static int64_t closed_us(const struct prune *p, size_t i)
{
    int64_t start_us = INT64_MAX;

    for (size_t k = i + 1; k < p->n && start_us > p->setup->reference_us; k++)
        start_us = segment_start_us(&p->segments[k]);
    return start_us;
}

/* When the last record of segment i came. What cannot be read or believed of it was there before
 * the segment was closed. */
static enum st newest_record(const struct prune *p, size_t i, int64_t *ret_us, struct err *err)
{
    uint64_t limit = p->segments[i + 1].first, n = 0;
    struct scratch scratch;
    struct cursor c;
    struct found f;
    int64_t us = INT64_MIN;

    cursor_init(&c, p->setup->dir);
    scratch_init(&scratch);
    enum st st = cursor_open(&c, p->segments[i], limit, err);
    while (st == ST_OK) {
        st = cursor_step(&c, NULL, &scratch, &f, err);
        if (st != ST_OK)
            break;
        if (f.record.fetched_at_us > p->setup->reference_us)
            continue;
        us = f.record.fetched_at_us > us ? f.record.fetched_at_us : us;
        n++;
    }
    if (st == ST_AGAIN && err->sys == 0)
        st = ST_OK;
    if (n < limit - p->segments[i].first) {
        int64_t until_us = closed_us(p, i);
        us = until_us > us ? until_us : us;
    }
    cursor_close(&c);
    scratch_release(&scratch);
    *ret_us = us;
    return st;
}

static enum st remove_segment(const struct prune *p, size_t i, struct tape_pruned *ret,
                              struct err *err)
{
    char name[SEGMENT_NAME], path[FILE_MAX_PATH];
    struct stat s;

    segment_name(&p->segments[i], name);
    enum st st = file_path(path, err, "%s/%s", p->setup->dir, name);
    if (st != ST_OK)
        return st;
    if (stat(path, &s) != 0)
        return err_sys(err, ST_AGAIN, errno, "%s", path);
    if (!p->setup->is_dry_run && unlink(path) != 0)
        return err_sys(err, ST_AGAIN, errno, "remove %s", path);
    ret->n_segments++;
    ret->bytes += (uint64_t)s.st_size;
    /* one by one: a power cut leaves no hole */
    return p->setup->is_dry_run ? ST_OK : file_sync_dir(p->setup->dir, err);
}

static enum st remove_all(struct prune *p, struct tape_pruned *ret, struct err *err)
{
    for (size_t i = 0; i + 1 < p->n; i++) {
        uint64_t limit = p->segments[i + 1].first;
        int64_t newest_us;
        if (limit > p->needed)
            break;
        enum st st = newest_record(p, i, &newest_us, err);
        if (st != ST_OK)
            return st;
        if (newest_us >= p->setup->reference_us - p->setup->keep_us)
            break;
        if (limit > p->setup->below) {
            ret->is_held_by_sinks = true;
            break;
        }
        st = remove_segment(p, i, ret, err);
        if (st != ST_OK)
            return st;
        ret->first_kept = limit;
    }
    return ST_OK;
}

enum st tape_prune(const struct tape_prune_setup *setup, struct tape_pruned *ret_pruned,
                   struct err *err)
{
    struct prune p = {.setup = setup};

    *ret_pruned = (struct tape_pruned){.n_segments = 0};
    enum st st = open_stream(&p, setup->dir, err);
    if (st == ST_OK && p.n > 0) {
        ret_pruned->first_kept = p.segments[0].first;
        st = find_needed(&p, err);
        if (st == ST_OK)
            st = remove_all(&p, ret_pruned, err);
    }
    close_stream(&p);
    return st;
}
