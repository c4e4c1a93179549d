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

/* Bring the absences of the job to what they were if the poll, whose rows are stored, had always
 * been so, and all before it. is_compared: the poll before it here is the one that its absent coins
 * were in. *ret_n_absent: those that begin with it. */
enum st past_absences(struct store *s, const struct store_poll *poll,
                      const struct store_batch *batch, bool is_compared, size_t *ret_n_absent,
                      struct err *err) MUST_USE;

#endif
