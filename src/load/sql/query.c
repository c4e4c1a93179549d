/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/query.h"

#include "base/mem.h"
#include "row/global.h"

#define PATIENCE_US (60 * US_PER_S) /* for a poll that is due now */

enum st reader_begin(struct reader *r, struct err *err)
{
    r->db.timeout_us = r->query.timeout_us;
    enum st st = db_begin(&r->db, err);
    if (st != ST_OK)
        db_rollback(&r->db);
    return st;
}

enum st reader_end(struct reader *r, enum st st, struct err *err)
{
    if (st == ST_OK)
        st = db_commit(&r->db, err);
    if (st != ST_OK)
        db_rollback(&r->db);
    return st;
}

enum st reader_no_room(const struct arena *arena, struct err *err)
{
    return err_set(err, ST_AGAIN, "the answer needs more than %zu bytes", arena->max);
}

bool reader_make_room(struct collected *c, size_t max)
{
    const size_t n_columns = c->rows->table->n_columns;
    struct cell *cells = arena_alloc(c->arena, max * n_columns, sizeof(*cells));
    if (cells == NULL)
        return false;
    if (c->rows->n > 0)
        memcpy(cells, c->rows->cells, c->rows->n * n_columns * sizeof(*cells));
    c->rows->cells = cells;
    c->max = max;
    return true;
}

enum st reader_collect(struct reader *r, struct stmt *stmt, struct collected *c, struct err *err)
{
    const struct table *table = c->rows->table;
    int columns[N_MARKET_COLUMNS];
    bool has_row, is_first = true, is_ok = true;
    enum st st;

    while ((st = db_step(&r->db, stmt, &has_row, err)) == ST_OK && has_row) {
        for (size_t i = 0; is_first && i < table->n_columns; i++)
            columns[i] = db_find_column(stmt, table->columns[i].name);
        is_first = false;
        is_ok = c->rows->n < c->max || reader_make_room(c, c->max > 0 ? c->max * 2 : 64);
        for (size_t i = 0; is_ok && i < table->n_columns; i++)
            is_ok = db_cell(stmt, columns[i], table->columns[i].kind, c->arena,
                            &rows_at(c->rows, c->rows->n)[i]);
        if (!is_ok)
            break;
        c->rows->n++;
    }
    db_reset(stmt);
    return is_ok ? st : reader_no_room(c->arena, err);
}

/* For all coins of a currency at once: doubling would take the arena up three times over. Where
 * there is no room for so many, that shows when there are. */
static enum st make_room_for_all(struct reader *r, struct str vs_currency, struct collected *c,
                                 struct err *err)
{
    struct stmt *stmt;
    bool has_row;

    enum st st = db_prepare(&r->db, DB_QUERY_ROOM, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":vs_currency", vs_currency);
    st = db_step(&r->db, stmt, &has_row, err);
    if (st == ST_OK && has_row && db_int(stmt, 0) > 0)
        reader_make_room(c, (size_t)db_int(stmt, 0));
    db_reset(stmt);
    return st;
}

enum st reader_ask(struct reader *r, enum db_statement which, reader_binder *bind, const void *args,
                   struct collected *c, struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(&r->db, which, &stmt, err);
    if (st != ST_OK)
        return st;
    if (bind)
        bind(stmt, args);
    return reader_collect(r, stmt, c, err);
}

/* The same as a whole answer. */
static enum st answer(struct reader *r, enum db_statement which, reader_binder *bind,
                      const void *args, struct collected *c, struct err *err)
{
    enum st st = reader_begin(r, err);

    if (st == ST_OK)
        st = reader_ask(r, which, bind, args, c, err);
    return reader_end(r, st, err);
}

/* ---- the market ---- */

static void bind_page(struct stmt *stmt, const void *of)
{
    const struct market_query *args = of;
    const bool is_all = args->per_page == 0;

    db_bind_text(stmt, ":vs_currency", args->vs_currency);
    db_bind_int(stmt, ":order", args->order);
    db_bind_int(stmt, ":limit", is_all ? INT64_MAX : (int64_t)args->per_page);
    db_bind_int(stmt, ":skip",
                is_all || args->page < 2 ? 0 : (int64_t)(args->page - 1) * args->per_page);
}

