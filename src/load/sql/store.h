/* Storing one poll in the open transaction: rows, coins, absences, refusals, the poll itself. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_STORE_H
#define LOAD_SQL_STORE_H

#include "load/sql/before.h"
#include "load/sql/buckets.h"
#include "load/sql/coins.h"
#include "load/sql/remake.h"
#include "transform/drift.h"

struct store {
    struct db db;
    struct coin_cache coins;
    /* coins that have rows in this transaction, and the last of them: their `latest` is written
     * once, at its end */
    struct coin_list touched, due;
    struct coin_list rows;  /* of the poll at hand: which coins they are of */
    struct coin_list there; /* coins that another poll does not lack */
    struct coin_list open;  /* that are absent, and since when: see absences.c */
    struct coin_list back;  /* of them, that have a row in the poll at hand, and which */
    bool knows_open, knows_before;
    struct stmt *asks_open, *asks_before; /* what tells, when that was sent */
    struct before before;                 /* the job's newest poll that has rows */
    uint64_t batch;                       /* numbers the transactions */
    int64_t job_id;                       /* of this one; its table is db.table */
    int64_t first_slot_us;                /* the earliest of its polls with rows */
    int64_t last_slot_us;                 /* of its last poll with rows */
    bool has_rows;                        /* there are such polls */
    bool has_late;   /* it has polls of slots before ones that were stored already */
    bool is_past;    /* it makes polls anew */
    size_t n_absent; /* absences that begin with the poll at hand */
    const struct db_refused *refused; /* rows of the poll at hand that the engine would not take */
    size_t n_refused;
    struct buf drift; /* of the poll at hand, as text */
    struct coin_list
        spans; /* candles.c: from when until when rows are of that this transaction changed */
    struct remake remake;
    struct buckets_of_jobs buckets; /* what polls that were stored make of them */
    struct stmt *asks_made;         /* how far candles are, when that was sent */
    bool has_candles_due; /* there are more candles to make than the last transaction did */
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

/* What a transaction is of. */
enum store_kind {
    STORE_ONE,  /* one poll */
    STORE_MANY, /* several, all of which ST_REJECT sends back: load them one by one then */
    STORE_PAST, /* polls that are made anew */
};

/* Begin a transaction, or forget the one that was rolled back. */
void store_begin(struct store *s, int64_t job_id, enum row_table table, enum store_kind kind);
void store_forget(struct store *s);

void store_release(struct store *s);

/* ---- for replace.c, past.c and between store.c, absences.c and latest.c ---- */

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
/* What polls must know of their job is asked for soon. */
enum st store_expect(struct store *s, const struct sink_load *load, struct err *err) MUST_USE;

/* Is the slot another poll's (why says whose)? Or of a partial one, which this one replaces? */
enum st store_take_slot(struct store *s, const struct store_poll *poll, bool *ret_is_duplicate,
                        bool *ret_is_replacing, struct buf *why, struct err *err) MUST_USE;

/* The partial poll that has the slot is a duplicate from now on. */
enum st store_oust_partial(struct store *s, const struct store_poll *poll,
                           struct err *err) MUST_USE;

/* Write out the rows that the poll after a slot left out, before other ones come in front of them.
 */
enum st store_keep_next(struct store *s, int64_t job_id, int64_t slot_us, struct err *err) MUST_USE;
/* The same of the poll that `next` stands at: its slot, when it was over, stream and offsets. */
enum st store_keep_left_out(struct store *s, int64_t job_id, struct stmt *next,
                            struct err *err) MUST_USE;

/* Take away the rows of a slot, and what was flagged in them. */
enum st store_delete_rows(struct store *s, int64_t job_id, int64_t slot_us,
                          struct err *err) MUST_USE;

/* Store the rows and their flags, the former without the unchanged ones if may_skip. */
enum st store_insert_rows(struct store *s, const struct store_poll *poll, bool may_skip,
                          struct sink_result *result, struct err *err) MUST_USE;

/* Keep the answers that the rows were made of. */
enum st store_keep_pages(struct store *s, const struct store_poll *poll, enum db_had had,
                         struct err *err) MUST_USE;

/* The coin has a row in the poll of this slot. */
enum st store_touch(struct store *s, struct coin *coin, int64_t slot_us, struct err *err) MUST_USE;

/* Last rows that were in polls of these slots and are gone: the ones before take their place. */
enum st store_repair_latest(struct store *s, int64_t job_id, int64_t first_slot_us,
                            int64_t last_slot_us, struct err *err) MUST_USE;

/* What was refused: rows by the transform, or the poll as a whole. */
enum st store_add_refusals(struct store *s, const struct store_poll *poll,
                           struct err *err) MUST_USE;

/* :drift, until the next one is bound. */
enum st store_bind_drift(struct store *s, struct stmt *stmt, const struct sink_load *load,
                         struct err *err) MUST_USE;

/* poll.error: why it is not ok, why it has no rows. */
void store_write_reasons(struct buf *b, const struct sink_load *load);

#endif
