/* geckotape simulate: a CoinGecko-compatible server over a market that never was. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/clock.h"
#include "pipeline/setup.h"
#include "sim/sim.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static enum st start(const struct config *config, struct sim **ret_sim, char ret_address[64],
                     struct err *err)
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
    st = setup_simulator(config, &setup, err);
    if (st != ST_OK)
        return st;
    snprintf(ret_address, 64, "%s", setup.address);
    return sim_start(&setup, ret_sim, err);
}

/* The URL as a client writes it: all addresses are reached by the local one. */
static void print_use(const struct sim *sim, const char *address)
{
    const bool is_all = strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
    const char *host = is_all ? "127.0.0.1" : address;
    const bool is_v6 = strchr(host, ':') != NULL;

    printf("SIMULATED market on http://%s%s%s:%u/api/v3; collect it with: geckotape run --api-url "
           "http://%s%s%s:%u/api/v3 --data ./data-sim\n",
           is_v6 ? "[" : "", host, is_v6 ? "]" : "", sim_port(sim), is_v6 ? "[" : "", host,
           is_v6 ? "]" : "", sim_port(sim));
    fflush(stdout);
}

static int simulate(const struct config *config, const char *const *words, size_t n_words)
{
    char address[64];
    struct sim *sim;
    struct err err = ERR_INIT;

    (void)words, (void)n_words;
    cmd_block_signals();
    enum st st = cmd_start_log(config, STDERR_FILENO, true, &err);
    if (st == ST_OK)
        st = start(config, &sim, address, &err);
    if (st != ST_OK)
        return cmd_fail(st, &err, st == ST_REJECT ? EXIT_USAGE : EXIT_FAILED);
    print_use(sim, address);
    log_info("simulate", "started", LOG_I("port", sim_port(sim)), LOG_I("coins", config->sim_coins),
             LOG_I("seed", config->sim_seed), LOG_I("speed", config->sim_speed));
    while (cmd_wait_signal() == SIGHUP)
        if (log_reopen(&err) != ST_OK)
            log_warn("simulate", "the log file cannot be opened again", LOG_Z("error", err.msg));
    log_info("simulate", "stopped", LOG_I("requests", sim_requests(sim)));
    sim_stop(sim);
    log_close();
    return EXIT_DONE;
}

const struct verb verb_simulate = {
    .name = "simulate",
    .bit = VERB_SIMULATE,
    .summary = "Serve a made-up market the way CoinGecko serves the real one, faults included.",
    .form = "geckotape simulate [options]",
    .examples =
        "  geckotape simulate --listen 127.0.0.1:8081\n"
        "      1,000 coins; in another terminal:\n"
        "      geckotape run --api-url http://127.0.0.1:8081/api/v3 --data ./data-sim\n"
        "  geckotape simulate --listen 127.0.0.1:0 --coins 17000 --seed 7 --speed 60\n"
        "      any free port, the whole market, an hour of it in a minute\n"
        "  geckotape simulate --limit 5 --fault 429:every=7 --fault stall:from=20,until=22\n"
        "      see how a client bears it\n",
    .run = simulate,
};
