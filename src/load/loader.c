/* SPDX-License-Identifier: Apache-2.0 */
#include "load/loader_inner.h"

#include "base/mem.h"
#include "base/metric.h"
#include "load/known.h"
#include "row/market.h"

#include <assert.h>
#include <stdio.h>
#include <sys/random.h>

#define BACKOFF_FIRST (250 * US_PER_MS)
#define BACKOFF_MAX   (30 * US_PER_S)
#define IDLE          US_PER_S          /* the tape wakes us */
#define MAX_TIDY      (2 * US_PER_S)    /* then the tapes are looked at again */
#define STEP_US       (600 * US_PER_S)  /* a batch, on a store that is busy */
#define IDLE_BLIND    (200 * US_PER_MS) /* another process writes it: look again */
#define DEFAULT_POLL  ((uint64_t)256 << 20)

/* What a batch did; counted when it is committed. */
struct batch {
    size_t n_polls, n_rows, n_stored, n_unchanged, n_refused;
    int64_t newest_us;
    int64_t began_us; /* on the monotonic clock */
};

static void add_stream(struct loader *l, const struct loader_stream *stream)
{
    struct loader_tape *t = mem_new(1, sizeof(*t));
    size_t n = atomic_load(&l->n_tapes);

    snprintf(t->dir, sizeof(t->dir), "%s", stream->dir);
    snprintf(t->job, sizeof(t->job), "%s", stream->job);
    t->head = stream->head;
    gather_init(&t->gather, l->json, (size_t)l->max_poll_bytes);
    l->tapes[n] = t;
    atomic_store(&l->n_tapes, n + 1);
}

struct loader *loader_new(const struct loader_setup *setup)
{
    struct loader *l = mem_new(1, sizeof(*l));
    pthread_condattr_t monotonic;

    l->url = setup->url;
    l->clock = setup->clock;
    l->events = setup->events;
    l->json = json_new();
    l->sink = (struct sink){.url = setup->url,
                            .clock = setup->clock,
                            .is_simulated = setup->is_simulated,
                            .retain_rows_us = setup->retain_rows_us,
                            .retain_5m_us = setup->retain_5m_us,
                            .data_dir = setup->data_dir,
                            .tell = setup->events.told,
                            .warn = setup->events.warned,
                            .tell_ctx = setup->events.ctx};
    l->tape = setup->tape;
    l->accepts_gap = setup->accepts_gap;
    l->max_poll_bytes = setup->max_poll_bytes > 0 ? setup->max_poll_bytes : DEFAULT_POLL;
    assert(setup->n_streams <= LOADER_MAX_STREAMS);
    for (size_t i = 0; i < setup->n_streams; i++)
        add_stream(l, &setup->streams[i]);
    if (getrandom(&l->random, sizeof(l->random), GRND_NONBLOCK) < 0)
        l->random = (uint64_t)clock_mono_us(l->clock);
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->wake, &monotonic);
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
    l->is_open = l->is_pending = false;
    for (size_t i = 0; i < l->n_tapes; i++)
        l->tapes[i]->is_attached = false;
}

