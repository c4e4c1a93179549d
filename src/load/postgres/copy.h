/* Rows in the binary format of COPY, one behind the other.
 *
 * Limits: COPY_MAX_BYTES for the rows of one poll.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POSTGRES_COPY_H
#define LOAD_POSTGRES_COPY_H

#include "load/sql/db.h"

#define COPY_MAX_BYTES ((size_t)512 << 20)

/* What stands in front of the rows and behind them. */
#define COPY_HEADER                    \
    ((struct str){"PGCOPY\n\377\r\n\0" \
                  "\0\0\0\0"           \
                  "\0\0\0\0",          \
                  19})
#define COPY_TRAILER ((struct str){"\377\377", 2})

struct copy {
    struct buf bytes;
    struct copy_row {
        size_t start; /* in bytes */
        size_t index; /* of its db_row */
    } *rows;
    size_t n, max;
};

void copy_init(struct copy *c);
void copy_release(struct copy *c);
void copy_clear(struct copy *c);

/* Slot, job, key, then what the table stores. ST_REJECT beyond the limit. */
enum st copy_add(struct copy *c, const struct table *t, const struct db_row *row,
                 struct err *err) MUST_USE;

/* A candle behind those that are in b. */
enum st copy_add_candle(struct buf *b, const struct db_candle *candle, struct err *err) MUST_USE;

/* The bytes of rows [first, end). */
struct str copy_rows(const struct copy *c, size_t first, size_t end);

#define COPY_MAX_NUMBER 88 /* bytes that copy_write_number() writes at most */

/* A number as `numeric` has it, without its length. Returns the bytes written. */
size_t copy_write_number(const struct cell *c, char *out);

#endif
