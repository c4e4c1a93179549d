/* Charts and candles of a coin, from the rows of all jobs that have it in the currency. Where the
 * steps are of whole buckets, candles that are made stand for the rows of their time.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "load/sql/candles.h"
#include "load/sql/chart.h"

/* ---- rows ---- */

/* What the polls of a job knew of (after, to]; those are asked also whose slots lie before, for
 * rows that came later, or that others equal. */
static enum st draw_rows(struct chart *c, const struct reader_job *job, int64_t after_us,
                         int64_t to_us, struct err *err)
{
    const int64_t until_us = to_us < job->slot_us ? to_us : job->slot_us;

    if (after_us >= to_us)
        return ST_OK;
    c->rows_after_us = after_us;
    c->rows_to_us = to_us;
    return chart_draw_polls(c, job, candle_first_slot(after_us), until_us, err);
}

/* ---- candles ---- */

enum {
    BUCKET_OPEN,
    BUCKET_HIGH,
    BUCKET_LOW,
    BUCKET_CLOSE,
    BUCKET_OPEN_CAP,
    BUCKET_OPEN_VOLUME,
    BUCKET_CAP,
    BUCKET_VOLUME,
    BUCKET_FIRST_AT,
    BUCKET_LAST_AT,
    N_BUCKET
};
static const struct column bucket_columns[N_BUCKET] = {
    [BUCKET_OPEN] = {.name = "open", .kind = CELL_NUM},
    [BUCKET_HIGH] = {.name = "high", .kind = CELL_NUM},
    [BUCKET_LOW] = {.name = "low", .kind = CELL_NUM},
    [BUCKET_CLOSE] = {.name = "close", .kind = CELL_NUM},
    [BUCKET_OPEN_CAP] = {.name = "open_market_cap", .kind = CELL_NUM},
    [BUCKET_OPEN_VOLUME] = {.name = "open_total_volume", .kind = CELL_NUM},
    [BUCKET_CAP] = {.name = "market_cap", .kind = CELL_NUM},
    [BUCKET_VOLUME] = {.name = "total_volume", .kind = CELL_NUM},
    [BUCKET_FIRST_AT] = {.name = "first_at", .kind = CELL_TIME},
    [BUCKET_LAST_AT] = {.name = "last_at", .kind = CELL_TIME},
};
static const struct table bucket_table = {
    .name = "candle", .columns = bucket_columns, .n_columns = N_BUCKET};

struct candle_args {
    int64_t job_id, coin_id, from_us, until_us, len_us;
};

static void bind_candles(struct stmt *stmt, const void *args)
{
    const struct candle_args *candles = args;

    db_bind_int(stmt, ":job_id", candles->job_id);
    db_bind_int(stmt, ":coin_id", candles->coin_id);
    db_bind_int(stmt, ":from", candles->from_us);
    db_bind_int(stmt, ":until", candles->until_us);
    db_bind_int(stmt, ":step", candles->len_us / US_PER_S);
}

static enum st draw_candles(struct chart *c, const struct candle_args *args, struct err *err)
{
    struct rows candles = {.table = &bucket_table};
    struct collected found = {.rows = &candles, .arena = c->arena};

    if (args->from_us >= args->until_us)
        return ST_OK;
    enum st st = reader_ask(c->r, DB_CHART_CANDLES, bind_candles, args, &found, err);
    for (size_t i = 0; st == ST_OK && i < candles.n; i++) {
        const struct cell *row = rows_at(&candles, i);
        const struct stretch s = {
            .is_known = true,
            .first_us = row[BUCKET_FIRST_AT].number,
            .last_us = row[BUCKET_LAST_AT].number,
            .open = row[BUCKET_OPEN],
            .high = row[BUCKET_HIGH],
            .low = row[BUCKET_LOW],
            .close = row[BUCKET_CLOSE],
            .first_cap = row[BUCKET_OPEN_CAP],
            .first_volume = row[BUCKET_OPEN_VOLUME],
            .last_cap = row[BUCKET_CAP],
            .last_volume = row[BUCKET_VOLUME],
        };
        chart_draw(c, &s);
    }
    return st;
}

/* The longest candles that fit into the steps, shorter ones before and behind them; from and until
 * are bounds of 5 minutes. */
static enum st draw_buckets(struct chart *c, const struct reader_job *job, int64_t from_us,
                            int64_t until_us, struct err *err)
{
    static const int64_t lens_us[] = {CANDLE_5M_US, CANDLE_1H_US, CANDLE_1D_US};
    const size_t n = sizeof(lens_us) / sizeof(lens_us[0]);
    int64_t first_us[] = {from_us, 0, 0}, end_us[] = {until_us, 0, 0};
    size_t longest = 0;
    enum st st = ST_OK;

    for (size_t i = 1; i < n && c->step_us % lens_us[i] == 0; i++) {
        first_us[i] = time_floor(first_us[i - 1] + lens_us[i] - 1, lens_us[i]);
        end_us[i] = time_floor(end_us[i - 1], lens_us[i]);
        if (first_us[i] >= end_us[i])
            break;
        longest = i;
    }
    for (size_t i = 0; st == ST_OK && i <= longest; i++) {
        const int64_t to_us = i < longest ? first_us[i + 1] : end_us[i];
        st = draw_candles(
            c, &(struct candle_args){job->job_id, c->coin_id, first_us[i], to_us, lens_us[i]}, err);
    }
    for (size_t i = longest; st == ST_OK && i > 0; i--)
        st = draw_candles(c,
                          &(struct candle_args){job->job_id, c->coin_id, end_us[i], end_us[i - 1],
                                                lens_us[i - 1]},
                          err);
    return st;
}

