/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "extract/limiter.h"
#include "tap.h"

static void the_first_request_starts_at_once(void)
{
    struct limiter l;

    limiter_init(&l, 4);
    CHECK_EQ(limiter_ready_at(&l, 7), 7);
    limiter_init(&l, 4);
    CHECK_EQ(limiter_ready_at(&l, -7), -7);
}

static void requests_are_spaced_evenly_also_after_a_pause(void)
{
    struct limiter l;
    int64_t now_us = 0;

    limiter_init(&l, 6);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(limiter_ready_at(&l, now_us), i * 10 * US_PER_S);
        now_us = limiter_ready_at(&l, now_us);
        limiter_take(&l, now_us);
    }
    now_us += 3600 * US_PER_S; /* an idle hour saves nothing up */
    limiter_take(&l, now_us);
    CHECK_EQ(limiter_ready_at(&l, now_us), now_us + 10 * US_PER_S);
}

static void a_pause_holds_all_and_never_shortens(void)
{
    struct limiter l;

    limiter_init(&l, 60);
    limiter_take(&l, 0);
    limiter_pause(&l, 90 * US_PER_S);
    CHECK_EQ(limiter_ready_at(&l, US_PER_S), 90 * US_PER_S);
    limiter_pause(&l, 5 * US_PER_S);
    limiter_take(&l, 6 * US_PER_S);
    CHECK_EQ(limiter_ready_at(&l, US_PER_S), 90 * US_PER_S);
}

static void no_pace_is_no_wait(void)
{
    struct limiter l;

    limiter_init(&l, 0);
    limiter_take(&l, 5);
    CHECK_EQ(limiter_ready_at(&l, 5), 5);
}

static void refusals_in_a_row_wait_ever_longer_unless_they_say_how_long(void)
{
    static const int64_t want[] = {1, 2, 4, 8, 16, 30, 30};
    struct limiter l;

    limiter_init(&l, 0);
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        CHECK_EQ(limiter_refused(&l, 0, 0), want[i] * US_PER_S);
        CHECK_EQ(limiter_ready_at(&l, 0), want[i] * US_PER_S);
    }
    CHECK_EQ(limiter_refused(&l, 0, 600 * US_PER_S), 600 * US_PER_S);
    CHECK_EQ(limiter_ready_at(&l, 0), 600 * US_PER_S);
    limiter_accepted(&l);
    CHECK_EQ(limiter_refused(&l, 0, 0), US_PER_S);
}

TAP_MAIN(TAP_CASE(refusals_in_a_row_wait_ever_longer_unless_they_say_how_long),
         TAP_CASE(the_first_request_starts_at_once),
         TAP_CASE(requests_are_spaced_evenly_also_after_a_pause),
         TAP_CASE(a_pause_holds_all_and_never_shortens), TAP_CASE(no_pace_is_no_wait))
