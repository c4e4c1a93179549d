/* When a job is polled: its grid, of the options that say it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include "base/clock.h"

#include <stdio.h>

#define MINUTE_US  (60 * US_PER_S)
#define HOUR_US    (60 * MINUTE_US)
#define FROM_US    (INT64_C(1767225600) * US_PER_S) /* 2026, a Thursday: for samples */
#define MAX_SAMPLE 1500 /* polls of a cron line: five minutes' of a week, daily ones of a year */

static bool has(const char *text)
{
    return text && text[0];
}

static enum st get_zone(const char *name, const struct zone **ret_zone, struct err *err)
{
    return zone_get(has(name) ? name : "UTC", ret_zone, err);
}

enum st config_adaptive(const struct job_config *job, int64_t *ret_least_us, int64_t *ret_most_us,
                        struct err *err)
{
    struct str rest = str_of(has(job->adaptive) ? job->adaptive : ""), least;

    *ret_least_us = *ret_most_us = 0;
    if (rest.len == 0)
        return ST_OK;
    int64_t least_us, most_us;
    if (!str_cut(&rest, '-', &least) || !duration_parse(str_trim(least), &least_us) ||
        !duration_parse(str_trim(rest), &most_us) || least_us < US_PER_S || most_us > 24 * HOUR_US)
        return err_set(err, ST_REJECT,
                       "\"%.60s\" are no two times from 1s to 1d; write 30s-10m, or in the file "
                       "{min: 30s, max: 10m}",
                       job->adaptive);
    if (least_us > most_us / 2)
        return err_set(err, ST_REJECT,
                       "between %.*s and %.*s there is nothing to choose; make max at least twice "
                       "min",
                       STR_ARG(least), STR_ARG(rest));
    *ret_least_us = least_us;
    *ret_most_us = most_us;
    return ST_OK;
}

/* "22:00-06:00 1h Europe/Berlin"; without a zone that of the job. */
static enum st read_offpeak(const struct job_config *job, struct grid *g, struct err *err)
{
    struct str rest = str_trim(str_of(job->offpeak)), hours, every;
    char between[16], zone[64];

    str_cut(&rest, ' ', &hours);
    rest = str_trim(rest);
    str_cut(&rest, ' ', &every);
    rest = str_trim(rest);
    snprintf(between, sizeof(between), "%.*s", (int)(hours.len < 15 ? hours.len : 15), hours.p);
    snprintf(zone, sizeof(zone), "%.*s", (int)(rest.len < 63 ? rest.len : 63),
             rest.len > 0 ? rest.p : "");
    if (hours.len == 0 || hours.len > 15 || rest.len > 63 ||
        !duration_parse(every, &g->offpeak.every_us) || g->offpeak.every_us < US_PER_S ||
        g->offpeak.every_us > 7 * 24 * HOUR_US)
        return err_set(
            err, ST_REJECT,
            "\"%.80s\" are no off-peak hours; write \"22:00-06:00 1h Europe/Berlin\", or "
            "in the file {from: 22:00, to: 06:00, every: 1h, tz: Europe/Berlin}",
            job->offpeak);
    enum st st = config_between(between, &g->offpeak.from_us, &g->offpeak.to_us, err);
    if (st == ST_OK)
        st = get_zone(zone[0] ? zone : job->tz, &g->offpeak.zone, err);
    if (st != ST_OK)
        return st;
    /* the hours, with nothing outside them */
    struct grid alone = *g;
    alone.every_us = 0;
    if (grid_next(&alone, FROM_US) == 0)
        return err_set(err, ST_REJECT,
                       "no poll of every %.*s falls in %.*s%s; make the hours longer, or poll more "
                       "often in them",
                       STR_ARG(every), STR_ARG(hours), g->from_us == g->to_us ? "" : " of between");
    return ST_OK;
}

static enum st read_cron(const struct job_config *job, struct grid *g, struct err *err)
{
    const struct zone *zone;

    g->every_us = MINUTE_US;
    enum st st = get_zone(job->tz, &zone, err);
    if (st == ST_OK)
        st = cron_parse(job->cron, zone, &g->cron, err);
    if (st == ST_OK && grid_next(g, FROM_US) == 0)
        return err_set(err, ST_REJECT, "no time of \"%.60s\" lies in %.40s; leave one of them out",
                       job->cron, job->between);
    return st;
}

enum st config_grid(const struct job_config *job, struct grid *ret_grid, struct err *err)
{
    struct grid g = {.every_us = config_interval_us(job)};

    enum st st = config_between(has(job->between) ? job->between : "", &g.from_us, &g.to_us, err);
    if (st == ST_OK && has(job->cron))
        st = read_cron(job, &g, err);
    else if (st == ST_OK && has(job->offpeak))
        st = read_offpeak(job, &g, err);
    if (st == ST_OK)
        *ret_grid = g;
    return st;
}

bool config_is_plain(const struct job_config *job)
{
    return !has(job->cron) && !has(job->offpeak);
}

/* Of a cron line by a sample of a year. */
static int64_t shortest_us(const struct grid *g)
{
    const int64_t until_us = FROM_US + CONFIG_SAMPLE_DAYS * 24 * HOUR_US;
    int64_t slot_us = grid_next(g, FROM_US - 1), every_us = 0;

    for (int i = 0; i < MAX_SAMPLE && slot_us != 0 && slot_us < until_us; i++) {
        const int64_t next_us = grid_next(g, slot_us);
        if (next_us != 0 && (every_us == 0 || next_us - slot_us < every_us))
            every_us = next_us - slot_us;
        slot_us = next_us;
    }
    return every_us > 0 ? every_us : CONFIG_SAMPLE_DAYS * 24 * HOUR_US;
}

int64_t config_every_us(const struct job_config *job)
{
    struct err err = ERR_INIT;
    struct grid g;

    if (config_is_plain(job) || config_grid(job, &g, &err) != ST_OK)
        return config_interval_us(job);
    if (g.cron.zone)
        return shortest_us(&g);
    return g.offpeak.every_us < g.every_us ? g.offpeak.every_us : g.every_us;
}

int64_t config_slots(const struct job_config *job, int64_t day, int64_t days)
{
    const int64_t from_us = FROM_US + day * 24 * HOUR_US;
    struct err err = ERR_INIT;
    struct grid g;

    if (config_grid(job, &g, &err) != ST_OK)
        return 0;
    return (int64_t)grid_count(&g, from_us - 1, from_us + days * 24 * HOUR_US);
}

void config_add_times(const struct job_config *job, struct buf *b)
{
    char every[TIME_TEXT];

    duration_format(config_interval_us(job), every);
    if (has(job->cron))
        buf_addf(b, "at \"%s\" %s", job->cron, has(job->tz) ? job->tz : "UTC");
    else if (has(job->adaptive))
        buf_addf(b, "every %s, adaptive to %s", every,
                 job->adaptive + strcspn(job->adaptive, "-") + 1);
    else
        buf_addf(b, "every %s", every);
    if (has(job->between))
        buf_addf(b, " between %s UTC", job->between);
    if (has(job->offpeak) && !has(job->cron))
        buf_addf(b, ", off-peak %s", job->offpeak);
}
