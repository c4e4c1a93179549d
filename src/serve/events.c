/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/events.h"

#include "base/clock.h"
#include "base/mem.h"
#include "serve/health.h"
#include "serve/json.h"
#include "serve/market.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <xxhash.h>

#define MAX_EVENTS    64                        /* kept for clients that are behind */
#define MAX_LOG_BYTES ((size_t)8 * 1024 * 1024) /* of them, but for the newest */
#define MAX_EVENT     ((size_t)32 * 1024 * 1024)
#define LOOK_US       US_PER_S        /* how often the state is looked at */
#define PING_US       (15 * US_PER_S) /* a comment, so that proxies and clients see life */
#define FORGET_US     (60 * US_PER_S) /* after the last client has gone */
#define RETRY_MS      2000            /* when clients are to come back */
#define PING          ":\n\n"

struct event {
    size_t len;
    char *text;
};

struct events {
    struct status *status;
    struct clock *past;   /* NULL: it tells of now */
    int64_t boot_us;      /* part of every id: those of another process mean nothing here */
    atomic_bool is_heard; /* else nothing is written */

    pthread_mutex_t lock; /* guards the log */
    struct event log[MAX_EVENTS];
    uint64_t first, next; /* numbers of the events that are there: first <= n < next */
    size_t bytes;

    size_t n_clients;
    uint64_t woken;      /* `next`, when clients were woken last */
    uint64_t ping;       /* raised for each ping */
    int64_t ping_us;     /* when the next is due */
    int64_t look_us;     /* … and the next look at the state */
    int64_t deserted_us; /* since when there is no client; 0: there is one, or none ever was */
    uint64_t state;      /* hash of what was told last */
};

struct client {
    struct events *events;
    uint64_t at;   /* the event that it reads */
    size_t taken;  /* bytes of it */
    uint64_t ping; /* the last that it got */
    size_t own_len, own_taken;
    char own[160]; /* comes before the events */
};

/* ---- the log ---- */

/* The lock is held. */
static void drop_first(struct events *e)
{
    struct event *event = &e->log[e->first++ % MAX_EVENTS];

    e->bytes -= event->len;
    mem_free(event->text);
    *event = (struct event){.text = NULL};
}

/* Takes the text; without one the event is lost, and whoever waits for it as well. */
static void append(struct events *e, struct buf *text)
{
    const bool is_lost = text->is_overflow || text->p == NULL;

    if (e->next - e->first == MAX_EVENTS)
        drop_first(e);
    while (e->first < e->next && (is_lost || e->bytes + text->len > MAX_LOG_BYTES))
        drop_first(e);
    if (is_lost) {
        buf_release(text);
        e->first = ++e->next;
        return;
    }
    e->log[e->next++ % MAX_EVENTS] = (struct event){.len = text->len, .text = text->p};
    e->bytes += text->len;
    buf_init(text, text->max);
}

/* One line of data. */
static void tell(struct events *e, const char *name, const struct buf *data)
{
    struct buf text = BUF_INIT(MAX_EVENT);

    pthread_mutex_lock(&e->lock);
    if (data->is_overflow)
        buf_room(&text, MAX_EVENT + 1);
    buf_addf(&text, "id: %" PRIx64 "-%" PRIu64 "\nevent: %s\ndata: ", (uint64_t)e->boot_us, e->next,
             name);
    buf_add_str(&text, str_trim(buf_str(data)));
    buf_add_z(&text, "\n\n");
    append(e, &text);
    pthread_mutex_unlock(&e->lock);
}

/* ---- polls ---- */

bool events_are_heard(struct events *e)
{
    return atomic_load(&e->is_heard);
}

static void add_poll(struct buf *b, const struct serve_loaded *loaded)
{
    buf_add_char(b, '{');
    for (size_t i = 0; i < N_POLL_COLUMNS; i++) {
        json_add_key(b, poll_table.columns[i].name);
        own_add_value(b, &loaded->poll[i]);
    }
    json_add_key(b, "latency_ms");
    buf_add_i64(b, (loaded->latency_us + US_PER_MS / 2) / US_PER_MS);
    buf_add_char(b, '}');
}

static void add_absent(struct buf *b, const struct serve_loaded *loaded)
{
    json_add_key(b, "gone");
    buf_add_char(b, '[');
    for (size_t i = 0; i < loaded->n_absent; i++) {
        buf_add_z(b, i > 0 ? "," : "");
        buf_add_json_str(b, loaded->absent[i]);
    }
    buf_add_char(b, ']');
}

