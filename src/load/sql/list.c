/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/list.h"

#include "base/mem.h"

enum st coin_list_add(struct coin_list *list, int64_t coin_id, int64_t time_us, struct err *err)
{
    if (list->n == list->max) {
        size_t max = list->max > 0 ? list->max * 2 : 256;
        int64_t *coin_ids = mem_try(list->coin_ids, max * sizeof(*coin_ids));
        list->coin_ids = coin_ids ? coin_ids : list->coin_ids;
        int64_t *times_us = mem_try(list->times_us, max * sizeof(*times_us));
        list->times_us = times_us ? times_us : list->times_us;
        if (coin_ids == NULL || times_us == NULL)
            return err_set(err, ST_AGAIN, "no memory for the numbers of %zu coins", max);
        list->max = max;
    }
    list->coin_ids[list->n] = coin_id;
    list->times_us[list->n++] = time_us;
    return ST_OK;
}

void coin_list_release(struct coin_list *list)
{
    mem_free(list->coin_ids);
    mem_free(list->times_us);
    *list = (struct coin_list){.n = 0};
}

enum st coin_list_run(const struct coin_list *list, struct db *db, struct stmt *stmt,
                      const char *time_name, struct err *err)
{
    const struct db_list lists[] = {
        {":coin_id", list->coin_ids}, {time_name, list->times_us}, {.name = NULL}};

    return db_run_each(db, stmt, lists, list->n, err);
}

enum st coin_list_read(struct coin_list *list, struct db *db, struct stmt *stmt, bool has_times,
                       struct err *err)
{
    bool has_row;
    enum st st;

    list->n = 0;
    while ((st = db_step(db, stmt, &has_row, err)) == ST_OK && has_row) {
        st = coin_list_add(list, db_int(stmt, 0), has_times ? db_int(stmt, 1) : 0, err);
        if (st != ST_OK) {
            db_reset(stmt);
            break;
        }
    }
    return st;
}

bool coin_list_find(const struct coin_list *list, int64_t coin_id, size_t *ret_at)
{
    size_t first = 0, end = list->n;

    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (list->coin_ids[middle] < coin_id)
            first = middle + 1;
        else
            end = middle;
    }
    *ret_at = first;
    return first < list->n && list->coin_ids[first] == coin_id;
}

enum st coin_list_insert(struct coin_list *list, size_t at, int64_t coin_id, int64_t time_us,
                         struct err *err)
{
    size_t n_behind = list->n - at;
    enum st st = coin_list_add(list, coin_id, time_us, err);

    if (st != ST_OK)
        return st;
    memmove(&list->coin_ids[at + 1], &list->coin_ids[at], n_behind * sizeof(*list->coin_ids));
    memmove(&list->times_us[at + 1], &list->times_us[at], n_behind * sizeof(*list->times_us));
    list->coin_ids[at] = coin_id;
    list->times_us[at] = time_us;
    return ST_OK;
}
