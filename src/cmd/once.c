/* geckotape once: one poll, all sinks loaded, a summary: for cron, CronJob and serverless. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/clock.h"
#include "base/mem.h"
#include "cmd/report.h"
#include "pipeline/pipeline.h"

#include <stdio.h>
#include <unistd.h>

/* The line of the poll of each job that was loaded last. */
struct summary {
    struct job_line {
        char job[64];
        struct buf line;
    } lines[STATUS_MAX_JOBS];
    size_t n;
};

static void keep_line(void *ctx, const struct sink_load *load, const struct sink_result *result)
{
    struct summary *summary = ctx;
    size_t i = 0;

    while (i < summary->n && strcmp(summary->lines[i].job, load->stream->job) != 0)
        i++;
    if (i == STATUS_MAX_JOBS)
        return;
    struct job_line *line = &summary->lines[i];
    if (i == summary->n) {
        summary->n++;
        snprintf(line->job, sizeof(line->job), "%s", load->stream->job);
        buf_init(&line->line, 4096);
    }
    buf_clear(&line->line);
    report_poll(&line->line, load, result);
}

static void release_summary(struct summary *summary)
{
    for (size_t i = 0; i < summary->n; i++)
        buf_release(&summary->lines[i].line);
    mem_free(summary);
}

static void print_summary(const struct status_snapshot *s, const struct pipeline_poll *polls,
                          size_t n, const struct summary *summary)
{
    for (size_t i = 0; i < n; i++) {
        if (polls[i].is_already_polled)
            printf("%s: the present slot is on the tape already; no call was made\n", polls[i].job);
        else if (polls[i].is_out_of_hours)
            printf("%s: outside its hours; no call was made\n", polls[i].job);
    }
    for (size_t i = 0; i < summary->n; i++)
        printf("%s: %s%s\n", summary->lines[i].job, buf_z(&summary->lines[i].line),
               s->is_simulated ? " · SIMULATED" : "");
    for (size_t i = 0; i < s->n_sinks; i++)
        printf("%s: %llu polls loaded, %llu rows stored, %llu unchanged, %llu in quarantine\n",
               s->sinks[i].url, (unsigned long long)s->sinks[i].n_polls,
               (unsigned long long)s->sinks[i].n_rows, (unsigned long long)s->sinks[i].n_unchanged,
               (unsigned long long)s->sinks[i].n_refused);
    fflush(stdout);
}

/* Polls that brought not all: say why, and whether trying later can help. */
static int exit_of(const struct status_snapshot *s, const struct pipeline_poll *polls, size_t n)
{
    int code = EXIT_DONE;

    for (size_t i = 0; i < n; i++) {
        const struct status_job *job = &s->jobs[polls[i].status];
        if (polls[i].outcome == POLL_OK)
            continue;
        fprintf(stderr, "geckotape: %s: the poll is %s: %s\n", polls[i].job,
                poll_outcome_name(polls[i].outcome), job->last_error);
        /* the same request will get the same answer: key, plan or URL are wrong */
        if (strcmp(job->last_cause, "permanent") == 0)
            code = EXIT_CONFIG;
        else if (code == EXIT_DONE)
            code = EXIT_AGAIN;
    }
    return code;
}

static int poll_and_tell(struct pipeline *p, const struct config *config,
                         const struct summary *summary)
{
    struct pipeline_poll *polls = mem_new(config->n_jobs, sizeof(*polls));
    struct status_snapshot *s = mem_new(1, sizeof(*s));
    struct err err = ERR_INIT;
    size_t n;

    enum st st = pipeline_once(p, config->only_job[0] ? config->only_job : NULL, polls, &n, &err);
    status_copy(pipeline_status(p), s);
    print_summary(s, polls, n, summary);
    int code = exit_of(s, polls, n);
    if (st != ST_OK)
        code = cmd_fail(st, &err, EXIT_FAILED);
    mem_free(polls);
    mem_free(s);
    return code;
}

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    struct summary *summary = mem_new(1, sizeof(*summary));
    struct pipeline_setup setup = {
        .config = config,
        .data_dir = cmd_data_dir(config),
        .verb = VERB_ONCE,
        .has_sinks = true,
        .poll_loaded = keep_line,
        .ctx = summary,
    };
    struct pipeline *p;
    struct err err = ERR_INIT;
    int code;

    (void)words, (void)n_words;
    enum st st = cmd_start_log(config, STDERR_FILENO, config->is_simulated, &err);
    if (st == ST_OK)
        st = pipeline_open(&setup, &p, &err);
    if (st == ST_OK) {
        code = poll_and_tell(p, config, summary);
        pipeline_close(p);
    } else {
        code = cmd_fail(st, &err, st == ST_REJECT ? EXIT_CONFIG : EXIT_FAILED);
    }
    release_summary(summary);
    log_close();
    return code;
}

const struct verb verb_once = {
    .name = "once",
    .bit = VERB_ONCE,
    .summary = "Poll every job once, load every sink, print a summary, exit.",
    .form = "geckotape once [options]",
    .examples =
        "  geckotape once\n"
        "      poll now; exit 75 when the API cannot be reached or refuses: try again later\n"
        "  geckotape once --every 5m\n"
        "      from a timer: a second start within the same five minutes makes no call\n"
        "  geckotape once --job markets-usd\n"
        "      of several jobs in the file, this one alone\n"
        "  geckotape once --simulate --top 100\n"
        "      see what it would store\n",
    .run = run,
};