/* False: the poll changed nothing. */
static bool add_changes(struct buf *b, const struct serve_loaded *loaded)
{
    size_t n = 0;

    market_add_head(b, &market_shown, str_of(loaded->vs_currency), loaded->rows);
    json_add_key(b, "rows");
    buf_add_char(b, '[');
    for (size_t i = 0; i < loaded->rows->n; i++) {
        if (loaded->is_unchanged && loaded->is_unchanged[i])
            continue;
        buf_add_z(b, n++ > 0 ? "," : "");
        market_add_row(b, &market_shown, rows_at(loaded->rows, i));
    }
    buf_add_char(b, ']');
    add_absent(b, loaded);
    buf_add_char(b, '}');
    return n + loaded->n_absent > 0;
}

void events_tell_poll(struct events *e, const struct serve_loaded *loaded)
{
    struct buf data = BUF_INIT(MAX_EVENT);

    if (loaded->poll) {
        add_poll(&data, loaded);
        tell(e, "poll", &data);
        buf_clear(&data);
    }
    if (loaded->is_behind)
        buf_add_z(&data, "{}");
    if (loaded->is_behind)
        tell(e, "reset", &data);
    else if (loaded->rows && add_changes(&data, loaded))
        tell(e, "market", &data);
    buf_release(&data);
}

/* ---- the state ---- */

/* Of what makes an event when it changes. */
static uint64_t hash_state(const struct status_snapshot *now)
{
    struct buf b = BUF_INIT(MAX_EVENT);

    buf_addf(&b, "%d", now->is_stopping);
    for (size_t i = 0; i < now->n_jobs; i++) {
        const struct status_job *job = &now->jobs[i];
        buf_addf(&b, "%s %d %d %d %" PRId64 " %s %s %s %s\n", job->name, job->is_gone, job->is_idle,
                 job->is_polling, job->last_slot_us, job->last_outcome, job->last_error, job->drift,
                 job->flagged);
    }
    for (size_t i = 0; i < now->n_sinks; i++) {
        const struct status_sink *sink = &now->sinks[i];
        buf_addf(&b, "%s %d %d %" PRIu64 " %s %s\n", sink->url, sink->is_gone, (int)sink->state,
                 sink->lag, sink->last_error, sink->warning);
    }
    const uint64_t hash = XXH3_64bits(buf_z(&b), b.len);
    buf_release(&b);
    return hash;
}

static void look(struct events *e, struct status_snapshot *snapshot)
{
    struct buf data = BUF_INIT(MAX_EVENT);

    status_copy(e->status, snapshot);
    const uint64_t state = hash_state(snapshot);
    snapshot->at_us = e->past ? clock_wall_us(e->past) : 0;
    if (state != e->state) {
        health_add_status(&data, snapshot, clock_wall_us(clock_system()));
        tell(e, "status", &data);
    }
    e->state = state;
    buf_release(&data);
}

/* ---- clients ---- */

static size_t take(char *to, size_t max, const char *from, size_t len, size_t *taken)
{
    const size_t n = len - *taken < max ? len - *taken : max;

    memcpy(to, from + *taken, n);
    *taken += n;
    return n;
}

/* The lock is held. */
static ssize_t read_log(struct client *c, char *to, size_t max)
{
    struct events *e = c->events;

    if (c->at < e->first)
        return -1; /* fell behind */
    if (c->at == e->next)
        return 0;
    const struct event *event = &e->log[c->at % MAX_EVENTS];
    const size_t n = take(to, max, event->text, event->len, &c->taken);
    if (c->taken == event->len) {
        c->at++;
        c->taken = 0;
    }
    return (ssize_t)n;
}

static ssize_t client_read(void *ctx, char *to, size_t max)
{
    struct client *c = ctx;
    struct events *e = c->events;
    ssize_t n = 0;

    if (c->own_taken < c->own_len)
        return (ssize_t)take(to, max, c->own, c->own_len, &c->own_taken);
    pthread_mutex_lock(&e->lock);
    /* as many events as fit: each answer to MHD costs it a system call */
    for (ssize_t more = 1; more > 0 && (size_t)n < max; n += more > 0 ? more : 0) {
        more = read_log(c, to + n, max - (size_t)n);
        if (more < 0 && n == 0)
            n = -1;
    }
    pthread_mutex_unlock(&e->lock);
    if (n == 0 && c->ping != e->ping && max >= sizeof(PING) - 1) {
        memcpy(to, PING, sizeof(PING) - 1);
        n = sizeof(PING) - 1;
    }
    if (n > 0)
        c->ping = e->ping;
    return n;
}

