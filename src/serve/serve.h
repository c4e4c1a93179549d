/* The collector's own web server: /healthz /readyz /metrics / /api/… /api/v3/…. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

#include "query/query.h"
#include "serve/guard.h"
#include "status/status.h"

/* A record of the tape; its texts live in the arena. */
struct serve_record {
    struct str head; /* a JSON object without its closing brace */
    struct str body; /* as it came; p is NULL where there is none */
    bool is_json;
};

/* What became of a call that a caller's request took. */
enum serve_fetch_end {
    SERVE_ANSWERED,  /* and it is on the tape, whatever it says */
    SERVE_NO_ANSWER, /* none came, or none that was whole */
    SERVE_NO_TURN,   /* no call could be made in time */
    SERVE_NOT_KEPT,  /* the tape does not take it */
    SERVE_STOPPED,
};

struct serve_fetched {
    enum serve_fetch_end end;
    bool is_good; /* it is data, and no error */
    int status;
    struct str headers, body; /* headers as in struct http_answer */
    int64_t wait_us;          /* until another call can be made, as far as is known */
    const char *error;        /* for people; "" when good */
};

/* The API behind ours. */
struct serve_upstream {
    /* Ask it for this path and query below its base URL, begun within wait_us; on the server's
     * thread. A ticket, of which serve_fetched() tells; 0: not now. NULL: there is no upstream */
    uint64_t (*fetch)(void *ctx, struct str target, int64_t wait_us);
    void *ctx;
    int64_t max_age_us; /* of answers, for who does not say otherwise */
};

struct serve_setup {
    char address[64];
    uint16_t port;
    struct status *status;
    struct query *query; /* NULL: no store that can be read; the API answers 501 and says why */
    /* What the time is to all answers. NULL: the system's clock, and the store as it is */
    struct clock *past;
    bool is_reader;                 /* of a store that others write: nothing polls or loads here */
    const char *tls_cert, *tls_key; /* as in struct http_setup */
    struct guard guard;             /* what it points to is borrowed; NULL is as "" */
    /* extract_poll_now() of the process; on the server's thread. NULL: nothing polls here */
    uint64_t (*poll_now)(void *ctx, const char *job);
    void *ctx;
    /* A record of the tape; on the server's thread. ST_REJECT: it is not there (any more), the
     * message says why. NULL: there is no tape here */
    enum st (*read_record)(void *ctx, struct str stream, uint64_t offset, struct arena *arena,
                           struct serve_record *ret_record, struct err *err);
    void *record_ctx;
    struct serve_upstream upstream;
};

/* What a sink has taken, for those who watch. */
struct serve_loaded {
    const struct cell *poll; /* a row of poll_table; NULL: no poll is told of */
    int64_t latency_us;      /* of its last answer; 0: there was none, or nobody knows */
    const char *vs_currency;
    const struct rows *rows;  /* of market_table, when it has stored such; else NULL */
    const bool *is_unchanged; /* of each row; NULL: none is */
    const struct str *absent; /* coins that were there before */
    size_t n_absent;
    bool is_behind; /* the sink caught up: polls before it were not told */
};

struct serve;

enum st serve_start(const struct serve_setup *setup, struct serve **ret_serve,
                    struct err *err) MUST_USE;
uint16_t serve_port(const struct serve *s);
const struct pulse *serve_pulse(const struct serve *s); /* of its thread; any thread */

/* Any thread: read the certificate's files again. ST_FATAL: what was read before goes on. */
enum st serve_reload(struct serve *s, struct err *err) MUST_USE;

/* Any thread: does anybody watch? Else there is no need to tell. */
bool serve_is_watched(struct serve *s);
void serve_tell(struct serve *s, const struct serve_loaded *loaded); /* any thread */

/* Any thread: what became of a ticket of upstream.fetch. */
void serve_fetched(struct serve *s, uint64_t ticket, const struct serve_fetched *fetched);

void serve_stop(struct serve *s); /* NULL is fine */

#endif
