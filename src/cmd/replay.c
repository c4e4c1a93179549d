/* geckotape replay: make what a sink holds anew with today's transform. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/mem.h"
#include "cmd/instant.h"
#include "cmd/progress.h"
#include "cmd/streams.h"
#include "control/control.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define LOOK_US (100 * US_PER_MS)

struct replay_verb {
    const char *data_dir;
    struct sink_url url;
    struct loader_replay what;
};

static enum st read_options(const struct config *config, struct replay_verb *v, struct err *err)
{
    int64_t now_us = clock_wall_us(clock_system());

    v->data_dir = cmd_data_dir(config);
    if (config->sinks.n != 1)
        return err_set(err, ST_REJECT,
                       config->sinks.n == 0
                           ? "replay: which sink? --sink names it, as --sink sqlite:%s/market.db"
                           : "replay: several sinks are configured; name one with --sink, as "
                             "--sink sqlite:%s/market.db",
                       v->data_dir);
    enum st st = sink_url_parse(str_of(config->sinks.items[0]), &v->url, err);
    if (st != ST_OK)
        return st;
    if (strlen(config->only_job) > TAPE_MAX_JOB)
        return err_set(err, ST_REJECT, "--job: longer than %d bytes", TAPE_MAX_JOB);
    v->what = (struct loader_replay){.until_us = INT64_MAX, .is_forced = config->is_forced};
    snprintf(v->what.job, sizeof(v->what.job), "%s", config->only_job);
    if (config->since[0] != '\0')
        st = instant_parse("--since", config->since, now_us, &v->what.since_us, err);
    if (st == ST_OK && config->until[0] != '\0')
        st = instant_parse("--until", config->until, now_us, &v->what.until_us, err);
    if (st == ST_OK && v->what.since_us >= v->what.until_us)
        st = err_set(err, ST_REJECT, "--since %s is not before --until %s", config->since,
                     config->until);
    return st;
}

/* The process that holds the directory does it. */
static bool hand_over(const struct replay_verb *v, int *ret_code)
{
    struct buf request = BUF_INIT(CONTROL_MAX_REQUEST);
    char number[32];

    control_put(&request, "replay", NULL);
    control_put(&request, "sink", v->url.text);
    if (v->what.job[0] != '\0')
        control_put(&request, "job", v->what.job);
    snprintf(number, sizeof(number), "%lld", (long long)v->what.since_us);
    control_put(&request, "since_us", number);
    snprintf(number, sizeof(number), "%lld", (long long)v->what.until_us);
    control_put(&request, "until_us", number);
    control_put(&request, "force", v->what.is_forced ? "1" : "0");
    bool is_done = cmd_hand_over(v->data_dir, &request, ret_code);
    buf_release(&request);
    return is_done;
}

static void *run_replay(void *loader)
{
    loader_replay_run(loader);
    return NULL;
}

static void print_count(uint64_t n, const char *what)
{
    if (n > 0)
        printf(", %llu %s", (unsigned long long)n, what);
}

static void print_summary(const struct replay_verb *v, const struct loader_replay_progress *p,
                          double seconds)
{
    uint64_t n_made = p->n_done - p->n_missing - p->n_refused;

    printf("%s: %llu of %llu polls made anew, %llu rows, %.0f rows/s", v->url.shown,
           (unsigned long long)n_made, (unsigned long long)p->n_due, (unsigned long long)p->n_rows,
           (double)p->n_rows / seconds);
    print_count(p->n_missing, "not on the tape any more");
    print_count(p->n_refused, "refused, which keep their rows");
    print_count(p->n_current, "of today's transform already");
    print_count(p->n_other, "of other streams");
    printf("\n");
    fflush(stdout);
}

