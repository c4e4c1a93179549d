/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_v3/call.h"

#include "base/clock.h"

struct price_request {
    struct words ids, currencies;
    struct rows *found; /* per currency, ordered by id */
    size_t n_asked;     /* of the currencies, before those were left out that the store lacks */
    size_t n_shown;     /* of the currencies; what is behind only proves that a coin exists */
    int places;         /* of prices */
    bool has_full_prices, has_cap, has_volume, has_change, has_time;
};

static const struct cell *find_row(const struct rows *rows, struct str id)
{
    size_t low = 0, high = rows->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct cell *row = rows_at(rows, middle);
        int order = str_cmp(id, cell_text(&row[MARKET_ID]));
        if (order == 0)
            return row;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* "usd_market_cap": … */
static void add_figure(struct buf *b, struct str currency, const char *suffix,
                       const struct cell *value, int places)
{
    json_add_comma(b);
    buf_addf(b, "\"%.*s%s\":", STR_ARG(currency), suffix);
    add_rounded(b, value, places);
}

static void add_figures(struct buf *b, const struct price_request *want, struct str currency,
                        const struct cell *row)
{
    add_figure(b, currency, "", &row[MARKET_CURRENT_PRICE], want->places);
    if (want->has_cap)
        add_figure(b, currency, "_market_cap", &row[MARKET_MARKET_CAP], PLACES_ALL);
    if (want->has_volume)
        add_figure(b, currency, "_24h_vol", &row[MARKET_TOTAL_VOLUME], PLACES_ALL);
    const struct cell *change = &row[MARKET_CHANGE_24H]; /* in full where it is stored */
    if (change->kind == CELL_NULL)
        change = &row[MARKET_PRICE_CHANGE_PERCENTAGE_24H];
    if (want->has_change)
        add_figure(b, currency, "_24h_change", change, PLACES_ALL);
}

/* "bitcoin":{…}; nothing for a coin that no currency has. */
static void add_price(struct buf *b, const struct price_request *want, struct str id)
{
    const struct cell *last = NULL;

    for (size_t i = 0; i < want->currencies.n; i++) {
        const struct cell *row = find_row(&want->found[i], id);
        if (!row)
            continue;
        if (!last) {
            json_add_comma(b);
            buf_add_json_str(b, id);
            buf_add_z(b, ":{");
        }
        last = row;
        if (i < want->n_shown)
            add_figures(b, want, want->currencies.list[i], row);
    }
    if (!last)
        return;
    if (want->has_time) {
        struct cell seconds = CELL_NONE;
        if (last[MARKET_LAST_UPDATED].kind == CELL_TIME)
            seconds = cell_of_int(last[MARKET_LAST_UPDATED].number / US_PER_S);
        add_figure(b, STR("last_updated_at"), "", &seconds, PLACES_ALL);
    }
    buf_add_char(b, '}');
}

/* Keep the currencies that the store has; with none of them left, one to know the coins by. */
static enum st choose_currencies(struct call *call, struct price_request *want, struct err *err)
{
    struct query *q = call_query(call);
    struct words known, *chosen = &want->currencies;
    size_t n = 0;
    enum st st = q->driver->currencies(q, call_arena(call), &known.list, &known.n, err);

    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < chosen->n; i++)
        if (words_have(&known, chosen->list[i]))
            chosen->list[n++] = chosen->list[i];
    want->n_asked = want->currencies.n;
    want->n_shown = n;
    if (n == 0 && known.n > 0)
        chosen->list[n++] = known.list[0];
    chosen->n = n;
    return ST_OK;
}

static enum st find_prices(struct call *call, struct price_request *want, struct err *err)
{
    struct market_query args = {.ids = want->ids.list,
                                .n_ids = want->ids.n,
                                .order = ORDER_ID_ASC,
                                .page = 1,
                                .has_full_prices = want->has_full_prices,
                                .has_full_sizes = true};
    enum st st = choose_currencies(call, want, err);

