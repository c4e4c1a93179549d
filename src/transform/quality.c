/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/quality.h"

#include "base/clock.h"
#include "row/market.h"
#include "transform/walk.h"

#include <assert.h>
#include <math.h>

#define HOUR_US      (3600 * US_PER_S)
#define DAY_US       (24 * HOUR_US)
#define JUMP_PRICE   2.0
#define JUMP_SUPPLY  1.25
#define JUMP_RANK    50
#define OFF_CAP      1.25
#define OFF_BEST_CAP 2.0
#define OFF_DAY      0.10
#define OFF_RECORD   0.02
#define OFF_SUPPLY   1.05
#define MAX_DETAIL   512 /* bytes */

const struct quality_rule_def quality_rules[N_QUALITY_RULES] = {
#define QUALITY_ROW(id, name_, help_, measured_) \
    {.name = name_, .help = help_, .measured = measured_},
    QUALITY_RULES(QUALITY_ROW)
#undef QUALITY_ROW
};

static_assert(N_QUALITY_RULES <= 16, "poll_rows.quality holds a bit for each rule");

#define BIT(rule) ((uint16_t)(1u << QUALITY_##rule))

/* What a rule's detail shows. */
static const uint8_t shown[N_QUALITY_RULES][4] = {
    [QUALITY_PRICE_JUMP] = {MARKET_CURRENT_PRICE},
    [QUALITY_RANK_JUMP] = {MARKET_MARKET_CAP_RANK},
    [QUALITY_SUPPLY_JUMP] = {MARKET_CIRCULATING_SUPPLY, MARKET_TOTAL_SUPPLY},
    [QUALITY_CAP_MISMATCH] = {MARKET_MARKET_CAP, MARKET_CURRENT_PRICE, MARKET_CIRCULATING_SUPPLY},
    [QUALITY_CAP_IMPLAUSIBLE] = {MARKET_MARKET_CAP, MARKET_MARKET_CAP_RANK},
    [QUALITY_HIGH_BELOW_LOW] = {MARKET_HIGH_24H, MARKET_LOW_24H},
    [QUALITY_PRICE_OFF_DAY] = {MARKET_CURRENT_PRICE, MARKET_HIGH_24H, MARKET_LOW_24H},
    [QUALITY_PRICE_OFF_RECORD] = {MARKET_CURRENT_PRICE, MARKET_ATH, MARKET_ATL},
    [QUALITY_SUPPLY_ORDER] = {MARKET_CIRCULATING_SUPPLY, MARKET_TOTAL_SUPPLY, MARKET_MAX_SUPPLY},
    [QUALITY_STALE] = {MARKET_LAST_UPDATED},
};

/* Those that are never below zero. */
static const uint8_t not_negative[] = {
    MARKET_CURRENT_PRICE,
    MARKET_MARKET_CAP,
    MARKET_FULLY_DILUTED_VALUATION,
    MARKET_TOTAL_VOLUME,
    MARKET_HIGH_24H,
    MARKET_LOW_24H,
    MARKET_CIRCULATING_SUPPLY,
    MARKET_TOTAL_SUPPLY,
    MARKET_MAX_SUPPLY,
    MARKET_ATH,
    MARKET_ATL,
};

/* About the number; NAN, which is neither above nor below anything, for NULL. Only operations that
 * IEEE 754 defines, so that every machine draws the same line. */
static double about(const struct cell *c)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double x = (double)c->number;
    int e = c->exp;

    if (c->kind == CELL_INT)
        return x;
    if (c->kind != CELL_NUM)
        return NAN;
    for (; e > 22; e -= 22)
        x *= 1e22;
    for (; e < -22; e += 22)
        x /= 1e22;
    return e < 0 ? x / power[-e] : x * power[e];
}

/* ---- a row by itself ---- */

/* The caps that others are held against. */
struct caps {
    double best_ranked, highest_ranked; /* NAN: there is none */
};

static struct caps find_caps(const struct rows *rows)
{
    struct caps caps = {NAN, NAN};
    int64_t best_rank = INT64_MAX;

    for (size_t i = 0; i < rows->n; i++) {
        const struct cell *row = rows_at(rows, i), *rank = &row[MARKET_MARKET_CAP_RANK];
        double cap = about(&row[MARKET_MARKET_CAP]);
        if (rank->kind == CELL_NULL || rank->number < 1 || !(cap > 0))
            continue; /* ranks begin with 1 */
        if (!(cap <= caps.highest_ranked))
            caps.highest_ranked = cap;
        if (rank->number < best_rank || isnan(caps.best_ranked)) {
            best_rank = rank->number;
            caps.best_ranked = cap;
        }
    }
    if (best_rank != 1) /* some coins only, below which one without a rank need not be */
        caps.highest_ranked = NAN;
    return caps;
}

