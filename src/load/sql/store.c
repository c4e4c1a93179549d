/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/store.h"

#include "load/sql/absences.h"
#include "load/sql/candles.h"
#include "transform/quality.h"

void store_begin(struct store *s, int64_t job_id, enum row_table table, enum store_kind kind)
{
    s->db.table = table;
    s->db.is_bulk = kind == STORE_MANY;
    s->job_id = job_id;
    s->touched.n = s->spans.n = 0;
    s->has_late = s->is_past = kind == STORE_PAST;
    remake_reset(&s->remake);
    s->knows_before = false;
    s->asks_before = s->asks_made = NULL;
    s->has_rows = false;
    absences_forget(s);
    s->batch++;
}

void store_forget(struct store *s)
{
    coin_cache_clear(&s->coins);
    buckets_forget_all(&s->buckets);
    s->touched.n = 0;
}

void store_release(struct store *s)
{
    coin_cache_release(&s->coins);
    buf_release(&s->drift);
    coin_list_release(&s->touched);
    coin_list_release(&s->due);
    coin_list_release(&s->there);
    coin_list_release(&s->open);
    coin_list_release(&s->back);
    coin_list_release(&s->rows);
    coin_list_release(&s->spans);
    buckets_release(&s->buckets);
    remake_release(&s->remake);
}

static enum st add_refused(struct store *s, const struct store_poll *poll,
                           const struct db_refused *refused, struct err *err)
{
    const struct cell *row = rows_at(&poll->load->rows->rows, refused->index);
    struct stmt *stmt;

    enum st st = db_prepare(&s->db, DB_ADD_QUARANTINE, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":stream", str_of(poll->stream));
    db_bind_int(stmt, ":offset", (int64_t)poll->load->end->offset);
    db_bind_int(stmt, ":idx", (int64_t)refused->index);
    db_bind_text(stmt, ":coin", cell_text(&row[db_table(&s->db)->coin_column]));
    db_bind_text(stmt, ":reason", str_of(refused->why));
    db_bind_text(stmt, ":stage", STR("load"));
    return db_run_later(&s->db, stmt, err);
}

/* Rows that the engine would not take go to quarantine; the others are stored. */
static enum st end_rows(struct store *s, struct sink_result *result, struct err *err)
{
    enum st st = db_end_rows(&s->db, &s->refused, &s->n_refused, err);

    if (st != ST_OK)
        return st;
    result->n_stored -= s->n_refused;
    result->n_refused = s->n_refused;
    return ST_OK;
}

/* The flags of a row, from *at on. */
static enum st add_flags(struct store *s, const struct store_poll *poll, size_t row,
                         int64_t coin_id, size_t *at, struct err *err)
{
    const struct poll_rows *rows = poll->load->rows;
    struct stmt *stmt;
    enum st st = ST_OK;

    for (; st == ST_OK && *at < rows->n_flags && rows->flags[*at].row == row; ++*at) {
        st = db_prepare(&s->db, DB_ADD_FLAG, &stmt, err);
        if (st != ST_OK)
            break;
        db_bind_int(stmt, ":slot", rows->slot_us);
        db_bind_int(stmt, ":job_id", poll->job_id);
        db_bind_int(stmt, ":coin_id", coin_id);
        db_bind_text(stmt, ":rule", str_of(quality_rules[rows->flags[*at].rule].name));
        db_bind_text(stmt, ":detail", rows->flags[*at].detail);
        st = db_run_later(&s->db, stmt, err);
    }
    return st;
}

/* All that must be known of the rows' coins, and what is noted of them, before any row is sent. */
static enum st meet_coins(struct store *s, const struct store_poll *poll, bool may_skip,
                          struct err *err)
{
    const struct poll_rows *rows = poll->load->rows;
    size_t flag = 0;
    struct coin *coin;

