/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_v3/call.h"

#include "base/clock.h"

#include <stdio.h>
#include <strings.h>

#define MAX_WORDS 4096
#define PRICING   "https://www.coingecko.com/en/api/pricing"
#define TOO_MUCH  "too much was asked for at once; ask for less"
#define DAY_US    (86400 * US_PER_S)

/* ---- refusals ---- */

void call_refuse(struct call *call, int status, const char *message)
{
    struct buf *b = &call->res->body;

    buf_clear(b);
    buf_add_z(b, "{\"error\":");
    buf_add_json_str(b, str_of(message));
    buf_add_char(b, '}');
    call->res->status = status;
}

void call_missing(struct call *call, const char *name)
{
    char message[64];

    snprintf(message, sizeof(message), "Missing parameter %s", name);
    call_refuse(call, 422, message);
}

/* "2024-04-20T22:00:05.123+00:00" */
static void add_timestamp(struct call *call)
{
    char text[TIME_TEXT];
    size_t len = time_format_ms(call->now_us, text);

    buf_addf(&call->res->body, "\"timestamp\":\"%.*s+00:00\",", (int)len - 1, text);
}

void call_refuse_range(struct call *call, const char *message)
{
    struct buf *b = &call->res->body;

    buf_add_z(b, "{\"error\":{\"status\":{");
    add_timestamp(call);
    buf_add_z(b, "\"error_code\":10012,\"error_message\":");
    buf_add_json_str(b, str_of(message));
    buf_add_z(b, "}}}");
    call->res->status = 401;
}

/* {"status":{…}} */
static void refuse_status(struct call *call, int status, int code, const char *message)
{
    struct buf *b = &call->res->body;

    buf_addf(b, "{\"status\":{\"error_code\":%d,\"error_message\":", code);
    buf_add_json_str(b, str_of(message));
    buf_add_z(b, "}}");
    call->res->status = status;
}

void call_refuse_unpaid(struct call *call)
{
    refuse_status(call, 401, 10005,
                  "This request is limited to PRO API subscribers. Please visit " PRICING
                  " to subscribe to our API plans.");
}

void call_no_path(struct call *call)
{
    call_refuse(call, 404, "Incorrect path. Please check https://www.coingecko.com/api/");
}

void call_fail(struct call *call, enum st st, const struct err *err)
{
    if (call_arena(call)->is_full) { /* asking again would not help */
        call_refuse(call, 400, TOO_MUCH);
        return;
    }
    call_refuse(call, st == ST_AGAIN ? 503 : 500, err->msg);
    if (st == ST_AGAIN)
        http_add_header(call->res, "Retry-After", "1");
}

void call_unknown(struct call *call, const char *what)
{
    char message[128];

    snprintf(message, sizeof(message), "this store keeps no %s", what);
    call_refuse(call, 501, message);
}

void call_not_collected(struct call *call, const char *what, const char *keys)
{
    char message[256];

    if (call_query(call)->at_us != 0) { /* it may be collected since */
        snprintf(message, sizeof(message), "no %s were collected by then", what);
        call_refuse(call, 404, message);
        return;
    }
    snprintf(message, sizeof(message), "this store keeps no %s; a job with %s collects them", what,
             keys);
    call_refuse(call, 501, message);
}

/* ---- the store ---- */

/* The oldest of what an answer is made of. */
static void note_age(struct call *call, struct str vs_currency)
{
    struct query *q = call_query(call);
    struct err err = ERR_INIT;
    int64_t known_us = 0;

    if (q->driver->known_at && q->driver->known_at(q, vs_currency, &known_us, &err) == ST_OK &&
        known_us > 0 && (call->res->as_of_us == 0 || known_us < call->res->as_of_us))
        call->res->as_of_us = known_us;
}

enum st call_ask_market(struct call *call, const struct market_query *args, struct rows *ret_rows,
                        struct err *err)
{
    struct query *q = call_query(call);

    if (args->at_us == 0)
        note_age(call, args->vs_currency);
    return q->driver->market(q, args, call_arena(call), ret_rows, err);
}

/* Of several currencies that which has least decides. */
void call_judge(struct call *call, struct str vs_currency, const struct str *ids, size_t n_ids)
{
    struct query *q = call_query(call);
    struct http_response *res = call->res;
    struct err err = ERR_INIT;
    int64_t seen_us = 0;
    size_t n = 0;

    if (!call->api->has_upstream || !q->driver->seen || res->part == ANSWER_LACKS ||
        q->driver->seen(q, vs_currency, ids, n_ids, call_arena(call), &n, &seen_us, &err) != ST_OK)
        return;
    if (res->part == ANSWER_UNSURE || seen_us < res->seen_us)
        res->seen_us = seen_us;
    res->part = n < n_ids ? ANSWER_LACKS : ANSWER_WHOLE;
}

/* ---- parameters ---- */

bool call_is_off(const struct call *call, const char *name)
{
    const struct str value = call_param(call, name);

    return str_eq(value, STR("0")) || (value.len == 5 && strncasecmp(value.p, "false", 5) == 0);
}

bool call_flag(const struct call *call, const char *name)
{
    const struct str value = call_param(call, name);

    return str_eq(value, STR("1")) || (value.len == 4 && strncasecmp(value.p, "true", 4) == 0);
}

