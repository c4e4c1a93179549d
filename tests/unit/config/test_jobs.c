/* Jobs: their names, which of them count, and whether their calls fit. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "sources.h"

#include "tape/tape.h"

static void a_selection_has_a_name_of_its_own(void)
{
    static const struct {
        const char *args[4];
        const char *name;
        int64_t pages, top;
    } rows[] = {
        {{"--vs=usd"}, "markets-usd", 1, 250},
        {{"--vs=eur", "--top=250"}, "markets-eur", 1, 250},
        {{"--top=251"}, "markets-usd-top251", 2, 251},
        {{"--all", "--every=1h"}, "markets-usd-all", 70, 0},
        {{"--ids=b,a"}, "markets-usd-ids-08876b46", 1, 0},
        {{"--ids=a, b,a"}, "markets-usd-ids-08876b46", 1, 0},
        {{"--ids=a", "--ids=b"}, "markets-usd-ids-08876b46", 1, 0},
        {{"--ids=1move token,boringdao-[old]"}, "markets-usd-ids-17fda4cf", 1, 0},
        {{"--category=layer-1", "--every=1h"}, "markets-usd-cat-layer-1", 8, 0},
        {{"--category=layer-1", "--top=300", "--every=1h"},
         "markets-usd-cat-layer-1-top300",
         2,
         300},
        {{"--endpoint=coins/markets"}, "markets-usd", 1, 250},
        {{"--endpoint=coins/list"}, "coins-list", 1, 0},
        {{"--endpoint=coins/list", "--inactive"}, "coins-list-inactive", 1, 0},
        {{"--endpoint=global"}, "global", 1, 0},
        {{"--endpoint=simple/supported_vs_currencies"}, "vs-currencies", 1, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char name[64] = "";
        size_t n = load(VERB_RUN, ARGS(rows[i].args[0], rows[i].args[1], rows[i].args[2]), NULL);
        if (n == 0)
            config_job_name(&config.jobs[0], name);
        if (strcmp(name, rows[i].name) != 0 || config_pages(&config.jobs[0]) != rows[i].pages ||
            config_top(&config.jobs[0]) != rows[i].top || !tape_job_name_is_valid(str_of(name)))
            TAP_FAIL("%s: %s %lld %lld: %s", rows[i].name, name,
                     (long long)config_pages(&config.jobs[0]),
                     (long long)config_top(&config.jobs[0]), buf_z(&problems.text));
    }
    finish();
}

static void a_name_is_valid_when_the_tape_says_so(void)
{
    static const char *const names[] = {
        "a",
        "a.b-c_9",
        ".a",
        "-a",
        "A",
        "a/b",
        "..",
        "a b",
        "_",
        "0123456789012345678901234567890123456789012345678901234567890"
        "12",
        "0123456789012345678901234567890123456789012345678901234567890"
        "123",
        "\xc3\xa4"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct buf b = BUF_INIT(1024);
        buf_addf(&b, "jobs: {\"%s\": {every: 1h}}\n", names[i]);
        put("geckotape.yaml", b.p);
        bool is_taken = load(VERB_RUN, NULL, NULL) == 0;
        buf_release(&b);
        if (is_taken != tape_job_name_is_valid(str_of(names[i])))
            TAP_FAIL("%s: %s", names[i], buf_z(&problems.text));
    }
    finish();
}

static void a_category_too_long_for_a_name_is_refused(void)
{
    CHECK_EQ(
        load(VERB_RUN,
             ARGS("--every=1h", "--category=0123456789012345678901234567890123456789012345678"),
             NULL),
        1);
    CHECK(says("--category: too long for the name of a job"));
    finish();
}

static void any_selection_outside_the_file_takes_the_place_of_its_jobs(void)
{
    static const char *const flags[] = {"--vs=eur",
                                        "--top=5",
                                        "--all",
                                        "--ids=a",
                                        "--every=1h",
                                        "--category=a",
                                        "--adaptive=30s-10m",
                                        "--between=1:00-2:00",
                                        "--endpoint=global",
                                        "--inactive",
                                        "--priority=9",
                                        "--offpeak=22:00-06:00 1h",
                                        "--cron=0 * * * *",
                                        "--tz=UTC"};
    static const char *const variables[] = {"GECKOTAPE_VS=eur", "GECKOTAPE_EVERY=1h", "PER_PAGE=5",
                                            "VS_CURRENCY=eur",
                                            "COINGECKO_URL=https://h/coins/markets?per_page=5"};
    put("geckotape.yaml", "jobs: {a: {every: 1m}, b: {vs: eur, every: 1m}}\n");
    CHECK_EQ(load(VERB_RUN, ARGS("--log-level=warn"), ARGS("COINGECKO_URL=https://h")), 0);
    CHECK_EQ(config.n_jobs, 2);
    CHECK_EQ(config.n_jobs_replaced, 0);
    for (size_t i = 0; i < n_config_job_options; i++) {
        load(VERB_RUN, ARGS(flags[i]), NULL);
        CHECK_EQ(config.n_jobs, 1);
        CHECK_EQ(config.n_jobs_replaced, 2);
        CHECK(config.jobs[0].name == NULL);
        CHECK(warns("selects one job; the 2 of geckotape.yaml are not used"));
    }
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
        load(VERB_RUN, NULL, ARGS(variables[i]));
        CHECK_EQ(config.n_jobs_replaced, 2);
        put(".env", variables[i]);
        load(VERB_RUN, NULL, NULL);
        CHECK_EQ(config.n_jobs_replaced, 2);
        put(".env", NULL);
    }
    finish();
}

static void selections_exclude_each_other(void)
{
    static const char *const flags[] = {"--all", "--ids=a", "--category=b", "--top=5"};

    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < i; k++) {
            bool is_bound = i == 3 && k == 2; /* so many of a category */
            CHECK_EQ(load(VERB_RUN, ARGS(flags[k], flags[i], "--every=1h"), NULL), !is_bound);
            CHECK(is_bound || says("one or the other"));
        }
    finish();
}

