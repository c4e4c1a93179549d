/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/backfill.h"

#include "base/log.h"
#include "base/mem.h"
#include "extract/charts.h"
#include "pipeline/covered.h"
#include "pipeline/demand.h"
#include "pipeline/lacks.h"
#include "pipeline/names.h"
#include "pipeline/spare.h"

#include <stdio.h>
#include <time.h>

#define MAX_GRAINS 4
#define MAX_TRIES  4 /* of a request that fails for a reason that may pass */
#define NAP_US     (2 * US_PER_S)
#define YEAR_US    (365 * 86400 * US_PER_S)
#define MARGIN_US  (600 * US_PER_S) /* a run may take longer than it was reckoned */
#define MAX_LINE   1024

#define LONGEST_KEY_US (10 * US_PER_S) /* that a plan waits for what /key says */

struct grain {
    const struct chart_grain *of;
    int64_t from_us, to_us; /* what is wanted, as far as the plan has it */
    int64_t wall_us;
    bool is_walled; /* it does not have all */
    size_t n_asks;
};

struct work {
    struct pipeline *p;
    const struct backfill *b;
    int api_plan;
    struct stream_id id;
    struct grain grains[MAX_GRAINS];
    size_t n_grains, n_coins;
    struct chart_ask *asks;
    size_t n_asks, max_asks, n_done, n_covered;
    struct lacks lacks; /* is_gaps */
    size_t n_lacking;   /* coins */
    size_t n_fine;      /* spans that have no point so fine */
    struct span *pieces;
    size_t n_pieces, max_pieces;
    struct chart_ask now; /* what is asked for */
    struct spare spare;   /* when it began */
    uint64_t n_made;      /* calls since */
    struct backfill_result result;
};

static bool go_on(void *ctx)
{
    const struct work *w = ctx;

    return w->b->progress == NULL || w->b->progress(w->b->ctx, w->n_done, w->n_asks);
}

static void say(const struct work *w, const char *fmt, ...) PRINTF(2, 3);

static void say(const struct work *w, const char *fmt, ...)
{
    char line[MAX_LINE];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    w->b->say(w->b->ctx, line);
}

/* ---- what is wanted ---- */

static enum st add_grain(struct work *w, struct str name, struct err *err)
{
    const struct chart_grain *grain = chart_grain_find(name, w->b->is_candle);
    const int64_t now_us = clock_wall_us(w->p->clock);
    struct buf known = BUF_INIT(256);
    enum st st = ST_OK;

    chart_grain_list(w->b->is_candle, w->api_plan, &known);
    if (grain == NULL)
        st = err_set(err, ST_REJECT, "--granularity: \"%.*s\" is not one of %s", STR_ARG(name),
                     buf_z(&known));
    else if (chart_wall(grain, w->api_plan, now_us, 0) == INT64_MAX)
        st = err_set(err, ST_REJECT,
                     "--granularity %s: candles so fine are of the plans analyst and lite; this "
                     "one has %s",
                     grain->name, buf_z(&known));
    else if (w->n_grains == MAX_GRAINS)
        st = err_set(err, ST_REJECT, "--granularity: more than %d", MAX_GRAINS);
    else
        w->grains[w->n_grains++] = (struct grain){.of = grain};
    buf_release(&known);
    return st;
}

static enum st read_grains(struct work *w, struct err *err)
{
    struct str rest = str_of(w->b->is_gaps ? "5m,hourly,daily" : w->b->grains), name;
    enum st st = ST_OK;

    while (st == ST_OK && rest.len > 0) {
        str_cut(&rest, ',', &name);
        st = add_grain(w, str_trim(name), err);
    }
    if (st == ST_OK && w->n_grains == 0)
        st = add_grain(w, w->b->is_candle ? STR("4d") : STR("daily"), err);
    return st;
}

/* How long so many requests take. */
static int64_t reckon_us(const struct work *w, size_t n)
{
    uint32_t rate = w->p->api.calls_per_minute;

    return (int64_t)n * 60 * US_PER_S / (rate > 0 ? rate : 1);
}