/* Up to when candles of the job are made, and hold nothing that was not known at its moment. */
static enum st find_made(struct chart *c, const struct reader_job *job, int64_t *ret_us,
                         struct err *err)
{
    struct stmt *stmt;
    bool has_row;

    *ret_us = INT64_MIN;
    enum st st = db_prepare(&c->r->db, DB_QUERY_MADE_CANDLES, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_int(stmt, ":job_id", job->job_id);
    db_bind_int(stmt, ":at", job->at_us);
    db_bind_int(stmt, ":since", job->at_us == READER_NOW ? READER_NOW : job->at_us - CANDLE_1D_US);
    st = db_step(&c->r->db, stmt, &has_row, err);
    if (st != ST_OK || !has_row)
        return st;
    *ret_us = db_int(stmt, 0);
    if (!db_is_null(stmt, 1) && db_int(stmt, 1) < *ret_us)
        *ret_us = db_int(stmt, 1);
    db_reset(stmt);
    return ST_OK;
}

static enum st draw_job(struct chart *c, const struct reader_job *job, struct err *err)
{
    const int64_t from_us = time_floor(c->after_us + CANDLE_5M_US, CANDLE_5M_US);
    int64_t until_us = INT64_MIN;

    enum st st = c->step_us % CANDLE_5M_US == 0 ? find_made(c, job, &until_us, err) : ST_OK;
    if (until_us > c->to_us)
        until_us = c->to_us + 1;
    until_us = until_us > from_us ? time_floor(until_us, CANDLE_5M_US) : from_us;
    if (st == ST_OK && until_us == from_us)
        return draw_rows(c, job, c->after_us, c->to_us, err);
    if (st == ST_OK)
        st = draw_rows(c, job, c->after_us, from_us - 1, err);
    if (st == ST_OK)
        st = draw_buckets(c, job, from_us, until_us, err);
    return st == ST_OK ? draw_rows(c, job, until_us - 1, c->to_us, err) : st;
}

/* ---- charts ---- */

/* A backfilled point, or a candle, whose step the chart's steps must consist of. */
static void draw_filling(struct chart *c, const struct cell *row, int64_t *fine_s, bool is_candle)
{
    const int64_t at_us = row[FILLED_AT].number, step_s = row[FILLED_STEP].number;
    const int64_t first_us = is_candle ? at_us - step_s * US_PER_S + 1 : at_us;
    const struct stretch s = {.is_known = true,
                              .is_filled = true,
                              .first_us = first_us,
                              .last_us = at_us,
                              .open = row[FILLED_OPEN],
                              .high = row[FILLED_HIGH],
                              .low = row[FILLED_LOW],
                              .close = row[FILLED_CLOSE],
                              .first_cap = row[FILLED_MARKET_CAP],
                              .first_volume = row[FILLED_TOTAL_VOLUME],
                              .last_cap = row[FILLED_MARKET_CAP],
                              .last_volume = row[FILLED_TOTAL_VOLUME]};

    if (first_us <= c->after_us || at_us > c->to_us ||
        (is_candle && c->step_us % (step_s * US_PER_S) != 0))
        return;
    const size_t i = (size_t)((first_us - c->begin_us) / c->step_us);
    if (c->steps[i].is_known && fine_s[i] != step_s) /* polled, or finer ones were there */
        return;
    fine_s[i] = step_s;
    chart_draw(c, &s);
}

/* Steps of which no poll knew anything have what CoinGecko says of them, on the finest grid that is
 * there. */
static enum st draw_filled(struct chart *c, struct str vs_currency, bool is_candles,
                           struct err *err)
{
    const struct filled_query args = {.id = c->id,
                                      .vs_currency = vs_currency,
                                      .after_us = c->after_us,
                                      .until_us = c->to_us,
                                      .moment_us = reader_moment(c->r),
                                      .is_candles = is_candles};
    int64_t *fine_s = arena_zalloc(c->arena, c->n_steps, sizeof(*fine_s));
    struct rows rows = {.n = 0};
    size_t n_known = 0;

    for (size_t i = 0; i < c->n_steps; i++)
        n_known += c->steps[i].is_known;
    if (n_known == c->n_steps)
        return ST_OK;
    if (fine_s == NULL)
        return reader_no_room(c->arena, err);
    enum st st = reader_filled(c->r, &args, c->arena, &rows, err);
    for (size_t i = 0; st == ST_OK && i < rows.n; i++)
        draw_filling(c, rows_at(&rows, i), fine_s, is_candles);
    return st;
}

static enum st draw_all(struct chart *c, struct str vs_currency, struct err *err)
{
    struct reader_job *jobs = NULL;
    bool is_known = false;
    size_t n = 0;

