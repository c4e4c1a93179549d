/* What alerts know between starts: how far each stream is read, the state of each rule, and the
 * outbox. One SQLite file, so that all of it moves in one transaction.
 *
 * Threads: a connection belongs to one thread; that of the loader and that of the delivery are two.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALERT_STORE_H
#define ALERT_STORE_H

#include "alert/message.h"

#define ALERT_KEY_MAX        (ALERT_WHEN_MAX + 24)
#define ALERT_TRIES_MAX      10 /* of a message that its receiver refuses, over 13 minutes */
#define ALERT_BACKOFF_MAX_US (5 * 60 * INT64_C(1000000))
#define ALERT_ASIDE_MAX      10

/* A rule's name in the store, and its condition, with which each name begins. */
struct alert_name {
    const char *key, *when;
};

struct alert_store;

/* Make or open. ST_REJECT: not ours, or newer; ST_AGAIN: the disk refuses now. Owner:
 * alert_store_close(). */
enum st alert_store_open(const char *path, struct alert_store **ret_store,
                         struct err *err) MUST_USE;
void alert_store_close(struct alert_store *s); /* NULL is fine; rolls back */

enum st alert_store_begin(struct alert_store *s, struct err *err) MUST_USE;
enum st alert_store_commit(struct alert_store *s, struct err *err) MUST_USE;
void alert_store_rollback(struct alert_store *s); /* also where nothing was begun */

/* How far a stream is read, and what it had spent of the budget then. */
struct alert_position {
    uint64_t offset, hash;
    uint64_t credits_key, credits_spent;
    int64_t credits_from_us;
};

enum st alert_store_position(struct alert_store *s, const char *stream, bool *ret_is_there,
                             struct alert_position *ret, struct err *err) MUST_USE;
enum st alert_store_set_position(struct alert_store *s, const char *stream, const char *job,
                                 const struct alert_position *position, struct err *err) MUST_USE;

/* Calls that all streams but this one have spent, with this key in this period. */
enum st alert_store_spent(struct alert_store *s, const char *but, uint64_t key, int64_t from_us,
                          int64_t *ret_spent, struct err *err) MUST_USE;

/* The state of a rule on a stream; *ret_state is to be in its beginning. */
enum st alert_store_state(struct alert_store *s, const char *rule, const char *stream,
                          bool *ret_is_there, struct alert_state *ret_state,
                          struct err *err) MUST_USE;
/* Of the samples, the last one where it is new, and none that is older than the first. */
enum st alert_store_set_state(struct alert_store *s, const char *rule, const char *stream,
                              const struct alert_state *state, struct err *err) MUST_USE;

/* Put a message into the outbox. Held: it waits for alert_store_release(), and takes the place of
 * one of the same rule that does; so does what comes when very many wait already. */
enum st alert_store_add(struct alert_store *s, const char *rule, bool is_held,
                        const struct alert_fact *fact, struct err *err) MUST_USE;
enum st alert_store_release(struct alert_store *s, struct err *err) MUST_USE;

struct alert_waiting {
    int64_t number;    /* 0: none waits */
    int64_t n_tries;   /* its receiver refused it so often */
    int64_t due_in_us; /* 0: now */
    struct alert_fact fact;
};

/* The oldest message of the rule that may be sent now; where there is none, the next that may. */
enum st alert_store_next(struct alert_store *s, const char *rule, int64_t now_us,
                         struct alert_waiting *ret_message, struct err *err) MUST_USE;
/* How many wait to be sent, of all rules. */
enum st alert_store_count(struct alert_store *s, size_t *ret_n, struct err *err) MUST_USE;
enum st alert_store_delete(struct alert_store *s, int64_t number, struct err *err) MUST_USE;

/* A refused message: again later, or never. Of each rule the last ALERT_ASIDE_MAX are kept to be
 * looked at. */
enum st alert_store_put_off(struct alert_store *s, int64_t number, int64_t n_tries, int64_t at_us,
                            struct err *err) MUST_USE;
enum st alert_store_retry(struct alert_store *s, struct err *err) MUST_USE; /* all at once */
enum st alert_store_put_aside(struct alert_store *s, int64_t number, const char *why,
                              struct err *err) MUST_USE;

struct alert_aside {
    int64_t at_us;
    char said[ALERT_SAID_MAX], why[256];
};

/* Those of a rule that were put aside, the newest first; none where there is no such file. For
 * eyes: changes nothing. */
enum st alert_store_aside(const char *path, const char *rule,
                          struct alert_aside ret_asides[ALERT_ASIDE_MAX], size_t *ret_n,
                          struct err *err) MUST_USE;

/* Forget the rules that are not among these, and what they have in the outbox. One that is new here
 * takes over from one of its condition that goes: another channel is no other alert. */
enum st alert_store_keep(struct alert_store *s, const struct alert_name *rules, size_t n,
                         int64_t *ret_n_dropped, struct err *err) MUST_USE;

#endif
