/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/upkeep.h"

#include "base/clock.h"
#include "tape/segment.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#define DAY        (24 * 3600 * US_PER_S)
#define LEAST_SPAN (3600 * US_PER_S) /* of a tape whose growth can be told */

static void count(int dir, const char *name, const struct segment *segment, int64_t now_us,
                  struct tape_usage *u)
{
    int64_t start_us = segment_start_us(segment);
    struct stat s;

    if (fstatat(dir, name, &s, 0) != 0)
        return; /* removed a moment ago */
    u->n_segments++;
    u->n_sealed += segment_is_sealed(dir, name);
    u->bytes += (uint64_t)s.st_size;
    if (start_us > now_us - DAY && start_us <= now_us)
        u->day_bytes += (uint64_t)s.st_size;
    if (u->first_offset == 0 || segment->first < u->first_offset) {
        u->first_offset = segment->first;
        u->oldest_us = start_us;
    }
}

uint64_t tape_growth(uint64_t day_bytes, int64_t oldest_us, int64_t now_us)
{
    const int64_t span_us = oldest_us != 0 ? now_us - oldest_us : 0;

    if (span_us < LEAST_SPAN)
        return 0;
    return span_us < DAY ? (uint64_t)((double)day_bytes * (double)DAY / (double)span_us)
                         : day_bytes;
}

enum st tape_usage(const char *dir, int64_t now_us, struct tape_usage *ret_usage, struct err *err)
{
    struct tape_usage usage = {.n_segments = 0};
    struct segment segment;
    DIR *d = opendir(dir);

    if (d == NULL && errno != ENOENT)
        return err_sys(err, ST_AGAIN, errno, "%s", dir);
    errno = 0;
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL; errno = 0)
        if (segment_parse(e->d_name, &segment))
            count(dirfd(d), e->d_name, &segment, now_us, &usage);
    int why = errno;
    if (d != NULL)
        closedir(d);
    if (d != NULL && why != 0)
        return err_sys(err, ST_AGAIN, why, "%s", dir);
    *ret_usage = usage;
    return ST_OK;
}
