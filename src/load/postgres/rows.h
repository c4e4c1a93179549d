/* Sending the rows of a poll by COPY, and finding those that the server refuses. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POSTGRES_ROWS_H
#define LOAD_POSTGRES_ROWS_H

#include "load/postgres/connection.h"

/* db_engine's */
enum st postgres_insert_row(struct db *db, const struct db_row *row, struct err *err) MUST_USE;
enum st postgres_end_rows(struct db *db, const struct db_refused **ret_refused, size_t *ret_n,
                          struct err *err) MUST_USE;
enum st postgres_settle_rows(struct db *db, struct err *err) MUST_USE;

enum st postgres_insert_candle(struct db *db, const struct db_candle *candle,
                               struct err *err) MUST_USE;
enum st postgres_end_candles(struct db *db, struct err *err) MUST_USE;

/* Of a transaction that is rolled back. */
void postgres_give_up_rows(struct db *db);

#endif