static void set_spans(struct work *w, int64_t margin_us)
{
    const int64_t now_us = clock_wall_us(w->p->clock);

    for (size_t i = 0; i < w->n_grains; i++) {
        struct grain *g = &w->grains[i];
        const int64_t newest_us = chart_newest(now_us);
        int64_t since_us = w->b->since_us != INT64_MIN ? w->b->since_us : now_us - YEAR_US;
        g->wall_us = chart_wall(g->of, w->api_plan, now_us, margin_us);
        g->to_us = w->b->until_us < newest_us ? w->b->until_us : newest_us;
        g->is_walled = w->b->since_us != INT64_MIN && since_us < g->wall_us - margin_us;
        g->from_us = since_us < g->wall_us ? g->wall_us : since_us;
    }
}

/* ---- the requests ---- */

static enum st add_asks(struct work *w, const struct grain *g, struct str coin,
                        const struct span *missing, struct err *err)
{
    const int64_t now_us = clock_wall_us(w->p->clock);
    int64_t from_us = missing->from_us;

    while (from_us < missing->until_us) {
        struct chart_ask ask = {.days = 0};
        snprintf(ask.coin, sizeof(ask.coin), "%.*s", STR_ARG(coin));
        if (!chart_cut(g->of, now_us, g->wall_us, &from_us, missing->until_us, &ask))
            continue;
        if (w->n_asks == BACKFILL_MAX_ASKS)
            return err_set(err, ST_REJECT,
                           "more than %d requests; take fewer coins, or a shorter span, at a time",
                           BACKFILL_MAX_ASKS);
        if (w->n_asks == w->max_asks) {
            w->max_asks = w->max_asks > 0 ? 2 * w->max_asks : 256;
            w->asks = mem_grow(w->asks, w->max_asks, sizeof(*w->asks));
        }
        w->asks[w->n_asks++] = ask;
    }
    return ST_OK;
}

/* What of the span is not on the tape: pieces shorter than a step have no point. */
static enum st plan_coin(struct work *w, const struct covered *covered, struct grain *g,
                         struct str coin, struct err *err)
{
    const struct covered_key key = {coin, g->of->is_candle, g->of->step_us};
    struct span whole = {g->from_us, g->to_us}, missing;
    const size_t n_before = w->n_asks;
    enum st st = ST_OK;

    while (st == ST_OK && covered_next(covered, &key, &whole, &missing))
        if (missing.until_us - missing.from_us >= g->of->step_us)
            st = add_asks(w, g, coin, &missing, err);
    w->n_covered += n_before == w->n_asks;
    g->n_asks += w->n_asks - n_before;
    return st;
}

/* ---- gaps ---- */

/* Is there a point of the grid in it? */
static bool has_point(const struct span *s, int64_t step_us)
{
    return s->from_us < s->until_us && time_floor(s->until_us - 1, step_us) >= s->from_us;
}

static void add_piece(struct work *w, const struct span *piece)
{
    if (w->n_pieces == w->max_pieces) {
        w->max_pieces = w->max_pieces > 0 ? 2 * w->max_pieces : 64;
        w->pieces = mem_grow(w->pieces, w->max_pieces, sizeof(*w->pieces));
    }
    w->pieces[w->n_pieces++] = *piece;
}

/* What of the span is not on the tape so fine. Points lie a little behind their grid, so it is
 * asked up to the next one. */
static void add_missing(struct work *w, const struct covered *covered, const struct grain *g,
                        const char *coin, struct span s)
{
    const int64_t step_us = g->of->step_us, newest_us = chart_newest(clock_wall_us(w->p->clock));
    const struct covered_key key = {str_of(coin), false, step_us};
    struct span missing;

    s.from_us = time_floor(s.from_us, step_us);
    s.until_us = time_floor(s.until_us - 1, step_us) + step_us;
    s.from_us = s.from_us > g->wall_us ? s.from_us : g->wall_us;
    s.until_us = s.until_us < newest_us ? s.until_us : newest_us;
    while (covered_next(covered, &key, &s, &missing))
        if (has_point(&missing, step_us))
            add_piece(w, &missing);
}

