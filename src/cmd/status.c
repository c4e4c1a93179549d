/* geckotape status: one screen of state, from the running process or from the disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cmd/history.h"
#include "cmd/stopped.h"
#include "control/control.h"
#include "serve/health.h"
#include "status/ready.h"
#include "status/render.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define MAX_TEXT    ((size_t)4 * 1024 * 1024)
#define PATIENCE_US (2 * US_PER_S)         /* with a process that says: try again */
#define CLEAR       "\x1b[?1049h\x1b[?25l" /* another screen, no cursor */
#define RESTORE     "\x1b[?25h\x1b[?1049l"

/* One look at the state. */
struct look {
    const struct config *config;
    const char *data_dir;
    struct buf text;    /* the screen or the JSON */
    struct buf reasons; /* why not ready, a line each */
    bool is_running, is_ready;
    bool is_held;      /* not running, but a process has the directory and takes no requests … */
    pid_t holder;      /* … this one; 0: not known */
    int width, height; /* of the terminal; height 0: it is none */
    bool has_color;
};

/* ---- asking the process ---- */

static void add_line(void *ctx, struct str line)
{
    buf_add_str(ctx, line);
    buf_add_char(ctx, '\n');
}

static enum st ask(struct look *l, bool is_json, struct buf *ret_text, struct err *err)
{
    struct buf request = BUF_INIT(CONTROL_MAX_REQUEST);
    char width[16];

    snprintf(width, sizeof(width), "%d", l->width);
    control_put(&request, "status", NULL);
    if (is_json)
        control_put(&request, "json", "1");
    else
        control_put(&request, "width", width);
    if (!is_json && l->has_color)
        control_put(&request, "color", "1");
    buf_clear(ret_text);
    enum st st = control_call(l->data_dir, &request, add_line, ret_text, err);
    if (st == ST_OK)
        st = buf_check(ret_text, "the answer of the process", err);
    buf_release(&request);
    return st;
}

/* "ready" and "reasons" of the whole object. */
static enum st walk_state(struct json *json, struct look *l, struct err *err)
{
    struct json_token token;
    enum st st;

    while ((st = json_next(json, &token, err)) == ST_OK && token.event != JSON_DONE) {
        if (token.event != JSON_KEY)
            continue;
        const bool is_ready = str_eq(token.text, STR("ready"));
        const bool is_reasons = str_eq(token.text, STR("reasons"));
        st = json_next(json, &token, err);
        if (st == ST_OK && is_ready)
            l->is_ready = token.event == JSON_TRUE;
        if (st == ST_OK && is_reasons && token.event == JSON_ARRAY_BEGIN)
            while ((st = json_next(json, &token, err)) == ST_OK && token.event == JSON_STRING)
                add_line(&l->reasons, token.text);
        else if (st == ST_OK)
            st = json_skip(json, &token, NULL, err);
        if (st != ST_OK)
            return st;
    }
    return st;
}

static enum st read_state(struct look *l, struct str text, struct err *err)
{
    struct json *json = json_new();
    struct arena arena;

    arena_init(&arena, 2 * MAX_TEXT);
    struct str padded = json_pad(&arena, text);
    enum st st = padded.p ? json_open(json, padded, &arena, err)
                          : err_set(err, ST_AGAIN, "no memory for the answer");
    if (st == ST_OK)
        st = walk_state(json, l, err);
    arena_release(&arena);
    json_free(json);
    return st == ST_OK ? st : err_wrap(err, ST_FATAL, "the process answers nonsense: ");
}

/* ST_REJECT: nobody runs. */
static enum st look_at_process(struct look *l, bool needs_text, struct err *err)
{
    struct buf json = BUF_INIT(MAX_TEXT);

    enum st st = ask(l, true, &json, err);
    if (st == ST_REJECT && err->sys != ECONNREFUSED)
        st = ST_FATAL;
    if (st == ST_OK)
        st = read_state(l, buf_str(&json), err);
    if (st == ST_OK && needs_text && l->config->is_json)
        buf_add_str(&l->text, buf_str(&json));
    else if (st == ST_OK && needs_text)
        st = ask(l, false, &l->text, err);
    l->is_running = st == ST_OK;
    buf_release(&json);
    return st;
}

