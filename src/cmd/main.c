/* geckotape: collects CoinGecko market data, loses none of it. This file finds the verb and its
 * options. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/mem.h"
#include "pipeline/alerts.h"
#include "pipeline/setup.h"

#include <stdio.h>
#include <sys/resource.h>

#define MANY_DESCRIPTORS 16384

static void print_help(void)
{
    printf("geckotape keeps the tape of the crypto market: it polls CoinGecko, writes every raw "
           "answer to an\n"
           "append-only log before anyone looks inside it, and plays the log, exactly once, into "
           "databases\n"
           "and files.\n\n"
           "Usage: geckotape VERB [options]\n\n"
           "Verbs:\n");
    for (size_t i = 0; i < n_cmd_verbs; i++)
        printf("  %-10s %s\n", cmd_verbs[i]->name, cmd_verbs[i]->summary);
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
    if (verb->add_help)
        verb->add_help(&b);
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

static void print_lines(const char *before, const struct buf *text)
{
    struct str rest = buf_str(text), line;

    while (str_cut(&rest, '\n', &line) || line.len > 0)
        fprintf(stderr, "geckotape: %s%.*s\n", before, STR_ARG(line));
}

/* A mistake on the command line is one of usage, whatever else is wrong. */
static int exit_of(const struct opt_problems *problems, const struct settings *settings)
{
    struct str rest = buf_str(&problems->text), line;

    for (size_t i = 0; i < settings->n; i++)
        if (settings->all[i].rank == RANK_FLAG &&
            strstr(buf_z(&problems->text), settings->all[i].origin))
            return EXIT_USAGE;
    while (str_cut(&rest, '\n', &line))
        if (str_starts(line, STR("-")))
            return EXIT_USAGE;
    return EXIT_CONFIG;
}

/* A stream takes a descriptor, and one or two for each sink: the usual 1024 are few. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= MANY_DESCRIPTORS)
        return;
    limit.rlim_cur = limit.rlim_max < MANY_DESCRIPTORS ? limit.rlim_max : MANY_DESCRIPTORS;
    setrlimit(RLIMIT_NOFILE, &limit); /* else as many as there are */
}

static int run_verb(const struct verb *verb, int argc, char **argv, char **env)
{
    const struct config_sources sources = {
        .argc = argc, .argv = argv, .env = env, .dotenv = ".env"};
    struct opt_problems problems = OPT_PROBLEMS_INIT;
    struct settings settings = {.all = NULL, .n = 0};
    const char *words[CMD_MAX_WORDS];
    struct config config;
    size_t n_words;
    int code = EXIT_USAGE;

    config_load(&sources, verb->bit, &config, &settings, words, CMD_MAX_WORDS, &n_words, &problems);
    const int config_code = problems.n > 0 ? exit_of(&problems, &settings) : EXIT_CONFIG;
    if (verb->bit & (VERB_RUN | VERB_ONCE | VERB_CHECK | VERB_MIGRATE))
        setup_check_sinks(&settings, &problems);
    if (verb->bit & (VERB_RUN | VERB_ONCE | VERB_CHECK | VERB_DOCTOR | VERB_ALERTS))
        setup_check_alerts(&config, &settings, &problems);
    print_lines("warning: ", &problems.warnings);
    raise_descriptors();
    if (problems.n > 0) {
        print_lines("", &problems.text);
        if (problems.text.len + 1024 > problems.text.max)
            fprintf(stderr, "geckotape: … %zu mistakes in all\n", problems.n);
        code = config_code;
    } else if (n_words < verb->min_words || n_words > verb->max_words) {
        fprintf(stderr, "geckotape: %s: usage: %s\n", verb->name, verb->form);
    } else {
        code = verb->run ? verb->run(&config, words, n_words) : verb->explain(&config, &settings);
    }
    config_release(&config);
    settings_release(&settings);
    opt_problems_release(&problems);
    return code;
}

int main(int argc, char **argv, char **env)
{
    const char *name = argc > 1 ? argv[1] : "--help";

    mem_setup();
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help();
        return argc > 1 ? EXIT_DONE : EXIT_USAGE;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        printf("geckotape %s\n", GECKOTAPE_VERSION);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < n_cmd_verbs; i++) {
        if (strcmp(name, cmd_verbs[i]->name) != 0)
            continue;
        if (asks_for(argc - 2, argv + 2, "--help") || asks_for(argc - 2, argv + 2, "-h")) {
            print_verb_help(cmd_verbs[i]);
            return EXIT_DONE;
        }
        return run_verb(cmd_verbs[i], argc - 2, argv + 2, env);
    }
    fprintf(stderr, "geckotape: %s: no such verb; geckotape --help lists them\n", name);
    return EXIT_USAGE;
}