/* … nor on it finer than that, in a grain from `finer` on, which once reached so far back. False:
 * all of the span is. */
static bool add_rest(struct work *w, const struct covered *covered, const struct grain *g,
                     const struct grain *finer, const char *coin, struct span s)
{
    const struct covered_key key = {str_of(coin), false, finer->of->step_us};
    bool has_rest = finer == g;
    struct span rest;

    if (finer == g && has_point(&s, g->of->step_us))
        add_missing(w, covered, g, coin, s);
    while (finer < g && covered_next(covered, &key, &s, &rest))
        has_rest |= add_rest(w, covered, g, finer + 1, coin, rest);
    return has_rest;
}

/* What of the span falls to this grain. */
static void add_pieces(struct work *w, const struct covered *covered, const struct grain *g,
                       const struct lack *lack)
{
    struct span s = lack->span;

    s.from_us = s.from_us > g->from_us ? s.from_us : g->from_us;
    s.until_us = s.until_us < g->to_us ? s.until_us : g->to_us;
    if (s.from_us < s.until_us && add_rest(w, covered, g, w->grains, lack->coin, s) &&
        !has_point(&s, g->of->step_us))
        w->n_fine++;
}

/* One request brings all pieces of a coin that lie near enough to each other. */
static enum st ask_for_pieces(struct work *w, const struct grain *g, const char *coin,
                              struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < w->n_pieces;) {
        struct span all = w->pieces[i++];
        while (i < w->n_pieces && w->pieces[i].until_us - all.from_us <= g->of->most_us)
            all.until_us = w->pieces[i++].until_us;
        st = add_asks(w, g, str_of(coin), &all, err);
    }
    return st;
}

static enum st plan_gaps(struct work *w, const struct covered *covered, struct err *err)
{
    const struct lacks *lacks = &w->lacks;
    enum st st = ST_OK;

    w->n_asks = w->n_fine = w->n_lacking = 0;
    for (size_t from = 0, end; st == ST_OK && from < lacks->n; from = end) {
        for (end = from + 1; end < lacks->n && lacks->all[end].coin == lacks->all[from].coin;)
            end++;
        for (size_t i = 0; st == ST_OK && i < w->n_grains; i++) {
            w->n_pieces = 0;
            for (size_t k = from; k < end; k++)
                add_pieces(w, covered, &w->grains[i], &lacks->all[k]);
            st = ask_for_pieces(w, &w->grains[i], lacks->all[from].coin, err);
        }
        w->n_lacking++;
    }
    return st;
}

/* Each grain reaches back to its wall, and the finest that does counts. */
static void set_gap_spans(struct work *w)
{
    for (size_t i = w->n_grains; i-- > 1;)
        if (w->grains[i].to_us > w->grains[i - 1].from_us)
            w->grains[i].to_us = w->grains[i - 1].from_us;
}

/* ---- all ---- */

static enum st plan(struct work *w, const struct covered *covered, struct err *err)
{
    enum st st = ST_OK;
    struct str rest = str_of(w->b->coins), coin;

    w->n_asks = w->n_covered = w->n_coins = 0;
    for (size_t i = 0; i < w->n_grains; i++)
        w->grains[i].n_asks = 0;
    while (st == ST_OK && rest.len > 0) {
        str_cut(&rest, '\n', &coin);
        if (coin.len == 0)
            continue;
        if (w->n_coins++ == BACKFILL_MAX_COINS || coin.len > CHARTS_MAX_COIN)
            return err_set(err, ST_REJECT, "more than %d coins, or an id that is none",
                           BACKFILL_MAX_COINS);
        for (size_t i = 0; st == ST_OK && i < w->n_grains; i++)
            if (w->grains[i].from_us < w->grains[i].to_us)
                st = plan_coin(w, covered, &w->grains[i], coin, err);
    }
    return st;
}

/* ---- the plan, told ---- */

