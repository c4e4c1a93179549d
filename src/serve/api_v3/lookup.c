/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/api_v3/call.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_SYMBOLS 50 /* of one call that wants all coins of each */
#define MAX_FOUND   4096

static bool eq_nocase(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.p, b.p, a.len) == 0);
}

static bool have_nocase(const struct words *words, struct str word)
{
    for (size_t i = 0; i < words->n; i++)
        if (eq_nocase(words->list[i], word))
            return true;
    return false;
}

static int compare_nocase(const void *left, const void *right)
{
    const struct str *a = left, *b = right;
    const size_t n = a->len < b->len ? a->len : b->len;
    const int order = n > 0 ? strncasecmp(a->p, b->p, n) : 0;

    return order ? order : (a->len > b->len) - (a->len < b->len);
}

/* In order, so that 17,000 coins are not compared with thousands of words each. */
static struct str *sort_words(struct call *call, const struct words *words)
{
    struct str *sorted = arena_alloc(call_arena(call), words->n + 1, sizeof(*sorted));

    if (!sorted)
        return NULL;
    memcpy(sorted, words->list, words->n * sizeof(*sorted));
    qsort(sorted, words->n, sizeof(*sorted), compare_nocase);
    return sorted;
}

/* The ids of all coins whose name or symbol (a column of coin_table) is one of the words. */
static enum st find_coins(struct call *call, const struct words *words, size_t column,
                          struct words *ret_ids, struct err *err)
{
    struct query *q = call_query(call);
    struct str *sorted = sort_words(call, words);
    struct rows coins;
    enum st st = q->driver->coins(q, call_arena(call), &coins, err);

    if (st != ST_OK)
        return st;
    ret_ids->n = 0;
    ret_ids->list = arena_alloc(call_arena(call), MAX_FOUND, sizeof(*ret_ids->list));
    if (!ret_ids->list || !sorted)
        return err_set(err, ST_AGAIN, "no memory for this answer");
    for (size_t i = 0; i < coins.n && ret_ids->n < MAX_FOUND; i++) {
        const struct cell *coin = rows_at(&coins, i);
        const struct str text = cell_text(&coin[column]);
        if (bsearch(&text, sorted, words->n, sizeof(*sorted), compare_nocase))
            ret_ids->list[ret_ids->n++] = cell_text(&coin[COIN_ID]);
    }
    return ST_OK;
}

/* Leave the largest coin of each symbol. */
static enum st keep_top(struct call *call, struct words *ids, struct err *err)
{
    struct query *q = call_query(call);
    struct words currencies, symbols = {.n = 0};
    struct rows rows;
    enum st st = q->driver->currencies(q, call_arena(call), &currencies.list, &currencies.n, err);

    if (st != ST_OK || currencies.n == 0 || ids->n == 0)
        return st;
    const struct market_query args = {
        .vs_currency = words_have(&currencies, STR("usd")) ? STR("usd") : currencies.list[0],
        .ids = ids->list,
        .n_ids = ids->n,
        .has_rehypothecated = true,
        .page = 1,
    };
    st = q->driver->market(q, &args, call_arena(call), &rows, err);
    if (st != ST_OK)
        return st;
    symbols.list = arena_alloc(call_arena(call), rows.n + 1, sizeof(*symbols.list));
    if (!symbols.list)
        return err_set(err, ST_AGAIN, "no memory for this answer");
    ids->n = 0;
    for (size_t i = 0; i < rows.n; i++) {
        const struct cell *row = rows_at(&rows, i);
        if (have_nocase(&symbols, cell_text(&row[MARKET_SYMBOL])))
            continue;
        symbols.list[symbols.n++] = cell_text(&row[MARKET_SYMBOL]);
        ids->list[ids->n++] = cell_text(&row[MARKET_ID]);
    }
    return ST_OK;
}

bool call_coins(struct call *call, struct words *ret_ids, bool *ret_is_given)
{
    const bool is_all = str_eq(call_param(call, "include_tokens"), STR("all"));
    struct words ids, names, symbols;
    struct err err = ERR_INIT;
    enum st st = ST_OK;

    if (!call_words(call, call_param(call, "ids"), &ids) ||
        !call_words(call, call_param(call, "names"), &names) ||
        !call_words(call, call_param(call, "symbols"), &symbols))
        return false;
    *ret_is_given = ids.n + names.n + symbols.n > 0;
    *ret_ids = ids;
    if (ids.n > 0)
        return true;
    if (names.n == 0 && is_all && symbols.n > MAX_SYMBOLS) {
        call_refuse(call, 400, "too many symbols: include_tokens=all takes 50");
        return false;
    }
    if (names.n > 0)
        st = find_coins(call, &names, COIN_NAME, ret_ids, &err);
    else if (symbols.n > 0)
        st = find_coins(call, &symbols, COIN_SYMBOL, ret_ids, &err);
    if (st == ST_OK && names.n == 0 && symbols.n > 0 && !is_all)
        st = keep_top(call, ret_ids, &err);
    if (st != ST_OK)
        call_fail(call, st, &err);
    return st == ST_OK;
}
