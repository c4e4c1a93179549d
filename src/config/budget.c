/* What a billing period's calls are enough for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include "base/clock.h"

#define DAY_US       (86400 * US_PER_S)
#define PERIOD_DAYS  30
#define LONGEST_DAYS 31 /* what fits does so in every month */
#define MAX_CALLS    INT64_C(1000000000)

enum st config_budget(const struct config *config, int64_t *ret_calls, struct err *err)
{
    struct str text = str_of(config->api_budget);
    int64_t calls;

    if (str_eq(text, STR("plan")))
        calls = config_plan(config->api_plan)->calls_per_month;
    else if (str_eq(text, STR("none")))
        calls = 0;
    else if (!str_to_i64(text, 1, MAX_CALLS, &calls))
        return err_set(err, ST_REJECT,
                       "\"%.40s\" is not a number of calls; write it like 10000, or plan, or none",
                       config->api_budget);
    *ret_calls = calls;
    return ST_OK;
}

/* The shortest common interval that is at least this long. */
static int64_t round_up(double us)
{
    static const int every_s[] = {1,     2,     3,     5,      10,     15,    20,    30,
                                  60,    120,   180,   240,    300,    360,   600,   720,
                                  900,   1200,  1800,  3600,   7200,   10800, 14400, 21600,
                                  28800, 43200, 86400, 172800, 259200, 604800};

    for (size_t i = 0; i < sizeof(every_s) / sizeof(every_s[0]); i++)
        if ((double)every_s[i] * US_PER_S >= us)
            return every_s[i] * US_PER_S;
    return 0;
}

/* The calls that jobs want from one day of the sample on. */
struct wanted {
    int64_t of[CONFIG_MAX_JOBS]; /* in a period */
    int64_t all;
    double stretch; /* every must be so many times as long for all to fit */
};

static void look_at(const struct config *config, int64_t budget, int64_t day, struct wanted *ret)
{
    int64_t longest = 0;

    ret->all = 0;
    for (size_t i = 0; i < config->n_jobs && i < CONFIG_MAX_JOBS; i++) {
        ret->of[i] = config_calls_from(&config->jobs[i], day, PERIOD_DAYS);
        ret->all += ret->of[i];
        longest += config_calls_from(&config->jobs[i], day, LONGEST_DAYS);
    }
    ret->stretch = budget > 0 && longest > budget ? (double)longest / (double)budget : 1;
}

/* A job shows the period that leaves it least, and of such the one in which it has most. */
static void note(const struct job_config *job, int64_t calls, double share, double stretch,
                 struct forecast_job *of)
{
    const int64_t kept = (int64_t)(share * (double)calls / (double)config_pages(job) + 1e-9);
    const bool is_starved = calls > 0 && kept == 0;

    if (calls > 0)
        of->is_starved = is_starved && (of->calls == 0 || of->is_starved);
    if (of->calls > 0 &&
        (calls == 0 || share > of->share || (share >= of->share && calls <= of->calls)))
        return;
    of->calls = calls;
    of->share = share;
    of->kept = kept;
    of->apart_us = kept > 0 ? PERIOD_DAYS * DAY_US / kept : 0;
    of->fitting_us = config_is_plain(job) ? round_up((double)config_interval_us(job) * stretch) : 0;
}

/* The first slot of a period is never left out, when there is a poll's worth for the priority. */
static double one_at_least(const struct job_config *job, int64_t calls, double share, double left)
{
    const double one = (double)config_pages(job);

    return left >= one && (double)calls >= one && share * (double)calls < one ? one / (double)calls
                                                                              : share;
}

static void share_out(const struct config *config, const struct wanted *w, struct forecast *f)
{
    double left = (double)f->budget;

    for (int priority = CONFIG_MAX_PRIORITY; priority >= 0; priority--) {
        double wanted = 0;
        for (size_t i = 0; i < config->n_jobs && i < CONFIG_MAX_JOBS; i++)
            wanted += config->jobs[i].priority == priority ? (double)w->of[i] : 0;
        const double share = f->budget == 0 || wanted < 1 || wanted <= left ? 1 : left / wanted;
        for (size_t i = 0; i < config->n_jobs && i < CONFIG_MAX_JOBS; i++)
            if (config->jobs[i].priority == priority)
                note(&config->jobs[i], w->of[i],
                     one_at_least(&config->jobs[i], w->of[i], share, left), w->stretch,
                     &f->jobs[i]);
        left = wanted < left ? left - wanted : 0;
    }
}

static bool is_same_all_year(const struct config *config)
{
    for (size_t i = 0; i < config->n_jobs; i++)
        if (!config_is_plain(&config->jobs[i]))
            return false;
    return true;
}

void config_forecast(const struct config *config, struct forecast *ret_forecast)
{
    /* from the first of each month and from its 16th on, so that no day of the year is missed */
    static const int months[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    const size_t n_periods = is_same_all_year(config) ? 1 : 2 * sizeof(months) / sizeof(months[0]);
    struct forecast *f = ret_forecast;
    struct err err = ERR_INIT;
    struct wanted wanted;
    int64_t budget;

    if (config_budget(config, &budget, &err) != ST_OK)
        budget = 0;
    *f = (struct forecast){.budget = budget, .days = PERIOD_DAYS};
    for (size_t i = 0; i < n_periods; i++) {
        look_at(config, budget, months[i / 2] + (i % 2 ? 15 : 0), &wanted);
        share_out(config, &wanted, f);
        f->calls = wanted.all > f->calls ? wanted.all : f->calls;
    }
    if (budget > 0 && f->calls > budget)
        f->days = PERIOD_DAYS * (double)budget / (double)f->calls;
}
