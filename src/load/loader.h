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
     * load->is_last. The others are told as they come, since telling them later would keep the rows
     * of a whole batch in memory: when the batch fails they are told again. A poll that is loaded
     * while it is the newest is a batch of its own. */
    void (*loaded)(void *ctx, const struct sink_load *load, const struct sink_result *result,
                   int64_t duration_us);
    /* st: what the loader makes of it: ST_AGAIN it waits, ST_REJECT it steps over, ST_FATAL it
     * stops */
    void (*failed)(void *ctx, const char *job, enum st st, const struct err *err);
    void (*recovered)(void *ctx); /* the first good load after a failed one */
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
    bool is_simulated;
    bool accepts_gap; /* a position older than the oldest record kept goes on with that one */
    struct loader_events events;
    uint64_t max_poll_bytes; /* ceiling of one poll in memory, bodies and rows */
};

/* Owner: the caller, loader_free(). Copies what it needs of setup but the url and the heads. */
struct loader *loader_new(const struct loader_setup *setup);
void loader_free(struct loader *l); /* closes the sink; NULL is fine */

/* Open the sink and attach all streams. ST_AGAIN may be tried again. */
enum st loader_open(struct loader *l, struct err *err) MUST_USE;

/* Load everything up to the heads, then return ST_OK. ST_AGAIN: the sink refuses now. */
enum st loader_catch_up(struct loader *l, struct err *err) MUST_USE;

/* Thread body: open, catch up, wait for more, until loader_stop(). Returns ST_OK when stopped,
 * ST_FATAL when the sink must not go on. */
enum st loader_run(struct loader *l, struct err *err) MUST_USE;

/* Any thread: from now on this stream too. ST_REJECT beyond LOADER_MAX_STREAMS. */
enum st loader_add_stream(struct loader *l, const struct loader_stream *stream,
                          struct err *err) MUST_USE;

/* Any thread: note in data_dir (load/known.h) how far the sink is in the streams it has been asked
 * about. */
enum st loader_note(const struct loader *l, const char *data_dir, struct err *err) MUST_USE;

/* Any thread: make loader_run() return after the load at hand. */
void loader_stop(struct loader *l);

/* Any thread: the committed offset of a stream (its index in setup.streams, then in the order of
 * loader_add_stream()). */
uint64_t loader_offset(const struct loader *l, size_t stream);

#endif
