/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/writer.h"

#include "base/file.h"
#include "base/mem.h"
#include "tape/body.h"
#include "tape/format.h"
#include "tape/head.h"
#include "tape/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#define KEEP_OUT ((size_t)8 * 1024 * 1024) /* a larger buffer is given back after use */

struct tape_writer {
    struct tape_writer_setup setup;
    char dir[FILE_MAX_PATH];
    struct stream_state state;
    struct tape_head head;
    uint64_t bytes; /* written since open */

    int fd; /* of the segment; -1: the next append begins one */
    struct segment segment;
    int64_t synced_len;
    int64_t span_from_us; /* the span of time that the segment is for */

    struct buf out; /* one record */
    ZSTD_CCtx *zstd;
};

/* ---- segments ---- */

static enum st segment_path(const struct tape_writer *w, char ret_path[FILE_MAX_PATH],
                            struct err *err)
{
    char name[SEGMENT_NAME];

    segment_name(&w->segment, name);
    return file_path(ret_path, err, "%s/%s", w->dir, name);
}

static void close_segment(struct tape_writer *w)
{
    if (w->fd >= 0)
        close(w->fd); /* everything in it is synced */
    w->fd = -1;
}

/* After a failed write or sync nobody knows what is on the disk behind synced_len, nor would a
 * second sync tell: never write to this file again. Cutting it is a courtesy to zstdcat; readers
 * ignore what is there as soon as the next segment exists. */
static void abandon_segment(struct tape_writer *w)
{
    char path[FILE_MAX_PATH];
    struct err err;

    if (ftruncate(w->fd, w->synced_len) == 0)
        fdatasync(w->fd);
    close_segment(w);
    if (w->synced_len == 0 && segment_path(w, path, &err) == ST_OK && unlink(path) == 0)
        err_ignore(file_sync_dir(w->dir, &err));
}

static int64_t span_of(const struct tape_writer *w, int64_t us)
{
    return time_floor(us, w->setup.segment_span_us);
}

/* The name must sort behind every other, also when an abandoned segment could not be removed and
 * the clock was set back. */
static enum st choose_segment(struct tape_writer *w, struct err *err)
{
    struct segment last;
    uint64_t first = w->state.head + 1;
    int64_t now = clock_wall_us(w->setup.clock);

    enum st st = segment_around(w->dir, SEGMENT_NEWEST, &last, NULL, err);
    if (st != ST_OK)
        return st;
    w->span_from_us = span_of(w, now);
    w->segment = segment_make(first, now);
    if (last.first == first && last.start >= w->segment.start)
        w->segment = segment_make(first, segment_start_us(&last) + US_PER_S);
    if (segment_cmp(&last, &w->segment) >= 0)
        return err_set(err, ST_AGAIN,
                       "%s: a segment for offset %llu is there already, beyond the head; move it "
                       "away",
                       w->dir, (unsigned long long)last.first);
    return ST_OK;
}

static enum st begin_segment(struct tape_writer *w, struct err *err)
{
    char path[FILE_MAX_PATH];

    enum st st = choose_segment(w, err);
    if (st == ST_OK)
        st = segment_path(w, path, err);
    if (st != ST_OK)
        return st == ST_FATAL ? ST_AGAIN : st;
    w->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    if (w->fd < 0)
        return err_sys(err, ST_AGAIN, errno, "%s", path);
    w->synced_len = 0;
    st = file_sync_dir(w->dir, err);
    if (st != ST_OK) {
        abandon_segment(w);
        return ST_AGAIN;
    }
    return ST_OK;
}

/* Polls are kept together: time closes a segment between two of them only. */
static bool is_segment_due(const struct tape_writer *w)
{
    if (w->synced_len == 0)
        return false;
    return (uint64_t)w->synced_len >= w->setup.segment_max_bytes ||
           (!w->state.poll.is_open && span_of(w, clock_wall_us(w->setup.clock)) != w->span_from_us);
}

/* ---- records ---- */

/* Put the record's bytes together in w->out; sets r->hash. */
static enum st encode(struct tape_writer *w, struct tape_record *r, struct str body,
                      struct err *err)
{
    static const uint8_t room[FORMAT_ENVELOPE];
    struct envelope e = {.version = FORMAT_OPEN};

    buf_clear(&w->out);
    buf_add(&w->out, room, sizeof(room));
    if (r->type == TAPE_PAGE)
        body_hash(body, r->body_hash);
    enum st st = format_put_header(&w->out, r, err);
    if (st != ST_OK)
        return st;
    e.header_len = (uint32_t)(w->out.len - FORMAT_ENVELOPE);
    e.hash = r->hash = format_hash(w->out.p + FORMAT_ENVELOPE, e.header_len);
    if (r->type == TAPE_PAGE)
        st = body_put(&w->out, w->zstd, r->is_json, body, err);
    if (st != ST_OK)
        return st;
    e.body_frame_len = (uint32_t)(w->out.len - FORMAT_ENVELOPE - e.header_len);
    format_put_envelope((uint8_t *)w->out.p, &e);
    return ST_OK;
}

