/* SPDX-License-Identifier: Apache-2.0 */
#include "polls.h"
#include "subject.h"

#include <stdio.h>
#include <stdlib.h>

static struct query *held;

static void make_url(const char *dir, char *ret_url, size_t size)
{
    snprintf(ret_url, size, "memory:%s", dir);
}

static void hold(const struct sink_url *url)
{
    const struct sink_driver *driver;
    struct err err = ERR_INIT;

    if (sink_driver_find(STR("memory"), &driver, &err) != ST_OK ||
        driver->open_query(url, &held, &err) != ST_OK)
        abort();
}

static void let_go(void)
{
    held->driver->close(held);
}

static void show(const char *dir, const struct sink_url *url, const char *job, int64_t slot_us,
                 struct buf *ret_text)
{
    const struct market_query args = {.vs_currency = strstr(job, "eur") ? STR("eur") : STR("usd"),
                                      .order = ORDER_ID_ASC};
    struct arena arena;
    struct rows rows;
    struct err err = ERR_INIT;

    (void)dir, (void)url;
    arena_init(&arena, 1 << 20);
    if (strstr(job, "list")) { /* names, of whatever poll */
        if (held->driver->coins(held, &arena, &rows, &err) != ST_OK)
            abort();
        for (size_t i = 0; i < rows.n; i++) {
            cell_add_text(ret_text, &rows_at(&rows, i)[COIN_ID]);
            buf_add_char(ret_text, '=');
            cell_add_text(ret_text, &rows_at(&rows, i)[COIN_NAME]);
            buf_add_char(ret_text, ' ');
        }
        arena_release(&arena);
        return;
    }
    if (held->driver->market(held, &args, &arena, &rows, &err) != ST_OK)
        abort();
    for (size_t i = 0; i < rows.n; i++) {
        const struct cell *row = rows_at(&rows, i);
        if (row[MARKET_FETCHED_AT].number != slot_us + US_PER_S)
            continue;
        cell_add_text(ret_text, &row[MARKET_ID]);
        buf_add_char(ret_text, '=');
        cell_add_text(ret_text, &row[MARKET_CURRENT_PRICE]);
        buf_add_char(ret_text, ' ');
    }
    arena_release(&arena);
}

const struct subject subject = {.scheme = "memory",
                                .has_store = true,
                                .make_url = make_url,
                                .hold = hold,
                                .let_go = let_go,
                                .show = show};
