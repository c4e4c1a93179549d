/* SPDX-License-Identifier: Apache-2.0 */
#include "load/loader.h"

#include "base/mem.h"
#include "base/metric.h"
#include "load/gather.h"
#include "row/market.h"
#include "tape/reader.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>

#define MAX_BATCH_ROWS  5000
#define MAX_BATCH_POLLS 20
#define BACKOFF_FIRST   (250 * US_PER_MS)
#define BACKOFF_MAX     (30 * US_PER_S)
#define IDLE_ONE        US_PER_S          /* one stream: its head wakes us */
#define IDLE_MANY       (200 * US_PER_MS) /* several, or no head: look again */
#define DEFAULT_POLL    ((uint64_t)256 << 20)

struct loader_tape {
    char dir[1024];
    char job[TAPE_MAX_JOB + 1];
    struct tape_head *head; /* NULL: read to the end of what is on disk */
    struct tape_reader *reader;
    struct stream_id id;
    bool is_known; /* id was read */
    bool is_attached;
    struct position position;   /* of the sink, within a batch */
    atomic_uint_least64_t done; /* offset that is committed */
    struct gather gather;

    /* the next `end` on the tape, found ahead so that the last load of a batch is known as such */
    uint64_t ahead;                /* its offset; 0: none is there */
    uint32_t ahead_status, status; /* HTTP status of the last page in front of it, and of now */
    uint64_t seen;                 /* the head when we looked last */
    uint64_t lost;                 /* an end that was damaged after we had seen it */

    /* credits at the last end */
    uint64_t credits_key, credits_spent;
    int64_t credits_from_us;

    /* the poll that the sink refused: loaded without rows next time */
    uint64_t refused;
    struct err refusal;
};

/* What a batch did; counted when it is committed. */
struct batch {
    size_t n_polls, n_rows, n_stored, n_unchanged, n_refused;
    int64_t newest_us;
};

struct loader {
    const struct sink_url *url;
    const struct sink_driver *driver; /* NULL until it was looked up */
    struct sink sink;
    bool is_open, has_failed;
    struct loader_tape *tapes;
    size_t n_tapes;
    struct json *json;
    struct clock *clock;
    struct loader_events events;
    uint64_t random;
    atomic_bool is_stopping;
    pthread_mutex_t lock; /* for `stop` alone */
    pthread_cond_t stop;
};

struct loader *loader_new(const struct loader_setup *setup)
{
    struct loader *l = mem_new(1, sizeof(*l));
    uint64_t max = setup->max_poll_bytes > 0 ? setup->max_poll_bytes : DEFAULT_POLL;
    pthread_condattr_t monotonic;

    l->url = setup->url;
    l->clock = setup->clock;
    l->events = setup->events;
    l->json = json_new();
    l->sink = (struct sink){
        .url = setup->url, .clock = setup->clock, .is_simulated = setup->is_simulated};
    l->n_tapes = setup->n_streams;
    l->tapes = mem_new(setup->n_streams, sizeof(*l->tapes));
    for (size_t i = 0; i < l->n_tapes; i++) {
        struct loader_tape *t = &l->tapes[i];
        snprintf(t->dir, sizeof(t->dir), "%s", setup->streams[i].dir);
        snprintf(t->job, sizeof(t->job), "%s", setup->streams[i].job);
        t->head = setup->streams[i].head;
        gather_init(&t->gather, l->json, (size_t)max);
    }
    if (getrandom(&l->random, sizeof(l->random), GRND_NONBLOCK) < 0)
        l->random = (uint64_t)clock_mono_us(l->clock);
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->stop, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return l;
}

/* Close the sink: what it holds uncommitted is gone, all streams must attach again. */
static void close_sink(struct loader *l)
{
    if (l->driver && l->sink.state)
        l->driver->close(&l->sink);
    mem_free(l->sink.state);
    l->sink.state = NULL;
    l->is_open = false;
    for (size_t i = 0; i < l->n_tapes; i++)
        l->tapes[i].is_attached = false;
}