static enum st write_and_sync(struct tape_writer *w, struct err *err)
{
    enum st st = w->fd < 0 ? begin_segment(w, err) : ST_OK;
    if (st != ST_OK)
        return st;
    st = file_write_all(w->fd, w->out.p, w->out.len, w->dir, err);
    if (st == ST_OK && fdatasync(w->fd) != 0)
        st = err_sys(err, ST_AGAIN, errno, "sync %s", w->dir);
    if (st != ST_OK) {
        abandon_segment(w);
        return st;
    }
    w->synced_len += (int64_t)w->out.len;
    w->bytes += w->out.len;
    return ST_OK;
}

static enum st append(struct tape_writer *w, struct tape_record *r, struct str body,
                      struct err *err)
{
    r->stream = &w->state.id;
    r->offset = w->state.head + 1;
    enum st st = encode(w, r, body, err);
    if (st == ST_OK) {
        if (w->fd >= 0 && is_segment_due(w))
            close_segment(w);
        st = write_and_sync(w, err);
    }
    if (w->out.cap > KEEP_OUT)
        buf_release(&w->out);
    if (st != ST_OK)
        return st;
    stream_state_note(&w->state, r);
    tape_head_set(&w->head, r->offset, r->type == TAPE_END);
    return ST_OK;
}

static enum st append_end(struct tape_writer *w, struct tape_record *r, struct err *err)
{
    const struct stream_state *s = &w->state;

    r->type = TAPE_END;
    r->first_offset = s->poll.is_open ? s->poll.first_offset : s->head + 1;
    if (s->has_end) {
        bool had_rows = outcome_bears_rows(s->last_end.outcome);
        bool was_ok = s->last_end.outcome == POLL_OK;
        r->prev_rows_end = had_rows ? s->last_end.offset : s->last_end.prev_rows_end;
        r->prev_ok_end = was_ok ? s->last_end.offset : s->last_end.prev_ok_end;
    }
    return append(w, r, STR_NONE, err);
}

/* The `end` of a poll whose collector is gone: what its pages tell, and the credits of the poll
 * before plus its own requests. */
static enum st abort_poll(struct tape_writer *w, struct err *err)
{
    const struct open_poll *poll = &w->state.poll;
    const struct tape_record *before = &w->state.last_end;
    struct tape_record end = {
        .slot_us = poll->slot_us,
        .fetched_at_us = clock_wall_us(w->setup.clock),
        .outcome = POLL_ABORTED,
        .started_us = poll->started_us,
        .pages = poll->pages,
        .n_pages = poll->n_pages,
        .attempts = poll->attempts,
        .bytes = poll->bytes,
        .credits_key = before->credits_key,
        .credits_from_us = before->credits_from_us,
        .credits_spent = before->credits_spent + poll->attempts,
        .error = STR("the collector stopped"),
    };

    return append_end(w, &end, err);
}

static enum st abort_other_poll(struct tape_writer *w, int64_t slot_us, struct err *err)
{
    if (w->state.poll.is_open && w->state.poll.slot_us != slot_us)
        return abort_poll(w, err);
    return ST_OK;
}

enum st tape_append_page(struct tape_writer *w, const struct tape_record *page, struct str body,
                         uint64_t *ret_offset, struct err *err)
{
    struct tape_record r = {
        .type = TAPE_PAGE,
        .is_json = page->is_json,
        .is_masked = page->is_masked,
        .slot_us = page->slot_us,
        .page = page->page,
        .attempt = page->attempt,
        .fetched_at_us = page->fetched_at_us,
        .status = page->status,
        .latency_us = page->latency_us,
        .body_len = body.len,
        .target = page->target,
        .headers = page->headers,
    };

    if (body.len > TAPE_MAX_BODY || r.page < 1 || r.page > TAPE_MAX_PAGES)
        return err_set(err, ST_REJECT,
                       "page %u of %zu bytes: a tape holds pages 1 to %d of %u bytes", r.page,
                       body.len, TAPE_MAX_PAGES, TAPE_MAX_BODY);
    enum st st = abort_other_poll(w, r.slot_us, err);
    if (st == ST_OK)
        st = append(w, &r, body, err);
    if (st == ST_OK)
        *ret_offset = r.offset;
    return st;
}

enum st tape_append_end(struct tape_writer *w, const struct tape_record *end, uint64_t *ret_offset,
                        struct err *err)
{
    struct tape_record r = {
        .slot_us = end->slot_us,
        .fetched_at_us = end->fetched_at_us,
        .outcome = end->outcome,
        .started_us = end->started_us,
        .next_due_us = end->next_due_us,
        .n_skipped = end->n_skipped,
        .pages = end->pages,
        .n_pages = end->n_pages,
        .attempts = end->attempts,
        .bytes = end->bytes,
        .credits_key = end->credits_key,
        .credits_from_us = end->credits_from_us,
        .credits_spent = end->credits_spent,
        .error = end->error,
    };

