/* geckotape simulate: a CoinGecko-compatible server over a market that never was, or over a tape.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/clock.h"
#include "cmd/instant.h"
#include "cmd/streams.h"
#include "pipeline/past.h"
#include "pipeline/setup.h"
#include "sim/sim.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct served {
    char address[64];
    struct sim *sim;
    struct past *past; /* NULL: a made-up market */
    int64_t began_us;  /* the past's first moment */
};

static enum st open_past(struct served *s, const struct config *config, struct sim_setup *setup,
                         struct err *err)
{
    struct past_setup past = {.at_us = PAST_FIRST, .speed = setup->speed, .clock = setup->clock};

    if (config->from[0] == '\0' && config->at[0] != '\0')
        return err_set(err, ST_REJECT,
                       "--at: of a tape; name it with --from tape:DIR, or leave --at out");
    if (config->from[0] == '\0')
        return ST_OK;
    enum st st = cmd_tape_source(config->from, &past.data_dir, err);
    if (st == ST_OK && config->at[0] != '\0')
        st = instant_parse("--at", config->at, clock_wall_us(setup->clock), &past.at_us, err);
    if (st == ST_OK)
        st = past_open(&past, &s->past, err);
    if (st != ST_OK)
        return st;
    s->began_us = past_advance(s->past);
    setup->source =
        (struct sim_source){.query = past_query(s->past), .advance = past_advance, .ctx = s->past};
    return ST_OK;
}

static enum st start(struct served *s, const struct config *config, struct err *err)
{
    struct sim_setup setup = {.clock = clock_system()};
    int port;

    enum st st = config_listen(config->listen, setup.address, &port, err);
    if (st != ST_OK)
        return st;
    if (port < 0)
        return err_set(err, ST_REJECT,
                       "--listen none: a simulator that nobody can ask is of no "
                       "use; write 127.0.0.1:8081, or port 0 for any free one");
    setup.port = (uint16_t)port;
    memcpy(s->address, setup.address, sizeof(s->address));
    st = setup_simulator(config, &setup, err);
    if (st == ST_OK)
        st = open_past(s, config, &setup, err);
    return st == ST_OK ? sim_start(&setup, &s->sim, err) : st;
}

/* The URL as a client writes it: all addresses are reached by the local one. */
static void print_use(const struct served *s)
{
    const bool is_all = strcmp(s->address, "0.0.0.0") == 0 || strcmp(s->address, "::") == 0;
    const char *host = is_all ? "127.0.0.1" : s->address;
    const bool is_v6 = strchr(host, ':') != NULL;

    printf("%s on http://%s%s%s:%u/api/v3; collect it with: geckotape run --api-url "
           "http://%s%s%s:%u/api/v3 --data ./data-sim\n",
           s->past ? "REPLAYED market of a tape" : "SIMULATED market", is_v6 ? "[" : "", host,
           is_v6 ? "]" : "", sim_port(s->sim), is_v6 ? "[" : "", host, is_v6 ? "]" : "",
           sim_port(s->sim));
    fflush(stdout);
}

static void log_started(const struct served *s, const struct config *config)
{
    const char *plan = sim_plans[config->sim_plan].api.name;
    char from[TIME_TEXT];

    if (!s->past) {
        log_info("simulate", "started", LOG_I("port", sim_port(s->sim)),
                 LOG_I("coins", config->sim_coins), LOG_I("seed", config->sim_seed),
                 LOG_I("speed", config->speed > 0 ? config->speed : 1), LOG_Z("plan", plan));
        return;
    }
    time_format(s->began_us, from);
    log_info("simulate", "started", LOG_I("port", sim_port(s->sim)), LOG_Z("from", config->from),
             LOG_Z("at", from), LOG_I("speed", config->speed > 0 ? config->speed : 1),
             LOG_Z("plan", plan));
}

static int simulate(const struct config *config, const char *const *words, size_t n_words)
{
    struct served s = {.sim = NULL};
    struct err err = ERR_INIT;

    (void)words, (void)n_words;
    cmd_block_signals();
    enum st st = cmd_start_log(config, STDERR_FILENO, true, &err);
    if (st == ST_OK)
        st = start(&s, config, &err);
    if (st != ST_OK) {
        past_close(s.past);
        return cmd_fail(st, &err, st == ST_REJECT ? EXIT_USAGE : EXIT_FAILED);
    }
    print_use(&s);
    log_started(&s, config);
    while (cmd_wait_signal() == SIGHUP)
        if (log_reopen(&err) != ST_OK)
            log_warn("simulate", "the log file cannot be opened again", LOG_Z("error", err.msg));
    log_info("simulate", "stopped", LOG_I("requests", sim_requests(s.sim)));
    sim_stop(s.sim);
    past_close(s.past);
    log_close();
    return EXIT_DONE;
}

static void add_help(struct buf *b)
{
    buf_add_z(b, "\nPlans, for --plan NAME:\n");
    plan_help(b);
    buf_add_z(b, "\nFaults, for --fault NAME:\n");
    fault_help(b);
}

const struct verb verb_simulate = {
    .name = "simulate",
    .bit = VERB_SIMULATE,
    .summary = "Serve a made-up market, or a tape, the way CoinGecko serves the real one, faults "
               "included.",
    .form = "geckotape simulate [options]",
    .examples =
        "  geckotape simulate --listen 127.0.0.1:8081\n"
        "      1,000 coins; in another terminal:\n"
        "      geckotape run --api-url http://127.0.0.1:8081/api/v3 --data ./data-sim\n"
        "  geckotape simulate --listen 127.0.0.1:0 --coins 17000 --seed 7 --speed 60\n"
        "      any free port, the whole market, an hour of it in a minute\n"
        "  geckotape simulate --plan demo --credits 50\n"
        "      with keys, limits, credits and refusals of the Demo plan; any key that begins with "
        "CG- is good\n"
        "  geckotape simulate --limit 5 --fault 429:every=7 --fault stall:from=20,until=22\n"
        "      see how a client bears it\n"
        "  geckotape simulate --fault backend:rate=0.5 --fault reset:rate=0.1,after=1m,for=5m\n"
        "      by lot, the same lots for the same --seed\n"
        "  geckotape simulate --from tape:./data --at -7d --speed 60\n"
        "      the API as your own tape has seen it, a week ago, an hour of it in a minute\n",
    .add_help = add_help,
    .run = simulate,
};
