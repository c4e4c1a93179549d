/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_v3.h"

#include "base/clock.h"
#include "serve/json.h"

#include <strings.h>

#define PER_PAGE_DEFAULT 100
#define PER_PAGE_MAX     250
#define KEEP_MEMORY      (1024 * 1024) /* bytes kept for the next request */
#define MAX_LIST         4096 /* words of a comma list; the request's ceiling is below that */

/* CoinGecko's flat error: {"error":"…"} */
static void answer_error(struct http_response *res, int status, const char *message)
{
    buf_clear(&res->body);
    buf_add_z(&res->body, "{\"error\":");
    buf_add_json_str(&res->body, str_of(message));
    buf_add_char(&res->body, '}');
    res->status = status;
}

static void answer_failure(struct http_response *res, enum st st, const struct err *err)
{
    answer_error(res, st == ST_AGAIN ? 503 : 500, err->msg);
    if (st == ST_AGAIN)
        http_add_header(res, "Retry-After", "1");
}

static bool is_true(struct str value)
{
    return str_eq(value, STR("1")) || (value.len == 4 && strncasecmp(value.p, "true", 4) == 0);
}

/* A number in [1, max]; what lies beyond max counts as max, what is no number as `fallback`. */
static uint32_t number_or(struct str value, uint32_t fallback, uint32_t max)
{
    int64_t n;

    if (!str_to_i64(value, 1, INT64_MAX, &n))
        return fallback;
    return n > max ? max : (uint32_t)n;
}

static bool list_has(const struct str *list, size_t n, struct str word)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i], word))
            return true;
    return false;
}

/* The different words of "a,b, c"; NULL when there is no memory. */
static struct str *split_list(struct arena *arena, struct str text, size_t *ret_n)
{
    size_t max = 1, n = 0;
    struct str word;

    for (size_t i = 0; i < text.len; i++)
        max += text.p[i] == ',';
    if (max > MAX_LIST)
        max = MAX_LIST;
    struct str *list = arena_alloc(arena, max, sizeof(*list));
    while (list && text.len > 0 && n < max) {
        str_cut(&text, ',', &word);
        word = str_trim(word);
        if (word.len > 0 && !list_has(list, n, word))
            list[n++] = word;
    }
    *ret_n = n;
    return list;
}

static void answer_no_memory(struct http_response *res)
{
    answer_error(res, 503, "no memory for this answer; ask for less");
}

/* ---- /coins/markets ---- */

static enum market_order order_of(struct str name)
{
    static const struct {
        const char *name;
        enum market_order order;
    } orders[] = {
        {"market_cap_asc", ORDER_MARKET_CAP_ASC},
        {"volume_desc", ORDER_VOLUME_DESC},
        {"volume_asc", ORDER_VOLUME_ASC},
        {"id_asc", ORDER_ID_ASC},
        {"id_desc", ORDER_ID_DESC},
    };
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
        if (str_eq(name, str_of(orders[i].name)))
            return orders[i].order;
    return ORDER_MARKET_CAP_DESC;
}

/* Which of the columns behind last_updated were asked for: bits of 1 << column. */
static uint64_t extra_columns(struct str price_change_percentage)
{
    static const struct {
        const char *name;
        enum market_column column;
    } spans[] = {
        {"1h", MARKET_CHANGE_1H},   {"24h", MARKET_CHANGE_24H}, {"7d", MARKET_CHANGE_7D},
        {"14d", MARKET_CHANGE_14D}, {"30d", MARKET_CHANGE_30D}, {"200d", MARKET_CHANGE_200D},
        {"1y", MARKET_CHANGE_1Y},
    };
    uint64_t columns = 0;
    struct str word;

    while (price_change_percentage.len > 0) {
        str_cut(&price_change_percentage, ',', &word);
        for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
            if (str_eq(str_trim(word), str_of(spans[i].name)))
                columns |= UINT64_C(1) << spans[i].column;
    }
    return columns;
}

static void add_roi(struct buf *b, const struct cell *row)
{
    json_add_key(b, "roi");
    if (row[MARKET_ROI_TIMES].kind == CELL_NULL && row[MARKET_ROI_CURRENCY].kind == CELL_NULL &&
        row[MARKET_ROI_PERCENTAGE].kind == CELL_NULL) {
        buf_add_z(b, "null");
        return;
    }
    buf_add_z(b, "{\"times\":");
    cell_add_json(b, &row[MARKET_ROI_TIMES]);
    buf_add_z(b, ",\"currency\":");
    cell_add_json(b, &row[MARKET_ROI_CURRENCY]);
    buf_add_z(b, ",\"percentage\":");
    cell_add_json(b, &row[MARKET_ROI_PERCENTAGE]);
    buf_add_char(b, '}');
}

/* The columns stand in CoinGecko's order; those without a key of their own are ours, or parts of
 * roi. */
static void add_row(struct buf *b, const struct cell *row, uint64_t extra)
{
    buf_add_char(b, '{');
    for (size_t i = 0; i < N_MARKET_COLUMNS; i++) {
        const struct column *column = &market_table.columns[i];
        if (i == MARKET_ROI_TIMES)
            add_roi(b, row);
        if (!column->json_key || (i > MARKET_LAST_UPDATED && !(extra >> i & 1)))
            continue;
        json_add_key(b, column->json_key);
        cell_add_json(b, &row[i]);
    }
    buf_add_char(b, '}');
}

