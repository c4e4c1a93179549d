/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "extract/schedule.h"
#include "tap.h"

#define EVERY (30 * US_PER_S)
#define DAY   (86400 * US_PER_S)

static int64_t at(const char *text)
{
    int64_t ts_us = 0;
    return time_parse(str_of(text), &ts_us) ? ts_us : -1;
}

/* Poll what is due at this moment; 0: nothing is. */
static int64_t poll_at(struct schedule *s, int64_t wall_us)
{
    int64_t slot_us;
    if (!schedule_is_due(s, wall_us, &slot_us))
        return 0;
    schedule_took(s, slot_us);
    return slot_us;
}

static void a_slot_is_polled_once_and_at_once(void)
{
    struct schedule s;
    int64_t noon = at("2026-11-23T12:00:00Z");

    schedule_init(&s, (struct schedule_plan){.every_us = EVERY});
    CHECK_EQ(poll_at(&s, noon + 7 * US_PER_S), noon);
    CHECK_EQ(poll_at(&s, noon + 8 * US_PER_S), 0);
    CHECK_EQ(poll_at(&s, noon + EVERY - 1), 0);
    CHECK_EQ(poll_at(&s, noon + EVERY), noon + EVERY);
    CHECK_EQ(schedule_next(&s, noon), noon + EVERY);
    CHECK_EQ(schedule_next(&s, noon - 1), noon);
}

static void a_slot_on_the_tape_is_not_polled_again(void)
{
    struct schedule s;
    int64_t noon = at("2026-11-23T12:00:00Z");

    schedule_init(&s, (struct schedule_plan){.every_us = EVERY});
    schedule_took(&s, noon);
    CHECK_EQ(poll_at(&s, noon + US_PER_S), 0);
    schedule_took(&s, noon + EVERY + 123456); /* a poll off the grid */
    CHECK_EQ(poll_at(&s, noon + EVERY + 5 * US_PER_S), 0);
    CHECK_EQ(poll_at(&s, noon + 2 * EVERY), noon + 2 * EVERY);
}

static void a_clock_that_jumps_and_comes_back_polls_no_slot_twice_and_stalls_nothing(void)
{
    static const char *const jumps[] = {"1970-01-01T00:00:05Z", "2030-06-01T08:00:00Z",
                                        "2026-11-22T12:00:00Z", "2026-11-23T14:00:00Z"};
    int64_t noon = at("2026-11-23T12:00:00Z");

    for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        struct schedule s;
        int64_t far = at(jumps[i]), n_far = 0;

        schedule_init(&s, (struct schedule_plan){.every_us = EVERY});
        CHECK_EQ(poll_at(&s, noon + US_PER_S), noon);
        for (int second = 0; second < 90; second++)
            n_far += poll_at(&s, far + second * US_PER_S) != 0;
        CHECK(n_far >= 3 && n_far <= 4); /* one a slot: neither burst nor stall */
        CHECK_EQ(poll_at(&s, noon + 10 * US_PER_S), 0);
        CHECK_EQ(poll_at(&s, noon + 100 * US_PER_S), noon + 90 * US_PER_S);
    }
}

static void a_clock_set_back_a_little_waits_until_it_has_caught_up(void)
{
    struct schedule s;
    int64_t noon = at("2026-11-23T12:00:00Z");

    schedule_init(&s, (struct schedule_plan){.every_us = EVERY});
    CHECK_EQ(poll_at(&s, noon), noon);
    for (int64_t back = 600; back > 0; back--)
        CHECK_EQ(poll_at(&s, noon - back * US_PER_S), 0);
    CHECK_EQ(poll_at(&s, noon + EVERY), noon + EVERY);
}

static void a_daily_slot_is_not_polled_again_when_the_clock_goes_back_past_midnight(void)
{
    struct schedule s;
    int64_t today = at("2026-11-23T00:00:00Z");

    schedule_init(&s, (struct schedule_plan){.every_us = DAY});
    schedule_took(&s, today);
    CHECK_EQ(poll_at(&s, today - 2 * 3600 * US_PER_S), 0);
    CHECK_EQ(poll_at(&s, today + DAY), today + DAY);
}

static void only_slots_that_really_passed_are_missed(void)
{
    struct schedule s;
    int64_t noon = at("2026-11-23T12:00:00Z");

    schedule_init(&s, (struct schedule_plan){.every_us = EVERY});
    CHECK_EQ(schedule_missed(&s, noon, noon + 5 * US_PER_S, 5 * US_PER_S), 0);
    CHECK_EQ(schedule_missed(&s, noon, noon + 35 * US_PER_S, 35 * US_PER_S), 0);
    CHECK_EQ(schedule_missed(&s, noon, noon + 95 * US_PER_S, 95 * US_PER_S), 2);
    CHECK_EQ(schedule_missed(&s, noon, at("2030-01-01T00:00:00Z"), 5 * US_PER_S), 0);
    CHECK_EQ(schedule_missed(&s, noon, at("1970-01-01T00:00:00Z"), 95 * US_PER_S), 0);
}

TAP_MAIN(TAP_CASE(a_slot_is_polled_once_and_at_once),
         TAP_CASE(a_slot_on_the_tape_is_not_polled_again),
         TAP_CASE(a_clock_that_jumps_and_comes_back_polls_no_slot_twice_and_stalls_nothing),
         TAP_CASE(a_clock_set_back_a_little_waits_until_it_has_caught_up),
         TAP_CASE(a_daily_slot_is_not_polled_again_when_the_clock_goes_back_past_midnight),
         TAP_CASE(only_slots_that_really_passed_are_missed))
