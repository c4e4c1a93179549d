/* What was known at a moment: the market, lists of coins, a coin. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/query.h"

#include "base/clock.h"
#include "transform/coins.h"

#include <stdlib.h>

#define N_NEWEST 200

enum { JOB_ID, JOB_SELECTION, JOB_SLOT, JOB_TOLD }; /* the columns of jobs.sql */

struct job_args {
    struct str endpoint, vs_currency;
    int64_t at_us;
};

static void bind_jobs(struct stmt *stmt, const struct job_args *args)
{
    db_bind_text(stmt, ":endpoint", args->endpoint);
    db_bind_text(stmt, ":vs_currency", args->vs_currency);
    db_bind_int(stmt, ":at", args->at_us);
}

/* The first poll of each span was stored whole. */
static int64_t since_of(const struct table *t, int64_t slot_us)
{
    return t->whole_us > 0 ? time_floor(slot_us, t->whole_us) : slot_us;
}

enum st reader_jobs(struct reader *r, enum row_table table, struct str vs_currency, int64_t at_us,
                    struct arena *arena, struct reader_job **ret_jobs, size_t *ret_n,
                    struct err *err)
{
    const struct job_args args = {str_of(row_tables[table]->endpoint), vs_currency, at_us};
    struct reader_job *jobs = NULL;
    struct stmt *stmt;
    bool has_row;
    size_t n = 0, max = 0;

    enum st st = db_prepare(&r->db, DB_QUERY_JOBS, &stmt, err);
    if (st != ST_OK)
        return st;
    bind_jobs(stmt, &args);
    while ((st = db_step(&r->db, stmt, &has_row, err)) == ST_OK && has_row) {
        if (n == max) {
            struct reader_job *more = arena_alloc(arena, max = 2 * max + 8, sizeof(*jobs));
            if (more && n > 0)
                memcpy(more, jobs, n * sizeof(*jobs));
            jobs = more;
        }
        struct str selection = arena_str(arena, db_text(stmt, JOB_SELECTION));
        if (jobs == NULL || selection.p == NULL) {
            st = reader_no_room(arena, err);
            break;
        }
        jobs[n].job_id = db_int(stmt, JOB_ID);
        jobs[n].slot_us = db_int(stmt, JOB_SLOT);
        jobs[n].told_us = db_is_null(stmt, JOB_TOLD) ? INT64_MIN : db_int(stmt, JOB_TOLD);
        jobs[n].since_us = since_of(row_tables[table], jobs[n].slot_us);
        jobs[n].at_us = at_us;
        jobs[n++].selection = selection;
    }
    db_reset(stmt);
    *ret_jobs = jobs;
    *ret_n = n;
    return st;
}

void reader_bind_job(struct stmt *stmt, const void *args)
{
    const struct reader_job *job = args;

    db_bind_int(stmt, ":job_id", job->job_id);
    db_bind_int(stmt, ":slot", job->slot_us);
    db_bind_int(stmt, ":since", job->since_us);
    db_bind_int(stmt, ":at", job->at_us);
}

/* ---- the market ---- */

/* Some coins of a job. */
struct some {
    const struct reader_job *job;
    struct str ids;
};

static void bind_some(struct stmt *stmt, const void *args)
{
    const struct some *some = args;

    db_bind_int(stmt, ":job_id", some->job->job_id);
    db_bind_int(stmt, ":slot", some->job->slot_us);
    db_bind_int(stmt, ":at", some->job->at_us);
    db_bind_text(stmt, ":ids", some->ids);
}

static void bind_present(struct stmt *stmt, const struct reader_job *job)
{
    db_bind_int(stmt, ":job_id", job->job_id);
    db_bind_int(stmt, ":slot", job->slot_us);
    db_bind_int(stmt, ":at", job->at_us);
}

static struct coin_index *index_rows(const struct rows *rows, struct arena *arena)
{
    struct coin_index *coins = coins_new(arena, rows->n);

