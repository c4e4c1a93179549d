/* /coins/{id}/ohlc and its range: an array of [ms, open, high, low, close], the time that of the
 * close. The first candle is cut off where the span begins, the last one where it ends: of neither
 * is there a row. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "row/chart_candle.h"
#include "transform/chart.h"

#define N_VALUES 5 /* time, and the columns from CHART_CANDLE_OPEN on */

struct candle {
    struct cell at;
    struct json_token values[N_VALUES];
    uint32_t index;
};

struct candles {
    struct walk *w;
    struct chart_request request;
    struct candle *candles;
    size_t n, max;
    uint32_t n_elements;
};

static enum st make_room(struct candles *c, size_t max, struct err *err)
{
    struct candle *candles = arena_alloc(c->w->arena, max, sizeof(*candles));

    if (candles == NULL)
        return walk_no_room(c->w->arena, err);
    if (c->n > 0)
        memcpy(candles, c->candles, c->n * sizeof(*candles));
    c->candles = candles;
    c->max = max;
    return ST_OK;
}

static enum st read_candle(struct candles *c, uint32_t index, const struct json_token *first,
                           struct err *err)
{
    struct candle *candle;
    struct json_token next;
    size_t n = 0;
    enum st st = c->n == c->max ? make_room(c, 2 * c->max, err) : ST_OK;

    if (st != ST_OK)
        return st;
    candle = &c->candles[c->n];
    *candle = (struct candle){.index = index};
    while (first->event == JSON_ARRAY_BEGIN && (st = chart_next(c->w, &next, err)) == ST_OK &&
           next.event != JSON_ARRAY_END) {
        if (n < N_VALUES)
            candle->values[n] = next;
        n++;
    }
    if (st != ST_OK)
        return st;
    const char *reason =
        n == N_VALUES ? chart_read_time(c->w, &candle->values[0], &candle->at) : walk_wrong_type;
    if (reason)
        return chart_refuse(c->w, &c->request, index, STR_NONE, reason,
                            chart_what(first, candle->values, n), err);
    c->n++;
    return candle->at.text ? ST_OK : walk_no_room(c->w->arena, err);
}

static enum st read_candles(struct candles *c, struct err *err)
{
    struct json_token token;
    enum st st;

    while ((st = json_next(c->w->json, &token, err)) == ST_OK && token.event != JSON_ARRAY_END) {
        st = c->n_elements == CHART_MAX_POINTS
                 ? err_set(err, ST_REJECT, "more than %d candles", CHART_MAX_POINTS)
                 : read_candle(c, c->n_elements++, &token, err);
        if (st != ST_OK)
            return st;
    }
    return st;
}

static enum st find_step(const struct candles *c, int64_t *ret_us, struct err *err)
{
    const struct chart_request *r = &c->request;
    int64_t *times = arena_alloc(c->w->arena, 2 * c->n + 1, sizeof(*times));

    if (times == NULL)
        return walk_no_room(c->w->arena, err);
    for (size_t i = 0; i < c->n; i++)
        times[i] = c->candles[i].at.number;
    *ret_us = chart_median_step(times, c->n, times + c->n);
    if (*ret_us == 0)
        *ret_us = r->step_us;
    if (*ret_us == 0)
        *ret_us = r->span_us <= 2 * CHART_DAY_US    ? 30 * CHART_MINUTE_US
                  : r->span_us <= 30 * CHART_DAY_US ? 4 * CHART_HOUR_US
                                                    : 4 * CHART_DAY_US;
    return ST_OK;
}

static int64_t newest_of(const struct candles *c)
{
    int64_t newest_us = INT64_MIN;

    for (size_t i = 0; i < c->n; i++)
        if (c->candles[i].at.number > newest_us)
            newest_us = c->candles[i].at.number;
    return newest_us;
}

/* It began and ended within the span, and ended before the answer was made; of the newest one that
 * is sure only when it has settled. */
static bool is_whole(const struct candles *c, int64_t at_us, int64_t step_us, int64_t newest_us)
{
    const struct chart_request *r = &c->request;

    if ((r->from_us != INT64_MIN && at_us - step_us < r->from_us) || at_us > r->to_us)
        return false;
    return at_us <= r->made_us - (at_us == newest_us ? CHART_SETTLE_US : 0);
}

static enum st add_row(struct candles *c, const struct candle *candle, int64_t step_us,
                       struct err *err)
{
    struct walk *w = c->w;
    struct cell *cells;

    w->index = candle->index;
    enum st st = walk_begin_row(w, &cells, err);
    if (st != ST_OK)
        return st;
    cells[CHART_CANDLE_AT] = candle->at;
    cells[CHART_CANDLE_COIN] = cell_of_text(c->request.coin);
    cells[CHART_CANDLE_STEP] = cell_of_int(step_us / 1000000);
    for (size_t i = 1; st == ST_OK && i < N_VALUES; i++) {
        const size_t column = CHART_CANDLE_OPEN + i - 1;
        const struct column *of = &chart_candle_table.columns[column];
        st = walk_value(w, (struct walk_field){.key = str_of(of->name)}, &candle->values[i], of,
                        &cells[column], err);
    }
    return st == ST_OK ? walk_end_row(w, err) : st;
}

static enum st read_array(struct walk *w, struct err *err)
{
    struct candles c = {.w = w};
    uint32_t n_left = 0;
    int64_t step_us = 0;

    enum st st = chart_read_request(w, &c.request, err);
    if (st == ST_OK)
        st = make_room(&c, 256, err);
    if (st == ST_OK)
        st = read_candles(&c, err);
    if (st == ST_OK)
        st = find_step(&c, &step_us, err);
    const int64_t newest_us = newest_of(&c);
    for (size_t i = 0; st == ST_OK && i < c.n; i++)
        if (is_whole(&c, c.candles[i].at.number, step_us, newest_us))
            st = add_row(&c, &c.candles[i], step_us, err);
        else
            n_left++;
    w->index = c.n_elements - n_left;
    return st;
}

const struct walk_endpoint walk_chart_candles = {
    .table = &chart_candle_table,
    .max_page_rows = CHART_MAX_POINTS + 1,
    .row_bytes = 40,
    .top = JSON_ARRAY_BEGIN,
    .read_object = read_array,
};
