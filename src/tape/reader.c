/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/reader.h"

#include "base/file.h"
#include "base/mem.h"
#include "tape/body.h"
#include "tape/segment.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEEP_FRAME  ((size_t)1024 * 1024) /* a larger buffer is given back after use */
#define DAMAGE_TEXT (SEGMENT_NAME + 100)

struct tape_reader {
    char dir[FILE_MAX_PATH];
    bool has_id;
    struct stream_id id;
    struct scratch scratch;

    struct cursor seq;      /* of tape_reader_next() */
    uint64_t next;          /* the offset it returns next */
    bool is_sought;         /* next need not exist: begin at the oldest record after it */
    struct segment synced;  /* the newest segment, and … */
    int64_t synced_size;    /* … how much of it is known to be synced */
    char left[DAMAGE_TEXT]; /* damage at the end of the segment before; "": none */

    struct cursor random;    /* of tape_reader_get() */
    struct found random_hit; /* what it returned last */

    struct cursor *last; /* the cursor that returned the last record, and it */
    struct found last_hit;

    struct unpacker unpacker;
};

enum st tape_reader_open(const char *dir, struct tape_reader **ret_reader, struct err *err)
{
    char path[FILE_MAX_PATH];

    enum st st = file_path(path, err, "%s", dir);
    if (st != ST_OK)
        return st;
    struct tape_reader *r = mem_new(1, sizeof(*r));
    memcpy(r->dir, path, sizeof(path));
    cursor_init(&r->seq, r->dir);
    cursor_init(&r->random, r->dir);
    scratch_init(&r->scratch);
    unpacker_init(&r->unpacker);
    tape_reader_seek(r, 1);
    *ret_reader = r;
    return ST_OK;
}

void tape_reader_close(struct tape_reader *r)
{
    if (r == NULL)
        return;
    cursor_close(&r->seq);
    cursor_close(&r->random);
    scratch_release(&r->scratch);
    unpacker_release(&r->unpacker);
    mem_free(r);
}

void tape_reader_seek(struct tape_reader *r, uint64_t offset)
{
    if (offset < r->seq.segment.first || offset <= r->seq.last_offset || offset >= r->seq.limit)
        cursor_close(&r->seq);
    r->next = offset > 0 ? offset : 1;
    r->is_sought = true;
    r->last = NULL;
}

/* Learn whose stream this is; ST_AGAIN while there is no record. */
static enum st identify(struct tape_reader *r, struct err *err)
{
    struct segment oldest;

    if (r->has_id)
        return ST_OK;
    enum st st = segment_identity(r->dir, &r->scratch, &r->has_id, &r->id, err);
    if (st == ST_OK && !r->has_id)
        st = segment_around(r->dir, SEGMENT_NONE, NULL, &oldest, err);
    if (st == ST_OK && !r->has_id)
        return err_set(err, ST_AGAIN, "%s: %s", r->dir,
                       oldest.first ? "no whole record yet" : "no tape yet");
    return st;
}

/* Open the segment that holds `offset`, or the first after it. ST_AGAIN when there is none. */
static enum st open_at(struct tape_reader *r, struct cursor *c, uint64_t offset, struct err *err)
{
    struct segment upto, after;
    enum st st = ST_REJECT;

    /* a segment may be removed between the look and the open: look again */
    for (int tries = 0; st == ST_REJECT && tries < 10; tries++) {
        st = segment_around(r->dir, SEGMENT_OF(offset), &upto, &after, err);
        if (st != ST_OK)
            return st;
        if (upto.first == 0) {
            upto = after;
            if (upto.first == 0)
                return err_set(err, ST_AGAIN, "%s: no tape", r->dir);
            st = segment_around(r->dir, SEGMENT_OF(upto.first), &upto, &after, err);
            if (st != ST_OK)
                return st;
        }
        st = cursor_open(c, upto, after.first ? after.first : UINT64_MAX, err);
    }
    if (st == ST_OK)
        cursor_seek(c, offset);
    return st == ST_REJECT ? ST_AGAIN : st;
}

static void describe_damage(const struct cursor *c, int64_t from, int64_t to,
                            char ret_text[DAMAGE_TEXT])
{
    char name[SEGMENT_NAME];

    segment_name(&c->segment, name);
    snprintf(ret_text, DAMAGE_TEXT, "%s: bytes %lld to %lld are damaged%s", name, (long long)from,
             (long long)to - 1, c->n_unreadable > 0 ? " or cannot be read" : "");
}

/* At the end of c's segment: make c ready to go on, in the next one or in this one, of which more
 * may be readable now; or close it, to be opened anew. ST_AGAIN at the end of the stream. */
static enum st go_on(struct tape_reader *r, struct cursor *c, struct err *err)
{
    struct segment next, after;
    struct stat s;

