/* SPDX-License-Identifier: Apache-2.0 */
#include "query/coverage.h"

#include "base/clock.h"
#include "tap.h"

#include <stdio.h>

#define DAY_US  (86400 * US_PER_S)
#define HOUR_US (3600 * US_PER_S)
#define D0      (INT64_C(20780) * DAY_US) /* midnight */

static struct arena arena;
static struct coverage coverage;

static void begin(int n_days)
{
    arena_init(&arena, 1 << 20);
    if (!coverage_begin(&coverage, D0, D0 + n_days * DAY_US, &arena))
        abort();
}

static void add(int64_t slot_us, const char *outcome, int64_t next_due_us)
{
    coverage_add(&coverage, &(struct coverage_poll){slot_us, next_due_us, str_of(outcome)});
}

/* An hourly poll that was scheduled. */
static void hourly(int64_t hour, const char *outcome)
{
    add(D0 + hour * HOUR_US, outcome, D0 + (hour + 1) * HOUR_US);
}

/* "ok/partial/failed/aborted promised missed gaps minutes" of a day. */
static const char *day(size_t i)
{
    static char text[200];
    const struct cell *row = rows_at(&coverage.rows, i);

    snprintf(text, sizeof(text), "%lld/%lld/%lld/%lld %lld %lld %lld %lld",
             (long long)row[COVERAGE_OK].number, (long long)row[COVERAGE_PARTIAL].number,
             (long long)row[COVERAGE_FAILED].number, (long long)row[COVERAGE_ABORTED].number,
             (long long)row[COVERAGE_PROMISED].number, (long long)row[COVERAGE_MISSED].number,
             (long long)row[COVERAGE_GAPS].number, (long long)row[COVERAGE_GAP_MS].number / 60000);
    return text;
}

static void days_count_outcomes_and_kept_promises(void)
{
    begin(2);
    hourly(-1, "ok"); /* before: only its promise counts */
    for (int hour = 0; hour < 24; hour++)
        hourly(hour, hour == 3 ? "partial" : hour == 4 ? "failed" : "ok");
    hourly(24, "ok");
    coverage_end(&coverage, D0 + 24 * HOUR_US + 1);
    CHECK_EQ(rows_at(&coverage.rows, 1)[COVERAGE_DAY].number, D0 + DAY_US);
    CHECK_Z(day(0), "22/1/1/0 24 0 0 0");
    CHECK_Z(day(1), "1/0/0/0 1 0 0 0");
    arena_release(&arena);
}

static void a_gap_over_midnight_is_in_both_days(void)
{
    begin(3);
    hourly(20, "ok"); /* nobody promised it */
    hourly(30, "ok"); /* 21 … 29 are missed, 21, 22 and 23 of the first day */
    coverage_end(&coverage, D0 + 31 * HOUR_US);
    CHECK_Z(day(0), "1/0/0/0 3 3 1 180");
    CHECK_Z(day(1), "1/0/0/0 7 6 1 360");
    CHECK_Z(day(2), "0/0/0/0 0 0 0 0");
    arena_release(&arena);
}

static void a_gap_that_nothing_ends_lasts_until_now(void)
{
    begin(2);
    hourly(20, "ok");
    coverage_end(&coverage, D0 + 21 * HOUR_US + 30 * US_PER_S); /* has a minute to arrive */
    CHECK_Z(day(0), "1/0/0/0 0 0 0 0");
    arena_release(&arena);
    begin(2);
    hourly(20, "ok");
    coverage_end(&coverage, D0 + 25 * HOUR_US);
    CHECK_Z(day(0), "1/0/0/0 3 3 1 180");
    CHECK_Z(day(1), "0/0/0/0 1 1 1 60");
    arena_release(&arena);
}

static void a_gap_from_before_to_behind_covers_the_days(void)
{
    begin(2);
    hourly(-30, "ok");
    add(D0 + 60 * HOUR_US, "ok", 0);
    coverage_end(&coverage, D0 + 90 * HOUR_US);
    CHECK_Z(day(0), "0/0/0/0 24 24 1 1440");
    CHECK_Z(day(1), "0/0/0/0 24 24 1 1440");
    arena_release(&arena);
}

static void polls_that_were_asked_for_or_aborted_keep_no_promise(void)
{
    begin(1);
    hourly(1, "ok");
    add(D0 + HOUR_US + 1234567, "ok", D0 + 2 * HOUR_US); /* asked for */
    hourly(2, "aborted");
    hourly(3, "ok");
    hourly(3, "ok"); /* by another collector */
    coverage_end(&coverage, D0 + 3 * HOUR_US);
    CHECK_Z(day(0), "4/0/0/1 2 1 1 60");
    arena_release(&arena);
}

static void a_slot_that_was_aborted_and_came_again_is_kept(void)
{
    begin(1);
    hourly(1, "ok");
    hourly(2, "aborted");
    hourly(2, "ok");
    coverage_end(&coverage, D0 + 2 * HOUR_US);
    CHECK_Z(day(0), "2/0/0/1 1 0 0 0");
    arena_release(&arena);
}

static void hours_of_a_day_are_not_missed_over_night(void)
{
    begin(2);
    hourly(16, "ok");
    add(D0 + 17 * HOUR_US, "ok", D0 + 32 * HOUR_US); /* the next morning at 8 */
    hourly(35, "ok");                                /* 8, 9 and 10 are missed */
    coverage_end(&coverage, D0 + 35 * HOUR_US);
    CHECK_Z(day(0), "2/0/0/0 1 0 0 0");
    CHECK_Z(day(1), "1/0/0/0 4 3 1 180");
    arena_release(&arena);
}

static void nonsense_is_counted_and_harms_nothing(void)
{
    begin(1);
    add(D0, "strange", D0 - HOUR_US);
    add(D0 + 1, "ok", D0 + 1);
    add(D0 + 2, "ok", INT64_MAX);
    add(INT64_MAX, "ok", 0);
    coverage_end(&coverage, INT64_MAX);
    CHECK_Z(day(0), "2/0/0/0 0 0 0 0");
    arena_release(&arena);
}

TAP_MAIN(TAP_CASE(days_count_outcomes_and_kept_promises),
         TAP_CASE(a_gap_over_midnight_is_in_both_days),
         TAP_CASE(a_gap_that_nothing_ends_lasts_until_now),
         TAP_CASE(a_gap_from_before_to_behind_covers_the_days),
         TAP_CASE(polls_that_were_asked_for_or_aborted_keep_no_promise),
         TAP_CASE(a_slot_that_was_aborted_and_came_again_is_kept),
         TAP_CASE(hours_of_a_day_are_not_missed_over_night),
         TAP_CASE(nonsense_is_counted_and_harms_nothing))
