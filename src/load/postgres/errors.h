/* What an error of PostgreSQL's means for the caller: one table. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POSTGRES_ERRORS_H
#define LOAD_POSTGRES_ERRORS_H

#include "row/row.h"

#include <libpq-fe.h>
#include <stdbool.h>

/* A result that is not what was asked for, or NULL: the connection is lost. */
enum st postgres_error(PGconn *conn, const PGresult *result, const char *shown, struct err *err);

/* May the error lie in one of the rows that were sent? Then the others can still be stored. */
bool postgres_is_of_row(const PGresult *result, const struct table *t);

/* Why there is no connection, and the mend. Always ST_AGAIN: all of it can be put right over there
 * while we wait. */
enum st postgres_connect_error(PGconn *conn, const char *shown, struct err *err);

#endif
