/* Charts, candles and prices of a coin, from the rows of all jobs that have it in the currency.
 *
 * A row counts when it was received. A poll that left the coin's row out, as it had not changed,
 * counts when it was over, with the row before. A row without a price does not count. Where the
 * steps are of whole buckets, candles that are made stand for the rows of their time.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/query.h"

#include "base/clock.h"
#include "load/sql/candles.h"

#define HOUR_US CANDLE_1H_US

/* What a stretch of time knew of the price. */
struct stretch {
    bool is_known;
    bool is_filled;            /* by what was backfilled: no poll knew it */
    int64_t first_us, last_us; /* when its first and its last price came */
    int64_t last_slot_us;      /* of the poll that told the last */
    struct cell open, high, low, close;
    struct cell first_cap, first_volume, last_cap, last_volume;
};

struct chart {
    struct reader *r;
    struct arena *arena;
    struct str id;
    int64_t coin_id;
    int64_t after_us, to_us;           /* what comes in (after, to] is drawn */
    int64_t begin_us;                  /* of the first step */
    int64_t rows_after_us, rows_to_us; /* what rows of (after, to] tell is drawn now */
    int64_t step_us;
    struct stretch *steps;
    size_t n_steps;
};

/* ---- numbers ---- */

/* Doubles tell nearly all prices apart. */
static int compare_exactly(const struct cell *a, const struct cell *b)
{
    const bool is_a_finer = a->exp < b->exp;
    const struct cell *fine = is_a_finer ? a : b, *coarse = is_a_finer ? b : a;
    __int128 scaled = coarse->number;

    if (!a->is_exact || !b->is_exact || coarse->exp - fine->exp > 18)
        return 0;
    for (int i = fine->exp; i < coarse->exp; i++)
        scaled *= 10;
    const int order = (fine->number > scaled) - (fine->number < scaled);
    return is_a_finer ? order : -order;
}

static int compare(const struct cell *a, const struct cell *b)
{
    bool is_same;
    const double left = dec_to_double(cell_dec(a), cell_text(a), &is_same);
    const double right = dec_to_double(cell_dec(b), cell_text(b), &is_same);

    if (left != right)
        return left < right ? -1 : 1;
    return compare_exactly(a, b);
}

/* ---- steps ---- */

static void join(struct stretch *to, const struct stretch *s)
{
    if (!to->is_known) {
        *to = *s;
        return;
    }
    if (s->first_us < to->first_us) {
        to->first_us = s->first_us;
        to->open = s->open;
        to->first_cap = s->first_cap;
        to->first_volume = s->first_volume;
    }
    if (s->last_us >= to->last_us) {
        to->last_us = s->last_us;
        to->last_slot_us = s->last_slot_us;
        to->close = s->close;
        to->last_cap = s->last_cap;
        to->last_volume = s->last_volume;
    }
    if (compare(&s->high, &to->high) > 0)
        to->high = s->high;
    if (compare(&s->low, &to->low) < 0)
        to->low = s->low;
}

static void draw(struct chart *c, const struct stretch *s)
{
    join(&c->steps[(s->first_us - c->begin_us) / c->step_us], s);
}

/* ---- rows ---- */

enum {
    POINT_SLOT,
    POINT_FINISHED,
    POINT_FETCHED_AT,
    POINT_PRICE,
    POINT_MARKET_CAP,
    POINT_TOTAL_VOLUME,
    POINT_REFUSED,
    N_POINT
};
static const struct column point_columns[N_POINT] = {
    [POINT_SLOT] = {.name = "slot", .kind = CELL_TIME},
    [POINT_FINISHED] = {.name = "finished", .kind = CELL_TIME},
    [POINT_FETCHED_AT] = {.name = "fetched_at", .kind = CELL_TIME},
    [POINT_PRICE] = {.name = "current_price", .kind = CELL_NUM},
    [POINT_MARKET_CAP] = {.name = "market_cap", .kind = CELL_NUM},
    [POINT_TOTAL_VOLUME] = {.name = "total_volume", .kind = CELL_NUM},
    [POINT_REFUSED] = {.name = "refused", .kind = CELL_INT},
};
static const struct table point_table = {
    .name = "point", .columns = point_columns, .n_columns = N_POINT};

