/* Polls by a clock that is wrong, jumps or stands still: never by a false time, never twice, never
 * in bursts. The API's Date is the true time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "world.h"

#define HOUR_US  (3600 * US_PER_S)
#define YEAR_US  (365 * 24 * HOUR_US)
#define EVERY_US (100 * US_PER_MS)

/* The true time, and how far off the machine's clock is: `before`, and `after` as soon as the
 * server was asked at_request times, or the tape has at_offset records. */
static struct wrong_clock {
    struct clock base;
    int64_t before_us, after_us;
    int at_request;
    uint64_t at_offset;
} c;

static int64_t wrong_wall_us(struct clock *base)
{
    const struct wrong_clock *me = (const struct wrong_clock *)base;
    bool is_after = me->at_request > 0 && atomic_load(&w.server.n_requests) >= me->at_request;

    if (me->at_offset > 0)
        is_after = tape_head_get(tape_writer_head(w.writer)) >= me->at_offset;
    return clock_wall_us(clock_system()) + (is_after ? me->after_us : me->before_us);
}

static int64_t right_mono_us(struct clock *base)
{
    (void)base;
    return clock_mono_us(clock_system());
}

static const struct http_step dated = {.answer = GOOD, .has_date = true};
static const struct http_step dateless = {.answer = GOOD};

static void set_up(const struct http_step *step, int64_t before_us, int64_t after_us)
{
    c = (struct wrong_clock){
        .base = {wrong_wall_us, right_mono_us}, .before_us = before_us, .after_us = after_us};
    prepare(step, 1);
    w.job.grid.every_us = EVERY_US;
    w.setup.clock = &c.base;
}

static size_t n_good, n_off; /* polls with rows, polls that blame the clock */

/* Every poll with rows is of the true time and of a slot of its own. */
static void check_polls(int64_t since_us, int64_t slack_us)
{
    int64_t last_us = 0, now_us = clock_wall_us(clock_system());

    n_good = n_off = 0;
    for (size_t i = 0; i < w.n_seen; i++) {
        const struct tape_record *r = &w.seen[i].r;
        n_off += r->type == TAPE_END && strstr(w.seen[i].text, "clock: ") != NULL;
        if (r->type != TAPE_END || !outcome_bears_rows(r->outcome))
            continue;
        n_good++;
        const struct tape_record *page = &w.seen[w.seen[i].pages[0] - 1].r;
        CHECK(r->slot_us > last_us && r->slot_us >= since_us - EVERY_US &&
              r->slot_us <= now_us + slack_us);
        CHECK(page->fetched_at_us >= since_us && page->fetched_at_us <= now_us + slack_us);
        CHECK(r->fetched_at_us >= since_us && r->fetched_at_us <= now_us + slack_us);
        last_us = r->slot_us;
    }
}

/* Run until the ninth request, before which eight polls have ended; the clock changes at the fourth
 * request, while it is answered. */
static void run_over_change(int64_t before_us, int64_t after_us)
{
    int64_t since_us = clock_wall_us(clock_system());
    enum st st = ST_FATAL;
    pthread_t thread;

    set_up(&dated, before_us, after_us);
    c.at_request = 4;
    begin();
    pthread_create(&thread, NULL, run_extract, &st);
    AWAIT(atomic_load(&w.server.n_requests) >= 9);
    extract_stop(w.extract);
    pthread_join(thread, NULL);
    int64_t took_us = clock_wall_us(clock_system()) - since_us;
    end();
    CHECK_OK(st, err);
    /* a request a slot of this clock or that, and one of the jump */
    CHECK(w.server.n_requests <= took_us / EVERY_US + 3);
    check_polls(since_us, 0);
}

static void a_machine_that_boots_in_1970_records_nothing_until_its_clock_is_set(void)
{
    const int64_t back_us = -clock_wall_us(clock_system());

    run_over_change(back_us, 0);
    CHECK(n_good >= 4);
    CHECK(n_off >= 3);
    CHECK(strstr(w.seen[1].text, "clock: the API says 20"));
    CHECK(strstr(w.seen[1].text, "this machine 1970-01-0"));
    CHECK(strstr(w.seen[7].text, "clock: it went on by ")); /* the fourth: of a slot in 1970 */
}

static void a_clock_that_jumps_to_2030_and_back_dates_nothing_falsely_and_polls_nothing_twice(void)
{
    run_over_change(0, 4 * YEAR_US);

    CHECK_EQ(n_good, 3);
    CHECK(strstr(w.seen[7].text, "clock: the API says 20"));
    run_over_change(4 * YEAR_US, 0);
    CHECK(n_good >= 4);
    CHECK(n_off >= 4);
}

/* Its monotonic clock stood still, its wall clock is right at once. */
static void a_machine_that_slept_within_a_poll_loses_that_poll_only(void)
{
    run_over_change(-3 * HOUR_US, 0);

    CHECK(n_good >= 4);
    run_over_change(0, 0);
    CHECK(n_good >= 7);
    CHECK_EQ(n_off, 0);
}

static void a_drift_of_less_than_two_minutes_loses_nothing(void)
{
    set_up(&dated, -100 * US_PER_S, 100 * US_PER_S);
    c.at_request = 4;
    run_for(1500 * US_PER_MS);
    end();
    check_polls(0, 100 * US_PER_S);
    CHECK(w.server.n_requests > 4);
    CHECK_EQ(n_off, 1); /* the jump of 200 s at once */
    set_up(&dated, 0, 100 * US_PER_S);
    c.at_request = 4;
    run_for(1500 * US_PER_MS);
    end();
    check_polls(0, 100 * US_PER_S);
    CHECK_EQ(n_off, 0);
}

static void a_jump_after_the_last_answer_fails_the_poll_too(void)
{
    set_up(&dated, 0, 4 * YEAR_US);
    c.at_offset = 1;
    begin();
    poll_once(0, BUDGET_US);
    end();
    CHECK_EQ(w.outcome, POLL_FAILED);
    CHECK_EQ(last()->pages[0], 0);
    CHECK(strstr(last()->text, "clock: it went on by "));
}

/* Somebody on the way removes it. */
static void without_a_date_a_clock_before_2025_is_known_to_be_wrong(void)
{
    for (int i = 0; i < 2; i++) {
        set_up(&dateless, i == 0 ? -clock_wall_us(clock_system()) : 0, 0);
        begin();
        poll_once(0, BUDGET_US);
        end();
        CHECK_EQ(w.outcome, i == 0 ? POLL_FAILED : POLL_OK);
        if (i == 0)
            CHECK(strstr(last()->text, "clock: the API says nothing, this machine 1970-01-01"));
    }
}

TAP_MAIN(
    TAP_CASE(a_machine_that_boots_in_1970_records_nothing_until_its_clock_is_set),
    TAP_CASE(a_clock_that_jumps_to_2030_and_back_dates_nothing_falsely_and_polls_nothing_twice),
    TAP_CASE(a_machine_that_slept_within_a_poll_loses_that_poll_only),
    TAP_CASE(a_drift_of_less_than_two_minutes_loses_nothing),
    TAP_CASE(a_jump_after_the_last_answer_fails_the_poll_too),
    TAP_CASE(without_a_date_a_clock_before_2025_is_known_to_be_wrong))
