/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/retain.h"

#include "load/sql/candles.h"

/* Of a job: what lies before these moments is gone, or stays as it is. */
struct kept {
    int64_t rows_us, fine_us, frozen_us;
    int64_t built_us;          /* candles are made up to here */
    int64_t first_us, last_us; /* slots of the first poll that may have rows, and of the last */
    bool has_polls, is_frozen;
};

static enum st read_kept(struct store *s, struct kept *ret, struct err *err)
{
    struct stmt *stmt;
    bool has_row;

    *ret = (struct kept){.has_polls = false};
    enum st st = db_prepare(&s->db, DB_READ_RETAINED, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", s->job_id);
    st = db_step(&s->db, stmt, &has_row, err);
    if (st != ST_OK || !has_row)
        return st;
    ret->has_polls = !db_is_null(stmt, 4) && !db_is_null(stmt, 5);
    if (ret->has_polls) {
        ret->built_us = db_int(stmt, 3);
        ret->last_us = db_int(stmt, 4);
        ret->first_us = db_int(stmt, 5);
        ret->rows_us =
            db_is_null(stmt, 0) ? time_floor(ret->first_us, CANDLE_1H_US) : db_int(stmt, 0);
        ret->fine_us =
            db_is_null(stmt, 1) ? time_floor(ret->first_us, CANDLE_1D_US) : db_int(stmt, 1);
        ret->is_frozen = !db_is_null(stmt, 2);
        ret->frozen_us = ret->is_frozen ? db_int(stmt, 2) : 0;
    }
    db_reset(stmt);
    return ST_OK;
}

/* Up to when may go what is kept so long: not before the candles of its day are made. */
static int64_t goal_of(const struct kept *k, int64_t keep_us, int64_t step_us)
{
    const int64_t old_us = k->last_us - keep_us, made_us = k->built_us - CANDLE_1D_US;

    return time_floor(old_us < made_us ? old_us : made_us, step_us);
}

static enum st remove_some(struct store *s, enum db_statement which, int64_t from_us,
                           int64_t until_us, struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(&s->db, which, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", s->job_id);
    db_bind_int(stmt, ":from", from_us);
    db_bind_int(stmt, ":until", until_us);
    if (which == DB_REMOVE_CANDLES)
        db_bind_int(stmt, ":step", CANDLE_5M_US / US_PER_S);
    return db_run(&s->db, stmt, err);
}

static enum st move(struct store *s, const struct kept *k, struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(&s->db, DB_MOVE_RETAINED, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", s->job_id);
    db_bind_int(stmt, ":from", k->rows_us);
    db_bind_int(stmt, ":since", k->fine_us);
    if (k->is_frozen)
        db_bind_int(stmt, ":until", k->frozen_us);
    else
        db_bind_null(stmt, ":until");
    return db_run(&s->db, stmt, err);
}

/* Rows of an hour, the next one that has polls. Polls of the hours behind it may lack the rows of
 * the one before them. */
static enum st remove_hour(struct store *s, struct kept *k, int64_t goal_us, struct err *err)
{
    const int64_t hour_us = time_floor(k->first_us, CANDLE_1H_US);
    enum st st = ST_OK;

    k->rows_us = goal_us;
    if (hour_us < goal_us) {
        k->rows_us = hour_us + CANDLE_1H_US;
        st = remove_some(s, DB_REMOVE_ROWS, hour_us, k->rows_us, err);
    }
    k->is_frozen = true;
    k->frozen_us = k->rows_us + CANDLE_MAX_LATE_US;
    return st;
}

static enum st remove_day(struct store *s, struct kept *k, struct err *err)
{
    const int64_t from_us = k->fine_us;

    k->fine_us += CANDLE_1D_US;
    return remove_some(s, DB_REMOVE_CANDLES, from_us, k->fine_us, err);
}

/* A step for one job; *ret_is_due: there was one to do. */
static enum st retain_job(struct store *s, int64_t job_id, const struct retained *keep,
                          bool *ret_is_due, struct err *err)
{
    struct kept k;

    enum st st = db_begin(&s->db, err);
    store_begin(s, job_id, TABLE_MARKET, STORE_ONE);
    if (st == ST_OK)
        st = db_lock_job(&s->db, job_id, err);
    if (st == ST_OK)
        st = read_kept(s, &k, err);
    if (st != ST_OK)
        return st;
    const int64_t rows_us = goal_of(&k, keep->rows_us, CANDLE_1H_US);
    const int64_t fine_us = goal_of(&k, keep->fine_us, CANDLE_1D_US);
    const bool has_rows = k.has_polls && keep->rows_us > 0 && k.rows_us < rows_us;
    const bool has_fine = k.has_polls && keep->fine_us > 0 && k.fine_us < fine_us;
    if (has_rows)
        st = remove_hour(s, &k, rows_us, err);
    else if (has_fine)
        st = remove_day(s, &k, err);
    if (st == ST_OK && (has_rows || has_fine))
        st = move(s, &k, err);
    *ret_is_due = has_rows || has_fine;
    return st == ST_OK ? db_commit(&s->db, err) : st;
}

enum st retain_step(struct store *s, const struct retained *keep, bool *ret_has_more,
                    struct err *err)
{
    struct stmt *stmt;

    *ret_has_more = false;
    if (keep->rows_us == 0 && keep->fine_us == 0)
        return ST_OK;
    enum st st = db_prepare(&s->db, DB_LIST_CANDLE_JOBS, &stmt, err);
    if (st == ST_OK)
        st = coin_list_read(&s->there, &s->db, stmt, false, err);
    for (size_t i = 0; st == ST_OK && !*ret_has_more && i < s->there.n; i++)
        st = retain_job(s, s->there.coin_ids[i], keep, ret_has_more, err);
    return st;
}
