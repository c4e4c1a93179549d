/* geckotape import: history that people have, onto the tape. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/file.h"
#include "cmd/streams.h"
#include "control/control.h"
#include "import/import.h"
#include "status/render.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_SHOWN 20 /* skips that are told one by one */
#define BAR       24 /* characters */
#define REDRAW_US (100 * US_PER_MS)

struct words {
    const struct config *config;
    char source[PATH_MAX]; /* absolute */
    struct buf map;
};

/* The import as words: for the running process, and for this one. */
static const char *const word_names[] = {"path", "as",        "name",  "vs",        "in_path",
                                         "map",  "time_zone", "mtime", "skip_equal"};

static const char *get_word(void *ctx, const char *name)
{
    static const char *const kinds[] = {"", "folder", "git", "jsonl", "csv"};
    const struct words *w = ctx;
    const struct config *config = w->config;
    const char *const values[] = {w->source,
                                  kinds[config->import_as],
                                  config->import_name,
                                  config->job.vs,
                                  config->import_path,
                                  buf_z(&w->map),
                                  config->import_zone,
                                  config->import_mtime ? "true" : NULL,
                                  config->import_skip_equal ? "true" : NULL};

    for (size_t i = 0; i < sizeof(word_names) / sizeof(word_names[0]); i++)
        if (strcmp(name, word_names[i]) == 0)
            return values[i];
    return NULL;
}

static enum st read_words(struct words *w, const char *source, struct err *err)
{
    const struct opt_list *map = &w->config->import_map;

    for (size_t i = 0; i < map->n; i++) {
        if (strchr(map->items[i], '=') == NULL)
            return err_set(err, ST_REJECT,
                           "--map: \"%.60s\" is not COLUMN=FIELD; write --map Price=current_price",
                           map->items[i]);
        buf_add_z(&w->map, map->items[i]);
        buf_add_char(&w->map, '\n');
    }
    enum st st = buf_check(&w->map, "--map", err);
    if (st != ST_OK)
        return st;
    return realpath(source, w->source) ? ST_OK : err_sys(err, ST_REJECT, errno, "%.200s", source);
}

/* ---- on the terminal ---- */

struct show {
    bool is_terminal, has_bar;
    int64_t drawn_us;
    size_t n_told;
};

static void wipe(struct show *show)
{
    if (show->has_bar)
        fputs("\r\033[K", stderr);
    show->has_bar = false;
}

static bool draw(void *ctx, const struct import_progress *p)
{
    struct show *show = ctx;
    struct buf line = BUF_INIT(1024);
    int64_t now_us = clock_mono_us(clock_system());

    if (!show->is_terminal || now_us - show->drawn_us < REDRAW_US)
        return true;
    show->drawn_us = now_us;
    if (p->n_total == 0) {
        buf_addf(&line, "looking: %zu found · ", p->n_done);
    } else {
        size_t filled = p->n_done * BAR / p->n_total;
        for (size_t i = 0; i < BAR; i++)
            buf_add_char(&line, i < filled ? '#' : '.');
        buf_addf(&line, " %zu of %zu · ", p->n_done, p->n_total);
        status_add_bytes(&line, p->bytes);
        buf_add_z(&line, " · ");
    }
    buf_add_clean(&line, str_of(p->name), 32);
    fprintf(stderr, "\r\033[K%s", buf_z(&line));
    show->has_bar = true;
    buf_release(&line);
    return true;
}

static void tell_skip(void *ctx, enum import_skip why, const char *text)
{
    struct show *show = ctx;

    (void)why;
    if (show->n_told == MAX_SHOWN + 1)
        return;
    wipe(show);
    if (show->n_told++ == MAX_SHOWN)
        fprintf(stderr, "geckotape: more is skipped, which the summary counts\n");
    else
        fprintf(stderr, "geckotape: skipped: %s\n", text);
}

