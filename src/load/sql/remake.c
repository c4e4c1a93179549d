/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/remake.h"

#include "base/mem.h"
#include "load/sql/absences.h"
#include "load/sql/replace.h"

#define NO_END     PAST_NO_END
#define NOT_ABSENT INT64_MAX /* in s->open in place of the time: the coin came back */
#define FEW        2         /* polls are worth a stretch */

void remake_reset(struct remake *r)
{
    r->is_on = false;
    r->at = r->first = r->end = r->try_at = 0;
}

void remake_release(struct remake *r)
{
    coin_list_release(&r->told);
    mem_free(r->old.list);
    mem_free(r->made.list);
    for (size_t i = 0; i < N_REMADE_NUMBERS; i++)
        mem_free(r->numbers[i]);
    *r = (struct remake){.is_on = false};
}

static enum st add_absence(struct remake_absences *to, struct remake_absence a, struct err *err)
{
    if (to->n == to->max) {
        const size_t max = to->max > 0 ? 2 * to->max : 64;
        struct remake_absence *list = mem_try(to->list, max * sizeof(*list));
        if (list == NULL)
            return err_set(err, ST_AGAIN, "no memory for %zu absences", max);
        to->list = list;
        to->max = max;
    }
    to->list[to->n++] = a;
    return ST_OK;
}

/* ---- the begin ---- */

/* A statement of the time from the poll at hand to the end of the batch. */
static enum st prepare(struct store *s, enum db_statement which, const struct store_batch *batch,
                       size_t end, struct stmt **ret_stmt, struct err *err)
{
    enum st st = db_prepare(&s->db, which, ret_stmt, err);

    if (st != ST_OK)
        return st;
    db_bind_int(*ret_stmt, ":job_id", s->job_id);
    db_bind_int(*ret_stmt, ":first_slot", batch->polls[s->remake.at].slot_us);
    db_bind_int(*ret_stmt, ":last_slot", batch->polls[end - 1].slot_us);
    return ST_OK;
}

static enum st send_before(struct store *s, int64_t slot_us, struct stmt **ret_stmt,
                           struct err *err)
{
    enum st st = db_prepare(&s->db, DB_PREV_POLL, ret_stmt, err);

    if (st != ST_OK)
        return st;
    db_bind_int(*ret_stmt, ":job_id", s->job_id);
    db_bind_int(*ret_stmt, ":slot", slot_us);
    db_bind_int(*ret_stmt, ":since", before_span_start(db_table(&s->db), slot_us));
    return db_send(&s->db, *ret_stmt, err);
}

static bool is_same(const struct store_batch *batch, const struct sink_stored *poll,
                    struct stmt *stmt)
{
    return poll->has_rows && poll->slot_us == db_int(stmt, 0) &&
           str_eq(db_text(stmt, 1), str_of(batch->stream)) &&
           poll->end_offset == (uint64_t)db_int(stmt, 2) && str_eq(db_text(stmt, 3), STR("ok"));
}

/* As far as the polls of the batch are those that the store has. */
static enum st read_polls(struct store *s, const struct store_batch *batch, struct stmt *stmt,
                          struct err *err)
{
    struct remake *r = &s->remake;
    bool has_row;
    enum st st;

    r->told.n = 0;
    r->first = r->end = r->at;
    while ((st = db_step(&s->db, stmt, &has_row, err)) == ST_OK && has_row) {
        if (r->end < batch->n && is_same(batch, &batch->polls[r->end], stmt))
            st = coin_list_add(&r->told, db_int(stmt, 4), db_int(stmt, 0), err);
        else
            break;
        if (st != ST_OK)
            break;
        r->end++;
    }
    db_reset(stmt);
    return st;
}

/* Those of the stretch; s->open: which of them are when it begins. */
static enum st read_absences(struct store *s, struct stmt *stmt, int64_t first_us, int64_t last_us,
                             struct err *err)
{
    struct remake *r = &s->remake;
    bool has_row;
    enum st st;

    r->old.n = r->made.n = s->open.n = 0;
    while ((st = db_step(&s->db, stmt, &has_row, err)) == ST_OK && has_row) {
        const struct remake_absence a = {.coin_id = db_int(stmt, 0),
                                         .from_us = db_int(stmt, 1),
                                         .until_us =
                                             db_is_null(stmt, 2) ? NO_END : db_int(stmt, 2)};
        if (a.from_us <= last_us)
            st = add_absence(&r->old, a, err);
        if (st == ST_OK && a.from_us < first_us)
            st = coin_list_add(&s->open, a.coin_id, a.from_us, err);
        if (st != ST_OK)
            break;
    }
    db_reset(stmt);
    return st;
}