static bool is_negative(const struct cell *row)
{
    for (size_t i = 0; i < sizeof(not_negative); i++) {
        const struct cell *c = &row[not_negative[i]];
        if (c->kind == CELL_NUM && c->number < 0)
            return true;
    }
    return false;
}

static bool is_cap_off(double cap, double worth)
{
    return cap > 0 && worth > 0 && (cap >= worth * OFF_CAP || cap * OFF_CAP <= worth);
}

static bool is_more(double part, double whole)
{
    return whole > 0 && part > whole * OFF_SUPPLY;
}

static uint16_t check_row(const struct cell *row, const struct caps *caps)
{
    const double price = about(&row[MARKET_CURRENT_PRICE]), cap = about(&row[MARKET_MARKET_CAP]),
                 high = about(&row[MARKET_HIGH_24H]), low = about(&row[MARKET_LOW_24H]),
                 ath = about(&row[MARKET_ATH]), atl = about(&row[MARKET_ATL]),
                 circulating = about(&row[MARKET_CIRCULATING_SUPPLY]),
                 total = about(&row[MARKET_TOTAL_SUPPLY]), max = about(&row[MARKET_MAX_SUPPLY]);
    const bool is_ranked = row[MARKET_MARKET_CAP_RANK].kind != CELL_NULL;
    const struct cell *updated = &row[MARKET_LAST_UPDATED];
    uint16_t broken = 0;

    if (is_cap_off(cap, price * circulating))
        broken |= BIT(CAP_MISMATCH);
    if (is_ranked ? cap > caps->best_ranked * OFF_BEST_CAP : cap > caps->highest_ranked)
        broken |= BIT(CAP_IMPLAUSIBLE);
    if (is_negative(row))
        broken |= BIT(NEGATIVE);
    if (high < low)
        broken |= BIT(HIGH_BELOW_LOW);
    if ((high > 0 && price > high * (1 + OFF_DAY)) || (low > 0 && price < low * (1 - OFF_DAY)))
        broken |= BIT(PRICE_OFF_DAY);
    if ((ath > 0 && price > ath * (1 + OFF_RECORD)) || (atl > 0 && price < atl * (1 - OFF_RECORD)))
        broken |= BIT(PRICE_OFF_RECORD);
    if (is_more(circulating, total) || is_more(total, max) || is_more(circulating, max))
        broken |= BIT(SUPPLY_ORDER);
    if (updated->kind == CELL_TIME && row[MARKET_FETCHED_AT].number - updated->number > DAY_US)
        broken |= BIT(STALE);
    return broken;
}

/* ---- a row against the one before ---- */

static bool has_jumped(const struct cell *row, const struct cell *before, size_t column, double by)
{
    double now = about(&row[column]), was = about(&before[column]);
    return now > 0 && was > 0 && (now > was * by || was > now * by);
}

static bool has_rank_jumped(const struct cell *row, const struct cell *before)
{
    const struct cell *now = &row[MARKET_MARKET_CAP_RANK], *was = &before[MARKET_MARKET_CAP_RANK];

    if (now->kind == CELL_NULL || was->kind == CELL_NULL || now->number < 1 || was->number < 1)
        return false;
    int64_t by = now->number > was->number ? now->number - was->number : was->number - now->number;
    int64_t better = now->number < was->number ? now->number : was->number;
    return by > JUMP_RANK && by > better / 2;
}

static uint16_t check_change(const struct cell *row, const struct cell *before)
{
    uint16_t broken = 0;

    if (has_jumped(row, before, MARKET_CURRENT_PRICE, JUMP_PRICE))
        broken |= BIT(PRICE_JUMP);
    if (has_rank_jumped(row, before))
        broken |= BIT(RANK_JUMP);
    if (has_jumped(row, before, MARKET_CIRCULATING_SUPPLY, JUMP_SUPPLY) ||
        has_jumped(row, before, MARKET_TOTAL_SUPPLY, JUMP_SUPPLY))
        broken |= BIT(SUPPLY_JUMP);
    return broken;
}

/* ---- flags ---- */

struct detail {
    char text[MAX_DETAIL];
    size_t len;
};

static void put(struct detail *d, struct str s)
{
    size_t n = s.len < MAX_DETAIL - d->len ? s.len : MAX_DETAIL - d->len;

    if (n > 0)
        memcpy(d->text + d->len, s.p, n);
    d->len += n;
}

