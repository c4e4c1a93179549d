/* geckotape tape: look at the tape itself, beside a running collector or without one; its upkeep is
 * in upkeep.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"
#include "cmd/drift.h"
#include "cmd/instant.h"
#include "cmd/upkeep.h"

#include "base/clock.h"
#include "base/file.h"
#include "tape/reader.h"
#include "tape/show.h"
#include "tape/tape.h"
#include "tape/verify.h"

#include <assert.h>
#include <stdio.h>

#define MAX_JOBS_BYTES ((size_t)64 * 1024 * 1024)
#define MAX_LINE       TAPE_SHOW_MAX
#define MAX_BODY_ARENA (TAPE_MAX_BODY + (size_t)1024 * 1024)

struct tape_verb {
    const struct config *config;
    uint64_t first, last;       /* offsets */
    const char *job;            /* the one at hand */
    char dir[FILE_MAX_PATH];    /* its stream */
    uint64_t records, segments; /* seen */
    uint64_t problems;
    struct drift_report drift;
};

/* ---- cat ---- */

static enum st print_header(const struct tape_record *r, struct err *err)
{
    struct buf b = BUF_INIT(MAX_LINE);

    tape_show(&b, r);
    buf_add_z(&b, "}\n");
    enum st st = buf_check(&b, "a header", err);
    if (st == ST_OK && fwrite(b.p, 1, b.len, stdout) != b.len)
        st = err_set(err, ST_FATAL, "cannot write the output");
    buf_release(&b);
    return st;
}

static enum st print_body(struct tape_reader *reader, const struct tape_record *r,
                          struct arena *arena, struct err *err)
{
    struct str body;

    arena_reset(arena);
    enum st st = tape_reader_body(reader, r, arena, &body, err);
    if (st == ST_OK && (fwrite(body.p, 1, body.len, stdout) != body.len || putchar('\n') == EOF))
        st = err_set(err, ST_FATAL, "cannot write the output");
    return st;
}

static enum st print_records(struct tape_verb *v, struct tape_reader *reader, struct arena *arena,
                             struct err *err)
{
    struct tape_record r;

    tape_reader_seek(reader, v->first);
    for (;;) {
        enum st st = tape_reader_next(reader, UINT64_MAX, &r, err);
        if (st == ST_OK && r.offset > v->last)
            return ST_OK;
        if (st == ST_OK && v->config->has_headers)
            st = print_header(&r, err);
        else if (st == ST_OK && r.type == TAPE_PAGE && r.is_json)
            st = print_body(reader, &r, arena, err);
        if (st == ST_AGAIN && err->sys == 0)
            return ST_OK;
        if (st == ST_REJECT) {
            fprintf(stderr, "geckotape: %s\n", err->msg);
            v->problems++;
        } else if (st != ST_OK) {
            return st;
        }
    }
}

static enum st cat_job(struct tape_verb *v, struct err *err)
{
    struct tape_reader *reader;
    struct arena arena;

    enum st st = tape_reader_open(v->dir, &reader, err);
    if (st != ST_OK)
        return st;
    arena_init(&arena, MAX_BODY_ARENA);
    st = print_records(v, reader, &arena, err);
    arena_release(&arena);
    tape_reader_close(reader);
    return st;
}

/* ---- ls and verify ---- */

static void print_problem(void *context, const char *text)
{
    const struct tape_verb *v = context;
    printf("%s/%s\n", v->job, text);
}

static enum st ls_job(struct tape_verb *v, struct err *err)
{
    const struct tape_verify_setup setup = {.dir = v->dir};
    char from[TIME_TEXT] = "-", to[TIME_TEXT] = "-", offsets[64] = "-";
    struct tape_summary s;