static void an_endpoint_takes_its_own_options_only(void)
{
    static const char *const flags[] = {"--vs=eur", "--top=5", "--all", "--ids=a", "--category=b"};
    static const char *const others[] = {"--endpoint=coins/list", "--endpoint=global",
                                         "--endpoint=simple/supported_vs_currencies"};

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        CHECK_EQ(load(VERB_RUN, ARGS(flags[i], "--endpoint=coins/markets", "--every=1h"), NULL), 0);
        for (size_t k = 0; k < 3; k++) {
            CHECK_EQ(load(VERB_RUN, ARGS(flags[i], others[k], "--every=1h"), NULL), 1);
            CHECK(says(": of coins/markets only, and the job is of "));
        }
    }
    CHECK_EQ(load(VERB_RUN, ARGS("--inactive"), NULL), 1);
    CHECK(says("--inactive: of coins/list only, and the job is of coins/markets; add --endpoint "
               "coins/list"));
    CHECK_EQ(load(VERB_RUN, ARGS("--endpoint=coins/lists"), NULL), 1);
    put("geckotape.yaml", "jobs: {a: {endpoint: global, vs: eur}, b: {inactive: true}}\n");
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 2);
    CHECK(says("geckotape.yaml:1: jobs.a.vs: of coins/markets only, and the job is of global"));
    CHECK(
        says("jobs.b.inactive: of coins/list only, and the job is of coins/markets; add endpoint: "
             "coins/list"));
    finish();
}

static void an_endpoint_has_its_own_rhythm(void)
{
    static const struct {
        const char *args[3];
        int64_t every_s, calls; /* a day */
    } rows[] = {
        {{"--endpoint=coins/markets"}, 30, 2880},
        {{"--endpoint=coins/list"}, 3600, 24},
        {{"--endpoint=global"}, 600, 144},
        {{"--endpoint=simple/supported_vs_currencies"}, 3600, 24},
        {{"--endpoint=coins/list", "--every=1d"}, 86400, 1},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ(load(VERB_RUN, ARGS(rows[i].args[0], rows[i].args[1]), NULL), 0);
        CHECK_EQ(config_every_us(&config.jobs[0]), rows[i].every_s * 1000000);
        CHECK_EQ(config_calls(&config.jobs[0], 1), rows[i].calls);
    }
    finish();
}

