/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sqlite/store.h"

#include "base/mem.h"
#include "row/market.h"
#include "transform/coins.h"

#define HOUR_US (3600 * US_PER_S)

void store_begin(struct store *s, int64_t job_id, bool is_past)
{
    s->job_id = job_id;
    s->n_touched = 0;
    s->has_late = s->is_past = is_past;
    s->batch++;
}

void store_forget(struct store *s)
{
    coin_cache_clear(&s->coins);
    s->n_touched = 0;
}

void store_release(struct store *s)
{
    coin_cache_release(&s->coins);
    mem_free(s->touched);
    s->touched = NULL;
    s->max_touched = 0;
}

/* INTEGER if it is one, REAL if the double gives the number back, else its text. */
static void bind_number(struct store *s, sqlite3_stmt *stmt, int at, const struct cell *c)
{
    struct dec d = cell_dec(c);
    int64_t integer;
    bool is_same;

    /* struct dec is exact up to 18 digits, SQLite's integers have 19 */
    if (dec_to_i64(d, &integer) ||
        (!d.is_exact && str_to_i64(cell_text(c), INT64_MIN, INT64_MAX, &integer))) {
        sqlite3_bind_int64(stmt, at, integer);
        return;
    }
    double real = dec_to_double(d, cell_text(c), &is_same);
    if (is_same) {
        sqlite3_bind_double(stmt, at, real);
        return;
    }
    sqlite3_bind_text(stmt, at, c->text, (int)c->len, SQLITE_STATIC);
    s->n_text_numbers++;
}

static void bind_cell(struct store *s, sqlite3_stmt *stmt, int at, const struct cell *c)
{
    switch ((enum cell_kind)c->kind) {
    case CELL_NULL:
        sqlite3_bind_null(stmt, at);
        break;
    case CELL_NUM:
        bind_number(s, stmt, at, c);
        break;
    case CELL_INT:
    case CELL_TIME:
        sqlite3_bind_int64(stmt, at, c->number);
        break;
    case CELL_TEXT:
        sqlite3_bind_text(stmt, at, c->text, (int)c->len, SQLITE_STATIC);
        break;
    }
}

/* Remember that the coin's last row of this transaction is this one. */
static enum st touch(struct store *s, struct coin *coin, int64_t slot_us, struct err *err)
{
    if (coin->batch == s->batch) {
        if (slot_us > s->touched[coin->touched].slot_us)
            s->touched[coin->touched].slot_us = slot_us;
        return ST_OK;
    }
    if (s->n_touched == s->max_touched) {
        size_t max = s->max_touched > 0 ? s->max_touched * 2 : 256;
        struct store_touched *touched = mem_try(s->touched, max * sizeof(*touched));
        if (touched == NULL)
            return err_set(err, ST_AGAIN, "no memory for the last rows of %zu coins", max);
        s->touched = touched;
        s->max_touched = max;
    }
    coin->batch = s->batch;
    coin->touched = s->n_touched;
    s->touched[s->n_touched++] =
        (struct store_touched){.coin_id = coin->coin_id, .slot_us = slot_us};
    return ST_OK;
}

static enum st insert_row(struct store *s, sqlite3_stmt *stmt, const struct store_poll *poll,
                          const struct cell *row, int64_t coin_id, struct err *err)
{
    sqlite3_bind_int64(stmt, 1, poll->load->end->slot_us);
    sqlite3_bind_int64(stmt, 2, poll->job_id);
    sqlite3_bind_int64(stmt, 3, coin_id);
    for (int i = MARKET_FETCHED_AT; i < N_MARKET_COLUMNS; i++)
        bind_cell(s, stmt, 4 + i - MARKET_FETCHED_AT, &row[i]);
    return db_run(&s->db, stmt, err);
}

enum st store_insert_rows(struct store *s, const struct store_poll *poll, bool may_skip,
                          struct sink_result *result, struct err *err)
{
    const struct poll_rows *rows = poll->load->rows;
    sqlite3_stmt *stmt;
    struct coin *coin;

    enum st st = db_prepare(&s->db, DB_INSERT_MARKET, &stmt, err);
    for (size_t i = 0; st == ST_OK && i < rows->rows.n; i++) {
        const struct cell *row = rows_at(&rows->rows, i);
        st = coin_of_row(&s->coins, &s->db, row, s->is_past, &coin, err);
        if (st != ST_OK)
            break;
        if (may_skip && rows->is_unchanged[i]) {
            result->n_unchanged++;
            continue;
        }
        st = insert_row(s, stmt, poll, row, coin->coin_id, err);
        if (st == ST_OK)
            st = touch(s, coin, rows->slot_us, err);
        result->n_stored++;
    }
    return st;
}

