/* SPDX-License-Identifier: Apache-2.0 */
#include "load/alerts/see.h"
#include "tap.h"

#define DUE INT64_C(1900000000000000)

static const struct {
    enum poll_outcome outcome;
    const char *error;
    bool is_told;
} polls[] = {
    {POLL_OK, "", true},
    {POLL_FAILED, "status 500", true},
    {POLL_FAILED, "page 2: status 500: clock: of theirs", true},
    {POLL_PARTIAL, "clock: of a page", true},
    {POLL_FAILED, "clock: the API says 2026-11-30T14:00:00Z, this machine 2030-01-01T00:00:00Z",
     false},
    {POLL_FAILED, "page 12: clock: the API says 2026-11-30T14:00:00Z", false},
};

/* Else the first poll of 2030 would tell of a gap of years, and of coins that are as stale. */
static void a_poll_of_a_wrong_clock_says_nothing(void)
{
    static const struct alert_rule rule = {.kind = ALERT_GAP};

    for (size_t i = 0; i < sizeof(polls) / sizeof(polls[0]); i++) {
        const struct tape_record end = {.outcome = polls[i].outcome,
                                        .error = str_of(polls[i].error),
                                        .slot_us = DUE - 1,
                                        .next_due_us = DUE};
        struct alert_seen seen;
        if (alerts_see(&rule, &(struct alerts_poll){.end = &end}, &seen) != polls[i].is_told)
            TAP_FAIL("%s", polls[i].error);
        CHECK(!polls[i].is_told || (seen.slot_us == DUE - 1 && seen.next_due_us == DUE));
    }
}

TAP_MAIN(TAP_CASE(a_poll_of_a_wrong_clock_says_nothing))