void loader_free(struct loader *l)
{
    if (l == NULL)
        return;
    close_sink(l);
    replay_end(l, ST_OK, NULL);
    for (size_t i = 0; i < l->n_tapes; i++) {
        tape_reader_close(l->tapes[i]->reader);
        gather_release(&l->tapes[i]->gather);
        mem_free(l->tapes[i]);
    }
    json_free(l->json);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

static bool is_stopping(struct loader *l)
{
    return atomic_load(&l->is_stopping);
}

void loader_failed(struct loader *l, const char *job, enum st st, const struct err *err)
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

static void count_load(struct batch *b, const struct sink_load *load,
                       const struct sink_result *result)
{
    b->n_polls++;
    if (load->rows == NULL)
        return;
    b->n_rows += load->rows->rows.n;
    b->n_stored += result->n_stored;
    b->n_unchanged += result->n_unchanged;
    b->n_refused += load->rows->n_refusals + result->n_refused;
    for (size_t i = 0; i < load->n_pages; i++)
        if (load->pages[i].record.fetched_at_us > b->newest_us)
            b->newest_us = load->pages[i].record.fetched_at_us;
}

static void report_lag(struct loader *l, struct loader_tape *t)
{
    uint64_t done = atomic_load(&t->done), ended = t->head ? tape_head_ended(t->head) : 0;

    if (t->head)
        metric_set(METRIC_SINK_LAG, l->url->shown, t->job,
                   ended > done ? (double)(ended - done) : 0);
}

/* All that the sink took of a stream is committed. */
static void report_done(struct loader *l, struct loader_tape *t)
{
    atomic_store(&t->done, t->taken);
    metric_set(METRIC_SINK_OFFSET, l->url->shown, t->job, (double)t->taken);
    report_lag(l, t);
    if (t->newest_us > 0)
        metric_set(METRIC_FRESHNESS, t->job, NULL, (double)t->newest_us / 1e6);
    t->newest_us = 0;
}

/* A batch is taken. */
static void report_batch(struct loader *l, struct loader_tape *t, const struct batch *b)
{
    const char *sink = l->url->shown;

    t->taken = t->position.offset;
    t->newest_us = b->newest_us > t->newest_us ? b->newest_us : t->newest_us;
    metric_add(METRIC_SINK_ROWS, sink, NULL, (double)b->n_stored);
    metric_add(METRIC_SINK_UNCHANGED, sink, NULL, (double)b->n_unchanged);
    metric_add(METRIC_QUARANTINED, sink, NULL, (double)b->n_refused);
    if (l->driver->settle == NULL)
        report_done(l, t);
    else
        l->is_pending = true;
    report_lag(l, t);
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
    loader_failed(l, t->job, ST_REJECT, why);
    return ST_OK;
}

static enum st load_one(struct loader *l, struct loader_tape *t, const struct gathered *poll,
                        uint32_t status, struct batch *b, bool *ret_is_refused, struct err *err)
{
    bool is_refused = t->refused == poll->end.offset;
    int64_t start = clock_mono_us(l->clock);
    bool is_last = t->ahead == 0 || b->n_polls + 1 >= LOADER_MAX_BATCH_POLLS || is_stopping(l) ||
                   start - b->began_us >= LOADER_MAX_BATCH_US || poll->end.offset <= t->alone_until;
    struct sink_load load = {
        .stream = &t->id,
        .end = &poll->end,
        .pages = poll->pages,
        .n_pages = poll->n_pages,
        .rows = poll->has_rows && !is_refused ? &poll->rows : NULL,
        .error = is_refused ? str_of(t->refusal.msg) : poll->error,
        .http_status = status,
        .credits = loader_tape_credits(t, &poll->end),
        .old = t->position,
        .new = {.offset = poll->end.offset, .hash = poll->end.hash},
    };
    struct sink_result result = {0};
    struct err why = ERR_INIT;

    load.is_last = is_last || (load.rows && b->n_rows + load.rows->rows.n >= LOADER_MAX_BATCH_ROWS);
    /* another process writes the tape: a power cut must not take from it what the sink has */
    enum st st = t->head || t->ahead != 0 ? ST_OK : tape_sync(t->dir, err);
    if (st != ST_OK)
        return st;
    start = clock_mono_us(l->clock);
    st = l->driver->load(&l->sink, &load, &result, &why);
    int64_t duration = clock_mono_us(l->clock) - start;
    *ret_is_refused = st == ST_REJECT;
    if (st == ST_REJECT && (b->n_polls > 0 || !load.is_last)) {
        t->alone_until = poll->end.offset;
        t->is_attached = false;
        return ST_OK;
    }
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
        report_batch(l, t, b);
    if (l->events.loaded)
        l->events.loaded(l->events.ctx, &load, &result, duration);
    return ST_OK;
}

/* Have the sink commit what it took, when it is time or now. */
static enum st settle(struct loader *l, bool is_forced, struct err *err)
{
    int64_t start_us = clock_mono_us(l->clock);
    bool is_settled = false;

    if (!l->is_open || !l->is_pending)
        return ST_OK;
    enum st st = l->driver->settle(&l->sink, is_forced, &is_settled, err);
    if (st != ST_OK) {
        close_sink(l);
        return st == ST_REJECT ? ST_AGAIN : st;
    }
    if (!is_settled)
        return ST_OK;
    l->is_pending = false;
    metric_observe_us(METRIC_SINK_COMMIT_SECONDS, l->url->shown,
                      clock_mono_us(l->clock) - start_us);
    for (size_t i = 0; i < l->n_tapes; i++)
        if (l->tapes[i]->is_attached)
            report_done(l, l->tapes[i]);
    if (l->events.settled)
        l->events.settled(l->events.ctx);
    return ST_OK;
}

static void expect(const struct loader *l, int64_t within_us)
{
    if (l->events.expected)
        l->events.expected(l->events.ctx, within_us);
}

/* Load one batch. *ret_has_more: there is another. */
static enum st load_batch(struct loader *l, struct loader_tape *t, bool *ret_has_more,
                          struct err *err)
{
    struct batch b = {.began_us = clock_mono_us(l->clock)};
    bool is_refused = false, is_committed = false, is_cut = false;
    enum st st = t->is_attached ? ST_OK : loader_tape_attach(l, t, err);

    if (!t->is_known && loader_tape_is_at_end(st, err)) { /* the stream has no record yet */
        *ret_has_more = false;
        return ST_OK;
    }
    if (st == ST_OK && t->ahead == 0)
        st = loader_tape_look_ahead(l, t, err);
    while (st == ST_OK && t->ahead != 0 && !is_refused && !is_committed) {
        struct gathered *poll;
        uint32_t status = t->ahead_status;
        st = loader_tape_read_poll(l, t, &poll, &is_cut, err);
        if (st == ST_OK && poll)
            st = load_one(l, t, poll, status, &b, &is_refused, err);
        is_committed = t->taken == t->position.offset;
    }
    if (st != ST_OK) {
        t->is_attached = false;
        report_lag(l, t);
    }
    bool is_open = !is_committed && !is_refused && b.n_polls > 0;
    if (!is_committed && l->events.undone)
        l->events.undone(l->events.ctx);
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
    atomic_store(&l->gathers_us, l->sink.gathers_us);
    for (size_t i = 0; st == ST_OK && i < l->n_tapes; i++) {
        struct loader_tape *t = l->tapes[i];
        st = loader_tape_attach(l, t, err);
        if (!t->is_known &&
            loader_tape_is_at_end(st, err)) /* no record yet: attached when one comes */
            st = ST_OK;
    }
    if (st != ST_OK)
        close_sink(l);
    return st;
}

/* What the sink still derives of what it has, as long as nothing more important has to wait. */
static enum st tidy(struct loader *l, struct err *err)
{
    const int64_t began_us = clock_mono_us(l->clock);
    enum st st = ST_OK;

    l->is_untidy = l->is_open && l->driver->tidy;
    while (st == ST_OK && l->is_untidy && !is_stopping(l) &&
           clock_mono_us(l->clock) - began_us < MAX_TIDY)
        st = l->driver->tidy(&l->sink, &l->is_untidy, err);
    if (st != ST_OK)
        close_sink(l);
    return st == ST_REJECT ? ST_AGAIN : st;
}

static enum st load_all(struct loader *l, struct err *err)
{
    bool has_more = true;
    enum st st = ST_OK;

    while (st == ST_OK && has_more && !is_stopping(l)) {
        has_more = false;
        st = loader_open(l, err);
        for (size_t i = 0; st == ST_OK && l->is_open && i < l->n_tapes && !is_stopping(l); i++) {
            bool has_this_more;
            expect(l, STEP_US);
            st = load_batch(l, l->tapes[i], &has_this_more, err);
            has_more |= has_this_more;
            if (st == ST_OK)
                st = settle(l, false, err);
        }
    }
    if (st == ST_OK)
        st = settle(l, false, err);
    return st == ST_OK ? tidy(l, err) : st;
}

static uint64_t count_done(const struct loader *l)
{
    uint64_t n = 0;

    for (size_t i = 0; i < l->n_tapes; i++)
        n += atomic_load(&l->tapes[i]->done);
    return n;
}

static enum st catch_up(struct loader *l, bool is_forced, struct err *err)
{
    uint64_t done, before = UINT64_MAX;

    for (;;) {
        struct err why = ERR_INIT;
        enum st st = load_all(l, &why);
        if (st == ST_OK && is_forced)
            st = settle(l, true, &why);
        done = count_done(l);
        if (st == ST_AGAIN && why.sys == SINK_OVERTAKEN && done != before) {
            before = done; /* the second time in the same place somebody has to wait */
            continue;
        }
        if (st != ST_OK)
            *err = why;
        return st;
    }
}

enum st loader_catch_up(struct loader *l, struct err *err)
{
    return catch_up(l, true, err);
}

/* Sleep, or until loader_stop(), or (has_news) until there is something to look at. */
static void sleep_us(struct loader *l, int64_t us, const bool *has_news)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (us % US_PER_S) * 1000;
    until.tv_sec += (time_t)(us / US_PER_S + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_mutex_lock(&l->lock);
    while (!is_stopping(l) && !(has_news && *has_news) &&
           pthread_cond_timedwait(&l->wake, &l->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&l->lock);
}

/* Wait until there may be more on a tape. */
static void wait_for_more(struct loader *l)
{
    expect(l, IDLE > IDLE_BLIND ? IDLE : IDLE_BLIND);
    if (l->tape)
        (void)tape_wait(l->tape, l->moves, IDLE);
    else
        sleep_us(l, IDLE_BLIND, &l->has_news);
}

/* Full jitter: sinks that failed together do not come back together. */
static void back_off(struct loader *l, int64_t *backoff_us)
{
    l->random = l->random * 6364136223846793005u + 1442695040888963407u;
    expect(l, *backoff_us);
    sleep_us(l, *backoff_us / 4 + (int64_t)((l->random >> 33) % (uint64_t)*backoff_us) * 3 / 4,
             NULL);
    *backoff_us = *backoff_us * 2 < BACKOFF_MAX ? *backoff_us * 2 : BACKOFF_MAX;
}

/* What is told from now on is looked at in the next round. */
static void take_news(struct loader *l)
{
    pthread_mutex_lock(&l->lock);
    l->has_news = false;
    pthread_mutex_unlock(&l->lock);
    if (l->tape)
        l->moves = tape_moves(l->tape);
}

/* Told to stop: what is taken is committed, or comes again at the next start. */
static enum st settle_last(struct loader *l, struct err *err)
{
    struct err why = ERR_INIT;

    enum st st = settle(l, true, &why);
    if (st == ST_OK)
        return ST_OK;
    loader_failed(l, NULL, st, &why);
    if (st != ST_FATAL)
        return ST_OK;
    *err = why;
    return ST_FATAL;
}

enum st loader_run(struct loader *l, struct err *err)
{
    int64_t backoff_us = BACKOFF_FIRST;
    enum st st = ST_OK;

    while (!is_stopping(l)) {
        struct err why = ERR_INIT;
        bool has_more = false;
        take_news(l);
        expect(l, STEP_US);
        st = catch_up(l, atomic_load(&l->is_hurried) || is_stopping(l), &why);
        if (st == ST_OK && !is_stopping(l))
            st = replay_step(l, &has_more, &why);
        if (st == ST_OK) {
            backoff_us = BACKOFF_FIRST;
            report_working(l);
            if (!is_stopping(l) && !has_more && !l->is_untidy)
                wait_for_more(l);
            continue;
        }
        /* what a sink refuses as a whole (another program's file) is not better next time */
        st = st == ST_AGAIN ? ST_AGAIN : ST_FATAL;
        loader_failed(l, NULL, st, &why);
        if (st == ST_FATAL) {
            *err = why;
            break;
        }
        back_off(l, &backoff_us);
        st = ST_OK;
    }
    if (st == ST_OK)
        st = settle_last(l, err);
    expect(l, INT64_MAX);
    replay_end(l, st, err);
    return st;
}

void loader_wake_up(struct loader *l)
{
    l->has_news = true;
    pthread_cond_broadcast(&l->wake);
    if (l->tape)
        tape_wake(l->tape);
}

enum st loader_add_stream(struct loader *l, const struct loader_stream *stream, struct err *err)
{
    enum st st = ST_OK;

    pthread_mutex_lock(&l->lock);
    if (atomic_load(&l->n_tapes) < LOADER_MAX_STREAMS)
        add_stream(l, stream);
    else
        st = err_set(err, ST_REJECT, "%s: job %s: a sink loads at most %d streams", l->url->shown,
                     stream->job, LOADER_MAX_STREAMS);
    loader_wake_up(l);
    pthread_mutex_unlock(&l->lock);
    return st;
}

void loader_stop(struct loader *l)
{
    pthread_mutex_lock(&l->lock);
    atomic_store(&l->is_stopping, true);
    loader_wake_up(l);
    pthread_mutex_unlock(&l->lock);
}

void loader_hurry(struct loader *l)
{
    pthread_mutex_lock(&l->lock);
    atomic_store(&l->is_hurried, true);
    loader_wake_up(l);
    pthread_mutex_unlock(&l->lock);
}

int64_t loader_gathers_us(const struct loader *l)
{
    return atomic_load(&l->gathers_us);
}

uint64_t loader_offset(const struct loader *l, size_t stream)
{
    return stream < atomic_load(&l->n_tapes) ? atomic_load(&l->tapes[stream]->done) : 0;
}

enum st loader_note(const struct loader *l, const char *data_dir, struct err *err)
{
    size_t n_tapes = atomic_load(&l->n_tapes), n = 0;
    struct known_stream *streams = mem_new(n_tapes + 1, sizeof(*streams));
    enum st st = ST_OK;

    for (size_t i = 0; i < n_tapes; i++) {
        const struct loader_tape *t = l->tapes[i];
        if (!atomic_load(&t->is_met))
            continue;
        sink_uuid_text(&t->id, streams[n].uuid);
        memcpy(streams[n].job, t->id.job, sizeof(t->id.job));
        streams[n++].offset = atomic_load(&t->done);
    }
    if (n > 0)
        st = known_note(data_dir, l->url, streams, n, err);
    mem_free(streams);
    return st;
}
