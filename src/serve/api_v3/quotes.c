/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_v3/quotes.h"

bool quotes_find(struct call *call, struct market_query args, struct quotes *ret_quotes)
{
    struct query *q = call_query(call);
    struct quotes quotes = {.usd = NULL};
    struct words *currencies = &quotes.currencies;
    struct err err = ERR_INIT;
    struct rows rows;
    enum st st =
        q->driver->currencies(q, call_arena(call), &currencies->list, &currencies->n, &err);

    args.ids = &call->id;
    args.n_ids = args.per_page = args.page = 1;
    if (st == ST_OK)
        quotes.rows = arena_zalloc(call_arena(call), currencies->n + 1, sizeof(*quotes.rows));
    if (st == ST_OK && !quotes.rows)
        st = err_set(&err, ST_AGAIN, "no memory for this answer");
    for (size_t i = 0; st == ST_OK && i < currencies->n; i++) {
        args.vs_currency = currencies->list[i];
        st = call_ask_market(call, &args, &rows, &err);
        if (st != ST_OK || rows.n == 0)
            continue;
        quotes.rows[i] = rows_at(&rows, 0);
        if (!quotes.usd || str_eq(args.vs_currency, STR("usd")))
            quotes.usd = quotes.rows[i];
    }
    if (st != ST_OK)
        call_fail(call, st, &err);
    else if (!quotes.usd)
        call_refuse(call, 404, "coin not found");
    *ret_quotes = quotes;
    return st == ST_OK && quotes.usd;
}

void quotes_add(struct buf *b, const char *key, const struct quotes *quotes, size_t column)
{
    json_add_key(b, key);
    buf_add_char(b, '{');
    for (size_t i = 0; i < quotes->currencies.n; i++) {
        const struct cell *row = quotes->rows[i];
        if (!row || row[column].kind == CELL_NULL)
            continue;
        json_add_comma(b);
        buf_add_json_str(b, quotes->currencies.list[i]);
        buf_add_char(b, ':');
        cell_add_json(b, &row[column]);
    }
    buf_add_char(b, '}');
}

void quotes_add_names(struct buf *b, const struct quotes *quotes)
{
    static const char *const languages[] = {"en", "de", "es", "fr", "it", "pl", "ro", "hu",    "nl",
                                            "pt", "sv", "vi", "tr", "ru", "ja", "zh", "zh-tw", "ko",
                                            "ar", "th", "id", "cs", "da", "el", "hi", "no",    "sk",
                                            "uk", "he", "fi", "bg", "hr", "lt", "sl"};
    const struct str name = cell_text(&quotes->usd[MARKET_NAME]);

    json_add_key(b, "localization");
    buf_add_char(b, '{');
    for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++)
        json_add_text(b, languages[i], name);
    buf_add_char(b, '}');
}