/* Take away what will be made anew. */
static enum st clear(struct store *s, const struct store_batch *batch, struct err *err)
{
    struct stmt *stmt;

    enum st st = prepare(s, DB_REMAKE_ROWS, batch, s->remake.end, &stmt, err);
    if (st == ST_OK)
        st = db_run_later(&s->db, stmt, err);
    if (st == ST_OK)
        st = prepare(s, DB_REMAKE_FLAGS, batch, s->remake.end, &stmt, err);
    return st == ST_OK ? db_run_later(&s->db, stmt, err) : st;
}

/* Begin a stretch with the poll at hand, if it can be one. */
static enum st begin(struct store *s, const struct store_batch *batch, struct err *err)
{
    struct remake *r = &s->remake;
    const int64_t first_us = r->first_us = batch->polls[r->at].slot_us;
    struct stmt *before, *polls, *absences;

    enum st st = send_before(s, first_us, &before, err);
    if (st == ST_OK)
        st = prepare(s, DB_REMAKE_POLLS, batch, batch->n, &polls, err);
    if (st != ST_OK)
        return st;
    db_bind_int(polls, ":max", (int64_t)(batch->n - r->at));
    st = db_send(&s->db, polls, err);
    if (st == ST_OK)
        st = prepare(s, DB_REMAKE_ABSENCES, batch, batch->n, &absences, err);
    if (st == ST_OK)
        st = db_send(&s->db, absences, err);
    if (st == ST_OK)
        st = before_read(&s->db, before, before_span_start(db_table(&s->db), first_us), &s->before,
                         err);
    if (st == ST_OK)
        st = read_polls(s, batch, polls, err);
    if (st == ST_OK)
        st = read_absences(s, absences, first_us, batch->polls[r->end > 0 ? r->end - 1 : 0].slot_us,
                           err);
    if (st != ST_OK || r->end < r->at + FEW) {
        r->try_at = r->end + 1;
        return st;
    }
    st = clear(s, batch, err);
    r->is_on = s->db.is_bulk = st == ST_OK;
    r->stream = batch->stream;
    r->n_numbers = 0;
    return st;
}

/* ---- a poll ---- */

/* Are the coins that it lacks remembered? */
static enum st knows_absent(struct store *s, const struct store_poll *poll, bool *ret_knows,
                            struct err *err)
{
    const struct poll_rows *rows = poll->load->rows;

    *ret_knows = true;
    for (size_t i = 0; i < rows->n_absent && *ret_knows; i++)
        *ret_knows = coin_cache_find(&s->coins, rows->absent[i]) != NULL;
    if (*ret_knows)
        return ST_OK;
    enum st st = coin_cache_fill(&s->coins, &s->db, s->job_id, &rows->rows, err);
    *ret_knows = true;
    for (size_t i = 0; st == ST_OK && i < rows->n_absent && *ret_knows; i++)
        *ret_knows = coin_cache_find(&s->coins, rows->absent[i]) != NULL;
    return st;
}

static enum st end_stretch(struct store *s, struct err *err);

enum st remake_meet(struct store *s, const struct store_batch *batch, const struct store_poll *poll,
                    bool *ret_is_in, struct before_relation *ret_relation, struct err *err)
{
    struct remake *r = &s->remake;
    const struct sink_load *load = poll->load;
    bool knows = false;
    enum st st = ST_OK;

    *ret_is_in = false;
    if (!r->is_on && r->at >= r->try_at && r->at + FEW <= batch->n && s->db.table < N_ROW_TABLES &&
        db_table(&s->db)->is_of_coins)
        st = begin(s, batch, err);
    if (st != ST_OK || !r->is_on)
        return st;
    if (load->rows && load->end->outcome == POLL_OK)
        *ret_relation = before_relate(&s->before, &s->db, load);
    if (load->rows && load->end->outcome == POLL_OK && ret_relation->is_compared)
        st = knows_absent(s, poll, &knows, err);
    *ret_is_in = knows;
    return st == ST_OK && !knows ? end_stretch(s, err) : st;
}

bool remake_had_refusals(const struct remake *r)
{
    return r->told.coin_ids[r->at - r->first] != 0;
}

static enum st close_absence(struct store *s, int64_t coin_id, int64_t slot_us, struct err *err)
{
    size_t at;

    if (!coin_list_find(&s->open, coin_id, &at) || s->open.times_us[at] == NOT_ABSENT)
        return ST_OK;
    const struct remake_absence a = {
        .coin_id = coin_id, .from_us = s->open.times_us[at], .until_us = slot_us};
    s->open.times_us[at] = NOT_ABSENT;
    return add_absence(&s->remake.made, a, err);
}

