/* /coins/{id}/market_chart and its range: three arrays of [ms, number], a row for each moment.
 *
 * The last point is the present moment, not one of the series: sometimes twice, the second time
 * with a time that goes back. It is never a row. Times lie beside their grid, may go back, and days
 * may be missing: they are taken as they came, and nothing is filled in. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "row/chart_point.h"
#include "transform/chart.h"

#include <assert.h>

#define N_LINES 3 /* columns from CHART_POINT_PRICE on */

/* What is nearer to the newest point belongs to it; points 5 minutes apart are as near as 100 s. */
#define NOW_US (60 * INT64_C(1000000))

static_assert(CHART_POINT_TOTAL_VOLUME == (int)CHART_POINT_PRICE + N_LINES - 1, "in this order");

struct point {
    struct cell at;
    struct json_token values[N_LINES];
    uint32_t index; /* where it stood in the first array that had it */
    uint8_t has;    /* bit i: values[i] */
};

struct series {
    struct walk *w;
    struct chart_request request;
    struct point *points;
    size_t n, max;
    struct coin_index *by_time; /* texts of times -> points */
    uint32_t n_elements;        /* points, and what was refused */
};

static void name_keys(struct str *ret_keys)
{
    ret_keys[CHART_POINT_PRICE] = STR("prices");
    ret_keys[CHART_POINT_MARKET_CAP] = STR("market_caps");
    ret_keys[CHART_POINT_TOTAL_VOLUME] = STR("total_volumes");
}

static enum st make_room(struct series *s, size_t max, struct err *err)
{
    struct point *points = arena_alloc(s->w->arena, max, sizeof(*points));
    struct coin_index *by_time = coins_new(s->w->arena, max);

    if (points == NULL || by_time == NULL)
        return walk_no_room(s->w->arena, err);
    for (size_t i = 0; i < s->n; i++)
        coins_add(by_time, cell_text(&s->points[i].at), (uint32_t)i);
    if (s->n > 0)
        memcpy(points, s->points, s->n * sizeof(*points));
    s->points = points;
    s->by_time = by_time;
    s->max = max;
    return ST_OK;
}

/* The point of that moment that has no such value yet, which is mostly the one at the same place.
 * NULL: there is none. */
static struct point *find_point(struct series *s, const struct cell *at, size_t line,
                                uint32_t index)
{
    uint32_t i = index;

    if (i >= s->n || s->points[i].at.number != at->number || s->points[i].has >> line & 1)
        if (!coins_find(s->by_time, cell_text(at), &i))
            return NULL;
    return s->points[i].has >> line & 1 ? NULL : &s->points[i];
}

static enum st take(struct series *s, const struct cell *at, size_t line, uint32_t index,
                    const struct json_token *value, struct err *err)
{
    struct point *p = find_point(s, at, line, index);
    enum st st = ST_OK;

    if (p == NULL && s->n == s->max)
        st = make_room(s, 2 * s->max, err);
    if (st != ST_OK)
        return st;
    if (p == NULL) {
        coins_add(s->by_time, cell_text(at), (uint32_t)s->n);
        p = &s->points[s->n++];
        *p = (struct point){.at = *at, .index = index};
        s->n_elements++;
    }
    p->values[line] = *value;
    p->has |= (uint8_t)(1 << line);
    return ST_OK;
}

/* [ms, number]; what is no such pair is refused. */
static enum st read_pair(struct series *s, size_t line, uint32_t index,
                         const struct json_token *first, struct err *err)
{
    const struct str field = s->w->keys[CHART_POINT_PRICE + line];
    struct json_token values[2], next;
    struct cell at = CELL_NONE;
    size_t n = 0;
    enum st st = ST_OK;

    while (first->event == JSON_ARRAY_BEGIN && (st = chart_next(s->w, &next, err)) == ST_OK &&
           next.event != JSON_ARRAY_END) {
        if (n < 2)
            values[n] = next;
        n++;
    }
    if (st != ST_OK)
        return st;
    const char *reason = n == 2 ? chart_read_time(s->w, &values[0], &at) : walk_wrong_type;
    if (reason) {
        s->n_elements++;
        return chart_refuse(s->w, &s->request, index, field, reason, chart_what(first, values, n),
                            err);
    }
    return at.text ? take(s, &at, line, index, &values[1], err) : walk_no_room(s->w->arena, err);
}

/* One of the three arrays. null, and what is no array, is as good as an empty one, but is told. */
static enum st read_line(struct series *s, size_t line, struct err *err)
{
    const struct walk_field field = {.key = s->w->keys[CHART_POINT_PRICE + line]};
    struct json_token value;
    uint32_t index = 0;