    for (size_t i = 0; coins && i < rows->n; i++)
        coins_add(coins, cell_text(&rows_at(rows, i)[ROW_ID]), (uint32_t)i);
    return coins;
}

/* Coins of the job that have no row since its last whole poll, as they were refused, or on pages
 * that were missing: *ret_ids as a JSON array; empty: there are none. */
static enum st find_older(struct reader *r, const struct reader_job *job, const struct rows *rows,
                          struct arena *arena, struct str *ret_ids, struct err *err)
{
    static const struct column column = {.name = "id", .kind = CELL_TEXT};
    static const struct table table = {.name = "id", .columns = &column, .n_columns = 1};
    const struct coin_index *coins = index_rows(rows, arena);
    struct rows older = {.table = &table};
    struct collected c = {.rows = &older, .arena = arena};
    struct stmt *stmt;
    size_t n = 0;
    uint32_t row;

    if (coins == NULL)
        return reader_no_room(arena, err);
    enum st st = db_prepare(&r->db, DB_QUERY_PAST_PRESENT, &stmt, err);
    if (st != ST_OK)
        return st;
    bind_present(stmt, job);
    st = reader_collect(r, stmt, &c, err);
    struct str *ids = arena_alloc(arena, older.n + 1, sizeof(*ids));
    if (st == ST_OK && ids == NULL)
        return reader_no_room(arena, err);
    for (size_t i = 0; st == ST_OK && i < older.n; i++)
        if (!coins_find(coins, cell_text(&older.cells[i]), &row))
            ids[n++] = cell_text(&older.cells[i]);
    *ret_ids = STR_NONE;
    return st == ST_OK && n > 0 ? reader_ids(ids, n, arena, ret_ids, err) : st;
}

/* All coins of a job. */
static enum st add_all(struct reader *r, const struct reader_job *job, struct collected *c,
                       struct err *err)
{
    struct some older = {.job = job};

    enum st st = reader_ask(r, DB_QUERY_PAST_MARKET, reader_bind_job, job, c, err);
    if (st == ST_OK)
        st = find_older(r, job, c->rows, c->arena, &older.ids, err);
    if (st != ST_OK || older.ids.len == 0)
        return st;
    return reader_ask(r, DB_QUERY_PAST_MARKET_OF, bind_some, &older, c, err);
}

/* When each row was told, or confirmed last; true when a refusal may say otherwise, as some of what
 * is older was told since since_us. Whoever is not left out since the last poll that was stored
 * whole was refused since, or on pages that were missing. */
static bool note_told(const struct reader_job *job, const struct rows *rows, int64_t since_us,
                      int64_t oldest_us, int64_t *told_us)
{
    bool is_open = false;

    for (size_t i = 0; i < rows->n; i++) {
        const int64_t fetched_us = rows_at(rows, i)[MARKET_FETCHED_AT].number;
        const bool is_confirmed = fetched_us >= job->since_us && job->told_us > fetched_us;
        told_us[i] = is_confirmed ? job->told_us : fetched_us;
        is_open |= fetched_us >= since_us && fetched_us < oldest_us;
    }
    return is_open;
}

enum { REFUSED_ID, REFUSED_AT, REFUSED_TOLD };

/* … and none is confirmed by a poll that refused it: refusals since `since_us`, the latest first.
 */
static enum st note_refused(struct reader *r, const struct reader_job *job, int64_t since_us,
                            const struct rows *rows, struct arena *arena, int64_t *told_us,
                            struct err *err)
{
    static const struct column columns[] = {{.name = "id", .kind = CELL_TEXT},
                                            {.name = "refused", .kind = CELL_TIME},
                                            {.name = "told", .kind = CELL_TIME}};
    static const struct table table = {.name = "refused", .columns = columns, .n_columns = 3};
    const struct coin_index *coins = index_rows(rows, arena);
    struct rows refusals = {.table = &table};
    struct collected c = {.rows = &refusals, .arena = arena};
    struct reader_job since = *job;
    uint32_t row;