/* As past.c: not of a coin that nobody knew then, nor of one that is absent already. */
static enum st open_absence(struct store *s, const struct store_poll *poll, struct str id,
                            struct err *err)
{
    const struct coin *coin = coin_cache_find(&s->coins, id);
    const int64_t slot_us = poll->load->end->slot_us;
    size_t at;

    if (coin == NULL || coin->first_seen >= poll->load->end->fetched_at_us)
        return ST_OK;
    const int64_t coin_id = coin->coin_id;
    bool is_listed = coin_list_find(&s->open, coin_id, &at);
    if (is_listed && s->open.times_us[at] != NOT_ABSENT)
        return ST_OK;
    enum st st = past_note_last_seen(s, poll, id, err);
    if (st != ST_OK)
        return st;
    if (!is_listed)
        return coin_list_insert(&s->open, at, coin_id, slot_us, err);
    s->open.times_us[at] = slot_us;
    return ST_OK;
}

/* Has the poll at hand the coin, be it in a row that was refused? */
static bool has_coin(const struct store *s, const struct poll_rows *rows, int64_t coin_id)
{
    for (size_t i = 0; i < s->rows.n; i++)
        if (s->rows.coin_ids[i] == coin_id)
            return true;
    for (size_t i = 0; i < rows->n_refusals; i++)
        if (coin_cache_number(&s->coins, rows->refusals[i].coin) == coin_id)
            return true;
    return false;
}

enum st remake_absences_of(struct store *s, const struct store_poll *poll, struct err *err)
{
    const struct poll_rows *rows = poll->load->rows;
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < s->back.n; i++)
        st = close_absence(s, s->back.coin_ids[i], rows->slot_us, err);
    for (size_t i = 0; st == ST_OK && i < rows->n_absent; i++)
        st = open_absence(s, poll, rows->absent[i], err);
    for (size_t i = 0; i < s->remake.old.n; i++) {
        struct remake_absence *a = &s->remake.old.list[i];
        if (a->from_us >= s->remake.first_us && a->until_us > rows->slot_us)
            a->is_seen = has_coin(s, rows, a->coin_id);
    }
    return st;
}

enum st remake_note(struct store *s, const int64_t numbers[N_REMADE_NUMBERS], struct err *err)
{
    struct remake *r = &s->remake;

    if (r->n_numbers == r->max_numbers) {
        const size_t max = r->max_numbers > 0 ? 2 * r->max_numbers : 128;
        for (size_t i = 0; i < N_REMADE_NUMBERS; i++) {
            int64_t *more = mem_try(r->numbers[i], max * sizeof(*more));
            if (more == NULL)
                return err_set(err, ST_AGAIN, "no memory for %zu polls", max);
            r->numbers[i] = more;
        }
        r->max_numbers = max;
    }
    for (size_t i = 0; i < N_REMADE_NUMBERS; i++)
        r->numbers[i][r->n_numbers] = numbers[i];
    r->n_numbers++;
    return ST_OK;
}

enum st remake_go_on(struct store *s, const struct store_batch *batch,
                     const struct store_poll *poll, struct err *err)
{
    struct remake *r = &s->remake;

    r->last_us = poll->load->end->slot_us;
    if (r->at + 1 < r->end)
        return ST_OK;
    enum st st = end_stretch(s, err);
    return st == ST_OK ? past_open_behind(s, poll, batch, err) : st;
}

/* ---- the end ---- */

static enum st update_polls(struct store *s, struct err *err)
{
    static const char *const names[N_REMADE_NUMBERS] = {
        [REMADE_SLOT] = ":slot",
        [REMADE_LAST_OFFSET] = ":last_offset",
        [REMADE_ROWS_IN] = ":rows_in",
        [REMADE_ROWS_NEW] = ":rows_new",
        [REMADE_ROWS_UNCHANGED] = ":rows_unchanged",
        [REMADE_ROWS_ABSENT] = ":rows_absent",
        [REMADE_ROWS_QUARANTINED] = ":rows_quarantined",
    };
    const struct remake *r = &s->remake;
    struct db_list lists[N_REMADE_NUMBERS + 1] = {{.name = NULL}};
    struct stmt *stmt;