    s->rows.n = s->back.n = 0;
    enum st st = coin_cache_fill(&s->coins, &s->db, poll->job_id, &rows->rows, err);
    if (st == ST_OK && !s->is_past)
        st = absences_know(s, err);
    for (size_t i = 0; st == ST_OK && i < rows->rows.n; i++) {
        st = coin_of_row(&s->coins, &s->db, rows_at(&rows->rows, i), s->is_past, &coin, err);
        if (st == ST_OK)
            st = coin_list_add(&s->rows, coin->coin_id, 0, err);
        if (st == ST_OK)
            st = add_flags(s, poll, i, coin->coin_id, &flag, err);
        if (st != ST_OK || (may_skip && rows->is_unchanged[i]))
            continue;
        st = store_touch(s, coin, rows->slot_us, err);
        if (st == ST_OK && (!s->is_past || s->remake.is_on))
            st = absences_note_row(s, coin->coin_id, rows->slot_us, i, err);
    }
    if (st == ST_OK && s->is_past && !s->remake.is_on) /* absences of the past are found by it */
        st = seen_write(&s->coins.seen, &s->db, err);
    return st;
}

static enum st insert_coins(struct store *s, const struct store_poll *poll, bool may_skip,
                            struct sink_result *result, struct err *err)
{
    const struct poll_rows *rows = poll->load->rows;
    struct db_row row = {.slot_us = rows->slot_us, .job_id = poll->job_id};

    enum st st = meet_coins(s, poll, may_skip, err);
    for (size_t i = 0; st == ST_OK && i < rows->rows.n; i++) {
        if (may_skip && rows->is_unchanged[i]) {
            result->n_unchanged++;
            continue;
        }
        row.cells = rows_at(&rows->rows, i);
        row.index = i;
        row.key = cell_of_int(s->rows.coin_ids[i]);
        st = db_insert_row(&s->db, &row, err);
        result->n_stored++;
    }
    return st == ST_OK ? end_rows(s, result, err) : st;
}

/* Rows that go by a text are few, and each poll's are all there: they are the last ones at once. */
static enum st insert_texts(struct store *s, const struct store_poll *poll,
                            struct sink_result *result, struct err *err)
{
    const struct poll_rows *rows = poll->load->rows;
    struct db_row row = {.slot_us = rows->slot_us, .job_id = poll->job_id};
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < rows->rows.n; i++) {
        row.cells = rows_at(&rows->rows, i);
        row.key = row.cells[ROW_ID];
        row.index = i;
        st = db_insert_row(&s->db, &row, err);
        result->n_stored++;
    }
    if (st == ST_OK)
        st = end_rows(s, result, err);
    if (st != ST_OK || db_table(&s->db)->latest == NULL)
        return st;
    return store_run_for_slot(s, DB_SET_LATEST_ALL_IF_NEWER, poll->job_id, rows->slot_us, err);
}

enum st store_insert_rows(struct store *s, const struct store_poll *poll, bool may_skip,
                          struct sink_result *result, struct err *err)
{
    const struct tape_record *end = poll->load->end;
    const bool is_early = end->started_us > 0 && end->started_us < end->slot_us;

    enum st st = db_table(&s->db)->is_of_coins ? insert_coins(s, poll, may_skip, result, err)
                                               : insert_texts(s, poll, result, err);
    if (st == ST_OK && s->db.table == TABLE_MARKET)
        candles_add(s, poll, may_skip, result);
    return st == ST_OK ? candles_touch(s, is_early ? end->started_us : end->slot_us,
                                       end->fetched_at_us, err)
                       : st;
}

static enum st ask_before(struct store *s, const struct sink_load *load, struct err *err)
{
    enum st st = db_prepare(&s->db, DB_LAST_POLL, &s->asks_before, err);

    if (st != ST_OK)
        return st;
    db_bind_int(s->asks_before, ":job_id", s->job_id);
    db_bind_int(s->asks_before, ":since", before_span_start(db_table(&s->db), load->end->slot_us));
    return db_send(&s->db, s->asks_before, err);
}

