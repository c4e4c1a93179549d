/* A CoinGecko-compatible server with a seeded, reproducible market and faults on request. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "base/clock.h"
#include "sim/fault.h"
#include "sim/plan.h"

/* A store to serve in place of the made-up market, whose time is its own. */
struct sim_source {
    struct query *query; /* borrowed; NULL: the market */
    /* Before each request, on the server's thread: let time pass, and return the moment that
     * query's answers are of. */
    int64_t (*advance)(void *ctx);
    void *ctx;
};

struct sim_setup {
    char address[64];
    uint16_t port;
    uint32_t n_coins; /* 1..20000 */
    uint64_t seed;
    uint32_t speed;              /* the market moves this many times faster; Date stays wall time */
    const struct sim_plan *plan; /* as an account of which plan to serve; NULL: of none */
    uint32_t calls_per_minute;   /* 429 beyond; 0: by plan */
    uint64_t credits_per_month;  /* 429 for good beyond; 0: by plan */
    struct fault faults[SIM_MAX_FAULTS];
    size_t n_faults;
    struct clock *clock;
    struct sim_source source; /* then coins, seed and speed are not looked at, but by faults */
};

struct sim;

/* ST_REJECT: a fault that the source cannot play; ST_FATAL: see http_start(). */
enum st sim_start(const struct sim_setup *setup, struct sim **ret_sim, struct err *err) MUST_USE;
uint16_t sim_port(const struct sim *s);
uint64_t sim_requests(const struct sim *s);
void sim_stop(struct sim *s); /* NULL is fine */

#endif
