/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/liar.h"

#include "base/clock.h"
#include "sim/number.h"

#include <math.h>
#include <xxhash.h>

#define PAGE          250 /* coins of a page: shares of it are as they were seen */
#define FLAPPING      14  /* of PAGE coins */
#define DATE_SHIFT_US (8 * 3600 * US_PER_S)

/* ---- cells ---- */

static double value_of(const struct cell *c)
{
    bool is_same;

    return c->kind == CELL_INT ? (double)c->number
                               : dec_to_double(cell_dec(c), cell_text(c), &is_same);
}

/* Make a number that is there another one; a tape may hold some that no double does. */
static bool set(struct cell *row, enum market_column column, number_format *format, double value,
                struct arena *arena)
{
    return row[column].kind == CELL_NULL || !isfinite(value) ||
           number_cell(format, value, arena, &row[column]);
}

/* The same for a coin always: which of `n` equal shares it is in. */
static unsigned share(struct str id, unsigned n)
{
    return (unsigned)(XXH3_64bits(id.p, id.len) % n);
}

static unsigned share_of(const struct cell *row, unsigned n)
{
    return share(cell_text(&row[MARKET_ID]), n);
}

/* ---- the lies ---- */

bool liar_nulls(struct rows *rows, const struct liar_request *request)
{
    (void)request;
    for (size_t i = 0; i < rows->n * rows->table->n_columns; i++)
        if (rows->cells[i].kind == CELL_NUM || rows->cells[i].kind == CELL_INT)
            rows->cells[i] = CELL_NONE;
    return true;
}

/* As where ranks shift between two pages: one coin twice, another not at all. */
bool liar_duplicate(struct rows *rows, const struct liar_request *request)
{
    (void)request;
    if (rows->n > 1)
        memcpy(rows_at(rows, rows->n - 1), rows_at(rows, 0),
               rows->table->n_columns * sizeof(struct cell));
    return true;
}

/* The coin that stood above bitcoin for an hour on 2026-03-11. */
bool liar_bogus(struct rows *rows, const struct liar_request *request)
{
    const struct market_query *args = request->args;
    const size_t row_size = rows->table->n_columns * sizeof(struct cell);
    const size_t n = rows->n + (args->per_page == 0 || rows->n < args->per_page);

    if (args->page > 1 || args->n_ids > 0 || args->category.len > 0)
        return true;
    struct cell *cells = arena_zalloc(request->arena, n, row_size);
    if (!cells)
        return false;
    if (n > 1)
        memcpy(cells + rows->table->n_columns, rows->cells, (n - 1) * row_size);
    cells[MARKET_ID] = cell_of_text(STR("kpk-eth-prime"));
    cells[MARKET_SYMBOL] = cell_of_text(STR("kpk eth prime"));
    cells[MARKET_NAME] = cell_of_text(STR("KPK ETH Prime"));
    cells[MARKET_IMAGE] = cell_of_text(STR("missing_large.png"));
    cells[MARKET_FETCHED_AT] = cell_of_time(request->now_us);
    cells[MARKET_CURRENT_PRICE] = cell_of_int(2295);
    cells[MARKET_MARKET_CAP] = cell_of_int(INT64_C(20500000000000));
    cells[MARKET_TOTAL_VOLUME] = cell_of_int(0);
    cells[MARKET_LAST_UPDATED] = cell_of_time(time_floor(request->now_us, US_PER_S));
    rows->cells = cells;
    rows->n = n;
    return true;
}

/* One coin in ten is worth more than there is. */
bool liar_huge(struct rows *rows, const struct liar_request *request)
{
    for (size_t i = 0; i < rows->n; i++) {
        struct cell *row = rows_at(rows, i);
        if (share_of(row, 10) == 0 &&
            !(set(row, MARKET_CURRENT_PRICE, number_float, 1.0453287998377596e37, request->arena) &&
              set(row, MARKET_MARKET_CAP, number_float, 4.2e45, request->arena) &&
              set(row, MARKET_TOTAL_VOLUME, number_float, 9.9e40, request->arena)))
            return false;
    }
    return true;
}

/* Fourteen of 250 leave in turns, so that those of the one half are back in the next answer. */
bool liar_leaves_in_turns(struct str id, const struct cell *rank,
                          const struct liar_request *request)
{
    (void)rank;
    return share(id, PAGE) / FLAPPING == request->number % 2;
}

static bool is_rehypothecated(struct str id, const struct cell *rank)
{
    static const char *const known[] = {"wrapped-bitcoin", "staked-ether", "weth", "wrapped-steth",
                                        "wrapped-eeth"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_eq(id, str_of(known[i])))
            return true;
    /* a market that never was has others */
    return share(id, 50) == 0 && (rank->kind == CELL_NULL || rank->number > 10);
}

/* 2026-02-04: they left the list and lost their rank; who asks for one by id, or for
 * all of them, still gets it. */
