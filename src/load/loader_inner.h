/* The parts of a loader: the loop (loader.c), its streams (loader_tape.c), making polls anew
 * (replay.c). Private to load/.
 *
 * Threads: everything belongs to the loader's thread but what says otherwise.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_LOADER_INNER_H
#define LOAD_LOADER_INNER_H

#include "load/gather.h"
#include "load/loader.h"
#include "tape/reader.h"

#include <pthread.h>

struct loader_tape {
    char dir[1024];
    char job[TAPE_MAX_JOB + 1];
    struct tape_head *head; /* NULL: read to the end of what is on disk */
    struct tape_reader *reader;
    struct stream_id id;
    bool is_known; /* id was read */
    bool is_attached;
    bool is_gap_told;           /* the gap that is accepted */
    struct position position;   /* of the sink, within a batch */
    uint64_t taken;             /* offset that whole batches are at */
    int64_t newest_us;          /* of the rows that are not committed yet */
    atomic_uint_least64_t done; /* offset that is committed; any thread */
    atomic_bool is_met;         /* attached once: done is the sink's, id stays; any thread */
    struct gather gather;

    /* the next `end` on the tape, found ahead so that the last load of a batch is known as such */
    uint64_t ahead;                /* its offset; 0: none is there */
    uint32_t ahead_status, status; /* HTTP status of the last page in front of it, and of now */
    uint64_t seen;                 /* the head when we looked last */
    uint64_t lost;                 /* an end that was damaged after we had seen it */

    /* credits at the last end */
    uint64_t credits_key, credits_spent;
    int64_t credits_from_us;

    /* polls up to this one are batches of their own: one of a batch was refused */
    uint64_t alone_until;
    /* the poll that the sink refused: loaded without rows next time */
    uint64_t refused;
    struct err refusal;
};

/* a transaction of a backlog: large enough that its own cost is little, soon over also where the
 * way to the store is slow */
#define LOADER_MAX_BATCH_ROWS  20000
#define LOADER_MAX_BATCH_POLLS 100
#define LOADER_MAX_BATCH_US    (2 * US_PER_S)

struct replay {
    /* guarded by the loader's lock */
    struct loader_replay what;
    struct loader_replay_progress progress;
    bool is_cancelled;
    bool is_over; /* the loader has ended: none can be started */

    /* the loader's thread's */
    bool is_begun;
    size_t tape;             /* at hand, index */
    struct sink_stored done; /* the last poll of it that is done with */
    bool was_overtaken;      /* the batch at hand comes again */
    size_t limit;            /* of the next batch, in front of a poll that is refused; 0: none */
    struct tape_reader *reader;
    struct gather gather;
};

struct loader {
    const struct sink_url *url;
    const struct sink_driver *driver; /* NULL until it was looked up */
    struct sink sink;
    bool is_open, has_failed;
    bool is_untidy;                                /* the sink has more to derive of what it has */
    bool is_pending;                               /* it has taken what it has not committed */
    atomic_int_least64_t gathers_us;               /* sink.gathers_us; any thread */
    struct loader_tape *tapes[LOADER_MAX_STREAMS]; /* a pointer that is there stays */
    atomic_size_t n_tapes;                         /* any thread; grows with `lock` held */
    struct tape *tape;
    uint64_t moves; /* of the tape, when we began to look for more */
    uint64_t max_poll_bytes;
    bool accepts_gap;
    struct json *json;
    struct clock *clock;
    struct loader_events events;
    uint64_t random;
    atomic_bool is_stopping, is_hurried;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* is_stopping or has_news */
    bool has_news;       /* guarded by lock: do not wait for the tapes now */
    struct replay replay;
};

/* The stream's head; without one, beyond everything. */
uint64_t loader_tape_head(const struct loader_tape *t);

/* Count damage on the tape, and tell the owner. */
void loader_tape_damaged(struct loader *l, struct loader_tape *t, const struct err *err);

/* Is the tape read to its end? Else ST_AGAIN means that it cannot be read now. */
bool loader_tape_is_at_end(enum st st, const struct err *err);

/* Find the next end; t->ahead is 0 when there is none yet. */
enum st loader_tape_look_ahead(struct loader *l, struct loader_tape *t, struct err *err) MUST_USE;

/* Take the stream over in the sink and go to where it is. The returns of sink_driver.attach;
 * ST_AGAIN also while the stream has no record yet (t->is_known). */
enum st loader_tape_attach(struct loader *l, struct loader_tape *t, struct err *err) MUST_USE;

/* Read the poll at t->ahead, NULL when it was damaged since it was seen, and look for the next.
 * *ret_is_cut: the tape cannot be read behind it, with which the next batch is to begin. */
enum st loader_tape_read_poll(struct loader *l, struct loader_tape *t, struct gathered **ret_poll,
                              bool *ret_is_cut, struct err *err) MUST_USE;

/* What the poll cost: the stream's running count, less that of the end before. */
uint64_t loader_tape_credits(struct loader_tape *t, const struct tape_record *end);

/* Tell the owner, and count, what the loader makes of a failure. */
void loader_failed(struct loader *l, const char *job, enum st st, const struct err *err);

/* Make the loader look around now; lock is held. */
void loader_wake_up(struct loader *l);

/* Do a batch of the replay, if one is asked for. *ret_has_more: come again. Failures as those of a
 * load: ST_AGAIN it goes on later, ST_FATAL it is over. */
enum st replay_step(struct loader *l, bool *ret_has_more, struct err *err) MUST_USE;

/* The loader ends: so does the replay, for this reason (ST_OK: it was told to stop). */
void replay_end(struct loader *l, enum st st, const struct err *err);

#endif