    enum st st = segment_around(r->dir, c->segment, NULL, &next, err);
    if (st != ST_OK)
        return st;
    uint64_t limit = next.first ? next.first : UINT64_MAX;
    if (limit != c->limit) { /* the writer may have added to this one before it began the next */
        cursor_limit(c, limit);
        return ST_OK;
    }
    if (next.first != 0) {
        r->left[0] = '\0';
        if (c->at < c->size)
            describe_damage(c, c->at, c->size, r->left);
        st = segment_around(r->dir, next, NULL, &after, err);
        if (st == ST_OK)
            st = cursor_open(c, next, after.first ? after.first : UINT64_MAX, err);
        return st == ST_REJECT ? ST_OK : st; /* just removed: it is closed */
    }
    /* removed, as it held no synced record: one of the same name may have taken its place */
    if (fstat(c->fd, &s) == 0 && s.st_nlink == 0) {
        cursor_close(c);
        return ST_OK;
    }
    return err_set(err, ST_AGAIN, "%s: at the end", r->dir);
}

/* A reader in another process does not know the writer's head: what it shows must survive a power
 * cut all the same, else consumers would be ahead of the tape. */
static enum st sync_tail(struct tape_reader *r, const struct found *f, struct err *err)
{
    struct cursor *c = &r->seq;

    if (c->limit != UINT64_MAX)
        return ST_OK;
    if (segment_cmp(&r->synced, &c->segment) == 0 && f->end <= r->synced_size)
        return ST_OK;
    /* EROFS, EINVAL: nobody can write there, or sync */
    if (fdatasync(c->fd) != 0 && errno != EROFS && errno != EINVAL)
        return err_sys(err, ST_AGAIN, errno, "sync %s", r->dir);
    r->synced = c->segment;
    r->synced_size = c->size;
    return ST_OK;
}

static enum st give(struct tape_reader *r, struct cursor *c, const struct found *f,
                    struct tape_record *ret_record)
{
    r->last = c;
    r->last_hit = *f;
    *ret_record = f->record;
    return ST_OK;
}

/* The oldest segment begins behind what the reader wants next. */
static bool is_removed(struct tape_reader *r, const struct found *f)
{
    struct segment oldest;
    struct err err;

    return f->at == 0 && segment_around(r->dir, SEGMENT_NONE, NULL, &oldest, &err) == ST_OK &&
           segment_cmp(&oldest, &r->seq.segment) == 0;
}

static enum st tell_hole(struct tape_reader *r, const struct found *f, struct err *err)
{
    char name[SEGMENT_NAME], what[DAMAGE_TEXT];

    segment_name(&r->seq.segment, name);
    if (f->damage_at >= 0)
        describe_damage(&r->seq, f->damage_at, f->at, what);
    else if (f->at > 0)
        snprintf(what, sizeof(what), "%s: byte %lld: a jump", name, (long long)f->at);
    else if (r->left[0] != '\0')
        memcpy(what, r->left, sizeof(what));
    else if (is_removed(r, f))
        snprintf(what, sizeof(what), "%s: what was before it has been removed", name);
    else
        snprintf(what, sizeof(what), "%s: the segment before it ends early", name);
    err_ignore(err_set(err, ST_REJECT, "%s/%s: offsets %llu to %llu are lost", r->dir, what,
                       (unsigned long long)r->next, (unsigned long long)f->record.offset - 1));
    r->next = f->record.offset;
    return ST_REJECT;
}

/* A record was found: is it the one to return? ST_OK with *ret_done unset: not yet. */
static enum st take(struct tape_reader *r, uint64_t max_offset, const struct found *f,
                    bool *ret_done, struct err *err)
{
    enum st st = ST_OK;

    if (f->record.offset < r->next)
        return ST_OK;
    *ret_done = true;
    if (f->record.offset > max_offset)
        st = err_set(err, ST_AGAIN, "%s: offset %llu is beyond the head", r->dir,
                     (unsigned long long)f->record.offset);
    else if (f->record.offset > r->next)
        st = tell_hole(r, f, err);
    else if (max_offset == UINT64_MAX)
        st = sync_tail(r, f, err);
    if (st != ST_OK)
        cursor_unstep(&r->seq, f);
    return st;
}

/* Open the segment of the next offset. What a seek may pass over in silence is what lies before the
 * oldest segment. */
static enum st open_next(struct tape_reader *r, struct err *err)
{
    if (r->seq.segment.first != 0)
        return ST_OK;
    r->left[0] = '\0';
    enum st st = open_at(r, &r->seq, r->next, err);
    if (st == ST_OK && r->is_sought && r->next < r->seq.segment.first)
        r->next = r->seq.segment.first;
    if (st == ST_OK)
        r->is_sought = false;
    return st;
}

enum st tape_reader_next(struct tape_reader *r, uint64_t max_offset, struct tape_record *ret_record,
                         struct err *err)
{
    bool is_done = false;
    struct err why;
    struct found f;

    r->last = NULL;
    if (r->next > max_offset)
        return err_set(err, ST_AGAIN, "%s: at the head", r->dir);
    enum st st = identify(r, &why);
    while (st == ST_OK && !is_done) {
        st = open_next(r, &why);
        if (st == ST_OK)
            st = cursor_step(&r->seq, r->id.uuid, &r->scratch, &f, &why);
        if (st == ST_OK)
            st = take(r, max_offset, &f, &is_done, &why);
        else if (st == ST_AGAIN && why.sys == 0 && r->seq.segment.first != 0)
            st = go_on(r, &r->seq, &why);
    }
    if (st != ST_OK) {
        *err = why;
        return st;
    }
    r->next = f.record.offset + 1;
    return give(r, &r->seq, &f, ret_record);
}