/* Numbers and times have their lexeme; of a NULL there is nothing to see. */
static void put_cell(struct detail *d, const struct cell *c)
{
    put(d, c->kind == CELL_NULL ? STR("null") : cell_text(c));
}

static void put_column(struct detail *d, const struct cell *row, const struct cell *before,
                       size_t column)
{
    if (d->len > 0)
        put(d, STR(", "));
    put(d, str_of(market_table.columns[column].name));
    put(d, STR(" "));
    if (before) {
        put_cell(d, &before[column]);
        put(d, STR(" -> "));
    }
    put_cell(d, &row[column]);
}

static struct str describe(enum quality_rule rule, const struct cell *row,
                           const struct cell *before, struct arena *arena)
{
    struct detail d = {.len = 0};

    for (size_t i = 0; i < sizeof(shown[rule]) && shown[rule][i] != 0; i++)
        if (before == NULL || !cell_equal(&row[shown[rule][i]], &before[shown[rule][i]]))
            put_column(&d, row, before, shown[rule][i]);
    for (size_t i = 0; rule == QUALITY_NEGATIVE && i < sizeof(not_negative); i++)
        if (row[not_negative[i]].kind == CELL_NUM && row[not_negative[i]].number < 0)
            put_column(&d, row, NULL, not_negative[i]);
    return arena_str(arena, (struct str){d.text, d.len});
}

#define OF_CHANGE (BIT(PRICE_JUMP) | BIT(RANK_JUMP) | BIT(SUPPLY_JUMP))

/* Each row's flags, as bits; *ret_n: of them all. */
static uint16_t *find_due(const struct transform_input *in, const struct poll_rows *p,
                          struct arena *arena, size_t *ret_n)
{
    const struct poll_rows *prev = in->prev_rows;
    uint16_t *due = arena_alloc(arena, p->rows.n, sizeof(*due));
    bool is_same_hour =
        prev && time_floor(p->slot_us, HOUR_US) == time_floor(prev->slot_us, HOUR_US);
    bool is_same_day = prev && p->slot_us - prev->slot_us <= DAY_US;

    *ret_n = 0;
    for (size_t i = 0; due && i < p->rows.n; i++) {
        uint32_t before = prev ? p->prev_row[i] : COINS_NO_ROW;
        due[i] = p->quality[i];
        if (before != COINS_NO_ROW && is_same_hour)
            due[i] &= (uint16_t)~prev->quality[before];
        if (before != COINS_NO_ROW && is_same_day)
            due[i] |= check_change(rows_at(&p->rows, i), rows_at(&prev->rows, before));
        *ret_n += (size_t)__builtin_popcount(due[i]);
    }
    return due;
}

static enum st make_flags(const struct transform_input *in, struct poll_rows *p,
                          const uint16_t *due, size_t n, struct arena *arena, struct err *err)
{
    struct quality_flag *flags = arena_alloc(arena, n, sizeof(*flags));

    for (size_t i = 0; flags && i < p->rows.n; i++)
        for (unsigned bits = due[i]; bits != 0; bits &= bits - 1) {
            enum quality_rule rule = (enum quality_rule)__builtin_ctz(bits);
            const struct cell *before =
                OF_CHANGE >> rule & 1 ? rows_at(&in->prev_rows->rows, p->prev_row[i]) : NULL;
            struct str detail = describe(rule, rows_at(&p->rows, i), before, arena);
            if (detail.p == NULL)
                return walk_no_room(arena, err);
            flags[p->n_flags++] =
                (struct quality_flag){.row = (uint32_t)i, .rule = rule, .detail = detail};
        }
    p->flags = flags;
    return flags ? ST_OK : walk_no_room(arena, err);
}

enum st quality_find(const struct transform_input *in, struct poll_rows *p, struct arena *arena,
                     struct err *err)
{
    size_t n = 0;

    if (p->rows.table != &market_table)
        return ST_OK;
    const struct caps caps = find_caps(&p->rows);
    p->quality = arena_alloc(arena, p->rows.n, sizeof(*p->quality));
    for (size_t i = 0; p->quality && i < p->rows.n; i++)
        p->quality[i] = check_row(rows_at(&p->rows, i), &caps);
    const uint16_t *due = p->quality ? find_due(in, p, arena, &n) : NULL;
    if (due == NULL)
        return walk_no_room(arena, err);
    return make_flags(in, p, due, n, arena, err);
}
