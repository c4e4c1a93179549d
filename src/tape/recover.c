/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/recover.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "tape/body.h"
#include "tape/reader.h"
#include "tape/seal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* ---- the state ---- */

static void note_page(struct open_poll *poll, const struct tape_record *r)
{
    if (!poll->is_open || poll->slot_us != r->slot_us) {
        uint64_t *pages = poll->pages;
        uint32_t room = poll->pages_room;
        *poll = (struct open_poll){
            .is_open = true,
            .slot_us = r->slot_us,
            .started_us = r->fetched_at_us - r->latency_us,
            .first_offset = r->offset,
            .pages = pages,
            .pages_room = room,
        };
    }
    poll->attempts++;
    poll->bytes += r->body_len;
    if (r->page > poll->pages_room) {
        uint32_t room = r->page < 16 ? 16 : r->page * 2;
        poll->pages = mem_grow(poll->pages, room, sizeof(*poll->pages));
        poll->pages_room = room;
    }
    while (poll->n_pages < r->page)
        poll->pages[poll->n_pages++] = 0;
    if (r->status == 200 && r->is_json)
        poll->pages[r->page - 1] = r->offset;
}

void stream_state_note(struct stream_state *s, const struct tape_record *r)
{
    s->head = r->offset;
    if (r->type == TAPE_PAGE) {
        note_page(&s->poll, r);
        return;
    }
    s->poll.is_open = false;
    s->has_end = true;
    s->last_end = *r;
    s->last_end.stream = &s->id;
    s->last_end.target = s->last_end.headers = s->last_end.error = STR_NONE;
    s->last_end.pages = NULL;
}

void stream_state_release(struct stream_state *s)
{
    mem_free(s->poll.pages);
    s->poll.pages = NULL;
    s->poll.pages_room = s->poll.n_pages = 0;
}

/* Read the state from the newest segments: as many as it takes to find an `end`. */
static enum st read_state(const char *dir, struct segment newest, struct stream_state *s,
                          struct err *err)
{
    struct tape_reader *reader;
    struct tape_record record;
    struct segment from = newest;
    struct err why;

    enum st st = tape_reader_open(dir, &reader, err);
    while (st == ST_OK) {
        s->has_end = s->poll.is_open = false;
        tape_reader_seek(reader, from.first);
        do {
            st = tape_reader_next(reader, UINT64_MAX, &record, &why);
            if (st == ST_OK)
                stream_state_note(s, &record);
        } while (st == ST_OK || st == ST_REJECT); /* a hole is the readers' to report */
        if (st == ST_AGAIN && why.sys == 0)
            st = ST_OK;
        else
            *err = why;
        if (st != ST_OK || s->has_end || from.first <= 1)
            break;
        st = segment_around(dir, (struct segment){from.first - 1, UINT64_MAX}, &from, NULL, err);
        if (st == ST_OK && from.first == 0)
            break;
    }
    tape_reader_close(reader);
    /* the newest segment may be empty: its name says what came before it */
    if (s->head < newest.first - 1)
        s->head = newest.first - 1;
    return st;
}

/* ---- the torn tail ---- */

/* A body that a crash left half on the disk has a valid header. */
static enum st check_last_body(struct cursor *c, const struct found *f, bool *ret_is_whole,
                               struct err *err)
{
    struct arena arena;
    struct unpacker unpacker;
    struct str body;

    unpacker_init(&unpacker);
    arena_init(&arena, (size_t)f->record.body_len + 64 * 1024);
    enum st st = cursor_body(c, f, &unpacker, &arena, &body, err);
    *ret_is_whole = st == ST_OK;
    unpacker_release(&unpacker);
    arena_release(&arena);
    return st == ST_REJECT ? ST_OK : st;
}

/* The end of the last whole record of a segment: what follows is torn. */
static enum st find_tail(struct cursor *c, const uint8_t *uuid, struct scratch *scratch,
                         int64_t *ret_tail, struct err *err)
{
    struct found f, last = {.end = 0};
    struct err why;
    enum st st;

    while ((st = cursor_step(c, uuid, scratch, &f, &why)) == ST_OK)
        last = f;
    if (st != ST_AGAIN || why.sys != 0) {
        *err = why;
        return st;
    }
    *ret_tail = last.end;
    if (last.end == 0 || last.record.type != TAPE_PAGE)
        return ST_OK;
    bool is_whole;
    st = check_last_body(c, &last, &is_whole, err);
    if (st == ST_OK && !is_whole && c->n_unreadable == 0)
        *ret_tail = last.damage_at >= 0 ? last.damage_at : last.at;
    return st;
}

/* Copy bytes from..size of the segment to the file `torn` and sync that. A start that failed or was
 * killed before the cut has left a copy of the same tail: it is replaced. */
static enum st keep_tail(const struct cursor *c, const char *path, int64_t from, const char *torn,
                         struct err *err)
{
    char chunk[16 * 1024];
    enum st st = ST_OK;

    int fd = open(torn, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(err, ST_AGAIN, errno, "%s", torn);
    while (st == ST_OK && from < c->size) {
        size_t n = sizeof(chunk);
        if (c->size - from < (int64_t)n)
            n = (size_t)(c->size - from);
        st = file_read_at(c->fd, chunk, n, from, path, err);
        if (st == ST_OK)
            st = file_write_all(fd, chunk, n, torn, err);
        from += (int64_t)n;
    }
    if (st == ST_OK && fsync(fd) != 0)
        st = err_sys(err, ST_AGAIN, errno, "sync %s", torn);
    close(fd);
    return st == ST_OK ? file_sync_dir(c->dir, err) : st;
}

/* A file of somebody else must not be cut: one that begins with other bytes than a record's, or
 * than the zeros that a power cut may leave. */
static enum st refuse_foreign(const struct cursor *c, const char *path, struct err *err)
{
    static const char zeros[FORMAT_MAGIC_AT + 8];
    char begin[FORMAT_MAGIC_AT + 8];
    uint8_t frame_head[FORMAT_FRAME_HEAD];

