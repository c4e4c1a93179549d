/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/plan.h"

#include <ctype.h>

#define MINUTE_US (60 * US_PER_S)
#define YEAR_DAYS 365

const struct sim_plan sim_plans[] = {
    {{.name = "none"}, "no plan of theirs: all is allowed"},
    {{.name = "keyless",
      .host = HOST_DEMO,
      .is_free = true,
      .history_days = YEAR_DAYS,
      .calls_per_minute = 5},
     "official skills repository, 2026-03"},
    {{.name = "demo",
      .host = HOST_DEMO,
      .is_free = true,
      .history_days = YEAR_DAYS,
      .calls_per_minute = 100,
      .credits_per_month = 10000},
     "docs, errors and rate limits, since 2026-05"},
    {{.name = "basic",
      .host = HOST_PRO,
      .history_days = 2 * YEAR_DAYS,
      .calls_per_minute = 250,
      .credits_per_month = 100000},
     "pricing page, 2026"},
    {{.name = "analyst", .host = HOST_PRO, .calls_per_minute = 500, .credits_per_month = 500000},
     "pricing page, 2026"},
    {{.name = "lite", .host = HOST_PRO, .calls_per_minute = 500, .credits_per_month = 2000000},
     "pricing page, 2026; credits: apis.io"},
    {{.name = "pro", .host = HOST_PRO, .calls_per_minute = 1000, .credits_per_month = 1000000},
     "the example of /key, OpenAPI of 2026-06-22"},
    {{.name = "enterprise", .host = HOST_PRO, .calls_per_minute = 1000},
     "by contract; pace: the example of /key"},
};

const size_t n_sim_plans = sizeof(sim_plans) / sizeof(sim_plans[0]);

enum { PLAN_NONE, PLAN_KEYLESS };

void plan_help(struct buf *b)
{
    for (size_t i = PLAN_KEYLESS; i < n_sim_plans; i++) {
        const struct api_v3_plan *p = &sim_plans[i].api;
        buf_addf(b, "  %-10s %s, %u calls a minute, ", p->name,
                 p->host == HOST_PRO ? "pro-api.coingecko.com" : "api.coingecko.com",
                 p->calls_per_minute);
        if (p->credits_per_month > 0)
            buf_addf(b, "%llu credits a month\n", (unsigned long long)p->credits_per_month);
        else
            buf_add_z(b, "no credits\n");
    }
}

void account_init(struct account *a, const struct sim_plan *plan, uint32_t calls_per_minute,
                  uint64_t credits_per_month)
{
    *a = (struct account){.plan = plan ? plan : &sim_plans[PLAN_NONE],
                          .calls_per_minute = calls_per_minute,
                          .credits_per_month = credits_per_month};
}

struct api_v3_plan account_plan(const struct account *a)
{
    struct api_v3_plan plan = a->plan->api;

    if (a->calls_per_minute > 0)
        plan.calls_per_minute = a->calls_per_minute;
    if (a->credits_per_month > 0)
        plan.credits_per_month = a->credits_per_month;
    plan.credits_used = a->credits_used;
    return plan;
}

/* ---- keys ---- */

/* From the header, else from the query. */
static struct str find_key(const struct http_request *req, const char *header, const char *param)
{
    const struct str key = http_header(req, header);

    return key.len > 0 ? key : http_query(req, param);
}

/* Every key of the right form is one, so that nobody needs to register; but for those that say of
 * themselves that they are none. */
static bool is_good(struct str key)
{
    const struct str prefix = STR("CG-");

    if (!str_starts(key, prefix) || key.len == prefix.len || str_starts(key, STR("CG-invalid")))
        return false;
    for (size_t i = prefix.len; i < key.len; i++)
        if (!isalnum((unsigned char)key.p[i]) && key.p[i] != '-' && key.p[i] != '_')
            return false;
    return true;
}

/* The key that the plan's host looks for; a key of the other host is told where to go. Names that
 * are none, like x_cg_api_key, are not looked at, as the real one does. */
static enum sim_error check_key(const struct account *a, const struct http_request *req,
                                bool *ret_has_key)
{
    const struct str demo = find_key(req, "x-cg-demo-api-key", "x_cg_demo_api_key");
    const struct str pro = find_key(req, "x-cg-pro-api-key", "x_cg_pro_api_key");
    const bool is_pro = a->plan->api.host == HOST_PRO;
    const struct str mine = is_pro ? pro : demo, other = is_pro ? demo : pro;

    *ret_has_key = mine.len > 0 || a->plan == &sim_plans[PLAN_NONE];
    if (a->plan == &sim_plans[PLAN_NONE])
        return ERROR_NONE;
    if (mine.len == 0 && other.len > 0)
        return is_pro ? ERROR_DEMO_KEY_HERE : ERROR_PRO_KEY_HERE;
    if (mine.len == 0)
        return is_pro ? ERROR_KEY : ERROR_NONE;
    /* nobody has registered where nobody has a key */
    return is_good(mine) && a->plan != &sim_plans[PLAN_KEYLESS] ? ERROR_NONE : ERROR_KEY;
}

/* ---- calls and credits ---- */

static bool is_over_pace(struct meter *m, uint32_t calls_per_minute, int64_t now_us)
{
    if (m->calls == 0 || now_us - m->began_us >= MINUTE_US)
        *m = (struct meter){.began_us = now_us};
    m->calls++;
    return calls_per_minute > 0 && m->calls > calls_per_minute;
}

static bool is_spent(struct account *a, int64_t now_us)
{
    const struct api_v3_plan plan = account_plan(a);
    char text[TIME_TEXT];

    time_format(now_us, text);
    text[7] = '\0'; /* the month */
    if (strcmp(a->month, text) != 0) {
        memcpy(a->month, text, sizeof(a->month));
        a->credits_used = 0;
        return false;
    }
    return plan.credits_per_month > 0 && a->credits_used >= plan.credits_per_month;
}

enum sim_error account_admit(struct account *a, const struct http_request *req, struct clock *clock)
{
    const uint32_t keyless = sim_plans[PLAN_KEYLESS].api.calls_per_minute;
    const bool is_named = http_header(req, "User-Agent").len > 0;
    uint32_t pace = account_plan(a).calls_per_minute;
    bool has_key;
    const enum sim_error error = check_key(a, req, &has_key);

    /* on the public host one may ask without a key */
    if (!has_key && a->plan->api.host == HOST_DEMO && a->calls_per_minute == 0)
        pace = keyless;
    /* every answer counts, whatever it is */
    const bool is_over =
        is_over_pace(has_key ? &a->with_key : &a->without, pace, clock_mono_us(clock));
    if (!is_named)
        return ERROR_NO_AGENT;
    if (error != ERROR_NONE)
        return error;
    if (is_over)
        return ERROR_LIMIT;
    a->is_charged = has_key;
    return a->is_charged && is_spent(a, clock_wall_us(clock)) ? ERROR_CREDITS : ERROR_NONE;
}

void account_charge(struct account *a, int status)
{
    a->credits_used += a->is_charged && status == 200;
}
