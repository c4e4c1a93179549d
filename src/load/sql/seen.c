/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/seen.h"

#include "base/mem.h"

#include <stdlib.h>

void seen_release(struct seen *seen)
{
    mem_free(seen->coins);
    coin_list_release(&seen->first);
    coin_list_release(&seen->last);
    *seen = (struct seen){.n = 0};
}

enum st seen_add(struct seen *seen, int64_t coin_id, int64_t seen_us, struct err *err)
{
    if (seen->n == seen->max) {
        size_t max = seen->max > 0 ? seen->max * 2 : 256;
        struct seen_coin *more = mem_try(seen->coins, max * sizeof(*more));
        if (more == NULL)
            return err_set(err, ST_AGAIN, "no memory for when %zu coins were seen", max);
        seen->coins = more;
        seen->max = max;
    }
    seen->coins[seen->n++] = (struct seen_coin){coin_id, seen_us};
    return ST_OK;
}

static int compare(const void *a, const void *b)
{
    int64_t x = ((const struct seen_coin *)a)->coin_id, y = ((const struct seen_coin *)b)->coin_id;

    return (x > y) - (x < y);
}

/* Once for each coin, which the polls of a transaction may have noted several times. */
static enum st merge(struct seen *seen, struct err *err)
{
    struct coin_list *first = &seen->first, *last = &seen->last;
    enum st st = ST_OK;

    qsort(seen->coins, seen->n, sizeof(*seen->coins), compare);
    first->n = last->n = 0;
    for (size_t i = 0; st == ST_OK && i < seen->n; i++) {
        const struct seen_coin *c = &seen->coins[i];
        size_t at = first->n - 1;
        if (first->n == 0 || first->coin_ids[at] != c->coin_id) {
            st = coin_list_add(first, c->coin_id, c->seen_us, err);
            if (st == ST_OK)
                st = coin_list_add(last, c->coin_id, c->seen_us, err);
            continue;
        }
        if (c->seen_us < first->times_us[at])
            first->times_us[at] = c->seen_us;
        if (c->seen_us > last->times_us[at])
            last->times_us[at] = c->seen_us;
    }
    return st;
}

enum st seen_write(struct seen *seen, struct db *db, struct err *err)
{
    const struct coin_list *first = &seen->first;
    struct stmt *stmt;

    if (seen->n == 0)
        return ST_OK;
    enum st st = merge(seen, err);
    seen->n = 0;
    if (st == ST_OK)
        st = db_prepare(db, DB_SEEN_COIN, &stmt, err);
    if (st != ST_OK)
        return st;
    const struct db_list lists[] = {{":coin_id", first->coin_ids},
                                    {":seen", first->times_us},
                                    {":last_seen", seen->last.times_us},
                                    {.name = NULL}};
    st = db_run_each(db, stmt, lists, first->n, err);
    /* what is remembered of them is worth nothing then, and is forgotten with the transaction */
    if (st == ST_OK && db->n_changed != (int64_t)first->n)
        st = err_set(err, ST_AGAIN,
                     "%s: coins were deleted from the table coin; they are added again, and "
                     "geckotape replay --force makes the rows anew that went by their old numbers",
                     db->shown);
    return st;
}
