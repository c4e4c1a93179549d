/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/replace.h"

#include "load/sql/candles.h"

#define MAX_NEXT 1000 /* polls that are looked at at once */

/* What both statements on polls to replay take. */
static void bind_replay(struct stmt *stmt, const struct sink_replay *what,
                        const struct store_batch *batch)
{
    db_bind_int(stmt, ":job_id", batch->job_id);
    db_bind_text(stmt, ":stream", str_of(batch->stream));
    db_bind_int(stmt, ":until", what->until_us);
    db_bind_int(stmt, ":below", (int64_t)what->below);
    db_bind_int(stmt, ":is_forced", what->is_forced);
    db_bind_int(stmt, ":version", TRANSFORM_VERSION);
}

enum st replace_count(struct store *s, const struct sink_replay *what,
                      const struct store_batch *batch, struct sink_stored_counts *ret_counts,
                      struct err *err)
{
    struct stmt *stmt;
    bool has_row;

    enum st st = db_prepare(&s->db, DB_REPLAY_COUNT, &stmt, err);
    if (st != ST_OK)
        return st;
    bind_replay(stmt, what, batch);
    db_bind_int(stmt, ":since", what->since_us);
    st = db_step(&s->db, stmt, &has_row, err);
    if (st != ST_OK)
        return st;
    ret_counts->n_due = (uint64_t)db_int(stmt, 0);
    ret_counts->n_current = (uint64_t)db_int(stmt, 1);
    ret_counts->n_other = (uint64_t)db_int(stmt, 2);
    db_reset(stmt);
    return ST_OK;
}

enum st replace_list(struct store *s, const struct sink_replay *what,
                     const struct store_batch *batch, const struct sink_stored *after,
                     struct sink_stored *ret_polls, size_t max, size_t *ret_n, struct err *err)
{
    struct stmt *stmt;
    bool has_row = true;
    size_t n = 0;

    enum st st = db_prepare(&s->db, DB_REPLAY_LIST, &stmt, err);
    if (st != ST_OK)
        return st;
    bind_replay(stmt, what, batch);
    db_bind_int(stmt, ":after_slot", after->slot_us);
    db_bind_int(stmt, ":after_offset", (int64_t)after->end_offset);
    db_bind_int(stmt, ":max", (int64_t)max);
    while ((st = db_step(&s->db, stmt, &has_row, err)) == ST_OK && has_row)
        ret_polls[n++] = (struct sink_stored){.slot_us = db_int(stmt, 0),
                                              .end_offset = (uint64_t)db_int(stmt, 1),
                                              .n_rows = (uint32_t)db_int(stmt, 2),
                                              .has_rows = db_int(stmt, 3) != 0};
    *ret_n = n;
    return st;
}

/* Is the poll that `next` stands at one of those that are replaced? Also: has it one of them in
 * front of it, behind the poll with rows before it? */
static bool is_among(const struct store_batch *batch, struct stmt *next, size_t *n_before,
                     bool *ret_is_behind)
{
    const int64_t slot_us = db_int(next, 0);
    const uint64_t offset = (uint64_t)db_int(next, 4);
    size_t at = *n_before;
    bool is_there = false;

    while (at < batch->n && batch->polls[at].slot_us < slot_us)
        at++;
    *ret_is_behind = at > *n_before;
    *n_before = at;
    for (; at < batch->n && batch->polls[at].slot_us == slot_us && !is_there; at++)
        is_there = batch->polls[at].end_offset == offset;
    return is_there && str_eq(db_text(next, 2), str_of(batch->stream));
}

/* A page of the polls behind a slot; *slot_us: that of its last one. */
static enum st keep_page(struct store *s, const struct store_batch *batch, int64_t *slot_us,
                         size_t *n_before, size_t *ret_n, struct err *err)
{
    struct stmt *next;
    bool has_row, is_behind;
    size_t n = 0;

    enum st st = db_prepare(&s->db, DB_NEXT_POLLS, &next, err);
    if (st != ST_OK)
        return st;
    db_bind_int(next, ":job_id", batch->job_id);
    db_bind_int(next, ":first_slot", *slot_us);
    db_bind_int(next, ":last_slot", batch->polls[batch->n - 1].slot_us);
    db_bind_int(next, ":max", MAX_NEXT);
    while ((st = db_step(&s->db, next, &has_row, err)) == ST_OK && has_row) {
        *slot_us = db_int(next, 0);
        if (!is_among(batch, next, n_before, &is_behind) && is_behind && db_int(next, 5) > 0)
            st = store_keep_left_out(s, batch->job_id, next, err);
        if (st != ST_OK)
            break;
        n++;
    }
    db_reset(next);
    *ret_n = n;
    return st;
}

enum st replace_prepare(struct store *s, const struct store_batch *batch, struct err *err)
{
    int64_t slot_us = batch->polls[0].slot_us;
    size_t n_before = 0, n = MAX_NEXT;
    enum st st = ST_OK;

