/* geckotape doctor: try everything that run needs, live, and say what helps. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/doctor.h"

#include "cmd/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_LINE  ((size_t)2000)
#define MAX_STATE ((size_t)4 * 1024 * 1024)

void doctor_say(struct doctor *d, enum finding finding, const char *what, const char *fmt, ...)
{
    static const struct {
        const char *word, *color;
    } words[] = {[FINDING_OK] = {"ok", "32"},
                 [FINDING_WARN] = {"warn", "33"},
                 [FINDING_FAIL] = {"FAIL", "31"}};
    const char *no_color = getenv("NO_COLOR");
    const bool has_color = isatty(STDOUT_FILENO) == 1 && !(no_color && no_color[0]);
    struct buf text = BUF_INIT(MAX_LINE), line = BUF_INIT(2 * MAX_LINE);
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&text, fmt, ap);
    va_end(ap);
    buf_addf(&line, has_color ? "\x1b[%sm%-4s\x1b[0m  " : "%.0s%-4s  ", words[finding].color,
             words[finding].word);
    buf_addf(&line, "%s: ", what);
    buf_add_clean(&line, buf_str(&text), MAX_LINE);
    puts(buf_z(&line));
    fflush(stdout); /* the next check may take its time */
    d->n_failed += finding == FINDING_FAIL;
    d->n_warned += finding == FINDING_WARN;
    buf_release(&text);
    buf_release(&line);
}

/* What is wrong with it was said before, by every place at once. */
static void say_config(struct doctor *d)
{
    const struct config *config = d->config;
    char name[64];
    struct buf jobs = BUF_INIT(MAX_LINE / 2);

    for (size_t i = 0; i < config->n_jobs && i < 8; i++) {
        config_job_name(&config->jobs[i], name);
        buf_addf(&jobs, "%s%s", i > 0 ? ", " : "", name);
    }
    if (config->n_jobs > 8)
        buf_addf(&jobs, ", and %zu more", config->n_jobs - 8);
    doctor_say(d, FINDING_OK, "config", "%zu job%s: %s%s", config->n_jobs,
               config->n_jobs == 1 ? "" : "s", buf_z(&jobs),
               config->is_simulated ? "; simulated" : "");
    buf_release(&jobs);
}

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    struct doctor d = {
        .config = config, .data_dir = cmd_data_dir(config), .state = BUF_INIT(MAX_STATE)};

    (void)words, (void)n_words;
    say_config(&d);
    doctor_disk(&d);
    doctor_api(&d);
    doctor_sinks(&d);
    buf_release(&d.state);
    if (d.n_failed > 0)
        fprintf(stderr, "geckotape: doctor: %zu of these FAIL; mend them from the top down\n",
                d.n_failed);
    return d.n_failed > 0 ? EXIT_FAILED : EXIT_DONE;
}

const struct verb verb_doctor = {
    .name = "doctor",
    .bit = VERB_DOCTOR,
    .summary = "Try everything live: disk, clock, API, key, sinks.",
    .form = "geckotape doctor [options]",
    .examples = "  geckotape doctor\n"
                "      with the options that run would get; a line for each thing tried\n"
                "  geckotape doctor --offline\n"
                "      without the network\n"
                "\n"
                "It changes nothing, and can be used beside a running collector.\n"
                "Exit codes: 0 all is well, or nearly; 1 something has to be mended.\n",
    .run = run,
};
