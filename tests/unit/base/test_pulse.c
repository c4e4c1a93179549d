/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pulse.h"

#include "base/clock.h"

#include "tap.h"

#include <time.h>

static void nap(int64_t us)
{
    nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

static void who_promises_nothing_is_never_late(void)
{
    struct pulse p;

    pulse_init(&p);
    nap(2000);
    CHECK(!pulse_is_late(&p, 0));
    pulse_expect(&p, -1000000);
    pulse_rest(&p);
    CHECK(!pulse_is_late(&p, 0));
}

static void a_promise_is_broken_after_its_time_and_the_patience(void)
{
    struct pulse p;

    pulse_init(&p);
    pulse_expect(&p, 3600 * US_PER_S);
    CHECK(!pulse_is_late(&p, 0));
    pulse_expect(&p, 1000);
    nap(3000);
    CHECK(pulse_is_late(&p, 0));
    CHECK(!pulse_is_late(&p, 3600 * US_PER_S));
}

static void to_come_round_again_mends_it(void)
{
    struct pulse p;

    pulse_init(&p);
    pulse_expect(&p, 0);
    nap(2000);
    CHECK(pulse_is_late(&p, 0));
    pulse_expect(&p, 3600 * US_PER_S);
    CHECK(!pulse_is_late(&p, 0));
}

static void a_promise_beyond_all_time_is_none(void)
{
    struct pulse p;

    pulse_init(&p);
    pulse_expect(&p, INT64_MAX);
    CHECK(!pulse_is_late(&p, 0));
}

TAP_MAIN(TAP_CASE(who_promises_nothing_is_never_late),
         TAP_CASE(a_promise_is_broken_after_its_time_and_the_patience),
         TAP_CASE(to_come_round_again_mends_it), TAP_CASE(a_promise_beyond_all_time_is_none))
