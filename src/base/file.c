/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES   (size_t)(16 * 1024) /* at a time */
#define PIPE_WAIT_US (5 * US_PER_S)

enum st file_st_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EINTR:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
        return ST_AGAIN;
    default:
        return ST_FATAL;
    }
}

enum st file_path(char ret_path[FILE_MAX_PATH], struct err *err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(ret_path, FILE_MAX_PATH, fmt, ap);
    va_end(ap);
    if (n < 0 || n >= FILE_MAX_PATH)
        return err_set(err, ST_FATAL, "%.64s…: a path of more than %d bytes", ret_path,
                       FILE_MAX_PATH - 1);
    return ST_OK;
}

enum st file_sync_dir(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, file_st_of_errno(errno), errno, "%s", path);
    int rc = fsync(fd);
    int why = errno;
    close(fd);
    /* some network file systems cannot sync a directory: nothing better can be done there */
    if (rc != 0 && why != EINVAL)
        return err_sys(err, ST_AGAIN, why, "sync directory %s", path);
    return ST_OK;
}

/* The part of path before its last '/', "." when there is none, "/" for the root. */
static void parent_of(const char *path, char ret_parent[FILE_MAX_PATH])
{
    const char *slash = strrchr(path, '/');
    int n = slash == NULL ? 0 : slash == path ? 1 : (int)(slash - path);
    snprintf(ret_parent, FILE_MAX_PATH, "%.*s", n > 0 ? n : 1, n > 0 ? path : ".");
}

static enum st make_one(const char *path, struct err *err)
{
    char parent[FILE_MAX_PATH];
    struct stat st;

    if (mkdir(path, 0755) == 0) {
        parent_of(path, parent);
        return file_sync_dir(parent, err);
    }
    if (errno != EEXIST)
        return err_sys(err, file_st_of_errno(errno), errno, "cannot create the directory %s", path);
    if (stat(path, &st) != 0)
        return err_sys(err, file_st_of_errno(errno), errno, "%s", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ST_FATAL, "%s: is a file, a directory is needed", path);
    return ST_OK;
}

enum st file_mkdirs(const char *path, struct err *err)
{
    char part[FILE_MAX_PATH];
    struct stat there;
    enum st st = file_path(part, err, "%s", path);

    if (st == ST_OK && stat(path, &there) == 0 && S_ISDIR(there.st_mode))
        return ST_OK; /* nearly always */
    for (char *slash = part; st == ST_OK && (slash = strchr(slash + 1, '/')) != NULL;) {
        *slash = '\0';
        st = make_one(part, err);
        *slash = '/';
    }
    return st == ST_OK ? make_one(part, err) : st;
}

enum st file_write_all(int fd, const void *bytes, size_t len, const char *path, struct err *err)
{
    const char *p = bytes;

    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, ST_AGAIN, errno, "write %s", path);
        p += n;
        len -= (size_t)n;
    }
    return ST_OK;
}

static enum st write_and_sync(const char *path, struct str bytes, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(err, file_st_of_errno(errno), errno, "%s", path);
    enum st st = file_write_all(fd, bytes.p, bytes.len, path, err);
    if (st == ST_OK && fsync(fd) != 0)
        st = err_sys(err, ST_AGAIN, errno, "sync %s", path);
    if (close(fd) != 0 && st == ST_OK)
        st = err_sys(err, ST_AGAIN, errno, "close %s", path);
    return st;
}

enum st file_replace(const char *path, struct str bytes, struct err *err)
{
    char temporary[FILE_MAX_PATH], parent[FILE_MAX_PATH];

    enum st st = file_path(temporary, err, "%s.tmp", path);
    if (st != ST_OK)
        return st;
    st = write_and_sync(temporary, bytes, err);
    if (st == ST_OK && rename(temporary, path) != 0)
        st = err_sys(err, file_st_of_errno(errno), errno, "rename %s", temporary);
    if (st != ST_OK) {
        unlink(temporary);
        return st;
    }
    parent_of(path, parent);
    return file_sync_dir(parent, err);
}

/* A pipe, a socket or a terminal: wait until there is something to read, or all have closed it. */
static enum st wait_for_bytes(int fd, int64_t deadline_us, const char *path, struct err *err)
{
    for (;;) {
        int64_t left_us = deadline_us - clock_mono_us(clock_system());
        struct pollfd one = {.fd = fd, .events = POLLIN};
        int n = left_us > 0 ? poll(&one, 1, (int)(left_us / US_PER_MS) + 1) : 0;
        if (n > 0)
            return ST_OK;
        if (n < 0 && errno != EINTR)
            return err_sys(err, ST_AGAIN, errno, "read %s", path);
        if (n == 0)
            return err_set(err, ST_REJECT,
                           "%s: no file, and whoever writes to it did not finish within %d s; name "
                           "a file, or write to it at once",
                           path, (int)(PIPE_WAIT_US / US_PER_S));
    }
}

