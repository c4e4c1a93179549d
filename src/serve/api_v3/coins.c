/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_v3/call.h"

#include "base/clock.h"

static enum st add_platforms(struct call *call, struct str id, struct err *err)
{
    struct buf *b = &call->res->body;
    struct query *q = call_query(call);
    struct coin_info info = {.n_contracts = 0};
    bool is_known;
    enum st st = q->driver->info(q, id, call_arena(call), &info, &is_known, err);

    if (st != ST_OK)
        return st;
    json_add_key(b, "platforms");
    add_contracts(b, &info, false);
    return ST_OK;
}

/* [{"id":…,"symbol":…,"name":…,"platforms":…},…] */
static void add_coins(struct call *call, const struct rows *coins, bool has_platforms)
{
    struct buf *b = &call->res->body;
    struct err err = ERR_INIT;
    enum st st = ST_OK;

    buf_add_char(b, '[');
    for (size_t i = 0; st == ST_OK && i < coins->n; i++) {
        const struct cell *row = rows_at(coins, i);
        buf_add_z(b, i > 0 ? ",{" : "{");
        for (size_t column = 0; column < N_COIN_COLUMNS; column++) {
            json_add_key(b, coin_table.columns[column].json_key);
            cell_add_json(b, &row[column]);
        }
        if (has_platforms)
            st = add_platforms(call, cell_text(&row[COIN_ID]), &err);
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
    if (st != ST_OK)
        call_fail(call, st, &err);
}

static const char unlisted[] = "coins that are listed no more";
static const char dates[] = "dates of listings";

void answer_coins_list(struct call *call)
{
    const bool is_inactive = str_eq(call_param(call, "status"), STR("inactive"));
    const bool has_platforms = call_flag(call, "include_platform");
    struct query *q = call_query(call);
    struct err err = ERR_INIT;
    struct rows coins;

    if (is_inactive && !q->driver->inactive) {
        call_unknown(call, unlisted);
        return;
    }
    if (has_platforms && !q->driver->has_contracts) {
        call_unknown(call, "contracts of coins");
        return;
    }
    enum st st = is_inactive ? q->driver->inactive(q, call_arena(call), &coins, &err)
                             : q->driver->coins(q, call_arena(call), &coins, &err);
    if (st != ST_OK)
        call_fail(call, st, &err);
    else if (is_inactive && coins.n == 0)
        call_not_collected(call, unlisted, "endpoint: coins/list, inactive: true");
    else
        add_coins(call, &coins, has_platforms);
}

void answer_coins_new(struct call *call)
{
    struct buf *b = &call->res->body;
    struct query *q = call_query(call);
    struct err err = ERR_INIT;
    struct rows coins;

    if (!q->driver->newest) {
        call_unknown(call, dates);
        return;
    }
    enum st st = q->driver->newest(q, call_arena(call), &coins, &err);
    if (st != ST_OK) {
        call_fail(call, st, &err);
        return;
    }
    if (!coins.table) {
        call_not_collected(call, dates, "endpoint: coins/list");
        return;
    }
    buf_add_char(b, '[');
    for (size_t i = 0; i < coins.n; i++) {
        const struct cell *row = rows_at(&coins, i);
        buf_add_z(b, i > 0 ? ",{" : "{");
        for (size_t column = 0; column < N_COIN_COLUMNS; column++) {
            json_add_key(b, new_coin_table.columns[column].json_key);
            cell_add_json(b, &row[column]);
        }
        json_add_key(b, "activated_at");
        buf_add_i64(b, row[NEW_COIN_ACTIVATED_AT].number / US_PER_S);
        buf_add_char(b, '}');
    }
    buf_add_char(b, ']');
}

const struct operation op_coins_list = {
    .summary = "all coins",
    .takes =
        (const struct parameter[]){
            {"status", PARAMETER_CHOICE, "of their listing", "active|inactive", 0, 0, false},
            TAKES_FLAG("include_platform", "their contracts as well"),
            TAKES_END,
        },
    .gives = "[{id:s,symbol:s,name:s,platforms?:{*:s}}]",
    .refuses = {404, 501},
};

const struct operation op_coins_new = {
    .summary = "the coins that were listed last",
    .gives = "[{id:s,symbol:s,name:s,activated_at:i}]",
    .refuses = {404, 501},
};
