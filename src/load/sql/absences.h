/* Coins that leave a job and come back, as polls tell in the order of their slots. (Where polls of
 * the past are made anew, past.c does it.)
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_ABSENCES_H
#define LOAD_SQL_ABSENCES_H

#include "load/sql/store.h"

/* It is asked for the list soon. */
enum st absences_expect(struct store *s, struct err *err) MUST_USE;

/* Before the rows of a poll: have the list of the job's coins that are absent, which is read once
 * in a transaction. Forget it, where it is not kept up to date. */
enum st absences_know(struct store *s, struct err *err) MUST_USE;
void absences_forget(struct store *s);

/* The coin has a row in the poll at hand, the index-th. */
enum st absences_note_row(struct store *s, int64_t coin_id, int64_t slot_us, size_t index,
                          struct err *err) MUST_USE;

/* After the rows: coins that came back, coins that are gone. */
enum st absences_update(struct store *s, const struct store_poll *poll,
                        const struct before_relation *relation, struct err *err) MUST_USE;

#endif
