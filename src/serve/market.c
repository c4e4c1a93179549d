/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/market.h"

#include "base/clock.h"
#include "serve/json.h"

/* What is shown of a coin; new columns go to the end. */
static const enum market_column shown[] = {
    MARKET_ID,
    MARKET_SYMBOL,
    MARKET_NAME,
    MARKET_IMAGE,
    MARKET_CURRENT_PRICE,
    MARKET_MARKET_CAP,
    MARKET_MARKET_CAP_RANK,
    MARKET_TOTAL_VOLUME,
    MARKET_HIGH_24H,
    MARKET_LOW_24H,
    MARKET_PRICE_CHANGE_24H,
    MARKET_PRICE_CHANGE_PERCENTAGE_24H,
    MARKET_LAST_UPDATED,
    MARKET_FETCHED_AT,
    MARKET_FULLY_DILUTED_VALUATION,
    MARKET_CIRCULATING_SUPPLY,
    MARKET_MAX_SUPPLY,
    MARKET_ATH,
    MARKET_ATH_CHANGE_PERCENTAGE,
    MARKET_CHANGE_1H,
    MARKET_CHANGE_7D,
    MARKET_CHANGE_30D,
};

#define N_SHOWN (sizeof(shown) / sizeof(shown[0]))

const struct market_columns market_shown = {.list = shown, .n = N_SHOWN};

#define MAX_IDS   250
#define MAX_LIMIT 250
#define MAX_NAME  64 /* of a column, as it is shown */

/* When the newest of the rows was received; 0: there are none. */
static int64_t newest_us(const struct rows *rows)
{
    int64_t newest = 0;

    for (size_t i = 0; i < rows->n; i++)
        if (rows_at(rows, i)[MARKET_FETCHED_AT].number > newest)
            newest = rows_at(rows, i)[MARKET_FETCHED_AT].number;
    return newest;
}

void market_add_head(struct buf *b, const struct market_columns *columns, struct str vs_currency,
                     const struct rows *rows)
{
    buf_add_char(b, '{');
    json_add_text(b, "vs_currency", vs_currency);
    json_add_key(b, "time");
    buf_add_i64(b, newest_us(rows) / US_PER_MS);
    json_add_key(b, "columns");
    for (size_t i = 0; i < columns->n; i++) {
        buf_add_char(b, i > 0 ? ',' : '[');
        buf_add_json_str(b, str_of(market_table.columns[columns->list[i]].name));
    }
    buf_add_char(b, ']');
}

void market_add_row(struct buf *b, const struct market_columns *columns, const struct cell *row)
{
    for (size_t i = 0; i < columns->n; i++) {
        const struct cell *cell = &row[columns->list[i]];
        buf_add_char(b, i > 0 ? ',' : '[');
        if (cell->kind == CELL_TIME)
            buf_add_i64(b, time_floor(cell->number, US_PER_MS) / US_PER_MS);
        else
            cell_add_json(b, cell);
    }
    buf_add_char(b, ']');
}

static void refuse_currency(struct str wanted, const struct str *known, size_t n,
                            struct http_response *res)
{
    struct buf names = BUF_INIT(ERR_MSG_SIZE), clean = BUF_INIT(64);

    buf_add_clean(&clean, wanted, 32);
    for (size_t i = 0; i < n; i++)
        buf_addf(&names, "%s%.*s", i > 0 ? ", " : "", STR_ARG(known[i]));
    own_refuse(res, 404, "vs_currency: nothing is polled in \"%s\"; there are: %s", buf_z(&clean),
               n > 0 ? buf_z(&names) : "none yet");
    buf_release(&names);
    buf_release(&clean);
}

/* The currency that is asked for; without a word of it usd, or the first. False: refused. */
static bool choose_currency(struct own *own, struct str *currency, struct http_response *res)
{
    struct err err = ERR_INIT;
    struct str *known;
    size_t n;
    enum st st = own->query->driver->currencies(own->query, own->arena, &known, &n, &err);
    const struct str wanted = currency->len > 0 ? *currency : STR("usd");

    if (st != ST_OK) {
        own_fail(res, st, &err);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        if (str_eq(known[i], wanted)) {
            *currency = wanted;
            return true;
        }
    if (currency->len > 0 || n == 0) {
        refuse_currency(wanted, known, n, res);
        return false;
    }
    *currency = known[0];
    return true;
}

static bool is_among(const enum market_column *list, size_t n, enum market_column column)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == column)
            return true;
    return false;
}