void loader_free(struct loader *l)
{
    if (l == NULL)
        return;
    close_sink(l);
    for (size_t i = 0; i < l->n_tapes; i++) {
        tape_reader_close(l->tapes[i].reader);
        gather_release(&l->tapes[i].gather);
    }
    mem_free(l->tapes);
    json_free(l->json);
    pthread_cond_destroy(&l->stop);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

static bool is_stopping(struct loader *l)
{
    return atomic_load(&l->is_stopping);
}

static uint64_t head_of(const struct loader_tape *t)
{
    return t->head ? tape_head_get(t->head) : UINT64_MAX;
}

static void report_failure(struct loader *l, const char *job, enum st st, const struct err *err)
{
    static const char *const names[] = {
        [ST_OK] = "", [ST_AGAIN] = "again", [ST_REJECT] = "reject", [ST_FATAL] = "fatal"};

    metric_add(METRIC_SINK_ERRORS, l->url->shown, names[st], 1);
    if (st != ST_REJECT)
        metric_set(METRIC_SINK_UP, l->url->shown, NULL, 0);
    l->has_failed |= st != ST_REJECT;
    if (l->events.failed)
        l->events.failed(l->events.ctx, job, st, err);
}

static void report_working(struct loader *l)
{
    metric_set(METRIC_SINK_UP, l->url->shown, NULL, 1);
    if (l->has_failed && l->events.recovered)
        l->events.recovered(l->events.ctx);
    l->has_failed = false;
}

static void report_damage(struct loader *l, struct loader_tape *t, const struct err *err)
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
        enum st st = tape_reader_next(t->reader, head_of(t), ret_record, &why);
        if (st == ST_REJECT) {
            report_damage(l, t, &why);
            continue;
        }
        if (st != ST_OK)
            *err = why;
        return st;
    }
}

/* Is the tape read to its end? Else ST_AGAIN means that it cannot be read now. */
static bool is_end_of_tape(enum st st, const struct err *err)
{
    return st == ST_AGAIN && err->sys == 0;
}

/* Find the next end; t->ahead is 0 when there is none yet. */
static enum st look_ahead(struct loader *l, struct loader_tape *t, struct err *err)
{
    struct tape_record record;
    struct err why = ERR_INIT;
    enum st st;

    t->ahead = 0;
    t->seen = head_of(t);
    while ((st = next_record(l, t, &record, &why)) == ST_OK) {
        if (record.type == TAPE_END && record.offset != t->lost) {
            t->ahead = record.offset;
            t->ahead_status = t->status;
            t->status = 0;
            return ST_OK;
        }
        t->status = record.status;
    }
    if (is_end_of_tape(st, &why))
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
        return err_set(
            err, ST_FATAL,
            "the sink has loaded job %s up to offset %llu, and the oldest record kept is "
            "%llu: bring back the segments between, or load this tape into a new sink",
            t->job, (unsigned long long)at->offset, (unsigned long long)first);
    /* damaged, or the last one before the oldest: there is nothing to compare with, and nothing
     * between is lost */
    if (at->offset >= first)
        report_damage(l, t, &why);
    return ST_OK;
}

static enum st attach(struct loader *l, struct loader_tape *t, struct err *err)
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
    atomic_store(&t->done, at.offset);
    metric_set(METRIC_SINK_OFFSET, l->url->shown, t->job, (double)at.offset);
    t->gather.has_history = l->driver->needs_history;
    t->status = 0;
    tape_reader_seek(t->reader, at.offset + 1);
    return look_ahead(l, t, err);
}

/* What the poll cost: the stream's running count, less that of the end before. */
static uint64_t count_credits(struct loader_tape *t, const struct tape_record *end)
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

static void count_load(struct batch *b, const struct sink_load *load,
                       const struct sink_result *result)
{
    b->n_polls++;
    if (load->rows == NULL)
        return;
    b->n_rows += load->rows->rows.n;
    b->n_stored += result->n_stored;
    b->n_unchanged += result->n_unchanged;
    b->n_refused += load->rows->n_refusals;
    for (size_t i = 0; i < load->n_pages; i++)
        if (load->pages[i].record.fetched_at_us > b->newest_us)
            b->newest_us = load->pages[i].record.fetched_at_us;
}

static void report_lag(struct loader *l, struct loader_tape *t)
{
    uint64_t head = head_of(t), done = atomic_load(&t->done);

    if (t->head)
        metric_set(METRIC_SINK_LAG, l->url->shown, t->job, (double)(head - done));
}

static void report_commit(struct loader *l, struct loader_tape *t, const struct batch *b)
{
    const char *sink = l->url->shown;

    atomic_store(&t->done, t->position.offset);
    metric_add(METRIC_SINK_ROWS, sink, NULL, (double)b->n_stored);
    metric_add(METRIC_SINK_UNCHANGED, sink, NULL, (double)b->n_unchanged);
    metric_add(METRIC_QUARANTINED, sink, NULL, (double)b->n_refused);
    metric_set(METRIC_SINK_OFFSET, sink, t->job, (double)t->position.offset);
    report_lag(l, t);
    if (b->newest_us > 0)
        metric_set(METRIC_FRESHNESS, t->job, NULL, (double)b->newest_us / 1e6);
    report_working(l);
}

