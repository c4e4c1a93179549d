/* A directory as an object store: an object is a file below it.
 *
 *     ROOT/.geckotape/lock      held while an object is replaced or removed
 *     ROOT/.geckotape/tmp-HEX   objects in the making; its writer holds a lock on it, so that what
 *                               killed ones left behind is told from what grows
 *
 * An object is written there, synced, then linked (if it must be absent) or renamed to its name,
 * and the folder is synced. No symbolic link below ROOT is followed: what has a name here lies
 * here. An etag is inode, size and time of change, which is set from the clock, since the kernel's
 * own stands still for milliseconds.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "object/directory.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "object/driver.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_WAIT_US (30 * US_PER_S)
#define OWN_FOLDER   ".geckotape"

struct directory {
    char root[FILE_MAX_PATH];
    bool is_swept; /* what killed ones left is removed */
};

/* A file in the making. */
struct made {
    struct directory *d;
    int own_fd; /* ROOT/.geckotape */
    int fd;
    char name[32];
    char target[OBJECT_MAX_NAME + 1];
};

static enum st dir_open(struct str rest, const struct sink_url *url,
                        const struct object_setup *setup, void **ret_state, struct err *err)
{
    (void)url, (void)setup;
    if (str_starts(rest, STR("//")))
        rest = (struct str){rest.p + 2, rest.len - 2};
    while (rest.len > 1 && str_ends(rest, STR("/")))
        rest.len--;
    if (rest.len == 0)
        return err_set(err, ST_REJECT, "the directory's name is missing, as in file:./lake");
    struct directory *d = mem_new(1, sizeof(*d));
    enum st st = file_path(d->root, err, "%.*s", STR_ARG(rest));
    if (st == ST_OK)
        *ret_state = d;
    else
        mem_free(d);
    return st;
}

static void dir_close(void *state)
{
    mem_free(state);
}

void directory_etag(const struct stat *about, char ret_etag[OBJECT_MAX_ETAG])
{
    snprintf(ret_etag, OBJECT_MAX_ETAG, "%llx-%llx-%llx.%lx", (unsigned long long)about->st_ino,
             (unsigned long long)about->st_size, (unsigned long long)about->st_mtim.tv_sec,
             (unsigned long)about->st_mtim.tv_nsec);
}

void directory_info(const struct stat *about, struct object_info *ret_info)
{
    *ret_info = (struct object_info){
        .size = about->st_size,
        .modified_us = about->st_mtim.tv_sec * US_PER_S + about->st_mtim.tv_nsec / 1000,
    };
    directory_etag(about, ret_info->etag);
}

/* A file where a folder must be, or the other way round, is no matter of waiting. */
static enum st name_error(struct err *err, int errnum)
{
    switch (errnum) {
    case ELOOP:
        return err_set(err, ST_REJECT, "a symbolic link is in the way");
    case ENOTDIR:
        return err_set(err, ST_REJECT, "a part of its name is a file");
    case EISDIR:
    case ENOTEMPTY:
        return err_set(err, ST_REJECT, "a folder has its name");
    case ENAMETOOLONG:
        return err_set(err, ST_REJECT, "a part of its name is too long for this file system");
    default:
        return err_sys(err, file_st_of_errno(errnum), errnum, "cannot be reached");
    }
}