enum { ABSENCE_FROM, ABSENCE_UNTIL, N_ABSENCE };
static const struct column absence_columns[N_ABSENCE] = {
    {.name = "from_slot", .kind = CELL_TIME},
    {.name = "until_slot", .kind = CELL_TIME},
};
static const struct table absence_table = {
    .name = "absence", .columns = absence_columns, .n_columns = N_ABSENCE};

struct point_args {
    const struct chart *chart;
    const struct reader_job *job;
    int64_t since_us, until_us; /* slots */
};

static void bind_absences(struct stmt *stmt, const void *args)
{
    const struct point_args *points = args;

    db_bind_int(stmt, ":job_id", points->job->job_id);
    db_bind_int(stmt, ":coin_id", points->chart->coin_id);
}

static void bind_points(struct stmt *stmt, const void *args)
{
    const struct point_args *points = args;

    bind_absences(stmt, args);
    db_bind_text(stmt, ":id", points->chart->id);
    db_bind_int(stmt, ":since", points->since_us);
    db_bind_int(stmt, ":until", points->until_us);
    db_bind_int(stmt, ":at", points->job->at_us);
}

static bool is_absent(const struct rows *absences, int64_t slot_us)
{
    for (size_t i = 0; i < absences->n; i++) {
        const struct cell *a = rows_at(absences, i);
        if (a[ABSENCE_FROM].number <= slot_us &&
            (a[ABSENCE_UNTIL].kind == CELL_NULL || a[ABSENCE_UNTIL].number > slot_us))
            return true;
    }
    return false;
}

/* The row came, or was confirmed, at at_us, by the poll of that slot. */
static void draw_point(struct chart *c, const struct cell *row, int64_t at_us, int64_t slot_us)
{
    const struct stretch s = {
        .is_known = true,
        .first_us = at_us,
        .last_us = at_us,
        .last_slot_us = slot_us,
        .open = row[POINT_PRICE],
        .high = row[POINT_PRICE],
        .low = row[POINT_PRICE],
        .close = row[POINT_PRICE],
        .first_cap = row[POINT_MARKET_CAP],
        .first_volume = row[POINT_TOTAL_VOLUME],
        .last_cap = row[POINT_MARKET_CAP],
        .last_volume = row[POINT_TOTAL_VOLUME],
    };

    if (row[POINT_PRICE].kind != CELL_NULL && at_us > c->rows_after_us && at_us <= c->rows_to_us)
        draw(c, &s);
}

/* The polls are in the order of their slots. Rows are left out of a poll that has the coin, behind
 * a row of the same hour. */
static void draw_points(struct chart *c, const struct rows *points, const struct rows *absences)
{
    const struct cell *base = NULL;

    for (size_t i = 0; i < points->n; i++) {
        const struct cell *p = rows_at(points, i);
        const int64_t slot_us = p[POINT_SLOT].number;
        if (p[POINT_FETCHED_AT].kind != CELL_NULL) {
            base = p;
            draw_point(c, p, p[POINT_FETCHED_AT].number, slot_us);
            continue;
        }
        if (base && (time_floor(base[POINT_SLOT].number, HOUR_US) != time_floor(slot_us, HOUR_US) ||
                     is_absent(absences, slot_us)))
            base = NULL;
        if (base && p[POINT_REFUSED].number == 0)
            draw_point(c, base, p[POINT_FINISHED].number, slot_us);
    }
}

static enum st draw_slots(struct chart *c, const struct point_args *args, struct err *err)
{
    struct rows absences = {.table = &absence_table}, points = {.table = &point_table};
    struct collected a = {.rows = &absences, .arena = c->arena},
                     p = {.rows = &points, .arena = c->arena};

    enum st st = reader_ask(c->r, DB_QUERY_ABSENCES, bind_absences, args, &a, err);
    if (st == ST_OK)
        st = reader_ask(c->r, DB_QUERY_POINTS, bind_points, args, &p, err);
    if (st == ST_OK)
        draw_points(c, &points, &absences);
    return st;
}

/* What the polls of a job knew of (after, to]; those are asked also whose slots lie before, for
 * rows that came later, or that others equal. */