/* The sink cannot have this poll: note why, and begin again behind the last commit. */
static enum st note_refusal(struct loader *l, struct loader_tape *t, const struct sink_load *load,
                            const struct err *why, struct err *err)
{
    if (load->rows == NULL) {
        *err = *why;
        return err_wrap(err, ST_FATAL, "not even the record of a poll can be stored: ");
    }
    t->refused = load->end->offset;
    t->refusal = *why;
    t->is_attached = false;
    report_failure(l, t->job, ST_REJECT, why);
    return ST_OK;
}

static enum st load_one(struct loader *l, struct loader_tape *t, const struct gathered *poll,
                        uint32_t status, struct batch *b, bool *ret_is_refused, struct err *err)
{
    bool is_refused = t->refused == poll->end.offset;
    /* up to a refused poll one by one: with two of them in a batch, each would undo the other */
    bool is_last = t->ahead == 0 || b->n_polls + 1 >= MAX_BATCH_POLLS || is_stopping(l) ||
                   poll->end.offset <= t->refused;
    struct sink_load load = {
        .stream = &t->id,
        .end = &poll->end,
        .pages = poll->pages,
        .n_pages = poll->n_pages,
        .rows = poll->has_rows && !is_refused ? &poll->rows : NULL,
        .error = is_refused ? str_of(t->refusal.msg) : poll->error,
        .http_status = status,
        .credits = count_credits(t, &poll->end),
        .old = t->position,
        .new = {.offset = poll->end.offset, .hash = poll->end.hash},
    };
    struct sink_result result = {0};
    struct err why = ERR_INIT;

    load.is_last = is_last || (load.rows && b->n_rows + load.rows->rows.n >= MAX_BATCH_ROWS);
    int64_t start = clock_mono_us(l->clock);
    enum st st = l->driver->load(&l->sink, &load, &result, &why);
    int64_t duration = clock_mono_us(l->clock) - start;
    *ret_is_refused = st == ST_REJECT;
    if (st == ST_REJECT)
        return note_refusal(l, t, &load, &why, err);
    if (st != ST_OK) {
        *err = why;
        return st;
    }
    t->position = load.new;
    count_load(b, &load, &result);
    metric_observe_us(METRIC_SINK_COMMIT_SECONDS, l->url->shown, duration);
    if (load.is_last)
        report_commit(l, t, b);
    if (l->events.loaded)
        l->events.loaded(l->events.ctx, &load, &result, duration);
    return ST_OK;
}

/* Read the poll at t->ahead, NULL when it was damaged since it was seen, and look for the next.
 * *ret_is_cut: the tape cannot be read behind it, with which the next batch is to begin. */
static enum st read_poll(struct loader *l, struct loader_tape *t, struct gathered **ret_poll,
                         bool *ret_is_cut, struct err *err)
{
    struct err why = ERR_INIT;

    enum st st = gather_poll(&t->gather, t->ahead, ret_poll, &why);
    if (st == ST_REJECT) {
        *ret_poll = NULL;
        t->lost = t->ahead;
        report_damage(l, t, &why);
    } else if (st != ST_OK) {
        *err = why;
        return st;
    }
    st = look_ahead(l, t, &why);
    *ret_is_cut = st == ST_AGAIN;
    if (st == ST_OK || *ret_is_cut)
        return ST_OK;
    *err = why;
    return st;
}

/* Load one batch. *ret_has_more: there is another. */
static enum st load_batch(struct loader *l, struct loader_tape *t, bool *ret_has_more,
                          struct err *err)
{
    struct batch b = {0};
    bool is_refused = false, is_committed = false, is_cut = false;
    enum st st = t->is_attached ? ST_OK : attach(l, t, err);

    if (!t->is_known && is_end_of_tape(st, err)) { /* the stream has no record yet */
        *ret_has_more = false;
        return ST_OK;
    }
    if (st == ST_OK && t->ahead == 0)
        st = look_ahead(l, t, err);
    while (st == ST_OK && t->ahead != 0 && !is_refused && !is_committed) {
        struct gathered *poll;
        uint32_t status = t->ahead_status;
        st = read_poll(l, t, &poll, &is_cut, err);
        if (st == ST_OK && poll)
            st = load_one(l, t, poll, status, &b, &is_refused, err);
        is_committed = atomic_load(&t->done) == t->position.offset;
    }
    if (st != ST_OK) {
        t->is_attached = false;
        report_lag(l, t);
    }
    bool is_open = !is_committed && !is_refused && b.n_polls > 0;
    if (st != ST_OK || is_open)
        close_sink(l); /* a batch that is open holds the store's lock: let go of it */
    *ret_has_more = st == ST_OK && (t->ahead != 0 || is_refused || is_open || is_cut);
    return st;
}