/* The newest poll of the job that has rows here. */
struct last_poll {
    bool is_late;     /* the poll at hand is of a slot before it */
    bool is_base;     /* it is the ok poll that the unchanged rows equal */
    bool is_compared; /* it is the ok poll that the absent coins were in */
};

/* Rows may be left out only where a reader finds the value they equal in the row before: behind the
 * very poll they were compared with, in slot order too. Partial polls are neither left out from
 * nor compared with: an ok one may come and take their place. */
static enum st find_last_poll(struct store *s, const struct store_poll *poll,
                              struct last_poll *ret_last, struct err *err)
{
    const struct sink_load *load = poll->load;
    sqlite3_stmt *stmt;
    bool has_row;

    enum st st = db_prepare(&s->db, DB_LAST_POLL, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    st = db_step(&s->db, stmt, &has_row, err);
    *ret_last = (struct last_poll){.is_late = false};
    if (st != ST_OK || !has_row)
        return st;
    int64_t slot = sqlite3_column_int64(stmt, 0);
    ret_last->is_late = load->end->slot_us < slot;
    bool is_own_ok = load->end->slot_us > slot && load->end->outcome == POLL_OK &&
                     str_eq(db_text(stmt, 1), STR("ok")) &&
                     str_eq(db_text(stmt, 2), str_of(poll->stream));
    uint64_t offset = (uint64_t)sqlite3_column_int64(stmt, 3);
    ret_last->is_base = is_own_ok && load->rows->unchanged_since == offset &&
                        sqlite3_column_int64(stmt, 4) == TRANSFORM_VERSION;
    ret_last->is_compared = is_own_ok && load->rows->absent_since == offset;
    sqlite3_reset(stmt);
    return ST_OK;
}

enum st store_run_for_slot(struct store *s, enum db_statement which, int64_t job_id,
                           int64_t slot_us, struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = db_prepare(&s->db, which, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", job_id);
    db_bind_int(stmt, ":slot", slot_us);
    return db_run(&s->db, stmt, err);
}

/* Write out the rows that the poll left out which `next` stands at. */
static enum st keep_left_out(struct store *s, int64_t job_id, sqlite3_stmt *next, struct err *err)
{
    int64_t slot = sqlite3_column_int64(next, 0);
    sqlite3_stmt *stmt;

    enum st st = db_prepare(&s->db, DB_KEEP_ROWS, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", job_id);
    db_bind_int(stmt, ":slot", slot);
    db_bind_int(stmt, ":since", time_floor(slot, HOUR_US));
    db_bind_int(stmt, ":fetched_at", sqlite3_column_int64(next, 1));
    db_bind_text(stmt, ":stream", db_text(next, 2));
    db_bind_int(stmt, ":first_offset", sqlite3_column_int64(next, 3));
    db_bind_int(stmt, ":last_offset", sqlite3_column_int64(next, 4));
    st = db_run(&s->db, stmt, err);
    if (st == ST_OK)
        st = store_run_for_slot(s, DB_COUNT_KEPT, job_id, slot, err);
    if (st == ST_OK)
        st = store_run_for_slot(s, DB_SET_LATEST_ALL_IF_NEWER, job_id, slot, err);
    return st;
}

/* Is it one of those that are replaced too? */
static bool is_among(const struct store_batch *batch, sqlite3_stmt *next)
{
    const struct sink_stored wanted = {.slot_us = sqlite3_column_int64(next, 0),
                                       .end_offset = (uint64_t)sqlite3_column_int64(next, 4)};
    bool is_there = false;

    for (size_t i = 0; i < batch->n && !is_there; i++)
        is_there = batch->polls[i].slot_us == wanted.slot_us &&
                   batch->polls[i].end_offset == wanted.end_offset;
    return is_there && str_eq(db_text(next, 2), str_of(batch->stream));
}

enum st store_keep_next(struct store *s, int64_t job_id, int64_t slot_us,
                        const struct store_batch *but, struct err *err)
{
    sqlite3_stmt *next;
    bool has_row;

    enum st st = db_prepare(&s->db, DB_NEXT_POLL, &next, err);
    if (st != ST_OK)
        return st;
    db_bind_int(next, ":job_id", job_id);
    db_bind_int(next, ":slot", slot_us);
    st = db_step(&s->db, next, &has_row, err);
    if (st != ST_OK || !has_row)
        return st;
    if (but == NULL || !is_among(but, next))
        st = keep_left_out(s, job_id, next, err);
    sqlite3_reset(next);
    return st;
}

/* Is the slot taken? *ret_is_partial: by a partial poll, which an ok one replaces. */
static enum st find_poll(struct store *s, const struct store_poll *poll, bool *ret_is_taken,
                         bool *ret_is_partial, struct buf *why, struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = db_prepare(&s->db, DB_FIND_POLL, &stmt, err);
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
                 (long long)sqlite3_column_int64(stmt, 2), STR_ARG(db_text(stmt, 1)));
    sqlite3_reset(stmt);
    return ST_OK;
}

enum st store_repair_latest(struct store *s, int64_t job_id, int64_t first_slot_us,
                            int64_t last_slot_us, struct err *err)
{
    sqlite3_stmt *drop, *set;
    bool has_row = true;

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
        db_bind_int(set, ":coin_id", sqlite3_column_int64(drop, 0));
        db_bind_int(set, ":slot", last_slot_us);
        st = db_run(&s->db, set, err);
        if (st != ST_OK)
            break;
    }
    sqlite3_reset(drop);
    return st;
}

/* Rows of a partial poll went: coins that the ok one lacks get their last row of before, and are
 * absent again where they were. */
static enum st repair_coins(struct store *s, const struct store_poll *poll, struct err *err)
{
    const int64_t slot = poll->load->end->slot_us;

