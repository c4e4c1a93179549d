/* SPDX-License-Identifier: Apache-2.0 */
#include "alert/machine.h"
#include "base/clock.h"
#include "tap.h"

#define T0 INT64_C(1795442400000000)

static struct alert_rule rule_of(const char *text)
{
    struct alert_rule rule = {.when = ""};
    struct err err = ERR_INIT;

    if (alert_rule_parse(str_of(text), &rule, &err) != ST_OK)
        abort();
    return rule;
}

static struct dec dec(const char *text)
{
    struct dec d;

    if (dec_parse(str_of(text), &d) != DEC_OK)
        abort();
    return d;
}

/* Does it fire with this value so many seconds after T0? */
static bool judge(const struct alert_rule *rule, struct alert_state *state, int64_t s,
                  const char *value)
{
    struct alert_event event;
    const struct alert_seen seen = {
        .at_us = T0 + s * US_PER_S, .has_value = value != NULL, .value = dec(value ? value : "0")};

    return alert_judge(rule, state, &seen, &event);
}

static void numbers_are_compared_digit_by_digit(void)
{
    static const char *const grow[] = {"-1e900",
                                       "-123456789012345678",
                                       "-123456789012345677.9",
                                       "-1",
                                       "-1e-999",
                                       "0",
                                       "1e-999",
                                       "2.6e-9",
                                       "0.1",
                                       "0.123456789012345678",
                                       "0.12345678901234567801",
                                       "1",
                                       "59999.9999999999",
                                       "60000",
                                       "60000.0000000001",
                                       "123456789012345678",
                                       "123456789012345678.5",
                                       "1.3e37",
                                       "1e900"};
    const size_t n = sizeof(grow) / sizeof(grow[0]);

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            const int order = dec_compare(dec(grow[i]), dec(grow[k]));
            const bool are_both_cut = !dec(grow[i]).is_exact && !dec(grow[k]).is_exact;
            if (!(are_both_cut && i == k) && (order > 0) - (order < 0) != (i > k) - (i < k))
                TAP_FAIL("%s against %s: %d", grow[i], grow[k], order);
        }
}

static void it_fires_once_for_each_crossing(void)
{
    const struct alert_rule rule = rule_of("a.price < 60000");
    struct alert_state state = {.since_us = 0};

    CHECK(!judge(&rule, &state, 0, "60000"));
    CHECK(judge(&rule, &state, 1, "59999.9999999999"));
    CHECK(!judge(&rule, &state, 2, "5"));
    CHECK(!judge(&rule, &state, 3, NULL));
    CHECK(!judge(&rule, &state, 4, "5"));
    CHECK(!judge(&rule, &state, 5, "60000.0"));
    CHECK(judge(&rule, &state, 6, "5"));
    alert_state_release(&state);
}

static void a_wait_counts_from_the_first_poll_and_a_clock_set_back_makes_it_no_shorter(void)
{
    const struct alert_rule rule = rule_of("a.price < 60000 for 10s");
    struct alert_state state = {.since_us = 0};

    CHECK(!judge(&rule, &state, 100, "5"));
    CHECK(!judge(&rule, &state, 109, "5"));
    CHECK(!judge(&rule, &state, 50, "5"));
    CHECK(!judge(&rule, &state, 59, "5"));
    CHECK(judge(&rule, &state, 60, "5"));
    CHECK(!judge(&rule, &state, 61, "70000"));
    CHECK(!judge(&rule, &state, 62, "5"));
    alert_state_release(&state);
}

static void a_change_is_exact_at_its_very_limit(void)
{
    const struct alert_rule above = rule_of("a.price change 10s > 5%"),
                            at_least = rule_of("a.price change 10s >= 5%");
    struct alert_state one = {.since_us = 0}, other = {.since_us = 0};

    CHECK(!judge(&above, &one, 0, "0.000000000123456789"));
    CHECK(!judge(&at_least, &other, 0, "0.000000000123456789"));
    /* 105 % of it to the last digit; 9 s are not 10 s */
    CHECK(!judge(&above, &one, 9, "0.00000000012962962845"));
    CHECK(!judge(&above, &one, 10, "0.00000000012962962845"));
    CHECK(judge(&at_least, &other, 10, "0.00000000012962962845"));
    alert_state_release(&one);
    alert_state_release(&other);
}

static void what_is_too_old_is_not_compared_with(void)
{
    const struct alert_rule rule = rule_of("a.price change 10s > 5%");
    struct alert_state state = {.since_us = 0};

    CHECK(!judge(&rule, &state, 0, "1"));
    CHECK(!judge(&rule, &state, 21, "9"));
    CHECK(judge(&rule, &state, 31, "90"));
    alert_state_release(&state);
}

static void what_a_change_remembers_has_a_bound(void)
{
    const struct alert_rule rule = rule_of("a.price change 90d > 5%");
    struct alert_state state = {.since_us = 0};

    for (int64_t i = 0; i < 20000; i++)
        judge(&rule, &state, i * 3600, "1");
    CHECK(state.n_samples <= ALERT_SAMPLES + 2);
    CHECK(state.n_samples > ALERT_SAMPLES / 2);
    alert_state_release(&state);
}

static void each_gap_is_told(void)
{
    const struct alert_rule rule = rule_of("gap of job a > 5s");
    struct alert_state state = {.since_us = 0};
    static const struct {
        int slot_s, due_s;
        bool fires;
    } polls[] = {{0, 10, false},
                 {10, 20, false},
                 {25, 30, false},
                 {36, 40, true},
                 {100, 0, true},
                 {200, 210, true},
                 {5, 6, false},
                 {211, 220, false},
                 /* a clock that jumps by years and back */
                 {100000000, 100000010, true},
                 {221, 230, false},
                 {300, 310, true}};

    for (size_t i = 0; i < sizeof(polls) / sizeof(polls[0]); i++) {
        struct alert_event event;
        const struct alert_seen seen = {.at_us = T0 + (int64_t)i,
                                        .slot_us = T0 + polls[i].slot_s * US_PER_S,
                                        .next_due_us =
                                            polls[i].due_s ? T0 + polls[i].due_s * US_PER_S : 0};
        if (alert_judge(&rule, &state, &seen, &event) != polls[i].fires)
            TAP_FAIL("poll %zu", i);
    }
}

static void a_budget_is_judged_by_what_is_left(void)
{
    const struct alert_rule rule = rule_of("budget < 10%");
    struct alert_state state = {.since_us = 0};
    struct alert_event event;
    struct alert_seen seen = {.at_us = T0, .has_value = true, .budget = 10000};

    seen.value = dec_of(1000);
    CHECK(!alert_judge(&rule, &state, &seen, &event));
    seen.value = dec_of(999);
    CHECK(alert_judge(&rule, &state, &seen, &event));
    seen.budget = 0; /* not known */
    CHECK(!alert_judge(&rule, &state, &seen, &event));
}

TAP_MAIN(TAP_CASE(numbers_are_compared_digit_by_digit), TAP_CASE(it_fires_once_for_each_crossing),
         TAP_CASE(a_wait_counts_from_the_first_poll_and_a_clock_set_back_makes_it_no_shorter),
         TAP_CASE(a_change_is_exact_at_its_very_limit),
         TAP_CASE(what_is_too_old_is_not_compared_with),
         TAP_CASE(what_a_change_remembers_has_a_bound), TAP_CASE(each_gap_is_told),
         TAP_CASE(a_budget_is_judged_by_what_is_left))