    enum st st = json_next(s->w->json, &value, err);
    if (st != ST_OK || value.event == JSON_NULL)
        return st;
    if (value.event != JSON_ARRAY_BEGIN)
        return walk_drop(s->w, field, walk_wrong_type, &value, err);
    while ((st = json_next(s->w->json, &value, err)) == ST_OK && value.event != JSON_ARRAY_END) {
        st = index == CHART_MAX_POINTS || s->n_elements >= N_LINES * CHART_MAX_POINTS
                 ? err_set(err, ST_REJECT, "more than %d points", CHART_MAX_POINTS)
                 : read_pair(s, line, index++, &value, err);
        if (st != ST_OK)
            return st;
    }
    return st;
}

/* 300, 3600 or 86400: as the points have it, else as the request has. */
static enum st find_step(const struct series *s, int64_t *ret_s, struct err *err)
{
    const struct chart_request *r = &s->request;
    int64_t *times = arena_alloc(s->w->arena, 2 * s->n + 1, sizeof(*times)), step_us;

    if (times == NULL)
        return walk_no_room(s->w->arena, err);
    for (size_t i = 0; i < s->n; i++)
        times[i] = s->points[i].at.number;
    step_us = chart_median_step(times, s->n, times + s->n);
    if (step_us == 0)
        step_us = r->step_us;
    if (step_us == 0)
        step_us = r->span_us <= CHART_DAY_US        ? 5 * CHART_MINUTE_US
                  : r->span_us <= 90 * CHART_DAY_US ? CHART_HOUR_US
                                                    : CHART_DAY_US;
    *ret_s = step_us < 20 * CHART_MINUTE_US ? 300 : step_us < 12 * CHART_HOUR_US ? 3600 : 86400;
    return ST_OK;
}

/* From here on points are not yet what they will be. */
static int64_t find_end(const struct series *s, int64_t step_us)
{
    const struct chart_request *r = &s->request;
    int64_t newest_us = INT64_MIN, end_us = INT64_MAX;

    for (size_t i = 0; i < s->n; i++)
        if (s->points[i].at.number > newest_us)
            newest_us = s->points[i].at.number;
    /* the series of a coin that is dead for long has no such end */
    if (r->is_to_now && newest_us > r->made_us - CHART_DAY_US)
        end_us = newest_us - NOW_US;
    if (step_us == CHART_DAY_US && end_us > r->made_us - CHART_SETTLE_US)
        end_us = r->made_us - CHART_SETTLE_US;
    return end_us;
}

static enum st add_row(struct series *s, const struct point *p, int64_t step_s, struct err *err)
{
    struct walk *w = s->w;
    struct cell *cells;

    w->index = p->index;
    enum st st = walk_begin_row(w, &cells, err);
    if (st != ST_OK)
        return st;
    cells[CHART_POINT_AT] = p->at;
    cells[CHART_POINT_COIN] = cell_of_text(s->request.coin);
    cells[CHART_POINT_STEP] = cell_of_int(step_s);
    for (size_t i = 0; st == ST_OK && i < N_LINES; i++) {
        const size_t column = CHART_POINT_PRICE + i;
        if (p->has >> i & 1)
            st = walk_value(w, (struct walk_field){.key = w->keys[column]}, &p->values[i],
                            &chart_point_table.columns[column], &cells[column], err);
    }
    return st == ST_OK ? walk_end_row(w, err) : st;
}

static enum st add_rows(struct series *s, struct err *err)
{
    uint32_t n_rows = s->n_elements;
    int64_t step_s = 0;

    enum st st = find_step(s, &step_s, err);
    if (st != ST_OK)
        return st;
    const int64_t end_us = find_end(s, step_s * 1000000);
    for (size_t i = 0; st == ST_OK && i < s->n; i++)
        if (s->points[i].at.number < end_us)
            st = add_row(s, &s->points[i], step_s, err);
        else
            n_rows--;
    s->w->index = n_rows;
    return st;
}

static enum st read_object(struct walk *w, struct err *err)
{
    struct walk_object object = {.keys = w->keys, .n_keys = N_CHART_POINT_COLUMNS};
    struct series s = {.w = w};
    size_t i;

    enum st st = chart_read_request(w, &s.request, err);
    if (st == ST_OK)
        st = make_room(&s, 512, err);
    while (st == ST_OK) {
        w->cause = (struct refusal){.reason = NULL};
        st = walk_key(w, &object, &i, err);
        if (st == ST_OK && w->cause.reason)
            return err_set(err, ST_REJECT, "%s: %.*s", w->cause.reason, STR_ARG(w->cause.field));
        if (st != ST_OK || i == object.n_keys)
            break;
        st = read_line(&s, i - CHART_POINT_PRICE, err);
    }
    if (st != ST_OK)
        return st;
    if (!(object.seen >> CHART_POINT_PRICE & 1))
        return err_set(err, ST_REJECT, "no array \"prices\"");
    return add_rows(&s, err);
}

const struct walk_endpoint walk_chart_points = {
    .table = &chart_point_table,
    .max_page_rows = N_LINES * CHART_MAX_POINTS + 1,
    .row_bytes = 90,
    .first_optional = N_CHART_POINT_COLUMNS,
    .top = JSON_OBJECT_BEGIN,
    .name_keys = name_keys,
    .read_object = read_object,
};
