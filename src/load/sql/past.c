/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/replace.h"

#include "transform/coins.h"

/* An absence as the scan of a slot's absences finds it. Times without an end are NO_END. */
struct absence {
    int64_t coin_id, from_us, until_us;
};

#define NO_END PAST_NO_END

static void bind_coin(struct stmt *stmt, const struct store_poll *poll, int64_t coin_id)
{
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":coin_id", coin_id);
}

static void bind_end(struct stmt *stmt, const char *name, int64_t end_us)
{
    if (end_us == NO_END)
        db_bind_null(stmt, name);
    else
        db_bind_int(stmt, name, end_us);
}

enum st past_add_absence(struct store *s, const struct store_poll *poll, int64_t coin_id,
                         int64_t from_us, int64_t until_us, struct err *err)
{
    struct stmt *stmt;

    if (from_us >= until_us)
        return ST_OK;
    enum st st = db_prepare(&s->db, DB_ADD_ABSENCE, &stmt, err);
    if (st != ST_OK)
        return st;
    bind_coin(stmt, poll, coin_id);
    db_bind_int(stmt, ":from_slot", from_us);
    bind_end(stmt, ":until_slot", until_us);
    return db_run_later(&s->db, stmt, err);
}

enum st past_delete_absences(struct store *s, const struct store_poll *poll, int64_t coin_id,
                             int64_t from_us, int64_t until_us, struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(&s->db, DB_DELETE_ABSENCES, &stmt, err);
    if (st != ST_OK)
        return st;
    bind_coin(stmt, poll, coin_id);
    db_bind_int(stmt, ":from_slot", from_us);
    bind_end(stmt, ":until_slot", until_us);
    return db_run_later(&s->db, stmt, err);
}