static int exit_of(const struct replay_verb *v, const struct loader_replay_progress *p)
{
    if (p->st != ST_OK)
        fprintf(stderr, "geckotape: %s: %s\n", v->url.shown, p->error);
    else if (p->n_refused > 0)
        fprintf(stderr, "geckotape: %s: %llu polls keep the rows they had: %s\n", v->url.shown,
                (unsigned long long)p->n_refused, p->first_refusal);
    if (p->st == ST_AGAIN)
        return EXIT_AGAIN;
    return p->st == ST_OK && p->n_refused == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int watch(const struct replay_verb *v, struct loader *l)
{
    struct loader_replay_progress now;
    struct progress progress;
    pthread_t thread;

    progress_begin(&progress, "replay", "polls");
    if (pthread_create(&thread, NULL, run_replay, l) != 0) {
        fprintf(stderr, "geckotape: no thread for the replay; try again\n");
        return EXIT_AGAIN;
    }
    do {
        if (cmd_poll_signal(LOOK_US) != 0)
            loader_replay_cancel(l);
        loader_replay_progress(l, &now);
        progress_show(&progress, now.n_done, now.n_due, now.n_rows);
    } while (now.is_running);
    pthread_join(thread, NULL);
    print_summary(v, &now, progress_end(&progress));
    return exit_of(v, &now);
}

/* A store that is not there has nothing to be made anew: the path is mistyped. */
static enum st check_store(const struct replay_verb *v, struct err *err)
{
    const struct sink_driver *driver;

    enum st st = sink_driver_find(str_of(v->url.scheme), &driver, err);
    if (st == ST_OK)
        st = driver->check(&v->url, err);
    if (st == ST_OK && driver->is_path && access(v->url.rest, F_OK) != 0)
        st = err_sys(err, ST_FATAL, errno, "%s: nothing to make anew there; check --sink",
                     v->url.shown);
    return st;
}

static int replay_alone(const struct replay_verb *v)
{
    struct loader_stream *streams = mem_new(LOADER_MAX_STREAMS, sizeof(*streams));
    struct err err = ERR_INIT;
    size_t n;

    enum st st = cmd_list_streams(v->data_dir, v->what.job, streams, &n, &err);
    struct loader_setup setup = {
        .url = &v->url,
        .streams = streams,
        .n_streams = n,
        .clock = clock_system(),
        .data_dir = v->data_dir,
        .is_simulated = cmd_is_simulated(v->data_dir),
        .accepts_gap = true, /* nothing is loaded */
        .max_poll_bytes = CMD_MAX_POLL_BYTES,
    };
    int code = EXIT_FAILED;
    if (st == ST_OK && n == 0)
        st = err_set(&err, ST_FATAL, "no tape%s%s in %s; --data names another directory",
                     v->what.job[0] ? " of job " : "", v->what.job, v->data_dir);
    if (st == ST_OK)
        st = check_store(v, &err);
    if (st == ST_REJECT)
        code = EXIT_CONFIG;
    struct loader *l = st == ST_OK ? loader_new(&setup) : NULL;
    if (st == ST_OK)
        st = loader_replay_start(l, &v->what, &err);
    code = st == ST_OK ? watch(v, l) : cmd_fail(st, &err, code);
    loader_free(l);
    mem_free(streams);
    return code;
}

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    struct replay_verb *v = mem_new(1, sizeof(*v));
    struct err err = ERR_INIT;
    int code;

    (void)words, (void)n_words;
    enum st st = read_options(config, v, &err);
    cmd_block_signals();
    if (st != ST_OK)
        code = cmd_fail(st, &err, EXIT_USAGE);
    else if (!hand_over(v, &code))
        code = replay_alone(v);
    mem_free(v);
    return code;
}

const struct verb verb_replay = {
    .name = "replay",
    .bit = VERB_REPLAY,
    .summary = "Make what a sink holds anew with today's transform, poll by poll.",
    .form = "geckotape replay --sink URL [options]",
    .examples =
        "  geckotape replay --sink sqlite:./data/market.db\n"
        "      all polls that another version of the transform made; cut short, it goes on where\n"
        "      it stopped when it is started again\n"
        "  geckotape replay --sink sqlite:./data/market.db --since 7d\\ ago --force\n"
        "      every poll of the last week\n"
        "  geckotape replay --sink json:./data --job markets-usd --since 2026-11-01 "
        "--until 2026-11-02\n"
        "      the files of one day\n",
    .run = run,
};