    if (coins == NULL)
        return reader_no_room(arena, err);
    since.since_us = since_us;
    enum st st = reader_ask(r, DB_QUERY_PAST_REFUSED, reader_bind_job, &since, &c, err);
    for (size_t i = 0; st == ST_OK && i < refusals.n; i++) {
        const struct cell *one = rows_at(&refusals, i);
        if (!coins_find(coins, cell_text(&one[REFUSED_ID]), &row))
            continue;
        const int64_t fetched_us = rows_at(rows, row)[MARKET_FETCHED_AT].number;
        if (one[REFUSED_AT].number <= fetched_us)
            continue;
        const bool is_told =
            one[REFUSED_TOLD].kind != CELL_NULL && one[REFUSED_TOLD].number > fetched_us;
        told_us[row] = is_told ? one[REFUSED_TOLD].number : fetched_us;
    }
    return st;
}

/* Leave out what the job told or confirmed last before oldest_us. */
static enum st drop_stale(struct reader *r, const struct reader_job *job, int64_t oldest_us,
                          struct rows *rows, struct arena *arena, struct err *err)
{
    const int64_t since_us = since_of(&market_table, oldest_us);
    int64_t *told_us = arena_alloc(arena, rows->n + 1, sizeof(*told_us));
    enum st st = ST_OK;
    size_t n = 0;

    if (told_us == NULL)
        return reader_no_room(arena, err);
    /* what is of an earlier hour was not confirmed in this one */
    if (note_told(job, rows, since_us, oldest_us, told_us))
        st = note_refused(r, job, since_us, rows, arena, told_us, err);
    for (size_t i = 0; i < rows->n; i++) {
        if (told_us[i] < oldest_us)
            continue;
        if (n != i)
            memcpy(rows_at(rows, n), rows_at(rows, i), N_MARKET_COLUMNS * sizeof(*rows->cells));
        n++;
    }
    rows->n = n;
    return st;
}

/* The rows of several jobs, each coin's of that which saw it last. */
struct merged {
    struct rows rows;
    int64_t *seen_us; /* of each row */
    struct coin_index *coins;
};

static void merge(struct merged *m, const struct reader_job *job, const struct rows *from)
{
    const size_t row_size = N_MARKET_COLUMNS * sizeof(*from->cells);
    uint32_t at;

    for (size_t i = 0; i < from->n; i++) {
        const struct cell *row = rows_at(from, i);
        const int64_t fetched_us = row[MARKET_FETCHED_AT].number;
        const int64_t seen_us = fetched_us > job->told_us ? fetched_us : job->told_us;
        if (coins_add(m->coins, cell_text(&row[MARKET_ID]), (uint32_t)m->rows.n))
            at = (uint32_t)m->rows.n++;
        else if (!coins_find(m->coins, cell_text(&row[MARKET_ID]), &at) || m->seen_us[at] > seen_us)
            continue;
        memcpy(rows_at(&m->rows, at), row, row_size);
        m->seen_us[at] = seen_us;
    }
}

static enum st merge_all(const struct reader_job *jobs, const struct rows *of_jobs, size_t n,
                         struct arena *arena, struct rows *ret_rows, struct err *err)
{
    struct merged m = {.rows.table = &market_table};
    size_t max = 0;

    for (size_t i = 0; i < n; i++)
        max += of_jobs[i].n;
    if (n == 1) {
        *ret_rows = of_jobs[0];
        return ST_OK;
    }
    m.coins = coins_new(arena, max);
    m.seen_us = arena_alloc(arena, max, sizeof(*m.seen_us));
    m.rows.cells = arena_alloc(arena, max, N_MARKET_COLUMNS * sizeof(*m.rows.cells));
    if (m.coins == NULL || m.seen_us == NULL || m.rows.cells == NULL)
        return reader_no_room(arena, err);
    for (size_t i = 0; i < n; i++)
        merge(&m, &jobs[i], &of_jobs[i]);
    *ret_rows = m.rows;
    return ST_OK;
}