/* ---- reading the disk ---- */

/* A process that has the directory and takes no requests: one that starts, or `once`. */
static void look_at_lock(struct look *l)
{
    char path[FILE_MAX_PATH];
    struct err err = ERR_INIT;

    l->is_held =
        file_path(path, &err, "%s/lock", l->data_dir) == ST_OK && file_is_locked(path, &l->holder);
}

static enum st look_at_disk(struct look *l, bool needs_text, struct err *err)
{
    struct status_snapshot *s = mem_new(1, sizeof(*s));
    const int64_t now_us = clock_wall_us(clock_system());

    look_at_lock(l);
    enum st st = stopped_read(l->config, l->data_dir, s, err);
    if (st == ST_OK)
        l->is_ready = ready_add_reasons(&l->reasons, s, now_us);
    if (st == ST_OK && needs_text && l->config->is_json)
        health_add_status(&l->text, s, now_us);
    else if (st == ST_OK && needs_text)
        status_render(&l->text, s, now_us, l->width, l->has_color);
    mem_free(s);
    return st;
}

static void look_init(struct look *l, const struct config *config)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    struct winsize size;

    *l = (struct look){.config = config,
                       .data_dir = cmd_data_dir(config),
                       .text = BUF_INIT(MAX_TEXT),
                       .reasons = BUF_INIT(MAX_TEXT),
                       .width = STATUS_WIDTH};
    if (isatty(STDOUT_FILENO) != 1)
        return;
    l->has_color = !(no_color && no_color[0]) && !(term && strcmp(term, "dumb") == 0);
    l->height = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        l->width = size.ws_col;
        l->height = size.ws_row;
    }
}

static void look_release(struct look *l)
{
    buf_release(&l->text);
    buf_release(&l->reasons);
}

static enum st look(struct look *l, bool needs_text, struct err *err)
{
    enum st st = look_at_process(l, needs_text, err);

    return st == ST_REJECT ? look_at_disk(l, needs_text, err) : st;
}

/* ---- showing ---- */

static enum st write_out(struct str text, struct err *err)
{
    if (fwrite(text.p, 1, text.len, stdout) == text.len && fflush(stdout) == 0)
        return ST_OK;
    return err_set(err, ST_FATAL, "cannot write the output");
}

/* "ready", "not ready: the first reason (and 2 more)". */
static void add_verdict(struct buf *b, const struct look *l)
{
    struct str rest = buf_str(&l->reasons), first, line;
    size_t n = 0;

    if (l->is_ready) {
        buf_add_z(b, "ready\n");
        return;
    }
    str_cut(&rest, '\n', &first);
    while (rest.len > 0) {
        str_cut(&rest, '\n', &line);
        n++;
    }
    if (l->is_held) {
        buf_addf(b, "not ready: process %ld writes to %s and takes no requests\n", (long)l->holder,
                 l->data_dir);
        return;
    }
    buf_add_z(b, l->is_running ? "not ready: " : "not running: ");
    buf_add_clean(b, first, 800);
    if (n > 0)
        buf_addf(b, " (and %zu more)", n);
    buf_add_char(b, '\n');
}

/* A process that is busy with others, or just starts or stops, is asked again for a while. */
static enum st look_patiently(struct look *l, bool needs_text, struct err *err)
{
    const struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};
    const int64_t until_us = clock_mono_us(clock_system()) + PATIENCE_US;
    enum st st = look(l, needs_text, err);

    while (st == ST_AGAIN && clock_mono_us(clock_system()) < until_us) {
        nanosleep(&pause, NULL);
        buf_clear(&l->text);
        buf_clear(&l->reasons);
        st = look(l, needs_text, err);
    }
    return st;
}

static int show_once(const struct config *config)
{
    struct err err = ERR_INIT;
    struct look l;

    look_init(&l, config);
    enum st st = look_patiently(&l, !config->is_healthcheck, &err);
    if (st == ST_OK && config->is_healthcheck)
        add_verdict(&l.text, &l);
    else if (st == ST_OK && !config->is_json)
        history_add(&l.text, config, l.data_dir, clock_wall_us(clock_system()));
    if (st == ST_OK)
        st = write_out(buf_str(&l.text), &err);
    if (st == ST_OK && l.is_held && !config->is_healthcheck)
        fprintf(stderr,
                "geckotape: %s: process %ld writes here and takes no requests; this is what the "
                "disk says\n",
                l.data_dir, (long)l.holder);
    const bool is_ready = st == ST_OK && l.is_running && l.is_ready;
    look_release(&l);
    if (st != ST_OK)
        cmd_fail(st, &err, EXIT_FAILED);
    return is_ready ? EXIT_DONE : EXIT_FAILED;
}

