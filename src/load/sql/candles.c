/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/candles.h"

#include <stdlib.h>

/* What a transaction makes beyond what its rows touch, about: more than a batch of polls asks for.
 * A bucket of 5 minutes costs as much as so many candles before there is one in it. */
#define MAX_STEP    60000
#define BUCKET_COST 100

/* ---- one bucket ---- */

static enum st prepare(struct store *s, enum db_statement which, int64_t from_us, int64_t len_us,
                       struct stmt **ret_stmt, struct err *err)
{
    enum st st = db_prepare(&s->db, which, ret_stmt, err);

    if (st != ST_OK)
        return st;
    db_bind_int(*ret_stmt, ":job_id", s->job_id);
    db_bind_int(*ret_stmt, ":from", from_us);
    if (which != DB_CARRY_CANDLES)
        db_bind_int(*ret_stmt, ":step", len_us / US_PER_S);
    if (which != DB_DROP_CANDLES)
        db_bind_int(*ret_stmt, ":until", from_us + len_us);
    if (which != DB_DROP_CANDLES && which != DB_SUM_CANDLES)
        db_bind_int(*ret_stmt, ":first_slot", candle_first_slot(from_us));
    if (which == DB_BUILD_CANDLES || which == DB_CARRY_CANDLES)
        db_bind_int(*ret_stmt, ":last_slot", from_us + CANDLE_1H_US);
    return ST_OK;
}

static enum st drop(struct store *s, int64_t from_us, int64_t len_us, struct err *err)
{
    struct stmt *stmt;
    enum st st = prepare(s, DB_DROP_CANDLES, from_us, len_us, &stmt, err);

    return st == ST_OK ? db_run_later(&s->db, stmt, err) : st;
}

/* Write a bucket's candles as they are in memory, if they are there. */
static enum st write_known(struct store *s, enum bucket_level level, int64_t from_us,
                           int64_t len_us, int64_t *n_made, bool *ret_is_known, struct err *err)
{
    const struct buckets *b = buckets_of(&s->buckets, s->job_id);
    const struct bucket *bucket;

    enum st st = buckets_find(b, &s->db, level, from_us, &bucket, err);
    *ret_is_known = st == ST_OK && bucket;
    if (!*ret_is_known)
        return st == ST_OK ? db_end_candles(&s->db, err) : st; /* SQL may need those before */
    st = drop(s, from_us, len_us, err);
    return st == ST_OK ? buckets_write(b, bucket, &s->db, n_made, err) : st;
}

/* What rows that polls left out add to a bucket of 5 minutes. */
static enum st flatten(struct store *s, int64_t from_us, int64_t *n_made, struct err *err)
{
    struct stmt *stmt;
    bool has_row;

    enum st st = prepare(s, DB_CARRY_CANDLES, from_us, CANDLE_5M_US, &stmt, err);
    if (st == ST_OK)
        st = db_step(&s->db, stmt, &has_row, err);
    if (st != ST_OK || !has_row)
        return st;
    const int64_t since_us =
        db_is_null(stmt, 0) ? from_us : time_floor(db_int(stmt, 0), CANDLE_5M_US);
    const int64_t first_us = db_int(stmt, 1), last_us = db_int(stmt, 2);
    db_reset(stmt);
    st = prepare(s, DB_FLATTEN_CANDLES, from_us, CANDLE_5M_US, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":since", since_us < from_us ? since_us : from_us);
    db_bind_int(stmt, ":from_slot", first_us);
    db_bind_int(stmt, ":until_slot", last_us);
    st = db_run(&s->db, stmt, err);
    *n_made += s->db.n_changed;
    return st;
}

static enum st build(struct store *s, int64_t from_us, int64_t *n_made, struct err *err)
{
    struct stmt *stmt;
    bool is_known;

    enum st st = write_known(s, BUCKET_5M, from_us, CANDLE_5M_US, n_made, &is_known, err);
    if (st != ST_OK || is_known)
        return st;
    st = drop(s, from_us, CANDLE_5M_US, err);
    if (st == ST_OK)
        st = prepare(s, DB_BUILD_CANDLES, from_us, CANDLE_5M_US, &stmt, err);
    if (st == ST_OK)
        st = db_run(&s->db, stmt, err);
    if (st != ST_OK)
        return st;
    *n_made += s->db.n_changed;
    return flatten(s, from_us, n_made, err);
}