    if (st != ST_OK)
        return st;
    want->found = arena_zalloc(call_arena(call), want->currencies.n + 1, sizeof(*want->found));
    if (!want->found)
        return err_set(err, ST_AGAIN, "no memory for this answer");
    for (size_t i = 0; st == ST_OK && i < want->currencies.n; i++) {
        args.vs_currency = want->currencies.list[i];
        st = call_ask_market(call, &args, &want->found[i], err);
    }
    return st;
}

/* The coins and the currencies, both of which have to be there. */
static bool need_words(struct call *call, struct price_request *want)
{
    bool is_given;

    if (!call_coins(call, &want->ids, &is_given) ||
        !call_words(call, call_param(call, "vs_currencies"), &want->currencies))
        return false;
    if (is_given && want->currencies.n > 0)
        return true;
    call_missing(call, is_given ? "vs_currencies" : "ids");
    return false;
}

/* Has the store all that was asked for? Symbols and names may be of coins that it does not know. */
static void judge(struct call *call, const struct price_request *want)
{
    if (call_param(call, "ids").len == 0 || want->ids.n == 0)
        return;
    if (want->n_shown < want->n_asked)
        call->res->part = ANSWER_LACKS;
    for (size_t i = 0; i < want->n_shown; i++)
        call_judge(call, want->currencies.list[i], want->ids.list, want->ids.n);
}

void answer_simple_price(struct call *call)
{
    struct price_request want = {
        .places = call_places(call),
        .has_full_prices = call_param(call, "precision").len > 0,
        .has_cap = call_flag(call, "include_market_cap"),
        .has_volume = call_flag(call, "include_24hr_vol"),
        .has_change = call_flag(call, "include_24hr_change"),
        .has_time = call_flag(call, "include_last_updated_at"),
    };
    struct buf *b = &call->res->body;
    struct err err = ERR_INIT;
    enum st st = ST_OK;

    if (!need_words(call, &want))
        return;
    if (want.ids.n > 0) /* none: of all coins that were named, there is not one */
        st = find_prices(call, &want, &err);
    if (st != ST_OK) {
        call_fail(call, st, &err);
        return;
    }
    buf_add_char(b, '{');
    for (size_t i = 0; i < want.ids.n; i++)
        add_price(b, &want, want.ids.list[i]);
    buf_add_char(b, '}');
    judge(call, &want);
}

void answer_vs_currencies(struct call *call)
{
    struct buf *b = &call->res->body;
    struct query *q = call_query(call);
    struct err err = ERR_INIT;
    struct words known;
    enum st st = q->driver->currencies(q, call_arena(call), &known.list, &known.n, &err);

    if (st != ST_OK) {
        call_fail(call, st, &err);
        return;
    }
    buf_add_char(b, '[');
    for (size_t i = 0; i < known.n; i++) {
        if (i > 0)
            buf_add_char(b, ',');
        buf_add_json_str(b, known.list[i]);
    }
    buf_add_char(b, ']');
}

const struct operation op_simple_price = {
    .summary = "prices of coins in currencies",
    .takes =
        (const struct parameter[]){
            {"vs_currencies", PARAMETER_WORDS,
             "those that /simple/supported_vs_currencies names; others are left out", "usd", 0, 0,
             true},
            TAKES_COINS,
            TAKES_FLAG("include_market_cap", "market caps as well"),
            TAKES_FLAG("include_24hr_vol", "what was traded in 24 hours as well"),
            TAKES_FLAG("include_24hr_change", "changes in 24 hours, in percent, as well"),
            TAKES_FLAG("include_last_updated_at", "CoinGecko's time of them as well"),
            TAKES_PRECISION,
            TAKES_END,
        },
    .gives = "{*:{*:n?}}",
    .refuses = {422, 501},
};

const struct operation op_vs_currencies = {
    .summary = "currencies that there are prices in", .gives = "[s]", .refuses = {501}};