enum st reader_ids(const struct str *ids, size_t n, struct arena *arena, struct str *ret_ids,
                   struct err *err)
{
    struct buf json = BUF_INIT(arena->max);

    buf_add_char(&json, '[');
    for (size_t i = 0; i < n; i++) {
        if (ids[i].len == 0 || memchr(ids[i].p, '\0', ids[i].len))
            continue;
        if (json.len > 1)
            buf_add_char(&json, ',');
        buf_add_json_str(&json, ids[i]);
    }
    buf_add_char(&json, ']');
    *ret_ids = json.is_overflow ? STR_NONE : arena_str(arena, buf_str(&json));
    buf_release(&json);
    return ret_ids->p ? ST_OK : reader_no_room(arena, err);
}

struct market_of {
    struct str vs_currency, ids;
};

static void bind_ids(struct stmt *stmt, const void *of)
{
    const struct market_of *args = of;

    db_bind_text(stmt, ":vs_currency", args->vs_currency);
    db_bind_text(stmt, ":ids", args->ids);
}

static enum st market_page(struct reader *r, const struct market_query *args, struct collected *c,
                           struct err *err)
{
    enum st st = reader_begin(r, err);

    if (st == ST_OK && args->per_page == 0)
        st = make_room_for_all(r, args->vs_currency, c, err);
    if (st == ST_OK)
        st = reader_ask(r, DB_QUERY_MARKET, bind_page, args, c, err);
    return reader_end(r, st, err);
}

static enum st reader_market(struct query *q, const struct market_query *args, struct arena *arena,
                             struct rows *ret_rows, struct err *err)
{
    struct rows rows = {.table = &market_table};
    struct collected c = {.rows = &rows, .arena = arena};
    struct market_of some = {.vs_currency = args->vs_currency};
    /* never beyond the moment that the whole answer is of */
    const bool is_own = args->at_us != 0 && (q->at_us == 0 || args->at_us < q->at_us);
    const int64_t at_us = is_own ? args->at_us : q->at_us;
    enum st st;

    if (at_us != 0)
        return past_market(q->state, args, at_us, arena, ret_rows, err);
    if (args->n_ids == 0) {
        st = market_page(q->state, args, &c, err);
    } else {
        st = reader_ids(args->ids, args->n_ids, arena, &some.ids, err);
        if (st == ST_OK)
            st = answer(q->state, DB_QUERY_MARKET_OF, bind_ids, &some, &c, err);
        if (st == ST_OK)
            query_arrange(args, &rows);
    }
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

static enum st ask_seen(struct reader *r, const struct market_of *some, size_t *ret_n,
                        int64_t *ret_us, struct err *err)
{
    struct stmt *stmt;
    bool has_row;

    enum st st = db_prepare(&r->db, DB_QUERY_SEEN, &stmt, err);
    if (st != ST_OK)
        return st;
    bind_ids(stmt, some);
    st = db_step(&r->db, stmt, &has_row, err);
    if (st == ST_OK && has_row) {
        *ret_n = (size_t)db_int(stmt, 0);
        *ret_us = *ret_n > 0 ? db_int(stmt, 1) : 0;
    }
    db_reset(stmt);
    return st;
}

static enum st reader_seen(struct query *q, struct str vs_currency, const struct str *ids,
                           size_t n_ids, struct arena *arena, size_t *ret_n, int64_t *ret_us,
                           struct err *err)
{
    struct market_of some = {.vs_currency = vs_currency};

    *ret_n = 0;
    *ret_us = 0;
    enum st st = reader_ids(ids, n_ids, arena, &some.ids, err);
    if (st == ST_OK)
        st = reader_begin(q->state, err);
    if (st != ST_OK)
        return st;
    st = ask_seen(q->state, &some, ret_n, ret_us, err);
    return reader_end(q->state, st, err);
}

/* ---- the market as a whole, currencies ---- */

static void bind_answer(struct stmt *stmt, const void *args)
{
    const struct reader_job *job = args;

    db_bind_int(stmt, ":job_id", job->job_id);
    db_bind_int(stmt, ":slot", job->slot_us);
}

/* The newest answer of /global, of whatever job. */
static enum st read_figures(struct reader *r, struct collected *c, struct err *err)
{
    const struct reader_job *newest = NULL;
    struct reader_job *jobs = NULL;
    size_t n = 0;

