/* What a sink driver implements, and what it may count on.
 *
 * Threads: the loader calls all functions of one sink from one thread.
 * Order:   open; attach per stream; any number of loads of attached streams; close. close also runs
 * after a failed open. After a load that did not return ST_OK the loader attaches again. Exactly
 * once: the position moves in the same transaction as the rows, and only from the position the sink
 *          has to the one given. A batch is a run of loads of one stream of which only the last has
 * is_last: all of it becomes visible and durable when that load returns ST_OK (of a driver with
 * settle(): by a settle() behind it), or none of it. A new sink is one file or folder, one line in
 * registry.c, and passes tests/conformance.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SINK_H
#define LOAD_SINK_H

#include "base/clock.h"
#include "base/err.h"
#include "base/sink_url.h"
#include "query/query.h"
#include "transform/transform.h"

#include <errno.h>

/* err->sys of an ST_AGAIN: another writer of the store was quicker (both add one coin), or both
 * waited for each other. Attached again, the same load may well succeed at once. */
#define SINK_OVERTAKEN EDEADLK

struct sink_load {
    const struct stream_id *stream;
    const struct tape_record *end;
    const struct poll_page *pages; /* raw bodies */
    size_t n_pages;
    /* NULL: nothing to store but the poll itself (failed, aborted, or refused by the transform: see
     * error) */
    const struct poll_rows *rows;
    struct str error;         /* why there are no rows although the poll bears some; empty: it is
                               * none that has any (failed, aborted, TAPE_UPSTREAM) */
    uint32_t http_status;     /* of the poll's last answer; 0: none came */
    uint64_t credits;         /* that the poll cost */
    struct position old, new; /* old: where the sink is before this load, within the batch */
    bool is_last;             /* commit */
};

struct sink_result {
    size_t n_stored, n_unchanged; /* rows */
    size_t n_refused;             /* rows that the store would not take: in its quarantine */
    bool is_duplicate;            /* (job, slot) was already there: recorded, no rows stored */
};

struct sink {
    const struct sink_driver *driver;
    const struct sink_url *url;
    struct clock *clock;
    int64_t retain_rows_us, retain_5m_us; /* what is older may go; 0: nothing */
    bool is_simulated;  /* the rows come from the simulator: a store that people look at must say so
                         */
    int64_t gathers_us; /* set by open() of a driver that has settle(): how long it does, at most */
    const char *data_dir; /* for what a driver keeps that its store cannot; NULL: only look at it */
    void *state;          /* driver's, state_size zeroed bytes */
    void (*tell)(void *ctx, const char *text); /* what people should know; NULL: nobody listens */
    /* what is not as it should be though all works; it holds until the next one; "": all is well */
    void (*warn)(void *ctx, const char *text);
    void *tell_ctx;
};

/* ---- replay: what is held of a poll is made anew by today's transform ---- */

/* Which of the polls that a sink has loaded from a stream. */
struct sink_replay {
    const struct stream_id *stream; /* attached */
    int64_t since_us, until_us;     /* slots: since <= slot < until */
    uint64_t below;                 /* where the sink is: ends up to this offset */
    bool is_forced;                 /* also those that today's transform made */
};

/* One of them. Their order: slot, then offset. */
struct sink_stored {
    int64_t slot_us;
    uint64_t end_offset;
    uint32_t n_rows; /* at most, about; 0: unknown */
    bool has_rows;   /* the sink holds rows of it: not a duplicate, not refused */
};

struct sink_stored_counts {
    uint64_t n_due;
    uint64_t n_current; /* not due: today's transform made them */
    uint64_t n_other;   /* of other streams of the job, whose rows stay as they are */
};

/* Order: list; begin; replace each poll of begin, in that order; the last has load->is_last, which
 * commits. After a failure nothing of it was done, and the loader attaches again. */
struct sink_replay_driver {
    enum st (*count)(struct sink *s, const struct sink_replay *what,
                     struct sink_stored_counts *ret_counts, struct err *err) MUST_USE;

    /* The first polls that are due behind `after` (slot_us, end_offset), at most max. */
    enum st (*list)(struct sink *s, const struct sink_replay *what, const struct sink_stored *after,
                    struct sink_stored *ret_polls, size_t max, size_t *ret_n,
                    struct err *err) MUST_USE;

    /* These polls, borrowed until the last of them, will be replaced. What others left out because
     * it equals theirs must stay what it is. ST_FATAL: lost the stream to another owner. */
    enum st (*begin)(struct sink *s, const struct sink_replay *what,
                     const struct sink_stored *polls, size_t n, struct err *err) MUST_USE;

