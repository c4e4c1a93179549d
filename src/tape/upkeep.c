/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/upkeep.h"

#include "base/file.h"
#include "tape/reader.h"
#include "tape/seal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_LIST ((size_t)64 * 1024 * 1024) /* 4 million segments */

static const struct segment *segment_at(const struct buf *list, size_t i)
{
    return (const struct segment *)list->p + i;
}

static size_t count_list(const struct buf *list)
{
    return list->len / sizeof(struct segment);
}

/* ---- sealing ---- */

/* A name such as "<segment>.sealing". */
static bool is_left(const char *name)
{
    struct segment s;
    char begin[SEGMENT_NAME];
    size_t len = strlen(name), suffix = strlen(SEAL_SUFFIX);

    if (len <= suffix || len - suffix >= sizeof(begin) ||
        strcmp(name + len - suffix, SEAL_SUFFIX) != 0)
        return false;
    memcpy(begin, name, len - suffix);
    begin[len - suffix] = '\0';
    return segment_parse(begin, &s);
}

enum st seal_clean(const char *dir, struct err *err)
{
    enum st st = ST_OK;
    DIR *d = opendir(dir);

    if (d == NULL)
        return errno == ENOENT ? ST_OK : err_sys(err, ST_AGAIN, errno, "%s", dir);
    for (struct dirent *e; st == ST_OK && (e = readdir(d)) != NULL;)
        if (is_left(e->d_name) && unlinkat(dirfd(d), e->d_name, 0) != 0)
            st = err_sys(err, ST_AGAIN, errno, "remove %s/%s", dir, e->d_name);
    closedir(d);
    return st;
}

/* The first of the list behind `after` that is to be sealed; its number in it, or the last's. */
static size_t find_open(const struct buf *list, int dir_fd, const struct segment *after)
{
    char name[SEGMENT_NAME];
    size_t i = 0, n = count_list(list);

    for (; i + 1 < n; i++) {
        const struct segment *s = segment_at(list, i);
        /* one whose successor has the same first offset holds nothing that counts */
        if (segment_cmp(s, after) <= 0 || segment_at(list, i + 1)->first == s->first)
            continue;
        segment_name(s, name);
        if (!segment_is_sealed(dir_fd, name))
            break;
    }
    return i;
}

enum st tape_seal_next(const struct tape_seal_setup *setup, char after[64],
                       struct tape_sealed *ret_sealed, struct err *err)
{
    struct buf list = BUF_INIT(MAX_LIST);
    struct segment behind = SEGMENT_NONE;

    *ret_sealed = (struct tape_sealed){.segment = ""};
    enum st st = after[0] == '\0' ? seal_clean(setup->dir, err) : ST_OK;
    if (after[0] != '\0' && !segment_parse(after, &behind))
        return err_set(err, ST_FATAL, "%s: %.63s is no segment", setup->dir, after);
    if (st == ST_OK)
        st = segment_list(setup->dir, &list, err);
    if (st == ST_OK && list.len > 0) {
        int dir_fd = open(setup->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0)
            st = err_sys(err, ST_AGAIN, errno, "%s", setup->dir);
        size_t i = dir_fd < 0 ? 0 : find_open(&list, dir_fd, &behind);
        if (dir_fd >= 0)
            close(dir_fd);
        if (st == ST_OK && i + 1 < count_list(&list)) {
            struct segment s = *segment_at(&list, i);
            st = seal_segment(setup, s, segment_at(&list, i + 1)->first, ret_sealed, err);
            if (st == ST_OK || st == ST_REJECT)
                segment_name(&s, after);
        }
    }
    buf_release(&list);
    return st;
}

enum st tape_closed_next(const char *dir, uint64_t from, struct tape_closed *ret_closed,
                         struct err *err)
{
    struct buf list = BUF_INIT(MAX_LIST);
    enum st st = segment_list(dir, &list, err);

    *ret_closed = (struct tape_closed){.first = 0};
    for (size_t i = 0; st == ST_OK && i + 1 < count_list(&list); i++) {
        const struct segment *s = segment_at(&list, i);
        const uint64_t limit = segment_at(&list, i + 1)->first;
        if (limit <= from || limit == s->first)
            continue;
        int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd < 0) {
            st = err_sys(err, ST_AGAIN, errno, "%s", dir);
            break;
        }
        ret_closed->first = s->first;
        ret_closed->limit = limit;
        segment_name(s, ret_closed->name);
        ret_closed->is_sealed = segment_is_sealed(dir_fd, ret_closed->name);
        close(dir_fd);
        break;
    }
    buf_release(&list);
    return st;
}

bool tape_is_segment(const char *name)
{
    struct segment ignored;
    return segment_parse(name, &ignored);
}