static enum st sum(struct store *s, int64_t from_us, int64_t len_us, int64_t part_us,
                   struct err *err)
{
    struct stmt *stmt;
    bool is_known = false;
    int64_t n_made = 0;

    enum st st = len_us == CANDLE_1H_US
                     ? write_known(s, BUCKET_1H, from_us, len_us, &n_made, &is_known, err)
                     : db_end_candles(&s->db, err);
    if (st != ST_OK || is_known)
        return st;
    st = drop(s, from_us, len_us, err);
    if (st == ST_OK)
        st = prepare(s, DB_SUM_CANDLES, from_us, len_us, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":part", part_us / US_PER_S);
    return db_run(&s->db, stmt, err);
}

/* ---- what rows touch ---- */

void candles_add(struct store *s, const struct store_poll *poll, bool may_skip,
                 const struct sink_result *result)
{
    const struct buckets_poll added = {.load = poll->load,
                                       .coin_ids = s->rows.coin_ids,
                                       .may_skip = may_skip,
                                       .n_stored = result->n_stored,
                                       .n_unchanged = result->n_unchanged};
    struct buckets *b = buckets_of(&s->buckets, poll->job_id);

    if (result->n_refused == 0)
        buckets_add(&s->buckets, poll->job_id, &added);
    else if (b)
        buckets_forget(b);
}

enum st candles_touch(struct store *s, int64_t from_us, int64_t to_us, struct err *err)
{
    struct coin_list *spans = &s->spans;

    if (s->db.table != TABLE_MARKET)
        return ST_OK;
    from_us = time_floor(from_us, CANDLE_5M_US);
    to_us = to_us < from_us + CANDLE_MAX_LATE_US ? to_us : from_us + CANDLE_MAX_LATE_US;
    const size_t last = spans->n - 1;
    if (spans->n > 0 && from_us >= spans->coin_ids[last] &&
        from_us <= spans->times_us[last] + CANDLE_5M_US) {
        if (to_us > spans->times_us[last])
            spans->times_us[last] = to_us;
        return ST_OK;
    }
    return coin_list_add(spans, from_us, to_us, err);
}

enum st candles_touch_slot(struct store *s, int64_t job_id, int64_t slot_us, struct err *err)
{
    struct stmt *stmt;
    bool has_row;

    if (s->db.table != TABLE_MARKET)
        return ST_OK;
    enum st st = db_prepare(&s->db, DB_POLL_TIMES, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", job_id);
    db_bind_int(stmt, ":slot", slot_us);
    st = db_step(&s->db, stmt, &has_row, err);
    if (st != ST_OK || !has_row)
        return st;
    const int64_t from_us = db_int(stmt, 0), to_us = db_int(stmt, 1);
    db_reset(stmt);
    return candles_touch(s, from_us, to_us, err);
}

static int by_start(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

/* Every bucket once that begins in one of the spans, from one moment until another: in s->due, in
 * order. */
static enum st list_buckets(struct store *s, int64_t from_us, int64_t until_us, struct err *err)
{
    struct coin_list *due = &s->due;
    enum st st = ST_OK;
    size_t n = 0;

    due->n = 0;
    for (size_t i = 0; i < s->spans.n; i++)
        for (int64_t at = s->spans.coin_ids[i];
             st == ST_OK && at <= s->spans.times_us[i] && at < until_us; at += CANDLE_5M_US)
            if (at >= from_us)
                st = coin_list_add(due, at, 0, err);
    if (st != ST_OK || due->n == 0)
        return st;
    qsort(due->coin_ids, due->n, sizeof(*due->coin_ids), by_start);
    for (size_t i = 0; i < due->n; i++)
        if (n == 0 || due->coin_ids[i] != due->coin_ids[n - 1])
            due->coin_ids[n++] = due->coin_ids[i];
    due->n = n;
    return ST_OK;
}

/* Of the buckets that are due, the hours (days) that end by then. */
static enum st sum_due(struct store *s, int64_t len_us, int64_t part_us, int64_t until_us,
                       struct err *err)
{
    int64_t last_us = INT64_MIN;
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < s->due.n; i++) {
        const int64_t from_us = time_floor(s->due.coin_ids[i], len_us);
        if (from_us != last_us && from_us + len_us <= until_us)
            st = sum(s, from_us, len_us, part_us, err);
        last_us = from_us;
    }
    return st;
}

/* Make anew what the transaction changed of what was made. */
static enum st mend(struct store *s, int64_t frozen_us, int64_t built_us, struct err *err)
{
    int64_t n_made = 0;

