/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/verify.h"

#include "base/arena.h"
#include "tape/sealed.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define MAX_POLL_RECORDS (1024u * 1024)
#define TAIL_LOOKS       5  /* at a record that a writer may be writing just now, … */
#define TAIL_WAIT_MS     50 /* … with this between them */

struct walk {
    const struct tape_verify_setup *setup;
    struct tape_summary sum;
    struct cursor cursor;
    struct scratch scratch;
    struct unpacker unpacker;
    struct arena arena;
    uint64_t expected; /* the next offset; 0: that of the first segment's name */

    /* the poll under way */
    uint64_t poll_first; /* 0: none */
    int64_t poll_slot_us;
    struct buf poll_pages; /* the page (uint32_t) of each of its records */
    bool is_cut;           /* the poll's begin was lost */

    /* the last ends; not known before one was seen, or after a hole */
    bool knows_ends;
    uint64_t rows_end, ok_end;
};

static void tell(struct walk *w, int64_t byte, const char *fmt, ...) PRINTF(3, 4);

static void tell(struct walk *w, int64_t byte, const char *fmt, ...)
{
    char text[ERR_MSG_SIZE], name[SEGMENT_NAME];
    va_list ap;

    w->sum.n_problems++;
    if (w->setup->problem == NULL)
        return;
    segment_name(&w->cursor.segment, name);
    int n = snprintf(text, sizeof(text), "%s: byte %lld: ", name, (long long)byte);
    va_start(ap, fmt);
    vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
    va_end(ap);
    w->setup->problem(w->setup->context, text);
}

#define LLU(x) ((unsigned long long)(x))

static void check_order(struct walk *w, const struct found *f)
{
    if (f->damage_at >= 0 && f->damage_at < f->at)
        tell(w, f->damage_at, "%lld bytes that are no record", (long long)(f->at - f->damage_at));
    if (w->expected != 0 && f->record.offset > w->expected) {
        tell(w, f->at, "offsets %llu to %llu are missing", LLU(w->expected),
             LLU(f->record.offset - 1));
        w->poll_first = 0;
        w->is_cut = true;
        w->knows_ends = false;
    }
    w->expected = f->record.offset + 1;
}

static enum st check_body(struct walk *w, const struct found *f, struct err *err)
{
    struct str body;

    arena_reset(&w->arena);
    enum st st = cursor_body(&w->cursor, f, &w->unpacker, &w->arena, &body, err);
    if (st == ST_REJECT)
        tell(w, f->body_at, "the body of offset %llu: %s", LLU(f->record.offset), err->msg);
    return st == ST_REJECT ? ST_OK : st;
}

static void check_page(struct walk *w, const struct found *f)
{
    const struct tape_record *r = &f->record;

    if (w->is_cut)
        return;
    if (w->poll_first == 0) {
        w->poll_first = r->offset;
        w->poll_slot_us = r->slot_us;
        buf_clear(&w->poll_pages);
    } else if (r->slot_us != w->poll_slot_us) {
        tell(w, f->at, "offset %llu is of another poll than those before it", LLU(r->offset));
    }
    buf_add(&w->poll_pages, &r->page, sizeof(r->page));
}

/* The page of an offset of the poll under way; 0: it is none of its pages. */
static uint32_t page_of(const struct walk *w, uint64_t offset)
{
    uint32_t page;

    if (w->poll_first == 0 || offset < w->poll_first ||
        offset - w->poll_first >= w->poll_pages.len / sizeof(page))
        return 0;
    memcpy(&page, w->poll_pages.p + (offset - w->poll_first) * sizeof(page), sizeof(page));
    return page;
}

static void check_end(struct walk *w, const struct found *f)
{
    const struct tape_record *r = &f->record;
    uint64_t first = w->poll_first ? w->poll_first : r->offset;
    bool had_poll = w->poll_first != 0;

    if (!w->is_cut) {
        if (r->first_offset != first || (had_poll && r->slot_us != w->poll_slot_us))
            tell(w, f->at, "the end at offset %llu is not that of the pages before it",
                 LLU(r->offset));
        for (uint32_t i = 0; i < r->n_pages && !w->poll_pages.is_overflow; i++)
            if (r->pages[i] != 0 && page_of(w, r->pages[i]) != i + 1)
                tell(w, f->at, "the end at offset %llu: page %u is not at offset %llu",
                     LLU(r->offset), i + 1, LLU(r->pages[i]));
    }
    if (w->knows_ends && (r->prev_rows_end != w->rows_end || r->prev_ok_end != w->ok_end))
        tell(w, f->at, "the end at offset %llu names other polls before it", LLU(r->offset));
    w->rows_end = outcome_bears_rows(r->outcome) ? r->offset : r->prev_rows_end;
    w->ok_end = r->outcome == POLL_OK ? r->offset : r->prev_ok_end;
    w->knows_ends = true;
    w->poll_first = 0;
    w->is_cut = false;
    w->sum.n_polls++;
}

static enum st check_record(struct walk *w, const struct found *f, struct err *err)
{
    const struct tape_record *r = &f->record;
    struct tape_summary *s = &w->sum;