static void refuse_column(struct str wanted, const char *why, struct http_response *res)
{
    struct buf clean = BUF_INIT(MAX_NAME * 4), names = BUF_INIT(ERR_MSG_SIZE * 2);

    buf_add_clean(&clean, wanted, MAX_NAME);
    for (size_t i = 0; i < N_MARKET_COLUMNS; i++)
        buf_addf(&names, "%s%s", i > 0 ? ", " : "", market_table.columns[i].name);
    own_refuse(res, 400, "columns: \"%s\" %s; there are: %s", buf_z(&clean), why, buf_z(&names));
    buf_release(&clean);
    buf_release(&names);
}

/* Only these columns of the table, comma-separated, in that order; empty: those that are shown.
 * list: room for all. False: refused. */
static bool read_columns(struct str text, enum market_column *list,
                         struct market_columns *ret_columns, struct http_response *res)
{
    bool is_more = text.len > 0;
    struct str name;
    size_t n = 0;

    while (is_more) {
        is_more = str_cut(&text, ',', &name);
        const size_t at = table_find(&market_table, name);
        const bool is_known = at < N_MARKET_COLUMNS;
        if (!is_known || is_among(list, n, (enum market_column)at)) {
            refuse_column(name, is_known ? "is named twice" : "is no column of a coin", res);
            return false;
        }
        list[n++] = (enum market_column)at;
    }
    *ret_columns = n > 0 ? (struct market_columns){.list = list, .n = n} : market_shown;
    return true;
}

void market_get(struct own *own, const struct http_request *req, struct http_response *res)
{
    struct market_query args = {.vs_currency = http_query(req, "vs_currency"), .page = 1};
    enum market_column list[N_MARKET_COLUMNS];
    struct market_columns columns;
    struct buf *b = &res->body;
    struct rows rows;
    struct err err = ERR_INIT;

    if (!own->query) {
        own_refuse_store(own, "market", res);
        return;
    }
    if (!own_read_moment(own, req, "at", &args.at_us, res))
        return;
    if (args.at_us != 0 && !own->query->driver->has_past) {
        own_refuse_store(own, "market of the past", res);
        return;
    }
    if (!read_columns(http_query(req, "columns"), list, &columns, res) ||
        !own_read_limit(req, MAX_LIMIT, &args.per_page, res) ||
        !choose_currency(own, &args.vs_currency, res) ||
        !own_read_ids(own, req, MAX_IDS, &args.ids, &args.n_ids, res))
        return;
    enum st st = own->query->driver->market(own->query, &args, own->arena, &rows, &err);
    if (st != ST_OK) {
        own_fail(res, st, &err);
        return;
    }
    market_add_head(b, &columns, args.vs_currency, &rows);
    json_add_key(b, "rows");
    buf_add_char(b, '[');
    for (size_t i = 0; i < rows.n; i++) {
        buf_add_z(b, i > 0 ? ",\n" : "\n");
        market_add_row(b, &columns, rows_at(&rows, i));
    }
    buf_add_z(b, "]}\n");
}

const struct operation op_market = {
    .summary = "every coin by market cap, as rows of the columns named first",
    .takes =
        (const struct parameter[]){
            {"vs_currency", PARAMETER_TEXT, "usd, or the first there is, unless said", "usd", 0, 0,
             false},
            TAKES_TIME("at", "the moment that it is of; now unless said"),
            {"ids", PARAMETER_WORDS, "only these coins, at most 250", "bitcoin", 0, 0, false},
            {"limit", PARAMETER_NUMBER, "only the first; all unless said", NULL, MAX_LIMIT, 0,
             false},
            {"columns", PARAMETER_WORDS,
             "only these columns, in this order; one that is none is refused with a list of all",
             "id,current_price", 0, 0, false},
            TAKES_END,
        },
    .gives = "{vs_currency:s,time:i,columns:[s],rows:[[s|n|z]]}",
    .refuses = {404, 501},
};