static enum st draw_rows(struct chart *c, const struct reader_job *job, int64_t after_us,
                         int64_t to_us, struct err *err)
{
    const struct point_args args = {
        .chart = c,
        .job = job,
        .since_us = candle_first_slot(after_us),
        .until_us = to_us < job->slot_us ? to_us : job->slot_us,
    };

    if (after_us >= to_us)
        return ST_OK;
    c->rows_after_us = after_us;
    c->rows_to_us = to_us;
    return draw_slots(c, &args, err);
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
        draw(c, &s);
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

static enum st find_coin(struct chart *c, bool *ret_is_known, struct err *err)
{
    struct stmt *stmt;

    enum st st = db_prepare(&c->r->db, DB_FIND_COIN, &stmt, err);
    if (st != ST_OK)
        return st;
    db_bind_text(stmt, ":id", c->id);
    st = db_step(&c->r->db, stmt, ret_is_known, err);
    if (st != ST_OK || !*ret_is_known)
        return st;
    c->coin_id = db_int(stmt, 0);
    db_reset(stmt);
    return ST_OK;
}

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
    draw(c, &s);
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

    enum st st = find_coin(c, &is_known, err);
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

/* ---- the price at a moment ---- */

/* The columns of priced.sql. */
enum { PRICED_JOB_ID, PRICED_JOB, PRICED_SLOT, N_PRICED };
static const struct column priced_columns[N_PRICED] = {
    {.name = "job_id", .kind = CELL_INT},
    {.name = "job", .kind = CELL_TEXT},
    {.name = "slot", .kind = CELL_TIME},
};
static const struct table priced_table = {
    .name = "priced", .columns = priced_columns, .n_columns = N_PRICED};

struct priced_args {
    const struct price_query *price;
    int64_t coin_id;
};

static void bind_priced(struct stmt *stmt, const void *args)
{
    const struct priced_args *priced = args;

    db_bind_int(stmt, ":coin_id", priced->coin_id);
    db_bind_text(stmt, ":vs_currency", priced->price->vs_currency);
    db_bind_int(stmt, ":at", priced->price->at_us);
}

/* The polls of a job since that which stored the price, as far as rows may have been left out. */
static enum st draw_price(struct chart *c, const struct cell *priced, struct err *err)
{
    const int64_t slot_us = priced[PRICED_SLOT].number;
    const int64_t last_us = time_floor(slot_us, HOUR_US) + HOUR_US - 1;
    const struct reader_job job = {.job_id = priced[PRICED_JOB_ID].number, .at_us = c->to_us};
    const struct point_args args = {
        .chart = c,
        .job = &job,
        .since_us = slot_us,
        .until_us = c->to_us < last_us ? c->to_us : last_us,
    };

    *c->steps = (struct stretch){.is_known = false};
    return draw_slots(c, &args, err);
}

/* Of all jobs the price that came last; of several that came together, the first job's. */
static enum st find_price(struct chart *c, const struct price_query *args,
                          struct known_price *ret_price, bool *ret_is_known, struct err *err)
{
    struct priced_args priced = {.price = args};
    struct rows jobs = {.table = &priced_table};
    struct collected collected = {.rows = &jobs, .arena = c->arena};
    bool is_known = false;

    *ret_is_known = false;
    enum st st = find_coin(c, &is_known, err);
    priced.coin_id = c->coin_id;
    if (st == ST_OK && is_known)
        st = reader_ask(c->r, DB_QUERY_PRICED, bind_priced, &priced, &collected, err);
    for (size_t i = 0; st == ST_OK && i < jobs.n; i++) {
        const struct cell *job = rows_at(&jobs, i);
        st = draw_price(c, job, err);
        if (st != ST_OK || !c->steps->is_known ||
            (*ret_is_known && c->steps->last_us <= ret_price->known_us))
            continue;
        *ret_is_known = true;
        *ret_price = (struct known_price){.price = c->steps->close,
                                          .known_us = c->steps->last_us,
                                          .job = cell_text(&job[PRICED_JOB]),
                                          .slot_us = c->steps->last_slot_us};
    }
    return st;
}

enum st reader_price(struct query *q, const struct price_query *args, struct arena *arena,
                     struct known_price *ret_price, bool *ret_is_known, struct err *err)
{
    struct stretch step = {.is_known = false};
    struct chart c = {.r = q->state,
                      .arena = arena,
                      .id = args->id,
                      .after_us = -1,
                      .to_us = args->at_us,
                      .rows_after_us = -1,
                      .rows_to_us = args->at_us,
                      .step_us = INT64_MAX,
                      .steps = &step,
                      .n_steps = 1};

    enum st st = reader_begin(c.r, err);
    if (st == ST_OK)
        st = find_price(&c, args, ret_price, ret_is_known, err);
    return reader_end(c.r, st, err);
}