    /* what is left of an older tape may begin within a poll */
    if (s->n_records == 0 && r->offset > 1)
        w->is_cut = true;
    check_order(w, f);
    s->first_offset = s->n_records == 0 ? r->offset : s->first_offset;
    s->first_us = s->n_records == 0 ? r->fetched_at_us : s->first_us;
    s->last_offset = r->offset;
    s->last_us = r->fetched_at_us;
    s->body_bytes += r->body_len;
    s->n_records++;
    if (r->type == TAPE_END) {
        check_end(w, f);
        return ST_OK;
    }
    check_page(w, f);
    return w->setup->has_bodies ? check_body(w, f, err) : ST_OK;
}

/* True when the bytes at the end may be a record that is being written at this moment. */
static bool is_growing(const struct cursor *c)
{
    struct stat s;

    return c->limit == UINT64_MAX && c->at < c->size && fstat(c->fd, &s) == 0 &&
           time(NULL) - s.st_mtim.tv_sec <= 1;
}

/* At the end of what the cursor can read: may there be more of this segment? A writer may be
 * writing it, or may have added to it before it began the next. */
static enum st look_again(struct cursor *c, int *looks, bool *ret_is_over, struct err *err)
{
    const struct timespec wait = {.tv_nsec = TAIL_WAIT_MS * 1000000L};
    struct segment after;

    *ret_is_over = true;
    if (c->limit != UINT64_MAX)
        return ST_OK;
    enum st st = segment_around(c->dir, c->segment, NULL, &after, err);
    if (st != ST_OK)
        return st;
    if (after.first != 0) {
        cursor_limit(c, after.first);
        *ret_is_over = false;
    } else if (is_growing(c) && (*looks)++ < TAIL_LOOKS) {
        nanosleep(&wait, NULL);
        *ret_is_over = false;
    }
    return ST_OK;
}

static void tell_seal(void *context, int64_t byte, const char *what)
{
    tell(context, byte, "%s", what);
}

static enum st check_seal(struct walk *w, const uint8_t *uuid, struct err *err)
{
    const struct sealed_check check = {
        .uuid = uuid, .has_frames = w->setup->has_bodies, .tell = tell_seal, .context = w};

    w->sum.n_sealed++;
    return sealed_check(&w->cursor, &check, err);
}

static enum st walk_segment(struct walk *w, const uint8_t *uuid, struct err *err)
{
    struct cursor *c = &w->cursor;
    bool is_over = false;
    struct found f;
    int looks = 0;

    if (w->expected == 0)
        w->expected = c->segment.first;
    while (!is_over) {
        enum st st = cursor_step(c, uuid, &w->scratch, &f, err);
        if (st == ST_OK) {
            st = check_record(w, &f, err);
        } else if (st == ST_AGAIN && err->sys == 0) {
            st = look_again(c, &looks, &is_over, err);
        } else if (st == ST_FATAL) {
            tell(w, c->at, "%s", err->msg);
            st = ST_OK;
            is_over = true;
        }
        if (st != ST_OK)
            return st;
    }
    if (c->at < c->size && c->n_unreadable > 0)
        tell(w, c->at, "%lld bytes that are no whole record or cannot be read",
             (long long)(c->size - c->at));
    else if (c->limit == UINT64_MAX && c->at < c->size)
        tell(w, c->at, "%lld bytes that are no whole record; the writer's next start cuts them off",
             (long long)(c->size - c->at));
    w->sum.n_segments++;
    w->sum.file_bytes += (uint64_t)c->file_size;
    return c->is_sealed && uuid != NULL ? check_seal(w, uuid, err) : ST_OK;
}

static enum st walk_stream(struct walk *w, struct err *err)
{
    struct segment segment = SEGMENT_NONE, after;
    struct stream_id id;
    bool has_id;

    enum st st = segment_identity(w->setup->dir, &w->scratch, &has_id, &id, err);
    if (st == ST_FATAL || (st == ST_AGAIN && err->sys == EIO)) {
        has_id = false;
        st = ST_OK; /* told when its segment is walked */
    }
    while (st == ST_OK) {
        st = segment_around(w->setup->dir, segment, NULL, &segment, err);
        if (st != ST_OK || segment.first == 0)
            break;
        st = segment_around(w->setup->dir, segment, NULL, &after, err);
        if (st == ST_OK)
            st = cursor_open(&w->cursor, segment, after.first ? after.first : UINT64_MAX, err);
        if (st == ST_OK)
            st = walk_segment(w, has_id ? id.uuid : NULL, err);
        else if (st == ST_REJECT)
            st = ST_OK; /* removed a moment ago */
    }
    return st;
}

enum st tape_verify(const struct tape_verify_setup *setup, struct tape_summary *ret_summary,
                    struct err *err)
{
    struct walk w = {.setup = setup};
    struct err why;

    unpacker_init(&w.unpacker);
    cursor_init(&w.cursor, setup->dir);
    scratch_init(&w.scratch);
    buf_init(&w.poll_pages, MAX_POLL_RECORDS * sizeof(uint32_t));
    arena_init(&w.arena, TAPE_MAX_BODY + 1024 * 1024);
    enum st st = walk_stream(&w, &why);
    cursor_close(&w.cursor);
    scratch_release(&w.scratch);
    unpacker_release(&w.unpacker);
    buf_release(&w.poll_pages);
    arena_release(&w.arena);
    if (st != ST_OK) {
        *err = why;
        return st;
    }
    *ret_summary = w.sum;
    return ST_OK;
}
