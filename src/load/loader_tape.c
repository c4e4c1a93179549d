/* SPDX-License-Identifier: Apache-2.0 */
#include "load/loader_inner.h"

#include "base/metric.h"

uint64_t loader_tape_head(const struct loader_tape *t)
{
    return t->head ? tape_head_get(t->head) : UINT64_MAX;
}

void loader_tape_damaged(struct loader *l, struct loader_tape *t, const struct err *err)
{
    metric_add(METRIC_TAPE_HOLES, t->job, NULL, 1);
    if (l->events.failed)
        l->events.failed(l->events.ctx, t->job, ST_REJECT, err);
}

/* The next record, damage counted and stepped over. ST_AGAIN: there is none now. */
static enum st next_record(struct loader *l, struct loader_tape *t, struct tape_record *ret_record,
                           struct err *err)
{
    for (;;) {
        struct err why = ERR_INIT;
        enum st st = tape_reader_next(t->reader, loader_tape_head(t), ret_record, &why);
        if (st == ST_REJECT) {
            loader_tape_damaged(l, t, &why);
            continue;
        }
        if (st != ST_OK)
            *err = why;
        return st;
    }
}

bool loader_tape_is_at_end(enum st st, const struct err *err)
{
    return st == ST_AGAIN && err->sys == 0;
}

enum st loader_tape_look_ahead(struct loader *l, struct loader_tape *t, struct err *err)
{
    struct tape_record record;
    struct err why = ERR_INIT;
    enum st st;

    t->ahead = 0;
    t->seen = loader_tape_head(t);
    while ((st = next_record(l, t, &record, &why)) == ST_OK) {
        if (record.type == TAPE_END && record.offset != t->lost) {
            t->ahead = record.offset;
            t->ahead_status = t->status;
            t->status = 0;
            return ST_OK;
        }
        t->status = record.status;
    }
    if (loader_tape_is_at_end(st, &why))
        return ST_OK;
    *err = why;
    return st;
}

/* Who is this stream? Its first record says it. */
static enum st identify(struct loader *l, struct loader_tape *t, struct err *err)
{
    struct tape_record record;

    if (t->is_known)
        return ST_OK;
    enum st st = t->reader ? ST_OK : tape_reader_open(t->dir, &t->reader, err);
    if (st != ST_OK)
        return st;
    tape_reader_seek(t->reader, 0);
    st = next_record(l, t, &record, err);
    if (st != ST_OK)
        return st;
    t->id = *record.stream;
    t->is_known = true;
    t->gather.reader = t->reader;
    t->gather.stream = &t->id;
    return ST_OK;
}

static enum st forked(const struct loader_tape *t, const struct position *at, const char *why,
                      struct err *err)
{
    return err_set(
        err, ST_FATAL,
        "tape forked: the sink has loaded up to offset %llu of job %s, and %s; load this "
        "tape into a new sink, or bring back the tape that the sink was loaded from",
        (unsigned long long)at->offset, t->job, why);
}

/* What the sink lacks next is on the tape no more. */
static enum st meet_gap(struct loader *l, struct loader_tape *t, const struct position *at,
                        uint64_t first, struct err *err)
{
    const char *mend = l->accepts_gap ? "going on there, as --accept-gap says"
                                      : "bring back the segments between, go on there with "
                                        "--accept-gap, or load this tape into a new sink";
    struct err why = ERR_INIT;

    enum st st = err_set(&why, ST_FATAL,
                         "the sink has loaded job %s up to offset %llu, and the oldest record kept "
                         "is %llu: %s",
                         t->job, (unsigned long long)at->offset, (unsigned long long)first, mend);
    if (!l->accepts_gap) {
        *err = why;
        return st;
    }
    if (!t->is_gap_told)
        loader_failed(l, t->job, ST_REJECT, &why);
    t->is_gap_told = true;
    return ST_OK;
}

/* Is the sink's position a record of this very tape? */
static enum st check_position(struct loader *l, struct loader_tape *t, const struct position *at,
                              struct err *err)
{
    uint64_t first = 0, last = 0;
    struct tape_record record;
    struct err why = ERR_INIT;

    if (at->offset == 0)
        return ST_OK;
    enum st st = tape_reader_get(t->reader, at->offset, &record, &why);
    if (st == ST_OK) {
        t->credits_key = record.credits_key;
        t->credits_from_us = record.credits_from_us;
        t->credits_spent = record.credits_spent;
        return record.hash == at->hash ? ST_OK
                                       : forked(t, at, "the record there is another one", err);
    }
    if (st == ST_REJECT)
        st = tape_reader_bounds(t->reader, &first, &last, &why);
    if (st != ST_OK) {
        *err = why;
        return st;
    }
    if (at->offset > last)
        return forked(t, at, "it is not that long", err);
    if (at->offset + 1 < first)
        return meet_gap(l, t, at, first, err);
    /* damaged, or the last one before the oldest: there is nothing to compare with, and nothing
     * between is lost */
    if (at->offset >= first)
        loader_tape_damaged(l, t, &why);
    return ST_OK;
}

enum st loader_tape_attach(struct loader *l, struct loader_tape *t, struct err *err)
{
    struct position at = {0};

    enum st st = identify(l, t, err);
    if (st != ST_OK)
        return st;
    t->credits_key = t->credits_spent = 0;
    t->credits_from_us = 0;
    st = l->driver->attach(&l->sink, &t->id, &at, err);
    if (st == ST_OK)
        st = check_position(l, t, &at, err);
    if (st != ST_OK)
        return st;
    t->is_attached = true;
    t->position = at;
    t->taken = at.offset;
    t->newest_us = 0;
    atomic_store(&t->done, at.offset);
    atomic_store(&t->is_met, true);
    metric_set(METRIC_SINK_OFFSET, l->url->shown, t->job, (double)at.offset);
    t->status = 0;
    tape_reader_seek(t->reader, at.offset + 1);
    return loader_tape_look_ahead(l, t, err);
}

uint64_t loader_tape_credits(struct loader_tape *t, const struct tape_record *end)
{
    bool is_same = end->credits_key == t->credits_key &&
                   end->credits_from_us == t->credits_from_us &&
                   end->credits_spent >= t->credits_spent;
    uint64_t cost = end->credits_spent - (is_same ? t->credits_spent : 0);

    t->credits_key = end->credits_key;
    t->credits_from_us = end->credits_from_us;
    t->credits_spent = end->credits_spent;
    return cost;
}

enum st loader_tape_read_poll(struct loader *l, struct loader_tape *t, struct gathered **ret_poll,
                              bool *ret_is_cut, struct err *err)
{
    struct err why = ERR_INIT;

    enum st st = gather_poll(&t->gather, t->ahead, ret_poll, &why);
    if (st == ST_REJECT) {
        *ret_poll = NULL;
        t->lost = t->ahead;
        loader_tape_damaged(l, t, &why);
    } else if (st != ST_OK) {
        *err = why;
        return st;
    }
    st = loader_tape_look_ahead(l, t, &why);
    *ret_is_cut = st == ST_AGAIN;
    if (st == ST_OK || *ret_is_cut)
        return ST_OK;
    *err = why;
    return st;
}
