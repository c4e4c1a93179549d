/* The poll that has rows in front of the one at hand: with which the transform compared it, or not.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_BEFORE_H
#define LOAD_SQL_BEFORE_H

#include "load/sink.h"
#include "load/sql/db.h"

struct before {
    bool is_there;
    bool is_ok, has_refused; /* has_refused: rows that the engine would not take */
    int64_t slot_us, version;
    int64_t rows_since_us; /* there are rows of this time or later; INT64_MIN: nobody knows any */
    uint64_t end_offset;
    char stream[SINK_UUID_TEXT];
};

/* How a poll relates to it. */
struct before_relation {
    bool is_late;     /* is of a slot before its */
    bool is_base;     /* it has the rows that the unchanged ones equal */
    bool is_compared; /* it is the ok poll that the absent coins were in */
};

/* Where the span begins in which a poll's rows may be left out as unchanged. */
int64_t before_span_start(const struct table *t, int64_t slot_us);

/* Read what the statement answers, last_poll or prev_poll, where :since is since_us. */
enum st before_read(struct db *db, struct stmt *stmt, int64_t since_us, struct before *ret,
                    struct err *err) MUST_USE;

/* The poll was stored behind it, and is the one before now; n_stored: rows of it. */
void before_move(struct before *b, const struct sink_load *load, size_t n_stored, size_t n_refused);

/* Rows may be left out only where a reader finds the value they equal in the row before: behind the
 * very poll they were compared with, in slot order too, of which the engine refused no row, and
 * whose rows nobody took away. Partial polls are neither left out from nor compared with: an ok one
 * may come and take their place. */
struct before_relation before_relate(const struct before *b, struct db *db,
                                     const struct sink_load *load);

#endif