static void client_closed(void *ctx)
{
    struct client *c = ctx;

    c->events->n_clients--;
    mem_free(c);
}

/* The event after that of the id; false when the log no longer has it, or the id is not ours. The
 * lock is held. */
static bool find_next(const struct events *e, struct str id, uint64_t *ret_at)
{
    char boot[32];
    const int len = snprintf(boot, sizeof(boot), "%" PRIx64 "-", (uint64_t)e->boot_us);
    int64_t n;

    if (!str_starts(id, (struct str){boot, (size_t)len}) ||
        !str_to_i64((struct str){id.p + len, id.len - (size_t)len}, 0, INT64_MAX, &n) ||
        (uint64_t)n + 1 < e->first || (uint64_t)n >= e->next)
        return false;
    *ret_at = (uint64_t)n + 1;
    return true;
}

/* Where the client begins; its id so far, so that it can come back before the first event. */
static void begin(struct client *c, struct str last_id)
{
    struct events *e = c->events;

    pthread_mutex_lock(&e->lock);
    c->at = e->next;
    const bool is_reset = last_id.p && !find_next(e, last_id, &c->at);
    c->own_len = (size_t)snprintf(
        c->own, sizeof(c->own), "retry: %d\nid: %" PRIx64 "-%" PRIu64 "\n%s\n", RETRY_MS,
        (uint64_t)e->boot_us, c->at - 1, is_reset ? "event: reset\ndata: {}\n" : "");
    pthread_mutex_unlock(&e->lock);
}

void events_open(struct own *own, struct str last_id, struct http_response *res)
{
    struct events *e = own->events;
    struct client *c = mem_try(NULL, sizeof(*c));

    if (c == NULL) {
        own_refuse(res, 503, "no memory for one more client");
        return;
    }
    *c = (struct client){.events = e, .ping = e->ping};
    begin(c, last_id);
    e->n_clients++;
    e->deserted_us = 0;
    if (!atomic_exchange(&e->is_heard, true))
        e->look_us = e->ping_us = 0;
    res->content_type = "text/event-stream; charset=utf-8";
    http_add_header(res, "X-Accel-Buffering", "no"); /* nginx would keep events to itself */
    res->stream = (struct http_stream){.read = client_read, .closed = client_closed, .ctx = c};
}

void events_get(struct own *own, const struct http_request *req, struct http_response *res)
{
    events_open(own, http_header(req, "Last-Event-ID"), res);
}

/* ---- time ---- */

static void forget(struct events *e)
{
    atomic_store(&e->is_heard, false);
    pthread_mutex_lock(&e->lock);
    while (e->first < e->next)
        drop_first(e);
    /* what happens now has no number: who comes back is told that */
    e->first = ++e->next;
    pthread_mutex_unlock(&e->lock);
}

int64_t events_tick(struct events *e, struct status_snapshot *snapshot, int64_t now_us,
                    bool *ret_wake)
{
    *ret_wake = false;
    if (!events_are_heard(e))
        return INT64_MAX;
    if (e->n_clients == 0 && e->deserted_us == 0)
        e->deserted_us = now_us;
    if (e->deserted_us != 0 && now_us - e->deserted_us >= FORGET_US) {
        forget(e);
        return INT64_MAX;
    }
    if (now_us >= e->look_us) {
        look(e, snapshot);
        e->look_us = now_us + LOOK_US;
    }
    if (now_us >= e->ping_us) {
        e->ping++;
        e->ping_us = now_us + PING_US;
        *ret_wake = true;
    }
    pthread_mutex_lock(&e->lock);
    *ret_wake |= e->woken != e->next;
    e->woken = e->next;
    pthread_mutex_unlock(&e->lock);
    return e->look_us < e->ping_us ? e->look_us : e->ping_us;
}

/* ---- life ---- */

struct events *events_new(struct status *status, struct clock *past)
{
    struct events *e = mem_new(1, sizeof(*e));

    e->status = status;
    e->past = past;
    e->boot_us = clock_wall_us(clock_system());
    e->first = e->next = 1;
    pthread_mutex_init(&e->lock, NULL);
    return e;
}

void events_free(struct events *e)
{
    if (!e)
        return;
    while (e->first < e->next)
        drop_first(e);
    pthread_mutex_destroy(&e->lock);
    mem_free(e);
}

const struct operation op_events = {.summary = "what happens, as server-sent events",
                                    .type = "text/event-stream"};