    if (r->n_numbers == 0)
        return ST_OK;
    enum st st = db_prepare(&s->db, DB_UPDATE_POLLS, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", s->job_id);
    db_bind_text(stmt, ":stream", str_of(r->stream));
    db_bind_int(stmt, ":transform_version", TRANSFORM_VERSION);
    for (size_t i = 0; i < N_REMADE_NUMBERS; i++)
        lists[i] = (struct db_list){.name = names[i], .values = r->numbers[i]};
    return db_run_each(&s->db, stmt, lists, r->n_numbers, err);
}

/* The coin's absence of the store that begins then; NULL: there is none. */
static struct remake_absence *find_old(struct remake *r, int64_t coin_id, int64_t from_us)
{
    size_t first = 0, end = r->old.n;

    while (first < end) {
        const size_t middle = first + (end - first) / 2;
        const struct remake_absence *a = &r->old.list[middle];
        if (a->coin_id < coin_id || (a->coin_id == coin_id && a->from_us < from_us))
            first = middle + 1;
        else
            end = middle;
    }
    if (first == r->old.n)
        return NULL;
    struct remake_absence *a = &r->old.list[first];
    return a->coin_id == coin_id && a->from_us == from_us ? a : NULL;
}

static bool is_open(const struct store *s, int64_t coin_id)
{
    size_t at;

    return coin_list_find(&s->open, coin_id, &at) && s->open.times_us[at] != NOT_ABSENT;
}

/* Which absences of the store are as they were made? */
static void compare_absences(struct store *s)
{
    struct remake *r = &s->remake;
    struct remake_absence *old;

    for (size_t i = 0; i < r->made.n; i++) {
        struct remake_absence *made = &r->made.list[i];
        old = find_old(r, made->coin_id, made->from_us);
        if (old && old->until_us == made->until_us)
            old->is_kept = made->is_kept = true;
    }
    for (size_t i = 0; i < s->open.n; i++) {
        old = find_old(r, s->open.coin_ids[i], s->open.times_us[i]);
        if (old && old->until_us > r->last_us)
            old->is_kept = true;
    }
}

/* An absence of the store that is no more, but went on behind the stretch: where its last poll has
 * the coin, the next one that lacks it begins another one. */
static enum st open_rest(struct store *s, const struct store_poll *poll,
                         const struct remake_absence *old, struct err *err)
{
    const struct remake *r = &s->remake;
    const bool had_row = old->from_us < r->first_us; /* or else it were kept, or open */
    int64_t from_us;

    if (old->until_us <= r->last_us || is_open(s, old->coin_id) || !(had_row || old->is_seen))
        return ST_OK;
    enum st st = past_ask(s, poll, DB_NEXT_LACK, r->last_us, old->coin_id, &from_us, err);
    return st == ST_OK ? past_add_absence(s, poll, old->coin_id, from_us, old->until_us, err) : st;
}

static enum st write_absences(struct store *s, const struct store_poll *poll, struct err *err)
{
    struct remake *r = &s->remake;
    enum st st = ST_OK;

    compare_absences(s);
    for (size_t i = 0; st == ST_OK && i < r->old.n; i++) {
        const struct remake_absence *a = &r->old.list[i];
        if (a->from_us <= r->last_us && !a->is_kept)
            st = past_delete_absences(s, poll, a->coin_id, a->from_us, a->from_us + 1, err);
    }
    for (size_t i = 0; st == ST_OK && i < r->made.n; i++) {
        const struct remake_absence *a = &r->made.list[i];
        if (!a->is_kept)
            st = past_add_absence(s, poll, a->coin_id, a->from_us, a->until_us, err);
    }
    for (size_t i = 0; st == ST_OK && i < s->open.n; i++) {
        const int64_t coin_id = s->open.coin_ids[i], from_us = s->open.times_us[i];
        const struct remake_absence *old = find_old(r, coin_id, from_us);
        if (from_us != NOT_ABSENT && !(old && old->is_kept))
            st = past_last_to_next_row(s, poll, coin_id, from_us, r->last_us, err);
    }
    for (size_t i = 0; st == ST_OK && i < r->old.n; i++)
        if (r->old.list[i].from_us <= r->last_us && !r->old.list[i].is_kept)
            st = open_rest(s, poll, &r->old.list[i], err);
    return st;
}

static enum st end_stretch(struct store *s, struct err *err)
{
    struct remake *r = &s->remake;
    const struct store_poll poll = {.stream = r->stream, .job_id = s->job_id};

    enum st st = db_settle_rows(&s->db, err);
    if (st != ST_OK)
        return st; /* it is still one: see sink.c */
    r->is_on = s->db.is_bulk = false;
    st = seen_write(&s->coins.seen, &s->db, err);
    if (st == ST_OK)
        st = update_polls(s, err);
    if (st == ST_OK && r->at > r->first)
        st = write_absences(s, &poll, err);
    r->try_at = r->at + 1;
    return st;
}
