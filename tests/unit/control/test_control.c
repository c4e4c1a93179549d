/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"

#include "base/clock.h"
#include "base/file.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char data[FILE_MAX_PATH];
static struct control *control;
static struct err err;
static atomic_int n_waiting;
static atomic_bool has_flooded;

static void nap(void)
{
    poll(NULL, 0, 5);
}

/* The verb says what to answer. */
static enum st handle(void *ctx, const struct control_request *r, struct control_reply *reply,
                      struct err *why)
{
    const char *verb = control_verb(r), *text = control_arg(r, "text");

    (void)ctx;
    if (strcmp(verb, "say") == 0) {
        control_say(reply, "%s", text ? text : "(none)");
        return ST_OK;
    }
    if (strcmp(verb, "work") == 0) {
        control_progress(reply, "1 of 2");
        control_say(reply, "half");
        control_progress(reply, "2 of\n2");
        return ST_OK;
    }
    if (strcmp(verb, "again") == 0)
        return err_set(why, ST_AGAIN, "later\nperhaps");
    if (strcmp(verb, "fail") == 0)
        return err_set(why, ST_FATAL, "never");
    if (strcmp(verb, "reject") == 0)
        return err_set(why, ST_REJECT, "not this");
    if (strcmp(verb, "wait") == 0) {
        atomic_fetch_add(&n_waiting, 1);
        while (control_is_open(reply))
            nap();
        atomic_fetch_sub(&n_waiting, 1);
        return err_set(why, ST_AGAIN, "stopped");
    }
    if (strcmp(verb, "flood") == 0) {
        static char line[64 * 1024];
        memset(line, 'x', sizeof(line) - 1);
        while (control_say(reply, "%s", line))
            ;
        atomic_store(&has_flooded, true);
        return ST_OK;
    }
    return err_set(why, ST_FATAL, "no such request: %s", verb);
}

static bool start_in(const char *dir)
{
    const struct control_setup setup = {.data_dir = dir, .handle = handle};
    return control_start(&setup, &control, &err) == ST_OK;
}

static bool start(void)
{
    snprintf(data, sizeof(data), "/tmp/geckotape-control-XXXXXX");
    return mkdtemp(data) != NULL && start_in(data);
}

static void end(void)
{
    control_stop(control);
    control = NULL;
    rmdir(data);
}

static void keep_line(void *ctx, struct str text)
{
    struct buf *lines = ctx;
    buf_add_str(lines, text);
    buf_add_char(lines, '|');
}

static struct buf lines = BUF_INIT(1024 * 1024);

static enum st ask(const char *verb, const char *text)
{
    struct buf request = BUF_INIT(CONTROL_MAX_REQUEST);

    buf_clear(&lines);
    control_put(&request, verb, NULL);
    if (text)
        control_put(&request, "text", text);
    enum st st = control_call(data, &request, keep_line, &lines, &err);
    buf_release(&request);
    return st;
}

/* A socket of our own, to misbehave with. */
static int raw(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/control.sock", data);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        abort();
    return fd;
}

/* Send bytes and read all there is until the server closes. */
static struct str talk(struct str bytes)
{
    int fd = raw();

    buf_clear(&lines);
    if (bytes.len > 0 && send(fd, bytes.p, bytes.len, MSG_NOSIGNAL) < 0 && errno != EPIPE)
        abort();
    for (;;) {
        ssize_t n = recv(fd, buf_room(&lines, 4096), 4096, 0);
        if (n <= 0)
            break;
        buf_added(&lines, (size_t)n);
    }
    close(fd);
    return buf_str(&lines);
}

static void a_request_is_answered_in_lines(void)
{
    CHECK(start());
    CHECK_OK(ask("say", "one\n.two\n..three\n\n."), err);
    CHECK_Z(buf_z(&lines), "one|.two|..three||.|");
    CHECK_OK(ask("say", NULL), err);
    CHECK_Z(buf_z(&lines), "(none)|");
    end();
}

static void keep_progress(void *ctx, struct str text)
{
    struct buf *all = ctx;
    buf_add_char(all, '<');
    buf_add_str(all, text);
    buf_add_char(all, '>');
}

