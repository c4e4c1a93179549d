/* The table of verbs, and what several of them do. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

const struct verb *const cmd_verbs[] = {
    &verb_run,     &verb_once,   &verb_extract,   &verb_load,     &verb_query,    &verb_export,
    &verb_serve,   &verb_tape,   &verb_replay,    &verb_import,   &verb_backfill, &verb_sink,
    &verb_lake,    &verb_alerts, &verb_migrate,   &verb_status,   &verb_doctor,   &verb_check,
    &verb_run_now, &verb_reload, &verb_log_level, &verb_simulate,
};

const size_t n_cmd_verbs = sizeof(cmd_verbs) / sizeof(cmd_verbs[0]);

int cmd_fail(enum st st, const struct err *err, int code)
{
    fprintf(stderr, "geckotape: %s\n", err->msg);
    return st == ST_AGAIN ? EXIT_AGAIN : code;
}

enum st cmd_start_log(const struct config *config, int fd, bool is_simulated, struct err *err)
{
    const struct log_setup setup = {
        .level = (enum log_level)config->log_level,
        .format = (enum log_format)config->log_format,
        .fd = fd,
        .file = config->log_file[0] ? config->log_file : NULL,
        .is_simulated = is_simulated,
    };

    return log_setup(&setup, err);
}

const char *cmd_data_dir(const struct config *config)
{
    if (config->data[0] != '\0')
        return config->data;
    return config->is_simulated ? "./data-sim" : "./data";
}

static void add_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

void cmd_block_signals(void)
{
    sigset_t set;

    add_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error of write(), not a death */
}

int cmd_wait_signal(void)
{
    sigset_t set;
    int sig;

    add_signals(&set);
    do
        sig = sigwaitinfo(&set, NULL);
    while (sig < 0 && errno == EINTR);
    return sig;
}

int cmd_poll_signal(int64_t timeout_us)
{
    const struct timespec timeout = {.tv_sec = (time_t)(timeout_us / 1000000),
                                     .tv_nsec = (long)(timeout_us % 1000000) * 1000};
    sigset_t set;

    add_signals(&set);
    int sig = sigtimedwait(&set, NULL, &timeout);
    return sig > 0 ? sig : 0;
}