bool call_need(struct call *call, const char *name, struct str *ret_value)
{
    *ret_value = call_param(call, name);
    if (ret_value->len == 0)
        call_missing(call, name);
    return ret_value->len > 0;
}

uint32_t call_number(const struct call *call, const char *name, uint32_t fallback, uint32_t max)
{
    int64_t n;

    if (!str_to_i64(call_param(call, name), 1, INT64_MAX, &n))
        return fallback;
    return n > max ? max : (uint32_t)n;
}

bool words_have(const struct words *words, struct str word)
{
    for (size_t i = 0; i < words->n; i++)
        if (str_eq(words->list[i], word))
            return true;
    return false;
}

bool call_words(struct call *call, struct str text, struct words *ret_words)
{
    struct words words = {.n = 0};
    struct str word;
    size_t max = 1;

    for (size_t i = 0; i < text.len && max < MAX_WORDS; i++)
        max += text.p[i] == ',';
    words.list = arena_alloc(call_arena(call), max, sizeof(*words.list));
    if (!words.list) {
        call_refuse(call, 400, TOO_MUCH);
        return false;
    }
    while (text.len > 0 && words.n < max) {
        str_cut(&text, ',', &word);
        word = str_trim(word);
        if (word.len > 0 && !words_have(&words, word))
            words.list[words.n++] = word;
    }
    *ret_words = words;
    return true;
}

bool call_currency(struct call *call, struct str *ret_currency)
{
    struct err err = ERR_INIT;
    struct words known;

    if (!call_need(call, "vs_currency", ret_currency))
        return false;
    enum st st = call_query(call)->driver->currencies(call_query(call), call_arena(call),
                                                      &known.list, &known.n, &err);
    if (st != ST_OK)
        call_fail(call, st, &err);
    else if (known.n > 0 && !words_have(&known, *ret_currency))
        call_refuse(call, 400, "invalid vs_currency");
    else
        return true;
    return false;
}

bool call_coin(struct call *call, struct str currency)
{
    const struct market_query args = {
        .vs_currency = currency, .ids = &call->id, .n_ids = 1, .per_page = 1, .page = 1};
    struct err err = ERR_INIT;
    struct rows rows;
    enum st st = call_ask_market(call, &args, &rows, &err);

    if (st != ST_OK)
        call_fail(call, st, &err);
    else if (rows.n == 0)
        call_refuse(call, 404, "coin not found");
    return st == ST_OK && rows.n > 0;
}

/* False: it is no time. */
static bool parse_moment(struct str text, int64_t now_us, int64_t *ret_us)
{
    char day[TIME_TEXT];
    int64_t back_us, seconds;

    if (text.p[0] == '-' && duration_parse((struct str){text.p + 1, text.len - 1}, &back_us) &&
        back_us < now_us) {
        *ret_us = now_us - back_us;
        return true;
    }
    if (str_to_i64(text, 1, INT64_C(253402300799), &seconds)) {
        *ret_us = seconds * US_PER_S;
        return true;
    }
    snprintf(day, sizeof(day), "%.*sT00:00:00Z", (int)(text.len < 11 ? text.len : 11), text.p);
    return time_parse(text, ret_us) || (text.len == 10 && time_parse(str_of(day), ret_us));
}

bool call_moment(struct call *call, int64_t *ret_at_us)
{
    const struct str text = call_param(call, "at");

    *ret_at_us = 0;
    if (text.len == 0 || call->api->plan.host != HOST_OWN)
        return true;
    if (!call_query(call)->driver->has_moments)
        call_unknown(call, "past that can be asked for");
    else if (!parse_moment(text, call->now_us, ret_at_us))
        call_refuse(call, 400, "at: not a time; write it like 2026-11-23T14:30:00Z, or -2h");
    else if (*ret_at_us <= 0 || (*ret_at_us > call->now_us && !call->api->is_past))
        call_refuse(call, 400, "at: a moment that is not yet, or of before 1970");
    else {
        *ret_at_us = *ret_at_us < call->now_us ? *ret_at_us : call->now_us;
        call->now_us = *ret_at_us;
        return true;
    }
    return false;
}

bool call_history(struct call *call, int64_t since_us)
{
    const uint32_t days = call->api->plan.history_days;
    char message[256];

    if (days == 0 || since_us >= call->now_us - days * DAY_US)
        return true;
    snprintf(message, sizeof(message),
             "Your request exceeds the allowed time range. Public API users are limited to "
             "querying historical data within the past %u days. Upgrade to a paid plan to enjoy "
             "full historical data access: " PRICING ". ",
             (unsigned)days);
    call_refuse_range(call, message);
    return false;
}

bool call_paid_parameter(struct call *call, const char *name)
{
    const struct str value = call_param(call, name);
    char message[128];

    if (value.len == 0 || !call->api->plan.is_free)
        return true;
    snprintf(message, sizeof(message), "%s=%.*s is exclusive to paid plan subscribers", name,
             (int)(value.len < 32 ? value.len : 32), value.p);
    refuse_status(call, 401, 401, message);
    return false;
}

int call_places(const struct call *call)
{
    int64_t places;

    return str_to_i64(call_param(call, "precision"), 0, 18, &places) ? (int)places : PLACES_ALL;
}
