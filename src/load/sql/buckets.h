/* Candles as they come to be, in memory: what the rows of polls that this process stored, one after
 * the other, make of the buckets of 5 minutes and hours that they came in. candles.h says what
 * counts when.
 *
 * Reading rows back to make candles of them costs as much as storing them. So a bucket whose polls
 * are, when it is written, the very ones that were added here (which the table poll tells) is
 * written from here; of every other one, as after a start, a late poll or another collector's, SQL
 * makes the candles. Nothing here is needed, so that it is forgotten where anything is unusual:
 * after a rollback, polls or answers out of order, numbers that not every store has exactly, no
 * memory.
 *
 * Limits: BUCKETS_MAX_CANDLES of a job; beyond them SQL makes them.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_BUCKETS_H
#define LOAD_SQL_BUCKETS_H

#include "load/sink.h"
#include "load/sql/db.h"

#define BUCKETS_MAX_CANDLES ((size_t)256 * 1024)

enum bucket_level { BUCKET_5M, BUCKET_1H, N_BUCKET_LEVELS };

struct bucket {
    int64_t from_us, until_us;
    uint64_t n_polls, sum;         /* that may have rows in it; sum tells them from others */
    struct bucket_candle *candles; /* by the coin's place */
    size_t n, max;
};

/* Of a job. */
struct buckets {
    int64_t job_id;
    bool has_polls;
    int64_t slot_us, finished_us; /* of the last one */
    struct bucket_level_list {
        struct bucket *list; /* in the order of time */
        size_t n, max;
        struct bucket spare; /* whose memory is free */
    } levels[N_BUCKET_LEVELS];
    int64_t *coin_ids; /* by place */
    size_t n_coins, max_coins;
    uint32_t *places; /* by hash: place + 1; 0: free */
    size_t n_places;  /* a power of two, at most half of them used */
    size_t n_candles;
};

struct buckets_of_jobs {
    struct buckets *jobs;
    size_t n;
};

/* A poll that was stored. */
struct buckets_poll {
    const struct sink_load *load;
    const int64_t *coin_ids; /* of its rows */
    bool may_skip;           /* the unchanged ones were left out */
    size_t n_stored, n_unchanged;
};

/* The job's; NULL: it has none. */
struct buckets *buckets_of(const struct buckets_of_jobs *all, int64_t job_id);

/* Add a poll to those of its job. */
void buckets_add(struct buckets_of_jobs *all, int64_t job_id, const struct buckets_poll *poll);

/* Forget a job's, or all; give back the memory. */
void buckets_forget(struct buckets *b);
void buckets_forget_all(struct buckets_of_jobs *all);
void buckets_release(struct buckets_of_jobs *all);

/* Forget those to which no poll will be added any more. */
void buckets_drop_old(struct buckets *b);

/* The bucket of that level that begins then, if the polls that the store has of its time are those
 * that were added, and there are some; or NULL. */
enum st buckets_find(const struct buckets *b, struct db *db, enum bucket_level level,
                     int64_t from_us, const struct bucket **ret_bucket, struct err *err) MUST_USE;

/* Write the candles of one, which are not there: behind this db_end_candles(). */
enum st buckets_write(const struct buckets *b, const struct bucket *bucket, struct db *db,
                      int64_t *n_made, struct err *err) MUST_USE;

#endif
