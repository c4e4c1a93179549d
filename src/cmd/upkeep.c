/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/upkeep.h"

#include "base/clock.h"
#include "base/file.h"
#include "cmd/cmd.h"
#include "control/control.h"
#include "load/known.h"
#include "pipeline/ship.h"
#include "pipeline/upkeep_text.h"
#include "tape/reader.h"
#include "tape/tape.h"
#include "tape/upkeep.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_JOBS_BYTES ((size_t)64 * 1024 * 1024)
#define MAX_HOLDER     512

struct upkeep {
    const struct config *config;
    const char *data_dir, *job; /* the one at hand */
    char dir[FILE_MAX_PATH];    /* its stream */
    int64_t reference_us;       /* what old counts from; 0: not looked for yet */
    uint64_t problems;
};

/* ---- compact ---- */

static atomic_bool is_stopping;

static void on_signal(int sig)
{
    (void)sig;
    atomic_store(&is_stopping, true);
}

static void show_progress(const struct upkeep *u, const struct sealed_totals *t, uint64_t n_open)
{
    struct buf line = BUF_INIT(256);

    if (!isatty(STDERR_FILENO))
        return;
    upkeep_add_progress(&line, u->job, t, n_open);
    fprintf(stderr, "\r\033[K%s", buf_z(&line));
    buf_release(&line);
}

static void wipe_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

static void print_totals(const struct upkeep *u, const struct sealed_totals *t)
{
    struct buf line = BUF_INIT(256);

    upkeep_add_sealed(&line, u->job, t);
    puts(buf_z(&line));
    buf_release(&line);
}

static enum st compact_job(struct upkeep *u, struct err *err)
{
    const struct config *config = u->config;
    const struct tape_seal_setup setup = {
        .dir = u->dir,
        .level = (int)(config->level > 0 ? config->level : config->tape_seal_level),
        .is_stopping = &is_stopping,
    };
    struct sealed_totals t = {.n = 0};
    struct tape_sealed sealed;
    struct tape_usage usage;
    uint64_t n_before = u->problems;
    char after[64] = "";

    enum st st = tape_usage(u->dir, clock_wall_us(clock_system()), &usage, err);
    while (st == ST_OK) {
        show_progress(u, &t, usage.n_segments - usage.n_sealed - (usage.n_segments > 0));
        st = tape_seal_next(&setup, after, &sealed, err);
        if (st == ST_OK && sealed.segment[0] == '\0')
            break;
        if (st == ST_OK) {
            sealed_totals_add(&t, &sealed);
        } else if (st == ST_REJECT) {
            wipe_progress();
            fprintf(stderr, "geckotape: %s\n", err->msg);
            u->problems++;
            st = ST_OK;
        }
    }
    wipe_progress();
    if (t.n > 0 || (st == ST_OK && u->problems == n_before))
        print_totals(u, &t);
    return st;
}

/* ---- prune ---- */

/* The stream of the job; false when there is none yet. */
static enum st read_stream(const struct upkeep *u, bool *ret_has, bool *ret_is_import,
                           char ret_uuid[SINK_UUID_TEXT], struct err *err)
{
    struct tape_reader *reader;
    struct tape_record record;

    *ret_has = false;
    enum st st = tape_reader_open(u->dir, &reader, err);
    if (st != ST_OK)
        return st;
    do
        st = tape_reader_next(reader, UINT64_MAX, &record, err);
    while (st == ST_REJECT);
    if (st == ST_OK) {
        *ret_has = true;
        *ret_is_import = stream_is_history(record.stream);
        sink_uuid_text(record.stream, ret_uuid);
    }
    tape_reader_close(reader);
    return st == ST_AGAIN && err->sys == 0 ? ST_OK : st;
}

static void print_pruned(const struct upkeep *u, const struct tape_pruned *p, const char *holder)
{
    struct buf line = BUF_INIT(MAX_HOLDER + 256);

    upkeep_add_pruned(&line, u->job, p, u->config->is_dry_run, holder);
    puts(buf_z(&line));
    buf_release(&line);
}

static void print_import(const struct upkeep *u)
{
    struct buf line = BUF_INIT(256);

    upkeep_add_import(&line, u->job);
    puts(buf_z(&line));
    buf_release(&line);
}

static enum st prune_job(struct upkeep *u, struct err *err)
{
    const struct config *config = u->config;
    int64_t keep_us = config->keep_us > 0 ? config->keep_us : config->tape_keep_us;
    struct tape_prune_setup setup = {
        .dir = u->dir,
        .keep_us = keep_us,
        .is_dry_run = config->is_dry_run,
    };
    char uuid[SINK_UUID_TEXT], holder[MAX_HOLDER] = "";
    struct tape_pruned pruned = {.n_segments = 0};
    bool has_stream, is_import = false;

