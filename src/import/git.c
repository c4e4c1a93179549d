/* A git repository whose commits are snapshots of one file: `git rev-list` tells when, `git
 * cat-file` what.
 *
 * The repository is not trusted: only these two plumbing commands run, which know no hooks, pagers,
 * filters, aliases or signatures; nothing is fetched; replaced objects are not followed. Git itself
 * refuses a repository that another user owns.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "import/source.h"

#include "base/mem.h"
#include "tape/record.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_HASH     64   /* hex digits: SHA-256 */
#define MAX_ANSWER   4096 /* bytes of a line that git prints */
#define READ_AT_ONCE ((size_t)64 * 1024)
#define WAIT_MS      200 /* how soon a wish to stop is seen */

struct git {
    pid_t pid;           /* 0: not running */
    int in, out, errors; /* its ends of pipes; -1 */
    struct buf pending;  /* read from `out`, not used yet */
    size_t used;         /* bytes of it that are */
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* ---- the program ---- */

static enum st make_pipes(int in[2], int out[2], int errors[2], struct err *err)
{
    in[0] = in[1] = out[0] = out[1] = errors[0] = errors[1] = -1;
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0)
        return err_sys(err, ST_AGAIN, errno, "a pipe to git");
    /* what it says of errors beyond what a pipe holds is of no use, and must not stop it */
    fcntl(errors[0], F_SETFL, O_NONBLOCK);
    fcntl(errors[1], F_SETFL, O_NONBLOCK);
    return ST_OK;
}

/* The child gets these variables and no other: no GIT_DIR and the like of ours. HOME is there for
 * the user's own safe.directory. */
static void make_environment(char home[FILE_MAX_PATH], char path[4096], char *ret_env[12])
{
    static char fixed[][40] = {"GIT_CONFIG_NOSYSTEM=1",    "GIT_TERMINAL_PROMPT=0",
                               "GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1",
                               "GIT_ALLOW_PROTOCOL=none",  "GIT_LITERAL_PATHSPECS=1",
                               "GIT_OPTIONAL_LOCKS=0",     "LC_ALL=C"};
    const char *our_home = getenv("HOME"), *our_path = getenv("PATH");
    size_t n = 0;

    for (; n < sizeof(fixed) / sizeof(fixed[0]); n++)
        ret_env[n] = fixed[n];
    snprintf(home, FILE_MAX_PATH, "HOME=%s", our_home ? our_home : "/nonexistent");
    snprintf(path, 4096, "PATH=%s", our_path ? our_path : "/usr/local/bin:/usr/bin:/bin");
    ret_env[n++] = home;
    ret_env[n++] = path;
    ret_env[n] = NULL;
}

