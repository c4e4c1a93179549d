/* The coins of the database, remembered: id -> number, and what must be written about it when.
 *
 * Limits: at most COIN_CACHE_MAX coins; then all are forgotten and looked up again.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_COINS_H
#define LOAD_SQL_COINS_H

#include "base/arena.h"
#include "load/sql/seen.h"
#include "row/row.h"

#define COIN_CACHE_MAX   (128 * 1024)
#define COIN_CACHE_BYTES (32u * 1024 * 1024) /* of ids */

struct coin {
    uint64_t hash; /* of the id */
    struct str id; /* p is NULL: a free place */
    int64_t coin_id;
    int64_t first_seen, last_seen; /* as stored */
    int64_t named_at;              /* since when it has the name of name_hash */
    uint64_t name_hash;            /* symbol and name */
    uint64_t image_hash;
    int64_t past_from, past_until; /* it had the name of past_hash then */
    uint64_t past_hash;
    uint64_t batch; /* in which `touched` is valid */
    size_t touched; /* its place in the batch's list */
};

struct coin_cache {
    struct coin *places; /* a power of two, at most half of them used */
    size_t n_places, n;
    struct arena ids;
    struct seen seen; /* what is to be written of when they were: before the commit */
};

void coin_cache_init(struct coin_cache *cache);
void coin_cache_release(struct coin_cache *cache);

/* Forget all: after a rollback their numbers may not exist. */
void coin_cache_clear(struct coin_cache *cache);

/* Before the rows of a poll: look up those that the job has seen, where many are not remembered. */
enum st coin_cache_fill(struct coin_cache *cache, struct db *db, int64_t job_id,
                        const struct rows *rows, struct err *err) MUST_USE;

/* The coin of a row of db->table, added to the database when it is new there, renamed when it has
 * another name now. Borrowed until the next call. is_past: the row is made anew: it tells what the
 * coin was called then. */
enum st coin_of_row(struct coin_cache *cache, struct db *db, const struct cell *row, bool is_past,
                    struct coin **ret_coin, struct err *err) MUST_USE;

/* A coin that is remembered; NULL: it is not. Borrowed until the next call. */
const struct coin *coin_cache_find(const struct coin_cache *cache, struct str id);
/* Its number; 0: it is not. */
int64_t coin_cache_number(const struct coin_cache *cache, struct str id);

#endif
