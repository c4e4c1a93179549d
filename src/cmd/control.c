/* geckotape run-now, reload, log-level: a word with the running process. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "control/control.h"

#include <stdio.h>

static int ask(const struct config *config, const struct buf *request)
{
    const char *data_dir = cmd_data_dir(config);
    int code;

    if (cmd_hand_over(data_dir, request, &code))
        return code;
    fprintf(stderr,
            "geckotape: %s: no geckotape runs there; start one with geckotape run, or name another "
            "--data\n",
            data_dir);
    return EXIT_FAILED;
}

static int run_now(const struct config *config, const char *const *words, size_t n_words)
{
    struct buf request = BUF_INIT(CONTROL_MAX_REQUEST);

    (void)words, (void)n_words;
    control_put(&request, "poll", NULL);
    if (config->only_job[0] != '\0')
        control_put(&request, "job", config->only_job);
    int code = ask(config, &request);
    buf_release(&request);
    return code;
}

static int reload(const struct config *config, const char *const *words, size_t n_words)
{
    struct buf request = BUF_INIT(CONTROL_MAX_REQUEST);

    (void)words, (void)n_words;
    control_put(&request, "reload", NULL);
    int code = ask(config, &request);
    buf_release(&request);
    return code;
}

static int log_level(const struct config *config, const char *const *words, size_t n_words)
{
    struct buf request = BUF_INIT(CONTROL_MAX_REQUEST);

    (void)n_words;
    control_put(&request, "log-level", NULL);
    control_put(&request, "level", words[0]);
    int code = ask(config, &request);
    buf_release(&request);
    return code;
}

const struct verb verb_run_now = {
    .name = "run-now",
    .bit = VERB_CONTROL,
    .summary = "Make the running geckotape poll now, and wait for the outcome.",
    .form = "geckotape run-now [--job NAME] [options]",
    .examples = "  geckotape run-now\n"
                "      every job once, out of turn; the grid goes on as before\n"
                "  geckotape run-now --job markets-usd --data /var/lib/geckotape\n"
                "      one job; exit 75 when the poll did not bring everything\n",
    .run = run_now,
};

const struct verb verb_reload = {
    .name = "reload",
    .bit = VERB_CONTROL,
    .summary = "Make the running geckotape read its configuration again, as SIGHUP does.",
    .form = "geckotape reload [options]",
    .examples =
        "  geckotape reload\n"
        "      jobs, sinks and the log apply at once and lose no slot; what takes a restart\n"
        "      is named; a configuration with mistakes changes nothing\n",
    .run = reload,
};

const struct verb verb_log_level = {
    .name = "log-level",
    .bit = VERB_CONTROL,
    .summary = "Set how much the running geckotape logs, until its next reload.",
    .form = "geckotape log-level error|warn|info|debug [options]",
    .min_words = 1,
    .max_words = 1,
    .examples = "  geckotape log-level debug\n"
                "      and back: geckotape log-level info\n",
    .run = log_level,
};
