/* How the tables of rows are cut into partitions: by month or day of the slot, or by coin.
 *
 * What is cut by slot has its partitions made by whoever loads rows, in the transaction that loads
 * them: that of the slot and the one that follows it, asked for once in a UTC day of slots. So they
 * are there a month (or day) ahead while polls go on, and also for old polls and behind a long
 * sleep. Where one cannot be made, rows go to the default partition, which is watched.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POSTGRES_PARTITIONS_H
#define LOAD_POSTGRES_PARTITIONS_H

#include "load/postgres/connection.h"

/* Cut the tables, which are new and empty, as the URL says. */
enum st postgres_layout_choose(struct db *db, struct err *err) MUST_USE;

/* How are they cut? ST_REJECT: otherwise than the URL says. */
enum st postgres_layout_read(struct db *db, struct err *err) MUST_USE;

/* Within the transaction: see that the table has the partition of the slot. */
enum st postgres_make_partitions(struct db *db, enum postgres_cut table, int64_t slot_us,
                                 struct err *err) MUST_USE;

/* Before the commit: where partitions were asked for, see whether rows are in default ones; warn of
 * them. */
enum st postgres_watch_defaults(struct db *db, struct err *err) MUST_USE;

#endif