    enum st st = list_buckets(s, frozen_us, built_us, err);
    for (size_t i = 0; st == ST_OK && i < s->due.n; i++)
        st = build(s, s->due.coin_ids[i], &n_made, err);
    if (st == ST_OK)
        st = sum_due(s, CANDLE_1H_US, CANDLE_5M_US, built_us, err);
    return st == ST_OK ? sum_due(s, CANDLE_1D_US, CANDLE_1H_US, built_us, err) : st;
}

/* ---- what time brings ---- */

/* From at_us on, where does the first bucket begin that may have rows? At goal_us at the latest. */
static enum st find_bucket(struct store *s, int64_t at_us, int64_t goal_us, int64_t *ret_us,
                           struct err *err)
{
    struct stmt *stmt;
    bool has_row;

    enum st st = db_prepare(&s->db, DB_NEXT_CANDLES, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", s->job_id);
    db_bind_int(stmt, ":first_slot", candle_first_slot(at_us));
    db_bind_int(stmt, ":from", at_us);
    st = db_step(&s->db, stmt, &has_row, err);
    if (st != ST_OK)
        return st;
    const int64_t slot_us = has_row ? time_floor(db_int(stmt, 0), CANDLE_5M_US) : goal_us;
    db_reset(stmt);
    *ret_us = slot_us < at_us ? at_us : slot_us < goal_us ? slot_us : goal_us;
    return ST_OK;
}

/* The hour and the day that are over when time goes on from one moment to another. */
static enum st go_on(struct store *s, int64_t *at_us, int64_t to_us, bool has_rows, struct err *err)
{
    const int64_t hour_us = time_floor(*at_us, CANDLE_1H_US),
                  day_us = time_floor(*at_us, CANDLE_1D_US);
    enum st st = ST_OK;

    if (hour_us + CANDLE_1H_US <= to_us && (has_rows || *at_us > hour_us))
        st = sum(s, hour_us, CANDLE_1H_US, CANDLE_5M_US, err);
    if (st == ST_OK && day_us + CANDLE_1D_US <= to_us && (has_rows || *at_us > day_us))
        st = sum(s, day_us, CANDLE_1D_US, CANDLE_1H_US, err);
    *at_us = to_us;
    return st;
}

/* Make the candles from a moment on, up to another if that is not too much at once. */
static enum st advance(struct store *s, int64_t built_us, int64_t goal_us, struct err *err)
{
    int64_t at_us = built_us, next_us = built_us, n_made = 0;
    struct stmt *stmt;
    enum st st = ST_OK;

    while (st == ST_OK && at_us < goal_us && n_made < MAX_STEP) {
        st = find_bucket(s, at_us, goal_us, &next_us, err);
        if (st == ST_OK)
            st = go_on(s, &at_us, next_us, false, err);
        n_made += BUCKET_COST;
        if (st == ST_OK && at_us < goal_us)
            st = build(s, at_us, &n_made, err);
        if (st == ST_OK && at_us < goal_us)
            st = go_on(s, &at_us, at_us + CANDLE_5M_US, true, err);
    }
    s->has_candles_due |= at_us < goal_us;
    if (st == ST_OK)
        st = db_prepare(&s->db, DB_MOVE_CANDLES, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", s->job_id);
    db_bind_int(stmt, ":until", at_us);
    return db_run(&s->db, stmt, err);
}

/* How far a job's candles are, and could be. */
struct made {
    bool is_begun, has_polls;
    int64_t built_us, goal_us;
    int64_t frozen_us; /* candles before stay as they are, as what they are made of is gone */
};

enum st candles_expect(struct store *s, struct err *err)
{
    enum st st = db_prepare(&s->db, DB_READ_CANDLES, &s->asks_made, err);