    while (st == ST_OK && n == MAX_NEXT)
        st = keep_page(s, batch, &slot_us, &n_before, &n, err);
    return st;
}

/* How does it relate to the poll that has rows before its slot? */
static enum st relate(struct store *s, const struct store_poll *poll,
                      struct before_relation *ret_relation, struct err *err)
{
    const struct sink_load *load = poll->load;
    const int64_t since_us = before_span_start(db_table(&s->db), load->end->slot_us);
    struct before before;
    struct stmt *stmt;

    enum st st = db_prepare(&s->db, DB_PREV_POLL, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", load->end->slot_us);
    db_bind_int(stmt, ":since", since_us);
    st = before_read(&s->db, stmt, since_us, &before, err);
    if (st == ST_OK)
        *ret_relation = before_relate(&before, &s->db, load);
    return st;
}

/* is_replacing: the slot has rows of another poll, a partial one. */
static enum st replace_rows(struct store *s, const struct store_poll *poll,
                            const struct store_batch *batch, bool is_replacing,
                            struct sink_result *result, size_t *ret_n_absent, struct err *err)
{
    const int64_t slot = poll->load->end->slot_us;
    struct before_relation relation;

    enum st st = relate(s, poll, &relation, err);
    if (st == ST_OK && is_replacing)
        st = store_oust_partial(s, poll, err);
    if (st == ST_OK)
        st = store_delete_rows(s, poll->job_id, slot, err);
    if (st == ST_OK)
        st = store_insert_rows(s, poll, relation.is_base, result, err);
    if (st == ST_OK)
        st = store_keep_pages(s, poll, is_replacing ? DB_HAD_OTHER : DB_HAD_OWN, err);
    if (st != ST_OK || !db_table(&s->db)->is_of_coins)
        return st;
    return past_absences(s, poll, batch, relation.is_compared, ret_n_absent, err);
}

static enum st forget_refusals(struct store *s, const struct store_poll *poll, struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(&s->db, DB_DELETE_QUARANTINE, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":stream", str_of(poll->stream));
    db_bind_int(stmt, ":first_offset", (int64_t)poll->load->end->first_offset);
    db_bind_int(stmt, ":last_offset", (int64_t)poll->load->end->offset);
    return db_run_later(&s->db, stmt, err);
}

/* Does the store hold rows of this very poll? */
static enum st find_own(struct store *s, const struct store_poll *poll, bool *ret_has_rows,
                        struct err *err)
{
    const struct tape_record *end = poll->load->end;
    struct stmt *stmt;
    bool has_row;

    enum st st = db_prepare(&s->db, DB_FIND_OWN_POLL, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", end->slot_us);
    db_bind_text(stmt, ":stream", str_of(poll->stream));
    db_bind_int(stmt, ":last_offset", (int64_t)end->offset);
    st = db_step(&s->db, stmt, &has_row, err);
    if (st != ST_OK)
        return st;
    if (!has_row)
        return err_set(err, ST_REJECT, "%s: the poll that ends at offset %llu is not there",
                       s->db.shown, (unsigned long long)end->offset);
    *ret_has_rows = str_eq(db_text(stmt, 0), STR("rows"));
    db_reset(stmt);
    if (*ret_has_rows && poll->load->rows == NULL)
        return err_set(err, ST_REJECT, "%.*s", STR_ARG(poll->load->error));
    return ST_OK;
}

static enum st update_poll(struct store *s, const struct store_poll *poll, struct str loaded,
                           const struct sink_result *result, size_t n_absent, struct buf *reasons,
                           struct err *err)
{
    const struct sink_load *load = poll->load;
    const struct poll_rows *rows = load->rows;
    struct stmt *stmt;

    enum st st = db_prepare(&s->db, DB_UPDATE_POLL, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", poll->job_id);
    db_bind_int(stmt, ":slot", load->end->slot_us);
    db_bind_text(stmt, ":stream", str_of(poll->stream));
    db_bind_int(stmt, ":last_offset", (int64_t)load->end->offset);
    db_bind_text(stmt, ":loaded", loaded);
    db_bind_int(stmt, ":rows_in", rows ? rows->rows_in : 0);
    db_bind_int(stmt, ":rows_new", (int64_t)result->n_stored);
    db_bind_int(stmt, ":rows_unchanged", (int64_t)result->n_unchanged);
    db_bind_int(stmt, ":rows_absent", (int64_t)n_absent);
    db_bind_int(stmt, ":rows_quarantined",
                rows ? (int64_t)(rows->n_refusals + result->n_refused) : 0);
    db_bind_int(stmt, ":transform_version", TRANSFORM_VERSION);
    store_write_reasons(reasons, load);
    db_bind_text_or_null(stmt, ":error", buf_str(reasons));
    st = store_bind_drift(s, stmt, load, err);
    return st == ST_OK ? db_run_later(&s->db, stmt, err) : st;
}

/* A poll that has to be looked at. */
static enum st replace_alone(struct store *s, const struct store_batch *batch,
                             const struct store_poll *poll, struct sink_result *ret_result,
                             struct err *err)
{
    const struct sink_load *load = poll->load;
    struct buf reasons = BUF_INIT(STORE_MAX_ERROR);
    struct sink_result result = {0};
    bool has_rows, is_replacing = false;
    size_t n_absent = 0;
    struct str loaded = STR("none");