/* True when the random cursor stands, or can be put, at or before `offset` in its segment. */
static bool is_near(struct tape_reader *r, uint64_t offset)
{
    struct cursor *c = &r->random;

    if (c->segment.first == 0 || c->segment.first > offset || offset >= c->limit)
        return false;
    if (cursor_seek(c, offset))
        return true;
    if (offset == c->last_offset)
        cursor_unstep(c, &r->random_hit);
    return offset > c->last_offset;
}

/* Step the random cursor to `offset`. ST_REJECT when it stepped over it, ST_AGAIN at the end. */
static enum st step_to(struct tape_reader *r, uint64_t offset, struct err *err)
{
    struct found *f = &r->random_hit;

    for (;;) {
        enum st st = cursor_step(&r->random, r->id.uuid, &r->scratch, f, err);
        if (st != ST_OK || f->record.offset == offset)
            return st;
        if (f->record.offset > offset)
            return err_set(err, ST_REJECT, "%s: offset %llu is damaged or no longer there", r->dir,
                           (unsigned long long)offset);
    }
}

enum st tape_reader_get(struct tape_reader *r, uint64_t offset, struct tape_record *ret_record,
                        struct err *err)
{
    struct err why = ERR_INIT;

    r->last = NULL;
    enum st st = identify(r, &why);
    if (st == ST_OK) {
        bool is_there = is_near(r, offset);
        st = is_there ? step_to(r, offset, &why) : ST_AGAIN;
        /* from where it was it found the end: look for another segment */
        if (st == ST_AGAIN && why.sys == 0) {
            st = open_at(r, &r->random, offset, &why);
            if (st == ST_OK)
                st = step_to(r, offset, &why);
        }
    }
    if (st == ST_OK)
        return give(r, &r->random, &r->random_hit, ret_record);
    bool is_unreadable = r->random.n_unreadable > 0;
    cursor_close(&r->random);
    *err = why;
    if (st != ST_FATAL && why.sys == 0 && is_unreadable)
        return err_sys(err, ST_REJECT, EIO, "%s: offset %llu", r->dir, (unsigned long long)offset);
    if (st == ST_AGAIN && why.sys == 0)
        return err_set(err, ST_REJECT, "%s: offset %llu is not on the tape", r->dir,
                       (unsigned long long)offset);
    return st;
}

enum st tape_reader_body(struct tape_reader *r, const struct tape_record *record,
                         struct arena *arena, struct str *ret_body, struct err *err)
{
    assert(r->last != NULL && record->type == TAPE_PAGE &&
           record->offset == r->last_hit.record.offset && record->hash == r->last_hit.record.hash);
    enum st st = cursor_body(r->last, &r->last_hit, &r->unpacker, arena, ret_body, err);
    if (r->unpacker.frame.cap > KEEP_FRAME)
        buf_release(&r->unpacker.frame);
    if (st != ST_OK) {
        char name[SEGMENT_NAME];
        segment_name(&r->last->segment, name);
        st = err_wrap(err, st, "%s/%s: byte %lld: the body of offset %llu: ", r->dir, name,
                      (long long)r->last_hit.body_at, (unsigned long long)record->offset);
    }
    return st;
}

/* The newest offset in segment `newest`, or that before it when it holds none. */
static enum st last_offset(struct tape_reader *r, struct segment newest, uint64_t *ret_last,
                           struct err *err)
{
    struct cursor c;
    struct found f;

    cursor_init(&c, r->dir);
    *ret_last = newest.first - 1;
    enum st st = cursor_open(&c, newest, UINT64_MAX, err);
    while (st == ST_OK) {
        st = cursor_step(&c, r->id.uuid, &r->scratch, &f, err);
        if (st == ST_OK)
            *ret_last = f.record.offset;
    }
    cursor_close(&c);
    return st == ST_AGAIN && err->sys == 0 ? ST_OK : st;
}

enum st tape_reader_bounds(struct tape_reader *r, uint64_t *ret_first, uint64_t *ret_last,
                           struct err *err)
{
    struct segment oldest = SEGMENT_NONE, newest;
    struct err why;
    uint64_t last = 0;

    r->last = NULL;
    enum st st = identify(r, &why);
    if (st == ST_OK)
        st = segment_around(r->dir, SEGMENT_NONE, NULL, &oldest, &why);
    else if (st == ST_AGAIN && why.sys == 0)
        st = ST_OK;
    if (st == ST_OK && oldest.first != 0)
        st = segment_around(r->dir, SEGMENT_NEWEST, &newest, NULL, &why);
    if (st == ST_OK && oldest.first != 0)
        st = last_offset(r, newest, &last, &why);
    if (st != ST_OK) {
        *err = why;
        return st;
    }
    bool is_empty = oldest.first == 0 || last < oldest.first;
    *ret_first = is_empty ? 0 : oldest.first;
    *ret_last = is_empty ? 0 : last;
    return ST_OK;
}