    if (st != ST_OK)
        return st;
    db_bind_int(s->asks_made, ":job_id", s->job_id);
    return db_send(&s->db, s->asks_made, err);
}

/* It was asked before the transaction stored its polls. */
static void add_stored(const struct store *s, int64_t *first_us, int64_t *last_us, bool *has_polls)
{
    if (!s->has_rows)
        return;
    if (!*has_polls || s->first_slot_us < *first_us)
        *first_us = s->first_slot_us;
    if (!*has_polls || s->last_slot_us > *last_us)
        *last_us = s->last_slot_us;
    *has_polls = true;
}

static enum st read_made(struct store *s, struct made *ret, struct err *err)
{
    bool has_row;

    enum st st = s->asks_made ? ST_OK : candles_expect(s, err);
    if (st == ST_OK)
        st = db_step(&s->db, s->asks_made, &has_row, err);
    if (st != ST_OK)
        return st;
    struct stmt *stmt = s->asks_made;
    int64_t first_us = db_int(stmt, 1), last_us = db_int(stmt, 2);
    ret->is_begun = !db_is_null(stmt, 0);
    ret->has_polls = !db_is_null(stmt, 1);
    add_stored(s, &first_us, &last_us, &ret->has_polls);
    ret->built_us = time_floor(ret->is_begun ? db_int(stmt, 0) : first_us, CANDLE_5M_US);
    ret->goal_us = time_floor(last_us, CANDLE_5M_US);
    const int64_t rows_us = db_is_null(stmt, 3) ? INT64_MIN : db_int(stmt, 3);
    const int64_t fine_us = db_is_null(stmt, 4) ? INT64_MIN : db_int(stmt, 4);
    ret->frozen_us = rows_us > fine_us ? rows_us : fine_us;
    db_reset(stmt);
    s->asks_made = NULL;
    return ST_OK;
}

static bool is_due(const struct made *made)
{
    return made->has_polls && (made->built_us < made->goal_us || !made->is_begun);
}

enum st candles_update(struct store *s, struct err *err)
{
    struct made made;

    if (s->spans.n == 0)
        return ST_OK;
    enum st st = read_made(s, &made, err);
    if (st == ST_OK && made.is_begun)
        st = mend(s, made.frozen_us, made.built_us, err);
    if (st == ST_OK && is_due(&made))
        st = advance(s, made.built_us, made.goal_us, err);
    struct buckets *b = buckets_of(&s->buckets, s->job_id);
    if (b)
        buckets_drop_old(b);
    return st == ST_OK ? db_end_candles(&s->db, err) : st;
}

/* A step for one job; *ret_is_due: there was one to do. */
static enum st catch_up(struct store *s, int64_t job_id, bool *ret_is_due, struct err *err)
{
    struct made made = {.is_begun = false};

    enum st st = db_begin(&s->db, err);
    store_begin(s, job_id, TABLE_MARKET, STORE_ONE);
    if (st == ST_OK)
        st = db_lock_job(&s->db, job_id, err);
    if (st == ST_OK)
        st = read_made(s, &made, err);
    *ret_is_due = st == ST_OK && is_due(&made);
    if (*ret_is_due)
        st = advance(s, made.built_us, made.goal_us, err);
    return st == ST_OK ? db_commit(&s->db, err) : st;
}

enum st candles_step(struct store *s, bool *ret_has_more, struct err *err)
{
    struct stmt *stmt;
    bool is_one_due = false;

    *ret_has_more = false;
    if (!s->has_candles_due)
        return ST_OK;
    enum st st = db_prepare(&s->db, DB_LIST_CANDLE_JOBS, &stmt, err);
    if (st == ST_OK)
        st = coin_list_read(&s->there, &s->db, stmt, false, err);
    for (size_t i = 0; st == ST_OK && !is_one_due && i < s->there.n; i++)
        st = catch_up(s, s->there.coin_ids[i], &is_one_due, err);
    if (st == ST_OK)
        s->has_candles_due = *ret_has_more = is_one_due;
    return st;
}
