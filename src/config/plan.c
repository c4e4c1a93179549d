/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#define PUBLIC_HOST "https://api.coingecko.com/api/v3"
#define PAID_HOST   "https://pro-api.coingecko.com/api/v3"
#define PUBLIC_KEY  "x-cg-demo-api-key"
#define PAID_KEY    "x-cg-pro-api-key"

/* The pace of each leaves 40 % of what is published, with source and date under it, to retries and
 * to other programs behind the same key; that of keyless a fifth. The paid plans share host and
 * header; `pro` is any of them, taken for the smallest until /key says more. */
/* clang-format off */
static const struct plan plans[] = {
    [PLAN_KEYLESS] = {"keyless", PUBLIC_HOST, NULL,       NULL,    4,   0},
    /* 5, by address: CoinGecko's skills repository, 2026-03; people see less and more */
    [PLAN_DEMO]    = {"demo",    PUBLIC_HOST, PUBLIC_KEY, "/ping", 60,  10000},
    /* 100: CoinGecko's docs, errors and rate limits, since 2026-05 (30 before) */
    [PLAN_BASIC]   = {"basic",   PAID_HOST,   PAID_KEY,   "/key",  150, 100000},
    /* 250: CoinGecko's prices, 2026-11 */
    [PLAN_ANALYST] = {"analyst", PAID_HOST,   PAID_KEY,   "/key",  300, 500000},
    /* 500: the same */
    [PLAN_LITE]    = {"lite",    PAID_HOST,   PAID_KEY,   "/key",  300, 2000000},
    /* 500: the same; calls a month: apis.io, 2026-11 */
    [PLAN_PRO]     = {"pro",     PAID_HOST,   PAID_KEY,   "/key",  150, 0},
};
/* clang-format on */

const struct plan *config_plan(int api_plan)
{
    return &plans[api_plan];
}

uint32_t config_rate(const struct config *config)
{
    if (config->api_rate > 0)
        return (uint32_t)config->api_rate;
    return config->is_simulated ? CONFIG_SIM_RATE : config_plan(config->api_plan)->calls_per_minute;
}
