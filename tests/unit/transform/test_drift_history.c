/* What the polls of some streams told, a line for each change. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/drift_history.h"

#include "base/clock.h"
#include "base/mem.h"
#include "tap.h"

#include <stdio.h>

#define DAY (86400 * US_PER_S)

static struct drift_history history;
static struct buf text = BUF_INIT(100000);

static void start(void)
{
    drift_history_release(&history);
    drift_history_init(&history);
}

/* A poll of that day, in so many tenths. */
static void poll(int tenths, const struct drift *drifts, size_t n)
{
    const struct poll_rows rows = {
        .slot_us = DAY / 10 * tenths, .rows_in = 250, .drifts = drifts, .n_drifts = n};

    drift_history_poll(&history, &rows);
}

#define POLL(tenths, ...)                             \
    poll(tenths, (const struct drift[]){__VA_ARGS__}, \
         sizeof((const struct drift[]){__VA_ARGS__}) / sizeof(struct drift))
#define SOUND(tenths) poll(tenths, NULL, 0)

/* All lines: "usd new: moon 1-3 x3 1 times lasts". */
static const char *lines(void)
{
    buf_clear(&text);
    for (size_t i = 0; i < history.n; i++) {
        const struct drift_line *line = &history.lines[i];
        const struct drift drift = drift_of_span(&line->span);
        buf_addf(&text, "%s%.*s ", i > 0 ? " | " : "", STR_ARG(line->job));
        drift_write(&text, &drift, 1);
        buf_addf(&text, " %d-%d x%d %d times%s", (int)(10 * line->span.first_us / DAY),
                 (int)(10 * line->span.last_us / DAY), (int)line->span.n_polls, (int)line->n_times,
                 line->lasts ? " lasts" : "");
    }
    return buf_z(&text);
}

static const struct drift moon = {.kind = DRIFT_NEW, .field = {"moon", 4}},
                          no_ath = {.kind = DRIFT_MISSING, .field = {"ath", 3}},
                          left = {.kind = DRIFT_MEMBERSHIP,
                                  .is_event = true,
                                  .field = {"coins", 5},
                                  .to = {"3 of 9 left", 11}};

static void a_line_has_its_first_and_its_last_poll(void)
{
    start();
    drift_history_begin(&history, STR("usd"));
    SOUND(1);
    POLL(2, moon);
    POLL(3, moon, no_ath);
    POLL(4, no_ath);
    POLL(5, left, no_ath);
    drift_history_end(&history);
    CHECK_Z(lines(), "usd new: moon 2-3 x2 1 times | usd missing: ath 3-5 x3 1 times lasts | usd "
                     "membership: coins (3 of 9 left) 5-5 x1 1 times");
    CHECK_EQ(history.n_polls, 5);
}

static void what_comes_and_goes_is_one_line(void)
{
    struct drift others_left = left;

    others_left.to = STR("4 of 9 left");
    start();
    drift_history_begin(&history, STR("usd"));
    for (int i = 0; i < 100; i += 2) {
        POLL(10 * i, moon, left);
        POLL(10 * i + 1, others_left);
    }
    drift_history_end(&history);
    CHECK_Z(lines(), "usd new: moon 0-980 x50 50 times | usd membership: coins (3 of 9 left) "
                     "0-981 x100 100 times");
}

static void what_comes_back_after_a_quiet_time_is_another(void)
{
    start();
    drift_history_begin(&history, STR("usd"));
    POLL(0, moon, left);
    SOUND(1);
    POLL(30, moon, left);
    SOUND(31);
    POLL(61, moon, left);
    SOUND(62);
    POLL(200, moon);
    POLL(900, moon); /* not quiet: it lasts */
    POLL(1000, moon);
    drift_history_end(&history);
    CHECK_Z(lines(), "usd new: moon 0-30 x2 2 times | usd membership: coins (3 of 9 left) 0-30 x2 "
                     "2 times | usd new: moon 61-61 x1 1 times | usd membership: coins (3 of 9 "
                     "left) 61-61 x1 1 times | usd new: moon 200-1000 x3 1 times lasts");
}

static void streams_have_lines_of_their_own_sorted_by_date(void)
{
    start();
    drift_history_begin(&history, STR("usd"));
    POLL(5, moon);
    drift_history_end(&history);
    drift_history_begin(&history, STR("eur"));
    POLL(2, no_ath);
    POLL(5, moon);
    drift_history_end(&history);
    drift_history_sort(&history);
    CHECK_Z(lines(), "eur missing: ath 2-2 x1 1 times | eur new: moon 5-5 x1 1 times lasts | usd "
                     "new: moon 5-5 x1 1 times lasts");
}

static void lines_beyond_the_limit_are_counted(void)
{
    char name[32];

    start();
    drift_history_begin(&history, STR("usd"));
    for (int i = 0; i < DRIFT_MAX_LINES + 5; i++) {
        snprintf(name, sizeof(name), "field %d", i);
        const struct drift drift = {.kind = DRIFT_NEW, .field = str_of(name)};
        poll(i, &drift, 1);
    }
    POLL(10 * DRIFT_MAX_LINES, left);
    drift_history_end(&history);
    CHECK_EQ(history.n, DRIFT_MAX_LINES);
    CHECK_EQ(history.n_left_out, 6);
    CHECK_EQ(history.lines[DRIFT_MAX_LINES - 1].span.n_polls, 1);
    drift_history_release(&history);
    buf_release(&text);
}

TAP_MAIN(TAP_CASE(a_line_has_its_first_and_its_last_poll),
         TAP_CASE(what_comes_and_goes_is_one_line),
         TAP_CASE(what_comes_back_after_a_quiet_time_is_another),
         TAP_CASE(streams_have_lines_of_their_own_sorted_by_date),
         TAP_CASE(lines_beyond_the_limit_are_counted))