static void hours_are_of_the_utc_day(void)
{
    static const struct {
        const char *text;
        int64_t from_h, to_h; /* -1: refused */
    } rows[] = {
        {"", 0, 0},
        {"08:00-18:00", 8, 18},
        {"22:00 - 04:00", 22, 4},
        {"00:00-24:00", 0, 24},
        {"8:00-18:00", -1, 0},
        {"08:00", -1, 0},
        {"08:00-08:00", -1, 0},
        {"24:00-01:00", -1, 0},
        {"08:60-09:00", -1, 0},
        {"25:00-09:00", -1, 0},
        {"24:30-09:00", -1, 0},
        {"-", -1, 0},
        {"08:00-18:00Z", -1, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct err err = ERR_INIT;
        int64_t from_us = -1, to_us = -1;
        enum st st = config_between(rows[i].text, &from_us, &to_us, &err);
        if (rows[i].from_h < 0) {
            CHECK_EQ(st, ST_REJECT);
            continue;
        }
        CHECK_OK(st, err);
        CHECK_EQ(from_us, rows[i].from_h * 3600 * US_PER_S);
        CHECK_EQ(to_us, rows[i].to_h * 3600 * US_PER_S);
    }
}

static void all_jobs_together_have_to_fit(void)
{
    static const struct {
        const char *text;
        bool fits;
    } rows[] = {
        {"jobs: {a: {every: 30s}, b: {every: 30s}}", true}, /* 4 calls a minute */
        {"jobs: {a: {every: 30s}, b: {every: 30s}, c: {every: 7d}}", false},
        {"jobs: {a: {every: 30s, between: 08:00-18:00}, b: {every: 20s, between: 18:00-08:00}}",
         true},
        {"jobs: {a: {every: 30s, between: 08:00-18:01}, b: {every: 20s, between: 18:00-08:00}}",
         false},
        {"jobs: {a: {every: 30s, between: 22:00-02:00}, b: {every: 20s, between: 01:00-03:00}}",
         false},
        {"jobs: {a: {all: true, every: 17m}}", false},
        {"jobs: {a: {all: true, every: 18m}}", true},
        {"jobs: {a: {all: true, every: 1h}, b: {every: 20s}}", false},
        {"jobs: {a: {all: true, every: 1h}, b: {every: 1m}}\napi: {rate: 5}", true},
        {"jobs: {a: {every: 1h, offpeak: '22:00-06:00 10s Europe/Berlin'}}", false},
        {"jobs: {a: {every: 10s, offpeak: '22:00-06:00 1h', between: 23:00-05:00}}", true},
        {"jobs: {a: {every: 10s, offpeak: '06:00-22:00 1h', between: 23:00-05:00}}", false},
        {"jobs: {a: {every: 1h, offpeak: '22:00-06:00 20s'},\n"
         "       b: {vs: eur, every: 1h, offpeak: '06:00-21:00 20s'}}",
         true},
        {"jobs: {a: {every: 1h, offpeak: '22:00-06:00 20s'},\n"
         "       b: {vs: eur, every: 1h, offpeak: '05:00-21:00 20s'}}",
         false},
        /* in summer alone */
        {"jobs: {a: {every: 1h, offpeak: '22:00-06:00 20s'},\n"
         "       b: {vs: eur, every: 1h, offpeak: '07:00-21:00 20s Europe/Berlin'}}",
         false},
        {"jobs: {a: {all: true, cron: '*/10 * * JUL *'}}", false},
        {"jobs: {a: {top: 1000, cron: '* * * 7 *'}, b: {top: 1000, cron: '* * * 1 *'}}", true},
        {"jobs: {a: {top: 1000, cron: '* * * 7 *'}, b: {top: 1000, cron: '* 9 * * *'}}", false},
        {"jobs: {a: {top: 1000, cron: '* 8-11 * * *'}, b: {top: 1000, cron: '* 13-18 * * *'}}",
         true},
        {"jobs: {a: {all: true, cron: '0 0 31 * *'}}", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put("geckotape.yaml", rows[i].text);
        size_t n = load(VERB_RUN, NULL, NULL);
        if (n != !rows[i].fits)
            TAP_FAIL("%s: %s", rows[i].text, buf_z(&problems.text));
    }
    put("geckotape.yaml", rows[1].text);
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 1);
    CHECK(says("a (1 calls every 30s)") || says("a (1 call every 30s)"));
    CHECK(says("and the pace is 4"));
    put("geckotape.yaml", rows[5].text);
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 1);
    CHECK(says("geckotape.yaml:1: jobs.a: a poll takes 70 calls, every 17m") && says("18m fits"));
    CHECK_EQ(load(VERB_ONCE, NULL, NULL), 0);
    put("geckotape.yaml", "jobs: {a: {top: 500, every: 1h, offpeak: '22:00-06:00 10s'}}");
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 1);
    CHECK(says("a poll takes 2 calls, every 10s") && says("an off-peak interval of 1m fits"));
    finish();
}

