/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_v3/call.h"
#include "serve/shape.h"

#define PER_PAGE_DEFAULT 100
#define PER_PAGE_MAX     250

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

/* Which changes were asked for: bits of 1 << column. */
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

/* How rows are written. */
struct shown {
    uint64_t columns; /* those behind last_updated: bits of 1 << column */
    int places;       /* of prices */
};

static bool is_price(size_t column)
{
    return column == MARKET_CURRENT_PRICE || column == MARKET_HIGH_24H ||
           column == MARKET_LOW_24H || column == MARKET_ATH || column == MARKET_ATL;
}

/* The columns stand in CoinGecko's order; those without a key of their own are ours, or parts of
 * roi. */
static void add_row(struct buf *b, const struct cell *row, const struct shown *shown)
{
    buf_add_char(b, '{');
    for (size_t i = 0; i < N_MARKET_COLUMNS; i++) {
        const struct column *column = &market_table.columns[i];
        if (i == MARKET_ROI_TIMES)
            add_roi(b, row);
        if (i > MARKET_LAST_UPDATED && !(shown->columns >> i & 1))
            continue;
        if (i == MARKET_SPARKLINE_IN_7D)
            add_sparkline(b, "sparkline_in_7d", &row[i]);
        if (!column->json_key)
            continue;
        json_add_key(b, column->json_key);
        add_rounded(b, &row[i], is_price(i) ? shown->places : PLACES_ALL);
    }
    buf_add_char(b, '}');
}

static bool is_category(struct call *call, struct str category)
{
    struct query *q = call_query(call);

    if (category.len == 0 || (q->driver->has_category && q->driver->has_category(q, category)))
        return true;
    call_refuse(call, 404, "category not found");
    return false;
}

/* Does a page begin and end where CoinGecko's does? Ranks without a gap say so. */
static bool is_page_of_ranks(const struct market_query *args, const struct rows *rows)
{
    const int64_t first = (int64_t)(args->page - 1) * args->per_page + 1;
    size_t i = 0;

    while (i < rows->n && rows_at(rows, i)[MARKET_MARKET_CAP_RANK].kind == CELL_INT &&
           rows_at(rows, i)[MARKET_MARKET_CAP_RANK].number == first + (int64_t)i)
        i++;
    return i == rows->n && rows->n == args->per_page && args->order == ORDER_MARKET_CAP_DESC;
}

/* Has the store all that was asked for? Only of what every poll brings. */
static void judge(struct call *call, const struct market_query *args, const struct rows *rows)
{
    static const char *const others[] = {"category",
                                         "names",
                                         "symbols",
                                         "sparkline",
                                         "precision",
                                         "locale",
                                         "price_change_percentage",
                                         "include_rehypothecated"};
    struct str *ids = arena_alloc(call_arena(call), rows->n + 1, sizeof(*ids));

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (http_query_beyond(call->req, others[i]).len > 0)
            return;
    if (args->n_ids > 0 && args->n_ids <= args->per_page && args->page == 1) {
        call_judge(call, args->vs_currency, args->ids, args->n_ids);
    } else if (args->n_ids == 0 && ids && is_page_of_ranks(args, rows)) {
        for (size_t i = 0; i < rows->n; i++)
            ids[i] = cell_text(&rows_at(rows, i)[MARKET_ID]);
        call_judge(call, args->vs_currency, ids, rows->n);
    } else if (args->n_ids == 0 && rows->n < args->per_page) {
        call->res->part = ANSWER_LACKS;
    }
}

static void add_rows(struct call *call, const struct market_query *args)
{
    struct shown shown = {.columns = extra_columns(call_param(call, "price_change_percentage")),
                          .places = call_places(call)};
    struct buf *b = &call->res->body;
    struct err err = ERR_INIT;
    struct rows rows;
    enum st st = call_ask_market(call, args, &rows, &err);

    if (st != ST_OK) {
        call_fail(call, st, &err);
        return;
    }
    if (args->has_rehypothecated)
        shown.columns |= UINT64_C(1) << MARKET_RANK_WITH_REHYPOTHECATED;
    if (args->has_sparkline)
        shown.columns |= UINT64_C(1) << MARKET_SPARKLINE_IN_7D;
    buf_add_char(b, '[');
    for (size_t i = 0; i < rows.n; i++) {
        if (i > 0)
            buf_add_char(b, ',');
        add_row(b, rows_at(&rows, i), &shown);
    }
    buf_add_char(b, ']');
    if (call->api->has_upstream)
        judge(call, args, &rows);
}

void answer_coins_markets(struct call *call)
{
    struct market_query args = {
        .category = call_param(call, "category"),
        .order = order_of(call_param(call, "order")),
        .per_page = call_number(call, "per_page", PER_PAGE_DEFAULT, PER_PAGE_MAX),
        .page = call_number(call, "page", 1, UINT32_MAX),
        .has_full_prices = call_param(call, "precision").len > 0,
        .has_sparkline = call_flag(call, "sparkline"),
        .has_rehypothecated = call_flag(call, "include_rehypothecated"),
    };
    struct words ids = {.n = 0};
    bool is_given = false;

    if (!call_currency(call, &args.vs_currency) || !is_category(call, args.category))
        return;
    /* a category comes first; what names coins is not looked at then */
    if (args.category.len == 0 && !call_coins(call, &ids, &is_given))
        return;
    args.ids = ids.list;
    args.n_ids = ids.n;
    if (is_given && ids.n == 0)
        buf_add_z(&call->res->body, "[]");
    else
        add_rows(call, &args);
}

void api_v3_market_shape(struct buf *b)
{
    buf_add_char(b, '{');
    for (size_t i = 0; i < N_MARKET_COLUMNS; i++) {
        const struct column *column = &market_table.columns[i];
        if (i == MARKET_ROI_TIMES)
            buf_add_z(b, ",roi:{times:n?,currency:s?,percentage:n?}?");
        if (i == MARKET_SPARKLINE_IN_7D)
            buf_add_z(b, ",sparkline_in_7d?:{price:[n?]}");
        if (!column->json_key)
            continue;
        buf_addf(b, "%s%s%s:%s", i > 0 ? "," : "", column->json_key,
                 i > MARKET_LAST_UPDATED ? "?" : "", shape_of_column(column));
    }
    buf_add_char(b, '}');
}

const struct operation op_coins_markets = {
    .summary = "rows of the market",
    .takes =
        (const struct parameter[]){
            TAKES_CURRENCY,
            TAKES_COINS,
            {"category", PARAMETER_TEXT, "only its coins; before ids, where the store knows it",
             NULL, 0, 0, false},
            {"order", PARAMETER_CHOICE, "of the rows",
             "market_cap_desc|market_cap_asc|volume_desc|volume_asc|id_asc|id_desc", 0, 0, false},
            {"per_page", PARAMETER_NUMBER, "rows of a page", NULL, PER_PAGE_MAX, PER_PAGE_DEFAULT,
             false},
            {"page", PARAMETER_NUMBER, "which of them", NULL, 0, 1, false},
            TAKES_FLAG("sparkline", "prices of 7 days as well"),
            {"price_change_percentage", PARAMETER_CHOICES, "changes in these times as well",
             "1h|24h|7d|14d|30d|200d|1y", 0, 0, false},
            TAKES_FLAG("include_rehypothecated", "wrapped and staked coins as well"),
            TAKES_PRECISION,
            TAKES_END,
        },
    .gives = "[@market]",
    .refuses = {404, 422, 501},
};