    /* Of load: stream, end, pages, rows, error, is_last. Without rows only where the sink has none.
     * All that the sink derives from the poll becomes what a load of today would have made of it;
     * the position stays. ST_REJECT: cannot be stored; it stays as it is. ST_AGAIN with
     * SINK_OVERTAKEN also where a row of the batch was refused: which one the sink finds out when
     * the batch comes again. */
    enum st (*replace)(struct sink *s, const struct sink_load *load, struct sink_result *ret_result,
                       struct err *err) MUST_USE;
};

/* How `geckotape migrate` wants it. */
struct sink_migrate {
    bool is_dry_run;  /* look, and tell what would be done */
    bool is_renaming; /* tables of others that have the name of a view of ours make room */
};

/* Versions of a schema: as it was found (0: not there), as it is now. */
struct sink_schema {
    int64_t from, to;
};

struct sink_driver {
    const char *scheme;  /* "sqlite" */
    const char *alias;   /* another scheme that means the same; NULL: none */
    const char *summary; /* one line for help */
    const char *example; /* "sqlite:./data/market.db"; NULL: people cannot name it */
    size_t state_size;
    bool is_path; /* the URL's rest is a path on this machine, made when it is not there */
    const char *const *which; /* options that say which store it is, NULL-ended; the others say how
                               * it is written. NULL: none does */

    /* Is this URL, with its options, one for the driver? ST_REJECT with the mend. Touches nothing
     * but the text, so that a mistake is named before anything starts. */
    enum st (*check)(const struct sink_url *url, struct err *err) MUST_USE;

    /* Make or open the store of a URL that was checked; migrate it. ST_REJECT: not ours or newer
     * than we know (the message has the mend); ST_AGAIN: not reachable now; ST_FATAL: never will
     * be. */
    enum st (*open)(struct sink *s, struct err *err) MUST_USE;

    /* Bring the schema to this program's version, also where the URL tells open() not to; what else
     * there is to say is told. Called in place of open(); close() follows. The returns of open().
     * NULL in drivers that have no schema. */
    enum st (*migrate)(struct sink *s, const struct sink_migrate *how,
                       struct sink_schema *ret_schema, struct err *err) MUST_USE;

    /* Take the stream over: raise its epoch, so that an older owner's next commit fails; return
     * where it is. */
    enum st (*attach)(struct sink *s, const struct stream_id *stream, struct position *ret_position,
                      struct err *err) MUST_USE;

    /* ST_AGAIN: not now, or the outcome is unknown; ST_REJECT: this poll, or one before it in the
     * batch, can never be stored as it is (the loader then loads all of them alone, and the one
     * that is refused again without rows, and says why); ST_FATAL: lost the stream to another
     * owner, or broken. */
    enum st (*load)(struct sink *s, const struct sink_load *load, struct sink_result *ret_result,
                    struct err *err) MUST_USE;

    /* Drivers that gather many batches into one commit: load() of the last of a batch then means
     * that the sink has taken it, and it becomes visible and durable, with all that was taken
     * before, by a later settle(), or none of it does. Called between batches: commit, when it is
     * time, or now (is_forced). *ret_is_settled: nothing that was taken is uncommitted. The returns
     * of load(), but ST_REJECT; then it is lost what was taken of all streams, and the sink is
     * opened again. NULL: load() commits. */
    enum st (*settle)(struct sink *s, bool is_forced, bool *ret_is_settled,
                      struct err *err) MUST_USE;

    /* When all is loaded: a step of what the store derives of its rows and has not done yet, in a
     * transaction of its own. *ret_has_more: there may be another. The returns of load(), but
     * ST_REJECT. NULL in drivers that have nothing such. */
    enum st (*tidy)(struct sink *s, bool *ret_has_more, struct err *err) MUST_USE;

    void (*close)(struct sink *s);

    /* A read-only view of the store for another thread, NULL in drivers that cannot be read back.
     * It opens lazily: until the store exists its answers are ST_AGAIN. Owner:
     * query->driver->close(). */
    enum st (*open_query)(const struct sink_url *url, struct query **ret_query,
                          struct err *err) MUST_USE;

    const struct sink_replay_driver *replay; /* NULL: what it holds cannot be made anew */
};

#define SINK_UUID_TEXT 37 /* bytes, NUL included */

/* The stream's UUID as stores write it: "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx". */
void sink_uuid_text(const struct stream_id *stream, char ret_text[SINK_UUID_TEXT]);

/* All drivers of this build, NULL-ended. */
extern const struct sink_driver *const sink_drivers[];

/* The driver of a URL's scheme. ST_REJECT names the known ones. */
enum st sink_driver_find(struct str scheme, const struct sink_driver **ret_driver,
                         struct err *err) MUST_USE;

#endif
