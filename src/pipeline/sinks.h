/* The sinks: a loader and a thread each, attached to every stream.
 *
 * Threads: add, remove and stop one at a time (see struct pipeline's `change`); what says so may be
 * called from any. A sink that was removed gives its place in the snapshot to a later one.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_SINKS_H
#define PIPELINE_SINKS_H

#include "load/sink.h"
#include "pipeline/streams.h"

/* A poll that a sink has taken and committed. */
struct sinks_loaded {
    const struct sink_url *url; /* the sink's */
    bool is_first;              /* … of all there are */
    bool is_behind;             /* polls before it are of the same batch: the sink caught up */
    const struct sink_load *load;
    const struct sink_result *result;
};

struct sinks_setup {
    struct tape *tape;
    struct clock *clock;
    struct streams *streams;
    struct status *status;
    bool is_simulated, accepts_gap;
    int64_t retain_rows_us, retain_5m_us; /* of sinks that have rows; 0: for ever */
    const atomic_bool *is_stopping;       /* waits end soon when it gets true */
    /* Each poll once, when the first sink has taken it (on that sink's thread). May be NULL. */
    void (*poll_loaded)(void *ctx, const struct sink_load *load, const struct sink_result *result);
    void *ctx;
    /* Each commit of a sink, with its last poll, on that sink's thread. May be NULL. */
    void (*sink_loaded)(void *ctx, const struct sinks_loaded *loaded);
    void *sink_ctx;
};

struct sinks;

struct sinks *sinks_new(const struct sinks_setup *setup);
void sinks_free(struct sinks *s); /* NULL is fine; after sinks_stop() when started */

/* Add a sink for all streams; no thread yet. ST_REJECT when there are STATUS_MAX_SINKS. */
enum st sinks_add(struct sinks *s, const struct sink_url *url, struct err *err) MUST_USE;

/* Start the threads of those that have none. */
enum st sinks_start(struct sinks *s, struct err *err) MUST_USE;

/* Stop a sink and forget it here. ST_AGAIN when it does not stop in time: its thread is left to
 * itself, and joined by sinks_stop(). */
enum st sinks_remove(struct sinks *s, const char *url, int64_t deadline_us,
                     struct err *err) MUST_USE;

/* A stream that was opened meanwhile. */
void sinks_add_stream(struct sinks *s, const struct stream *stream);

/* Any thread. The URLs as given; the sink at place i, NULL when there is none. */
bool sinks_has(struct sinks *s, const char *url);
const struct sink_url *sinks_at(struct sinks *s, size_t i);

bool sinks_has_name(struct sinks *s, const char *name); /* of known_name() */

/* Any thread: let this sink make its polls anew, and wait for the end. go_on is asked several times
 * a second, and may cancel. *ret_done is what was done, also when it failed. ST_REJECT: there is no
 * such sink, or it cannot; else as loader_replay_progress.st says. */
enum st sinks_replay(struct sinks *s, const char *url, const struct loader_replay *what,
                     bool (*go_on)(void *ctx, const struct loader_replay_progress *now), void *ctx,
                     struct loader_replay_progress *ret_done, struct err *err) MUST_USE;

/* Any thread: show how far all sinks are. */
void sinks_show_lag(struct sinks *s);

/* Any thread: note in DATA how far all sinks are, so that nothing they lack is removed from the
 * tape; to be called before anything is. The first failure is returned after all had their turn. */
enum st sinks_note(struct sinks *s, struct err *err) MUST_USE;

/* Any thread: did that succeed for every sink there is, with the stream at this place? If not, none
 * of it may be removed. */
bool sinks_are_noted(struct sinks *s, size_t stream);

/* Sinks that gather commit what they have, and from now on at once. */
void sinks_hurry(struct sinks *s);

/* All that can work now have loaded everything. */
bool sinks_are_caught_up(struct sinks *s);

/* Load all up to the heads, in this thread, without the threads of their own; the first failure is
 * returned after all had their turn. */
enum st sinks_load(struct sinks *s, struct err *err) MUST_USE;

/* Stop all threads. ST_FATAL when one did not stop in time; then s must live on. */
enum st sinks_stop(struct sinks *s, int64_t deadline_us, struct err *err) MUST_USE;

#endif
