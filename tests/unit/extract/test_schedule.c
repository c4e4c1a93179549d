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

    schedule_init(&s, &(struct grid){.every_us = EVERY});
    CHECK_EQ(poll_at(&s, noon + 7 * US_PER_S), noon);
    CHECK_EQ(poll_at(&s, noon + 8 * US_PER_S), 0);
    CHECK_EQ(poll_at(&s, noon + EVERY - 1), 0);
    CHECK_EQ(poll_at(&s, noon + EVERY), noon + EVERY);
    CHECK_EQ(grid_next(&s.grid, noon), noon + EVERY);
    CHECK_EQ(grid_next(&s.grid, noon - 1), noon);
}

static void a_slot_on_the_tape_is_not_polled_again(void)
{
    struct schedule s;
    int64_t noon = at("2026-11-23T12:00:00Z");

    schedule_init(&s, &(struct grid){.every_us = EVERY});
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

        schedule_init(&s, &(struct grid){.every_us = EVERY});
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

    schedule_init(&s, &(struct grid){.every_us = EVERY});
    CHECK_EQ(poll_at(&s, noon), noon);
    for (int64_t back = 600; back > 0; back--)
        CHECK_EQ(poll_at(&s, noon - back * US_PER_S), 0);
    CHECK_EQ(poll_at(&s, noon + EVERY), noon + EVERY);
}

static void a_daily_slot_is_not_polled_again_when_the_clock_goes_back_past_midnight(void)
{
    struct schedule s;
    int64_t today = at("2026-11-23T00:00:00Z");

    schedule_init(&s, &(struct grid){.every_us = DAY});
    schedule_took(&s, today);
    CHECK_EQ(poll_at(&s, today - 2 * 3600 * US_PER_S), 0);
    CHECK_EQ(poll_at(&s, today + DAY), today + DAY);
}

static void only_slots_that_really_passed_are_missed(void)
{
    struct schedule s;
    int64_t noon = at("2026-11-23T12:00:00Z");

    schedule_init(&s, &(struct grid){.every_us = EVERY});
    CHECK_EQ(schedule_missed(&s, noon, noon + 5 * US_PER_S, 5 * US_PER_S), 0);
    CHECK_EQ(schedule_missed(&s, noon, noon + 35 * US_PER_S, 35 * US_PER_S), 0);
    CHECK_EQ(schedule_missed(&s, noon, noon + 95 * US_PER_S, 95 * US_PER_S), 2);
    CHECK_EQ(schedule_missed(&s, noon, at("2030-01-01T00:00:00Z"), 5 * US_PER_S), 0);
    CHECK_EQ(schedule_missed(&s, noon, at("1970-01-01T00:00:00Z"), 95 * US_PER_S), 0);
}

#define HOUR (3600 * US_PER_S)

static void only_slots_within_the_hours_are_polled(void)
{
    static const struct {
        int64_t every_us, from_us, to_us;
        int64_t n;                /* in two days */
        const char *first, *next; /* the first slot; the next after 2026-11-23T12:10 */
    } rows[] = {
        {HOUR, 0, 0, 48, "2026-11-23T00:00:00Z", "2026-11-23T13:00:00Z"},
        {HOUR, 5 * HOUR, 5 * HOUR, 48, "2026-11-23T00:00:00Z", "2026-11-23T13:00:00Z"},
        {HOUR, 8 * HOUR, 18 * HOUR, 20, "2026-11-23T08:00:00Z", "2026-11-23T13:00:00Z"},
        {HOUR, 8 * HOUR, 9 * HOUR, 2, "2026-11-23T08:00:00Z", "2026-11-24T08:00:00Z"},
        {HOUR, 8 * HOUR + 1, 10 * HOUR, 2, "2026-11-23T09:00:00Z", "2026-11-24T09:00:00Z"},
        {HOUR, 22 * HOUR, 2 * HOUR, 8, "2026-11-23T00:00:00Z", "2026-11-23T22:00:00Z"},
        {HOUR, 0, DAY, 48, "2026-11-23T00:00:00Z", "2026-11-23T13:00:00Z"},
        {HOUR, 23 * HOUR, DAY, 2, "2026-11-23T23:00:00Z", "2026-11-23T23:00:00Z"},
        {DAY, 0, HOUR, 2, "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"},
        {DAY, HOUR, 2 * HOUR, 0, NULL, NULL}, /* the grid never meets the hours */
        {7 * DAY, 0, HOUR, 1, "2026-11-19T00:00:00Z", "2026-11-26T00:00:00Z"}, /* Thursdays */
        {7 * HOUR, 8 * HOUR, 9 * HOUR, 0, NULL, "2026-11-28T08:00:00Z"},
    };
    int64_t start = at("2026-11-23T00:00:00Z");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct schedule s;
        int64_t n = 0, first = 0, slot;
        schedule_init(&s, &(struct grid){.every_us = rows[i].every_us,
                                         .from_us = rows[i].from_us,
                                         .to_us = rows[i].to_us});
        for (int64_t t = start; t < start + 2 * DAY; t += 600 * US_PER_S) {
            slot = poll_at(&s, t);
            n += slot != 0;
            first = first ? first : slot;
        }
        CHECK_EQ(n, rows[i].n);
        CHECK_EQ(first, rows[i].first ? at(rows[i].first) : 0);
        CHECK_EQ(grid_next(&s.grid, at("2026-11-23T12:10:00Z")),
                 rows[i].next ? at(rows[i].next) : 0);
    }
}