    enum st st = tape_verify(&setup, &s, err);
    if (st != ST_OK)
        return st;
    if (s.n_records > 0) {
        time_format(time_floor(s.first_us, US_PER_S), from);
        time_format(time_floor(s.last_us, US_PER_S), to);
        snprintf(offsets, sizeof(offsets), "%llu-%llu", (unsigned long long)s.first_offset,
                 (unsigned long long)s.last_offset);
    }
    printf("%-24s %8llu %6llu %15s %9llu %9llu  %-20s  %-20s %14llu %14llu %6.1f\n", v->job,
           (unsigned long long)s.n_segments, (unsigned long long)s.n_sealed, offsets,
           (unsigned long long)s.n_records, (unsigned long long)s.n_polls, from, to,
           (unsigned long long)s.file_bytes, (unsigned long long)s.body_bytes,
           s.file_bytes > 0 ? (double)s.body_bytes / (double)s.file_bytes : 0.0);
    if (s.n_problems > 0)
        fprintf(stderr, "geckotape: %s: %llu problem%s; geckotape tape verify shows them\n", v->job,
                (unsigned long long)s.n_problems, s.n_problems == 1 ? "" : "s");
    return ST_OK;
}

static enum st verify_job(struct tape_verb *v, struct err *err)
{
    const struct tape_verify_setup setup = {
        .dir = v->dir, .has_bodies = v->config->is_deep, .problem = print_problem, .context = v};
    struct tape_summary s;

    enum st st = tape_verify(&setup, &s, err);
    if (st != ST_OK)
        return st;
    v->records += s.n_records;
    v->segments += s.n_segments;
    v->problems += s.n_problems;
    return ST_OK;
}

/* ---- drift ---- */

static enum st drift_job(struct tape_verb *v, struct err *err)
{
    return drift_read(&v->drift, v->job, v->dir, err);
}

static enum st drift_end(struct tape_verb *v, struct err *err)
{
    v->problems += v->drift.n_problems;
    return drift_print(&v->drift, v->config->is_json, err);
}

/* ---- the verb ---- */

static const struct action {
    const char *name;
    enum st (*run)(struct tape_verb *v, struct err *err); /* on each job; NULL: run_whole */
    enum st (*end)(struct tape_verb *v,
                   struct err *err); /* after the last of them; NULL: nothing */
    int (*run_whole)(const struct config *config);
} actions[] = {
    {.name = "ls", .run = ls_job},
    {.name = "cat", .run = cat_job},
    {.name = "verify", .run = verify_job},
    {.name = "drift", .run = drift_job, .end = drift_end},
    {.name = "compact", .run_whole = upkeep_compact},
    {.name = "prune", .run_whole = upkeep_prune},
};

#define N_ACTIONS (sizeof(actions) / sizeof(actions[0]))

static enum st read_offset(const char *option, const char *text, uint64_t fallback,
                           uint64_t *ret_offset, struct err *err)
{
    int64_t offset;

    *ret_offset = fallback;
    if (text[0] == '\0')
        return ST_OK;
    if (!str_to_i64(str_of(text), 1, INT64_MAX, &offset))
        return err_set(err, ST_REJECT, "%s: \"%.40s\" is not an offset; they count from 1", option,
                       text);
    *ret_offset = (uint64_t)offset;
    return ST_OK;
}

/* Options that one action alone takes. */
static enum st read_options(struct tape_verb *v, const struct action *action, struct err *err)
{
    const struct config *config = v->config;
    const struct {
        const char *option, *action;
        bool is_given;
    } own[] = {
        {"--first", "cat", config->first[0] != '\0'},
        {"--last", "cat", config->last[0] != '\0'},
        {"--headers", "cat", config->has_headers},
        {"--deep", "verify", config->is_deep},
        {"--level", "compact", config->level > 0},
        {"--keep", "prune", config->keep_us > 0},
        {"--dry-run", "prune", config->is_dry_run},
        {"--since", "drift", config->since[0] != '\0'},
        {"--json", "drift", config->is_json},
    };

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (own[i].is_given && strcmp(own[i].action, action->name) != 0)
            return err_set(err, ST_REJECT, "%s: only tape %s takes this option, not tape %s",
                           own[i].option, own[i].action, action->name);
    v->drift.since_us = INT64_MIN;
    enum st st = read_offset("--first", config->first, 1, &v->first, err);
    if (st == ST_OK)
        st = read_offset("--last", config->last, UINT64_MAX, &v->last, err);
    if (st == ST_OK && config->since[0] != '\0')
        st = instant_parse("--since", config->since, clock_wall_us(clock_system()),
                           &v->drift.since_us, err);
    return st;
}

static enum st run_jobs(struct tape_verb *v, const struct action *action, struct err *err)
{
    const char *data_dir = cmd_data_dir(v->config), *only = v->config->only_job;
    const char **jobs;
    struct arena arena;
    size_t n_jobs = 0;
    bool is_found = false;