    if (c->size < (int64_t)sizeof(begin))
        return ST_OK;
    enum st st = file_read_at(c->fd, begin, sizeof(begin), 0, path, err);
    format_put_frame_head(frame_head, FORMAT_MAGIC_RECORD, 0);
    if (st != ST_OK || memcmp(begin, zeros, sizeof(begin)) == 0 ||
        memcmp(begin, frame_head, sizeof(uint32_t)) == 0 ||
        memcmp(begin + FORMAT_MAGIC_AT, FORMAT_MAGIC, strlen(FORMAT_MAGIC)) == 0)
        return st;
    return err_set(err, ST_REJECT, "%s: is not a segment of a tape; move it away", path);
}

static enum st cut_tail(struct cursor *c, const char *path, int fd, int64_t tail,
                        struct tape_recovery *ret_recovery, struct err *err)
{
    char name[SEGMENT_NAME], torn[FILE_MAX_PATH];
    enum st st = tail == 0 ? refuse_foreign(c, path, err) : ST_OK;

    if (st == ST_OK)
        st = file_path(torn, err, "%s.%lld.torn", path, (long long)tail);
    if (st == ST_OK)
        st = keep_tail(c, path, tail, torn, err);
    if (st == ST_OK && ftruncate(fd, tail) != 0)
        st = err_sys(err, ST_AGAIN, errno, "cut %s", path);
    if (st != ST_OK)
        return st;
    segment_name(&c->segment, name);
    ret_recovery->torn_bytes = (uint64_t)(c->size - tail);
    snprintf(ret_recovery->torn_file, sizeof(ret_recovery->torn_file), "%s.%lld.torn", name,
             (long long)tail);
    return ST_OK;
}

/* Make the newest segment end with a whole, synced record and leave it open at its end; or leave it
 * as it is, when it is sealed, or the disk cannot read all of it: *ret_len is then the end of what
 * was readable. */
static enum st mend_segment(struct cursor *c, const struct stream_state *s, struct scratch *scratch,
                            int *ret_fd, int64_t *ret_len, struct tape_recovery *ret_recovery,
                            struct err *err)
{
    char path[FILE_MAX_PATH], name[SEGMENT_NAME];
    int64_t tail = 0;

    segment_name(&c->segment, name);
    enum st st = file_path(path, err, "%s/%s", c->dir, name);
    if (st == ST_OK)
        st = find_tail(c, s->has_id ? s->id.uuid : NULL, scratch, &tail, err);
    if (st != ST_OK)
        return st;
    *ret_len = tail;
    if (c->n_unreadable > 0) {
        snprintf(ret_recovery->unreadable_file, sizeof(ret_recovery->unreadable_file), "%s", name);
        return ST_OK;
    }
    if (c->is_sealed)
        return ST_OK; /* nothing can be added to it; its successor was never written to */
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, ST_AGAIN, errno, "%s", path);
    if (tail < c->size)
        st = cut_tail(c, path, fd, tail, ret_recovery, err);
    /* after kill -9 the last records may be in the page cache only */
    if (st == ST_OK && fsync(fd) != 0)
        st = err_sys(err, ST_AGAIN, errno, "sync %s", path);
    if (st == ST_OK)
        st = file_sync_dir(c->dir, err);
    if (st != ST_OK) {
        close(fd);
        return st;
    }
    *ret_fd = fd;
    return ST_OK;
}

enum st recover_stream(const char *dir, struct stream_state *ret_state, int *ret_fd,
                       struct segment *ret_segment, int64_t *ret_len,
                       struct tape_recovery *ret_recovery, struct err *err)
{
    struct scratch scratch;
    struct segment newest;
    struct cursor c;
    int fd = -1;

    *ret_fd = -1;
    cursor_init(&c, dir);
    scratch_init(&scratch);
    enum st st = seal_clean(dir, err);
    if (st == ST_OK)
        st = segment_around(dir, SEGMENT_NEWEST, &newest, NULL, err);
    if (st == ST_OK)
        st = segment_identity(dir, &scratch, &ret_state->has_id, &ret_state->id, err);
    if (st == ST_OK && newest.first != 0) {
        st = cursor_open(&c, newest, UINT64_MAX, err);
        if (st == ST_OK)
            st = mend_segment(&c, ret_state, &scratch, &fd, ret_len, ret_recovery, err);
        if (st == ST_OK)
            st = read_state(dir, newest, ret_state, err);
        /* sinks may know records that cannot be read now: no offset is used twice */
        if (st == ST_OK && ret_recovery->unreadable_file[0] != '\0' && *ret_len < c.size)
            ret_state->head += (uint64_t)(c.size - *ret_len) / FORMAT_MIN_RECORD;
    }
    cursor_close(&c);
    scratch_release(&scratch);
    if (st != ST_OK) {
        if (fd >= 0)
            close(fd);
        stream_state_release(ret_state);
        return st == ST_FATAL ? ST_REJECT : st; /* of files that are not ours to write */
    }
    *ret_segment = newest;
    *ret_fd = fd;
    ret_recovery->head = ret_state->head;
    return ST_OK;
}