enum st past_ask(struct store *s, const struct store_poll *poll, enum db_statement which,
                 int64_t slot_us, int64_t coin_id, int64_t *ret_answer, struct err *err)
{
    struct stmt *stmt;
    bool has_row;

    enum st st = db_prepare(&s->db, which, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", slot_us);
    if (which != DB_NEXT_OK_POLL)
        db_bind_int(stmt, ":coin_id", coin_id);
    st = db_step(&s->db, stmt, &has_row, err);
    if (st != ST_OK)
        return st;
    *ret_answer = has_row ? db_int(stmt, 0) : NO_END;
    db_reset(stmt);
    return ST_OK;
}

enum st past_last_to_next_row(struct store *s, const struct store_poll *poll, int64_t coin_id,
                              int64_t from_us, int64_t slot_us, struct err *err)
{
    int64_t until_us;

    enum st st = past_ask(s, poll, DB_NEXT_ROW, slot_us, coin_id, &until_us, err);
    if (st == ST_OK)
        st = past_delete_absences(s, poll, coin_id, from_us, until_us, err);
    return st == ST_OK ? past_add_absence(s, poll, coin_id, from_us, until_us, err) : st;
}

/* The coin is in this poll: the absence ends here, and what follows begins at the next ok poll that
 * lacks it. */
static enum st split(struct store *s, const struct store_poll *poll, const struct absence *a,
                     struct err *err)
{
    const int64_t slot = poll->load->end->slot_us;
    int64_t next_us;

    enum st st = past_delete_absences(s, poll, a->coin_id, a->from_us, a->from_us + 1, err);
    if (st == ST_OK)
        st = past_add_absence(s, poll, a->coin_id, a->from_us, slot, err);
    if (st == ST_OK)
        st = past_ask(s, poll, DB_NEXT_LACK, slot, a->coin_id, &next_us, err);
    return st == ST_OK ? past_add_absence(s, poll, a->coin_id, next_us, a->until_us, err) : st;
}

static bool is_listed(const struct poll_rows *rows, struct str id)
{
    for (size_t i = 0; i < rows->n_absent; i++)
        if (str_eq(rows->absent[i], id))
            return true;
    return false;
}

/* Absences that the poll is in, or that ended with it: does what it has agree with them? *n_found
 * counts those that begin with it and that the transform could not tell. */
static enum st check_absence(struct store *s, const struct store_poll *poll, bool is_compared,
                             const struct absence *a, struct str id, size_t *n_found,
                             struct err *err)
{
    const struct poll_rows *rows = poll->load->rows;
    uint32_t row = COINS_NO_ROW;
    bool is_seen = coins_find(rows->coins, id, &row);
    enum st st = ST_OK;

    if (a->until_us == rows->slot_us)
        return row == COINS_NO_ROW
                   ? past_last_to_next_row(s, poll, a->coin_id, a->from_us, a->until_us, err)
                   : ST_OK;
    if (row != COINS_NO_ROW || (is_seen && a->from_us == rows->slot_us))
        return split(s, poll, a, err);
    if (a->from_us != rows->slot_us || (is_compared && is_listed(rows, id)))
        return ST_OK;
    int64_t before_us = NO_END;
    if (!is_compared)
        st = past_ask(s, poll, DB_HAS_ROW_BEFORE, rows->slot_us, a->coin_id, &before_us, err);
    if (st == ST_OK && before_us == NO_END)
        return past_delete_absences(s, poll, a->coin_id, a->from_us, a->from_us + 1, err);
    ++*n_found;
    return st;
}

static enum st check_absences(struct store *s, const struct store_poll *poll, bool is_compared,
                              size_t *n_found, struct err *err)
{
    struct stmt *stmt;
    bool has_row = true;

    enum st st = db_prepare(&s->db, DB_LIST_ABSENCES_AT, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", poll->load->end->slot_us);
    while ((st = db_step(&s->db, stmt, &has_row, err)) == ST_OK && has_row) {
        struct absence a = {
            .coin_id = db_int(stmt, 0), .from_us = db_int(stmt, 2), .until_us = NO_END};
        if (!db_is_null(stmt, 3))
            a.until_us = db_int(stmt, 3);
        st = check_absence(s, poll, is_compared, &a, db_text(stmt, 1), n_found, err);
        if (st != ST_OK)
            break;
    }
    db_reset(stmt);
    return st;
}

enum st past_note_last_seen(struct store *s, const struct store_poll *poll, struct str id,
                            struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(&s->db, DB_LAST_SEEN_ABSENT, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", poll->load->end->slot_us);
    db_bind_text(stmt, ":id", id);
    return db_run_later(&s->db, stmt, err);
}

/* Open the absence of a coin that the transform missed in the poll, unless it is absent already; or
 * nobody knew it then, as there had been no row of it but refused ones. */
static enum st open_listed(struct store *s, const struct store_poll *poll, struct str id,
                           struct err *err)
{
    const int64_t slot = poll->load->end->slot_us;
    struct stmt *stmt;
    bool has_row;

    enum st st = db_prepare(&s->db, DB_FIND_ABSENCE, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", slot);
    db_bind_int(stmt, ":before", poll->load->end->fetched_at_us);
    db_bind_text(stmt, ":id", id);
    st = db_step(&s->db, stmt, &has_row, err);
    if (st != ST_OK || !has_row)
        return st;
    int64_t coin_id = db_int(stmt, 0);
    bool is_absent = db_int(stmt, 1) != 0;
    db_reset(stmt);
    if (is_absent)
        return ST_OK;
    st = past_note_last_seen(s, poll, id, err);
    return st == ST_OK ? past_last_to_next_row(s, poll, coin_id, slot, slot, err) : st;
}

/* Of all coins that are thought present then, find those that the poll lacks. */
static enum st open_missed(struct store *s, const struct store_poll *poll, size_t *n_found,
                           struct err *err)
{
    int64_t before_us = NO_END;
    struct stmt *stmt;
    bool has_row = true;
    uint32_t row;

    enum st st = store_finish(s, err); /* `latest`, with the rows of this transaction */
    if (st == ST_OK)
        st = db_prepare(&s->db, DB_LIST_PRESENT_AT, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", poll->load->end->slot_us);
    db_bind_int(stmt, ":before", poll->load->end->fetched_at_us);
    while ((st = db_step(&s->db, stmt, &has_row, err)) == ST_OK && has_row) {
        struct str id = db_text(stmt, 1);
        if (coins_find(poll->load->rows->coins, id, &row))
            continue;
        st = past_ask(s, poll, DB_HAS_ROW_BEFORE, poll->load->end->slot_us, db_int(stmt, 0),
                      &before_us, err);
        if (st == ST_OK && before_us != NO_END) {
            st = open_listed(s, poll, id, err);
            ++*n_found;
        }
        if (st != ST_OK)
            break;
    }
    db_reset(stmt);
    return st;
}

static enum st list_there(struct store *s, const struct store_poll *poll, int64_t slot_us,
                          struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(&s->db, DB_LIST_THERE, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", slot_us);
    return coin_list_read(&s->there, &s->db, stmt, false, err);
}

enum st past_open_behind(struct store *s, const struct store_poll *poll,
                         const struct store_batch *batch, struct err *err)
{
    const struct poll_rows *rows = poll->load->rows;
    bool is_replaced = false;
    int64_t next_us = NO_END, from_us;
    struct coin *coin;
    size_t at;

    enum st st = past_ask(s, poll, DB_NEXT_OK_POLL, rows->slot_us, 0, &next_us, err);
    for (size_t i = 0; i < batch->n; i++)
        is_replaced |= batch->polls[i].slot_us == next_us;
    if (st != ST_OK || next_us == NO_END || is_replaced)
        return st;
    st = list_there(s, poll, next_us, err);
    for (size_t i = 0; st == ST_OK && i < rows->rows.n; i++) {
        st = coin_of_row(&s->coins, &s->db, rows_at(&rows->rows, i), s->is_past, &coin, err);
        if (st != ST_OK || coin_list_find(&s->there, coin->coin_id, &at))
            continue;
        st = past_ask(s, poll, DB_NEXT_LACK, rows->slot_us, coin->coin_id, &from_us, err);
        if (st == ST_OK && from_us != NO_END)
            st = past_last_to_next_row(s, poll, coin->coin_id, from_us, rows->slot_us, err);
    }
    return st;
}

enum st past_absences(struct store *s, const struct store_poll *poll,
                      const struct store_batch *batch, bool is_compared, size_t *ret_n_absent,
                      struct err *err)
{
    const struct poll_rows *rows = poll->load->rows;
    bool is_ok = poll->load->end->outcome == POLL_OK;
    size_t n_found = 0;

    enum st st = check_absences(s, poll, is_compared, &n_found, err);
    for (size_t i = 0; is_compared && st == ST_OK && i < rows->n_absent; i++)
        st = open_listed(s, poll, rows->absent[i], err);
    if (st == ST_OK && is_ok && !is_compared)
        st = open_missed(s, poll, &n_found, err);
    if (st == ST_OK)
        st = past_open_behind(s, poll, batch, err);
    *ret_n_absent = (is_compared ? rows->n_absent : 0) + (is_ok ? n_found : 0);
    return st;
}