static void the_shortest_time_between_two_is_that_of_the_year(void)
{
    static const struct {
        const char *times;
        int64_t every_s;
    } rows[] = {
        {"cron: '*/5 * * 7 *'", 300},
        {"cron: '0 0 1,31 * *'", 86400},
        {"cron: '@yearly'", 365 * 86400},
        {"cron: '0 0 1 * *'", 28 * 86400},
        {"cron: '@daily'", 86400},
        {"every: 1m, offpeak: '22:00-06:00 10m'", 60},
        {"every: 1h, offpeak: '22:00-06:00 10m'", 600},
        {"adaptive: {min: 20s, max: 10m}", 20},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf b = BUF_INIT(1024);
        buf_addf(&b, "jobs: {a: {%s}}\n", rows[i].times);
        put("geckotape.yaml", b.p);
        buf_release(&b);
        CHECK_EQ(load(VERB_RUN, NULL, NULL), 0);
        CHECK_EQ(config_every_us(&config.jobs[0]), rows[i].every_s * US_PER_S);
    }
    finish();
}

static void long_lists_of_ids_take_several_calls(void)
{
    struct buf b = BUF_INIT(1 << 20);

    buf_add_z(&b, "--ids=");
    for (int i = 0; i < 260; i++) /* by their number: 250 and 10 */
        buf_addf(&b, "%s%03d", i > 0 ? "," : "", i);
    CHECK_EQ(load(VERB_RUN, ARGS(b.p), NULL), 0);
    CHECK_EQ(config_pages(&config.jobs[0]), 2);
    for (int i = 0; i < 260; i++) /* by the length of the URL */
        buf_addf(&b, ",twenty-bytes-long-%03d", i);
    CHECK_EQ(load(VERB_RUN, ARGS(b.p, "--every=1h"), NULL), 0);
    CHECK_EQ(config_pages(&config.jobs[0]), 5);
    buf_release(&b);
    finish();
}

static void a_plan_that_does_not_last_the_month_is_warned_of(void)
{
    put("geckotape.yaml", "api: {plan: demo}\n");
    CHECK_EQ(load(VERB_RUN, ARGS("--every=5m"), ARGS("GECKOTAPE_API_KEY=CG-x")), 0);
    CHECK_Z(buf_z(&problems.warnings), "");
    CHECK_EQ(load(VERB_RUN, ARGS("--every=4m"), ARGS("GECKOTAPE_API_KEY=CG-x")), 0);
    CHECK(warns("geckotape.yaml:1: api.plan: a period of 30 days has 10000 calls, and all slots of "
                "the jobs make 10800"));
    CHECK(warns("only one slot in 1.1 is polled; every 5m fits whole"));
    CHECK_EQ(load(VERB_RUN, ARGS("--api-budget=none"), ARGS("GECKOTAPE_API_KEY=CG-x")), 0);
    CHECK_Z(buf_z(&problems.warnings), "");
    finish();
}

/* Also where nothing is forecast: what is no number would be no bound. */
static void a_budget_that_is_none_is_refused_by_all_who_spend_it(void)
{
    static const uint32_t verbs[] = {VERB_RUN, VERB_ONCE, VERB_EXTRACT, VERB_CHECK, VERB_DOCTOR};
    static const char *const budgets[] = {"--api-budget=10k", "--api-budget=0", "--api-budget=-1"};

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        for (size_t k = 0; k < sizeof(budgets) / sizeof(budgets[0]); k++) {
            CHECK_EQ(load(verbs[i], ARGS(budgets[k]), NULL), 1);
            CHECK(says("is not a number of calls"));
        }
    CHECK_EQ(load(VERB_SERVE, ARGS("--upstream", "--api-budget=10k"), NULL), 1);
    CHECK(says("\"10k\" is not a number of calls"));
    finish();
}

