/* How far apart an adaptive job's polls are, and what that is worth against a fixed interval. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "extract/adapt.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "extract/governor.h"
#include "tap.h"

#include <math.h>

#define SECOND US_PER_S
#define MINUTE (60 * US_PER_S)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define START  (INT64_C(1793491200) * US_PER_S) /* 2026-11-01 */

static void the_stride_follows_the_share_that_changed(void)
{
    static const struct {
        double apart;
        size_t n_new, n;
        double stride;
    } rows[] = {
        {1, 0, 100, 2},    /* a repeat: twice as far */
        {8, 0, 100, 16},   /* … from wherever it was */
        {16, 50, 100, 1},  /* half is new: every slot */
        {16, 100, 100, 1}, /* all is */
        {1, 30, 100, 2},   /* the root of a share */
        {4, 4, 100, 8},    /* … but no more than twice as far at once */
        {5, 20, 100, 5},   /* a steady one stays */
        {10, 20, 100, 7},  /* more than a steady one: nearer */
        {3, 1, 1, 1},      /* all there is */
        {3, 0, 0, 6},      /* nothing came twice */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (adapt_stride(rows[i].apart, rows[i].n_new, rows[i].n) != rows[i].stride)
            TAP_FAIL("%zu: %f", i, adapt_stride(rows[i].apart, rows[i].n_new, rows[i].n));
}

static void headers_say_how_long_a_cache_has_the_same(void)
{
    static const struct {
        const char *headers;
        int64_t seconds;
    } rows[] = {
        {"cache-control: max-age=30, public, must-revalidate, s-maxage=60\n"
         "cf-cache-status: HIT\nage: 20\n",
         40},
        {"cache-control: max-age=30, public, must-revalidate, s-maxage=60\n"
         "cf-cache-status: MISS\n",
         60},
        {"cache-control: public, max-age=30\n", 30},
        {"cache-control: public,s-maxage=300\ncf-cache-status: HIT\nage: 300\n", 0},
        {"cache-control: max-age=30, s-maxage=60\ncf-cache-status: HIT\nage: 288\n", 0},
        {"cache-control: max-age=0, private, must-revalidate\n", 0},
        {"cache-control: private, max-age=60\n", 0},
        {"cache-control: no-store, s-maxage=60\n", 0},
        {"cache-control: s-maxage=60\ncf-cache-status: DYNAMIC\n", 0},
        {"cache-control: s-maxage=60\ncf-cache-status: UPDATING\n", 0},
        {"cache-control: s-maxage=-5\nage: x\n", 0},
        {"cache-control: s-maxage=99999999999999999999\n", 0},
        {"cache-control: ,,=,s-maxage\n", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (adapt_same_for_us(str_of(rows[i].headers)) != rows[i].seconds * SECOND)
            TAP_FAIL("%zu: %lld", i, (long long)adapt_same_for_us(str_of(rows[i].headers)));
}

/* A whole poll of one page; how many seconds after its slot the next one is due. */
static int64_t poll(struct adapt *a, int64_t slot_s, const char *headers, const char *body)
{
    adapt_begin(a);
    adapt_see(a, str_of(headers), str_of(body), START + slot_s * SECOND + SECOND / 2);
    return adapt_settle(a, START + slot_s * SECOND, 30 * SECOND, 600 * SECOND) / SECOND -
           START / SECOND - slot_s;
}

static void polls_drift_apart_while_answers_repeat_and_come_back_when_they_move(void)
{
    struct adapt a = {0};

    CHECK_EQ(poll(&a, 0, "", "[{\"a\":1},{\"b\":1}]"), 30); /* nothing is known yet */
    CHECK_EQ(poll(&a, 30, "", "[{\"a\":1},{\"b\":1}]"), 60);
    CHECK_EQ(poll(&a, 90, "", "[{\"a\":1},{\"b\":1}]"), 120);
    CHECK_EQ(poll(&a, 210, "", "[{\"a\":1},{\"b\":1}]"), 240);
    CHECK_EQ(poll(&a, 450, "", "[{\"a\":1},{\"b\":1}]"), 480);
    CHECK_EQ(poll(&a, 930, "", "[{\"a\":1},{\"b\":1}]"), 600); /* max */
    CHECK_EQ(poll(&a, 1530, "", "[{\"a\":2},{\"b\":2}]"), 30);
    CHECK_EQ(poll(&a, 1560, "", "[{\"a\":3},{\"b\":2}]"), 60); /* of "[", a and b one */
    CHECK_EQ(poll(&a, 1620, "", ""), 120);
    adapt_release(&a);
}

static void a_cache_is_not_asked_before_it_has_something_new(void)
{
    static const char hit[] =
        "cache-control: public, s-maxage=300\ncf-cache-status: HIT\nage: 100\n";
    static const char day[] = "cache-control: public, s-maxage=86400\n";
    struct adapt a = {0};

    CHECK_EQ(poll(&a, 0, hit, "[{1}]"), 200);
    CHECK_EQ(poll(&a, 210, "", "[{2}]"), 30);   /* what it said before is over */
    CHECK_EQ(poll(&a, 240, day, "[{3}]"), 600); /* max holds all the same */
    adapt_begin(&a);                            /* one page of two can be new */
    adapt_see(&a, STR("cache-control: s-maxage=300\n"), STR("[{4}]"), START);
    adapt_see(&a, STR_NONE, STR("[{5}]"), START);
    CHECK_EQ(adapt_settle(&a, START + 300 * SECOND, 30 * SECOND, 600 * SECOND),
             START + 330 * SECOND);
    adapt_release(&a);
}

static void a_poll_that_did_not_end_well_teaches_nothing(void)
{
    struct adapt a = {0};

    poll(&a, 0, "", "[{\"a\":1}]");
    adapt_begin(&a);
    adapt_see(&a, STR_NONE, STR("[{\"a\":2}]"), START);
    CHECK_EQ(poll(&a, 30, "", "[{\"a\":1}]"), 60);
    adapt_release(&a);
}

static void a_hostile_body_takes_bounded_memory(void)
{
    static char body[1 << 20];
    struct adapt a = {0};

    memset(body, '{', sizeof(body));
    for (int i = 0; i < 3; i++) {
        adapt_begin(&a);
        adapt_see(&a, STR_NONE, (struct str){body, sizeof(body)}, START);
        adapt_settle(&a, START + i * MINUTE, MINUTE, HOUR);
        CHECK(a.known.max <= 1u << 17);
    }
    adapt_release(&a);
}

/* ---- months of a market, adaptive and fixed, of as many polls ---- */

#define N_ROWS  40
#define STEP    (30 * SECOND)
#define N_STEPS (30 * DAY / STEP)

static uint64_t state;
static double draw(void) /* splitmix64: 0 … 1 */
{
    uint64_t z = state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

/* What the API would answer at each step. */
struct market {
    uint32_t (*rows)[N_ROWS];
    int64_t kept_us; /* by a cache, which has a new answer each such time; 0: there is none */
};

static double changes_an_hour(const char *name, int64_t at_us)
{
    const int64_t day = at_us / DAY, hour = at_us % DAY / HOUR;

    if (strcmp(name, "steady") == 0)
        return 6;
    if (strcmp(name, "day and night") == 0)
        return hour >= 8 && hour < 22 ? 20 : 0.5;
    if (strcmp(name, "storms") == 0)
        return (day * 7 + hour * 5) % 12 == 0 ? 60 : 0.5;
    return day % 7 < 5 ? 30 : 0; /* closed on weekends */
}

static struct market make(const char *name, int64_t kept_us)
{
    struct market m = {.rows = mem_new(N_STEPS, sizeof(*m.rows)), .kept_us = kept_us};
    uint32_t now[N_ROWS] = {0};

    for (int64_t i = 0; i < N_STEPS; i++) {
        const double hours = (double)STEP / (double)HOUR;
        const double part =
            kept_us > 0 ? 0 : 1 - exp(-changes_an_hour(name, START % DAY + i * STEP) * hours);
        for (size_t row = 0; row < N_ROWS; row++)
            if (kept_us > 0)
                now[row] = (uint32_t)(i * STEP / kept_us);
            else
                now[row] += draw() < part;
        memcpy(m.rows[i], now, sizeof(now));
    }
    return m;
}

/* The share of rows, at all times, that are not what the API would answer. */
static double stale_at(const struct market *m, int64_t polled, int64_t now)
{
    size_t n = 0;

    for (size_t row = 0; row < N_ROWS; row++)
        n += m->rows[polled][row] != m->rows[now][row];
    return (double)n / N_ROWS / (double)N_STEPS;
}

static int64_t see(struct adapt *a, const struct market *m, int64_t i, int64_t most_us)
{
    struct buf body = BUF_INIT(1 << 16), headers = BUF_INIT(256);
    const int64_t age_us = m->kept_us > 0 ? i * STEP % m->kept_us : 0;

    for (size_t row = 0; row < N_ROWS; row++)
        buf_addf(&body, "{\"id\":%zu,\"v\":%u},", row, m->rows[i][row]);
    if (m->kept_us > 0)
        buf_addf(&headers, "cache-control: s-maxage=%lld\nage: %lld\n",
                 (long long)(m->kept_us / SECOND), (long long)(age_us / SECOND));
    adapt_begin(a);
    adapt_see(a, buf_str(&headers), buf_str(&body), START + i * STEP);
    const int64_t next_us = adapt_settle(a, START + i * STEP, STEP, most_us);
    buf_release(&body);
    buf_release(&headers);
    return (next_us - START + STEP - 1) / STEP;
}

static double adaptive(const struct market *m, int64_t most_us, int64_t *ret_polls)
{
    struct adapt a = {0};
    int64_t polled = 0, next = 0, n = 0;
    double stale = 0;

    for (int64_t i = 0; i < N_STEPS; i++) {
        if (i == next) {
            next = see(&a, m, i, most_us);
            polled = i;
            n++;
        }
        stale += stale_at(m, polled, i);
    }
    adapt_release(&a);
    *ret_polls = n;
    return stale;
}

/* As many polls, evenly: the mean of eight places to begin. */
static double fixed(const struct market *m, int64_t n_polls)
{
    const double apart = (double)N_STEPS / (double)n_polls;
    double sum = 0;

    for (int k = 0; k < 8; k++) {
        int64_t polled = 0, n = 0;
        for (int64_t i = 0; i < N_STEPS; i++) {
            if ((double)i >= ((double)n + k / 8.0) * apart) {
                polled = i;
                n++;
            }
            sum += stale_at(m, polled, i);
        }
    }
    return sum / 8;
}

static void rows_are_fresher_than_by_as_many_polls_at_a_fixed_interval(void)
{
    static const struct {
        const char *name;
        int64_t kept_us;
        double most; /* of the fixed one's stale rows */
    } rows[] = {
        {"steady", 0, 1.05}, /* nothing to learn: an even grid is the best there is */
        {"day and night", 0, 0.8},
        {"storms", 0, 0.8},
        {"closed on weekends", 0, 0.8},
        {"a cache of 10m", 10 * MINUTE, 0.5},
        {"a cache of 7m", 7 * MINUTE, 0.5},
    };
    printf("# 30 days, adaptive 30s-10m | polls | apart | stale rows, adaptive | fixed\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        state = 4711 + i;
        struct market m = make(rows[i].name, rows[i].kept_us);
        int64_t n;
        const double ours = adaptive(&m, 10 * MINUTE, &n), theirs = fixed(&m, n);
        printf("# %s | %lld | %.0f s | %.2f %% | %.2f %%\n", rows[i].name, (long long)n,
               30.0 * 86400 / (double)n, ours * 100, theirs * 100);
        if (ours > rows[i].most * theirs)
            TAP_FAIL("%s: %f, fixed %f", rows[i].name, ours, theirs);
        mem_free(m.rows);
    }
}

TAP_MAIN(TAP_CASE(the_stride_follows_the_share_that_changed),
         TAP_CASE(headers_say_how_long_a_cache_has_the_same),
         TAP_CASE(polls_drift_apart_while_answers_repeat_and_come_back_when_they_move),
         TAP_CASE(a_cache_is_not_asked_before_it_has_something_new),
         TAP_CASE(a_poll_that_did_not_end_well_teaches_nothing),
         TAP_CASE(a_hostile_body_takes_bounded_memory),
         TAP_CASE(rows_are_fresher_than_by_as_many_polls_at_a_fixed_interval))
