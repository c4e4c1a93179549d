/* What a job's options mean: its bounds, its calls, its hours and its name. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>

#define ALL_PAGES      70 /* 17,400 coins in 2026-11 */
#define CATEGORY_PAGES 8  /* the largest categories have some 2,000 coins */
#define DAY_US         (86400 * US_PER_S)
#define IDS_ROOM       1900 /* bytes of ids in a URL, as extract/ splits them or a little less */

static const struct {
    const char *name, *job;
    int64_t every_us;
} endpoints[] = {
#define ENDPOINT_ROW(id, name_, job_, every_s_) \
    [ENDPOINT_##id] = {.name = name_, .job = job_, .every_us = every_s_ * US_PER_S},
    CONFIG_ENDPOINTS(ENDPOINT_ROW)
#undef ENDPOINT_ROW
};

const char *config_endpoint(const struct job_config *job)
{
    return endpoints[job->endpoint].name;
}

bool config_is_default_selection(const struct job_config *job)
{
    return job->endpoint == ENDPOINT_MARKETS && !job->is_all && job->ids.n == 0 &&
           job->category[0] == '\0';
}

int64_t config_top(const struct job_config *job)
{
    return job->top || !config_is_default_selection(job) ? job->top : CONFIG_TOP;
}

int64_t config_interval_us(const struct job_config *job)
{
    struct err err = ERR_INIT;
    int64_t least_us, most_us;

    if (config_adaptive(job, &least_us, &most_us, &err) == ST_OK && least_us > 0)
        return least_us;
    return job->every_us ? job->every_us : endpoints[job->endpoint].every_us;
}

static int64_t pages_of(int64_t n_coins)
{
    return (n_coins + CONFIG_PER_PAGE - 1) / CONFIG_PER_PAGE;
}

static size_t encoded_len(const char *id)
{
    size_t len = 0;

    for (; *id; id++)
        len += isalnum((unsigned char)*id) || strchr("-._~", *id) ? 1 : 3;
    return len;
}

/* As many ids a call as a page and a URL hold. */
static int64_t pages_of_ids(const struct opt_list *ids)
{
    int64_t pages = 1;
    size_t n = 0, len = 0;

    for (size_t i = 0; i < ids->n; i++) {
        size_t more = 1 + encoded_len(ids->items[i]);
        if (n == CONFIG_PER_PAGE || (n > 0 && len + more > IDS_ROOM)) {
            pages++;
            n = len = 0;
        }
        n++;
        len += more;
    }
    return pages;
}

int64_t config_pages(const struct job_config *job)
{
    if (job->endpoint != ENDPOINT_MARKETS)
        return 1;
    if (job->is_all)
        return ALL_PAGES;
    if (job->ids.n > 0)
        return pages_of_ids(&job->ids);
    return config_top(job) > 0 ? pages_of(config_top(job)) : CATEGORY_PAGES;
}

/* Over the days a grid comes round to the same times of the day: the multiples of this. */
static int64_t step_of_day(int64_t every_us)
{
    int64_t step_us = every_us, rest_us = DAY_US % every_us;

    while (rest_us != 0) {
        int64_t before_us = step_us;
        step_us = rest_us;
        rest_us = before_us % step_us;
    }
    return step_us;
}

static int64_t divide_up(int64_t n, int64_t by)
{
    return (n + by - 1) / by;
}

bool config_has_slot(const struct job_config *job, int64_t *ret_next_us)
{
    struct err err = ERR_INIT;
    int64_t from_us, to_us, step_us = step_of_day(config_interval_us(job));

    if (config_between(job->between, &from_us, &to_us, &err) != ST_OK)
        return true;
    int64_t first_us = divide_up(from_us, step_us) * step_us % DAY_US;
    *ret_next_us = first_us;
    return time_is_in_hours(first_us, from_us, to_us);
}

int64_t config_calls_from(const struct job_config *job, int64_t day, int64_t days)
{
    struct err err = ERR_INIT;
    int64_t from_us, to_us, every_us = config_interval_us(job), step_us = step_of_day(every_us);

    if (!config_is_plain(job))
        return config_pages(job) * config_slots(job, day, days);
    if (config_between(job->between, &from_us, &to_us, &err) != ST_OK)
        from_us = to_us = 0;
    /* the times of the day within the hours; each has its turn once in every_us / step_us days */
    int64_t n_times = divide_up(to_us, step_us) - divide_up(from_us, step_us);
    if (to_us <= from_us)
        n_times += DAY_US / step_us;
    return config_pages(job) * divide_up(days * n_times * step_us, every_us);
}

int64_t config_calls(const struct job_config *job, int64_t days)
{
    int64_t most = config_calls_from(job, 0, days);

    for (int64_t day = 1; !config_is_plain(job) && day < CONFIG_SAMPLE_DAYS; day++) {
        const int64_t calls = config_calls_from(job, day, days);
        most = calls > most ? calls : most;
    }
    return most;
}

/* FNV-1a, 32 bit, of the ids joined by commas. */
static uint32_t hash_ids(const struct opt_list *ids)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < ids->n; i++) {
        for (const char *c = i > 0 ? "," : ""; *c; c++)
            hash = (hash ^ (unsigned char)*c) * 16777619u;
        for (const char *c = ids->items[i]; *c; c++)
            hash = (hash ^ (unsigned char)*c) * 16777619u;
    }
    return hash;
}

