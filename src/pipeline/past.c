/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/past.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "load/drivers.h"
#include "load/gather.h"
#include "load/sink.h"
#include "tape/tape.h"

#include <stdio.h>

#define MAX_NAMES      ((size_t)4 * 1024 * 1024)   /* bytes of all jobs' names */
#define MAX_POLL_BYTES ((size_t)512 * 1024 * 1024) /* of one poll in memory */

struct past_stream {
    struct tape_reader *reader;
    struct gather gather;
    struct stream_id id;
    struct position position; /* of the store */
    uint64_t ahead;           /* offset of the end of the next poll with rows; 0: none is there */
    int64_t ahead_us;         /* when it was on the tape */
    bool is_ahead_whole;
    bool is_at_end; /* of what is on disk */
    bool is_broken; /* it cannot be read on */
};

struct past {
    struct past_setup setup;
    struct sink_url url;
    struct sink sink; /* memory: of our own */
    struct json *json;
    struct query *query;
    struct past_stream *streams;
    size_t n_streams;
    int64_t at_us, started_us; /* the moment that was begun with, and on the monotonic clock */
    bool is_end_told;
};

/* ---- one stream ---- */

/* Find the next poll with rows. */
static void look_ahead(struct past_stream *s)
{
    struct tape_record record;
    enum st st = ST_REJECT;

    s->ahead = 0;
    s->is_at_end = false;
    while (st == ST_OK || st == ST_REJECT) {
        struct err err = ERR_INIT;
        st = tape_reader_next(s->reader, UINT64_MAX, &record, &err);
        if (st == ST_OK && record.type == TAPE_END && outcome_bears_rows(record.outcome)) {
            s->ahead = record.offset;
            s->ahead_us = record.fetched_at_us;
            s->is_ahead_whole = record.outcome == POLL_OK;
            return;
        }
        s->is_at_end = st == ST_AGAIN && err.sys == 0;
        if (st != ST_OK && !s->is_at_end)
            log_warn("simulate", "the tape cannot be read here", LOG_Z("job", s->id.job),
                     LOG_Z("error", err.msg));
    }
    s->is_broken = st == ST_FATAL;
}

/* Who the stream is: its first record that can be read says it. False: it has none. */
static bool identify(struct past_stream *s)
{
    struct tape_record record;
    struct err err = ERR_INIT;
    enum st st;

    do
        st = tape_reader_next(s->reader, UINT64_MAX, &record, &err);
    while (st == ST_REJECT);
    if (st != ST_OK)
        return false;
    s->id = *record.stream;
    s->gather.reader = s->reader;
    s->gather.stream = &s->id;
    tape_reader_seek(s->reader, 0);
    look_ahead(s);
    return true;
}

/* To the last whole poll by then. */
static void skip(struct past_stream *s, int64_t at_us)
{
    uint64_t whole = 0;

    for (; s->ahead != 0 && s->ahead_us <= at_us; look_ahead(s))
        if (s->is_ahead_whole)
            whole = s->ahead;
    tape_reader_seek(s->reader, whole);
    look_ahead(s);
}

/* The poll ahead into the store. False: not now. */
static bool take_poll(struct past *p, struct past_stream *s)
{
    struct gathered *poll;
    struct sink_result result;
    struct err err = ERR_INIT;
    enum st st = gather_poll(&s->gather, s->ahead, &poll, &err);

    if (st == ST_OK && !poll->has_rows)
        st = err_set(&err, ST_REJECT, "%.*s", STR_ARG(poll->error));
    if (st == ST_OK) {
        const struct sink_load load = {
            .stream = &s->id,
            .end = &poll->end,
            .pages = poll->pages,
            .n_pages = poll->n_pages,
            .rows = &poll->rows,
            .old = s->position,
            .new = {.offset = poll->end.offset, .hash = poll->end.hash},
            .is_last = true,
        };
        st = p->sink.driver->load(&p->sink, &load, &result, &err);
        if (st == ST_OK)
            s->position = load.new;
    }
    if (st != ST_OK)
        log_warn("simulate", "a poll of the tape is left out", LOG_Z("job", s->id.job),
                 LOG_I("offset", (int64_t)s->ahead), LOG_Z("error", err.msg));
    if (st == ST_AGAIN)
        return false;
    look_ahead(s);
    return true;
}

/* ---- time ---- */

static int64_t now_of(const struct past *p)
{
    const int64_t passed_us = clock_mono_us(p->setup.clock) - p->started_us;
    int64_t moved_us, now_us;

    if (__builtin_mul_overflow(passed_us, (int64_t)p->setup.speed, &moved_us) ||
        __builtin_add_overflow(p->at_us, moved_us, &now_us))
        return INT64_MAX;
    return now_us;
}

