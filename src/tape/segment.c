/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/segment.h"

#include "base/clock.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SUFFIX ".jsonl.zst"

struct segment segment_make(uint64_t first, int64_t start_us)
{
    char text[TIME_TEXT];
    uint64_t start = 0;

    time_format_compact(start_us, text);
    for (const char *p = text; *p; p++)
        if (*p >= '0' && *p <= '9')
            start = start * 10 + (uint64_t)(*p - '0');
    return (struct segment){first, start};
}

int64_t segment_start_us(const struct segment *s)
{
    char text[64];
    int64_t us;
    unsigned long long t = s->start;

    int n =
        snprintf(text, sizeof(text), "%04llu-%02llu-%02lluT%02llu:%02llu:%02lluZ", t / 10000000000,
                 t / 100000000 % 100, t / 1000000 % 100, t / 10000 % 100, t / 100 % 100, t % 100);
    return time_parse((struct str){text, (size_t)n}, &us) ? us : 0;
}

void segment_name(const struct segment *s, char ret_name[SEGMENT_NAME])
{
    snprintf(ret_name, SEGMENT_NAME, "%020llu-%08lluT%06lluZ" SUFFIX, (unsigned long long)s->first,
             (unsigned long long)s->start / 1000000 % 100000000,
             (unsigned long long)s->start % 1000000);
}

static bool digits(const char *p, size_t n, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9' || value > UINT64_MAX / 10 - 1)
            return false;
        value = value * 10 + (uint64_t)(p[i] - '0');
    }
    *ret_value = value;
    return true;
}

bool segment_parse(const char *name, struct segment *ret_segment)
{
    struct segment s;
    uint64_t seconds;

    if (strlen(name) != 37 + strlen(SUFFIX) || !digits(name, 20, &s.first) || name[20] != '-' ||
        !digits(name + 21, 8, &s.start) || name[29] != 'T' || !digits(name + 30, 6, &seconds) ||
        strcmp(name + 36, "Z" SUFFIX) != 0 || s.first == 0 || s.first > INT64_MAX)
        return false;
    s.start = s.start * 1000000 + seconds;
    *ret_segment = s;
    return true;
}

int segment_cmp(const struct segment *a, const struct segment *b)
{
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return a->start == b->start ? 0 : a->start < b->start ? -1 : 1;
}

enum st segment_around(const char *dir, struct segment key, struct segment *ret_upto,
                       struct segment *ret_after, struct err *err)
{
    struct segment upto = SEGMENT_NONE, after = SEGMENT_NONE, s;
    DIR *d = opendir(dir);

    if (d == NULL && errno != ENOENT)
        return err_sys(err, ST_AGAIN, errno, "%s", dir);
    errno = 0;
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL; errno = 0) {
        if (!segment_parse(e->d_name, &s))
            continue;
        if (segment_cmp(&s, &key) <= 0) {
            if (segment_cmp(&s, &upto) > 0)
                upto = s;
        } else if (after.first == 0 || segment_cmp(&s, &after) < 0) {
            after = s;
        }
    }
    int why = errno;
    if (d != NULL)
        closedir(d);
    if (d != NULL && why != 0)
        return err_sys(err, ST_AGAIN, why, "%s", dir);
    if (ret_upto != NULL)
        *ret_upto = upto;
    if (ret_after != NULL)
        *ret_after = after;
    return ST_OK;
}

static int compare_segments(const void *a, const void *b)
{
    return segment_cmp(a, b);
}

enum st segment_list(const char *dir, struct buf *ret_list, struct err *err)
{
    struct segment s;
    DIR *d = opendir(dir);

    buf_clear(ret_list);
    if (d == NULL)
        return errno == ENOENT ? ST_OK : err_sys(err, ST_AGAIN, errno, "%s", dir);
    errno = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL; errno = 0)
        if (segment_parse(e->d_name, &s))
            buf_add(ret_list, &s, sizeof(s));
    int why = errno;
    closedir(d);
    if (why != 0)
        return err_sys(err, ST_AGAIN, why, "%s", dir);
    if (ret_list->is_overflow)
        return err_sys(err, ST_AGAIN, ENOMEM, "%s: the list of its segments", dir);
    if (ret_list->len > 0)
        qsort(ret_list->p, ret_list->len / sizeof(s), sizeof(s), compare_segments);
    return ST_OK;
}

bool segment_is_sealed(int dir_fd, const char *name)
{
    uint8_t bytes[FORMAT_ENVELOPE];
    struct envelope e;

    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_read = pread(fd, bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes);
    close(fd);
    return is_read && format_get_envelope(bytes, &e) == ENVELOPE_OK && e.version == FORMAT_SEALED;
}