    enum st st = find_own(s, poll, &has_rows, err);
    if (st == ST_OK && load->rows && !has_rows)
        st = store_take_slot(s, poll, &result.is_duplicate, &is_replacing, &reasons, err);
    if (st == ST_OK && load->rows) {
        loaded = result.is_duplicate ? STR("duplicate") : STR("rows");
        if (!result.is_duplicate)
            st = replace_rows(s, poll, batch, is_replacing, &result, &n_absent, err);
    }
    if (st == ST_OK)
        st = forget_refusals(s, poll, err);
    if (st == ST_OK)
        st = store_add_refusals(s, poll, err);
    if (st == ST_OK)
        st = update_poll(s, poll, loaded, &result, n_absent, &reasons, err);
    buf_release(&reasons);
    if (st == ST_OK)
        *ret_result = result;
    return st;
}

/* What is to be said of a poll of a stretch: mostly nothing but numbers. */
static enum st note_poll(struct store *s, const struct store_poll *poll,
                         const struct sink_result *result, struct err *err)
{
    const struct tape_record *end = poll->load->end;
    const struct poll_rows *rows = poll->load->rows;
    const int64_t numbers[N_REMADE_NUMBERS] = {
        [REMADE_SLOT] = end->slot_us,
        [REMADE_LAST_OFFSET] = (int64_t)end->offset,
        [REMADE_ROWS_IN] = rows->rows_in,
        [REMADE_ROWS_NEW] = (int64_t)result->n_stored,
        [REMADE_ROWS_UNCHANGED] = (int64_t)result->n_unchanged,
        [REMADE_ROWS_ABSENT] = (int64_t)rows->n_absent,
        [REMADE_ROWS_QUARANTINED] = (int64_t)rows->n_refusals,
    };
    struct buf reasons = BUF_INIT(STORE_MAX_ERROR);

    if (end->error.len == 0 && poll->load->error.len == 0 && rows->n_drifts == 0)
        return remake_note(s, numbers, err);
    enum st st = update_poll(s, poll, STR("rows"), result, rows->n_absent, &reasons, err);
    buf_release(&reasons);
    return st;
}

/* A poll of a stretch: see remake.h. */
static enum st replace_in_stretch(struct store *s, const struct store_batch *batch,
                                  const struct store_poll *poll,
                                  const struct before_relation *relation,
                                  struct sink_result *ret_result, struct err *err)
{
    struct sink_result result = {0};

    enum st st = store_insert_rows(s, poll, relation->is_base, &result, err);
    if (st == ST_OK)
        st = store_keep_pages(s, poll, DB_HAD_OWN, err);
    if (st == ST_OK)
        st = remake_absences_of(s, poll, err);
    if (st == ST_OK && remake_had_refusals(&s->remake))
        st = forget_refusals(s, poll, err);
    if (st == ST_OK)
        st = store_add_refusals(s, poll, err);
    if (st == ST_OK)
        st = note_poll(s, poll, &result, err);
    before_move(&s->before, poll->load, result.n_stored, 0);
    if (st == ST_OK)
        st = remake_go_on(s, batch, poll, err);
    if (st == ST_OK)
        *ret_result = result;
    return st;
}

enum st replace_poll(struct store *s, const struct store_batch *batch, const struct sink_load *load,
                     struct sink_result *ret_result, struct err *err)
{
    const struct store_poll poll = {.load = load, .stream = batch->stream, .job_id = batch->job_id};
    struct before_relation relation = {.is_late = false};
    bool is_in;

    s->n_refused = 0;
    enum st st = remake_meet(s, batch, &poll, &is_in, &relation, err);
    if (st == ST_OK)
        st = is_in ? replace_in_stretch(s, batch, &poll, &relation, ret_result, err)
                   : replace_alone(s, batch, &poll, ret_result, err);
    s->remake.at++;
    return st;
}

enum st replace_finish(struct store *s, const struct store_batch *batch, struct err *err)
{
    enum st st = store_repair_latest(s, batch->job_id, batch->polls[0].slot_us,
                                     batch->polls[batch->n - 1].slot_us, err);
    if (st == ST_OK)
        st = store_finish(s, err);
    return st == ST_OK ? candles_update(s, err) : st;
}