static void tell_end(struct past *p)
{
    if (!p->is_end_told)
        log_info("simulate", "the tape is over: the last state stays");
    p->is_end_told = true;
}

int64_t past_advance(void *past)
{
    struct past *p = past;
    const int64_t now_us = now_of(p);
    bool is_over = true;

    for (size_t i = 0; i < p->n_streams; i++) {
        struct past_stream *s = &p->streams[i];
        if (s->ahead == 0 && !s->is_broken)
            look_ahead(s); /* its collector may go on */
        while (s->ahead != 0 && s->ahead_us <= now_us && take_poll(p, s))
            ;
        is_over = is_over && (s->is_at_end || s->is_broken);
    }
    if (is_over)
        tell_end(p);
    return now_us;
}

struct query *past_query(struct past *p)
{
    return p->query;
}

/* ---- open and close ---- */

static enum st open_store(struct past *p, struct err *err)
{
    char name[64];

    /* stores go by name, and this one is nobody else's */
    snprintf(name, sizeof(name), "memory:past-%p", (void *)p);
    enum st st = sink_url_parse(str_of(name), &p->url, err);
    if (st != ST_OK)
        return st;
    p->sink = (struct sink){.driver = &sink_memory, .url = &p->url, .clock = p->setup.clock};
    p->sink.state = mem_new(1, sink_memory.state_size);
    st = sink_memory.open(&p->sink, err);
    return st == ST_OK ? sink_memory.open_query(&p->url, &p->query, err) : st;
}

static enum st open_stream(struct past *p, const char *job, struct err *err)
{
    struct past_stream *s = &p->streams[p->n_streams];
    char dir[FILE_MAX_PATH];

    enum st st = tape_stream_dir(p->setup.data_dir, job, dir, err);
    if (st == ST_OK)
        st = tape_reader_open(dir, &s->reader, err);
    if (st != ST_OK)
        return st;
    gather_init(&s->gather, p->json, MAX_POLL_BYTES);
    if (!identify(s)) {
        tape_reader_close(s->reader);
        return ST_OK;
    }
    p->n_streams++;
    return sink_memory.attach(&p->sink, &s->id, &s->position, err);
}

static enum st open_streams(struct past *p, struct err *err)
{
    struct arena arena;
    const char **jobs;
    size_t n_jobs = 0;

    arena_init(&arena, MAX_NAMES);
    enum st st = tape_jobs(p->setup.data_dir, &arena, &jobs, &n_jobs, err);
    if (st == ST_OK && n_jobs > 0)
        p->streams = mem_new(n_jobs, sizeof(*p->streams));
    for (size_t i = 0; st == ST_OK && i < n_jobs; i++)
        st = open_stream(p, jobs[i], err);
    arena_release(&arena);
    return st;
}

/* The moment to begin with; each stream goes to it. */
static enum st begin(struct past *p, struct err *err)
{
    int64_t first_us = INT64_MAX;

    for (size_t i = 0; i < p->n_streams; i++)
        if (p->streams[i].ahead != 0 && p->streams[i].ahead_us < first_us)
            first_us = p->streams[i].ahead_us;
    if (first_us == INT64_MAX)
        return err_set(err, ST_REJECT, "%s: no tape with answers of the API in it",
                       p->setup.data_dir);
    p->at_us = p->setup.at_us == PAST_FIRST ? first_us : p->setup.at_us;
    for (size_t i = 0; i < p->n_streams; i++)
        if (p->streams[i].ahead != 0)
            skip(&p->streams[i], p->at_us);
    p->started_us = clock_mono_us(p->setup.clock);
    return ST_OK;
}

enum st past_open(const struct past_setup *setup, struct past **ret_past, struct err *err)
{
    struct past *p = mem_new(1, sizeof(*p));

    p->setup = *setup;
    p->json = json_new();
    enum st st = open_store(p, err);
    if (st == ST_OK)
        st = open_streams(p, err);
    if (st == ST_OK)
        st = begin(p, err);
    if (st != ST_OK) {
        past_close(p);
        return st;
    }
    past_advance(p);
    *ret_past = p;
    return ST_OK;
}

void past_close(struct past *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->n_streams; i++) {
        tape_reader_close(p->streams[i].reader);
        gather_release(&p->streams[i].gather);
    }
    mem_free(p->streams);
    if (p->query)
        p->query->driver->close(p->query);
    if (p->sink.state)
        sink_memory.close(&p->sink);
    mem_free(p->sink.state);
    json_free(p->json);
    mem_free(p);
}