static enum st add_jobs(struct reader *r, const struct market_query *args, int64_t at_us,
                        struct arena *arena, struct rows *ret_rows, struct err *err)
{
    struct some some = {.ids = STR_NONE};
    struct reader_job *jobs = NULL;
    size_t n = 0;

    enum st st = reader_jobs(r, TABLE_MARKET, args->vs_currency, at_us, arena, &jobs, &n, err);
    if (st == ST_OK && args->n_ids > 0)
        st = reader_ids(args->ids, args->n_ids, arena, &some.ids, err);
    struct rows *of_jobs = arena_alloc(arena, n + 1, sizeof(*of_jobs));
    if (of_jobs == NULL)
        return reader_no_room(arena, err);
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        struct collected c = {.rows = &of_jobs[i], .arena = arena};
        of_jobs[i] = (struct rows){.table = &market_table};
        some.job = &jobs[i];
        st = args->n_ids > 0 ? reader_ask(r, DB_QUERY_PAST_MARKET_OF, bind_some, &some, &c, err)
                             : add_all(r, &jobs[i], &c, err);
        if (st == ST_OK && args->max_stale_us > 0)
            st = drop_stale(r, &jobs[i], at_us - args->max_stale_us, &of_jobs[i], arena, err);
    }
    return st == ST_OK ? merge_all(jobs, of_jobs, n, arena, ret_rows, err) : st;
}

enum st past_market(struct reader *r, const struct market_query *args, int64_t at_us,
                    struct arena *arena, struct rows *ret_rows, struct err *err)
{
    struct rows rows;

    enum st st = reader_begin(r, err);
    if (st == ST_OK)
        st = add_jobs(r, args, at_us, arena, &rows, err);
    st = reader_end(r, st, err);
    if (st != ST_OK)
        return st;
    query_arrange(args, &rows);
    *ret_rows = rows;
    return ST_OK;
}

/* ---- lists ---- */

enum st reader_check_collected(struct reader *r, enum row_table table, const char *selection,
                               struct err *err)
{
    const char *endpoint = row_tables[table]->endpoint;
    bool has_job = false;
    struct stmt *stmt;

    enum st st = reader_begin(r, err);
    if (st == ST_OK)
        st = db_prepare(&r->db, DB_QUERY_COLLECTED, &stmt, err);
    if (st == ST_OK) {
        db_bind_text(stmt, ":endpoint", str_of(endpoint));
        db_bind_text(stmt, ":selection", str_of(selection));
        st = db_step(&r->db, stmt, &has_job, err);
        db_reset(stmt);
    }
    st = reader_end(r, st, err);
    if (st == ST_OK && has_job && reader_moment(r) == READER_NOW)
        st = err_set(err, ST_AGAIN, "%s: nothing of %s is loaded yet", r->shown, endpoint);
    return st;
}

static void bind_moment(struct stmt *stmt, const void *args)
{
    db_bind_int(stmt, ":at", *(const int64_t *)args);
}

static void bind_list(struct stmt *stmt, const void *args)
{
    const struct reader_job *job = args;

    db_bind_int(stmt, ":job_id", job->job_id);
    db_bind_int(stmt, ":slot", job->slot_us);
}

static int compare_ids(const void *left, const void *right)
{
    const struct cell *a = left, *b = right;
    return str_cmp(cell_text(&a[COIN_ID]), cell_text(&b[COIN_ID]));
}

/* Several jobs may collect the same list. */
static void sort_and_merge(struct rows *coins)
{
    const size_t row_size = N_COIN_COLUMNS * sizeof(*coins->cells);
    size_t n = 0;

    if (coins->n > 1)
        qsort(coins->cells, coins->n, row_size, compare_ids);
    for (size_t i = 0; i < coins->n; i++)
        if (n == 0 || compare_ids(rows_at(coins, n - 1), rows_at(coins, i)) != 0)
            memmove(rows_at(coins, n++), rows_at(coins, i), row_size);
    coins->n = n;
}

