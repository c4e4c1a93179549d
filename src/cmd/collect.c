/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/collect.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cmd/report.h"
#include "cmd/service.h"
#include "pipeline/pipeline.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define RELOAD_NAP_US  (20 * US_PER_MS)
#define LONGEST_NAP_US (60 * US_PER_S)

/* A line per poll on a terminal; in a pipe the log has the changes of state. */
static void print_poll(void *ctx, const struct sink_load *load, const struct sink_result *result)
{
    struct buf b = BUF_INIT(4096); /* what log_say() takes */

    (void)ctx;
    report_poll(&b, load, result);
    buf_addf(&b, " · %s\n", load->stream->job);
    log_say(buf_str(&b));
    buf_release(&b);
}

static int64_t calls_a_day(const struct config *config, const char *name)
{
    char job[64];

    for (size_t i = 0; i < config->n_jobs; i++) {
        config_job_name(&config->jobs[i], job);
        if (strcmp(job, name) == 0)
            return config_calls(&config->jobs[i], 1);
    }
    return 0;
}

static void print_jobs(const struct status_snapshot *s, const struct config *config)
{
    for (size_t i = 0; i < s->n_jobs; i++) {
        const struct status_job *job = &s->jobs[i];
        if (job->is_idle)
            printf("  stream %s: %s\n", job->name, job->what);
        else
            printf("  job    %s: %s, %lld calls a day\n", job->name, job->what,
                   (long long)calls_a_day(config, job->name));
    }
}

static void greet(struct pipeline *p, const struct config *config)
{
    struct status_snapshot *s = mem_new(1, sizeof(*s));
    char address[64] = "";
    int port;
    struct err err = ERR_INIT;

    status_copy(pipeline_status(p), s);
    printf("geckotape %s%s\n", GECKOTAPE_VERSION,
           s->is_simulated ? " · SIMULATED data, not the real market" : "");
    if (pipeline_port(p) != 0 && config_listen(config->listen, address, &port, &err) == ST_OK)
        printf("  page   http%s://%s%s%s:%u/\n", config->http_tls_cert[0] ? "s" : "",
               strchr(address, ':') ? "[" : "", address, strchr(address, ':') ? "]" : "",
               pipeline_port(p));
    printf("  api    %s, at most %u calls a minute\n", pipeline_api_url(p), config_rate(config));
    printf("  data   %s (tape: %s/tape)\n", s->data_dir, s->data_dir);
    print_jobs(s, config);
    for (size_t i = 0; i < s->n_sinks; i++)
        printf("  sink   %s\n", s->sinks[i].url);
    if (s->n_sinks == 0)
        printf("  sink   none here; geckotape load --follow plays the tape into some\n");
    printf("Data provided by CoinGecko. Stop with Ctrl-C; a kill loses nothing either.\n\n");
    fflush(stdout);
    mem_free(s);
}

static void log_start(struct pipeline *p, const struct config *config, const char *data_dir)
{
    log_info("run", "started", LOG_Z("version", GECKOTAPE_VERSION), LOG_Z("data", data_dir),
             LOG_Z("api", pipeline_api_url(p)), LOG_I("port", pipeline_port(p)),
             LOG_I("calls_per_minute", config_rate(config)));
}

static void leave_at_once(int sig)
{
    _exit(128 + sig); /* safe, because kill -9 is */
}

/* A thread may live on: exit() would take from under it what it uses. */
static _Noreturn void leave_stuck(const struct err *err)
{
    log_error("run", "stopped, but not all in time", LOG_Z("error", err->msg));
    const int code = cmd_fail(ST_FATAL, err, EXIT_FAILED);
    fflush(NULL);
    _exit(code);
}

/* From here on a second signal does not wait for anybody. */
static void arm_second_signal(void)
{
    struct sigaction action = {.sa_handler = leave_at_once};
    sigset_t set;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* Until somebody wants it to stop. A terminal that has gone says so with SIGHUP too. */
static int serve_signals(struct pipeline *p, struct service *service, bool is_terminal)
{
    bool is_reloading = false;

    for (;;) {
        const int64_t nap_us =
            service_nap_us(service, is_reloading ? RELOAD_NAP_US : LONGEST_NAP_US);
        int sig = service_is_on(service) ? cmd_poll_signal(nap_us) : cmd_wait_signal();
        if (sig != 0 && (sig != SIGHUP || (is_terminal && isatty(STDOUT_FILENO) == 0)))
            return sig;
        if (sig == SIGHUP) {
            service_reloading(service);
            pipeline_reload(p);
            is_reloading = service_is_on(service);
        } else if (is_reloading && !pipeline_is_reloading(p)) {
            service_ready(service);
            is_reloading = false;
        }
        if (service_tend(service, pipeline_stuck(p, service_patience_us(service))))
            service_show_status(service, pipeline_status(p));
    }
}

static const char *name_of(int sig)
{
    return sig == SIGINT ? "SIGINT" : sig == SIGTERM ? "SIGTERM" : "SIGHUP";
}

int collect(const struct config *config, uint32_t verb)
{
    const char *data_dir = cmd_data_dir(config);
    bool is_terminal = isatty(STDOUT_FILENO) == 1;
    struct pipeline_setup setup = {
        .config = config,
        .data_dir = data_dir,
        .verb = verb,
        .has_sinks = verb == VERB_RUN,
        .poll_loaded = is_terminal && config->log_format == LOG_TEXT ? print_poll : NULL,
    };
    struct pipeline *p;
    struct service service;
    struct err err = ERR_INIT;

    cmd_block_signals();
    enum st st = cmd_start_log(config, STDOUT_FILENO, config->is_simulated, &err);
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_CONFIG);
    service_open(&service, "run");
    st = pipeline_open(&setup, &p, &err);
    if (st != ST_OK)
        return cmd_fail(st, &err, st == ST_REJECT ? EXIT_CONFIG : EXIT_FAILED);
    st = pipeline_start(p, &err);
    if (st == ST_OK) {
        if (setup.poll_loaded)
            greet(p, config);
        else
            log_start(p, config, data_dir);
        service_ready(&service);
        int sig = serve_signals(p, &service, is_terminal);
        service_stopping(&service);
        arm_second_signal();
        log_info("run", "stopping", LOG_Z("signal", name_of(sig)));
    }
    struct err stop_err = ERR_INIT;
    enum st stop_st = pipeline_stop(p, &stop_err);
    if (st == ST_OK && stop_st != ST_OK) {
        st = stop_st;
        err = stop_err;
    }
    if (stop_st == ST_OK)
        pipeline_close(p);
    else
        leave_stuck(&err);
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_FAILED);
    log_info("run", "stopped");
    log_close();
    return EXIT_DONE;
}
