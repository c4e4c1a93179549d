/* The sink's schema: making it, its versions. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POSTGRES_SCHEMA_H
#define LOAD_POSTGRES_SCHEMA_H

#include "load/postgres/connection.h"
#include "load/sink.h"

/* See that the schema is there and of this program's version; make it so where that is allowed. The
 * returns of sink_driver.open. */
enum st postgres_schema_open(struct sink *s, struct db *db, struct err *err) MUST_USE;

/* sink_driver.migrate's. */
enum st postgres_schema_migrate(struct sink *s, struct db *db, const struct sink_migrate *how,
                                struct sink_schema *ret_schema, struct err *err) MUST_USE;

/* Keep out whoever else would make or change the schema, until the transaction ends. */
enum st postgres_lock_schema(struct db *db, struct err *err) MUST_USE;

#endif
