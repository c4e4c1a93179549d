/* Coins that alerts name and the store here has never seen, with what was meant. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/clock.h"
#include "base/mem.h"
#include "load/sink.h"
#include "pipeline/alerts.h"
#include "pipeline/setup.h"

#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#define MAX_NAMES  ((size_t)64 * 1024 * 1024) /* 17,000 coins' take 4 MB */
#define TIMEOUT_US (2 * US_PER_S)
#define MAX_NAMED  3
#define MAX_WRONG  2 /* letters */

/* The first store on this machine that is there: a check reaches for no server. */
static enum st open_local(const struct config *config, struct query **ret_query, struct err *err)
{
    struct sink_url *urls = mem_new(STATUS_MAX_SINKS, sizeof(*urls));
    const struct sink_driver *driver;
    size_t n = 0;

    *ret_query = NULL;
    enum st st = setup_sinks(config, cmd_data_dir(config), urls, &n, err);
    for (size_t i = 0; st == ST_OK && *ret_query == NULL && i < n; i++) {
        st = sink_driver_find(str_of(urls[i].scheme), &driver, err);
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): an array is never NULL */
        if (st == ST_OK && driver->is_path && driver->open_query && access(urls[i].rest, R_OK) == 0)
            st = driver->open_query(&urls[i], ret_query, err);
    }
    if (*ret_query)
        (*ret_query)->timeout_us = TIMEOUT_US;
    mem_free(urls);
    return st;
}

static bool is_symbol(const struct cell *coin, const char *text)
{
    const struct str symbol = cell_text(&coin[COIN_SYMBOL]);

    return symbol.len == strlen(text) && strncasecmp(symbol.p, text, symbol.len) == 0;
}

/* Up to MAX_NAMED ids: of that symbol, else as few letters away. False: it is one itself. */
static bool find_meant(const struct rows *coins, const char *text, struct buf *meant)
{
    size_t n = 0;

    for (size_t i = 0; i < coins->n; i++)
        if (str_eq(cell_text(&rows_at(coins, i)[COIN_ID]), str_of(text)))
            return false;
    for (size_t wrong = 0; wrong <= MAX_WRONG && n == 0; wrong++)
        for (size_t i = 0; i < coins->n && n < MAX_NAMED; i++) {
            const struct cell *coin = rows_at(coins, i);
            const struct str id = cell_text(&coin[COIN_ID]);
            if (wrong == 0 ? is_symbol(coin, text) : str_distance(str_of(text), id) == wrong)
                buf_addf(meant, "%s%.*s", n++ > 0 ? ", " : "", STR_ARG(id));
        }
    return true;
}

static void hint(const struct rows *coins, const struct alert_rule *rule)
{
    struct buf meant = BUF_INIT(1024);

    if (rule->coin[0] && find_meant(coins, rule->coin, &meant))
        fprintf(stderr, "geckotape: warning: %s: no coin \"%s\" has been seen here%s%s%s\n",
                rule->when, rule->coin, meant.len > 0 ? "; did you mean " : "", buf_z(&meant),
                meant.len > 0 ? "?" : "");
    buf_release(&meant);
}

void cmd_hint_coins(const struct config *config, const struct alerts *alerts)
{
    struct rows coins = {.n = 0};
    struct query *query = NULL;
    struct err ignored = ERR_INIT; /* a store that cannot be read is other checks' business */
    struct arena arena;

    arena_init(&arena, MAX_NAMES);
    enum st st = open_local(config, &query, &ignored);
    if (st == ST_OK && query && query->driver->names)
        st = query->driver->names(query, &arena, &coins, &ignored);
    for (size_t i = 0; st == ST_OK && coins.n > 0 && i < alerts_count(alerts); i++)
        hint(&coins, &alerts_at(alerts, i)->rule);
    if (query)
        query->driver->close(query);
    arena_release(&arena);
}
