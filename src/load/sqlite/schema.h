/* The sqlite: store's file: whose it is, how it is set up, of which version it is. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQLITE_SCHEMA_H
#define LOAD_SQLITE_SCHEMA_H

#include "load/sink.h"
#include "load/sqlite/connection.h"

/* Set the file up, and bring its schema to this program's version. The returns of
 * sink_driver.open. */
enum st sqlite_schema_open(struct db *db, struct clock *clock, struct sink_schema *ret_schema,
                           struct err *err) MUST_USE;

/* What the former would do; writes nothing. */
enum st sqlite_schema_look(struct db *db, struct sink_schema *ret_schema, struct err *err) MUST_USE;

/* What is made of a file that is not there yet. */
struct sink_schema sqlite_schema_of_none(void);

#endif