    enum st st = read_stream(u, &has_stream, &is_import, uuid, err);
    if (st == ST_OK && is_import && config->only_job[0] == '\0') {
        print_import(u);
        return ST_OK;
    }
    if (st == ST_OK && u->reference_us == 0)
        st = tape_reference(u->data_dir, clock_wall_us(clock_system()), &u->reference_us, err);
    setup.reference_us = u->reference_us;
    if (st == ST_OK && has_stream)
        st = known_below(u->data_dir, uuid, &setup.below, holder, sizeof(holder), err);
    if (st == ST_OK && has_stream)
        st = ship_hold(u->dir, config->tape_ship, &setup.below, holder, sizeof(holder), err);
    if (st == ST_OK && has_stream)
        st = tape_prune(&setup, &pruned, err);
    if (st == ST_OK || pruned.n_segments > 0)
        print_pruned(u, &pruned, holder);
    return st;
}

/* ---- both ---- */

static enum st run_jobs(struct upkeep *u, enum st (*run)(struct upkeep *u, struct err *err),
                        struct err *err)
{
    const char **jobs, *only = u->config->only_job;
    struct arena arena;
    size_t n_jobs = 0;
    bool is_found = false;

    arena_init(&arena, MAX_JOBS_BYTES);
    enum st st = tape_jobs(u->data_dir, &arena, &jobs, &n_jobs, err);
    for (size_t i = 0; st == ST_OK && i < n_jobs; i++) {
        if (only[0] != '\0' && strcmp(only, jobs[i]) != 0)
            continue;
        is_found = true;
        u->job = jobs[i];
        st = tape_stream_dir(u->data_dir, jobs[i], u->dir, err);
        if (st == ST_OK)
            st = run(u, err);
    }
    arena_release(&arena);
    if (st == ST_OK && !is_found)
        st = err_set(err, ST_FATAL, "no tape%s%.64s in %s; geckotape tape ls lists them",
                     only[0] ? " of job " : "", only, u->data_dir);
    if (fflush(stdout) != 0 && st == ST_OK)
        st = err_set(err, ST_FATAL, "cannot write the output");
    return st;
}

/* The lock would make the directory: a --data that is not there is a mistake. */
static enum st take_lock(const char *data_dir, struct tape **ret_tape, struct err *err)
{
    char path[FILE_MAX_PATH];

    enum st st = file_path(path, err, "%s/tape", data_dir);
    if (st == ST_OK && access(path, F_OK) != 0)
        return err_set(err, ST_FATAL, "no tape in %s; --data names another directory", data_dir);
    return st == ST_OK ? tape_open(data_dir, ret_tape, err) : st;
}

static int upkeep(const struct config *config, const struct buf *request,
                  enum st (*run)(struct upkeep *u, struct err *err))
{
    const struct sigaction action = {.sa_handler = on_signal};
    struct upkeep u = {.config = config, .data_dir = cmd_data_dir(config)};
    struct tape *tape = NULL;
    struct err err = ERR_INIT;
    int code;

    if (cmd_hand_over(u.data_dir, request, &code))
        return code;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);
    enum st st = take_lock(u.data_dir, &tape, &err);
    if (st == ST_OK)
        st = run_jobs(&u, run, &err);
    tape_close(tape);
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_FAILED);
    return u.problems > 0 ? EXIT_FAILED : EXIT_DONE;
}

static void put_number(struct buf *request, const char *name, int64_t value)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)value);
    control_put(request, name, text);
}

int upkeep_compact(const struct config *config)
{
    struct buf request = BUF_INIT(CONTROL_MAX_REQUEST);

    control_put(&request, "compact", NULL);
    if (config->only_job[0] != '\0')
        control_put(&request, "job", config->only_job);
    if (config->level > 0)
        put_number(&request, "level", config->level);
    int code = upkeep(config, &request, compact_job);
    buf_release(&request);
    return code;
}

int upkeep_prune(const struct config *config)
{
    struct buf request = BUF_INIT(CONTROL_MAX_REQUEST);
    int64_t keep_us = config->keep_us > 0 ? config->keep_us : config->tape_keep_us;

    if (keep_us == 0) {
        fprintf(stderr, "geckotape: tape prune: everything is kept; say how long with --keep 90d, "
                        "or tape.keep in the configuration\n");
        return EXIT_USAGE;
    }
    control_put(&request, "prune", NULL);
    if (config->only_job[0] != '\0')
        control_put(&request, "job", config->only_job);
    put_number(&request, "keep_us", keep_us);
    if (config->is_dry_run)
        control_put(&request, "dry_run", "1");
    int code = upkeep(config, &request, prune_job);
    buf_release(&request);
    return code;
}
