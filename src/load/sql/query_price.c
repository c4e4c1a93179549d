/* The price of a coin at a moment: the last that any job knew. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "load/sql/candles.h"
#include "load/sql/chart.h"

/* The columns of priced.sql. */
enum { PRICED_JOB_ID, PRICED_JOB, PRICED_SLOT, N_PRICED };
static const struct column priced_columns[N_PRICED] = {
    {.name = "job_id", .kind = CELL_INT},
    {.name = "job", .kind = CELL_TEXT},
    {.name = "slot", .kind = CELL_TIME},
};
static const struct table priced_table = {
    .name = "priced", .columns = priced_columns, .n_columns = N_PRICED};

struct priced_args {
    const struct price_query *price;
    int64_t coin_id;
};

static void bind_priced(struct stmt *stmt, const void *args)
{
    const struct priced_args *priced = args;

    db_bind_int(stmt, ":coin_id", priced->coin_id);
    db_bind_text(stmt, ":vs_currency", priced->price->vs_currency);
    db_bind_int(stmt, ":at", priced->price->at_us);
}

/* The polls of a job since that which stored the price, as far as rows may have been left out. */
static enum st draw_price(struct chart *c, const struct cell *priced, struct err *err)
{
    const int64_t slot_us = priced[PRICED_SLOT].number;
    const int64_t last_us = time_floor(slot_us, CANDLE_1H_US) + CANDLE_1H_US - 1;
    const struct reader_job job = {.job_id = priced[PRICED_JOB_ID].number, .at_us = c->to_us};
    const int64_t until_us = c->to_us < last_us ? c->to_us : last_us;

    *c->steps = (struct stretch){.is_known = false};
    return chart_draw_polls(c, &job, slot_us, until_us, err);
}

/* Of all jobs the price that came last; of several that came together, the first job's. */
static enum st find_price(struct chart *c, const struct price_query *args,
                          struct known_price *ret_price, bool *ret_is_known, struct err *err)
{
    struct priced_args priced = {.price = args};
    struct rows jobs = {.table = &priced_table};
    struct collected collected = {.rows = &jobs, .arena = c->arena};
    bool is_known = false;

    *ret_is_known = false;
    enum st st = chart_find_coin(c, &is_known, err);
    priced.coin_id = c->coin_id;
    if (st == ST_OK && is_known)
        st = reader_ask(c->r, DB_QUERY_PRICED, bind_priced, &priced, &collected, err);
    for (size_t i = 0; st == ST_OK && i < jobs.n; i++) {
        const struct cell *job = rows_at(&jobs, i);
        st = draw_price(c, job, err);
        if (st != ST_OK || !c->steps->is_known ||
            (*ret_is_known && c->steps->last_us <= ret_price->known_us))
            continue;
        *ret_is_known = true;
        *ret_price = (struct known_price){.price = c->steps->close,
                                          .known_us = c->steps->last_us,
                                          .job = cell_text(&job[PRICED_JOB]),
                                          .slot_us = c->steps->last_slot_us};
    }
    return st;
}

enum st reader_price(struct query *q, const struct price_query *args, struct arena *arena,
                     struct known_price *ret_price, bool *ret_is_known, struct err *err)
{
    struct stretch step = {.is_known = false};
    struct chart c = {.r = q->state,
                      .arena = arena,
                      .id = args->id,
                      .after_us = -1,
                      .to_us = args->at_us,
                      .rows_after_us = -1,
                      .rows_to_us = args->at_us,
                      .step_us = INT64_MAX,
                      .steps = &step,
                      .n_steps = 1};

    enum st st = reader_begin(c.r, err);
    if (st == ST_OK)
        st = find_price(&c, args, ret_price, ret_is_known, err);
    return reader_end(c.r, st, err);
}