static int spawn(char *const *args, const int in[2], const int out[2], const int errors[2],
                 pid_t *ret_pid)
{
    char home[FILE_MAX_PATH], path[4096], *env[12];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, usual;

    make_environment(home, path, env);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, errors[1], STDERR_FILENO);
    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE); /* so that it ends when we do */
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &usual);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawnp(ret_pid, "git", &actions, &attr, args, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* Start `git -C <source> <args>`. */
static enum st start(struct git *g, char *const *args, struct err *err)
{
    int in[2], out[2], errors[2];

    enum st st = make_pipes(in, out, errors, err);
    if (st == ST_OK) {
        int rc = spawn(args, in, out, errors, &g->pid);
        if (rc == ENOENT)
            st = err_set(err, ST_REJECT,
                         "git: there is no such program; install it (apt install "
                         "git)");
        else if (rc != 0)
            st = err_sys(err, ST_AGAIN, rc, "git");
    }
    close_fd(&in[0]);
    close_fd(&out[1]);
    close_fd(&errors[1]);
    g->in = in[1];
    g->out = out[0];
    g->errors = errors[0];
    if (st != ST_OK)
        g->pid = 0;
    return st;
}

/* Let it go, and tell how it ended. */
static int finish(struct git *g, bool has_time)
{
    int status = -1;

    close_fd(&g->in);
    close_fd(&g->out);
    if (g->pid > 0 && !has_time)
        kill(g->pid, SIGKILL);
    while (g->pid > 0 && waitpid(g->pid, &status, 0) < 0 && errno == EINTR)
        ;
    g->pid = 0;
    close_fd(&g->errors);
    buf_clear(&g->pending);
    g->used = 0;
    return status;
}

/* What git itself said, as the cause. */
static enum st failed(struct git *g, const struct source *s, const char *what, struct err *err)
{
    struct buf shown = BUF_INIT(1024);
    char text[1024];
    ssize_t n = g->errors >= 0 ? read(g->errors, text, sizeof(text)) : 0;

    buf_add_clean(&shown, (struct str){text, n > 0 ? (size_t)n : 0}, 300);
    enum st st = err_set(err, ST_REJECT, "%.120s: git %s: %s", s->setup->source, what,
                         shown.len > 0 ? buf_z(&shown) : "ended without a word");
    buf_release(&shown);
    return st;
}

/* Wait for more of what it prints. *ret_n 0: it has ended. */
static enum st fill(struct git *g, struct source *s, size_t want, size_t *ret_n, struct err *err)
{
    struct pollfd pfd = {.fd = g->out, .events = POLLIN};
    int rc;

    if (g->used > 0 && g->pending.len > g->used)
        memmove(g->pending.p, g->pending.p + g->used, g->pending.len - g->used);
    g->pending.len -= g->used;
    g->used = 0;
    while ((rc = poll(&pfd, 1, WAIT_MS)) == 0 || (rc < 0 && errno == EINTR))
        if (!source_go_on(s, s->n_items, 0, "git"))
            return source_stopped(s, err);
    char *room = rc < 0 ? NULL : buf_room(&g->pending, want);
    if (room == NULL)
        return err_set(err, ST_AGAIN, "git: no memory for what it prints");
    ssize_t n = read(g->out, room, want);
    if (n < 0 && errno != EINTR)
        return err_sys(err, ST_AGAIN, errno, "git: read");
    if (n > 0)
        buf_added(&g->pending, (size_t)n);
    *ret_n = n > 0 ? (size_t)n : n < 0 ? 1 : 0;
    return ST_OK;
}

/* The next line it prints; *ret_has false at the end. Borrowed until the next call. */
static enum st read_line(struct git *g, struct source *s, struct str *ret_line, bool *ret_has,
                         struct err *err)
{
    size_t n = 1;

    for (;;) {
        struct str rest = {g->pending.p + g->used, g->pending.len - g->used};
        const char *end = rest.len > 0 ? memchr(rest.p, '\n', rest.len) : NULL;
        if (end || n == 0) {
            *ret_has = end != NULL;
            *ret_line = (struct str){rest.p, end ? (size_t)(end - rest.p) : 0};
            g->used += end ? ret_line->len + 1 : rest.len;
            return ST_OK;
        }
        if (rest.len > MAX_ANSWER)
            return err_set(err, ST_REJECT, "git: prints a line of more than %d bytes", MAX_ANSWER);
        enum st st = fill(g, s, READ_AT_ONCE, &n, err);
        if (st != ST_OK)
            return st;
    }
}

/* ---- when ---- */

/* "<seconds> <hash>" */
static enum st add_commit(struct source *s, struct str line, uint64_t order, struct err *err)
{
    struct item item = {.order = order, .page = 1};
    char hash[MAX_HASH + 1];
    struct str seconds;
    int64_t s_1970;

    if (!str_cut(&line, ' ', &seconds) || line.len > MAX_HASH || line.len < 40 ||
        !str_to_i64(seconds, INT64_MIN / US_PER_S, INT64_MAX / US_PER_S, &s_1970))
        return err_set(err, ST_REJECT, "git rev-list: \"%.80s\" is not a time and a commit",
                       seconds.p);
    memcpy(hash, line.p, line.len);
    hash[line.len] = '\0';
    item.name = hash;
    item.time_us = s_1970 * US_PER_S;
    return source_add(s, &item, line, err);
}

static char *argument(const char *s)
{
    union {
        const char *in;
        char *out; /* posix_spawn() does not write there */
    } cast = {.in = s};
    return cast.out;
}

static enum st read_commits(struct source *s, struct git *g, struct err *err)
{
    struct str line;
    bool has_line;
    enum st st;

    for (uint64_t n = 0; (st = read_line(g, s, &line, &has_line, err)) == ST_OK && has_line; n++) {
        if (n % 1024 == 0 && !source_go_on(s, n, 0, "git"))
            return source_stopped(s, err);
        st = add_commit(s, line, n, err);
        if (st != ST_OK)
            return st;
    }
    return st;
}

static enum st start_reading(struct source *s, struct git *g, struct err *err)
{
    char *const args[] = {argument("git"),      argument("-C"),      argument(s->setup->source),
                          argument("cat-file"), argument("--batch"), NULL};
    return start(g, args, err);
}

static enum st check_path(const struct source *s, struct err *err)
{
    struct str path = str_of(s->setup->in_path);

    if (path.len == 0)
        return err_set(err, ST_REJECT,
                       "%.200s: a git repository; --path FILE imports that file's history, --as "
                       "folder the files beside it",
                       s->setup->source);
    if (path.len >= FILE_MAX_PATH || memchr(path.p, '\n', path.len) || path.p[0] == '/' ||
        str_starts(path, STR("./")) || str_starts(path, STR("../")))
        return err_set(err, ST_REJECT,
                       "--path: \"%.100s\" is not a file of a repository; write it as git ls-files "
                       "does, from its top",
                       path.p);
    return ST_OK;
}

static enum st list(struct source *s, struct err *err)
{
    struct git *g = mem_new(1, sizeof(*g));
    char *const args[] = {argument("git"),
                          argument("-C"),
                          argument(s->setup->source),
                          argument("rev-list"),
                          argument("--timestamp"),
                          argument("HEAD"),
                          argument("--"),
                          argument(s->setup->in_path),
                          NULL};

    s->state = g;
    g->in = g->out = g->errors = -1;
    buf_init(&g->pending, TAPE_MAX_BODY + MAX_ANSWER + 2 * READ_AT_ONCE);
    enum st st = check_path(s, err);
    if (st == ST_OK && buf_room(&g->pending, READ_AT_ONCE) == NULL)
        st = err_set(err, ST_AGAIN, "git: no memory for what it prints");
    if (st == ST_OK)
        st = start(g, args, err);
    if (st != ST_OK)
        return st;
    close_fd(&g->in);
    st = read_commits(s, g, err);
    struct err said = ERR_INIT;
    enum st bad = failed(g, s, "rev-list", &said); /* in case it has */
    if (finish(g, st == ST_OK) != 0 && st == ST_OK)
        return err_set(err, bad, "%s", said.msg);
    if (st == ST_OK && s->n_items == 0 && s->result->n_skipped[IMPORT_BAD_TIME] == 0)
        return err_set(err, ST_REJECT,
                       "%.200s: no commit has %.200s; --path names it as git ls-files does",
                       s->setup->source, s->setup->in_path);
    return st == ST_OK ? start_reading(s, g, err) : st;
}

/* ---- what ---- */

static enum st ask(const struct source *s, struct git *g, const char *commit, struct err *err)
{
    char question[MAX_HASH + FILE_MAX_PATH + 8];
    int n = snprintf(question, sizeof(question), "%s:%s\n", commit, s->setup->in_path);

    return file_write_all(g->in, question, (size_t)n, "to git", err);
}

/* Read the object's bytes and the newline behind them; beyond what a tape holds they are passed
 * over. */
static enum st read_object(struct source *s, struct git *g, uint64_t size, bool keep,
                           struct err *err)
{
    enum st st = ST_OK;
    uint64_t left = size + 1;
    size_t n = 0;

    buf_clear(&s->raw);
    while (left > 0) {
        if (g->pending.len == g->used) {
            st = fill(g, s, READ_AT_ONCE, &n, err);
            if (st != ST_OK)
                return st;
            if (n == 0)
                return failed(g, s, "cat-file", err);
        }
        size_t part = g->pending.len - g->used;
        if (part > left)
            part = (size_t)left;
        if (keep)
            buf_add(&s->raw, g->pending.p + g->used, part);
        g->used += part;
        left -= part;
    }
    if (keep && s->raw.is_overflow)
        return err_set(err, ST_AGAIN, "git: no memory for %llu bytes", (unsigned long long)size);
    if (keep)
        s->raw.len--; /* the newline */
    return ST_OK;
}

/* "<hash> <type> <size>", or "<what was asked for> missing". */
static bool is_object(struct str line, struct str *ret_type, int64_t *ret_size)
{
    struct str hash;

    return str_cut(&line, ' ', &hash) && str_cut(&line, ' ', ret_type) &&
           str_to_i64(line, 0, INT64_MAX - 1, ret_size);
}

static enum st read_commit(struct source *s, const struct item *item, struct err *err)
{
    struct str shown = str_of(item->name), line, type, body;
    struct git *g = s->state;
    struct err why = ERR_INIT;
    int64_t size;
    bool has_line;

    enum st st = ask(s, g, item->name, err);
    if (st == ST_OK)
        st = read_line(g, s, &line, &has_line, err);
    if (st == ST_OK && !has_line)
        return failed(g, s, "cat-file", err);
    if (st != ST_OK)
        return st;
    if (!is_object(line, &type, &size)) {
        source_skip(s, IMPORT_UNREADABLE, shown, "%s is not in this commit", s->setup->in_path);
        return ST_OK;
    }
    bool is_file = str_eq(type, STR("blob")), fits = size <= (int64_t)TAPE_MAX_BODY;
    st = read_object(s, g, (uint64_t)size, is_file && fits, err);
    if (st != ST_OK)
        return st;
    if (!is_file || !fits) {
        source_skip(s, fits ? IMPORT_UNREADABLE : IMPORT_TOO_LARGE, shown,
                    is_file ? "%s has more bytes than a tape holds" : "%s is not a file there",
                    s->setup->in_path);
        return ST_OK;
    }
    st = source_unpack(s, &body, &why);
    if (st == ST_AGAIN)
        return err_set(err, ST_AGAIN, "%s", why.msg);
    if (st != ST_OK) {
        source_skip(s, why.sys == EFBIG ? IMPORT_TOO_LARGE : IMPORT_UNREADABLE, shown, "%s",
                    why.msg);
        return ST_OK;
    }
    return source_page(s, 1, true, shown, body, err);
}

static enum st read_poll(struct source *s, const struct item *items, size_t n, struct err *err)
{
    enum st st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < n; i++)
        if (s->n_taken > 0)
            source_skip(s, IMPORT_SAME_TIME, str_of(items[i].name),
                        "another commit of the same second came first");
        else
            st = read_commit(s, &items[i], err);
    return st;
}

static void close_git(struct source *s)
{
    struct git *g = s->state;

    if (g == NULL)
        return;
    finish(g, false);
    buf_release(&g->pending);
    mem_free(g);
}

const struct source_kind source_git = {
    .name = "git", .list = list, .read = read_poll, .close = close_git};
