/* How many calls a minute the jobs make together. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "config/parts.h"

#include "base/clock.h"

#define DAY_US  (86400 * US_PER_S)
#define HOUR_US (3600 * US_PER_S)

/* The first days of the months of 2026: a sample of all hours and of both clocks of a zone. */
static const int days[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
#define FIRST_US INT64_C(1767225600000000)
#define N_DAYS   (sizeof(days) / sizeof(days[0]))

struct paced {
    struct grid grid;
    double calls;     /* of a poll */
    int64_t every_us; /* the shortest between two */
};

static void read_paced(const struct job_config *job, struct paced *ret)
{
    struct err err = ERR_INIT;

    *ret = (struct paced){.calls = (double)config_pages(job), .every_us = config_every_us(job)};
    if (config_grid(job, &ret->grid, &err) != ST_OK)
        ret->grid = (struct grid){.every_us = config_interval_us(job)};
}

/* A line is at work while its next time is less than an hour away. */
static int64_t apart_at(const struct paced *p, int64_t at_us)
{
    if (p->grid.cron.zone == NULL)
        return grid_every(&p->grid, at_us);
    const int64_t next_us = grid_next(&p->grid, at_us - 1);
    return next_us != 0 && next_us - at_us < HOUR_US ? p->every_us : 0;
}

int64_t config_apart_us(const struct job_config *job, int64_t at_us)
{
    struct paced p;

    read_paced(job, &p);
    return apart_at(&p, at_us);
}

/* When more may be polled than before, on a day: the beginnings of hours and of a line's times. */
static size_t begins(const struct paced *p, int64_t day_us, int64_t ret_at_us[4])
{
    const struct zone *zone = p->grid.offpeak.zone;
    size_t n = 0;

    ret_at_us[n++] = day_us + p->grid.from_us;
    if (p->grid.cron.zone)
        ret_at_us[n++] = grid_next(&p->grid, day_us - 1);
    if (zone) {
        ret_at_us[n++] = zone_first_us(zone, day_us + p->grid.offpeak.from_us);
        ret_at_us[n++] = zone_first_us(zone, day_us + p->grid.offpeak.to_us);
    }
    return n;
}

static double calls_at(const struct paced *all, size_t n, int64_t at_us)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        const int64_t apart_us = apart_at(&all[i], at_us);
        if (apart_us > 0)
            sum += all[i].calls * 60 * US_PER_S / (double)apart_us;
    }
    return sum;
}

double config_calls_per_minute(const struct config *config, int64_t *ret_at_us)
{
    const size_t n = config->n_jobs < CONFIG_MAX_JOBS ? config->n_jobs : CONFIG_MAX_JOBS;
    struct paced all[CONFIG_MAX_JOBS];
    int64_t at_us[4];
    double most = 0;

    *ret_at_us = FIRST_US;
    for (size_t i = 0; i < n; i++)
        read_paced(&config->jobs[i], &all[i]);
    for (size_t i = 0; i < n; i++)
        for (size_t day = 0; day < N_DAYS; day++)
            for (size_t k = begins(&all[i], FIRST_US + days[day] * DAY_US, at_us); k > 0; k--) {
                const double calls = at_us[k - 1] != 0 ? calls_at(all, n, at_us[k - 1]) : 0;
                if (calls > most) {
                    most = calls;
                    *ret_at_us = at_us[k - 1];
                }
            }
    return most;
}
