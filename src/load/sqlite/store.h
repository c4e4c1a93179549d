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
    bool is_past;            /* it makes polls anew */
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

/* Begin a transaction, or forget the one that was rolled back. is_past: it makes polls anew. */
void store_begin(struct store *s, int64_t job_id, bool is_past);
void store_forget(struct store *s);

void store_release(struct store *s);

/* ---- for replace.c and past.c ---- */

#define STORE_MAX_ERROR 2048 /* bytes of poll.error */

/* Polls that are replaced in one transaction. */
struct store_batch {
    const char *stream; /* UUID as text */
    int64_t job_id;
    const struct sink_stored *polls;
    size_t n;
};

/* Run one of the statements whose parameters are :job_id and :slot. */
enum st store_run_for_slot(struct store *s, enum db_statement which, int64_t job_id,
                           int64_t slot_us, struct err *err) MUST_USE;

/* Is the slot another poll's (why says whose)? Or of a partial one, which this one replaces? */
enum st store_take_slot(struct store *s, const struct store_poll *poll, bool *ret_is_duplicate,
                        bool *ret_is_replacing, struct buf *why, struct err *err) MUST_USE;

/* The partial poll that has the slot is a duplicate from now on. */
enum st store_oust_partial(struct store *s, const struct store_poll *poll,
                           struct err *err) MUST_USE;

/* Write out the rows that the poll after a slot left out, before other ones come in front of them;
 * not when it is `but` one of these (NULL: none). */
enum st store_keep_next(struct store *s, int64_t job_id, int64_t slot_us,
                        const struct store_batch *but, struct err *err) MUST_USE;

/* Store the rows, without the unchanged ones if may_skip. */
enum st store_insert_rows(struct store *s, const struct store_poll *poll, bool may_skip,
                          struct sink_result *result, struct err *err) MUST_USE;

/* Last rows that were in polls of these slots and are gone: the ones before take their place. */
enum st store_repair_latest(struct store *s, int64_t job_id, int64_t first_slot_us,
                            int64_t last_slot_us, struct err *err) MUST_USE;

/* What was refused: rows by the transform, or the poll as a whole. */
enum st store_add_refusals(struct store *s, const struct store_poll *poll,
                           struct err *err) MUST_USE;

/* poll.error: why it is not ok, why it has no rows, keys that are new to us. */
void store_write_reasons(struct buf *b, const struct sink_load *load);

#endif
