/* geckotape lake: the upkeep of Delta tables. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/clock.h"
#include "base/mem.h"
#include "load/lake/upkeep.h"

#include <stdio.h>

#define OLD_ENOUGH (7 * 24 * 3600 * US_PER_S) /* of a file that no log names */

static void say(void *ctx, const char *line)
{
    (void)ctx;
    printf("%s\n", line);
    fflush(stdout);
}

static void complain(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "geckotape: %s\n", line);
}

static enum st find_lake(const char *text, struct sink_url *url, struct err *err)
{
    const struct sink_driver *driver;

    enum st st = sink_url_parse(str_of(text), url, err);
    if (st == ST_OK)
        st = sink_driver_find(str_of(url->scheme), &driver, err);
    if (st == ST_OK && !str_starts(str_of(url->scheme), STR("lake")))
        st = err_set(err, ST_REJECT, "%s: is no lake; write its URL, as lake:./data/lake",
                     url->shown);
    return st == ST_OK ? driver->check(url, err) : st;
}

static int verify(struct lake_upkeep *u, struct err *err, enum st *ret_st)
{
    size_t n = 0;

    *ret_st = lake_verify(u, &n, err);
    if (*ret_st == ST_OK && n > 0)
        fprintf(stderr, "geckotape: %zu things are not as they should be\n", n);
    return n > 0 ? EXIT_FAILED : EXIT_DONE;
}

static int work(const struct config *config, const char *what, const struct sink_url *url)
{
    static const struct lake_told told = {.say = say, .complain = complain};
    struct lake_upkeep *u = NULL;
    struct err err = ERR_INIT;
    int code = EXIT_DONE;

    enum st st = lake_upkeep_open(url, clock_system(), &told, &u, &err);
    if (st == ST_OK && strcmp(what, "verify") == 0)
        code = verify(u, &err, &st);
    else if (st == ST_OK && strcmp(what, "optimize") == 0)
        st = lake_optimize(u, config->is_dry_run, &err);
    else if (st == ST_OK)
        st = lake_vacuum(u, OLD_ENOUGH, config->is_dry_run, &err);
    lake_upkeep_close(u);
    return st == ST_OK ? code : cmd_fail(st, &err, EXIT_FAILED);
}

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    static const char *const known[] = {"verify", "optimize", "vacuum"};
    bool is_known = false;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        is_known |= strcmp(words[0], known[i]) == 0;
    if (!is_known || n_words != 2) {
        fprintf(stderr, "geckotape: lake: write geckotape lake verify|optimize|vacuum URL\n");
        return EXIT_USAGE;
    }
    struct sink_url *url = mem_new(1, sizeof(*url));
    struct err err = ERR_INIT;
    enum st st = find_lake(words[1], url, &err);
    const int code = st == ST_OK ? work(config, words[0], url) : cmd_fail(st, &err, EXIT_USAGE);
    mem_free(url);
    return code;
}

const struct verb verb_lake = {
    .name = "lake",
    .bit = VERB_LAKE,
    .summary = "Check a lake, merge its small files, or remove files that it does not need.",
    .form = "geckotape lake verify|optimize|vacuum URL [options]",
    .min_words = 1,
    .max_words = 2,
    .examples = "  geckotape lake verify lake:./data/lake\n"
                "      read every file: is all there that the logs and the polls say?\n"
                "  geckotape lake optimize lake:./data/lake\n"
                "      make one file of the small ones of each day\n"
                "  geckotape lake vacuum lake:./data/lake --dry-run\n"
                "      which files would go: those that no log has named for 7 days\n",
    .run = run,
};