    enum st st = reader_jobs(r, TABLE_GLOBAL, STR(""), reader_moment(r), c->arena, &jobs, &n, err);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        if (newest == NULL || jobs[i].slot_us > newest->slot_us)
            newest = &jobs[i];
    return newest ? reader_ask(r, DB_QUERY_GLOBAL, bind_answer, newest, c, err) : st;
}

static enum st reader_global(struct query *q, struct arena *arena, struct figure **ret_figures,
                             size_t *ret_n, struct err *err)
{
    struct reader *r = q->state;
    struct rows rows = {.table = &global_table};
    struct collected c = {.rows = &rows, .arena = arena};

    enum st st = reader_begin(r, err);
    if (st == ST_OK)
        st = read_figures(r, &c, err);
    st = reader_end(r, st, err);
    if (st == ST_OK && rows.n == 0)
        st = reader_check_collected(r, TABLE_GLOBAL, "all", err);
    if (st != ST_OK)
        return st;
    struct figure *figures = arena_alloc(arena, rows.n, sizeof(*figures));
    if (figures == NULL)
        return reader_no_room(arena, err);
    for (size_t i = 0; i < rows.n; i++) {
        const struct cell *row = rows_at(&rows, i);
        figures[i] = (struct figure){.name = cell_text(&row[GLOBAL_FIGURE]),
                                     .part = cell_text(&row[GLOBAL_PART]),
                                     .value = row[GLOBAL_VALUE]};
    }
    *ret_figures = figures;
    *ret_n = rows.n;
    return ST_OK;
}

static void bind_moment(struct stmt *stmt, const void *args)
{
    db_bind_int(stmt, ":at", *(const int64_t *)args);
}

static enum st reader_currencies(struct query *q, struct arena *arena, struct str **ret_currencies,
                                 size_t *ret_n, struct err *err)
{
    static const struct column column = {.name = "vs_currency", .kind = CELL_TEXT};
    static const struct table table = {.name = "job", .columns = &column, .n_columns = 1};
    struct rows rows = {.table = &table};
    struct collected c = {.rows = &rows, .arena = arena};
    const int64_t at_us = reader_moment(q->state);

    enum st st = answer(q->state, DB_QUERY_CURRENCIES, bind_moment, &at_us, &c, err);
    if (st != ST_OK)
        return st;
    struct str *currencies = arena_alloc(arena, rows.n, sizeof(*currencies));
    if (currencies == NULL)
        return reader_no_room(arena, err);
    for (size_t i = 0; i < rows.n; i++)
        currencies[i] = cell_text(&rows.cells[i]);
    *ret_currencies = currencies;
    *ret_n = rows.n;
    return ST_OK;
}

/* ---- what happened ---- */

static void bind_polls(struct stmt *stmt, const void *of)
{
    const struct poll_query *args = of;

    db_bind_text(stmt, ":job", args->job);
    db_bind_int(stmt, ":before", args->before_us);
    db_bind_int(stmt, ":limit", args->limit);
}

static enum st reader_polls(struct query *q, const struct poll_query *args, struct arena *arena,
                            struct rows *ret_rows, struct err *err)
{
    struct rows rows = {.table = &poll_table};
    struct collected c = {.rows = &rows, .arena = arena};

    enum st st = answer(q->state, DB_QUERY_POLLS, bind_polls, args, &c, err);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

static void bind_gaps(struct stmt *stmt, const void *of)
{
    const struct gap_query *args = of;

    db_bind_text(stmt, ":job", args->job);
    db_bind_int(stmt, ":since", args->since_us);
    db_bind_int(stmt, ":due", args->now_us - PATIENCE_US);
}

static enum st reader_gaps(struct query *q, const struct gap_query *args, struct arena *arena,
                           struct rows *ret_rows, struct err *err)
{
    struct rows rows = {.table = &gap_table};
    struct collected c = {.rows = &rows, .arena = arena};