/* The coins of the lists of a selection. *ret_has_list false: nothing of it was collected by then.
 */
static enum st read_lists(struct reader *r, struct str selection, struct collected *c,
                          bool *ret_has_list, struct err *err)
{
    const int64_t at_us = reader_moment(r);
    struct reader_job *jobs = NULL;
    size_t n = 0, n_lists = 0;

    enum st st = reader_jobs(r, TABLE_LISTING, STR(""), at_us, c->arena, &jobs, &n, err);
    for (size_t i = 0; st == ST_OK && i < n; i++) {
        if (!str_eq(jobs[i].selection, selection))
            continue;
        n_lists++;
        st = at_us == READER_NOW
                 ? reader_ask(r, DB_QUERY_LISTED, bind_list, &jobs[i], c, err)
                 : reader_ask(r, DB_QUERY_PAST_LISTED, reader_bind_job, &jobs[i], c, err);
    }
    if (n_lists > 1)
        sort_and_merge(c->rows);
    *ret_has_list = n_lists > 0;
    return st;
}

enum st reader_coins(struct query *q, struct arena *arena, struct rows *ret_rows, struct err *err)
{
    struct reader *r = q->state;
    const int64_t at_us = reader_moment(r);
    struct rows rows = {.table = &coin_table};
    struct collected c = {.rows = &rows, .arena = arena};
    bool has_list = false;

    enum st st = reader_begin(r, err);
    if (st == ST_OK)
        st = read_lists(r, STR("all"), &c, &has_list, err);
    if (st == ST_OK && !has_list)
        st = at_us == READER_NOW ? reader_ask(r, DB_QUERY_COINS, NULL, NULL, &c, err)
                                 : reader_ask(r, DB_QUERY_PAST_COINS, bind_moment, &at_us, &c, err);
    st = reader_end(r, st, err);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

enum st reader_names(struct query *q, struct arena *arena, struct rows *ret_rows, struct err *err)
{
    struct rows rows = {.table = &coin_table};
    struct collected c = {.rows = &rows, .arena = arena};

    enum st st = reader_begin(q->state, err);
    if (st == ST_OK)
        st = reader_ask(q->state, DB_QUERY_NAMES, NULL, NULL, &c, err);
    st = reader_end(q->state, st, err);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

enum st reader_inactive(struct query *q, struct arena *arena, struct rows *ret_rows,
                        struct err *err)
{
    struct reader *r = q->state;
    struct rows rows = {.table = &coin_table};
    struct collected c = {.rows = &rows, .arena = arena};
    bool has_list = false;

    enum st st = reader_begin(r, err);
    if (st == ST_OK)
        st = read_lists(r, STR("inactive"), &c, &has_list, err);
    st = reader_end(r, st, err);
    if (st == ST_OK && !has_list)
        st = reader_check_collected(r, TABLE_LISTING, "inactive", err);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

static void bind_newest(struct stmt *stmt, const void *args)
{
    bind_moment(stmt, args);
    db_bind_int(stmt, ":limit", N_NEWEST);
}

enum st reader_newest(struct query *q, struct arena *arena, struct rows *ret_rows, struct err *err)
{
    struct reader *r = q->state;
    const int64_t at_us = reader_moment(r);
    struct rows rows = {.table = &new_coin_table};
    struct collected c = {.rows = &rows, .arena = arena};
    struct reader_job *jobs = NULL;
    size_t n = 0;
    bool has_list = false;

