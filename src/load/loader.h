/* The one loader loop: reads a tape, transforms, loads, for one sink.
 *
 * Per stream it keeps the sink's position and, where the driver wants history, the last row-bearing
 * and the last ok poll. It acts at `end` records. A sink that fails with ST_AGAIN is retried for
 * ever with a capped, jittered backoff; nothing else is held back by it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_LOADER_H
#define LOAD_LOADER_H

#include "load/sink.h"
#include "tape/writer.h"

#include <stdatomic.h>

struct loader;

/* What the loader tells its owner; called on the loader's thread. */
struct loader_events {
    void *ctx;
    /* The sink has taken a load; what load points to goes with the call. It is committed when
     * load->is_last, or, of a sink that gathers, when `settled` is told. The others are told as
     * they come, since telling them later would keep the rows of a whole batch in memory: when the
     * batch fails they are told again. A poll that is loaded while it is the newest is a batch of
     * its own. */
    void (*loaded)(void *ctx, const struct sink_load *load, const struct sink_result *result,
                   int64_t duration_us);
    /* st: what the loader makes of it: ST_AGAIN it waits, ST_REJECT it steps over, ST_FATAL it
     * stops */
    void (*failed)(void *ctx, const char *job, enum st st, const struct err *err);
    void (*settled)(void *ctx); /* a sink that gathers has committed all that it had taken */
    void (*undone)(void *ctx);  /* what was loaded since the last commit is not: it comes again */
    /* The loader's thread comes round again within so long, as a rule; INT64_MAX: it has ended. */
    void (*expected)(void *ctx, int64_t within_us);
    void (*recovered)(void *ctx);                /* the first good load after a failed one */
    void (*told)(void *ctx, const char *text);   /* the sink has something to say to people */
    void (*warned)(void *ctx, const char *text); /* as sink.h's warn, and as often */
};

#define LOADER_MAX_STREAMS 256

struct loader_stream {
    char dir[1024];         /* of the tape's stream */
    struct tape_head *head; /* NULL: read to the end of what is on disk */
    char job[TAPE_MAX_JOB + 1];
};

struct loader_setup {
    const struct sink_url *url;
    const struct loader_stream *streams;
    size_t n_streams;
    struct tape *tape; /* where the heads are; NULL: another process writes, look now and then */
    struct clock *clock;
    const char *data_dir; /* whose tape it is; must stay; NULL: a sink that needs one refuses */
    bool is_simulated;
    int64_t retain_rows_us, retain_5m_us; /* the sink's */
    bool accepts_gap; /* a position older than the oldest record kept goes on with that one */
    struct loader_events events;
    uint64_t max_poll_bytes; /* ceiling of one poll in memory, bodies and rows */
};

/* Owner: the caller, loader_free(). Copies what it needs of setup but the url and the heads. */
struct loader *loader_new(const struct loader_setup *setup);
void loader_free(struct loader *l); /* closes the sink; NULL is fine */

/* Open the sink and attach all streams. ST_AGAIN may be tried again. */
enum st loader_open(struct loader *l, struct err *err) MUST_USE;

/* Load everything up to the heads, then return ST_OK. ST_AGAIN: the sink refuses now; where another
 * writer was quicker, for the second time in the same place. */
enum st loader_catch_up(struct loader *l, struct err *err) MUST_USE;

/* Thread body: open, catch up, wait for more, until loader_stop(). Returns ST_OK when stopped,
 * ST_FATAL when the sink must not go on. */
enum st loader_run(struct loader *l, struct err *err) MUST_USE;

/* Any thread: from now on this stream too. ST_REJECT beyond LOADER_MAX_STREAMS. */
enum st loader_add_stream(struct loader *l, const struct loader_stream *stream,
                          struct err *err) MUST_USE;

/* ---- replay: what the sink holds is made anew by today's transform, poll by poll ----
 *
 * Only polls that the sink has loaded from these very streams, and that are whole on the tape; the
 * position does not move. A poll that today's transform, or the sink, refuses as a whole keeps the
 * rows it has. By default only polls that another transform made: a replay that was cut short goes
 * on when it is started again, where the sink keeps the version of the transform.
 */

struct loader_replay {
    char job[TAPE_MAX_JOB + 1]; /* "": every stream */
    int64_t since_us, until_us; /* slots: since <= slot < until */
    bool is_forced;             /* also polls that today's transform made */
};

struct loader_replay_progress {
    bool is_running, is_done;
    uint64_t n_due;     /* polls; 0 until they are counted */
    uint64_t n_done;    /* of them: made anew, missing or refused */
    uint64_t n_rows;    /* stored or left out as unchanged */
    uint64_t n_missing; /* not whole on the tape */
    uint64_t n_refused; /* as a whole, by today's transform or the sink */
    uint64_t n_current; /* not due: today's transform made them */
    uint64_t n_other;   /* not due: rows of other streams */
    char first_refusal[ERR_MSG_SIZE];
    enum st st;               /* when done; ST_AGAIN: cut short, start it again to go on */
    char error[ERR_MSG_SIZE]; /* why it is not ST_OK */
};

/* Any thread: ask for a replay; loader_run() does it batch by batch between live loads. ST_REJECT:
 * the sink has no way to do it, or no such job; ST_AGAIN: one is running, or the loader is not. */
enum st loader_replay_start(struct loader *l, const struct loader_replay *what,
                            struct err *err) MUST_USE;
void loader_replay_progress(struct loader *l, struct loader_replay_progress *ret); /* any thread */
void loader_replay_cancel(struct loader *l); /* any thread: end after the batch at hand */

/* Thread body in place of loader_run(): nothing but the replay that was asked for. What progress
 * says is how it ended. */
void loader_replay_run(struct loader *l);

/* Any thread: note in data_dir (load/known.h) how far the sink is in the streams it has been asked
 * about. */
enum st loader_note(const struct loader *l, const char *data_dir, struct err *err) MUST_USE;

/* Any thread: make loader_run() return after the load at hand. */
void loader_stop(struct loader *l);

/* Any thread: from now on have the sink commit at once what it takes. */
void loader_hurry(struct loader *l);

/* Any thread: how long the sink gathers polls before it commits them, at most; 0: it does not. */
int64_t loader_gathers_us(const struct loader *l);

/* Any thread: the committed offset of a stream (its index in setup.streams, then in the order of
 * loader_add_stream()). */
uint64_t loader_offset(const struct loader *l, size_t stream);

#endif