/* ---- watching ---- */

/* The lines that fit, each erased to its end first, and what was below. */
static void frame(const struct look *l, struct buf *b)
{
    struct str rest = buf_str(&l->text), line;

    buf_add_z(b, "\x1b[H");
    for (int row = 1; row < l->height && rest.len > 0; row++) {
        str_cut(&rest, '\n', &line);
        buf_add_str(b, line);
        buf_add_z(b, "\x1b[K\r\n");
    }
    buf_add_z(b, "\x1b[J");
}

static enum st draw(const struct config *config, bool is_screen, struct err *err)
{
    struct buf out = BUF_INIT(2 * MAX_TEXT);
    char now[TIME_TEXT];
    struct look l;

    look_init(&l, config);
    enum st st = look(&l, is_screen || config->is_json, err);
    if (st != ST_OK && st != ST_AGAIN) {
        look_release(&l);
        return st;
    }
    if (st == ST_AGAIN) { /* it is just starting or stopping: the next second may tell */
        buf_clear(&l.text);
        buf_addf(&l.text, "%s\n", err->msg);
        buf_addf(&l.reasons, "%s\n", err->msg);
    }
    if (is_screen) {
        frame(&l, &out);
    } else if (config->is_json) {
        buf_add_str(&out, st == ST_OK ? buf_str(&l.text) : STR(""));
    } else {
        time_format(time_floor(clock_wall_us(clock_system()), US_PER_S), now);
        buf_addf(&out, "%s ", now);
        add_verdict(&out, &l);
    }
    look_release(&l);
    st = write_out(buf_str(&out), err);
    buf_release(&out);
    return st;
}

static int watch(const struct config *config)
{
    const bool is_screen = isatty(STDOUT_FILENO) == 1 && !config->is_json;
    const struct timespec second = {.tv_sec = 1};
    struct err err = ERR_INIT;
    enum st st = ST_OK;
    sigset_t set;
    int sig = -1;

    cmd_block_signals();
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGWINCH);
    sigprocmask(SIG_BLOCK, &set, NULL);
    if (is_screen)
        st = write_out(STR(CLEAR), &err);
    while (st == ST_OK && (sig < 0 || sig == SIGWINCH)) {
        st = draw(config, is_screen, &err);
        if (st == ST_OK)
            sig = sigtimedwait(&set, NULL, &second);
    }
    if (is_screen)
        err_ignore(write_out(STR(RESTORE), &err));
    return st == ST_OK ? EXIT_DONE : cmd_fail(st, &err, EXIT_FAILED);
}

static int run(const struct config *config, const char *const *words, size_t n_words)
{
    (void)words, (void)n_words;
    if (config->is_healthcheck && (config->is_watching || config->is_json)) {
        fprintf(stderr, "geckotape: --healthcheck: prints its one line once; leave out --watch and "
                        "--json\n");
        return EXIT_USAGE;
    }
    return config->is_watching ? watch(config) : show_once(config);
}

const struct verb verb_status = {
    .name = "status",
    .bit = VERB_STATUS,
    .summary = "Show how it is: jobs, sinks, tape, gaps.",
    .form = "geckotape status [options]",
    .examples = "  geckotape status\n"
                "      one screen, from the process that runs on ./data, else from the disk\n"
                "  geckotape status --watch --data /var/lib/geckotape\n"
                "      the same, again every second\n"
                "  geckotape status --json | jq '.jobs[].last_outcome'\n"
                "      for programs: as /api/status\n"
                "  geckotape status --healthcheck\n"
                "      for containers: one line\n"
                "\n"
                "Exit codes: 0 it runs and is ready, 1 it does not run, is not ready or cannot be "
                "asked.\n"
                "With --watch: 0 after Ctrl-C.\n",
    .run = run,
};
