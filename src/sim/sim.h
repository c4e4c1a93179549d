/* A CoinGecko-compatible server with a seeded, reproducible market and faults on request. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "base/clock.h"
#include "serve/http.h"

#define SIM_MAX_FAULTS 16

enum fault_kind {
    FAULT_429,      /* 429 with Retry-After */
    FAULT_429_BARE, /* 429 without, plain text "Throttled" */
    FAULT_500,
    FAULT_502,
    FAULT_503,
    FAULT_HTML,     /* 200 with an HTML page */
    FAULT_403,      /* 403 "temporarily unavailable", as in the outage of 2023 */
    FAULT_CUT,      /* the body ends early, connection closed */
    FAULT_TRUNCATE, /* half the body, with a Content-Length that fits it */
    FAULT_STALL,    /* headers never come */
    FAULT_SLOW,     /* the whole answer 5 seconds late */
    FAULT_TYPE,     /* 200 with an object where an array belongs */
    FAULT_EMPTY,    /* 200 with [] */
    FAULT_NULLS,    /* 200, every nullable number null */
    FAULT_SAMEPAGE, /* 200, the first page whatever page was asked for */
    N_FAULTS
};

struct fault {
    enum fault_kind kind;
    uint32_t every; /* each Nth API request (1: all) */
    uint64_t from,
        until; /* only requests from..until (0-based, until exclusive; until 0: no end) */
};

/* "429:every=3" "stall:from=10,until=20" "html"; ST_REJECT names what is known. */
enum st fault_parse(struct str text, struct fault *ret_fault, struct err *err) MUST_USE;

struct sim_setup {
    char address[64];
    uint16_t port;
    uint32_t n_coins; /* 1..20000 */
    uint64_t seed;
    uint32_t speed;            /* the market moves this many times faster; Date stays wall time */
    uint32_t calls_per_minute; /* 429 beyond; 0: no limit */
    struct fault faults[SIM_MAX_FAULTS];
    size_t n_faults;
    struct clock *clock;
};

struct sim;

enum st sim_start(const struct sim_setup *setup, struct sim **ret_sim, struct err *err) MUST_USE;
uint16_t sim_port(const struct sim *s);
uint64_t sim_requests(const struct sim *s);
void sim_stop(struct sim *s); /* NULL is fine */

#endif