static void tell_note(void *ctx, const char *text)
{
    wipe(ctx);
    fprintf(stderr, "geckotape: %s\n", text);
}

/* ---- the work ---- */

static enum st import_here(struct words *w, const char *data_dir, struct tape *tape,
                           struct err *err)
{
    struct show show = {.is_terminal = isatty(STDERR_FILENO)};
    struct import_setup setup = {
        .tape = tape,
        .data_dir = data_dir,
        .clock = clock_system(),
        .ctx = &show,
        .progress = draw,
        .skipped = tell_skip,
        .note = tell_note,
    };
    struct buf summary = BUF_INIT(8192);
    struct import_result result;

    enum st st = import_setup_read(get_word, w, &setup, err);
    if (st != ST_OK)
        return st;
    st = import_run(&setup, &result, err);
    wipe(&show);
    if (st == ST_OK || result.n_found > 0)
        import_summary(&setup, &result, &summary);
    fwrite(buf_z(&summary), 1, summary.len, stdout);
    buf_release(&summary);
    if (fflush(stdout) != 0 && st == ST_OK)
        st = err_set(err, ST_FATAL, "cannot write the output");
    return st;
}

static bool hand_over(struct words *w, const char *data_dir, int *ret_code)
{
    struct buf request = BUF_INIT(CONTROL_MAX_REQUEST);

    control_put(&request, "import", NULL);
    for (size_t i = 0; i < sizeof(word_names) / sizeof(word_names[0]); i++) {
        const char *value = get_word(w, word_names[i]);
        if (value && value[0] != '\0')
            control_put(&request, word_names[i], value);
    }
    bool is_done = cmd_hand_over(data_dir, &request, ret_code);
    buf_release(&request);
    return is_done;
}

static int import(struct words *w, const char *source)
{
    const char *data_dir = cmd_data_dir(w->config);
    struct tape *tape = NULL;
    struct err err = ERR_INIT;
    int code;

    enum st st = read_words(w, source, &err);
    if (st != ST_OK)
        return cmd_fail(st, &err, EXIT_USAGE);
    if (cmd_is_simulated(data_dir)) {
        st = err_set(&err, ST_REJECT,
                     "%s: holds simulated data, real history may not mix with it; give --data "
                     "another directory",
                     data_dir);
        return cmd_fail(st, &err, EXIT_CONFIG);
    }
    if (!w->config->is_dry_run) {
        if (hand_over(w, data_dir, &code))
            return code;
        st = tape_open(data_dir, &tape, &err);
    }
    if (st == ST_OK)
        st = import_here(w, data_dir, tape, &err);
    tape_close(tape);
    return st == ST_OK ? EXIT_DONE : cmd_fail(st, &err, EXIT_FAILED);
}

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    struct words w = {.config = config, .map = BUF_INIT(4096)};

    (void)n_words;
    signal(SIGPIPE, SIG_IGN); /* git may end before we do */
    signal(SIGXFSZ, SIG_IGN);
    int code = import(&w, words[0]);
    buf_release(&w.map);
    return code;
}

const struct verb verb_import = {
    .name = "import",
    .bit = VERB_IMPORT,
    .summary = "Put history that you have onto the tape, with its own time.",
    .form = "geckotape import SOURCE [options]",
    .min_words = 1,
    .max_words = 1,
    .examples =
        "  geckotape import ~/collector/data/raw --time-zone Europe/Berlin\n"
        "      a folder of JSON files with the time in their names, plain, .gz or .zst\n"
        "  geckotape import ~/daily-crypto --path prices.json --name daily\n"
        "      a git repository: each commit of the file is a snapshot\n"
        "  geckotape import prices.csv --map Date=time --map Slug=id --vs eur --dry-run\n"
        "      CSV with a header, or lines of JSON: look first what would be imported\n"
        "  geckotape import prices.csv --map Date=time --map Slug=id --vs eur\n"
        "      again, after a crash or with more in it: what is on the tape is passed over\n",
    .run = run,
};