enum st store_expect(struct store *s, const struct sink_load *load, struct err *err)
{
    if (load->rows == NULL)
        return ST_OK;
    enum st st = ask_before(s, load, err);
    if (st == ST_OK && db_table(&s->db)->is_of_coins)
        st = absences_expect(s, err);
    return st == ST_OK && s->db.table == TABLE_MARKET ? candles_expect(s, err) : st;
}

/* Once in a transaction, which then keeps the job to itself. */
static enum st know_before(struct store *s, const struct sink_load *load, struct err *err)
{
    if (s->knows_before)
        return ST_OK;
    enum st st = s->asks_before ? ST_OK : ask_before(s, load, err);
    if (st == ST_OK)
        st = before_read(&s->db, s->asks_before,
                         before_span_start(db_table(&s->db), load->end->slot_us), &s->before, err);
    s->asks_before = NULL;
    s->knows_before = st == ST_OK;
    return st;
}

enum st store_run_for_slot(struct store *s, enum db_statement which, int64_t job_id,
                           int64_t slot_us, struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(&s->db, which, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", job_id);
    db_bind_int(stmt, ":slot", slot_us);
    /* in bulk the rows that it is about may be on their way */
    return s->db.is_bulk ? db_run(&s->db, stmt, err) : db_run_later(&s->db, stmt, err);
}

enum st store_keep_left_out(struct store *s, int64_t job_id, struct stmt *next, struct err *err)
{
    int64_t slot = db_int(next, 0);
    struct stmt *stmt;

    enum st st = db_prepare(&s->db, DB_KEEP_ROWS, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", job_id);
    db_bind_int(stmt, ":slot", slot);
    db_bind_int(stmt, ":since", time_floor(slot, db_table(&s->db)->whole_us));
    db_bind_int(stmt, ":fetched_at", db_int(next, 1));
    db_bind_text(stmt, ":stream", db_text(next, 2));
    db_bind_int(stmt, ":first_offset", db_int(next, 3));
    db_bind_int(stmt, ":last_offset", db_int(next, 4));
    st = db_run(&s->db, stmt, err);
    if (st == ST_OK)
        st = store_run_for_slot(s, DB_COUNT_KEPT, job_id, slot, err);
    if (st == ST_OK)
        st = store_run_for_slot(s, DB_SET_LATEST_ALL_IF_NEWER, job_id, slot, err);
    return st == ST_OK ? candles_touch_slot(s, job_id, slot, err) : st;
}

enum st store_keep_next(struct store *s, int64_t job_id, int64_t slot_us, struct err *err)
{
    struct stmt *next;
    bool has_row;

    enum st st = db_prepare(&s->db, DB_NEXT_POLL, &next, err);
    if (st != ST_OK)
        return st;
    db_bind_int(next, ":job_id", job_id);
    db_bind_int(next, ":slot", slot_us);
    st = db_step(&s->db, next, &has_row, err);
    if (st != ST_OK || !has_row)
        return st;
    st = store_keep_left_out(s, job_id, next, err);
    db_reset(next);
    return st;
}

/* Is the slot taken? *ret_is_partial: by a partial poll, which an ok one replaces. */
static enum st find_poll(struct store *s, const struct store_poll *poll, bool *ret_is_taken,
                         bool *ret_is_partial, struct buf *why, struct err *err)
{
    struct stmt *stmt;

    enum st st = s->is_past ? ST_OK : know_before(s, poll->load, err);
    if (st != ST_OK)
        return st;
    if (!s->is_past && (!s->before.is_there || s->before.slot_us < poll->load->end->slot_us))
        return ST_OK;
    st = db_prepare(&s->db, DB_FIND_POLL, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", poll->load->end->slot_us);
    st = db_step(&s->db, stmt, ret_is_taken, err);
    if (st != ST_OK || !*ret_is_taken)
        return st;
    *ret_is_partial = str_eq(db_text(stmt, 0), STR("partial"));
    if (!*ret_is_partial || poll->load->end->outcome != POLL_OK)
        buf_addf(why, "duplicate: the slot has the rows of offset %lld of stream %.*s",
                 (long long)db_int(stmt, 2), STR_ARG(db_text(stmt, 1)));
    db_reset(stmt);
    return ST_OK;
}

/* Rows of a partial poll went: keys that the ok one lacks get their last row of before, and coins
 * are absent again where they were. */
static enum st repair_keys(struct store *s, const struct store_poll *poll, struct err *err)
{
    const int64_t slot = poll->load->end->slot_us;

    const bool has_absences = db_table(&s->db)->is_of_coins;
    enum st st = ST_OK;

    absences_forget(s);
    if (has_absences)
        st = store_run_for_slot(s, DB_JOIN_ABSENCES, poll->job_id, slot, err);
    if (st == ST_OK && has_absences)
        st = store_run_for_slot(s, DB_REOPEN_ABSENCES, poll->job_id, slot, err);
    return st == ST_OK ? store_repair_latest(s, poll->job_id, slot, slot, err) : st;
}

enum st store_oust_partial(struct store *s, const struct store_poll *poll, struct err *err)
{
    struct stmt *stmt;

    enum st st = candles_touch_slot(s, poll->job_id, poll->load->end->slot_us, err);
    if (st == ST_OK && db_table(&s->db)->is_of_coins)
        st = store_run_for_slot(s, DB_UNSEE_ABSENCES, poll->job_id, poll->load->end->slot_us, err);
    if (st == ST_OK)
        st = db_prepare(&s->db, DB_REPLACE_POLL, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", poll->load->end->slot_us);
    db_bind_int(stmt, ":offset", (int64_t)poll->load->end->offset);
    db_bind_text(stmt, ":stream", str_of(poll->stream));
    return db_run(&s->db, stmt, err);
}

enum st store_delete_rows(struct store *s, int64_t job_id, int64_t slot_us, struct err *err)
{
    enum st st = store_run_for_slot(s, DB_DELETE_ROWS, job_id, slot_us, err);
    return st == ST_OK ? store_run_for_slot(s, DB_DELETE_FLAGS, job_id, slot_us, err) : st;
}

enum st store_keep_pages(struct store *s, const struct store_poll *poll, enum db_had had,
                         struct err *err)
{
    const struct db_pages pages = {.slot_us = poll->load->end->slot_us,
                                   .job_id = poll->job_id,
                                   .had = had,
                                   .pages = poll->load->pages,
                                   .n = poll->load->n_pages};

    return db_keep_pages(&s->db, &pages, err);
}

/* Is it of a time whose rows were removed? Only a late one can be. */
static enum st is_too_late(struct store *s, const struct store_poll *poll,
                           const struct before_relation *relation, bool *ret_is_too_late,
                           struct buf *why, struct err *err)
{
    struct stmt *stmt;
    bool has_row;

    *ret_is_too_late = false;
    if (!relation->is_late || s->db.table != TABLE_MARKET)
        return ST_OK;
    enum st st = db_prepare(&s->db, DB_FIND_FROZEN, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    st = db_step(&s->db, stmt, &has_row, err);
    if (st != ST_OK || !has_row)
        return st;
    *ret_is_too_late = poll->load->end->slot_us < db_int(stmt, 0);
    db_reset(stmt);
    if (*ret_is_too_late)
        buf_add_z(why, "it came when the rows of its time had been removed (--retain-rows)");
    return ST_OK;
}

/* Everything that only a poll with its rows in market changes. */
static enum st store_rows(struct store *s, const struct store_poll *poll, bool is_replacing,
                          const struct before_relation *relation, struct sink_result *result,
                          struct err *err)
{
    const struct poll_rows *rows = poll->load->rows;
    enum st st = ST_OK;

    s->has_late |= relation->is_late;
    s->first_slot_us =
        s->has_rows && s->first_slot_us < rows->slot_us ? s->first_slot_us : rows->slot_us;
    s->last_slot_us = rows->slot_us;
    s->has_rows = true;
    if (relation->is_late)
        st = store_keep_next(s, poll->job_id, rows->slot_us, err);
    if (st == ST_OK && is_replacing)
        st = store_oust_partial(s, poll, err);
    if (st == ST_OK && is_replacing)
        st = store_delete_rows(s, poll->job_id, rows->slot_us, err);
    if (st == ST_OK)
        st = store_insert_rows(s, poll, relation->is_base, result, err);
    if (st == ST_OK)
        st = store_keep_pages(s, poll, is_replacing ? DB_HAD_OTHER : DB_HAD_NONE, err);
    if (st == ST_OK && is_replacing)
        st = repair_keys(s, poll, err);
    if (st == ST_OK && db_table(&s->db)->is_of_coins)
        st = absences_update(s, poll, relation, err);
    if (st == ST_OK && (!s->before.is_there || s->before.slot_us <= rows->slot_us))
        before_move(&s->before, poll->load, result->n_stored, result->n_refused);
    return st;
}

static enum st add_refusal(struct store *s, const struct store_poll *poll, const struct refusal *r,
                           struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(&s->db, DB_ADD_QUARANTINE, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":stream", str_of(poll->stream));
    db_bind_int(stmt, ":offset", (int64_t)r->offset);
    db_bind_int(stmt, ":idx", r->index);
    db_bind_text_or_null(stmt, ":coin", r->coin);
    db_bind_text_or_null(stmt, ":field", r->field);
    db_bind_text(stmt, ":reason", str_of(r->reason));
    db_bind_text_or_null(stmt, ":value", r->value);
    db_bind_text(stmt, ":stage", STR("transform"));
    return db_run_later(&s->db, stmt, err);
}

enum st store_add_refusals(struct store *s, const struct store_poll *poll, struct err *err)
{
    const struct sink_load *load = poll->load;
    struct stmt *stmt;
    enum st st = ST_OK;

    for (size_t i = 0; load->rows && st == ST_OK && i < load->rows->n_refusals; i++)
        st = add_refusal(s, poll, &load->rows->refusals[i], err);
    for (size_t i = 0; load->rows && st == ST_OK && i < s->n_refused; i++)
        st = add_refused(s, poll, &s->refused[i], err);
    if (load->rows || load->error.len == 0) /* it has no rows, and is to have none */
        return st;
    st = db_prepare(&s->db, DB_ADD_QUARANTINE, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":stream", str_of(poll->stream));
    db_bind_int(stmt, ":offset", (int64_t)load->end->offset);
    db_bind_text(stmt, ":reason", load->error);
    db_bind_text(stmt, ":stage", STR("load"));
    return db_run_later(&s->db, stmt, err);
}

static void add_reason(struct buf *b, struct str text)
{
    if (text.len == 0)
        return;
    if (b->len > 0)
        buf_add_z(b, "; ");
    size_t room = b->max - b->len, n = text.len < room ? text.len : room;
    buf_add_str(b, (struct str){text.p, str_utf8_prefix((struct str){text.p, n})});
}

void store_write_reasons(struct buf *b, const struct sink_load *load)
{
    add_reason(b, load->end->error);
    add_reason(b, load->error);
}

enum st store_bind_drift(struct store *s, struct stmt *stmt, const struct sink_load *load,
                         struct err *err)
{
    buf_clear(&s->drift);
    if (load->rows)
        drift_write(&s->drift, load->rows->drifts, load->rows->n_drifts);
    db_bind_text_or_null(stmt, ":drift", buf_str(&s->drift));
    return buf_check(&s->drift, "the drift of a poll", err);
}

static void bind_counts(struct stmt *stmt, const struct sink_load *load,
                        const struct sink_result *result, size_t n_absent)
{
    const struct tape_record *end = load->end;
    const struct poll_rows *rows = load->rows;
    uint32_t n_missing = 0;

    for (uint32_t i = 0; end->pages && i < end->n_pages; i++)
        n_missing += end->pages[i] == 0;
    db_bind_int(stmt, ":pages", end->n_pages);
    db_bind_int(stmt, ":pages_missing", n_missing);
    db_bind_int(stmt, ":rows_in", rows ? rows->rows_in : 0);
    db_bind_int(stmt, ":rows_new", (int64_t)result->n_stored);
    db_bind_int(stmt, ":rows_unchanged", (int64_t)result->n_unchanged);
    db_bind_int(stmt, ":rows_absent", (int64_t)n_absent);
    db_bind_int(stmt, ":rows_quarantined",
                rows ? (int64_t)(rows->n_refusals + result->n_refused) : 0);
    db_bind_int(stmt, ":bytes", (int64_t)end->bytes);
    db_bind_int(stmt, ":credits", (int64_t)load->credits);
    db_bind_int(stmt, ":attempts", end->attempts);
    db_bind_int_or_null(stmt, ":http_status", load->http_status);
}

static enum st add_poll(struct store *s, const struct store_poll *poll, struct str loaded,
                        const struct sink_result *result, struct buf *reasons, struct err *err)
{
    const struct sink_load *load = poll->load;
    const struct tape_record *end = load->end;
    struct stmt *stmt;

    enum st st = db_prepare(&s->db, DB_ADD_POLL, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", end->slot_us);
    db_bind_text(stmt, ":outcome", str_of(poll_outcome_name(end->outcome)));
    db_bind_text(stmt, ":loaded", loaded);
    db_bind_int_or_null(stmt, ":started", end->started_us);
    db_bind_int(stmt, ":finished", end->fetched_at_us);
    db_bind_int_or_null(stmt, ":next_due", end->next_due_us);
    bind_counts(stmt, load, result, s->n_absent);
    db_bind_int_or_null(stmt, ":transform_version",
                        outcome_bears_rows(end->outcome) ? TRANSFORM_VERSION : 0);
    db_bind_text(stmt, ":stream", str_of(poll->stream));
    db_bind_int(stmt, ":first_offset", (int64_t)end->first_offset);
    db_bind_int(stmt, ":last_offset", (int64_t)end->offset);
    store_write_reasons(reasons, load);
    db_bind_text_or_null(stmt, ":error", buf_str(reasons));
    st = store_bind_drift(s, stmt, load, err);
    return st == ST_OK ? db_run_later(&s->db, stmt, err) : st;
}

enum st store_take_slot(struct store *s, const struct store_poll *poll, bool *ret_is_duplicate,
                        bool *ret_is_replacing, struct buf *why, struct err *err)
{
    bool is_taken = false, is_partial = false;

    enum st st = find_poll(s, poll, &is_taken, &is_partial, why, err);
    *ret_is_replacing = is_taken && is_partial && poll->load->end->outcome == POLL_OK;
    *ret_is_duplicate = is_taken && !*ret_is_replacing;
    return st;
}

enum st store_poll(struct store *s, const struct store_poll *poll, struct sink_result *ret_result,
                   struct err *err)
{
    struct buf reasons = BUF_INIT(STORE_MAX_ERROR);
    struct sink_result result = {0};
    struct str loaded = STR("none");
    bool is_replacing = false, is_late = false;
    enum st st = ST_OK;

    s->n_absent = s->n_refused = 0;
    if (poll->load->rows) {
        st = store_take_slot(s, poll, &result.is_duplicate, &is_replacing, &reasons, err);
        const struct before_relation relation = before_relate(&s->before, &s->db, poll->load);
        if (st == ST_OK && !result.is_duplicate)
            st = is_too_late(s, poll, &relation, &is_late, &reasons, err);
        loaded = result.is_duplicate ? STR("duplicate") : is_late ? STR("none") : STR("rows");
        if (st == ST_OK && !result.is_duplicate && !is_late)
            st = store_rows(s, poll, is_replacing, &relation, &result, err);
    }
    if (st == ST_OK)
        st = store_add_refusals(s, poll, err);
    if (st == ST_OK)
        st = add_poll(s, poll, loaded, &result, &reasons, err);
    buf_release(&reasons);
    if (st == ST_OK)
        *ret_result = result;
    return st;
}
