/* The last row of each coin (figure, currency), as the transaction leaves it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/store.h"

enum st store_touch(struct store *s, struct coin *coin, int64_t slot_us, struct err *err)
{
    int64_t *slots_us = s->touched.times_us;

    if (coin->batch == s->batch) {
        if (slot_us > slots_us[coin->touched])
            slots_us[coin->touched] = slot_us;
        return ST_OK;
    }
    coin->batch = s->batch;
    coin->touched = s->touched.n;
    return coin_list_add(&s->touched, coin->coin_id, slot_us, err);
}

enum st store_repair_latest(struct store *s, int64_t job_id, int64_t first_slot_us,
                            int64_t last_slot_us, struct err *err)
{
    struct stmt *drop, *set;
    bool has_row = true;

    if (s->db.table == N_ROW_TABLES) /* nothing of such an endpoint has rows */
        return ST_OK;
    if (db_table(&s->db)->latest == NULL)
        return ST_OK;
    enum st st = db_prepare(&s->db, DB_DROP_LATEST, &drop, err);
    if (st != ST_OK)
        return st;
    db_bind_int(drop, ":job_id", job_id);
    db_bind_int(drop, ":first_slot", first_slot_us);
    db_bind_int(drop, ":last_slot", last_slot_us);
    while ((st = db_step(&s->db, drop, &has_row, err)) == ST_OK && has_row) {
        st = db_prepare(&s->db, DB_SET_LATEST_BEFORE, &set, err);
        if (st != ST_OK)
            break;
        db_bind_int(set, ":job_id", job_id);
        if (db_table(&s->db)->is_of_coins)
            db_bind_int(set, ":key", db_int(drop, 0));
        else
            db_bind_text(set, ":key", db_text(drop, 0));
        db_bind_int(set, ":slot", last_slot_us);
        st = db_run(&s->db, set, err);
        if (st != ST_OK)
            break;
    }
    db_reset(drop);
    return st;
}

/* The coins that have rows in this transaction, but not in the poll of this slot. */
static enum st set_latest(struct store *s, enum db_statement which, int64_t but_slot_us,
                          struct err *err)
{
    const struct coin_list *touched = &s->touched;
    struct stmt *stmt;
    enum st st = ST_OK;

    s->due.n = 0;
    for (size_t i = 0; st == ST_OK && i < touched->n; i++)
        if (touched->times_us[i] != but_slot_us)
            st = coin_list_add(&s->due, touched->coin_ids[i], touched->times_us[i], err);
    if (st != ST_OK || s->due.n == 0)
        return st;
    st = db_prepare(&s->db, which, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", s->job_id);
    return coin_list_run(&s->due, &s->db, stmt, ":slot", err);
}

enum st store_finish(struct store *s, struct err *err)
{
    struct stmt *stmt;

    enum st st = seen_write(&s->coins.seen, &s->db, err);
    if (st == ST_OK)
        st = db_settle_rows(&s->db, err);

    if (st != ST_OK || s->touched.n == 0)
        return st;
    if (s->has_late)
        return set_latest(s, DB_SET_LATEST_IF_NEWER, INT64_MIN, err);
    st = set_latest(s, DB_SET_LATEST, s->last_slot_us, err);
    if (st == ST_OK)
        st = db_prepare(&s->db, DB_SET_LATEST_ALL, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", s->job_id);
    db_bind_int(stmt, ":slot", s->last_slot_us);
    return db_run_later(&s->db, stmt, err);
}
