/* SPDX-License-Identifier: Apache-2.0 */
#include "load/sql/chart.h"

#include "base/clock.h"
#include "load/sql/candles.h"

#define HOUR_US CANDLE_1H_US

enum st chart_find_coin(struct chart *c, bool *ret_is_known, struct err *err)
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

void chart_draw(struct chart *c, const struct stretch *s)
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
        chart_draw(c, &s);
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

enum st chart_draw_polls(struct chart *c, const struct reader_job *job, int64_t since_us,
                         int64_t until_us, struct err *err)
{
    const struct point_args args = {c, job, since_us, until_us};
    struct rows absences = {.table = &absence_table}, points = {.table = &point_table};
    struct collected a = {.rows = &absences, .arena = c->arena},
                     p = {.rows = &points, .arena = c->arena};

    enum st st = reader_ask(c->r, DB_QUERY_ABSENCES, bind_absences, &args, &a, err);
    if (st == ST_OK)
        st = reader_ask(c->r, DB_QUERY_POINTS, bind_points, &args, &p, err);
    if (st == ST_OK)
        draw_points(c, &points, &absences);
    return st;
}