/* All that is there; with a deadline (not 0), all that comes until then. */
static enum st read_all(int fd, int64_t deadline_us, const char *path, struct buf *ret_bytes,
                        struct err *err)
{
    /* a pipe that nobody has opened yet for writing reads as empty: wait before the first read */
    enum st st = deadline_us ? wait_for_bytes(fd, deadline_us, path, err) : ST_OK;

    while (st == ST_OK) {
        size_t left = ret_bytes->max - ret_bytes->len;
        size_t want = left < READ_BYTES ? left : READ_BYTES;
        char beyond; /* at the ceiling: is there more? */
        char *at = left > 0 ? buf_room(ret_bytes, want) : &beyond;
        if (at == NULL)
            return buf_check(ret_bytes, path, err);
        ssize_t n = read(fd, at, left > 0 ? want : 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN && deadline_us) {
            st = wait_for_bytes(fd, deadline_us, path, err);
            continue;
        }
        if (n < 0)
            return err_sys(err, ST_AGAIN, errno, "read %s", path);
        if (n > 0 && left == 0)
            return err_set(err, ST_REJECT, "%s: more than %zu bytes", path, ret_bytes->max);
        if (n == 0)
            return ST_OK;
        buf_added(ret_bytes, (size_t)n);
    }
    return st;
}

enum st file_read(const char *path, struct buf *ret_bytes, struct err *err)
{
    struct stat about;
    enum st st;

    /* without O_NONBLOCK a pipe that nobody writes to is not even opened */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno == ENOENT ? ST_REJECT : file_st_of_errno(errno), errno, "%s",
                       path);
    if (fstat(fd, &about) != 0) {
        st = err_sys(err, ST_AGAIN, errno, "%s", path);
    } else {
        bool is_stream = S_ISFIFO(about.st_mode) || S_ISCHR(about.st_mode);
        int64_t deadline_us = is_stream ? clock_mono_us(clock_system()) + PIPE_WAIT_US : 0;
        st = read_all(fd, deadline_us, path, ret_bytes, err);
    }
    close(fd);
    return st;
}

enum st file_read_at(int fd, void *ret_bytes, size_t len, int64_t at, const char *path,
                     struct err *err)
{
    char *p = ret_bytes;

    while (len > 0) {
        ssize_t n = pread(fd, p, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_sys(err, ST_AGAIN, errno, "read %s", path);
        if (n == 0)
            return err_set(err, ST_REJECT, "%s: ends at byte %lld", path, (long long)at);
        p += n;
        at += n;
        len -= (size_t)n;
    }
    return ST_OK;
}

/* The kernel does not tell who holds such a lock; the file does. */
static pid_t read_holder(int fd)
{
    char text[32] = "";
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    int64_t pid = 0;

    if (n > 1 && str_to_i64((struct str){text, (size_t)n - 1}, 1, INT32_MAX, &pid))
        return (pid_t)pid;
    return 0;
}

enum st file_lock(const char *path, int *ret_fd, pid_t *ret_holder, struct err *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    *ret_holder = 0;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(err, file_st_of_errno(errno), errno, "%s", path);
    /* An open-file-description lock: it belongs to fd, so a second open() in this very process is
     * refused too and closing some other descriptor of the file does not drop it. */
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0) {
        *ret_holder = read_holder(fd);
        if (lseek(fd, 0, SEEK_SET) == 0 && ftruncate(fd, 0) == 0)
            dprintf(fd, "%ld\n", (long)getpid());
        *ret_fd = fd;
        return ST_OK;
    }
    int why = errno;
    *ret_holder = read_holder(fd);
    close(fd);
    if (why != EAGAIN && why != EACCES)
        return err_sys(err, ST_FATAL, why, "lock %s", path);
    if (*ret_holder == 0)
        return err_set(err, ST_REJECT, "%s: held by another process", path);
    return err_set(err, ST_REJECT, "%s: held by process %ld", path, (long)*ret_holder);
}

void file_unlock(int fd)
{
    if (ftruncate(fd, 0) != 0)
        errno = 0; /* then it looks as if we had been killed: nothing worse */
    close(fd);
}

bool file_is_locked(const char *path, pid_t *ret_holder)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    *ret_holder = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_locked = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (is_locked)
        *ret_holder = read_holder(fd);
    close(fd);
    return is_locked;
}
