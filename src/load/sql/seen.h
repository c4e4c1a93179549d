/* When coins were seen first and last, noted row by row and written once a transaction. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_SEEN_H
#define LOAD_SQL_SEEN_H

#include "load/sql/list.h"

struct seen {
    struct seen_coin {
        int64_t coin_id, seen_us;
    } *coins;
    size_t n, max;
    struct coin_list first, last; /* what comes of them, coin by coin */
};

void seen_release(struct seen *seen); /* zeroed is fine, and is what stays */

enum st seen_add(struct seen *seen, int64_t coin_id, int64_t seen_us, struct err *err) MUST_USE;

/* Write what was noted, of a transaction of db->table. ST_AGAIN also where coins are not there any
 * more. */
enum st seen_write(struct seen *seen, struct db *db, struct err *err) MUST_USE;

#endif
