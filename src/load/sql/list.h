/* Numbers of coins, each with a time, in two arrays as db_run_each() takes them. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQL_LIST_H
#define LOAD_SQL_LIST_H

#include "load/sql/db.h"

struct coin_list {
    int64_t *coin_ids, *times_us;
    size_t n, max;
};

enum st coin_list_add(struct coin_list *list, int64_t coin_id, int64_t time_us,
                      struct err *err) MUST_USE;
void coin_list_release(struct coin_list *list);

/* Run an engine's own statement, whose other parameters are bound, for all of the list: the number
 * is its :coin_id, the time what is named. */
enum st coin_list_run(const struct coin_list *list, struct db *db, struct stmt *stmt,
                      const char *time_name, struct err *err) MUST_USE;

/* The list becomes the numbers that a statement answers, which are in order; their times are in the
 * column behind, or 0. */
enum st coin_list_read(struct coin_list *list, struct db *db, struct stmt *stmt, bool has_times,
                       struct err *err) MUST_USE;

/* Is the coin in a list that is in order? ret_at: where, or where it belongs. */
bool coin_list_find(const struct coin_list *list, int64_t coin_id, size_t *ret_at);
/* Put it there, as coin_list_find() says, which did not find it. */
enum st coin_list_insert(struct coin_list *list, size_t at, int64_t coin_id, int64_t time_us,
                         struct err *err) MUST_USE;

#endif
