/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/absences.h"

#include "load/sql/replace.h"
#include "transform/coins.h"

#define NOT_ABSENT INT64_MAX /* in place of the time: the coin came back */

enum st absences_expect(struct store *s, struct err *err)
{
    enum st st = db_prepare(&s->db, DB_LIST_ABSENT, &s->asks_open, err);

    if (st != ST_OK)
        return st;
    db_bind_int(s->asks_open, ":job_id", s->job_id);
    return db_send(&s->db, s->asks_open, err);
}

enum st absences_know(struct store *s, struct err *err)
{
    if (s->knows_open)
        return ST_OK;
    enum st st = s->asks_open ? ST_OK : absences_expect(s, err);
    if (st == ST_OK)
        st = coin_list_read(&s->open, &s->db, s->asks_open, true, err);
    s->asks_open = NULL;
    s->knows_open = st == ST_OK;
    return st;
}

void absences_forget(struct store *s)
{
    s->knows_open = false;
    s->asks_open = NULL;
}

enum st absences_note_row(struct store *s, int64_t coin_id, int64_t slot_us, size_t index,
                          struct err *err)
{
    size_t at;

    if (!coin_list_find(&s->open, coin_id, &at) || s->open.times_us[at] >= slot_us)
        return ST_OK;
    return coin_list_add(&s->back, coin_id, (int64_t)index, err);
}

static bool is_refused(const struct store *s, int64_t index)
{
    for (size_t i = 0; i < s->n_refused; i++)
        if (s->refused[i].index == (size_t)index)
            return true;
    return false;
}

static enum st close_absence(struct store *s, const struct store_poll *poll, int64_t coin_id,
                             struct err *err)
{
    struct stmt *stmt;
    size_t at;

    enum st st = db_prepare(&s->db, DB_CLOSE_ABSENCE, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":coin_id", coin_id);
    db_bind_int(stmt, ":slot", poll->load->rows->slot_us);
    if (coin_list_find(&s->open, coin_id, &at))
        s->open.times_us[at] = NOT_ABSENT;
    return db_run_later(&s->db, stmt, err);
}

/* One of the statements whose parameters are :job_id, :slot and :id. */
static enum st run_for_coin(struct store *s, enum db_statement which, const struct store_poll *poll,
                            struct str id, struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(&s->db, which, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", poll->load->end->slot_us);
    db_bind_text(stmt, ":id", id);
    return db_run_later(&s->db, stmt, err);
}

/* The coin is absent since this slot, unless it was already. */
static enum st note_absent(struct store *s, const struct store_poll *poll, struct str id,
                           struct err *err)
{
    int64_t coin_id = coin_cache_number(&s->coins, id);
    int64_t slot = poll->load->end->slot_us;
    size_t at;

    if (coin_id == 0)
        absences_forget(s);
    if (!s->knows_open)
        return ST_OK;
    if (!coin_list_find(&s->open, coin_id, &at))
        return coin_list_insert(&s->open, at, coin_id, slot, err);
    if (s->open.times_us[at] == NOT_ABSENT)
        s->open.times_us[at] = slot;
    return ST_OK;
}

static enum st open_absence(struct store *s, const struct store_poll *poll, struct str id,
                            struct err *err)
{
    enum st st = run_for_coin(s, DB_LAST_SEEN_ABSENT, poll, id, err);

    if (st == ST_OK)
        st = run_for_coin(s, DB_OPEN_ABSENCE, poll, id, err);
    if (st == ST_OK)
        s->n_absent++;
    return st == ST_OK ? note_absent(s, poll, id, err) : st;
}

/* Of all coins that are thought present, find those that the poll lacks. */
static enum st open_missed(struct store *s, const struct store_poll *poll, struct err *err)
{
    struct stmt *stmt;
    bool has_row = true;
    uint32_t row;

    enum st st = db_prepare(&s->db, DB_LIST_PRESENT, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    while ((st = db_step(&s->db, stmt, &has_row, err)) == ST_OK && has_row) {
        struct str id = db_text(stmt, 0);
        if (coins_find(poll->load->rows->coins, id, &row))
            continue;
        st = open_absence(s, poll, id, err);
        if (st != ST_OK)
            break;
    }
    db_reset(stmt);
    return st;
}

/* There are polls behind this one already: those of another collector. */
static enum st update_late(struct store *s, const struct store_poll *poll, struct err *err)
{
    const struct store_batch none = {.n = 0};

    absences_forget(s);
    return past_absences(s, poll, &none, false, &s->n_absent, err);
}

enum st absences_update(struct store *s, const struct store_poll *poll,
                        const struct before_relation *relation, struct err *err)
{
    const struct poll_rows *rows = poll->load->rows;
    enum st st = ST_OK;

    if (relation->is_late)
        return update_late(s, poll, err);
    for (size_t i = 0; st == ST_OK && i < s->back.n; i++)
        if (!is_refused(s, s->back.times_us[i]))
            st = close_absence(s, poll, s->back.coin_ids[i], err);
    if (st != ST_OK || poll->load->end->outcome != POLL_OK)
        return st;
    /* what the transform compared it with is the poll before here, or else it is of no use */
    for (size_t i = 0; relation->is_compared && st == ST_OK && i < rows->n_absent; i++)
        st = open_absence(s, poll, rows->absent[i], err);
    if (st != ST_OK || relation->is_compared)
        return st;
    st = store_finish(s, err); /* `latest`, with the rows of this transaction */
    return st == ST_OK ? open_missed(s, poll, err) : st;
}