static void say_spans(const struct work *w)
{
    char from[TIME_TEXT], to[TIME_TEXT];

    for (size_t i = 0; i < w->n_grains; i++) {
        const struct grain *g = &w->grains[i];
        time_format(time_floor(g->from_us, US_PER_S), from);
        time_format(time_floor(g->to_us, US_PER_S), to);
        if (g->from_us < g->to_us)
            say(w, "  %-7s %s of %zu coin%s in %s from %s to %s", g->of->name,
                g->of->is_candle ? "candles" : "points", w->n_coins, w->n_coins == 1 ? "" : "s",
                w->b->vs, from, to);
        if (g->is_walled)
            say(w, "  %-7s nothing before %s: the plan %s has no older ones so fine", g->of->name,
                from, config_plan(w->api_plan)->name);
    }
}

static void say_gaps(const struct work *w)
{
    char from[TIME_TEXT], hourly[TIME_TEXT], daily[TIME_TEXT];

    time_format(time_floor(w->grains[w->n_grains - 1].from_us, US_PER_S), from);
    time_format(time_floor(w->grains[0].from_us, US_PER_S), hourly);
    time_format(time_floor(w->grains[1].from_us, US_PER_S), daily);
    say(w, "  %zu gap%s since %s; %zu of %zu coins lack something", w->lacks.n_gaps,
        w->lacks.n_gaps == 1 ? "" : "s", from, w->n_lacking, w->lacks.n_coins);
    if (w->n_fine > 0)
        say(w,
            "  %zu of these spans %s too short to fill: CoinGecko has no point of them, before %s "
            "only hourly ones, before %s daily ones",
            w->n_fine, w->n_fine == 1 ? "is" : "are", hourly, daily);
}

/* The coarsest grain alone, when there are finer ones and it fits. NULL: not so. */
static const struct grain *fitting_grain(const struct work *w)
{
    const struct grain *coarsest = &w->grains[0];

    for (size_t i = 1; i < w->n_grains; i++)
        if (w->grains[i].of->step_us > coarsest->of->step_us)
            coarsest = &w->grains[i];
    return !w->b->is_gaps && w->n_grains > 1 && coarsest->n_asks <= w->spare.calls ? coarsest
                                                                                   : NULL;
}

static void say_what_fits(const struct work *w)
{
    const size_t n_coins = w->b->is_gaps ? w->n_lacking : w->n_coins;
    const size_t a_coin = n_coins > 0 ? (w->n_asks + n_coins - 1) / n_coins : 1;
    const size_t n_fit = w->spare.calls / a_coin;
    const struct grain *grain = fitting_grain(w);
    char coins[64] = "", grains[64] = "", until[TIME_TEXT];

    if (n_fit > 0 && n_fit < n_coins)
        snprintf(coins, sizeof(coins), "%zu coin%s at a time, ", n_fit, n_fit == 1 ? "" : "s");
    if (grain)
        snprintf(grains, sizeof(grains), "--granularity %s alone (%zu calls), ", grain->of->name,
                 grain->n_asks);
    time_format(w->spare.until_us, until);
    say(w,
        "  it stops at %llu calls; what fits: %s%sa shorter span, or the rest by the same backfill "
        "from %.10s on",
        (unsigned long long)w->spare.calls, coins, grains, until);
}

static void say_budget(const struct work *w)
{
    const struct spare *s = &w->spare;
    const bool fits = w->n_asks <= s->calls;
    char until[TIME_TEXT], jobs[64];

    if (!s->has_bound || w->n_asks == 0)
        return;
    time_format(s->until_us, until);
    snprintf(jobs, sizeof(jobs),
             s->wanted > 0 ? "the jobs here want %llu of them" : "no job is polled here",
             (unsigned long long)s->wanted);
    say(w, "  the budget has %llu of %llu calls left until %.10s, %s: it %s",
        (unsigned long long)s->left, (unsigned long long)s->all, until, jobs,
        !fits                                       ? "does not fit"
        : s->left < s->wanted + (uint64_t)w->n_asks ? "fits, and they leave out more of their slots"
                                                    : "fits");
    if (!fits)
        say_what_fits(w);
}