void config_job_name(const struct job_config *job, char ret_name[64])
{
    long long top = config_top(job);
    char bound[32] = "";

    if (top > 0 && !(config_is_default_selection(job) && top == CONFIG_TOP))
        snprintf(bound, sizeof(bound), "-top%lld", top);
    if (job->name && job->name[0])
        snprintf(ret_name, 64, "%s", job->name);
    else if (job->endpoint != ENDPOINT_MARKETS)
        snprintf(ret_name, 64, "%s%s", endpoints[job->endpoint].job,
                 job->is_inactive ? "-inactive" : "");
    else if (job->is_all)
        snprintf(ret_name, 64, "markets-%s-all", job->vs);
    else if (job->ids.n > 0)
        snprintf(ret_name, 64, "markets-%s-ids-%08x", job->vs, (unsigned)hash_ids(&job->ids));
    else if (job->category[0])
        snprintf(ret_name, 64, "markets-%s-cat-%s%s", job->vs, job->category, bound);
    else
        snprintf(ret_name, 64, "markets-%s%s", job->vs, bound);
}

/* "08:30" → microseconds since midnight; 24:00 is the end of the day. */
static bool parse_hour(struct str s, int64_t *ret_us)
{
    int64_t hours, minutes;
    struct str rest = s, head;

    if (s.len != 5 || !str_cut(&rest, ':', &head) || head.len != 2)
        return false;
    if (!str_to_i64(head, 0, 24, &hours) || !str_to_i64(rest, 0, hours == 24 ? 0 : 59, &minutes))
        return false;
    *ret_us = (hours * 60 + minutes) * 60 * US_PER_S;
    return true;
}

enum st config_between(const char *text, int64_t *ret_from_us, int64_t *ret_to_us, struct err *err)
{
    struct str rest = str_of(text), from;
    int64_t from_us = 0, to_us = 0;

    if (rest.len > 0) {
        bool is_good = str_cut(&rest, '-', &from) && parse_hour(str_trim(from), &from_us) &&
                       parse_hour(str_trim(rest), &to_us);
        if (!is_good || from_us == to_us || from_us == DAY_US)
            return err_set(err, ST_REJECT,
                           "\"%.40s\" are no hours of the UTC day; write 08:00-18:00", text);
    }
    *ret_from_us = from_us;
    *ret_to_us = to_us;
    return ST_OK;
}
