/* geckotape: collects CoinGecko market data, loses none of it. This file finds the verb and its
 * options. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static const struct verb *const verbs[] = {&verb_run, &verb_once, &verb_query, &verb_tape,
                                           &verb_simulate};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

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

void cmd_block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error of write(), not a death */
}

int cmd_wait_signal(void)
{
    sigset_t set;
    int sig;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    do
        sig = sigwaitinfo(&set, NULL);
    while (sig < 0 && errno == EINTR);
    return sig;
}

static void print_help(void)
{
    printf("geckotape keeps the tape of the crypto market: it polls CoinGecko, writes every raw "
           "answer to an\n"
           "append-only log before anyone looks inside it, and plays the log, exactly once, into "
           "databases\n"
           "and files.\n\n"
           "Usage: geckotape VERB [options]\n\n"
           "Verbs:\n");
    for (size_t i = 0; i < N_VERBS; i++)
        printf("  %-10s %s\n", verbs[i]->name, verbs[i]->summary);
    printf(
        "\nStart here:\n"
        "  geckotape run --simulate     watch it work on simulated data, without a network\n"
        "  geckotape run                collect the top 250 coins in usd every 30 s into ./data\n"
        "  geckotape VERB --help        the options of a verb, with examples\n\n"
        "Every option is also an environment variable: --api-plan is GECKOTAPE_API_PLAN.\n"
        "Exit codes: 0 done, 1 failed, 2 usage, 75 try again later, 78 configuration.\n"
        "Data provided by CoinGecko; geckotape is not affiliated with CoinGecko.\n");
}

static void print_verb_help(const struct verb *verb)
{
    struct buf b = BUF_INIT(64 * 1024);

    opts_help(config_options, n_config_options, verb->bit, &b);
    printf("%s\n\nUsage: %s\n\nOptions:\n%s\nExamples:\n%s", verb->summary, verb->form, buf_z(&b),
           verb->examples);
    buf_release(&b);
}

static bool asks_for(int argc, char **argv, const char *what)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], what) == 0)
            return true;
    return false;
}

static int run_verb(const struct verb *verb, int argc, char **argv, char **env)
{
    struct opt_problems problems = {.text = BUF_INIT(64 * 1024)};
    struct settings settings = {.all = NULL, .n = 0};
    const char *words[CMD_MAX_WORDS];
    struct config config = {.data = NULL};
    size_t n_words;
    int code = EXIT_USAGE;

    opts_from_args(config_options, n_config_options, verb->bit, argc, argv, &settings, words,
                   CMD_MAX_WORDS, &n_words, &problems);
    if (problems.n == 0 && (n_words < verb->min_words || n_words > verb->max_words))
        opt_problem(&problems, "%s: usage: %s", verb->name, verb->form);
    if (problems.n == 0) {
        code = EXIT_CONFIG;
        opts_from_env(config_options, n_config_options, verb->bit, env, &settings, &problems);
        opts_bind(config_options, n_config_options, verb->bit, &settings, &config, &problems);
        if (problems.n == 0)
            config_check(&config, verb->bit, &problems);
        /* a mistake on the command line is one of usage */
        for (size_t i = 0; i < settings.n && problems.n > 0; i++)
            if (settings.all[i].rank == RANK_FLAG &&
                strstr(buf_z(&problems.text), settings.all[i].origin))
                code = EXIT_USAGE;
    }
    if (problems.n > 0) {
        struct str rest = buf_str(&problems.text), line;
        while (str_cut(&rest, '\n', &line))
            fprintf(stderr, "geckotape: %.*s\n", STR_ARG(line));
    } else {
        code = verb->run(&config, words, n_words);
    }
    opts_release(config_options, n_config_options, &config);
    settings_release(&settings);
    buf_release(&problems.text);
    return code;
}

int main(int argc, char **argv, char **env)
{
    const char *name = argc > 1 ? argv[1] : "--help";

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help();
        return argc > 1 ? EXIT_DONE : EXIT_USAGE;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        printf("geckotape %s\n", GECKOTAPE_VERSION);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < N_VERBS; i++) {
        if (strcmp(name, verbs[i]->name) != 0)
            continue;
        if (asks_for(argc - 2, argv + 2, "--help") || asks_for(argc - 2, argv + 2, "-h")) {
            print_verb_help(verbs[i]);
            return EXIT_DONE;
        }
        return run_verb(verbs[i], argc - 2, argv + 2, env);
    }
    fprintf(stderr, "geckotape: %s: no such verb; geckotape --help lists them\n", name);
    return EXIT_USAGE;
}
