/* Versions of a store's schema: each is one migration, a .sql file that never changes again.
 *
 * The table schema_version has a row for each version that the store went through: which program
 * made it, and the oldest one that may write it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_SCHEMA_H
#define LOAD_SQL_SCHEMA_H

#include "base/clock.h"
#include "load/sql/db.h"

struct migration {
    int version;
    const char *oldest_program; /* the oldest geckotape that may write this version */
    const struct str *sql;
};

/* All of an engine's, by version; the last is the version of this program. */
struct schema {
    const struct migration *migrations;
    size_t n;
    const char *unversioned; /* what to do with a store that has no version */
};

int schema_known(const struct schema *schema);

/* The version that a store of version `from` has when it is open: never an older one. */
int64_t schema_after(const struct schema *schema, int64_t from);

/* Of which version is the store? ST_REJECT when this program may not write it: it is newer than
 * what is known, and says that a later program is needed. */
enum st schema_read(struct db *db, const struct schema *schema, int64_t *ret_version,
                    struct err *err) MUST_USE;

/* Run, within the open transaction, all migrations behind version `from` (0: all). */
enum st schema_raise(struct db *db, const struct schema *schema, int64_t from, struct clock *clock,
                     struct err *err) MUST_USE;

#endif
