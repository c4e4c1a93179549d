/* Retention: whole segments, from the oldest on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/upkeep.h"

#include "base/file.h"
#include "tape/reader.h"
#include "tape/segment.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LIST ((size_t)64 * 1024 * 1024) /* 4 million segments */

struct prune {
    const struct tape_prune_setup *setup;
    const struct segment *segments;
    size_t n;
    struct tape_reader *reader;
    uint64_t needed; /* offsets from here on are what the next poll refers to */
};

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
    struct tape_record r, last = {.offset = 0};
    struct err why;

    for (size_t i = p->n; i > 0 && last.offset == 0; i--) {
        enum st st;
        tape_reader_seek(p->reader, p->segments[i - 1].first);
        while ((st = tape_reader_next(p->reader, UINT64_MAX, &r, &why)) != ST_AGAIN) {
            if (st == ST_FATAL) {
                *err = why;
                return st;
            }
            if (st == ST_OK && r.type == TAPE_END)
                last = r;
        }
        if (why.sys != 0) {
            *err = why;
            return ST_AGAIN;
        }
    }
    p->needed = last.offset;
    enum st st = need_poll(p, last.offset, err);
    if (st == ST_OK && !outcome_bears_rows(last.outcome))
        st = need_poll(p, last.prev_rows_end, err);
    if (st == ST_OK && last.outcome != POLL_OK)
        st = need_poll(p, last.prev_ok_end, err);
    return st;
}

/* ---- segments ---- */

/* When the last record of segment i came. What cannot be read of it was there before the next
 * segment was begun. */
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
        us = f.record.fetched_at_us > us ? f.record.fetched_at_us : us;
        n++;
    }
    if (st == ST_AGAIN && err->sys == 0)
        st = ST_OK;
    if (n < limit - p->segments[i].first) {
        int64_t next_us = segment_start_us(&p->segments[i + 1]);
        us = next_us > us ? next_us : us;
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
        if (newest_us >= p->setup->before_us)
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
    struct buf list = BUF_INIT(MAX_LIST);
    struct prune p = {.setup = setup};

    *ret_pruned = (struct tape_pruned){.n_segments = 0};
    enum st st = segment_list(setup->dir, &list, err);
    if (st == ST_OK && list.len > 0) {
        p.segments = (const struct segment *)list.p;
        p.n = list.len / sizeof(*p.segments);
        ret_pruned->first_kept = p.segments[0].first;
        st = tape_reader_open(setup->dir, &p.reader, err);
        if (st == ST_OK)
            st = find_needed(&p, err);
        if (st == ST_OK)
            st = remove_all(&p, ret_pruned, err);
        tape_reader_close(p.reader);
    }
    buf_release(&list);
    return st;
}