bool liar_leaves_rehypo(struct str id, const struct cell *rank, const struct liar_request *request)
{
    return !request->args->has_rehypothecated && is_rehypothecated(id, rank);
}

bool liar_unrank(struct rows *rows, const struct liar_request *request)
{
    (void)request;
    for (size_t i = 0; i < rows->n; i++) {
        struct cell *row = rows_at(rows, i);
        if (!is_rehypothecated(cell_text(&row[MARKET_ID]), &row[MARKET_MARKET_CAP_RANK]))
            continue;
        row[MARKET_RANK_WITH_REHYPOTHECATED] = row[MARKET_MARKET_CAP_RANK];
        row[MARKET_MARKET_CAP_RANK] = CELL_NONE;
    }
    return true;
}

/* ---- the other back end of July 2026 ---- */

bool liar_leaves_backend(struct str id, const struct cell *rank, const struct liar_request *request)
{
    (void)rank, (void)request;
    return share(id, PAGE) < FLAPPING;
}

static void shift_date(struct cell *c)
{
    if (c->kind == CELL_TIME)
        *c = cell_of_time(time_floor(c->number, US_PER_S) - DATE_SHIFT_US);
}

static bool change_row(struct cell *row, const struct liar_request *request)
{
    const double percent = value_of(&row[MARKET_PRICE_CHANGE_PERCENTAGE_24H]);
    const double change = value_of(&row[MARKET_PRICE_CHANGE_24H]);
    struct arena *arena = request->arena;

    if (share_of(row, PAGE) != PAGE - 1 && row[MARKET_LAST_UPDATED].kind == CELL_TIME)
        row[MARKET_LAST_UPDATED] = cell_of_time(time_floor(request->now_us, 10 * US_PER_S));
    shift_date(&row[MARKET_ATH_DATE]);
    shift_date(&row[MARKET_ATL_DATE]);
    if (share_of(row, 3) == 0 && row[MARKET_MARKET_CAP_RANK].kind == CELL_INT)
        row[MARKET_MARKET_CAP_RANK] = cell_of_int(row[MARKET_MARKET_CAP_RANK].number + 1);
    return set(row, MARKET_PRICE_CHANGE_PERCENTAGE_24H, number_float, round(percent * 10) / 10,
               arena) &&
           set(row, MARKET_PRICE_CHANGE_24H, number_float, round(change * 100) / 100, arena) &&
           set(row, MARKET_FULLY_DILUTED_VALUATION, number_int,
               value_of(&row[MARKET_FULLY_DILUTED_VALUATION]) * 1.69, arena) &&
           set(row, MARKET_CIRCULATING_SUPPLY, number_float,
               value_of(&row[MARKET_CIRCULATING_SUPPLY]) * 1.00001, arena);
}

bool liar_backend(struct rows *rows, const struct liar_request *request)
{
    for (size_t i = 0; i < rows->n; i++)
        if (!change_row(rows_at(rows, i), request))
            return false;
    return true;
}

/* ---- the store ---- */

struct filter {
    struct market_filter base;
    const struct liar *liar;
    const struct liar_request *request;
};

static bool is_out(const struct market_filter *base, struct str id, const struct cell *rank)
{
    const struct filter *f = (const struct filter *)base; /* its first member */
    bool is_gone = false;

    for (size_t i = 0; i < f->liar->n_leaves; i++)
        is_gone |= f->liar->leaves[i](id, rank, f->request);
    return is_gone;
}

static enum st market(struct query *q, const struct market_query *args, struct arena *arena,
                      struct rows *ret_rows, struct err *err)
{
    struct liar *l = (struct liar *)q; /* its first member */
    struct market_query asked = *args;
    const struct liar_request request = {
        .args = &asked, .number = l->request, .now_us = l->now_us, .arena = arena};
    const struct filter filter = {.base.is_out = is_out, .liar = l, .request = &request};

    if (l->is_first_page)
        asked.page = 1;
    if (l->n_leaves > 0 && asked.n_ids == 0)
        asked.filter = &filter.base;
    enum st st = l->inner->driver->market(l->inner, &asked, arena, ret_rows, err);
    for (size_t i = 0; st == ST_OK && i < l->n_rows; i++)
        if (!l->rows[i](ret_rows, &request))
            st = err_set(err, ST_AGAIN, "simulator: no memory for this answer");
    return st;
}

void liar_init(struct liar *l, struct query *inner)
{
    *l = (struct liar){.driver = *inner->driver, .inner = inner};
    l->driver.market = market;
    /* all else works on the other's state, and knows of no lies */
    l->query = (struct query){.driver = &l->driver, .state = inner->state};
}

void liar_begin(struct liar *l, uint64_t request, int64_t now_us)
{
    l->request = request;
    l->now_us = now_us;
    l->n_leaves = l->n_rows = 0;
    l->is_first_page = false;
}