static bool has_category(struct query *q, struct str category)
{
    return q->driver->has_category && q->driver->has_category(q, category);
}

static void coins_markets(struct api_v3 *api, const struct http_request *req,
                          struct http_response *res)
{
    struct market_query args = {
        .vs_currency = http_query(req, "vs_currency"),
        .category = http_query(req, "category"),
        .order = order_of(http_query(req, "order")),
        .per_page = number_or(http_query(req, "per_page"), PER_PAGE_DEFAULT, PER_PAGE_MAX),
        .page = number_or(http_query(req, "page"), 1, UINT32_MAX),
    };
    const uint64_t extra = extra_columns(http_query(req, "price_change_percentage"));
    struct err err = ERR_INIT;
    struct rows rows;
    struct str *currencies;
    size_t n;

    if (args.vs_currency.len == 0) {
        answer_error(res, 422, "Missing parameter vs_currency");
        return;
    }
    if (args.category.len > 0 && !has_category(api->query, args.category)) {
        answer_error(res, 404, "category not found");
        return;
    }
    args.ids = split_list(&api->arena, http_query(req, "ids"), &args.n_ids);
    if (!args.ids) {
        answer_no_memory(res);
        return;
    }
    if (args.category.len > 0) /* it comes first, ids are not looked at then */
        args.n_ids = 0;
    enum st st = api->query->driver->currencies(api->query, &api->arena, &currencies, &n, &err);
    if (st == ST_OK && n > 0 && !list_has(currencies, n, args.vs_currency)) {
        answer_error(res, 400, "invalid vs_currency");
        return;
    }
    if (st == ST_OK)
        st = api->query->driver->market(api->query, &args, &api->arena, &rows, &err);
    if (st != ST_OK) {
        answer_failure(res, st, &err);
        return;
    }
    buf_add_char(&res->body, '[');
    for (size_t i = 0; i < rows.n; i++) {
        if (i > 0)
            buf_add_char(&res->body, ',');
        add_row(&res->body, rows_at(&rows, i), extra);
    }
    buf_add_char(&res->body, ']');
}

/* ---- /simple/price ---- */

struct price_request {
    struct str *ids, *currencies;
    size_t n_ids, n_currencies;
    struct rows *found; /* per currency, ordered by id */
    size_t n_shown;     /* of the currencies; what is behind only proves that a coin exists */
    bool has_cap, has_volume, has_change, has_time;
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
                       const struct cell *value)
{
    json_add_comma(b);
    buf_addf(b, "\"%.*s%s\":", STR_ARG(currency), suffix);
    cell_add_json(b, value);
}

static void add_figures(struct buf *b, const struct price_request *want, struct str currency,
                        const struct cell *row)
{
    add_figure(b, currency, "", &row[MARKET_CURRENT_PRICE]);
    if (want->has_cap)
        add_figure(b, currency, "_market_cap", &row[MARKET_MARKET_CAP]);
    if (want->has_volume)
        add_figure(b, currency, "_24h_vol", &row[MARKET_TOTAL_VOLUME]);
    const struct cell *change = &row[MARKET_CHANGE_24H]; /* in full where it is stored */
    if (change->kind == CELL_NULL)
        change = &row[MARKET_PRICE_CHANGE_PERCENTAGE_24H];
    if (want->has_change)
        add_figure(b, currency, "_24h_change", change);
}

/* "bitcoin":{…}; nothing for a coin that no currency has. */
static void add_price(struct buf *b, const struct price_request *want, struct str id)
{
    const struct cell *last = NULL;

    for (size_t i = 0; i < want->n_currencies; i++) {
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
            add_figures(b, want, want->currencies[i], row);
    }
    if (!last)
        return;
    if (want->has_time) {
        struct cell seconds = CELL_NONE;
        if (last[MARKET_LAST_UPDATED].kind == CELL_TIME)
            seconds = cell_of_int(last[MARKET_LAST_UPDATED].number / US_PER_S);
        add_figure(b, STR("last_updated_at"), "", &seconds);
    }
    buf_add_char(b, '}');
}

/* Keep the currencies that the store has; with none of them left, one to know the coins by. */
static enum st choose_currencies(struct api_v3 *api, struct price_request *want, struct err *err)
{
    struct str *known;
    size_t n_known, n = 0;
    enum st st = api->query->driver->currencies(api->query, &api->arena, &known, &n_known, err);

    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < want->n_currencies; i++)
        if (list_has(known, n_known, want->currencies[i]))
            want->currencies[n++] = want->currencies[i];
    want->n_shown = n;
    if (n == 0 && n_known > 0)
        want->currencies[n++] = known[0];
    want->n_currencies = n;
    return ST_OK;
}

static enum st find_prices(struct api_v3 *api, struct price_request *want, struct err *err)
{
    struct market_query args = {
        .ids = want->ids, .n_ids = want->n_ids, .order = ORDER_ID_ASC, .per_page = 0, .page = 1};
    enum st st = choose_currencies(api, want, err);

