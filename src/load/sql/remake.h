/* Polls made anew many at once: a stretch of them, whose rows go to the engine as one.
 *
 * A stretch is polls of a batch that are all the polls of their job with rows in their time, all
 * ok, and each was compared with the one before. Then what the store must know of each is known
 * without asking, and its absences are those that the polls themselves tell of, one after the
 * other, as when they were loaded; only what was before the stretch and what comes behind it is the
 * store's. A poll that is not so ends the stretch and is made anew by itself (replace.c); behind it
 * another one may begin. The rows of all polls of a stretch are taken away when it begins: past.c
 * does not mind, as each absence that it finds is cut by the polls that follow.
 *
 * Where the engine refuses a row, all of the batch is: it is to be made anew poll by poll.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_REMAKE_H
#define LOAD_SQL_REMAKE_H

#include "load/sql/before.h"
#include "load/sql/list.h"

struct store;
struct store_batch;
struct store_poll;

struct remake_absence {
    int64_t coin_id, from_us, until_us; /* INT64_MAX: without an end */
    bool is_kept;                       /* the store has it as it was made */
    bool is_seen;                       /* the poll at hand has its coin */
};

struct remake_absences {
    struct remake_absence *list; /* by coin, then time, where they are the store's */
    size_t n, max;
};

enum remade_number {
    REMADE_SLOT,
    REMADE_LAST_OFFSET,
    REMADE_ROWS_IN,
    REMADE_ROWS_NEW,
    REMADE_ROWS_UNCHANGED,
    REMADE_ROWS_ABSENT,
    REMADE_ROWS_QUARANTINED,
    N_REMADE_NUMBERS
};

struct remake {
    bool is_on;
    const char *stream;         /* UUID as text */
    size_t at;                  /* of the batch: the poll that comes next */
    size_t first, end;          /* of the stretch, in the batch */
    size_t try_at;              /* no stretch begins before this poll */
    int64_t first_us, last_us;  /* slots of its first poll, and of its last one so far */
    struct coin_list told;      /* of its polls: was anything of it refused; its slot */
    struct remake_absences old; /* as the store has them */
    struct remake_absences made;
    int64_t *numbers[N_REMADE_NUMBERS]; /* of polls of which only numbers are to be said */
    size_t n_numbers, max_numbers;
};

/* Begin with a batch. */
void remake_reset(struct remake *r);
void remake_release(struct remake *r);

/* Is the poll, the next of the batch, one of a stretch? Begin one, or end it in front of the poll.
 * *ret_relation is its own then. */
enum st remake_meet(struct store *s, const struct store_batch *batch, const struct store_poll *poll,
                    bool *ret_is_in, struct before_relation *ret_relation,
                    struct err *err) MUST_USE;

/* Was anything of the poll at hand refused when it was made before? */
bool remake_had_refusals(const struct remake *r);

/* The rows of the poll at hand were sent: what they and it tell of absences. */
enum st remake_absences_of(struct store *s, const struct store_poll *poll,
                           struct err *err) MUST_USE;

/* Note the numbers of the poll at hand, for a statement of them all. */
enum st remake_note(struct store *s, const int64_t numbers[N_REMADE_NUMBERS],
                    struct err *err) MUST_USE;

/* The poll at hand is done with; the last one ends the stretch. */
enum st remake_go_on(struct store *s, const struct store_batch *batch,
                     const struct store_poll *poll, struct err *err) MUST_USE;

#endif
