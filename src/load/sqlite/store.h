/* Storing one poll in the open transaction: rows, coins, absences, refusals, the poll itself. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQLITE_STORE_H
#define LOAD_SQLITE_STORE_H

#include "load/sink.h"
#include "load/sqlite/coins.h"

struct store_touched {
    int64_t coin_id, slot_us;
};

struct store {
    struct db db;
    struct coin_cache coins;
    /* coins that have rows in this transaction, and the last of them: their `latest` is written
     * once, at its end */
    struct store_touched *touched;
    size_t n_touched, max_touched;
    uint64_t batch;          /* numbers the transactions */
    int64_t job_id;          /* of this one */
    int64_t last_slot_us;    /* of its last poll with rows */
    bool has_late;           /* it has polls of slots before ones that were stored already */
    size_t n_missed;         /* absences of the poll at hand that the transform could not tell */
    uint64_t n_text_numbers; /* stored as TEXT, as neither INTEGER nor REAL is exact */
};

struct store_poll {
    const struct sink_load *load;
    const char *stream; /* UUID as text */
    int64_t job_id;
};

/* Store everything but the offset. */
enum st store_poll(struct store *s, const struct store_poll *poll, struct sink_result *ret_result,
                   struct err *err) MUST_USE;

/* Bring `latest` up to date with the transaction's rows: before its commit. */
enum st store_finish(struct store *s, struct err *err) MUST_USE;

/* Begin a transaction, or forget the one that was rolled back. */
void store_begin(struct store *s, int64_t job_id);
void store_forget(struct store *s);

void store_release(struct store *s);

#endif
