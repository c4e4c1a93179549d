/* SPDX-License-Identifier: Apache-2.0 */
#include "import/feed.h"

#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_AT_ONCE ((size_t)256 * 1024)

size_t feed_line(struct str s, bool is_last)
{
    const char *end = s.len > 0 ? memchr(s.p, '\n', s.len) : NULL;

    return end ? (size_t)(end - s.p) + 1 : is_last ? s.len : 0;
}

enum st feed_open(struct feed *f, const char *path, size_t max_record,
                  size_t (*measure)(struct str s, bool is_last), struct err *err)
{
    struct stat there;

    *f = (struct feed){.path = path, .line = 1, .measure = measure};
    buf_init(&f->window, max_record + READ_AT_ONCE + JSON_PADDING);
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0)
        return err_sys(err, ST_REJECT, errno, "%.200s", path);
    if (fstat(f->fd, &there) != 0 || !S_ISREG(there.st_mode))
        return err_set(err, ST_REJECT,
                       "%.200s: not a file that can be read twice; write it into a file first",
                       path);
    return buf_room(&f->window, JSON_PADDING)
               ? ST_OK
               : err_set(err, ST_AGAIN, "%.200s: no memory to read it", path);
}

void feed_close(struct feed *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    buf_release(&f->window);
}

void feed_seek(struct feed *f, uint64_t at, uint64_t line)
{
    if (at >= f->at && at <= f->at + f->window.len) {
        f->used = (size_t)(at - f->at);
    } else {
        buf_clear(&f->window);
        f->at = at;
        f->used = 0;
        f->is_over = false;
    }
    f->line = line;
}

/* Drop what was handed out, and read on; twice as much each time, so that a long record is not
 * measured too often. */
static enum st read_on(struct feed *f, struct err *err)
{
    size_t kept = f->window.len - f->used, want = kept > READ_AT_ONCE ? kept : READ_AT_ONCE;

    if (f->used > 0 && kept > 0)
        memmove(f->window.p, f->window.p + f->used, kept);
    f->window.len = kept;
    f->at += f->used;
    f->used = 0;
    if (want > f->window.max - JSON_PADDING - kept)
        want = f->window.max - JSON_PADDING - kept;
    char *room = buf_room(&f->window, want + JSON_PADDING);
    if (room == NULL)
        return err_set(err, ST_AGAIN, "%.200s: no memory for a record of %zu bytes", f->path, kept);
    ssize_t n;
    do
        n = pread(f->fd, room, want, (off_t)(f->at + kept));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_sys(err, ST_AGAIN, errno, "%.200s: read", f->path);
    buf_added(&f->window, (size_t)n);
    f->is_over = n == 0;
    return ST_OK;
}

static uint64_t count_lines(struct str s)
{
    uint64_t n = 0;

    for (const char *p = s.p; s.len > 0 && (p = memchr(p, '\n', s.len - (size_t)(p - s.p))); p++)
        n++;
    return n;
}

static struct str hand_out(struct feed *f, size_t len, uint64_t *ret_at, uint64_t *ret_line)
{
    struct str record = {f->window.p + f->used, len};

    *ret_at = f->at + f->used;
    *ret_line = f->line;
    f->used += len;
    f->line += count_lines(record);
    return record;
}

/* Pass over the rest of a line, however long it is. */
static enum st skip_line(struct feed *f, struct err *err)
{
    for (;;) {
        struct str rest = {f->window.p + f->used, f->window.len - f->used};
        size_t len = feed_line(rest, f->is_over);
        uint64_t at, line;
        hand_out(f, len > 0 ? len : rest.len, &at, &line);
        if (len > 0 || f->is_over)
            return ST_OK;
        enum st st = read_on(f, err);
        if (st != ST_OK)
            return st;
    }
}

bool feed_is_at_end(const struct feed *f)
{
    return f->is_over && f->used == f->window.len;
}

enum st feed_next(struct feed *f, struct str *ret_record, uint64_t *ret_at, uint64_t *ret_line,
                  struct err *err)
{
    for (;;) {
        struct str rest = {f->window.p + f->used, f->window.len - f->used};
        size_t len = rest.len > 0 ? f->measure(rest, f->is_over) : 0;
        if (len > 0 || (f->is_over && rest.len == 0)) {
            *ret_record = hand_out(f, len, ret_at, ret_line);
            return ST_OK;
        }
        if (f->is_over || rest.len >= f->window.max - JSON_PADDING) {
            bool is_over = f->is_over;
            hand_out(f, 0, ret_at, ret_line);
            enum st skip_st = skip_line(f, err);
            if (skip_st != ST_OK)
                return skip_st;
            return err_set(err, ST_REJECT,
                           is_over ? "its record does not end before the file does"
                                   : "its record has more than %zu bytes",
                           rest.len);
        }
        enum st st = read_on(f, err);
        if (st != ST_OK)
            return st;
    }
}
