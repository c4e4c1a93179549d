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

static int64_t calls_in(const struct config *config, int priority, int64_t days)
{
    int64_t calls = 0;

    for (size_t i = 0; i < config->n_jobs; i++)
        if (priority < 0 || config->jobs[i].priority == priority)
            calls += config_calls(&config->jobs[i], days);
    return calls;
}

static void share_out(const struct config *config, int priority, double share, double stretch,
                      struct forecast *f)
{
    for (size_t i = 0; i < config->n_jobs && i < CONFIG_MAX_JOBS; i++) {
        const struct job_config *job = &config->jobs[i];
        struct forecast_job *of = &f->jobs[i];
        if (job->priority != priority)
            continue;
        of->calls = config_calls(job, PERIOD_DAYS);
        of->share = share;
        of->kept = (int64_t)(share * (double)of->calls / (double)config_pages(job));
        of->apart_us = of->kept > 0 ? PERIOD_DAYS * DAY_US / of->kept : 0;
        of->fitting_us = round_up((double)config_every_us(job) * stretch);
    }
}

void config_forecast(const struct config *config, struct forecast *ret_forecast)
{
    struct err err = ERR_INIT;
    int64_t budget = 0, calls = calls_in(config, -1, PERIOD_DAYS);

    if (config_budget(config, &budget, &err) != ST_OK)
        budget = 0;
    *ret_forecast = (struct forecast){.budget = budget, .calls = calls, .days = PERIOD_DAYS};
    if (budget > 0 && calls > budget)
        ret_forecast->days = PERIOD_DAYS * (double)budget / (double)calls;
    double left = (double)budget;
    double stretch = (double)calls_in(config, -1, LONGEST_DAYS) / (budget > 0 ? left : 1);
    for (int priority = CONFIG_MAX_PRIORITY; priority >= 0; priority--) {
        double wanted = (double)calls_in(config, priority, PERIOD_DAYS);
        double share = budget == 0 || wanted <= left ? 1 : left / wanted;
        share_out(config, priority, share, budget > 0 && stretch > 1 ? stretch : 1, ret_forecast);
        left -= share * wanted;
    }
}
