/* One call of the API at hand: its parameters, and how CoinGecko refuses. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_API_V3_CALL_H
#define SERVE_API_V3_CALL_H

#include "serve/api_v3.h"
#include "serve/api_v3/parts.h"
#include "serve/json.h"
#include "serve/operation.h"

struct call {
    struct api_v3 *api;
    const struct http_request *req;
    struct http_response *res;
    struct str id;  /* what stood for {id} in the path */
    int64_t now_us; /* the moment that the whole answer is of */
};

/* Some words of a list. */
struct words {
    struct str *list;
    size_t n;
};

static inline struct query *call_query(const struct call *call)
{
    return call->api->query;
}

static inline struct arena *call_arena(const struct call *call)
{
    return &call->api->arena;
}

/* Ask the store for rows of the market; the answer is then as old as what the store knows. */
enum st call_ask_market(struct call *call, const struct market_query *args, struct rows *ret_rows,
                        struct err *err) MUST_USE;

/* Say how much of these coins the store has, and how fresh: for who has an upstream. */
void call_judge(struct call *call, struct str vs_currency, const struct str *ids, size_t n_ids);

static inline struct str call_param(const struct call *call, const char *name)
{
    return http_query(call->req, name);
}

/* ---- parameters; those that return false have refused ---- */

/* "true", in any case, or "1" */
bool call_flag(const struct call *call, const char *name);

/* "false", in any case, or "0": for what is on when nothing is said. */
bool call_is_off(const struct call *call, const char *name);

/* It has to be there and not empty. */
bool call_need(struct call *call, const char *name, struct str *ret_value) MUST_USE;

/* A number in [1, max]; what lies beyond max counts as max, what is no number as `fallback`. */
uint32_t call_number(const struct call *call, const char *name, uint32_t fallback, uint32_t max);

/* The different words of "a,b, c", at most 4096. */
bool call_words(struct call *call, struct str text, struct words *ret_words) MUST_USE;

/* A currency that the store has. */
bool call_currency(struct call *call, struct str *ret_currency) MUST_USE;

/* Coin {id} is one of those that the store quotes in that currency. */
bool call_coin(struct call *call, struct str currency) MUST_USE;

/* What `at` says of the moment that the answer is of: 2026-11-23T14:30:00Z, 2026-11-23, seconds
 * since 1970, -2h; call->now_us becomes that. *ret_at_us 0: it says nothing. */
bool call_moment(struct call *call, int64_t *ret_at_us) MUST_USE;

/* The plan's history reaches back to that moment. */
bool call_history(struct call *call, int64_t since_us) MUST_USE;

/* It is not there, or the plan is one that has it. */
bool call_paid_parameter(struct call *call, const char *name) MUST_USE;

/* How many decimal places of prices `precision` asks for. */
int call_places(const struct call *call);

/* The ids of the coins named by ids, else by names, else by symbols (the largest of each, all of
 * them with include_tokens=all). *ret_is_given false: by none of these. */
bool call_coins(struct call *call, struct words *ret_ids, bool *ret_is_given) MUST_USE;

bool words_have(const struct words *words, struct str word);

/* ---- refusals ---- */

/* {"error":"…"} */
void call_refuse(struct call *call, int status, const char *message);

/* A parameter that is not there. */
void call_missing(struct call *call, const char *name);

/* Too much history in one call, or what lies beyond the plan's. */
void call_refuse_range(struct call *call, const char *message);

/* An endpoint of paid plans. */
void call_refuse_unpaid(struct call *call);

/* Why the store could not. */
void call_fail(struct call *call, enum st st, const struct err *err);

/* The store does not know: 501. what: "charts" */
void call_unknown(struct call *call, const char *what);

/* The same of what a store could keep, but no job collects: keys of that job. */
void call_not_collected(struct call *call, const char *what, const char *keys);

/* No such path: 404. */
void call_no_path(struct call *call);

/* ---- the answers, one for each route, and what they take and give ---- */

void answer_ping(struct call *call);
void answer_key(struct call *call);
void answer_simple_price(struct call *call);
void answer_vs_currencies(struct call *call);
void answer_coins_list(struct call *call);
void answer_coins_new(struct call *call);
void answer_coins_markets(struct call *call);
void answer_coin(struct call *call);
void answer_history(struct call *call);
void answer_market_chart(struct call *call);
void answer_market_chart_range(struct call *call);
void answer_ohlc(struct call *call);
void answer_ohlc_range(struct call *call);
void answer_categories(struct call *call);
void answer_categories_list(struct call *call);
void answer_platforms(struct call *call);
void answer_global(struct call *call);

extern const struct operation op_ping, op_key, op_simple_price, op_vs_currencies, op_coins_list,
    op_coins_new, op_coins_markets, op_coin, op_history, op_market_chart, op_market_chart_range,
    op_ohlc, op_ohlc_range, op_categories, op_categories_list, op_platforms, op_global;

/* What several operations take, for their tables. */
#define TAKES_CURRENCY                                                                             \
    {"vs_currency", PARAMETER_TEXT, "one that /simple/supported_vs_currencies names", "usd", 0, 0, \
     true}
#define TAKES_COINS                                                                                  \
    {"ids", PARAMETER_WORDS, "coins by id", "bitcoin,ethereum", 0, 0, false},                        \
        {"names", PARAMETER_WORDS, "coins by name, where there are no ids", "Bitcoin", 0, 0, false}, \
        {"symbols", PARAMETER_WORDS, "coins by symbol, where there are no names", "btc", 0, 0,       \
         false},                                                                                     \
    {                                                                                                \
        "include_tokens", PARAMETER_CHOICE, "of each symbol the largest coin, or all", "top|all",    \
            0, 0, false                                                                              \
    }
#define TAKES_PRECISION                                     \
    {"precision",                                           \
     PARAMETER_CHOICE,                                      \
     "decimal places of prices",                            \
     "full|0|1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16|17|18", \
     0,                                                     \
     0,                                                     \
     false}
#define TAKES_NAMES_OF_COIN \
    {"localization", PARAMETER_FLAG, "with its names; true unless said", NULL, 0, 0, false}
#define TAKES_FROM_TO                                                                       \
    {"from", PARAMETER_PATTERN, "seconds since 1970, or a time", TIME_PATTERN, 0, 0, true}, \
    {                                                                                       \
        "to", PARAMETER_PATTERN, "seconds since 1970, or a time", TIME_PATTERN, 0, 0, true  \
    }
#define TIME_PATTERN           "^([0-9]{1,12}|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2})?)$"
#define TAKES_FLAG(name, help) {name, PARAMETER_FLAG, help, NULL, 0, 0, false}

#endif
