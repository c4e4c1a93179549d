/* The credits of a period, and which slots they are spent on: months in a moment. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "extract/governor.h"
#include "extract/limiter.h"
#include "tap.h"

#include <stdlib.h>

#define SECOND US_PER_S
#define MINUTE (60 * US_PER_S)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define KEY    UINT64_C(77)

static int64_t at(const char *text)
{
    int64_t ts_us = 0;
    return time_parse(str_of(text), &ts_us) ? ts_us : -1;
}

/* splitmix64 */
static uint64_t state;
static uint64_t draw(uint64_t n)
{
    uint64_t z = state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (z ^ (z >> 31)) % n;
}

static void a_period_begins_on_its_day_or_the_last_of_a_shorter_month(void)
{
    static const struct {
        const char *now;
        int day;
        const char *from, *until;
    } rows[] = {
        {"2026-11-29T12:00:00Z", 1, "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
        {"2026-11-29T12:00:00Z", 31, "2026-10-31T00:00:00Z", "2026-11-30T00:00:00Z"},
        {"2026-11-30T00:00:00Z", 31, "2026-11-30T00:00:00Z", "2026-12-31T00:00:00Z"},
        {"2027-02-28T00:00:00Z", 30, "2027-02-28T00:00:00Z", "2027-03-30T00:00:00Z"},
        {"2028-02-29T23:59:59Z", 29, "2028-02-29T00:00:00Z", "2028-03-29T00:00:00Z"},
        {"2027-01-05T00:00:00Z", 15, "2026-12-15T00:00:00Z", "2027-01-15T00:00:00Z"},
        {"2026-12-15T00:00:00Z", 15, "2026-12-15T00:00:00Z", "2027-01-15T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct period p = period_of(at(rows[i].now), rows[i].day);
        CHECK_EQ(p.from_us, at(rows[i].from));
        CHECK_EQ(p.until_us, at(rows[i].until));
    }
}

static void periods_follow_each_other_without_a_gap(void)
{
    for (int day = 1; day <= 31; day++)
        for (int64_t ts_us = at("2026-01-01T00:00:00Z"); ts_us < at("2029-01-01T00:00:00Z");
             ts_us += DAY) {
            struct period p = period_of(ts_us, day);
            if (!(p.from_us <= ts_us && ts_us < p.until_us) ||
                period_of(p.until_us, day).from_us != p.until_us)
                TAP_FAIL("day %d at %lld", day, (long long)ts_us);
        }
}

static struct tape_record end_of(uint64_t key, const char *from, const char *written,
                                 uint64_t spent)
{
    return (struct tape_record){.type = TAPE_END,
                                .outcome = POLL_OK,
                                .credits_key = key,
                                .credits_from_us = at(from),
                                .credits_spent = spent,
                                .fetched_at_us = at(written)};
}

static void the_last_end_on_the_tape_is_gone_on_from(void)
{
    int64_t now = at("2026-11-29T12:00:00Z"), november = at("2026-11-01T00:00:00Z");
    struct tape_record end = end_of(KEY, "2026-11-01T00:00:00Z", "2026-11-28T00:00:00Z", 900);
    struct credits c;

    credits_init(&c, KEY, 1, now, &end);
    CHECK_EQ(credits_spent(&c, november), 900);
    credits_init(&c, KEY + 1, 1, now, &end); /* another key's */
    CHECK_EQ(credits_spent(&c, november), 0);
    credits_init(&c, KEY, 1, at("2026-12-01T00:00:00Z"), &end); /* another month's */
    CHECK_EQ(credits_spent(&c, at("2026-12-01T00:00:00Z")), 0);
    credits_init(&c, KEY, 1, now, NULL);
    CHECK_EQ(credits_spent(&c, november), 0);
    credits_init(&c, KEY, 15, now,
                 &end); /* the day was set anew: too much rather than too little */
    CHECK_EQ(credits_spent(&c, at("2026-11-15T00:00:00Z")), 900);
}

static void an_aborted_poll_is_charged_to_the_period_of_its_end_too(void)
{
    int64_t december = at("2026-12-01T00:00:00Z");
    struct tape_record end = end_of(KEY, "2026-11-01T00:00:00Z", "2026-12-01T00:05:00Z", 9970);
    struct credits c;

    end.outcome = POLL_ABORTED;
    end.attempts = 70;
    credits_init(&c, KEY, 1, december + 6 * MINUTE, &end);
    CHECK_EQ(credits_spent(&c, december), 70);
    end.credits_key = KEY + 1; /* what was under way was asked by the key of today */
    credits_init(&c, KEY, 1, december + 6 * MINUTE, &end);
    CHECK_EQ(credits_spent(&c, december), 70);
}

static void only_a_good_clock_begins_a_period(void)
{
    int64_t november = at("2026-11-01T00:00:00Z"), december = at("2026-12-01T00:00:00Z");
    struct budget b;

    budget_init(&b, 100, false, 1, KEY);
    struct credits *c = budget_of(&b, "a", november + DAY, NULL);
    for (int i = 0; i < 99; i++)
        budget_count(&b, c, november + DAY, true, 1);
    CHECK_EQ(budget_now(&b, november + DAY).left, 1);
    CHECK_EQ(budget_now(&b, december).left, 100);
    budget_count(&b, c, december, false, 1); /* it may be wrong: then November's are spent */
    CHECK_EQ(budget_now(&b, december).left, 99);
    CHECK_EQ(budget_now(&b, november + DAY).left, 0);
    budget_count(&b, c, december, true, 1);
    CHECK_EQ(budget_now(&b, december).left, 98); /* both, as nobody knows */
    budget_count(&b, c, november + DAY, true, 1);
    CHECK_EQ(budget_now(&b, december).left, 97); /* a clock set back begins none */
    budget_release(&b);
}

static void the_newest_word_of_the_key_says_what_others_spent(void)
{
    int64_t now = at("2026-11-10T00:00:00Z");
    struct budget b;

    budget_init(&b, 0, true, 1, KEY);
    struct credits *c = budget_of(&b, "a", now, NULL);
    budget_count(&b, c, now, true, 40);
    CHECK_EQ(budget_now(&b, now).left, UINT64_MAX);
    budget_key_says(&b, now, 1000, 980); /* it lags behind */
    CHECK_EQ(budget_now(&b, now).left, 960);
    budget_key_says(&b, now, 1000, 900);
    CHECK_EQ(budget_now(&b, now).others, 60);
    budget_count(&b, c, now, true, 10);
    CHECK_EQ(budget_now(&b, now).left, 890);
    budget_key_says(&b, now, 1000, -1);
    CHECK_EQ(budget_now(&b, now).left, 890); /* it says nothing of what is left */
    budget_key_says(&b, now, 1000, 930);
    CHECK_EQ(budget_now(&b, now).others, 20);                        /* it was wrong before */
    CHECK_EQ(budget_now(&b, at("2026-12-01T00:00:00Z")).left, 1000); /* theirs are of November */
    budget_release(&b);
}

/* At the turn of the month /key may still tell of the month before. */
static void a_word_of_the_period_before_does_not_silence_the_new_one(void)
{
    int64_t december = at("2026-12-01T00:00:00Z");
    struct budget b;

    budget_init(&b, 0, true, 1, KEY);
    struct credits *c = budget_of(&b, "a", december - DAY, NULL);
    budget_key_says(&b, december - DAY, 1000, 1000);
    budget_count(&b, c, december - DAY, true, 900);
    budget_count(&b, c, december + MINUTE, true, 1);
    budget_key_says(&b, december + MINUTE, 1000, 0);
    CHECK_EQ(budget_now(&b, december + HOUR).left, 0);
    budget_key_says(&b, december + HOUR, 1000, 999);
    CHECK_EQ(budget_now(&b, december + HOUR).left, 999);
    CHECK_EQ(budget_now(&b, december + HOUR).others, 0);
    budget_release(&b);
}

/* ---- months ---- */

#define MAX_JOBS 6

struct month {
    struct budget budget;
    struct schedule schedules[MAX_JOBS];
    struct governed governed[MAX_JOBS];
    struct governed *all[MAX_JOBS];
    struct governor governor;
    struct credits *credits[MAX_JOBS];
    uint64_t n_polls[MAX_JOBS], n_broken, n_asked;
    uint64_t rest,
        n_early; /* slots that polls put the next one off, at most; too early all the same */
    int64_t last_us[MAX_JOBS], widest_us[MAX_JOBS], narrowest_us[MAX_JOBS];
};

static void month_begin(struct month *m, uint64_t calls)
{
    memset(m, 0, sizeof(*m));
    budget_init(&m->budget, calls, false, 1, KEY);
    m->governor.all = m->all;
}

static void month_add(struct month *m, struct grid plan, int priority, uint32_t calls)
{
    size_t i = m->governor.n++;
    char name[8];

    snprintf(name, sizeof(name), "%zu", i);
    schedule_init(&m->schedules[i], &plan);
    m->governed[i] =
        (struct governed){.schedule = &m->schedules[i], .priority = priority, .calls = calls};
    m->all[i] = &m->governed[i];
    m->credits[i] = budget_of(&m->budget, name, 0, NULL);
    m->narrowest_us[i] = INT64_MAX;
}

/* The next thing that happens: a promised poll, of the first such job. */
static size_t next_job(const struct month *m, int64_t now_us, int64_t *ret_slot_us)
{
    size_t next = 0;
    int64_t slot_us = INT64_MAX;

    for (size_t i = 0; i < m->governor.n; i++) {
        int64_t due_us = m->governed[i].promised_us != 0
                             ? m->governed[i].promised_us
                             : grid_next(&m->schedules[i].grid, now_us - 1);
        if (due_us != 0 && due_us < slot_us) { /* 0: no slot lies in the hours */
            slot_us = due_us;
            next = i;
        }
    }
    *ret_slot_us = slot_us;
    return next;
}

/* Until until_us. Of the polls one in fail_1_in brings nothing, and costs nothing. */
static void month_run(struct month *m, int64_t from_us, int64_t until_us, uint64_t fail_1_in)
{
    int64_t now_us = from_us, slot_us;
    uint64_t skipped;

    for (;;) {
        size_t i = next_job(m, now_us, &slot_us);
        if (slot_us >= until_us)
            return;
        now_us = slot_us;
        struct budget_state b = budget_now(&m->budget, now_us);
        bool is_failing = fail_1_in > 0 && draw(fail_1_in) == 0;
        if (b.left < m->governed[i].calls)
            m->n_broken++;
        else if (m->last_us[i] >= b.period.from_us) { /* how evenly, within a period */
            int64_t span_us = slot_us - m->last_us[i];
            if (span_us > m->widest_us[i])
                m->widest_us[i] = span_us;
            if (span_us < m->narrowest_us[i])
                m->narrowest_us[i] = span_us;
        }
        m->n_early += slot_us < m->governed[i].least_us;
        governor_next(&m->governor, i, now_us, &b, &skipped);
        if (m->rest > 0) {
            struct governed *of = &m->governed[i];
            const int64_t off_us = (int64_t)draw(m->rest) * m->schedules[i].grid.every_us;
            of->promised_us = of->least_us =
                grid_next(&m->schedules[i].grid, of->promised_us + off_us - 1);
        }
        m->last_us[i] = slot_us;
        m->n_asked++;
        if (b.left >= m->governed[i].calls) {
            m->n_polls[i]++;
            if (!is_failing)
                budget_count(&m->budget, m->credits[i], now_us, true, m->governed[i].calls);
        }
        if (m->n_asked % 64 == 0)
            for (size_t k = 0; k < m->governor.n; k++) {
                b = budget_now(&m->budget, now_us);
                governor_reconsider(&m->governor, k, m->last_us[k], now_us, &b);
            }
    }
}

static uint64_t spent_in(const struct month *m, const char *when)
{
    return budget_now(&m->budget, at(when)).own;
}

static void the_demo_plan_lasts_a_month_of_slots_30_s_apart(void)
{
    struct month m;

    month_begin(&m, 10000);
    month_add(&m, (struct grid){.every_us = 30 * SECOND}, 5, 1);
    month_run(&m, at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"), 0);
    CHECK(m.n_polls[0] <= 10000 && m.n_polls[0] >= 9990);
    CHECK_EQ(m.n_broken, 0);
    CHECK(m.widest_us[0] <= 5 * MINUTE && m.narrowest_us[0] >= 4 * MINUTE);
    budget_release(&m.budget);
}

static void what_is_short_is_taken_from_the_lowest_priority(void)
{
    struct month m;

    month_begin(&m, 10000);
    month_add(&m, (struct grid){.every_us = 5 * MINUTE}, 9, 1); /* 8,640 */
    month_add(&m, (struct grid){.every_us = MINUTE}, 1, 1);     /* 43,200 */
    month_add(&m, (struct grid){.every_us = HOUR}, 5, 1);       /* 720 */
    month_run(&m, at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"), 0);
    CHECK_EQ(m.n_polls[0], 8640);
    CHECK_EQ(m.n_polls[2], 720);
    CHECK(m.n_polls[1] >= 630 && m.n_polls[1] <= 640);
    CHECK_EQ(m.n_broken, 0);
    budget_release(&m.budget);
}

static void jobs_of_one_priority_keep_the_same_share(void)
{
    struct month m;

    month_begin(&m, 10000);
    month_add(&m, (struct grid){.every_us = MINUTE}, 5, 1);    /* 43,200 */
    month_add(&m, (struct grid){.every_us = 3 * HOUR}, 5, 70); /* 16,800 */
    month_run(&m, at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"), 0);
    CHECK(m.n_polls[0] > 7100 && m.n_polls[0] < 7300);
    CHECK(m.n_polls[1] >= 39 && m.n_polls[1] <= 41);
    CHECK_EQ(m.n_broken, 0);
    budget_release(&m.budget);
}

/* One whose share of a period is less than a poll has no period without. */
static void a_rare_job_beside_one_that_wants_all_is_polled_too(void)
{
    static const int every_days[] = {3, 7, 14, 27};

    for (size_t i = 0; i < sizeof(every_days) / sizeof(every_days[0]); i++) {
        struct month m;
        month_begin(&m, 1000);
        month_add(&m, (struct grid){.every_us = MINUTE}, 5, 1);
        month_add(&m, (struct grid){.every_us = every_days[i] * DAY}, 5, 1);
        month_run(&m, at("2026-11-01T00:00:00Z"), at("2027-05-01T00:00:00Z"), 0);
        CHECK(m.n_polls[1] >= 6);
        CHECK_EQ(m.n_broken, 0);
        budget_release(&m.budget);
    }
}

static void a_new_period_begins_with_a_whole_budget(void)
{
    struct month m;

    month_begin(&m, 1000);
    month_add(&m, (struct grid){.every_us = 30 * SECOND}, 5, 1);
    month_run(&m, at("2026-11-20T07:00:00Z"), at("2027-02-01T00:00:00Z"), 0);
    CHECK(m.n_polls[0] >= 2990 && m.n_polls[0] <= 3000);
    CHECK_EQ(m.n_broken, 0);
    budget_release(&m.budget);
}

/* Nothing is overdrawn and no promise broken. */
static void a_poll_that_is_put_off_comes_no_earlier_and_its_calls_are_kept(void)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct month m;
        state = seed;
        month_begin(&m, 10000);
        m.rest = 20;
        month_add(&m, (struct grid){.every_us = 30 * SECOND}, 5, 1);
        month_add(&m, (struct grid){.every_us = MINUTE}, 5, 1);
        month_run(&m, at("2026-11-01T00:00:00Z"), at("2026-12-01T00:00:00Z"), draw(2) * 20);
        CHECK_EQ(m.n_broken, 0);
        CHECK_EQ(m.n_early, 0);
        const uint64_t spent = spent_in(&m, "2026-11-30T23:59:59Z");
        if (spent > 10000 || spent < 5000)
            TAP_FAIL("seed %llu: %llu of 10000", (unsigned long long)seed,
                     (unsigned long long)spent);
        budget_release(&m.budget);
    }
}

/* Whatever the jobs, the budget and what fails: never over, nothing left where there is a use for
 * it, and every promise kept. */
static void any_budget_is_used_whole_and_never_overdrawn(void)
{
    static const int64_t every[] = {SECOND * 10, SECOND * 30, MINUTE, 5 * MINUTE, HOUR, 6 * HOUR};
    static const uint32_t calls[] = {1, 1, 1, 2, 8, 70};

    for (uint64_t seed = 0; seed < 30; seed++) {
        struct month m;
        uint64_t budget, wanted = 0, most = 0;
        int64_t from = at("2026-11-01T00:00:00Z"), until = at("2026-12-01T00:00:00Z");
        state = seed;
        budget = 1000 + draw(30000);
        month_begin(&m, budget);
        for (size_t n = 1 + draw(MAX_JOBS); n > 0; n--) {
            struct grid plan = {.every_us = every[draw(6)]};
            uint32_t cost = calls[draw(6)];
            if (draw(3) == 0) {
                plan.from_us = (int64_t)draw(24) * HOUR;
                plan.to_us = (int64_t)draw(24) * HOUR;
            }
            most = cost > most ? cost : most;
            month_add(&m, plan, (int)draw(3), cost);
        }
        if (draw(2) == 0)
            from += (int64_t)draw(20 * 24) * HOUR;
        for (size_t i = 0; i < m.governor.n; i++)
            wanted += m.governed[i].calls * grid_count(&m.schedules[i].grid, from - 1, until);
        month_run(&m, from, until, draw(2) == 0 ? 2 + draw(30) : 0);
        uint64_t spent = spent_in(&m, "2026-11-30T23:59:59Z");
        if (spent > budget || m.n_broken > 0)
            TAP_FAIL("seed %llu: %llu of %llu, %llu promises broken", (unsigned long long)seed,
                     (unsigned long long)spent, (unsigned long long)budget,
                     (unsigned long long)m.n_broken);
        if (wanted > 2 * budget && spent + m.governor.n * most < budget * 97 / 100)
            TAP_FAIL("seed %llu: only %llu of %llu", (unsigned long long)seed,
                     (unsigned long long)spent, (unsigned long long)budget);
        budget_release(&m.budget);
    }
}

/* ---- plans ---- */

/* The starts of requests, as the limiter spaces them, and how many lie in any 60 s. */
struct minute {
    struct limiter limiter;
    int64_t starts_us[1000]; /* a ring of as many as the plan allows */
    size_t limit, n, n_over;
};

static void request(struct minute *m, int64_t now_us)
{
    int64_t at_us = limiter_ready_at(&m->limiter, now_us);
    int64_t *oldest_us = &m->starts_us[m->n % m->limit];

    limiter_take(&m->limiter, at_us);
    m->n_over += m->n >= m->limit && at_us - *oldest_us < MINUTE;
    *oldest_us = at_us;
    m->n++;
}

/* A month of a plan with more slots than calls: 3 % of polls get errors, and two retries. */
static void live(uint64_t seed, struct month *m, struct minute *minute)
{
    int64_t now_us = at("2026-11-01T00:00:00Z"), until_us = at("2026-12-01T00:00:00Z"), slot_us;
    uint64_t skipped;

    state = seed;
    for (;;) {
        size_t i = next_job(m, now_us, &slot_us);
        if (slot_us >= until_us)
            return;
        now_us = slot_us;
        struct budget_state b = budget_now(&m->budget, now_us);
        bool is_failing = draw(100) < 3, can_pay = b.left >= m->governed[i].calls;
        governor_next(&m->governor, i, now_us, &b, &skipped);
        m->last_us[i] = slot_us;
        m->n_broken += !can_pay;
        for (uint32_t call = 0; can_pay && call < m->governed[i].calls; call++)
            request(minute, now_us);
        for (int retry = 0; retry < 2 && is_failing; retry++)
            request(minute, now_us);
        if (can_pay && !is_failing)
            budget_count(&m->budget, m->credits[i], now_us, true, m->governed[i].calls);
        if (++m->n_asked % 1024 == 0)
            for (size_t k = 0; k < m->governor.n; k++) {
                b = budget_now(&m->budget, now_us);
                governor_reconsider(&m->governor, k, m->last_us[k], now_us, &b);
            }
    }
}

/* Of two seeds; of so many as GECKOTAPE_SEEDS says, for the table in docs/budget.md. */
static void a_month_of_each_plan_is_used_whole(void)
{
    const char *wanted = getenv("GECKOTAPE_SEEDS");
    const uint64_t n_seeds = wanted ? strtoull(wanted, NULL, 10) : 2;
    static const struct {
        const char *name, *jobs;
        uint64_t calls;
        uint32_t per_minute;
        int64_t every_us[2];
        uint32_t cost[2];
    } plans[] = {
        {"demo", "250 coins every 30s", 10000, 100, {30 * SECOND, 0}, {1, 0}},
        {"basic", "250 coins every 10s", 100000, 250, {10 * SECOND, 0}, {1, 0}},
        {"analyst", "250 every 5s, all every 15m", 500000, 500, {5 * SECOND, 15 * MINUTE}, {1, 70}},
        {"lite", "all coins every 1m", 2000000, 500, {MINUTE, 0}, {70, 0}},
    };

    printf("# plan | jobs | calls | spent, least of the seeds | most | requests over the minute\n");
    for (size_t p = 0; p < sizeof(plans) / sizeof(plans[0]); p++) {
        uint64_t least = UINT64_MAX, most = 0, n_over = 0;
        for (uint64_t seed = 0; seed < n_seeds; seed++) {
            static struct minute minute;
            struct month m;
            minute = (struct minute){.limit = plans[p].per_minute};
            limiter_init(&minute.limiter, limiter_pace(plans[p].per_minute));
            month_begin(&m, plans[p].calls);
            for (int i = 0; i < 2 && plans[p].cost[i] > 0; i++)
                month_add(&m, (struct grid){.every_us = plans[p].every_us[i]}, 5, plans[p].cost[i]);
            live(seed, &m, &minute);
            uint64_t spent = spent_in(&m, "2026-11-30T23:59:59Z");
            least = spent < least ? spent : least;
            most = spent > most ? spent : most;
            n_over += minute.n_over;
            CHECK_EQ(m.n_broken, 0);
            budget_release(&m.budget);
        }
        printf("# %s | %s | %llu | %.4f | %.4f | %llu\n", plans[p].name, plans[p].jobs,
               (unsigned long long)plans[p].calls, (double)least / (double)plans[p].calls,
               (double)most / (double)plans[p].calls, (unsigned long long)n_over);
        CHECK(least >= plans[p].calls * 97 / 100 && most <= plans[p].calls);
        CHECK_EQ(n_over, 0);
    }
}

static void the_slots_of_a_span_are_counted_as_they_are_stepped_through(void)
{
    state = 4711;
    for (int i = 0; i < 300; i++) {
        struct schedule s;
        struct grid plan = {.every_us = (int64_t)(1 + draw(5000)) * 7 * SECOND};
        if (draw(2) == 0) {
            plan.from_us = (int64_t)draw(1440) * MINUTE;
            plan.to_us = (int64_t)draw(1440) * MINUTE;
        }
        schedule_init(&s, &plan);
        int64_t after = at("2026-11-01T00:00:00Z") + (int64_t)draw(1000000) * SECOND;
        int64_t before = after + (int64_t)draw(400000) * SECOND;
        uint64_t n = 0;
        for (int64_t slot = grid_next(&s.grid, after); slot != 0 && slot < before;
             slot = grid_next(&s.grid, slot))
            n++;
        if (n != grid_count(&s.grid, after, before))
            TAP_FAIL("%d: %llu, counted %llu", i, (unsigned long long)n,
                     (unsigned long long)grid_count(&s.grid, after, before));
    }
}

TAP_MAIN(TAP_CASE(a_period_begins_on_its_day_or_the_last_of_a_shorter_month),
         TAP_CASE(periods_follow_each_other_without_a_gap),
         TAP_CASE(the_last_end_on_the_tape_is_gone_on_from),
         TAP_CASE(an_aborted_poll_is_charged_to_the_period_of_its_end_too),
         TAP_CASE(only_a_good_clock_begins_a_period),
         TAP_CASE(the_newest_word_of_the_key_says_what_others_spent),
         TAP_CASE(a_word_of_the_period_before_does_not_silence_the_new_one),
         TAP_CASE(the_demo_plan_lasts_a_month_of_slots_30_s_apart),
         TAP_CASE(what_is_short_is_taken_from_the_lowest_priority),
         TAP_CASE(jobs_of_one_priority_keep_the_same_share),
         TAP_CASE(a_rare_job_beside_one_that_wants_all_is_polled_too),
         TAP_CASE(a_new_period_begins_with_a_whole_budget),
         TAP_CASE(a_poll_that_is_put_off_comes_no_earlier_and_its_calls_are_kept),
         TAP_CASE(any_budget_is_used_whole_and_never_overdrawn),
         TAP_CASE(a_month_of_each_plan_is_used_whole),
         TAP_CASE(the_slots_of_a_span_are_counted_as_they_are_stepped_through))
