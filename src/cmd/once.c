/* geckotape once: one poll, all sinks loaded, a summary: for cron, CronJob and serverless. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cmd/report.h"
#include "pipeline/pipeline.h"

#include <stdio.h>
#include <unistd.h>

struct summary {
    struct buf last; /* the line of the poll loaded last */
    size_t n_polls;
};

static void keep_line(void *ctx, const struct sink_load *load, const struct sink_result *result)
{
    struct summary *summary = ctx;

    buf_clear(&summary->last);
    report_poll(&summary->last, load, result);
    summary->n_polls++;
}

static void print_summary(struct pipeline *p, const struct pipeline_once *once,
                          const struct summary *summary)
{
    struct status_snapshot *s = mem_new(1, sizeof(*s));

    status_copy(pipeline_status(p), s);
    if (once->is_already_polled)
        printf("%s: the present slot is on the tape already; no call was made\n", s->jobs[0].name);
    if (summary->n_polls > 0)
        printf("%s: %s%s\n", s->jobs[0].name, buf_z(&summary->last),
               s->is_simulated ? " · SIMULATED" : "");
    for (size_t i = 0; i < s->n_sinks; i++)
        printf("%s: %llu polls loaded, %llu rows stored, %llu unchanged, %llu in quarantine\n",
               s->sinks[i].url, (unsigned long long)s->sinks[i].n_polls,
               (unsigned long long)s->sinks[i].n_rows, (unsigned long long)s->sinks[i].n_unchanged,
               (unsigned long long)s->sinks[i].n_refused);
    mem_free(s);
}

/* A poll that brought not all: say why, and whether trying later can help. */
static int exit_of(struct pipeline *p, const struct pipeline_once *once)
{
    struct status_snapshot *s = mem_new(1, sizeof(*s));
    int code = EXIT_DONE;

    status_copy(pipeline_status(p), s);
    if (once->outcome != POLL_OK) {
        /* the same request will get the same answer: key, plan or URL are wrong */
        code = strcmp(s->jobs[0].last_cause, "permanent") == 0 ? EXIT_CONFIG : EXIT_AGAIN;
        fprintf(stderr, "geckotape: the poll is %s: %s\n", poll_outcome_name(once->outcome),
                s->jobs[0].last_error);
    }
    mem_free(s);
    return code;
}

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    struct summary summary = {.last = BUF_INIT(4096)};
    struct pipeline_setup setup = {
        .config = config,
        .data_dir = cmd_data_dir(config),
        .poll_loaded = keep_line,
        .ctx = &summary,
    };
    struct pipeline *p;
    struct pipeline_once once;
    struct err err = ERR_INIT;

    (void)words, (void)n_words;
    enum st st = cmd_start_log(config, STDERR_FILENO, config->is_simulated, &err);
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_CONFIG);
    st = pipeline_open(&setup, &p, &err);
    if (st != ST_OK)
        return cmd_fail(st, &err, st == ST_REJECT ? EXIT_CONFIG : EXIT_FAILED);
    st = pipeline_once(p, &once, &err);
    print_summary(p, &once, &summary);
    fflush(stdout);
    int code = exit_of(p, &once);
    pipeline_close(p);
    buf_release(&summary.last);
    log_close();
    return st == ST_OK ? code : cmd_fail(st, &err, EXIT_FAILED);
}

const struct verb verb_once = {
    .name = "once",
    .bit = VERB_ONCE,
    .summary = "Poll once, load every sink, print a summary, exit.",
    .form = "geckotape once [options]",
    .examples =
        "  geckotape once\n"
        "      poll now; exit 75 when the API cannot be reached or refuses: try again later\n"
        "  geckotape once --every 5m\n"
        "      from a timer: a second start within the same five minutes makes no call\n"
        "  geckotape once --simulate --top 100\n"
        "      see what it would store\n",
    .run = run,
};