/* Slots of a few days of the year alone: there are calls for them, whenever that is. */
static void what_comes_rarely_is_not_starved(void)
{
    static const char *const crons[] = {"0 12 31 * *",   "0 12 29 2 *", "0 0 1 1 *",
                                        "0 0 31 12 *",   "0 * * 7 *",   "0 0 28-31 * 5",
                                        "*/5 * * JUL *", "@weekly"};

    for (size_t i = 0; i < sizeof(crons) / sizeof(crons[0]); i++) {
        struct buf b = BUF_INIT(1024);
        buf_addf(&b, "api: {plan: demo}\njobs:\n  a: {cron: '%s'}\n  b: {every: 1h}\n", crons[i]);
        put("geckotape.yaml", b.p);
        if (load(VERB_RUN, NULL, ARGS("GECKOTAPE_API_KEY=CG-x")) != 0 || problems.warnings.len > 0)
            TAP_FAIL("%s: %s%s", crons[i], buf_z(&problems.text), buf_z(&problems.warnings));
        buf_release(&b);
    }
    finish();
}

/* b in January, a in July: one does not take the calls of the other. */
static void a_job_starves_by_the_jobs_of_its_own_days(void)
{
    static const struct {
        const char *of_a, *of_b;
        bool is_starved;
    } rows[] = {{"* * * 7 *", "0 * * 1 *", false},
                {"* * * 7 *", "0 * * 7 *", true},
                {"* * * 7 *", "0 12 31 7 *", true},
                {"* * * 7 *", "0 0 1 8 *", false},
                {"* * * 7 *", "0 12 * * *", false}};
    struct forecast f;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf b = BUF_INIT(1024);
        buf_addf(&b,
                 "api: {plan: demo, budget: 5000}\njobs:\n  a: {cron: '%s', priority: 9}\n"
                 "  b: {cron: '%s', priority: 1}\n",
                 rows[i].of_a, rows[i].of_b);
        put("geckotape.yaml", b.p);
        load(VERB_RUN, NULL, ARGS("GECKOTAPE_API_KEY=CG-x"));
        config_forecast(&config, &f);
        if (says("jobs.b: the budget of 5000 calls leaves no poll of b") != rows[i].is_starved ||
            f.jobs[1].is_starved != rows[i].is_starved || f.jobs[0].calls != 30 * 1440)
            TAP_FAIL("%s, %s: %s", rows[i].of_a, rows[i].of_b, buf_z(&problems.text));
        buf_release(&b);
    }
    finish();
}

static void hours_without_a_poll_are_a_mistake(void)
{
    static const struct {
        const char *every, *between, *next; /* NULL: there is one */
    } rows[] = {
        {"--every=12h", "--between=08:00-11:00", "12:00"},
        {"--every=1h", "--between=08:10-08:50", "09:00"},
        {"--every=1h", "--between=23:10-23:50", "00:00"},
        {"--every=2h", "--between=23:10-00:00", "00:00"},
        {"--every=7d", "--between=08:00-18:00", "00:00"},
        {"--every=36h", "--between=13:00-23:00", "00:00"},
        {"--every=7h", "--between=08:01-08:59", "09:00"},
        {"--every=12h", "--between=08:00-12:01", NULL},
        {"--every=12h", "--between=23:00-00:01", NULL},
        {"--every=7h", "--between=08:00-08:01", NULL},
        {"--every=36h", "--between=12:00-13:00", NULL},
        {"--every=7d", "--between=18:00-08:00", NULL},
        {"--every=1m", "--between=08:10-08:11", NULL},
    };
    char want[64];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CHECK_EQ(load(VERB_RUN, ARGS(rows[i].every, rows[i].between), NULL), rows[i].next != NULL);
        snprintf(want, sizeof(want), "the next one is at %s UTC; ", rows[i].next);
        CHECK(rows[i].next == NULL || (says("--between: no poll of every") && says(want)));
    }
    finish();
}

