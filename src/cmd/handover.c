/* Verbs reach the process that holds the data directory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include "base/file.h"
#include "control/control.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define TRIES  20 /* a holder that starts has its lock a moment before its socket */
#define NAP_MS 100

struct screen {
    bool is_terminal; /* stderr */
    bool has_progress;
};

static void wipe(struct screen *screen)
{
    if (screen->has_progress)
        fputs("\r\033[K", stderr);
    screen->has_progress = false;
}

static void print_progress(void *ctx, struct str text)
{
    struct screen *screen = ctx;

    if (!screen->is_terminal)
        return;
    fprintf(stderr, "\r\033[K%.*s", STR_ARG(text));
    screen->has_progress = true;
}

static void print_line(void *ctx, struct str text)
{
    wipe(ctx);
    fwrite(text.p, 1, text.len, stdout);
    putchar('\n');
    fflush(stdout);
}

/* Who holds it? False: nobody. */
static bool is_held(const char *data_dir, pid_t *ret_holder)
{
    char path[FILE_MAX_PATH];
    struct err err = ERR_INIT;

    return file_path(path, &err, "%s/lock", data_dir) == ST_OK && file_is_locked(path, ret_holder);
}

static enum st name_holder(const char *data_dir, pid_t holder, struct err *err)
{
    if (holder == 0)
        return err_set(err, ST_AGAIN,
                       "%s: another geckotape writes here and takes no requests; try again when it "
                       "has stopped",
                       data_dir);
    return err_set(err, ST_AGAIN,
                   "%s: process %ld writes here and takes no requests; try again when it has "
                   "stopped",
                   data_dir, (long)holder);
}

bool cmd_hand_over(const char *data_dir, const struct buf *request, int *ret_code)
{
    struct screen screen = {.is_terminal = isatty(STDERR_FILENO) == 1};
    const struct control_watch watch = {
        .ctx = &screen, .line = print_line, .progress = print_progress};
    struct err err = ERR_INIT;
    enum st st = ST_OK;
    pid_t holder = 0;

    for (int try = 0; try < TRIES; try++) {
        st = control_watch(data_dir, request, &watch, &err);
        wipe(&screen);
        if (st != ST_REJECT || err.sys != ECONNREFUSED)
            break;
        if (!is_held(data_dir, &holder))
            return false;
        st = name_holder(data_dir, holder, &err);
        nanosleep(&(struct timespec){.tv_nsec = NAP_MS * 1000000L}, NULL);
    }
    *ret_code = st == ST_OK ? EXIT_DONE : cmd_fail(st, &err, EXIT_FAILED);
    return true;
}