    enum st st = chart_find_coin(c, &is_known, err);
    if (st == ST_OK && is_known)
        st = reader_jobs(c->r, TABLE_MARKET, vs_currency, reader_moment(c->r), c->arena, &jobs, &n,
                         err);
    for (size_t i = 0; st == ST_OK && i < n; i++)
        st = draw_job(c, &jobs[i], err);
    return st;
}

/* is_whole: the first step is drawn as a whole. */
static enum st draw_chart(struct chart *c, struct query *q, const struct chart_query *args,
                          bool is_whole, struct arena *arena, struct err *err)
{
    struct reader *r = q->state;
    const int64_t moment_us = reader_moment(r);

    *c = (struct chart){
        .r = r, .arena = arena, .id = args->id, .step_us = args->step_us, .to_us = args->to_us};
    c->to_us = args->to_us < moment_us ? args->to_us : moment_us;
    c->begin_us = time_floor(args->from_us, args->step_us);
    c->after_us = is_whole ? c->begin_us - 1 : args->from_us;
    if (c->to_us <= args->from_us)
        return ST_OK;
    c->n_steps = (size_t)((c->to_us - c->begin_us) / c->step_us + 1);
    c->steps = arena_zalloc(arena, c->n_steps, sizeof(*c->steps));
    if (c->steps == NULL)
        return reader_no_room(arena, err);
    enum st st = reader_begin(r, err);
    if (st == ST_OK)
        st = draw_all(c, args->vs_currency, err);
    if (st == ST_OK)
        st = draw_filled(c, args->vs_currency, !is_whole, err);
    return reader_end(r, st, err);
}

static enum st make_rows(const struct chart *c, const struct table *table, struct rows *ret_rows,
                         struct err *err)
{
    *ret_rows = (struct rows){.table = table};
    ret_rows->cells =
        arena_alloc(c->arena, c->n_steps + 1, table->n_columns * sizeof(*ret_rows->cells));
    return ret_rows->cells ? ST_OK : reader_no_room(c->arena, err);
}

static void add_point(struct rows *rows, int64_t at_us, const struct cell *price,
                      const struct cell *cap, const struct cell *volume, bool is_filled)
{
    struct cell *row = rows_at(rows, rows->n++);

    row[SERIES_TIME] = cell_of_time(at_us);
    row[SERIES_PRICE] = *price;
    row[SERIES_MARKET_CAP] = *cap;
    row[SERIES_TOTAL_VOLUME] = *volume;
    row[SERIES_SOURCE] = is_filled ? cell_of_text(STR("history")) : CELL_NONE;
}

/* A chart that ends now ends with the newest price. */
static bool is_of_now(const struct chart *c)
{
    const int64_t moment_us = reader_moment(c->r);

    return c->to_us >=
           (moment_us == READER_NOW ? clock_wall_us(clock_system()) : moment_us) - US_PER_S;
}

enum st reader_series(struct query *q, const struct chart_query *args, struct arena *arena,
                      struct rows *ret_rows, struct err *err)
{
    const struct stretch *last = NULL;
    struct rows rows;
    struct chart c;

    enum st st = draw_chart(&c, q, args, true, arena, err);
    if (st == ST_OK)
        st = make_rows(&c, &series_table, &rows, err);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < c.n_steps; i++) {
        const struct stretch *s = &c.steps[i];
        if (s->is_known && s->first_us > args->from_us)
            add_point(&rows, s->first_us, &s->open, &s->first_cap, &s->first_volume, s->is_filled);
        last = s->is_known ? s : last;
    }
    if (last && last->last_us > last->first_us && last->last_us > args->from_us && is_of_now(&c))
        add_point(&rows, last->last_us, &last->close, &last->last_cap, &last->last_volume,
                  last->is_filled);
    *ret_rows = rows;
    return ST_OK;
}

enum st reader_ohlc(struct query *q, const struct chart_query *args, struct arena *arena,
                    struct rows *ret_rows, struct err *err)
{
    struct rows rows;
    struct chart c;

    enum st st = draw_chart(&c, q, args, false, arena, err);
    if (st == ST_OK)
        st = make_rows(&c, &ohlc_table, &rows, err);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < c.n_steps; i++) {
        const struct stretch *s = &c.steps[i];
        if (!s->is_known)
            continue;
        struct cell *row = rows_at(&rows, rows.n++);
        row[OHLC_TIME] = cell_of_time(c.begin_us + (int64_t)(i + 1) * c.step_us);
        row[OHLC_OPEN] = s->open;
        row[OHLC_HIGH] = s->high;
        row[OHLC_LOW] = s->low;
        row[OHLC_CLOSE] = s->close;
        row[OHLC_MARKET_CAP] = s->last_cap;
        row[OHLC_TOTAL_VOLUME] = s->last_volume;
    }
    *ret_rows = rows;
    return ST_OK;
}