/* One folder further down; made, and synced into its parent, if it has to be. */
static enum st step(int *fd, const char *part, bool is_made, bool *ret_is_there, struct err *err)
{
    int next = openat(*fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (next < 0 && errno == ENOENT && is_made) {
        if (mkdirat(*fd, part, 0755) != 0 && errno != EEXIST)
            return name_error(err, errno);
        if (fsync(*fd) != 0 && errno != EINVAL)
            return err_sys(err, ST_AGAIN, errno, "sync its folder");
        next = openat(*fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    *ret_is_there = next >= 0;
    if (next < 0)
        return errno == ENOENT ? ST_OK : name_error(err, errno);
    close(*fd);
    *fd = next;
    return ST_OK;
}

/* The folder in which `name` is, and what it is called there; *ret_fd is -1 when it is not there.
 */
static enum st parent_of(struct directory *d, const char *name, bool is_made, int *ret_fd,
                         const char **ret_leaf, struct err *err)
{
    char part[OBJECT_MAX_NAME + 1];
    bool is_there = true;
    enum st st = is_made ? file_mkdirs(d->root, err) : ST_OK;

    *ret_fd = -1;
    if (st != ST_OK)
        return st;
    int fd = open(d->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ST_OK : name_error(err, errno);
    for (const char *slash; is_there && st == ST_OK && (slash = strchr(name, '/')) != NULL;) {
        snprintf(part, sizeof(part), "%.*s", (int)(slash - name), name);
        st = step(&fd, part, is_made, &is_there, err);
        name = slash + 1;
    }
    if (st != ST_OK || !is_there) {
        close(fd);
        return st == ST_OK && is_made ? err_set(err, ST_AGAIN, "its folder was removed") : st;
    }
    *ret_fd = fd;
    *ret_leaf = name;
    return ST_OK;
}

static bool try_lock(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

/* Remove what nobody holds: its writer was killed. */
static void sweep(int own_fd)
{
    int fd = openat(own_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (strncmp(e->d_name, "tmp-", 4) != 0)
            continue;
        int left = openat(own_fd, e->d_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        if (left >= 0 && try_lock(left))
            unlinkat(own_fd, e->d_name, 0);
        if (left >= 0)
            close(left);
    }
    closedir(dir);
}

static enum st open_own(struct directory *d, int *ret_fd, struct err *err)
{
    const char *leaf;
    enum st st = parent_of(d, OWN_FOLDER "/x", true, ret_fd, &leaf, err);

    if (st == ST_OK && !d->is_swept) {
        sweep(*ret_fd);
        d->is_swept = true;
    }
    return st;
}

static void made_drop(struct made *m)
{
    if (m->fd >= 0) {
        unlinkat(m->own_fd, m->name, 0);
        close(m->fd);
    }
    if (m->own_fd >= 0)
        close(m->own_fd);
    mem_free(m);
}

static enum st made_new(struct directory *d, const char *name, struct made **ret_made,
                        struct err *err)
{
    struct made *m = mem_new(1, sizeof(*m));
    struct stat about = {.st_nlink = 0};

    *m = (struct made){.d = d, .own_fd = -1, .fd = -1};
    snprintf(m->target, sizeof(m->target), "%s", name);
    enum st st = open_own(d, &m->own_fd, err);
    while (st == ST_OK && about.st_nlink == 0) {
        uint64_t dice;
        if (m->fd >= 0)
            close(m->fd); /* another one's sweep was faster than our lock */
        if (getrandom(&dice, sizeof(dice), 0) != (ssize_t)sizeof(dice))
            dice = (uint64_t)clock_mono_us(clock_system()) ^ (uint64_t)getpid() << 44;
        snprintf(m->name, sizeof(m->name), "tmp-%016llx", (unsigned long long)dice);
        m->fd = openat(m->own_fd, m->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (m->fd < 0 && errno != EEXIST)
            st = err_sys(err, file_st_of_errno(errno), errno, "cannot be written");
        /* where a file system has no locks, nobody sweeps either */
        if (m->fd >= 0 && (try_lock(m->fd) || errno != EAGAIN) && fstat(m->fd, &about) != 0)
            st = err_sys(err, ST_AGAIN, errno, "cannot be written");
    }
    if (st == ST_OK)
        *ret_made = m;
    else
        made_drop(m);
    return st;
}

/* Bytes and time of change are on the disk. */
static enum st settle(struct made *m, struct object_put_result *ret, struct err *err)
{
    struct timespec times[2];
    struct stat about;

    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[1] = times[0];
    if (futimens(m->fd, times) != 0 || fsync(m->fd) != 0 || fstat(m->fd, &about) != 0)
        return err_sys(err, ST_AGAIN, errno, "sync");
    directory_etag(&about, ret->etag);
    return ST_OK;
}

/* Two names of one file at once where the file system can do that, a rename that replaces nothing
 * elsewhere. */
static enum st publish_absent(struct made *m, int folder, const char *leaf,
                              struct object_put_result *ret, struct err *err)
{
    struct stat about;
    int rc = linkat(m->own_fd, m->name, folder, leaf, 0);

    if (rc != 0 && (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS))
        rc = renameat2(m->own_fd, m->name, folder, leaf, RENAME_NOREPLACE);
    if (rc == 0)
        return ST_OK;
    if (errno != EEXIST)
        return name_error(err, errno);
    if (fstatat(folder, leaf, &about, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(about.st_mode))
        return name_error(err, S_ISLNK(about.st_mode) ? ELOOP : EISDIR);
    ret->is_refused = true;
    return ST_OK;
}

/* Held by whoever replaces or removes, so that an etag that was compared is still the one. */
static enum st lock(int own_fd, int *ret_fd, struct err *err)
{
    int64_t deadline_us = clock_mono_us(clock_system()) + LOCK_WAIT_US;
    int fd = openat(own_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (fd < 0)
        return err_sys(err, file_st_of_errno(errno), errno, OWN_FOLDER "/lock");
    while (!try_lock(fd)) {
        int why = errno;
        if ((why == EAGAIN || why == EACCES) && clock_mono_us(clock_system()) < deadline_us) {
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
            continue;
        }
        close(fd);
        return err_sys(err, why == EAGAIN ? ST_AGAIN : file_st_of_errno(why), why,
                       OWN_FOLDER "/lock");
    }
    *ret_fd = fd;
    return ST_OK;
}

static bool has_etag(int folder, const char *leaf, const char *etag)
{
    char there[OBJECT_MAX_ETAG];
    struct stat about;

    if (fstatat(folder, leaf, &about, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(about.st_mode))
        return false;
    directory_etag(&about, there);
    return strcmp(there, etag) == 0;
}

static enum st publish_over(struct made *m, int folder, const char *leaf, const char *etag,
                            struct object_put_result *ret, struct err *err)
{
    struct stat about;
    int held = -1;
    enum st st = lock(m->own_fd, &held, err);

    if (st != ST_OK)
        return st;
    if (fstatat(folder, leaf, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(about.st_mode))
        st = name_error(err, ELOOP);
    else if (etag && !has_etag(folder, leaf, etag))
        ret->is_refused = true;
    else if (renameat(m->own_fd, m->name, folder, leaf) != 0)
        st = name_error(err, errno);
    close(held);
    return st;
}

static enum st dir_upload_finish(void *upload, enum object_if condition, const char *etag,
                                 struct object_put_result *ret, struct err *err)
{
    struct made *m = upload;
    const char *leaf = NULL;
    int folder = -1;

    assert((condition == OBJECT_MATCH) == (etag != NULL));
    enum st st = settle(m, ret, err);
    if (st == ST_OK)
        st = parent_of(m->d, m->target, true, &folder, &leaf, err);
    if (st == ST_OK)
        st = condition == OBJECT_ABSENT ? publish_absent(m, folder, leaf, ret, err)
                                        : publish_over(m, folder, leaf, etag, ret, err);
    if (st == ST_OK && !ret->is_refused && fsync(folder) != 0 && errno != EINVAL) {
        ret->is_unknown = true; /* it is to be seen, but a power cut may take it away */
        st = err_sys(err, ST_AGAIN, errno, "sync its folder");
    }
    if (ret->is_refused)
        ret->etag[0] = '\0';
    if (folder >= 0)
        close(folder);
    made_drop(m);
    return st;
}

static enum st dir_upload_start(void *state, const char *name, void **ret_upload, struct err *err)
{
    struct made *m;
    enum st st = made_new(state, name, &m, err);

    if (st == ST_OK)
        *ret_upload = m;
    return st;
}

static enum st dir_upload_add(void *upload, struct str bytes, struct err *err)
{
    struct made *m = upload;
    return file_write_all(m->fd, bytes.p, bytes.len, m->name, err);
}

static void dir_upload_abort(void *upload)
{
    made_drop(upload);
}

static enum st dir_put(void *state, const char *name, struct str bytes, enum object_if condition,
                       const char *etag, struct object_put_result *ret, struct err *err)
{
    void *upload;
    enum st st = dir_upload_start(state, name, &upload, err);

    if (st != ST_OK)
        return st;
    st = dir_upload_add(upload, bytes, err);
    if (st == ST_OK)
        return dir_upload_finish(upload, condition, etag, ret, err);
    dir_upload_abort(upload);
    return st;
}

/* *ret_fd is -1 when there is no such object. */
static enum st open_object(struct directory *d, const char *name, int *ret_fd,
                           struct stat *ret_about, struct err *err)
{
    const char *leaf;
    int folder;
    enum st st = parent_of(d, name, false, &folder, &leaf, err);

    *ret_fd = -1;
    if (st != ST_OK || folder < 0)
        return st;
    int fd = openat(folder, leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        st = name_error(err, errno);
    close(folder);
    if (fd < 0)
        return st;
    if (fstat(fd, ret_about) != 0)
        st = err_sys(err, ST_AGAIN, errno, "cannot be read");
    if (st == ST_OK && S_ISREG(ret_about->st_mode))
        *ret_fd = fd;
    else
        close(fd); /* a folder is no object */
    return st;
}

static enum st read_part(int fd, int64_t from, int64_t len, int64_t size, struct buf *ret_bytes,
                         struct err *err)
{
    if (from >= size)
        return ST_OK;
    if (len < 0 || len > size - from)
        len = size - from;
    char *at = buf_room(ret_bytes, (size_t)len);
    if (at == NULL)
        return buf_check(ret_bytes, "the object", err);
    enum st st = file_read_at(fd, at, (size_t)len, from, "its file", err);
    if (st == ST_OK)
        buf_added(ret_bytes, (size_t)len);
    return st;
}

static enum st dir_get(void *state, const char *name, int64_t from, int64_t len,
                       struct buf *ret_bytes, struct object_info *ret_info, bool *ret_is_there,
                       struct err *err)
{
    struct stat about;
    int fd;
    enum st st = open_object(state, name, &fd, &about, err);

    if (st != ST_OK)
        return st;
    *ret_is_there = fd >= 0;
    if (fd < 0)
        return ST_OK;
    directory_info(&about, ret_info);
    st = read_part(fd, from, len, about.st_size, ret_bytes, err);
    close(fd);
    return st;
}

static enum st dir_stat(void *state, const char *name, struct object_info *ret_info,
                        bool *ret_is_there, struct err *err)
{
    struct stat about;
    int fd;
    enum st st = open_object(state, name, &fd, &about, err);

    if (st != ST_OK)
        return st;
    *ret_is_there = fd >= 0;
    if (fd >= 0) {
        directory_info(&about, ret_info);
        close(fd);
    }
    return ST_OK;
}

static enum st dir_remove(void *state, const char *name, struct err *err)
{
    const char *leaf;
    int folder, own, held = -1;
    enum st st = parent_of(state, name, false, &folder, &leaf, err);

    if (st != ST_OK || folder < 0)
        return st;
    st = open_own(state, &own, err);
    if (st != ST_OK) {
        close(folder);
        return st;
    }
    st = lock(own, &held, err);
    if (st == ST_OK) {
        if (unlinkat(folder, leaf, 0) != 0 && errno != ENOENT && errno != EISDIR)
            st = name_error(err, errno);
        else if (fsync(folder) != 0 && errno != EINVAL)
            st = err_sys(err, ST_AGAIN, errno, "sync its folder");
        close(held);
    }
    close(own);
    close(folder);
    return st;
}

static enum st dir_list(void *state, const char *prefix, const char *start_after, object_each *each,
                        void *ctx, struct err *err)
{
    struct directory *d = state;
    return directory_list(d->root, prefix, start_after, each, ctx, err);
}

const struct object_driver object_directory = {
    .scheme = "file",
    .open = dir_open,
    .close = dir_close,
    .put = dir_put,
    .upload_start = dir_upload_start,
    .upload_add = dir_upload_add,
    .upload_finish = dir_upload_finish,
    .upload_abort = dir_upload_abort,
    .get = dir_get,
    .stat = dir_stat,
    .list = dir_list,
    .remove = dir_remove,
};