static void say_plan(const struct work *w)
{
    const struct plan *plan = config_plan(w->api_plan);
    char took[TIME_TEXT];

    say(w, "plan of the backfill, onto the stream %s:", w->id.job);
    if (w->b->is_gaps)
        say_gaps(w);
    else
        say_spans(w);
    if (w->n_covered > 0)
        say(w, "  %zu of %zu series %s on the tape already", w->n_covered, w->n_coins * w->n_grains,
            w->n_covered == 1 ? "is" : "are");
    duration_format((reckon_us(w, w->n_asks) + US_PER_S - 1) / US_PER_S * US_PER_S, took);
    if (w->p->api.key[0] == '\0')
        say(w, "  %zu call%s, no credits without a key, about %s at %u calls a minute", w->n_asks,
            w->n_asks == 1 ? "" : "s", took, w->p->api.calls_per_minute);
    else if (plan->calls_per_month > 0)
        say(w,
            "  %zu call%s, as many credits of the %lld that the plan %s has a month, about %s at "
            "%u calls a minute",
            w->n_asks, w->n_asks == 1 ? "" : "s", (long long)plan->calls_per_month, plan->name,
            took, w->p->api.calls_per_minute);
    else
        say(w, "  %zu call%s, as many credits, about %s at %u calls a minute", w->n_asks,
            w->n_asks == 1 ? "" : "s", took, w->p->api.calls_per_minute);
    say_budget(w);
}

/* ---- the work ---- */

static void say_refused(struct work *w, const struct asked_poll *poll)
{
    struct buf target = BUF_INIT(2048);

    chart_target(&w->now, w->b->vs, &target);
    say(w, "not had: %s: %s", buf_z(&target), poll->error);
    w->result.n_refused++;
    buf_release(&target);
}

/* Wait a little, as long as somebody wants to. */
static void nap(struct work *w, int64_t us)
{
    for (; us > 0 && go_on(w); us -= US_PER_S / 10)
        nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
}

/* ST_AGAIN: the next call would be one that the budget does not have, or keeps for the jobs. */
static enum st check_budget(const struct work *w, struct err *err)
{
    const struct spare now = spare_now(w->p->status, clock_wall_us(w->p->clock));
    char until[TIME_TEXT];

    if (spare_has_one(&now, &w->spare, w->n_made))
        return ST_OK;
    time_format(now.until_us, until);
    if (now.left == 0)
        return err_set(err, ST_AGAIN, "the budget of %llu calls is spent until %.10s",
                       (unsigned long long)now.all, until);
    return err_set(err, ST_AGAIN,
                   "the budget keeps the %llu calls that are left until %.10s for the jobs",
                   (unsigned long long)now.left, until);
}

static enum st ask(struct work *w, const struct stream *stream, struct err *err)
{
    struct asked_poll poll = {.ticket = 0};
    bool is_permanent = false;
    struct err why = ERR_INIT;
    enum st st = ST_OK;

    for (int try = 1; try <= MAX_TRIES; try++) {
        st = check_budget(w, &why);
        if (st != ST_OK)
            break;
        w->n_made++;
        st = demand_poll(w->p, stream, &w->now, go_on, w, &poll, &is_permanent, &why);
        if (st != ST_OK || poll.outcome == POLL_OK || is_permanent)
            break;
        nap(w, try * NAP_US);
    }
    if (st != ST_OK)
        return err_set(err, st, "%s; the same backfill goes on where it was", why.msg);
    if (poll.outcome == POLL_OK)
        w->result.n_ok++;
    else if (is_permanent)
        say_refused(w, &poll);
    else
        st = err_set(err, ST_AGAIN, "%s; the same backfill goes on where it was", poll.error);
    return st;
}

/* What only /key tells is known when it has answered. */
static void await_bound(struct work *w)
{
    const struct extract_api *api = &w->p->api;
    const int64_t until_us = clock_mono_us(w->p->clock) + LONGEST_KEY_US;
    bool is_met = !api->is_budget_by_key || api->budget > 0 || api->key_path == NULL;

    while (!is_met && go_on(w) && clock_mono_us(w->p->clock) < until_us) {
        is_met = status_lock(w->p->status)->key.checked_us != 0;
        status_unlock(w->p->status);
        nanosleep(&(struct timespec){.tv_nsec = is_met ? 0 : 100 * 1000 * 1000}, NULL);
    }
    w->spare = spare_now(w->p->status, clock_wall_us(w->p->clock));
}

