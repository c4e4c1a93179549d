/* A verb asks the running process for a backfill. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/backfill.h"
#include "pipeline/requests.h"

#include <stdio.h>

#define REDRAW_US (200 * US_PER_MS)

struct backfill_work {
    const struct request *request;
    int64_t drawn_us;
};

static void say(void *ctx, const char *line)
{
    const struct backfill_work *work = ctx;
    control_say(work->request->reply, "%s", line);
}

static bool show_progress(void *ctx, size_t n_done, size_t n_all)
{
    struct backfill_work *work = ctx;
    int64_t now_us = clock_mono_us(work->request->p->clock);
    char text[128];

    if (n_all == 0 || now_us - work->drawn_us < REDRAW_US)
        return control_is_open(work->request->reply);
    work->drawn_us = now_us;
    snprintf(text, sizeof(text), "%zu of %zu calls", n_done, n_all);
    return control_progress(work->request->reply, text);
}

static enum st backfill(const struct request *r, struct err *err)
{
    struct backfill_work work = {.request = r};
    struct backfill_result result = {.n_asks = 0};
    const char *grains = request_word(r, "grains");
    struct backfill b = {.coins = request_word(r, "coins"),
                         .vs = request_word(r, "vs"),
                         .grains = grains ? grains : "",
                         .is_gaps = request_is_set(r, "gaps"),
                         .is_candle = request_is_set(r, "ohlc") && !request_is_set(r, "gaps"),
                         .is_dry_run = request_is_set(r, "dry_run"),
                         .is_quiet = request_is_set(r, "quiet"),
                         .ctx = &work,
                         .say = say,
                         .progress = show_progress};

    if (b.coins == NULL && b.is_gaps)
        b.coins = "";
    if (b.coins == NULL || b.vs == NULL)
        return err_set(err, ST_REJECT, "backfill: of which coins, in which currency?");
    enum st st = request_number(r, "since_us", INT64_MIN, &b.since_us, err);
    if (st == ST_OK)
        st = request_number(r, "until_us", INT64_MAX, &b.until_us, err);
    if (st == ST_OK)
        st = backfill_run(r->p, &b, &result, err);
    if (!b.is_dry_run && (st == ST_OK || result.n_ok > 0))
        backfill_say_result(&b, &result);
    if (st == ST_OK && result.n_refused > 0)
        return err_set(err, ST_REJECT, "%zu of %zu charts were refused for good", result.n_refused,
                       result.n_asks);
    return st;
}

enum st request_backfill(const struct request *r, struct err *err)
{
    if (pthread_mutex_trylock(&r->p->backfilling) != 0)
        return err_set(err, ST_AGAIN, "another backfill is at work; try again when it is done");
    enum st st = backfill(r, err);
    pthread_mutex_unlock(&r->p->backfilling);
    return st;
}