    enum st st = answer(q->state, DB_QUERY_GAPS, bind_gaps, args, &c, err);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

static void bind_members(struct stmt *stmt, const void *of)
{
    const struct gap_query *args = of;

    db_bind_text(stmt, ":job", args->job);
    db_bind_int(stmt, ":since", args->since_us);
    db_bind_int(stmt, ":now", args->now_us);
}

static enum st reader_members(struct query *q, const struct gap_query *args, struct arena *arena,
                              struct rows *ret_rows, struct err *err)
{
    struct rows rows = {.table = &member_table};
    struct collected c = {.rows = &rows, .arena = arena};

    enum st st = answer(q->state, DB_QUERY_MEMBERS, bind_members, args, &c, err);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

static enum st reader_spans(struct query *q, struct arena *arena, struct rows *ret_rows,
                            struct err *err)
{
    struct rows rows = {.table = &span_table};
    struct collected c = {.rows = &rows, .arena = arena};

    enum st st = answer(q->state, DB_QUERY_SPANS, NULL, NULL, &c, err);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

static enum st reader_known_jobs(struct query *q, struct arena *arena, struct rows *ret_rows,
                                 struct err *err)
{
    struct rows rows = {.table = &known_job_table};
    struct collected c = {.rows = &rows, .arena = arena};

    enum st st = answer(q->state, DB_QUERY_KNOWN_JOBS, NULL, NULL, &c, err);
    if (st == ST_OK)
        *ret_rows = rows;
    return st;
}

static enum st reader_version(struct query *q, uint64_t *ret_version, struct err *err)
{
    struct reader *r = q->state;

    return r->db.engine->version(&r->db, ret_version, err);
}

static enum st ask_known_at(struct reader *r, struct str vs_currency, int64_t *ret_us,
                            struct err *err)
{
    struct stmt *stmt;
    bool has_row;

    enum st st = db_prepare(&r->db, DB_QUERY_KNOWN_AT, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":vs_currency", vs_currency);
    db_bind_int(stmt, ":at", reader_moment(r));
    st = db_step(&r->db, stmt, &has_row, err);
    if (st == ST_OK && has_row)
        *ret_us = db_int(stmt, 0);
    db_reset(stmt);
    return st;
}

static enum st reader_known_at(struct query *q, struct str vs_currency, int64_t *ret_us,
                               struct err *err)
{
    int64_t known_us = 0;
    enum st st = reader_begin(q->state, err);

    if (st == ST_OK)
        st = ask_known_at(q->state, vs_currency, &known_us, err);
    st = reader_end(q->state, st, err);
    if (st == ST_OK)
        *ret_us = known_us;
    return st;
}

static void reader_close(struct query *q)
{
    struct reader *r = q->state;

    db_close(&r->db);
    mem_free(r);
}

static const struct query_driver reader_driver = {
    .market = reader_market,
    .seen = reader_seen,
    .coins = reader_coins,
    .currencies = reader_currencies,
    .global = reader_global,
    .has_past = true,
    .has_moments = true,
    .series = reader_series,
    .sparks = reader_sparks,
    .ohlc = reader_ohlc,
    .rows = reader_rows,
    .price = reader_price,
    .names = reader_names,
    .info = reader_info,
    .inactive = reader_inactive,
    .newest = reader_newest,
    .polls = reader_polls,
    .gaps = reader_gaps,
    .members = reader_members,
    .refusals = reader_refusals,
    .flags = reader_flags,
    .coverage = reader_coverage,
    .spans = reader_spans,
    .jobs = reader_known_jobs,
    .version = reader_version,
    .known_at = reader_known_at,
    .close = reader_close,
};

struct query *sql_query_new(const struct sink_url *url, const struct db *db)
{
    struct reader *r = mem_new(1, sizeof(*r));

    memcpy(r->shown, url->shown, sizeof(r->shown));
    r->db = *db;
    r->db.table = TABLE_MARKET; /* whose words the questions have */
    r->db.shown = r->shown;
    r->query = (struct query){.driver = &reader_driver, .state = r};
    return &r->query;
}
