/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#define MAX_LINE (size_t)PIPE_BUF /* bytes; a longer event is cut to its message */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_setup now = {.level = LOG_INFO, .format = LOG_TEXT, .fd = STDERR_FILENO};
static int file_fd = -1;
static unsigned long n_dropped; /* lines that nobody took */

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    return names[level];
}

static enum st open_file(const char *path, int *ret_fd, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char dir[FILE_MAX_PATH];

    enum st st = file_path(dir, err, "%.*s", slash ? (int)(slash - path) : 0, path);
    if (st == ST_OK && dir[0] != '\0')
        st = file_mkdirs(dir, err);
    if (st != ST_OK)
        return err_wrap(err, ST_FATAL, "--log-file %s: ", path);
    *ret_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return *ret_fd >= 0 ? ST_OK : err_sys(err, ST_FATAL, errno, "--log-file %s", path);
}

enum st log_setup(const struct log_setup *setup, struct err *err)
{
    int fd = -1;

    enum st st = setup->file ? open_file(setup->file, &fd, err) : ST_OK;
    if (st != ST_OK)
        return st;
    pthread_mutex_lock(&lock);
    if (file_fd >= 0)
        close(file_fd);
    file_fd = fd;
    now = *setup;
    pthread_mutex_unlock(&lock);
    return ST_OK;
}

enum st log_reopen(struct err *err)
{
    int fd = -1;

    pthread_mutex_lock(&lock);
    enum st st = now.file ? open_file(now.file, &fd, err) : ST_OK;
    if (fd >= 0) {
        if (file_fd >= 0)
            close(file_fd);
        file_fd = fd;
    }
    pthread_mutex_unlock(&lock);
    return st;
}

void log_set_level(enum log_level level)
{
    pthread_mutex_lock(&lock);
    now.level = level;
    pthread_mutex_unlock(&lock);
}

void log_close(void)
{
    pthread_mutex_lock(&lock);
    if (file_fd >= 0)
        close(file_fd);
    file_fd = -1;
    pthread_mutex_unlock(&lock);
}

static bool needs_quotes(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '"' || s.p[i] == '\\' ||
            (unsigned char)s.p[i] >= 0x7F)
            return true;
    return s.len == 0;
}

static void text_line(struct buf *b, enum log_level level, const char *area, const char *msg,
                      const struct log_field *fields)
{
    static const char *const padded[] = {"ERROR", "WARN ", "INFO ", "DEBUG"};

    buf_addf(b, " %s %s: %s", padded[level], area, msg);
    for (const struct log_field *f = fields; f->key; f++) {
        buf_addf(b, " %s=", f->key);
        if (f->kind == LOG_FIELD_INT)
            buf_add_i64(b, f->i);
        else if (needs_quotes(f->s))
            buf_add_json_str(b, f->s);
        else
            buf_add_str(b, f->s);
    }
    if (now.is_simulated)
        buf_add_z(b, " SIMULATED");
}

static void json_line(struct buf *b, enum log_level level, const char *area, const char *msg,
                      const struct log_field *fields)
{
    buf_addf(b, "\",\"level\":\"%s\",\"area\":\"%s\",\"msg\":", log_level_name(level), area);
    buf_add_json_str(b, str_of(msg));
    for (const struct log_field *f = fields; f->key; f++) {
        buf_addf(b, ",\"%s\":", f->key);
        if (f->kind == LOG_FIELD_INT)
            buf_add_i64(b, f->i);
        else
            buf_add_json_str(b, f->s);
    }
    if (now.is_simulated)
        buf_add_z(b, ",\"simulated\":true");
    buf_add_char(b, '}');
}

/* A reader that stopped reading must not stop the collector: a line that a pipe or terminal does
 * not take at once is dropped. PIPE_BUF bytes are taken whole or not at all. */
static bool put(int fd, struct str line)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};

    return poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) &&
           write(fd, line.p, line.len) == (ssize_t)line.len;
}

/* The event as one line; without its fields when they do not fit. Empty when there is no memory. */
static void format_line(struct buf *b, enum log_level level, const char *area, const char *msg,
                        const struct log_field *fields)
{
    static const struct log_field none[] = {{.key = NULL}};
    char ts[TIME_TEXT];

    time_format_ms(clock_wall_us(clock_system()), ts);
    for (int try = 0; try < 2; try++) {
        buf_clear(b);
        buf_addf(b, "%s%s", now.format == LOG_JSON ? "{\"ts\":\"" : "", ts);
        (now.format == LOG_JSON ? json_line : text_line)(b, level, area, msg,
                                                         try == 0 ? fields : none);
        buf_add_char(b, '\n');
        if (!b->is_overflow)
            return;
    }
    buf_clear(b);
}

void log_event(enum log_level level, const char *area, const char *msg,
               const struct log_field *fields)
{
    struct buf b = BUF_INIT(MAX_LINE);

    pthread_mutex_lock(&lock);
    if (level <= now.level) {
        format_line(&b, level, area, msg, fields);
        if (file_fd >= 0 && write(file_fd, b.p, b.len) < 0)
            n_dropped++; /* a full disk is told where there is still somebody to hear it */
        if (now.fd >= 0 && !put(now.fd, buf_str(&b))) {
            n_dropped++;
        } else if (n_dropped > 0) {
            format_line(&b, LOG_WARN, "log", "lines were dropped",
                        LOG_FIELDS(LOG_I("lines", n_dropped)));
            if (now.fd >= 0 && put(now.fd, buf_str(&b)))
                n_dropped = 0;
        }
    }
    pthread_mutex_unlock(&lock);
    buf_release(&b);
}

void log_say(struct str line)
{
    pthread_mutex_lock(&lock);
    if (now.fd >= 0 && !put(now.fd, line))
        n_dropped++;
    pthread_mutex_unlock(&lock);
}
