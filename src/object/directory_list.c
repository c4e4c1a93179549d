/* The files below a directory in the order of their whole names: a folder "a" stands where "a/"
 * does, behind a file "a-b". */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/mem.h"
#include "object/directory.h"
#include "object/driver.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_FOLDER_BYTES (size_t)(256 * 1024 * 1024) /* of the names in one folder */

struct walk {
    struct str prefix, start_after;
    object_each *each;
    void *ctx;
    struct buf path; /* of the folder at hand, with its '/' */
    bool is_enough;
};

/* The names in one folder, with a '/' behind those of folders. */
struct names {
    struct buf bytes; /* each with a NUL */
    size_t *at;
    size_t n, cap;
};

static int compare(const void *a, const void *b, void *bytes)
{
    const char *base = bytes;
    return strcmp(base + *(const size_t *)a, base + *(const size_t *)b);
}

/* Whether there may be names below the folder `full` ("a/b/"), or the file of that name, that are
 * asked for. */
static bool is_wanted(const struct walk *w, struct str full, bool is_folder)
{
    if (!str_starts(full, w->prefix) && !(is_folder && str_starts(w->prefix, full)))
        return false;
    return str_cmp(full, w->start_after) > 0 || (is_folder && str_starts(w->start_after, full));
}

static bool is_folder(int fd, const struct dirent *e)
{
    struct stat about;

    if (e->d_type != DT_UNKNOWN)
        return e->d_type == DT_DIR;
    return fstatat(fd, e->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(about.st_mode);
}

static void add_name(struct walk *w, struct names *names, int fd, const struct dirent *e)
{
    const bool is_dir = is_folder(fd, e);
    const size_t path_len = w->path.len, start = names->bytes.len;

    if (!is_dir && e->d_type != DT_REG && e->d_type != DT_UNKNOWN)
        return;
    buf_add_z(&w->path, e->d_name);
    bool is_name = object_is_name(buf_str(&w->path));
    if (is_dir)
        buf_add_char(&w->path, '/');
    if (is_name && !w->path.is_overflow && is_wanted(w, buf_str(&w->path), is_dir)) {
        buf_add(&names->bytes, buf_z(&w->path) + path_len, w->path.len - path_len + 1);
        if (names->n == names->cap) {
            names->cap = names->cap ? 2 * names->cap : 64;
            names->at = mem_grow(names->at, names->cap, sizeof(*names->at));
        }
        names->at[names->n++] = start;
    }
    w->path.len = path_len;
    w->path.is_overflow = false;
}

static enum st read_names(struct walk *w, int fd, struct names *names, struct err *err)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;

    if (dir == NULL) {
        int why = errno;
        if (copy >= 0)
            close(copy);
        return err_sys(err, file_st_of_errno(why), why, "read a folder");
    }
    errno = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL; errno = 0)
        add_name(w, names, fd, e);
    int why = errno;
    closedir(dir);
    if (why != 0)
        return err_sys(err, ST_AGAIN, why, "read a folder");
    enum st st = buf_check(&names->bytes, "the names in a folder", err);
    if (st == ST_OK && names->n > 0)
        qsort_r(names->at, names->n, sizeof(*names->at), compare, names->bytes.p);
    return st;
}

static enum st walk_folder(struct walk *w, int fd, struct err *err);

static enum st walk_one(struct walk *w, int fd, char *name, struct err *err)
{
    const size_t path_len = w->path.len, len = strlen(name);
    struct object_info info;
    struct stat about;
    enum st st = ST_OK;

    buf_add_z(&w->path, name);
    if (name[len - 1] == '/') {
        name[len - 1] = '\0';
        int below = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0)
            st = walk_folder(w, below, err);
        else if (errno != ENOENT && errno != ELOOP && errno != ENOTDIR)
            st = err_sys(err, file_st_of_errno(errno), errno, "%s", buf_z(&w->path));
    } else if (fstatat(fd, name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(about.st_mode)) {
        directory_info(&about, &info);
        st = w->each(w->ctx, buf_z(&w->path), &info, &w->is_enough, err);
    }
    w->path.len = path_len;
    return st;
}

/* Closes fd. Its depth is bounded by OBJECT_MAX_NAME. */
static enum st walk_folder(struct walk *w, int fd, struct err *err)
{
    struct names names = {.bytes = BUF_INIT(MAX_FOLDER_BYTES)};
    enum st st = read_names(w, fd, &names, err);

    for (size_t i = 0; st == ST_OK && !w->is_enough && i < names.n; i++)
        st = walk_one(w, fd, names.bytes.p + names.at[i], err);
    mem_free(names.at);
    buf_release(&names.bytes);
    close(fd);
    return st;
}

enum st directory_list(const char *root, const char *prefix, const char *start_after,
                       object_each *each, void *ctx, struct err *err)
{
    struct walk w = {.prefix = str_of(prefix),
                     .start_after = str_of(start_after),
                     .each = each,
                     .ctx = ctx,
                     .path = BUF_INIT(2 * OBJECT_MAX_NAME)};
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? ST_OK
                               : err_sys(err, file_st_of_errno(errno), errno, "cannot be read");
    enum st st = walk_folder(&w, fd, err);
    buf_release(&w.path);
    return st;
}
