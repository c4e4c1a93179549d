/* CoinGecko's plans, and what an account on one of them may do: keys, calls a minute, credits. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include "base/clock.h"
#include "serve/api_v3.h"
#include "sim/errors.h"

/* The first is none of theirs: all is allowed, no key is looked at, every answer is fresh. */
struct sim_plan {
    struct api_v3_plan api;
    const char *source; /* of its figures, and their date */
};

extern const struct sim_plan sim_plans[];
extern const size_t n_sim_plans;

/* Calls within a minute that began with the first of them. */
struct meter {
    int64_t began_us;
    uint32_t calls;
};

struct account {
    const struct sim_plan *plan;
    struct meter with_key, without; /* who has no key shares the keyless pace */
    uint32_t calls_per_minute;      /* 0: by plan */
    uint64_t credits_per_month;     /* 0: by plan */
    uint64_t credits_used;
    bool is_charged; /* the request at hand: it came with the key */
    char month[8];   /* "2026-11": of credits_used */
};

/* calls_per_minute, credits_per_month: in place of the plan's; 0: as it has them. */
void account_init(struct account *a, const struct sim_plan *plan, uint32_t calls_per_minute,
                  uint64_t credits_per_month);

/* Count a request, and say why it is refused; ERROR_NONE: it is not. */
enum sim_error account_admit(struct account *a, const struct http_request *req,
                             struct clock *clock);

/* A status 200 costs a credit, anything else none. */
void account_charge(struct account *a, int status);

/* As what the API is to answer now. */
struct api_v3_plan account_plan(const struct account *a);

/* "  name   what it is" lines. */
void plan_help(struct buf *b);

#endif