static void times_that_are_none_are_named_by_their_line(void)
{
    static const struct {
        const char *keys, *says; /* NULL: good */
    } rows[] = {
        {"cron: '*/5 8-18 * * MON-FRI', tz: Europe/Berlin", NULL},
        {"cron: '@daily'", NULL},
        {"cron: '61 * * * *'", "jobs.a.cron: \"61\" is no minute from 0 to 59"},
        {"cron: '0 0 30 2 *'", "jobs.a.cron: \"0 0 30 2 *\" never comes"},
        {"cron: '0 0 * *'", "jobs.a.cron: \"0 0 * *\" has 4 fields"},
        {"cron: '0 3 * * *', tz: Mars/Base", "jobs.a.cron: there is no Mars/Base in"},
        {"cron: '0 3 * * *', every: 1m", "jobs.a.cron and every: one or the other"},
        {"cron: '0 3 * * *', between: '08:00-09:00'",
         "no time of \"0 3 * * *\" lies in 08:00-09:00"},
        {"offpeak: {from: '22:00', to: '06:00', tz: Europe/Berlin, every: 1h}", NULL},
        {"offpeak: '22:00-06:00 1h Asia/Kolkata'", NULL},
        {"tz: Europe/Berlin, offpeak: {from: '22:00', to: '06:00', every: 1h}", NULL},
        {"offpeak: {from: '22:00', to: '22:00', every: 1h}", "are no hours of"},
        {"offpeak: {from: '22:00', to: '06:00'}",
         "jobs.a.offpeak: \"22:00-06:00\" are no off-peak"},
        {"offpeak: {from: '22:00', until: '06:00'}",
         "jobs.a.offpeak: no such key; it takes from-to"},
        {"offpeak: {from: '22:10', to: '22:50', every: 1h}", "no poll of every 1h falls in"},
        {"offpeak: {from: [1], to: '06:00', every: 1h}", "takes one value for each key"},
        {"offpeak: [1]", "takes one value"},
        {"adaptive: {min: 30s, max: 10m}", NULL},
        {"adaptive: 30s-10m, between: 08:00-18:00", NULL},
        {"adaptive: {min: 1m, max: 10m}, offpeak: '22:00-06:00 1h'", NULL},
        {"adaptive: {min: 30s}", "jobs.a.adaptive: \"30s-\" are no two times from 1s to 1d"},
        {"adaptive: {min: 100ms, max: 10s}", "are no two times"},
        {"adaptive: {min: 1m, max: 25h}", "are no two times"},
        {"adaptive: {min: 30s, max: 50s}", "make max at least twice min"},
        {"adaptive: {min: 10m, max: 30s}", "make max at least twice min"},
        {"adaptive: {min: 30s, most: 10m}", "jobs.a.adaptive: no such key; it takes min-max"},
        {"adaptive: 30s-10m, every: 1m", "jobs.a.adaptive and every: one or the other"},
        {"adaptive: 30s-10m, cron: '@daily'", "jobs.a.adaptive and cron: one or the other"},
        {"adaptive: 6h-1d, between: 22:00-23:00", "no poll of every 6h falls in"},
        {"cron: '@daily', offpeak: '22:00-06:00 1h'", "jobs.a.cron and offpeak: one or the other"},
        {"tz: Europe/Berlin", "jobs.a.tz: of cron and offpeak only"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf b = BUF_INIT(1024);
        buf_addf(&b, "jobs:\n  a: {%s}\n", rows[i].keys);
        put("geckotape.yaml", b.p);
        size_t n = load(VERB_RUN, NULL, NULL);
        buf_release(&b);
        if ((n == 0) != (rows[i].says == NULL) ||
            (rows[i].says && (!says(rows[i].says) || !says("geckotape.yaml:2: "))))
            TAP_FAIL("%s: %s", rows[i].keys, buf_z(&problems.text));
    }
    finish();
}

static void other_times_make_other_calls(void)
{
    put("geckotape.yaml",
        "jobs:\n  a: {every: 1m, offpeak: {from: '22:00', to: '06:00', every: 1h}}\n"
        "  b: {vs: eur, cron: '*/15 8-17 * * *'}\n");
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 0);
    CHECK_EQ(config_calls(&config.jobs[0], 1), 16 * 60 + 8);
    CHECK_EQ(config_calls(&config.jobs[1], 2), 80);
    CHECK_EQ(config_every_us(&config.jobs[1]), 900 * US_PER_S);
    put("geckotape.yaml", "jobs:\n  a: {cron: '0 0,12 31 * *'}\n  b: {cron: '0 * * JUL *'}\n");
    CHECK_EQ(load(VERB_RUN, NULL, NULL), 0);
    CHECK_EQ(config_calls(&config.jobs[0], 30), 2);
    CHECK_EQ(config_calls(&config.jobs[1], 1), 24);
    CHECK_EQ(config_calls(&config.jobs[1], 30), 720);
    finish();
}