enum st loader_open(struct loader *l, struct err *err)
{
    if (l->is_open)
        return ST_OK;
    enum st st = sink_driver_find(str_of(l->url->scheme), &l->driver, err);
    if (st == ST_OK)
        st = l->driver->check(l->url, err);
    if (st != ST_OK)
        return st;
    l->sink.driver = l->driver;
    l->sink.state = mem_new(l->driver->state_size + 1, 1);
    st = l->driver->open(&l->sink, err);
    l->is_open = st == ST_OK;
    for (size_t i = 0; st == ST_OK && i < l->n_tapes; i++) {
        struct loader_tape *t = &l->tapes[i];
        st = attach(l, t, err);
        if (!t->is_known && is_end_of_tape(st, err)) /* no record yet: attached when one comes */
            st = ST_OK;
    }
    if (st != ST_OK)
        close_sink(l);
    return st;
}

enum st loader_catch_up(struct loader *l, struct err *err)
{
    bool has_more = true;
    enum st st = ST_OK;

    while (st == ST_OK && has_more && !is_stopping(l)) {
        has_more = false;
        st = loader_open(l, err);
        for (size_t i = 0; st == ST_OK && l->is_open && i < l->n_tapes && !is_stopping(l); i++) {
            bool has_this_more;
            st = load_batch(l, &l->tapes[i], &has_this_more, err);
            has_more |= has_this_more;
        }
    }
    return st;
}

/* Sleep, or until loader_stop(). */
static void sleep_us(struct loader *l, int64_t us)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (us % US_PER_S) * 1000;
    until.tv_sec += (time_t)(us / US_PER_S + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&l->lock);
    while (!is_stopping(l) && pthread_cond_timedwait(&l->stop, &l->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&l->lock);
}

/* Wait until there may be more on a tape. */
static void wait_for_more(struct loader *l)
{
    struct tape_head *head = l->n_tapes > 0 ? l->tapes[0].head : NULL;

    if (l->n_tapes != 1 || head == NULL) {
        sleep_us(l, IDLE_MANY);
        return;
    }
    uint64_t seen = l->tapes[0].seen;
    int64_t start = clock_mono_us(l->clock);
    uint64_t now = tape_head_wait(head, seen, IDLE_ONE);
    /* a head that was woken to stop never waits again; ours may be told to stop later */
    if (now == seen && clock_mono_us(l->clock) - start < IDLE_ONE / 2)
        sleep_us(l, IDLE_MANY);
}

/* Full jitter: sinks that failed together do not come back together. */
static void back_off(struct loader *l, int64_t *backoff_us)
{
    l->random = l->random * 6364136223846793005u + 1442695040888963407u;
    sleep_us(l, *backoff_us / 4 + (int64_t)((l->random >> 33) % (uint64_t)*backoff_us) * 3 / 4);
    *backoff_us = *backoff_us * 2 < BACKOFF_MAX ? *backoff_us * 2 : BACKOFF_MAX;
}

enum st loader_run(struct loader *l, struct err *err)
{
    int64_t backoff_us = BACKOFF_FIRST;

    while (!is_stopping(l)) {
        struct err why = ERR_INIT;
        enum st st = loader_catch_up(l, &why);
        if (st == ST_OK) {
            backoff_us = BACKOFF_FIRST;
            report_working(l);
            if (!is_stopping(l))
                wait_for_more(l);
            continue;
        }
        /* what a sink refuses as a whole (another program's file) is not better next time */
        st = st == ST_AGAIN ? ST_AGAIN : ST_FATAL;
        report_failure(l, NULL, st, &why);
        if (st == ST_FATAL) {
            *err = why;
            return st;
        }
        back_off(l, &backoff_us);
    }
    return ST_OK;
}

void loader_stop(struct loader *l)
{
    pthread_mutex_lock(&l->lock);
    atomic_store(&l->is_stopping, true);
    pthread_cond_broadcast(&l->stop);
    pthread_mutex_unlock(&l->lock);
}

uint64_t loader_offset(const struct loader *l, size_t stream)
{
    return stream < l->n_tapes ? atomic_load(&l->tapes[stream].done) : 0;
}
