/* SPDX-License-Identifier: Apache-2.0 */
#include "tape/reader.h"

#include "base/file.h"
#include "tape/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum st tape_sync(const char *dir, struct err *err)
{
    char name[SEGMENT_NAME], path[FILE_MAX_PATH];
    struct segment newest;

    enum st st = segment_around(dir, SEGMENT_NEWEST, &newest, NULL, err);
    if (st != ST_OK || newest.first == 0)
        return st;
    segment_name(&newest, name);
    st = file_path(path, err, "%s/%s", dir, name);
    if (st != ST_OK)
        return st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, ST_AGAIN, errno, "%s", path);
    if (fdatasync(fd) != 0)
        st = err_sys(err, ST_AGAIN, errno, "sync %s", path);
    close(fd);
    return st;
}
