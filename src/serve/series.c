/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/series.h"

#include "base/clock.h"
#include "serve/json.h"

#define POINTS_DEFAULT 800
#define POINTS_MAX     5000
#define FIRST_US       INT64_C(1367107200000000) /* 2013-04-28: no price is older */

/* Where the span begins when nobody says it: when the coin was first seen. */
static enum st find_begin(struct own *own, struct str id, int64_t *ret_us, struct err *err)
{
    struct coin_info info = {.first_seen_us = 0};
    bool is_known = false;
    enum st st = ST_OK;

    if (own->query->driver->info)
        st = own->query->driver->info(own->query, id, own->arena, &info, &is_known, err);
    *ret_us = is_known && info.first_seen_us != 0 ? info.first_seen_us - 1 : FIRST_US;
    return st;
}

/* Of so many µs or somewhat more, in whole buckets of the candles that stores keep (5 minutes, an
 * hour, a day): they stand for all rows of their time then. */
static int64_t whole_step(int64_t step_us)
{
    static const int64_t bucket_us[] = {86400 * US_PER_S, 3600 * US_PER_S, 300 * US_PER_S, 1};
    size_t i = 0;

    while (step_us < bucket_us[i])
        i++;
    return (step_us + bucket_us[i] - 1) / bucket_us[i] * bucket_us[i];
}

static bool read_points(const struct http_request *req, int64_t *ret_n, struct http_response *res)
{
    const struct str text = http_query(req, "points");

    *ret_n = POINTS_DEFAULT;
    if (text.len == 0 || str_to_i64(text, 1, POINTS_MAX, ret_n))
        return true;
    own_refuse(res, 400, "points: not a number from 1 to %d", POINTS_MAX);
    return false;
}

/* False: answered. */
static bool read_chart(struct own *own, const struct http_request *req, struct chart_query *chart,
                       struct http_response *res)
{
    struct err err = ERR_INIT;
    int64_t n_points;

    *chart = (struct chart_query){.id = http_query(req, "id"),
                                  .vs_currency = http_query(req, "vs_currency"),
                                  .from_us = INT64_MIN,
                                  .to_us = own_now_us(own)};
    if (chart->id.len == 0) {
        own_refuse(res, 400, "id: which coin? name it as ?id=bitcoin");
        return false;
    }
    if (chart->vs_currency.len == 0)
        chart->vs_currency = STR("usd");
    if (!own_read_time(req, "from", &chart->from_us, res) ||
        !own_read_moment(own, req, "until", &chart->to_us, res) ||
        !read_points(req, &n_points, res))
        return false;
    enum st st =
        chart->from_us == INT64_MIN ? find_begin(own, chart->id, &chart->from_us, &err) : ST_OK;
    if (st != ST_OK) {
        own_fail(res, st, &err);
        return false;
    }
    if (chart->from_us >= chart->to_us) {
        own_refuse(res, 400, "from: not before until");
        return false;
    }
    if (chart->from_us < FIRST_US) /* a store looks up each bucket of a span */
        chart->from_us = chart->to_us > FIRST_US ? FIRST_US : chart->to_us - 1;
    chart->step_us = whole_step((chart->to_us - chart->from_us) / n_points + 1);
    return true;
}

/* ---- gaps ---- */

struct span {
    int64_t from_us, until_us;
};

struct spans {
    struct span *list;
    size_t n;
};

/* Gaps of a job, newest first, within the chart. */
static enum st read_gaps(struct own *own, const char *job, const struct chart_query *chart,
                         struct spans *ret_spans, struct err *err)
{
    const struct gap_query args = {
        .job = str_of(job), .since_us = chart->from_us, .now_us = own_now_us(own)};
    struct rows rows = {.n = 0};

    enum st st = own->query->driver->gaps(own->query, &args, own->arena, &rows, err);
    ret_spans->n = 0;
    ret_spans->list = arena_alloc(own->arena, rows.n + 1, sizeof(*ret_spans->list));
    if (st != ST_OK || ret_spans->list == NULL)
        return st;
    for (size_t i = 0; i < rows.n; i++) {
        const struct cell *gap = rows_at(&rows, i);
        struct span s = {gap[GAP_FROM_SLOT].number, gap[GAP_UNTIL_SLOT].kind == CELL_NULL
                                                        ? args.now_us
                                                        : gap[GAP_UNTIL_SLOT].number};
        s.from_us = s.from_us > chart->from_us ? s.from_us : chart->from_us;
        s.until_us = s.until_us < chart->to_us ? s.until_us : chart->to_us;
        if (s.from_us < s.until_us)
            ret_spans->list[ret_spans->n++] = s;
    }
    return ST_OK;
}

/* When both had a gap. */
static void intersect(struct spans *all, const struct spans *more, struct arena *arena)
{
    struct spans both = {.list = arena_alloc(arena, all->n + more->n + 1, sizeof(*both.list))};
    size_t i = 0, k = 0;

    while (both.list && i < all->n && k < more->n) {
        const struct span a = all->list[i], b = more->list[k];
        const struct span s = {a.from_us > b.from_us ? a.from_us : b.from_us,
                               a.until_us < b.until_us ? a.until_us : b.until_us};
        if (s.from_us < s.until_us)
            both.list[both.n++] = s;
        i += a.from_us >= b.from_us; /* the newest come first */
        k += b.from_us >= a.from_us;
    }
    *all = both;
}

