/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/chart.h"

#include "base/clock.h"
#include "base/http_client.h"

#include <stdlib.h>

#define LAST_MS INT64_C(253402300799999) /* of the year 9999 */

/* The value of a parameter; p is NULL when it is not there. */
static struct str find_param(struct str query, const char *name)
{
    struct str pair, key;

    while (query.len > 0) {
        str_cut(&query, '&', &pair);
        str_cut(&pair, '=', &key);
        if (str_eq(key, str_of(name)))
            return pair.p ? pair : STR("");
    }
    return STR_NONE;
}

/* Seconds since 1970 as microseconds; what is otherwise is as good as not there. */
static int64_t read_seconds(struct str text, int64_t otherwise)
{
    int64_t seconds;

    return str_to_i64(text, 0, LAST_MS / 1000, &seconds) ? seconds * US_PER_S : otherwise;
}

/* "…/coins/<id>/…": *ret_id still encoded. */
static bool find_coin(struct str path, struct str *ret_id)
{
    static const struct str coins = STR("/coins/");

    for (size_t at = path.len; at-- > 0;) {
        struct str rest = {path.p + at, path.len - at};
        if (!str_starts(rest, coins))
            continue;
        rest = (struct str){rest.p + coins.len, rest.len - coins.len};
        return str_cut(&rest, '/', ret_id) && ret_id->len > 0;
    }
    return false;
}

static enum st read_coin(struct walk *w, struct str path, struct str *ret_coin, struct err *err)
{
    char text[WALK_MAX_ID + 1];
    struct str id;

    if (!find_coin(path, &id) || !str_percent_decode(id, text, sizeof(text)) ||
        !str_is_utf8(str_of(text)) || text[0] == '\0')
        return err_set(err, ST_REJECT, "its target names no coin: %.*s", STR_ARG(path));
    *ret_coin = arena_str(w->arena, str_of(text));
    return ret_coin->p ? ST_OK : walk_no_room(w->arena, err);
}

static void read_span(struct str query, struct chart_request *r)
{
    const struct str days = find_param(query, "days");
    int64_t n;

    r->is_to_now = days.p != NULL;
    if (r->is_to_now && str_to_i64(days, 0, LAST_MS / 86400000, &n)) {
        r->span_us = n * CHART_DAY_US;
        r->from_us = r->made_us - r->span_us;
    } else if (!r->is_to_now) {
        r->to_us = read_seconds(find_param(query, "to"), INT64_MAX);
        r->from_us = read_seconds(find_param(query, "from"), INT64_MIN);
        r->is_to_now = r->to_us > r->made_us - CHART_SETTLE_US;
        if (r->from_us != INT64_MIN && r->to_us != INT64_MAX && r->to_us > r->from_us)
            r->span_us = r->to_us - r->from_us;
    }
}

enum st chart_read_request(struct walk *w, struct chart_request *ret_request, struct err *err)
{
    const struct tape_record *record = &w->page->record;
    struct chart_request r = {.from_us = INT64_MIN, .to_us = INT64_MAX, .span_us = INT64_MAX};
    struct str query = record->target, path;

    str_cut(&query, '?', &path);
    r.made_us = record->fetched_at_us - http_answer_age_us(record->headers);
    enum st st = read_coin(w, path, &r.coin, err);
    if (st != ST_OK)
        return st;
    read_span(query, &r);
    const struct str interval = find_param(query, "interval");
    r.step_us = str_eq(interval, STR("daily"))    ? CHART_DAY_US
                : str_eq(interval, STR("hourly")) ? CHART_HOUR_US
                : str_eq(interval, STR("5m"))     ? 5 * CHART_MINUTE_US
                                                  : 0;
    *ret_request = r;
    return ST_OK;
}

const char *chart_read_time(struct walk *w, const struct json_token *value, struct cell *ret_cell)
{
    char text[TIME_TEXT];
    int64_t ms;

    if (value->event != JSON_NUMBER)
        return walk_wrong_type;
    if (value->number != DEC_OK || !dec_to_i64(value->dec, &ms) || ms < 0 || ms > LAST_MS)
        return "out of range";
    *ret_cell = cell_of_time(ms * US_PER_MS);
    ret_cell->len = (uint32_t)time_format_ms(ret_cell->number, text);
    ret_cell->text = arena_str(w->arena, (struct str){text, ret_cell->len}).p;
    return NULL;
}

enum st chart_next(struct walk *w, struct json_token *ret_value, struct err *err)
{
    struct str raw;

    enum st st = json_next(w->json, ret_value, err);
    if (st != ST_OK ||
        (ret_value->event != JSON_ARRAY_BEGIN && ret_value->event != JSON_OBJECT_BEGIN))
        return st;
    st = json_skip(w->json, ret_value, &raw, err);
    *ret_value = (struct json_token){.event = JSON_TRUE, .text = raw};
    return st;
}

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

int64_t chart_median_step(const int64_t *times_us, size_t n, int64_t *room)
{
    size_t n_steps = 0;

    for (size_t i = 1; i < n; i++)
        if (times_us[i] > times_us[i - 1])
            room[n_steps++] = times_us[i] - times_us[i - 1];
    if (n_steps == 0)
        return 0;
    qsort(room, n_steps, sizeof(*room), compare);
    return room[(n_steps - 1) / 2]; /* where gaps and steps are as many, it is no gap */
}

const struct json_token *chart_what(const struct json_token *first, const struct json_token *values,
                                    size_t n)
{
    static const struct json_token empty = {.event = JSON_TRUE, .text = {"[]", 2}};

    if (n > 0)
        return values;
    return first->event == JSON_ARRAY_BEGIN ? &empty : first;
}

enum st chart_refuse(struct walk *w, const struct chart_request *request, uint32_t index,
                     struct str field, const char *reason, const struct json_token *value,
                     struct err *err)
{
    const uint64_t unknown_seen = w->unknown_seen; /* of the object around it */
    struct cell *cells;

    w->index = index;
    enum st st = walk_begin_row(w, &cells, err);
    if (st != ST_OK)
        return st;
    cells[w->endpoint->table->coin_column] = cell_of_text(request->coin);
    st = walk_refuse(w, (struct walk_field){.key = field}, reason, value, err);
    if (st == ST_OK)
        st = walk_end_row(w, err);
    w->unknown_seen = unknown_seen;
    w->index = 0;
    return st;
}