static void progress_is_told_to_those_who_watch(void)
{
    const struct control_watch watch = {
        .ctx = &lines, .line = keep_line, .progress = keep_progress};
    struct buf request = BUF_INIT(100);

    CHECK(start());
    CHECK_OK(ask("work", NULL), err);
    CHECK_Z(buf_z(&lines), "half|");
    buf_clear(&lines);
    control_put(&request, "work", NULL);
    CHECK_OK(control_watch(data, &request, &watch, &err), err);
    CHECK_Z(buf_z(&lines), "<1 of 2>half|<2 of 2>");
    buf_release(&request);
    end();
}

static void every_byte_but_nul_comes_through(void)
{
    char text[256], want[300];
    size_t n = 0;

    for (int c = 1; c < 256; c++)
        if (c != '\n')
            text[n++] = (char)c;
    text[n] = '\0';
    CHECK(start());
    CHECK_OK(ask("say", text), err);
    snprintf(want, sizeof(want), "%s|", text);
    CHECK_Z(buf_z(&lines), want);
    end();
}

static void a_failure_comes_back_as_it_was(void)
{
    CHECK(start());
    CHECK_EQ(ask("again", NULL), ST_AGAIN);
    CHECK_Z(err.msg, "later perhaps");
    CHECK_EQ(ask("fail", NULL), ST_FATAL);
    CHECK_Z(err.msg, "never");
    CHECK_EQ(ask("reject", NULL), ST_FATAL);
    CHECK_EQ(ask("nonsense", NULL), ST_FATAL);
    CHECK_Z(err.msg, "no such request: nonsense");
    end();
}

static void nobody_there_is_told_apart(void)
{
    struct stat st;
    char path[FILE_MAX_PATH + 16];

    snprintf(data, sizeof(data), "/tmp/geckotape-control-none");
    CHECK_EQ(ask("say", NULL), ST_REJECT);
    CHECK_EQ(err.sys, ECONNREFUSED);
    CHECK(start());
    snprintf(path, sizeof(path), "%.80s/control.sock", data);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
    control_stop(control);
    CHECK(stat(path, &st) != 0);
    CHECK_EQ(ask("say", NULL), ST_REJECT);
    CHECK_EQ(err.sys, ECONNREFUSED);
    CHECK(start_in(data));
    end();
}