static void a_jump_across_the_hours_polls_nothing_twice_and_stalls_nothing(void)
{
    struct schedule s;
    int64_t evening = at("2026-11-23T17:59:30Z"), morning = at("2026-11-24T08:00:00Z");

    schedule_init(&s, &(struct grid){.every_us = EVERY, .from_us = 8 * HOUR, .to_us = 18 * HOUR});
    CHECK_EQ(poll_at(&s, evening + US_PER_S), evening);
    CHECK_EQ(poll_at(&s, evening + EVERY), 0);             /* 18:00 */
    CHECK_EQ(poll_at(&s, evening - 5 * 60 * US_PER_S), 0); /* set back: it waits */
    CHECK_EQ(poll_at(&s, evening + 3 * HOUR), 0);
    CHECK_EQ(poll_at(&s, morning + US_PER_S), morning); /* set forward over the night */
    CHECK_EQ(poll_at(&s, evening + 2 * US_PER_S), 0);   /* and back again */
    CHECK_EQ(poll_at(&s, morning + EVERY), morning + EVERY);
    CHECK_EQ(poll_at(&s, at("1970-01-01T08:00:10Z")), at("1970-01-01T08:00:00Z"));
    CHECK_EQ(poll_at(&s, at("1970-01-01T07:59:59Z")), 0);
}

static void only_slots_within_the_hours_are_missed(void)
{
    struct schedule s;
    int64_t evening = at("2026-11-23T17:00:00Z"), morning = at("2026-11-24T08:00:00Z");

    schedule_init(&s, &(struct grid){.every_us = HOUR, .from_us = 8 * HOUR, .to_us = 18 * HOUR});
    CHECK_EQ(schedule_missed(&s, evening, morning, 15 * HOUR), 0);
    CHECK_EQ(schedule_missed(&s, evening, morning + 2 * HOUR, 17 * HOUR), 2);
    CHECK_EQ(schedule_missed(&s, evening - 3 * HOUR, morning, 18 * HOUR), 3);
    CHECK_EQ(schedule_missed(&s, evening, at("2030-01-01T00:00:00Z"), HOUR), 0);
}

TAP_MAIN(TAP_CASE(a_slot_is_polled_once_and_at_once),
         TAP_CASE(a_slot_on_the_tape_is_not_polled_again),
         TAP_CASE(a_clock_that_jumps_and_comes_back_polls_no_slot_twice_and_stalls_nothing),
         TAP_CASE(a_clock_set_back_a_little_waits_until_it_has_caught_up),
         TAP_CASE(a_daily_slot_is_not_polled_again_when_the_clock_goes_back_past_midnight),
         TAP_CASE(only_slots_that_really_passed_are_missed),
         TAP_CASE(only_slots_within_the_hours_are_polled),
         TAP_CASE(a_jump_across_the_hours_polls_nothing_twice_and_stalls_nothing),
         TAP_CASE(only_slots_within_the_hours_are_missed))