    arena_init(&arena, MAX_JOBS_BYTES);
    enum st st = tape_jobs(data_dir, &arena, &jobs, &n_jobs, err);
    if (st == ST_OK && n_jobs > 0 && action->run == ls_job)
        printf("%-24s %8s %6s %15s %9s %9s  %-20s  %-20s %14s %14s %6s\n", "job", "segments",
               "sealed", "offsets", "records", "polls", "from", "to", "bytes", "raw", "ratio");
    for (size_t i = 0; st == ST_OK && i < n_jobs; i++) {
        if (only[0] != '\0' && strcmp(only, jobs[i]) != 0)
            continue;
        is_found = true;
        v->job = jobs[i];
        st = tape_stream_dir(data_dir, jobs[i], v->dir, err);
        if (st == ST_OK)
            st = action->run(v, err);
    }
    if (st == ST_OK && is_found && action->end != NULL)
        st = action->end(v, err);
    arena_release(&arena);
    if (st == ST_OK && !is_found && n_jobs > 0)
        st = err_set(err, ST_FATAL,
                     "--job: there is no job %.64s in %s; geckotape tape ls lists them", only,
                     data_dir);
    else if (st == ST_OK && !is_found)
        st = err_set(err, ST_FATAL, "no tape in %s; --data names another directory", data_dir);
    if (fflush(stdout) != 0 && st == ST_OK)
        st = err_set(err, ST_FATAL, "cannot write the output");
    return st;
}

static int tape_run(const struct config *config, const char *const *words, size_t n_words)
{
    struct tape_verb v = {.config = config};
    const struct action *action = NULL;
    struct err err = ERR_INIT;

    for (size_t i = 0; n_words > 0 && i < N_ACTIONS; i++)
        if (strcmp(words[0], actions[i].name) == 0)
            action = &actions[i];
    if (action == NULL) {
        fprintf(stderr,
                "geckotape: tape %s: no such action; there are ls, cat, verify, drift, compact "
                "and prune\n",
                n_words > 0 ? words[0] : "");
        return EXIT_USAGE;
    }
    enum st st = read_options(&v, action, &err);
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_USAGE);
    if (action->run_whole != NULL)
        return action->run_whole(config);
    drift_history_init(&v.drift.history);
    st = run_jobs(&v, action, &err);
    drift_history_release(&v.drift.history);
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_FAILED);
    if (v.problems > 0) {
        fprintf(stderr, "geckotape: the tape is damaged: %llu problem%s\n",
                (unsigned long long)v.problems, v.problems == 1 ? "" : "s");
        return EXIT_FAILED;
    }
    if (action->run == verify_job)
        printf("ok: %llu records in %llu segments%s\n", (unsigned long long)v.records,
               (unsigned long long)v.segments,
               config->is_deep ? ", every body" : "; --deep looks at every body too");
    return EXIT_DONE;
}

const struct verb verb_tape = {
    .name = "tape",
    .bit = VERB_TAPE,
    .summary =
        "Look at the tape: list, print, check it, report drift; pack it, remove its oldest part.",
    .form = "geckotape tape ls|cat|verify|drift|compact|prune [options]",
    .min_words = 1,
    .max_words = 1,
    .examples =
        "  geckotape tape ls\n"
        "      each job's stream: segments, offsets, times, bytes on disk and raw\n"
        "  geckotape tape cat --job markets-usd | jq '.[0].current_price'\n"
        "      the JSON bodies as they came, one per line\n"
        "  geckotape tape cat --headers --first 100 --last 200\n"
        "      what else is known of each record: times, status, outcome\n"
        "  geckotape tape verify && echo whole\n"
        "      headers, the order of offsets, each poll's pages; with --deep every body\n"
        "  geckotape tape drift --since 2026-01-01\n"
        "      every change of the API that the tape has seen, with its dates: fields that\n"
        "      came, went, changed; how values are made; coins that left\n"
        "  geckotape tape compact --level 19\n"
        "      seal now what is closed (run does so by itself): bodies packed over many\n"
        "      polls; offsets, headers and bodies stay what they were\n"
        "  geckotape tape prune --keep 90d --dry-run\n"
        "      what is older and loaded by every sink; without --dry-run it is removed\n",
    .run = tape_run,
};