    enum st st = abort_other_poll(w, r.slot_us, err);
    if (st == ST_OK)
        st = append_end(w, &r, err);
    if (st == ST_OK)
        *ret_offset = r.offset;
    return st;
}

/* ---- open and close ---- */

static bool is_same_stream(const struct stream_id *a, const struct stream_id *b)
{
    return strcmp(a->job, b->job) == 0 && strcmp(a->endpoint, b->endpoint) == 0 &&
           strcmp(a->vs_currency, b->vs_currency) == 0 && strcmp(a->selection, b->selection) == 0;
}

static enum st identify(struct tape_writer *w, struct err *err)
{
    const struct stream_id *want = &w->setup.id;
    struct stream_id *id = &w->state.id;

    bool is_any = want->endpoint[0] == '\0';

    if (is_any && !w->state.has_id)
        return err_sys(err, ST_REJECT, ENOENT, "job %s: no record on its tape", want->job);
    if (is_any && strcmp(want->job, id->job) != 0)
        return err_set(err, ST_REJECT, "job %s: its tape is that of job %s; move it away",
                       want->job, id->job);
    if (!is_any && w->state.has_id && !is_same_stream(id, want))
        return err_set(err, ST_REJECT,
                       "job %s: its tape is job %s, %s %s %.120s, and cannot become %s %s %.120s; "
                       "give the job another name",
                       want->job, id->job, id->endpoint, id->vs_currency, id->selection,
                       want->endpoint, want->vs_currency, want->selection);
    if (w->state.has_id)
        return ST_OK;
    *id = *want;
    if (getrandom(id->uuid, sizeof(id->uuid), 0) != sizeof(id->uuid))
        return err_sys(err, ST_AGAIN, errno, "random bytes for the stream of job %s", want->job);
    return ST_OK;
}

static enum st open_stream(struct tape_writer *w, struct tape_recovery *ret_recovery,
                           struct err *err)
{
    const char *data_dir = tape_data_dir(w->setup.tape);

    enum st st = tape_stream_dir(data_dir, w->setup.id.job, w->dir, err);
    if (st == ST_OK)
        st = file_mkdirs(w->dir, err);
    if (st == ST_OK)
        st = recover_stream(w->dir, &w->state, &w->fd, &w->segment, &w->synced_len, ret_recovery,
                            err);
    if (st == ST_OK)
        st = identify(w, err);
    /* at once: its name is what keeps the offsets before it from being used again */
    if (st == ST_OK && ret_recovery->unreadable_file[0] != '\0')
        st = begin_segment(w, err);
    if (st != ST_OK)
        return st;
    tape_head_init(&w->head, tape_bell(w->setup.tape), w->state.head, w->state.last_end.offset);
    if (w->fd >= 0)
        w->span_from_us = span_of(w, segment_start_us(&w->segment));
    w->zstd = body_compressor();
    return ST_OK;
}

enum st tape_writer_open(const struct tape_writer_setup *setup, struct tape_writer **ret_writer,
                         struct tape_recovery *ret_recovery, struct err *err)
{
    struct tape_writer *w = mem_new(1, sizeof(*w));

    w->setup = *setup;
    w->fd = -1;
    buf_init(&w->out, FORMAT_ENVELOPE + FORMAT_MAX_HEADER + body_frame_max(TAPE_MAX_BODY));
    *ret_recovery = (struct tape_recovery){.head = 0};
    enum st st = open_stream(w, ret_recovery, err);
    if (st != ST_OK) {
        close_segment(w);
        stream_state_release(&w->state);
        mem_free(w);
        return st;
    }
    if (w->state.poll.is_open) {
        st = abort_poll(w, err);
        ret_recovery->is_poll_aborted = true;
        ret_recovery->head = w->state.head;
    }
    if (st != ST_OK) {
        tape_writer_close(w);
        return st;
    }
    *ret_writer = w;
    return ST_OK;
}

void tape_writer_close(struct tape_writer *w)
{
    if (w == NULL)
        return;
    close_segment(w);
    tape_head_release(&w->head);
    stream_state_release(&w->state);
    buf_release(&w->out);
    ZSTD_freeCCtx(w->zstd);
    mem_free(w);
}

const struct stream_id *tape_writer_stream(const struct tape_writer *w)
{
    return &w->state.id;
}

const char *tape_writer_dir(const struct tape_writer *w)
{
    return w->dir;
}

bool tape_writer_last_end(const struct tape_writer *w, struct tape_record *ret_end)
{
    if (w->state.has_end)
        *ret_end = w->state.last_end;
    return w->state.has_end;
}

uint64_t tape_writer_bytes(const struct tape_writer *w)
{
    return w->bytes;
}

struct tape_head *tape_writer_head(struct tape_writer *w)
{
    return &w->head;
}