/* Of the jobs that poll in the currency: a gap is where none of them did. */
static enum st find_gaps(struct own *own, const struct chart_query *chart, struct spans *ret_spans,
                         struct err *err)
{
    const struct status_snapshot *now = own->snapshot;
    struct spans more;
    enum st st = ST_OK;
    bool is_first = true;

    *ret_spans = (struct spans){.n = 0};
    if (!own->query->driver->gaps)
        return ST_OK;
    status_copy(own->status, own->snapshot);
    for (size_t i = 0; st == ST_OK && i < now->n_jobs; i++) {
        if (now->jobs[i].is_gone || now->jobs[i].is_idle ||
            !str_eq(str_of(now->jobs[i].vs_currency), chart->vs_currency))
            continue;
        st = read_gaps(own, now->jobs[i].name, chart, is_first ? ret_spans : &more, err);
        if (st == ST_OK && !is_first)
            intersect(ret_spans, &more, own->arena);
        is_first = false;
    }
    return st;
}

/* ---- the answer ---- */

static void add_ms(struct buf *b, const char *key, int64_t us)
{
    json_add_key(b, key);
    buf_add_i64(b, time_floor(us, US_PER_MS) / US_PER_MS);
}

static void add_points(struct buf *b, const struct rows *points)
{
    json_add_key(b, "points");
    buf_add_char(b, '[');
    for (size_t i = 0; i < points->n; i++) {
        const struct cell *point = rows_at(points, i);
        buf_add_z(b, i > 0 ? ",[" : "[");
        buf_add_i64(b, time_floor(point[SERIES_TIME].number, US_PER_MS) / US_PER_MS);
        for (size_t column = SERIES_PRICE; column <= SERIES_TOTAL_VOLUME; column++) {
            buf_add_char(b, ',');
            cell_add_json(b, &point[column]);
        }
        buf_add_char(b, ']');
    }
    buf_add_char(b, ']');
}

/* Which of the points no poll knew. */
static void add_filled(struct buf *b, const struct rows *points)
{
    const char *separator = "";

    json_add_key(b, "filled");
    buf_add_char(b, '[');
    for (size_t i = 0; i < points->n; i++) {
        const struct cell *point = rows_at(points, i);
        if (point[SERIES_SOURCE].kind == CELL_NULL)
            continue;
        buf_add_z(b, separator);
        buf_add_i64(b, time_floor(point[SERIES_TIME].number, US_PER_MS) / US_PER_MS);
        separator = ",";
    }
    buf_add_char(b, ']');
}

static void add_gaps(struct buf *b, const struct spans *gaps)
{
    json_add_key(b, "gaps");
    buf_add_char(b, '[');
    for (size_t i = gaps->n; i > 0; i--) /* the oldest first */
        buf_addf(b, "%s[%lld,%lld]", i < gaps->n ? "," : "",
                 (long long)(gaps->list[i - 1].from_us / US_PER_MS),
                 (long long)(gaps->list[i - 1].until_us / US_PER_MS));
    buf_add_char(b, ']');
}

void series_get(struct own *own, const struct http_request *req, struct http_response *res)
{
    struct buf *b = &res->body;
    struct chart_query chart;
    struct rows points = {.n = 0};
    struct spans gaps;
    struct err err = ERR_INIT;

    if (!own->query || !own->query->driver->series) {
        own_refuse_store(own, "charts", res);
        return;
    }
    if (!read_chart(own, req, &chart, res))
        return;
    enum st st = own->query->driver->series(own->query, &chart, own->arena, &points, &err);
    if (st == ST_OK)
        st = find_gaps(own, &chart, &gaps, &err);
    if (st != ST_OK) {
        own_fail(res, st, &err);
        return;
    }
    buf_add_char(b, '{');
    json_add_text(b, "id", chart.id);
    json_add_text(b, "vs_currency", chart.vs_currency);
    add_ms(b, "from", chart.from_us);
    add_ms(b, "until", chart.to_us);
    buf_add_z(b, ",\"columns\":[\"t\",\"price\",\"market_cap\",\"total_volume\"]");
    add_points(b, &points);
    add_filled(b, &points);
    add_gaps(b, &gaps);
    buf_add_z(b, "}\n");
}

const struct operation op_series = {
    .summary = "the line of a coin",
    .takes =
        (const struct parameter[]){
            {"id", PARAMETER_TEXT, "of the coin", "bitcoin", 0, 0, true},
            {"vs_currency", PARAMETER_TEXT, "usd unless said", "usd", 0, 0, false},
            TAKES_TIME("from", "when the coin was first seen unless said"),
            TAKES_TIME("until", "now unless said"),
            {"points", PARAMETER_NUMBER, "as many steps", NULL, POINTS_MAX, POINTS_DEFAULT, false},
            TAKES_END,
        },
    .gives = "{id:s,vs_currency:s,from:i,until:i,columns:[s],points:[[n?;4]],"
             "filled:[i],gaps:[[i;2]]}",
    .refuses = {501},
};