    enum st st = reader_begin(r, err);
    if (st == ST_OK)
        st = reader_jobs(r, TABLE_LISTING, STR(""), at_us, arena, &jobs, &n, err);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        has_list |= str_eq(jobs[i].selection, STR("all"));
    if (st == ST_OK && has_list)
        st = reader_ask(r, DB_QUERY_NEWEST, bind_newest, &at_us, &c, err);
    st = reader_end(r, st, err);
    if (st == ST_OK && !has_list) {
        st = reader_check_collected(r, TABLE_LISTING, "all", err);
        rows.table = NULL;
    }
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

/* ---- a coin ---- */

/* The columns of coin.sql, and of coin_names.sql. */
enum { INFO_ID, INFO_SYMBOL, INFO_NAME, INFO_IMAGE, INFO_FIRST_SEEN, INFO_LAST_SEEN, N_INFO };
static const struct column info_columns[N_INFO] = {
    {.name = "id", .kind = CELL_TEXT},         {.name = "symbol", .kind = CELL_TEXT},
    {.name = "name", .kind = CELL_TEXT},       {.name = "image", .kind = CELL_TEXT},
    {.name = "first_seen", .kind = CELL_TIME}, {.name = "last_seen", .kind = CELL_TIME},
};
static const struct table info_table = {
    .name = "coin", .columns = info_columns, .n_columns = N_INFO};

enum { LABEL_SINCE, LABEL_SYMBOL, LABEL_NAME, N_LABEL };
static const struct column label_columns[N_LABEL] = {
    {.name = "since", .kind = CELL_TIME},
    {.name = "symbol", .kind = CELL_TEXT},
    {.name = "name", .kind = CELL_TEXT},
};
static const struct table label_table = {
    .name = "coin_name", .columns = label_columns, .n_columns = N_LABEL};

struct info_args {
    struct str id;
    int64_t at_us;
};

static void bind_info(struct stmt *stmt, const void *args)
{
    const struct info_args *info = args;

    db_bind_text(stmt, ":id", info->id);
    db_bind_int(stmt, ":at", info->at_us);
}

static enum st add_labels(const struct rows *labels, struct arena *arena, struct coin_info *info,
                          struct err *err)
{
    struct coin_label *list = arena_alloc(arena, labels->n + 1, sizeof(*list));

    if (list == NULL)
        return reader_no_room(arena, err);
    for (size_t i = 0; i < labels->n; i++) {
        const struct cell *row = rows_at(labels, i);
        list[i] = (struct coin_label){.since_us = row[LABEL_SINCE].number,
                                      .symbol = cell_text(&row[LABEL_SYMBOL]),
                                      .name = cell_text(&row[LABEL_NAME])};
    }
    info->labels = list;
    info->n_labels = labels->n;
    return ST_OK;
}

enum st reader_info(struct query *q, struct str id, struct arena *arena, struct coin_info *ret_info,
                    bool *ret_is_known, struct err *err)
{
    struct reader *r = q->state;
    const struct info_args args = {id, reader_moment(r)};
    struct rows rows = {.table = &info_table}, labels = {.table = &label_table};
    struct collected coin = {.rows = &rows, .arena = arena},
                     names = {.rows = &labels, .arena = arena};

    enum st st = reader_begin(r, err);
    if (st == ST_OK)
        st = reader_ask(r, DB_QUERY_COIN, bind_info, &args, &coin, err);
    if (st == ST_OK)
        st = reader_ask(r, DB_QUERY_COIN_NAMES, bind_info, &args, &names, err);
    st = reader_end(r, st, err);
    if (st != ST_OK)
        return st;
    *ret_is_known = rows.n > 0;
    *ret_info = (struct coin_info){.genesis_us = INT64_MIN};
    if (rows.n == 0)
        return ST_OK;
    const struct cell *row = rows.cells;
    ret_info->id = cell_text(&row[INFO_ID]);
    ret_info->symbol = cell_text(&row[INFO_SYMBOL]);
    ret_info->name = cell_text(&row[INFO_NAME]);
    ret_info->image = cell_text(&row[INFO_IMAGE]);
    ret_info->first_seen_us = row[INFO_FIRST_SEEN].number;
    ret_info->last_seen_us =
        row[INFO_LAST_SEEN].number < args.at_us ? row[INFO_LAST_SEEN].number : args.at_us;
    return add_labels(&labels, arena, ret_info, err);
}
