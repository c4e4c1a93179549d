/* What callers ask the API for, once its budget is spent: nothing goes out, nothing is written, and
 * they are told when there will be calls again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/credits.h"
#include "world.h"

#define DAY_US (86400 * US_PER_S)

/* The machine's clock, at another time of the month. */
static struct moved_clock {
    struct clock base;
    _Atomic int64_t by_us;
} c;

static int64_t moved_wall_us(struct clock *base)
{
    return clock_mono_us(clock_system()) + ((struct moved_clock *)base)->by_us;
}

static int64_t right_mono_us(struct clock *base)
{
    (void)base;
    return clock_mono_us(clock_system());
}

/* What was told last; the wait in it is as of told_us. */
static struct {
    pthread_mutex_t lock;
    uint64_t ticket;
    enum fetch_end end;
    int64_t wait_us, told_us;
    char error[256];
} told = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void fetched(void *ctx, uint64_t ticket, const struct extract_fetched *of)
{
    (void)ctx;
    pthread_mutex_lock(&told.lock);
    told.ticket = ticket;
    told.end = of->end;
    told.wait_us = of->wait_us;
    told.told_us = clock_wall_us(&c.base);
    snprintf(told.error, sizeof(told.error), "%s", of->error);
    pthread_mutex_unlock(&told.lock);
}

static bool is_told(uint64_t ticket)
{
    pthread_mutex_lock(&told.lock);
    const bool is_it = told.ticket == ticket;
    pthread_mutex_unlock(&told.lock);
    return is_it;
}

static pthread_t thread;
static enum st run_st;

static void set_left(int64_t until_us, int64_t left_us)
{
    c.by_us = until_us - left_us - clock_mono_us(clock_system());
}

/* An extractor without jobs, a budget of two calls, ten days before its period ends. Returns when
 * that is. */
static int64_t start(void)
{
    static const struct http_step good = {.answer = GOOD};
    const int64_t until_us = period_of(clock_wall_us(clock_system()), 1).until_us;

    prepare(&good, 1);
    c.base = (struct clock){moved_wall_us, right_mono_us};
    set_left(until_us, 10 * DAY_US);
    snprintf(w.job.id.endpoint, sizeof(w.job.id.endpoint), "%s", TAPE_UPSTREAM);
    told.ticket = 0;
    w.setup.clock = &c.base;
    w.setup.n_jobs = 0;
    w.setup.upstream = &w.job;
    w.setup.api.budget = 2;
    w.setup.api.budget_day = 1;
    w.setup.events = (struct extract_events){.fetched = fetched};
    begin();
    pthread_create(&thread, NULL, run_extract, &run_st);
    return until_us;
}

static void stop(void)
{
    extract_stop(w.extract);
    pthread_join(thread, NULL);
    end();
}

static void ask(int n)
{
    char target[32];

    snprintf(target, sizeof(target), "/coins/c%d", n);
    const uint64_t ticket = extract_fetch(w.extract, str_of(target), 15 * US_PER_S);
    CHECK(ticket != 0);
    AWAIT(is_told(ticket));
}

static void beyond_the_budget_nothing_is_asked_and_nothing_written(void)
{
    const int64_t until_us = start();

    for (int n = 0; n < 2; n++) {
        ask(n);
        CHECK_EQ(told.end, FETCH_ANSWERED);
    }
    for (int n = 2; n < 20; n++) {
        ask(n);
        CHECK_EQ(told.end, FETCH_NO_TURN);
        CHECK(strstr(told.error, "the budget of 2 calls since "));
        const int64_t off_us = told.told_us + told.wait_us - until_us; /* what telling takes */
        CHECK(off_us >= 0 && off_us < 60 * US_PER_S);
    }
    stop();
    CHECK_OK(run_st, err);
    CHECK_EQ(w.server.n_requests, 2);
    CHECK_EQ(w.n_seen, 4); /* two pages, two ends */
    CHECK_EQ(last()->r.outcome, POLL_OK);
}

static void who_can_wait_for_the_next_period_is_answered_in_it(void)
{
    const int64_t until_us = start();

    for (int n = 0; n < 3; n++) {
        if (n == 2)
            set_left(until_us, US_PER_S);
        ask(n);
        CHECK_EQ(told.end, FETCH_ANSWERED);
    }
    CHECK(told.told_us >= until_us);
    stop();
    CHECK_EQ(w.server.n_requests, 3);
    CHECK_EQ(w.n_seen, 6);
}

TAP_MAIN(TAP_CASE(beyond_the_budget_nothing_is_asked_and_nothing_written),
         TAP_CASE(who_can_wait_for_the_next_period_is_answered_in_it))