/* Some days that are whole weeks and whole rounds of every grid here. */
static void calls_are_those_of_the_slots(void)
{
    static const char *const every[] = {"--every=1h",  "--every=5h",  "--every=7h", "--every=12h",
                                        "--every=36h", "--every=50m", "--every=7d", "--every=45s"};
    static const char *const between[] = {"--between=00:00-24:00", "--between=08:00-18:00",
                                          "--between=22:30-04:10", "--between=00:00-00:01",
                                          "--between=11:59-12:01", "--between=18:00-24:00"};
    const int64_t days = 105, day_us = 86400 * US_PER_S;

    for (size_t e = 0; e < sizeof(every) / sizeof(every[0]); e++)
        for (size_t b = 0; b < sizeof(between) / sizeof(between[0]); b++) {
            int64_t from_us, to_us, n = 0;
            struct err err = ERR_INIT;
            load(VERB_RUN, ARGS(every[e], between[b]), NULL);
            CHECK_EQ(config_between(config.job.between, &from_us, &to_us, &err), ST_OK);
            for (int64_t at = 0; at < days * day_us; at += config.job.every_us)
                n += time_is_in_hours(at, from_us, to_us);
            CHECK_EQ(config_calls(&config.jobs[0], days), n);
            CHECK_EQ(problems.n, n == 0);
        }
    finish();
}

static void calls_are_counted_within_the_hours(void)
{
    CHECK_EQ(load(VERB_RUN, ARGS("--every=1h", "--between=08:00-18:00", "--top=500"), NULL), 0);
    CHECK_EQ(config_calls(&config.jobs[0], 1), 20);
    CHECK_EQ(config_calls(&config.jobs[0], 30), 600);
    CHECK_EQ(load(VERB_RUN, ARGS("--every=1h", "--between=22:00-04:00"), NULL), 0);
    CHECK_EQ(config_calls(&config.jobs[0], 1), 6);
    CHECK_EQ(load(VERB_RUN, ARGS("--every=7d"), NULL), 0);
    CHECK_EQ(config_calls(&config.jobs[0], 1), 1);
    CHECK_EQ(config_calls(&config.jobs[0], 30), 5);
    finish();
}

static void once_takes_one_of_the_jobs_by_name(void)
{
    put("geckotape.yaml", "jobs: {a: {}, b: {vs: eur}}\n");
    CHECK_EQ(load(VERB_ONCE, ARGS("--job=b"), NULL), 0);
    CHECK_EQ(load(VERB_ONCE, ARGS("--job=c"), NULL), 1);
    CHECK(says("--job: there is no job \"c\"; there are a, b"));
    CHECK_EQ(load(VERB_ONCE, ARGS("--job=markets-eur", "--vs=eur"), NULL), 0);
    CHECK_EQ(load(VERB_TAPE, ARGS("--job=of-old"), NULL), 0);
    finish();
}

int main(void)
{
    static const struct tap_case cases[] = {
        TAP_CASE(a_selection_has_a_name_of_its_own),
        TAP_CASE(a_name_is_valid_when_the_tape_says_so),
        TAP_CASE(a_category_too_long_for_a_name_is_refused),
        TAP_CASE(any_selection_outside_the_file_takes_the_place_of_its_jobs),
        TAP_CASE(selections_exclude_each_other),
        TAP_CASE(an_endpoint_takes_its_own_options_only),
        TAP_CASE(an_endpoint_has_its_own_rhythm),
        TAP_CASE(hours_are_of_the_utc_day),
        TAP_CASE(all_jobs_together_have_to_fit),
        TAP_CASE(the_shortest_time_between_two_is_that_of_the_year),
        TAP_CASE(long_lists_of_ids_take_several_calls),
        TAP_CASE(a_plan_that_does_not_last_the_month_is_warned_of),
        TAP_CASE(a_budget_that_is_none_is_refused_by_all_who_spend_it),
        TAP_CASE(what_comes_rarely_is_not_starved),
        TAP_CASE(a_job_starves_by_the_jobs_of_its_own_days),
        TAP_CASE(hours_without_a_poll_are_a_mistake),
        TAP_CASE(times_that_are_none_are_named_by_their_line),
        TAP_CASE(other_times_make_other_calls),
        TAP_CASE(calls_are_those_of_the_slots),
        TAP_CASE(calls_are_counted_within_the_hours),
        TAP_CASE(once_takes_one_of_the_jobs_by_name),
    };
    begin();
    return tap_run(cases, sizeof(cases) / sizeof(cases[0]));
}