    enum st st = store_run_for_slot(s, DB_JOIN_ABSENCES, poll->job_id, slot, err);
    if (st == ST_OK)
        st = store_run_for_slot(s, DB_REOPEN_ABSENCES, poll->job_id, slot, err);
    return st == ST_OK ? store_repair_latest(s, poll->job_id, slot, slot, err) : st;
}

/* One of the statements whose parameters are :job_id, :slot and :id. */
static enum st run_for_coin(struct store *s, enum db_statement which, const struct store_poll *poll,
                            struct str id, struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = db_prepare(&s->db, which, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", poll->load->end->slot_us);
    db_bind_text(stmt, ":id", id);
    return db_run(&s->db, stmt, err);
}

static enum st open_absence(struct store *s, const struct store_poll *poll, struct str id,
                            bool is_late, struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = run_for_coin(s, DB_LAST_SEEN_ABSENT, poll, id, err);
    if (st == ST_OK && is_late)
        st = run_for_coin(s, DB_MOVE_ABSENCE, poll, id, err);
    if (st == ST_OK)
        st = db_prepare(&s->db, DB_OPEN_ABSENCE, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", poll->load->end->slot_us);
    db_bind_text(stmt, ":id", id);
    db_bind_int(stmt, ":is_late", is_late);
    return db_run(&s->db, stmt, err);
}

/* Of all coins that are thought present, find those that the poll lacks. */
static enum st open_missed_absences(struct store *s, const struct store_poll *poll, struct err *err)
{
    sqlite3_stmt *stmt;
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
        st = open_absence(s, poll, id, false, err);
        if (st != ST_OK)
            break;
        s->n_missed++;
    }
    sqlite3_reset(stmt);
    return st;
}

/* After the rows: coins that came back, coins that are gone. */
static enum st update_absences(struct store *s, const struct store_poll *poll,
                               const struct last_poll *last, struct err *err)
{
    const struct poll_rows *rows = poll->load->rows;
    /* was the poll compared with the job's last one here? */
    bool is_enough = last->is_compared || (poll->load->end->outcome != POLL_OK && !last->is_late);

    enum st st = store_run_for_slot(s, DB_CLOSE_ABSENCES, poll->job_id, rows->slot_us, err);
    for (size_t i = 0; st == ST_OK && i < rows->n_absent; i++)
        st = open_absence(s, poll, rows->absent[i], last->is_late, err);
    if (st != ST_OK || is_enough)
        return st;
    st = store_finish(s, err); /* `latest`, with the rows of this transaction */
    if (st != ST_OK)
        return st;
    return last->is_late
               ? store_run_for_slot(s, DB_OPEN_AFTER_LATE, poll->job_id, rows->slot_us, err)
               : open_missed_absences(s, poll, err);
}

enum st store_oust_partial(struct store *s, const struct store_poll *poll, struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = db_prepare(&s->db, DB_REPLACE_POLL, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", poll->load->end->slot_us);
    db_bind_int(stmt, ":offset", (int64_t)poll->load->end->offset);
    db_bind_text(stmt, ":stream", str_of(poll->stream));
    return db_run(&s->db, stmt, err);
}

/* Everything that only a poll with its rows in market changes. */
static enum st store_rows(struct store *s, const struct store_poll *poll, bool is_replacing,
                          struct sink_result *result, struct err *err)
{
    const struct poll_rows *rows = poll->load->rows;
    struct last_poll last = {.is_late = false};

    enum st st = find_last_poll(s, poll, &last, err);
    s->has_late |= last.is_late;
    s->last_slot_us = rows->slot_us;
    if (st == ST_OK && last.is_late)
        st = store_keep_next(s, poll->job_id, rows->slot_us, NULL, err);
    if (st == ST_OK && is_replacing)
        st = store_oust_partial(s, poll, err);
    if (st == ST_OK && is_replacing)
        st = store_run_for_slot(s, DB_DELETE_ROWS, poll->job_id, rows->slot_us, err);
    if (st == ST_OK)
        st = store_insert_rows(s, poll, last.is_base, result, err);
    if (st == ST_OK && is_replacing)
        st = repair_coins(s, poll, err);
    return st == ST_OK ? update_absences(s, poll, &last, err) : st;
}

static enum st add_refusal(struct store *s, const struct store_poll *poll, const struct refusal *r,
                           struct err *err)
{
    sqlite3_stmt *stmt;

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
    return db_run(&s->db, stmt, err);
}

enum st store_add_refusals(struct store *s, const struct store_poll *poll, struct err *err)
{
    const struct sink_load *load = poll->load;
    sqlite3_stmt *stmt;
    enum st st = ST_OK;

    for (size_t i = 0; load->rows && st == ST_OK && i < load->rows->n_refusals; i++)
        st = add_refusal(s, poll, &load->rows->refusals[i], err);
    if (load->rows || !outcome_bears_rows(load->end->outcome))
        return st;
    st = db_prepare(&s->db, DB_ADD_QUARANTINE, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":stream", str_of(poll->stream));
    db_bind_int(stmt, ":offset", (int64_t)load->end->offset);
    db_bind_text(stmt, ":reason", load->error);
    db_bind_text(stmt, ":stage", STR("load"));
    return db_run(&s->db, stmt, err);
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
    if (load->rows == NULL || load->rows->n_unknown_fields == 0)
        return;
    add_reason(b, STR("unknown fields:"));
    for (size_t i = 0; i < load->rows->n_unknown_fields; i++)
        buf_addf(b, "%s %.*s", i > 0 ? "," : "", STR_ARG(load->rows->unknown_fields[i]));
}

static void bind_counts(sqlite3_stmt *stmt, const struct sink_load *load,
                        const struct sink_result *result, size_t n_missed)
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
    db_bind_int(stmt, ":rows_absent", rows ? (int64_t)(rows->n_absent + n_missed) : 0);
    db_bind_int(stmt, ":rows_quarantined", rows ? (int64_t)rows->n_refusals : 0);
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
    sqlite3_stmt *stmt;

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
    bind_counts(stmt, load, result, s->n_missed);
    db_bind_int_or_null(stmt, ":transform_version",
                        outcome_bears_rows(end->outcome) ? TRANSFORM_VERSION : 0);
    db_bind_text(stmt, ":stream", str_of(poll->stream));
    db_bind_int(stmt, ":first_offset", (int64_t)end->first_offset);
    db_bind_int(stmt, ":last_offset", (int64_t)end->offset);
    store_write_reasons(reasons, load);
    db_bind_text_or_null(stmt, ":error", buf_str(reasons));
    return db_run(&s->db, stmt, err);
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
    bool is_replacing = false;
    enum st st = ST_OK;

    s->n_missed = 0;
    if (poll->load->rows) {
        st = store_take_slot(s, poll, &result.is_duplicate, &is_replacing, &reasons, err);
        loaded = result.is_duplicate ? STR("duplicate") : STR("rows");
        if (st == ST_OK && !result.is_duplicate)
            st = store_rows(s, poll, is_replacing, &result, err);
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

/* The coins that have rows in this transaction, but not in its last poll, one by one. */
static enum st set_latest(struct store *s, enum db_statement which, int64_t but_slot_us,
                          struct err *err)
{
    sqlite3_stmt *stmt;

    enum st st = db_prepare(&s->db, which, &stmt, err);
    for (size_t i = 0; st == ST_OK && i < s->n_touched; i++) {
        if (s->touched[i].slot_us == but_slot_us)
            continue;
        sqlite3_bind_int64(stmt, 1, s->touched[i].slot_us); /* :slot, :job_id, :coin_id */
        sqlite3_bind_int64(stmt, 2, s->job_id);
        sqlite3_bind_int64(stmt, 3, s->touched[i].coin_id);
        st = db_run(&s->db, stmt, err);
    }
    return st;
}

enum st store_finish(struct store *s, struct err *err)
{
    if (s->has_late)
        return set_latest(s, DB_SET_LATEST_IF_NEWER, INT64_MIN, err);
    enum st st = set_latest(s, DB_SET_LATEST, s->last_slot_us, err);
    if (st == ST_OK && s->n_touched > 0)
        st = store_run_for_slot(s, DB_SET_LATEST_ALL, s->job_id, s->last_slot_us, err);
    return st;
}