static enum st ask_all(struct work *w, struct err *err)
{
    const struct selection selection = {.kind = SELECT_CHART};
    struct stream *stream;

    enum st st = demand_begin(w->p, &w->id, &selection, &stream, err);
    if (st != ST_OK)
        return st;
    for (w->n_done = 0; st == ST_OK && w->n_done < w->n_asks; w->n_done++) {
        w->now = w->asks[w->n_done];
        st = go_on(w) ? ask(w, stream, err)
                      : err_set(err, ST_AGAIN, "stopped; the same backfill goes on where it was");
    }
    demand_end(w->p, stream);
    log_info("control", "backfill done", LOG_Z("job", w->id.job), LOG_I("polls", w->result.n_ok));
    return st;
}

static enum st plan_from(struct work *w, const struct covered *covered, int64_t margin_us,
                         struct err *err)
{
    set_spans(w, margin_us);
    if (!w->b->is_gaps)
        return plan(w, covered, err);
    set_gap_spans(w);
    return plan_gaps(w, covered, err);
}

/* Twice: what there is to ask for tells how long it takes, and so how near the wall it may go. */
static enum st plan_within_wall(struct work *w, struct err *err)
{
    struct covered *covered;

    enum st st = covered_read(w->p->setup.data_dir, w->id.job, &covered, err);
    if (st != ST_OK)
        return st;
    st = plan_from(w, covered, 0, err);
    if (st == ST_OK)
        st = plan_from(w, covered, MARGIN_US + 2 * reckon_us(w, w->n_asks), err);
    covered_free(covered);
    return st;
}

static enum st find_lacks(struct work *w, struct err *err)
{
    set_spans(w, 0);
    const struct grain *coarsest = &w->grains[w->n_grains - 1];
    const struct span within = {coarsest->from_us, coarsest->to_us};

    return lacks_find(w->p, w->b->coins, w->b->vs, within, &w->lacks, err);
}

static void name_stream(struct work *w)
{
    snprintf(w->id.job, sizeof(w->id.job), "backfill-%s%.24s", w->b->is_candle ? "ohlc-" : "",
             w->b->vs);
    snprintf(w->id.endpoint, sizeof(w->id.endpoint), "%s",
             w->b->is_candle ? "coins/ohlc" : "coins/market_chart");
    snprintf(w->id.vs_currency, sizeof(w->id.vs_currency), "%.24s", w->b->vs);
    snprintf(w->id.selection, sizeof(w->id.selection), TAPE_BACKFILL);
}

enum st backfill_run(struct pipeline *p, const struct backfill *b,
                     struct backfill_result *ret_result, struct err *err)
{
    struct work *w = mem_new(1, sizeof(*w));

    *w = (struct work){.p = p, .b = b, .api_plan = p->setup.config->api_plan};
    name_stream(w);
    enum st st = read_grains(w, err);
    if (st == ST_OK)
        st = b->is_gaps ? find_lacks(w, err) : names_check(p, b->coins, b->vs, go_on, w, err);
    if (st == ST_OK)
        st = plan_within_wall(w, err);
    w->result.n_asks = w->n_asks;
    if (st == ST_OK)
        await_bound(w);
    if (st == ST_OK && !b->is_quiet)
        say_plan(w);
    if (st == ST_OK && !b->is_dry_run && w->n_asks > 0)
        st = ask_all(w, err);
    *ret_result = w->result;
    lacks_release(&w->lacks);
    mem_free(w->pieces);
    mem_free(w->asks);
    mem_free(w);
    return st;
}

void backfill_say_result(const struct backfill *b, const struct backfill_result *result)
{
    char line[MAX_LINE];

    if (result->n_asks == 0)
        snprintf(line, sizeof(line), "nothing is missing that the plan has");
    else
        snprintf(line, sizeof(line), "%zu of %zu charts are on the tape", result->n_ok,
                 result->n_asks);
    b->say(b->ctx, line);
}
