/* Making a poll anew that is stored already, in the open transaction. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_REPLACE_H
#define LOAD_SQL_REPLACE_H

#include "load/sql/store.h"

/* What is due, and what not. */
enum st replace_count(struct store *s, const struct sink_replay *what,
                      const struct store_batch *batch, struct sink_stored_counts *ret_counts,
                      struct err *err) MUST_USE;
enum st replace_list(struct store *s, const struct sink_replay *what,
                     const struct store_batch *batch, const struct sink_stored *after,
                     struct sink_stored *ret_polls, size_t max, size_t *ret_n,
                     struct err *err) MUST_USE;

/* Before the first of them: write out what other polls left out because it equals theirs. */
enum st replace_prepare(struct store *s, const struct store_batch *batch, struct err *err) MUST_USE;

/* Make one anew: rows, refusals, absences, names, the poll's own row. */
enum st replace_poll(struct store *s, const struct store_batch *batch, const struct sink_load *load,
                     struct sink_result *ret_result, struct err *err) MUST_USE;

/* Bring `latest` up to date: before the commit. */
enum st replace_finish(struct store *s, const struct store_batch *batch, struct err *err) MUST_USE;

/* ---- past.c ---- */

#define PAST_NO_END INT64_MAX

/* Bring the absences of the job to what they were if the poll, whose rows are stored, had always
 * been so, and all before it. is_compared: the poll before it here is the one that its absent coins
 * were in. *ret_n_absent: those that begin with it. */
enum st past_absences(struct store *s, const struct store_poll *poll,
                      const struct store_batch *batch, bool is_compared, size_t *ret_n_absent,
                      struct err *err) MUST_USE;

/* The next ok poll stays as it is: coins of this one that it lacks are absent from there on, or
 * from behind it where it refused them. */
enum st past_open_behind(struct store *s, const struct store_poll *poll,
                         const struct store_batch *batch, struct err *err) MUST_USE;

/* ---- for remake.c; of poll they take the job, and where they say so the slot ---- */

/* Add an absence, unless it is empty. */
enum st past_add_absence(struct store *s, const struct store_poll *poll, int64_t coin_id,
                         int64_t from_us, int64_t until_us, struct err *err) MUST_USE;
/* Delete the coin's absences that begin in [from, until). */
enum st past_delete_absences(struct store *s, const struct store_poll *poll, int64_t coin_id,
                             int64_t from_us, int64_t until_us, struct err *err) MUST_USE;
/* The time that a statement of (job, slot, coin) answers, PAST_NO_END when it has none. */
enum st past_ask(struct store *s, const struct store_poll *poll, enum db_statement which,
                 int64_t slot_us, int64_t coin_id, int64_t *ret_answer, struct err *err) MUST_USE;
/* The coin is absent from from_us on, to its next row after slot_us. */
enum st past_last_to_next_row(struct store *s, const struct store_poll *poll, int64_t coin_id,
                              int64_t from_us, int64_t slot_us, struct err *err) MUST_USE;
/* A coin that goes absent with the poll's slot was last seen by the ok poll before. */
enum st past_note_last_seen(struct store *s, const struct store_poll *poll, struct str id,
                            struct err *err) MUST_USE;

#endif
