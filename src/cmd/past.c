/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/past.h"

#include "cmd/instant.h"

enum st span_choose(const struct config *config, const struct query *query, int64_t default_us,
                    struct span *ret, struct err *err)
{
    const int64_t now_us = clock_wall_us(clock_system());
    enum st st = ST_OK;

    ret->until_us = query->at_us != 0 ? query->at_us + 1 : now_us;
    if (config->until[0])
        st = instant_parse("--until", config->until, now_us, &ret->until_us, err);
    ret->from_us = ret->until_us > default_us ? ret->until_us - default_us : 0;
    if (st == ST_OK && config->since[0])
        st = instant_parse("--since", config->since, now_us, &ret->from_us, err);
    if (st == ST_OK && ret->from_us >= ret->until_us)
        st = err_set(err, ST_REJECT, "--since: not before %s",
                     config->until[0] ? "--until" : "the moment asked for");
    return st;
}

enum { CANDLE_OPEN = CANDLE_START + 1, N_CANDLE = CANDLE_OPEN + N_OHLC_COLUMNS - OHLC_OPEN };
static const struct column candle_columns[N_CANDLE] = {
    {.name = "id", .kind = CELL_TEXT},        {.name = "start", .kind = CELL_TIME},
    {.name = "open", .kind = CELL_NUM},       {.name = "high", .kind = CELL_NUM},
    {.name = "low", .kind = CELL_NUM},        {.name = "close", .kind = CELL_NUM},
    {.name = "market_cap", .kind = CELL_NUM}, {.name = "total_volume", .kind = CELL_NUM},
};
const struct table candle_table = {
    .name = "candle", .columns = candle_columns, .n_columns = N_CANDLE};

enum st candles_read(struct query *query, const struct chart_query *args, struct arena *arena,
                     struct rows *ret_rows, struct err *err)
{
    struct chart_query ends = *args;
    struct rows ohlc, rows = {.table = &candle_table};

    ends.from_us -= 1;
    ends.to_us -= 1;
    enum st st = query->driver->ohlc(query, &ends, arena, &ohlc, err);
    if (st != ST_OK)
        return st;
    rows.n = ohlc.n;
    rows.cells = arena_alloc(arena, ohlc.n + 1, N_CANDLE * sizeof(*rows.cells));
    if (rows.cells == NULL)
        return err_set(err, ST_REJECT, "that is more than %zu bytes; ask for less", arena->max);
    for (size_t i = 0; i < ohlc.n; i++) {
        const struct cell *from = rows_at(&ohlc, i);
        struct cell *row = rows_at(&rows, i);
        row[CANDLE_ID] = cell_of_text(args->id);
        row[CANDLE_START] = cell_of_time(from[OHLC_TIME].number - args->step_us);
        for (size_t k = 0; k < N_OHLC_COLUMNS - OHLC_OPEN; k++)
            row[CANDLE_OPEN + k] = from[OHLC_OPEN + k];
    }
    *ret_rows = rows;
    return ST_OK;
}