    if (st != ST_OK)
        return st;
    want->found = arena_zalloc(&api->arena, want->n_currencies + 1, sizeof(*want->found));
    if (!want->found)
        return err_set(err, ST_AGAIN, "no memory for this answer; ask for less");
    for (size_t i = 0; st == ST_OK && i < want->n_currencies; i++) {
        args.vs_currency = want->currencies[i];
        st = api->query->driver->market(api->query, &args, &api->arena, &want->found[i], err);
    }
    return st;
}

static void simple_price(struct api_v3 *api, const struct http_request *req,
                         struct http_response *res)
{
    struct price_request want = {
        .has_cap = is_true(http_query(req, "include_market_cap")),
        .has_volume = is_true(http_query(req, "include_24hr_vol")),
        .has_change = is_true(http_query(req, "include_24hr_change")),
        .has_time = is_true(http_query(req, "include_last_updated_at")),
    };
    struct err err = ERR_INIT;

    want.ids = split_list(&api->arena, http_query(req, "ids"), &want.n_ids);
    want.currencies = split_list(&api->arena, http_query(req, "vs_currencies"), &want.n_currencies);
    if (!want.ids || !want.currencies) {
        answer_no_memory(res);
        return;
    }
    if (want.n_ids == 0 || want.n_currencies == 0) {
        answer_error(res, 422,
                     want.n_ids == 0 ? "Missing parameter ids" : "Missing parameter vs_currencies");
        return;
    }
    enum st st = find_prices(api, &want, &err);
    if (st != ST_OK) {
        answer_failure(res, st, &err);
        return;
    }
    buf_add_char(&res->body, '{');
    for (size_t i = 0; i < want.n_ids; i++)
        add_price(&res->body, &want, want.ids[i]);
    buf_add_char(&res->body, '}');
}

/* ---- the lists ---- */

static void supported_vs_currencies(struct api_v3 *api, const struct http_request *req,
                                    struct http_response *res)
{
    struct err err = ERR_INIT;
    struct str *currencies;
    size_t n;
    enum st st = api->query->driver->currencies(api->query, &api->arena, &currencies, &n, &err);

    (void)req;
    if (st != ST_OK) {
        answer_failure(res, st, &err);
        return;
    }
    buf_add_char(&res->body, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_add_char(&res->body, ',');
        buf_add_json_str(&res->body, currencies[i]);
    }
    buf_add_char(&res->body, ']');
}

static void coins_list(struct api_v3 *api, const struct http_request *req,
                       struct http_response *res)
{
    struct err err = ERR_INIT;
    struct rows coins;
    enum st st = api->query->driver->coins(api->query, &api->arena, &coins, &err);

    (void)req;
    if (st != ST_OK) {
        answer_failure(res, st, &err);
        return;
    }
    buf_add_char(&res->body, '[');
    for (size_t i = 0; i < coins.n; i++) {
        const struct cell *row = rows_at(&coins, i);
        buf_add_z(&res->body, i > 0 ? ",{" : "{");
        for (size_t column = 0; column < N_COIN_COLUMNS; column++) {
            json_add_key(&res->body, coin_table.columns[column].json_key);
            cell_add_json(&res->body, &row[column]);
        }
        buf_add_char(&res->body, '}');
    }
    buf_add_char(&res->body, ']');
}

static void ping(struct api_v3 *api, const struct http_request *req, struct http_response *res)
{
    (void)api;
    (void)req;
    buf_add_z(&res->body, "{\"gecko_says\":\"(V3) To the Moon!\"}");
}

/* ---- routes ---- */

bool api_v3_handle(struct api_v3 *api, const struct http_request *req, struct http_response *res)
{
    static const struct {
        const char *path;
        void (*answer)(struct api_v3 *api, const struct http_request *req,
                       struct http_response *res);
        bool needs_store;
    } routes[] = {
        {"/ping", ping, false},
        {"/simple/price", simple_price, true},
        {"/simple/supported_vs_currencies", supported_vs_currencies, true},
        {"/coins/list", coins_list, true},
        {"/coins/markets", coins_markets, true},
    };
    struct str path = http_path(req);
    const struct str root = STR("/api/v3");

    if (!str_starts(path, root) || (path.len > root.len && path.p[root.len] != '/'))
        return false;
    path = (struct str){path.p + root.len, path.len - root.len};
    /* browsers of other origins may read it, as they may read CoinGecko's */
    http_add_header(res, "Access-Control-Allow-Origin", "*");
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (!str_eq(path, str_of(routes[i].path)))
            continue;
        if (routes[i].needs_store && !api->query)
            answer_error(res, 501,
                         "no sink here can be read; add one, such as --sink sqlite:market.db");
        else
            routes[i].answer(api, req, res);
        if (api->arena.total > KEEP_MEMORY)
            arena_release(&api->arena);
        else
            arena_reset(&api->arena);
        return true;
    }
    answer_error(res, 404, "Incorrect path. Please check https://www.coingecko.com/api/");
    return true;
}
