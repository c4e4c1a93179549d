/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];
static struct err err;

static const char *in_dir(const char *name)
{
    static char paths[4][FILE_MAX_PATH];
    static unsigned n;

    if (dir[0] == '\0') {
        snprintf(dir, sizeof(dir), "/tmp/geckotape-file-XXXXXX");
        if (mkdtemp(dir) == NULL)
            abort();
    }
    snprintf(paths[++n % 4], sizeof(paths[0]), "%s/%s", dir, name);
    return paths[n % 4];
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void a_replaced_file_holds_the_new_bytes(void)
{
    const char *path = in_dir("replaced");
    struct buf b = BUF_INIT(100);

    CHECK_OK(file_replace(path, STR("old"), &err), err);
    CHECK_OK(file_replace(path, STR("new\0er"), &err), err);
    CHECK_OK(file_read(path, &b, &err), err);
    CHECK(str_eq(buf_str(&b), STR("new\0er")));
    CHECK_OK(file_replace(path, STR_NONE, &err), err);
    buf_clear(&b);
    CHECK_OK(file_read(path, &b, &err), err);
    CHECK_EQ(b.len, 0);
    CHECK(access(in_dir("replaced.tmp"), F_OK) != 0);
    buf_release(&b);
}

static void a_file_that_cannot_be_replaced_stays_as_it_was(void)
{
    struct buf b = BUF_INIT(100);

    CHECK_OK(file_replace(in_dir("kept"), STR("old"), &err), err);
    CHECK_EQ(mkdir(in_dir("kept.tmp"), 0755), 0);
    CHECK_EQ(file_replace(in_dir("kept"), STR("new"), &err), ST_FATAL);
    CHECK(strstr(err.msg, "kept.tmp"));
    CHECK_OK(file_read(in_dir("kept"), &b, &err), err);
    CHECK_STR(buf_str(&b), "old");
    buf_release(&b);
}

static void directories_are_made_with_their_parents(void)
{
    struct stat st;

    CHECK_OK(file_mkdirs(in_dir("a/b//c/"), &err), err);
    CHECK_OK(file_mkdirs(in_dir("a/b/c"), &err), err);
    CHECK_EQ(stat(in_dir("a/b/c"), &st), 0);
    CHECK(S_ISDIR(st.st_mode));
    CHECK_OK(file_replace(in_dir("a/file"), STR("x"), &err), err);
    CHECK_EQ(file_mkdirs(in_dir("a/file"), &err), ST_FATAL);
    CHECK(strstr(err.msg, "a directory is needed"));
    CHECK_EQ(file_mkdirs(in_dir("a/file/b"), &err), ST_FATAL);
    CHECK_EQ(file_mkdirs("/proc/none/of/this", &err), ST_FATAL);
    CHECK_OK(file_mkdirs("/", &err), err);
}

static void reading_says_what_is_wrong(void)
{
    struct buf b = BUF_INIT(10);

    CHECK_EQ(file_read(in_dir("none"), &b, &err), ST_REJECT);
    CHECK_EQ(err.sys, ENOENT);
    CHECK_OK(file_replace(in_dir("ten"), STR("0123456789"), &err), err);
    CHECK_OK(file_read(in_dir("ten"), &b, &err), err);
    CHECK_STR(buf_str(&b), "0123456789");
    buf_clear(&b);
    CHECK_OK(file_replace(in_dir("ten"), STR("0123456789a"), &err), err);
    CHECK_EQ(file_read(in_dir("ten"), &b, &err), ST_REJECT);
    CHECK(strstr(err.msg, "more than 10 bytes"));
    buf_release(&b);
    CHECK_EQ(file_read(dir, &b, &err), ST_AGAIN);
    buf_release(&b);
}

/* What a shell's <(...) is: the writer is slow, and has gone before all of it is read. */
static void a_pipe_is_read_to_its_end(void)
{
    static char bytes[100000];
    const char *path = in_dir("pipe");
    struct buf b = BUF_INIT(sizeof(bytes));

    memset(bytes, 'x', sizeof(bytes));
    CHECK_EQ(mkfifo(path, 0600), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(path, O_WRONLY);
        usleep(50000);
        enum st st = file_write_all(fd, bytes, 10, path, &err);
        usleep(50000);
        if (st == ST_OK)
            st = file_write_all(fd, bytes, sizeof(bytes) - 10, path, &err);
        _exit(st != ST_OK);
    }
    CHECK_OK(file_read(path, &b, &err), err);
    CHECK_EQ(b.len, sizeof(bytes));
    waitpid(child, NULL, 0);
    buf_clear(&b);
    CHECK_OK(file_read("/dev/null", &b, &err), err);
    CHECK_EQ(b.len, 0);
    CHECK_EQ(file_read("/dev/zero", &b, &err), ST_REJECT);
    buf_release(&b);
}

static void reading_at_a_place_is_exact(void)
{
    char bytes[4] = "";

    CHECK_OK(file_replace(in_dir("at"), STR("0123456789"), &err), err);
    int fd = open(in_dir("at"), O_RDONLY);
    CHECK_OK(file_read_at(fd, bytes, 3, 7, "at", &err), err);
    CHECK_STR(((struct str){bytes, 3}), "789");
    CHECK_EQ(file_read_at(fd, bytes, 3, 8, "at", &err), ST_REJECT);
    CHECK_Z(err.msg, "at: ends at byte 10");
    CHECK_OK(file_read_at(fd, bytes, 0, 99, "at", &err), err);
    close(fd);
    CHECK_EQ(file_read_at(fd, bytes, 1, 0, "at", &err), ST_AGAIN);
    CHECK_EQ(err.sys, EBADF);
}

static void a_write_that_fails_may_be_tried_again(void)
{
    int fd = open("/dev/full", O_WRONLY);

    if (fd < 0)
        SKIP("no /dev/full here");
    CHECK_EQ(file_write_all(fd, "x", 1, "full", &err), ST_AGAIN);
    CHECK_EQ(err.sys, ENOSPC);
    CHECK_OK(file_write_all(fd, NULL, 0, "full", &err), err);
    close(fd);
}

static void a_path_that_is_too_long_is_refused(void)
{
    char path[FILE_MAX_PATH], text[2 * FILE_MAX_PATH];

    memset(text, 'x', sizeof(text));
    text[FILE_MAX_PATH - 1] = '\0';
    CHECK_OK(file_path(path, &err, "%s", text), err);
    CHECK_Z(path, text);
    CHECK_EQ(file_path(path, &err, "/%s", text), ST_FATAL);
    CHECK(strstr(err.msg, "a path of more than 1023 bytes"));
    CHECK_EQ(file_replace(text, STR("x"), &err), ST_FATAL);
}

static void a_lock_is_held_by_one_and_names_its_holder(void)
{
    const char *path = in_dir("lock");
    int fd, other, pipes[2];
    pid_t holder;
    char c;

    CHECK_OK(file_lock(path, &fd, &holder, &err), err);
    CHECK_EQ(file_lock(path, &other, &holder, &err), ST_REJECT);
    CHECK_EQ(holder, getpid());
    CHECK(strstr(err.msg, "held by process"));
    CHECK_EQ(truncate(path, 0), 0); /* the holder could not write its pid */
    CHECK_EQ(file_lock(path, &other, &holder, &err), ST_REJECT);
    CHECK_EQ(holder, 0);
    CHECK(strstr(err.msg, "held by another process"));
    close(fd);

    CHECK_EQ(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) { /* hold the lock until killed */
        enum st st = file_lock(path, &fd, &holder, &err);
        if (write(pipes[1], st == ST_OK ? "y" : "n", 1) == 1)
            pause();
        _exit(1);
    }
    CHECK_EQ(read(pipes[0], &c, 1), 1);
    CHECK_EQ(c, 'y');
    CHECK_EQ(file_lock(path, &fd, &holder, &err), ST_REJECT);
    CHECK_EQ(holder, child);
    CHECK(file_is_locked(path, &holder) && holder == child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    CHECK(!file_is_locked(path, &holder) && holder == 0);
    CHECK(!file_is_locked("/nonexistent/lock", &holder));
    CHECK_OK(file_lock(path, &fd, &holder, &err), err);
    close(fd);
    close(pipes[0]);
    close(pipes[1]);
    CHECK_EQ(file_lock("/nonexistent/lock", &fd, &holder, &err), ST_FATAL);
}

static void a_directory_is_synced_or_named(void)
{
    CHECK_OK(file_sync_dir(dir, &err), err);
    CHECK_EQ(file_sync_dir(in_dir("none"), &err), ST_FATAL);
    CHECK(strstr(err.msg, "/none: No such file"));
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TAP_MAIN(TAP_CASE(a_replaced_file_holds_the_new_bytes),
         TAP_CASE(a_file_that_cannot_be_replaced_stays_as_it_was),
         TAP_CASE(directories_are_made_with_their_parents), TAP_CASE(reading_says_what_is_wrong),
         TAP_CASE(a_pipe_is_read_to_its_end), TAP_CASE(reading_at_a_place_is_exact),
         TAP_CASE(a_write_that_fails_may_be_tried_again),
         TAP_CASE(a_path_that_is_too_long_is_refused),
         TAP_CASE(a_lock_is_held_by_one_and_names_its_holder),
         TAP_CASE(a_directory_is_synced_or_named))