static void a_socket_of_before_is_replaced_and_no_other_file(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    CHECK(start());
    control_stop(control);
    snprintf(address.sun_path, sizeof(address.sun_path), "%.80s/control.sock", data);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    close(fd); /* the name stays, as after a kill */
    CHECK_EQ(ask("say", NULL), ST_REJECT);
    CHECK(start_in(data));
    CHECK_OK(ask("say", "x"), err);
    control_stop(control);
    fd = open(address.sun_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    close(fd);
    CHECK_EQ(ask("say", NULL), ST_REJECT);
    CHECK(!start_in(data));
    CHECK(strstr(err.msg, "control.sock: is no socket") != NULL);
    CHECK(unlink(address.sun_path) == 0);
    rmdir(data);
}

static void a_long_path_works(void)
{
    char top[64] = "/tmp/geckotape-control-XXXXXX", part[128];

    CHECK(mkdtemp(top) != NULL);
    memset(part, 'd', sizeof(part) - 1);
    part[sizeof(part) - 1] = '\0';
    snprintf(data, sizeof(data), "%s/%s", top, part);
    CHECK(mkdir(data, 0755) == 0);
    CHECK(start_in(data));
    CHECK_OK(ask("say", "far"), err);
    CHECK_Z(buf_z(&lines), "far|");
    end();
    CHECK_EQ(ask("say", NULL), ST_REJECT);
    CHECK(rmdir(top) == 0);
}

static void garbage_is_refused(void)
{
    static const char *const bad[] = {"\n",          " \n",      "say  x\n",       "say \n",
                                      "say %\n",     "say %4\n", "say text=%zz\n", "say text=%00\n",
                                      "say\ttext\n", "\x7F\n",   "say text=a\rb\n"};

    CHECK(start());
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_STR(talk(str_of(bad[i])),
                  ".\n.failed a request is words, percent-encoded, one space between\n");
    CHECK_STR(talk((struct str){"say\0x\n", 6}), ".\n.failed a request holds no NUL\n");
    CHECK_STR(talk(STR("say text=two\nsay text=three\n")), ".\ntwo\n.done\n");
    end();
}

static void a_request_has_its_bounds(void)
{
    static char huge[4 * CONTROL_MAX_REQUEST];
    struct buf words = BUF_INIT(CONTROL_MAX_REQUEST);

    CHECK(start());
    memset(huge, 'a', sizeof(huge));
    CHECK(strstr(talk((struct str){huge, sizeof(huge)}).p,
                 ".failed a request of more than 16384") != NULL);
    for (int i = 0; i < 65; i++)
        buf_add_z(&words, i > 0 ? " w" : "say");
    buf_add_char(&words, '\n');
    CHECK(strstr(talk(buf_str(&words)).p, ".failed a request is words") != NULL);
    buf_release(&words);
    huge[sizeof(huge) - 1] = '\0';
    CHECK_EQ(ask("say", huge), ST_FATAL); /* not even sent */
    CHECK_OK(ask("say", "still here"), err);
    end();
}

static void a_client_that_says_nothing_is_left_alone_and_hurts_nobody(void)
{
    int silent[3];

    CHECK(start());
    for (int i = 0; i < 3; i++)
        silent[i] = raw();
    CHECK(send(silent[1], "say", 3, MSG_NOSIGNAL) == 3);
    CHECK_OK(ask("say", "me"), err);
    for (int i = 0; i < 3; i++)
        close(silent[i]);
    end();
}

static void one_too_many_is_told_to_try_later(void)
{
    int fds[CONTROL_MAX_CLIENTS];

    CHECK(start());
    for (int i = 0; i < CONTROL_MAX_CLIENTS; i++) {
        fds[i] = raw();
        CHECK(send(fds[i], "wait\n", 5, MSG_NOSIGNAL) == 5);
    }
    while (atomic_load(&n_waiting) < CONTROL_MAX_CLIENTS)
        nap();
    CHECK_EQ(ask("say", NULL), ST_AGAIN);
    CHECK(strstr(err.msg, "too many") != NULL);
    for (int i = 0; i < CONTROL_MAX_CLIENTS; i++)
        close(fds[i]); /* they have gone: their work is given up */
    while (atomic_load(&n_waiting) > 0)
        nap();
    while (ask("say", NULL) == ST_AGAIN)
        nap();
    end();
}

static void who_never_reads_is_given_up(void)
{
    CHECK(start());
    int fd = raw();
    CHECK(send(fd, "flood\n", 6, MSG_NOSIGNAL) == 6);
    while (!atomic_load(&has_flooded))
        nap();
    CHECK_OK(ask("say", "others"), err);
    close(fd);
    end();
}

static void *ask_to_wait(void *arg)
{
    enum st *ret = arg;
    struct buf request = BUF_INIT(100), none = BUF_INIT(100);
    struct err why = ERR_INIT;

    control_put(&request, "wait", NULL);
    *ret = control_call(data, &request, keep_line, &none, &why);
    buf_release(&request);
    buf_release(&none);
    return NULL;
}

static void stop_ends_all_work_and_says_so(void)
{
    pthread_t threads[3];
    enum st sts[3] = {ST_OK, ST_OK, ST_OK};

    CHECK(start());
    int silent = raw();
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, ask_to_wait, &sts[i]) == 0);
    while (atomic_load(&n_waiting) < 3)
        nap();
    end();
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        CHECK_EQ(sts[i], ST_AGAIN);
    }
    close(silent);
    CHECK_EQ(atomic_load(&n_waiting), 0);
    buf_release(&lines);
}

TAP_MAIN(TAP_CASE(a_request_is_answered_in_lines), TAP_CASE(progress_is_told_to_those_who_watch),
         TAP_CASE(every_byte_but_nul_comes_through), TAP_CASE(a_failure_comes_back_as_it_was),
         TAP_CASE(nobody_there_is_told_apart),
         TAP_CASE(a_socket_of_before_is_replaced_and_no_other_file), TAP_CASE(a_long_path_works),
         TAP_CASE(garbage_is_refused), TAP_CASE(a_request_has_its_bounds),
         TAP_CASE(a_client_that_says_nothing_is_left_alone_and_hurts_nobody),
         TAP_CASE(one_too_many_is_told_to_try_later), TAP_CASE(who_never_reads_is_given_up),
         TAP_CASE(stop_ends_all_work_and_says_so))
