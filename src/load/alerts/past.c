/* SPDX-License-Identifier: Apache-2.0 */
#include "load/alerts/past.h"

#include "base/mem.h"

#define MAX_POLL_BYTES ((size_t)512 * 1024 * 1024)

struct alerts_past {
    struct tape_reader *reader;
    struct json *json;
    struct gather gather;
    struct stream_id id;
    bool is_known;
    uint64_t max;
};

/* The first offset whose record was written at `at` or later; times grow along a stream, and what
 * is damaged counts as older. first and last: its bounds. */
static enum st find_time(struct tape_reader *r, int64_t at_us, uint64_t first, uint64_t last,
                         uint64_t *ret_offset, struct err *err)
{
    uint64_t from = first, to = last + 1;

    while (from < to) {
        const uint64_t mid = from + (to - from) / 2;
        struct tape_record record;
        struct err why = ERR_INIT;
        enum st st = tape_reader_get(r, mid, &record, &why);
        if (st != ST_OK && st != ST_REJECT) {
            *err = why;
            return st;
        }
        if (st == ST_REJECT || record.fetched_at_us < at_us)
            from = mid + 1;
        else
            to = mid;
    }
    *ret_offset = from;
    return ST_OK;
}

enum st alerts_past_open(const char *dir, int64_t since_us, uint64_t max,
                         struct alerts_past **ret_past, struct err *err)
{
    struct alerts_past *p = mem_new(1, sizeof(*p));
    uint64_t first = 0, last = 0, offset = 0;

    p->max = max;
    p->json = json_new();
    gather_init(&p->gather, p->json, MAX_POLL_BYTES);
    enum st st = tape_reader_open(dir, &p->reader, err);
    if (st == ST_OK)
        st = tape_reader_bounds(p->reader, &first, &last, err);
    if (st == ST_OK && last > 0)
        st = find_time(p->reader, since_us, first, last, &offset, err);
    if (st != ST_OK) {
        alerts_past_close(p);
        return st;
    }
    tape_reader_seek(p->reader, offset);
    *ret_past = p;
    return ST_OK;
}

void alerts_past_close(struct alerts_past *p)
{
    if (p == NULL)
        return;
    gather_release(&p->gather);
    json_free(p->json);
    tape_reader_close(p->reader);
    mem_free(p);
}

enum st alerts_past_next(struct alerts_past *p, const struct stream_id **ret_stream,
                         struct gathered **ret_poll, struct err *err)
{
    *ret_poll = NULL;
    for (;;) {
        struct tape_record record;
        struct err why = ERR_INIT;
        enum st st = tape_reader_next(p->reader, p->max, &record, &why);
        if (st == ST_AGAIN && why.sys == 0) /* the end */
            return ST_OK;
        if (st == ST_OK && !p->is_known) {
            p->id = *record.stream;
            p->is_known = true;
            p->gather.reader = p->reader;
            p->gather.stream = &p->id;
        }
        if (st == ST_OK && record.type == TAPE_END)
            st = gather_poll(&p->gather, record.offset, ret_poll, &why);
        if (st != ST_OK && st != ST_REJECT) {
            *err = why;
            return st;
        }
        if (*ret_poll) {
            *ret_stream = &p->id;
            return ST_OK;
        }
    }
}

/* A record's position; nothing of it is told when it is damaged. */
static enum st position_of(struct tape_reader *r, uint64_t offset, struct position *ret,
                           struct err *err)
{
    struct tape_record record;
    struct err why = ERR_INIT;

    *ret = (struct position){.offset = offset};
    enum st st = tape_reader_get(r, offset, &record, &why);
    if (st == ST_OK)
        ret->hash = record.hash;
    else if (st != ST_REJECT)
        *err = why;
    return st == ST_REJECT ? ST_OK : st;
}

enum st alerts_past_position(const char *dir, int64_t before_us, struct position *ret_position,
                             struct err *err)
{
    struct position position = {.offset = 0};
    struct tape_reader *r = NULL;
    uint64_t first = 0, last = 0, offset = 0;

    enum st st = tape_reader_open(dir, &r, err);
    if (st == ST_OK)
        st = tape_reader_bounds(r, &first, &last, err);
    if (st == ST_OK && last > 0)
        st = find_time(r, before_us, first, last, &offset, err);
    if (st == ST_OK && offset > first)
        st = position_of(r, offset - 1, &position, err);
    /* a reader sees what is not synced yet: it must not vanish behind a position */
    if (st == ST_OK && position.offset > 0)
        st = tape_sync(dir, err);
    tape_reader_close(r);
    if (st == ST_OK)
        *ret_position = position;
    return st;
}

enum st alerts_past_has(const char *dir, const struct position *position, bool *ret_has,
                        struct err *err)
{
    struct position there;
    struct tape_reader *r = NULL;
    uint64_t first = 0, last = 0;

    enum st st = tape_reader_open(dir, &r, err);
    if (st == ST_OK)
        st = tape_reader_bounds(r, &first, &last, err);
    const bool is_between =
        position->offset == 0 || (position->offset + 1 >= first && position->offset <= last);
    *ret_has = is_between;
    if (st == ST_OK && is_between && position->offset >= first && position->offset > 0) {
        st = position_of(r, position->offset, &there, err);
        *ret_has = there.hash == 0 || there.hash == position->hash || position->hash == 0;
    }
    tape_reader_close(r);
    return st;
}
