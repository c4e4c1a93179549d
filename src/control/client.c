/* SPDX-License-Identifier: Apache-2.0 */
#include "control/words.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_S  10                         /* until the first line */
#define MAX_LINE  ((size_t)16 * 1024 * 1024) /* bytes of one line of an answer */
#define READ_SIZE ((size_t)16 * 1024)

struct call {
    int fd;
    const char *data_dir;
    const struct control_watch *watch;
    struct buf answer; /* what is read and not yet handed on */
    size_t n_searched; /* of it, for the end of a line */
    bool is_alive;     /* the first line came */
    bool is_over;      /* the last line came */
};

static enum st nobody(const char *data_dir, struct err *err)
{
    return err_sys(err, ST_REJECT, ECONNREFUSED, "%s: no geckotape answers there", data_dir);
}

static enum st open_socket(struct call *c, struct err *err)
{
    const struct timeval patience = {.tv_sec = ANSWER_S};
    struct sockaddr_un address;
    int dir_fd;

    enum st st = control_address(c->data_dir, &address, &dir_fd, err);
    if (st == ST_REJECT)
        return nobody(c->data_dir, err);
    if (st != ST_OK)
        return st;
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        st = err_sys(err, ST_AGAIN, errno, "socket");
    } else {
        setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        if (connect(c->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
            st = ST_OK;
        else if (errno == ECONNREFUSED || errno == ENOENT || errno == ENOTSOCK || errno == ENOTDIR)
            st = nobody(c->data_dir, err);
        else
            st = err_sys(err, errno == EAGAIN ? ST_AGAIN : ST_FATAL, errno, "%s/control.sock",
                         c->data_dir);
    }
    if (dir_fd >= 0)
        close(dir_fd);
    return st;
}

static enum st send_request(struct call *c, const struct buf *request, struct err *err)
{
    struct buf line = BUF_INIT(CONTROL_MAX_REQUEST);

    buf_add_str(&line, buf_str(request));
    buf_add_char(&line, '\n');
    enum st st = buf_check(request, "the request", err);
    if (st == ST_OK)
        st = buf_check(&line, "the request", err);
    for (size_t at = 0; st == ST_OK && at < line.len;) {
        ssize_t n = send(c->fd, line.p + at, line.len - at, MSG_NOSIGNAL);
        if (n > 0)
            at += (size_t)n;
        else if (errno == EPIPE || errno == ECONNRESET)
            break; /* it has its say already: read it */
        else if (errno != EINTR)
            st = err_sys(err, ST_AGAIN, errno, "%s/control.sock", c->data_dir);
    }
    buf_release(&line);
    return st == ST_REJECT ? ST_FATAL : st;
}

/* A line that begins with one '.': that it began, how far it is, or how it ends. */
static enum st take_mark(struct call *c, struct str mark, struct err *err)
{
    struct str word;
    bool has_why = str_cut(&mark, ' ', &word);

    if (str_eq(word, STR(".progress"))) {
        if (c->watch->progress)
            c->watch->progress(c->watch->ctx, mark);
        return ST_OK;
    }
    c->is_over = word.len > 1;
    if (str_eq(word, STR(".")) || str_eq(word, STR(".done")))
        return ST_OK;
    return err_set(err, str_eq(word, STR(".again")) ? ST_AGAIN : ST_FATAL, "%.*s",
                   STR_ARG(has_why ? mark : word));
}

/* Hand on the whole lines that have come. */
static enum st take_lines(struct call *c, struct err *err)
{
    struct str rest = buf_str(&c->answer);
    size_t n_searched = c->n_searched; /* a long line is not searched from its begin each time */
    enum st st = ST_OK;

    while (st == ST_OK && !c->is_over && rest.len > 0) {
        const char *end = memchr(rest.p + n_searched, '\n', rest.len - n_searched);
        if (end == NULL)
            break;
        n_searched = 0;
        struct str line = {rest.p, (size_t)(end - rest.p)};
        rest = (struct str){end + 1, rest.len - line.len - 1};
        c->is_alive = true;
        bool is_stuffed = str_starts(line, STR(".."));
        if (line.len > 0 && line.p[0] == '.' && !is_stuffed)
            st = take_mark(c, line, err);
        else
            c->watch->line(c->watch->ctx,
                           is_stuffed ? (struct str){line.p + 1, line.len - 1} : line);
    }
    if (rest.len > 0 && rest.len < c->answer.len)
        memmove(c->answer.p, rest.p, rest.len);
    c->answer.len = c->n_searched = rest.len;
    return st;
}

static enum st read_more(struct call *c, struct err *err)
{
    char *room = buf_room(&c->answer, READ_SIZE);

    if (room == NULL)
        return err_set(err, ST_FATAL, "%s/control.sock: a line of more than %zu bytes", c->data_dir,
                       MAX_LINE);
    ssize_t n = recv(c->fd, room, READ_SIZE, 0);
    if (n > 0) {
        buf_added(&c->answer, (size_t)n);
        return ST_OK;
    }
    if (n < 0 && errno == EINTR)
        return ST_OK;
    if (n < 0 && errno == EAGAIN) {
        if (c->is_alive)
            return ST_OK; /* it works */
        return err_sys(err, ST_AGAIN, ETIMEDOUT,
                       "%s/control.sock: the geckotape that holds this directory does not answer",
                       c->data_dir);
    }
    return err_set(err, ST_AGAIN,
                   "%s: the geckotape that holds this directory went away before it was done",
                   c->data_dir);
}

enum st control_call(const char *data_dir, const struct buf *request,
                     void (*line)(void *ctx, struct str text), void *ctx, struct err *err)
{
    const struct control_watch watch = {.ctx = ctx, .line = line};
    return control_watch(data_dir, request, &watch, err);
}

enum st control_watch(const char *data_dir, const struct buf *request,
                      const struct control_watch *watch, struct err *err)
{
    struct call c = {.fd = -1, .data_dir = data_dir, .watch = watch, .answer = BUF_INIT(MAX_LINE)};

    enum st st = open_socket(&c, err);
    if (st == ST_OK)
        st = send_request(&c, request, err);
    while (st == ST_OK && !c.is_over) {
        st = read_more(&c, err);
        if (st == ST_OK)
            st = take_lines(&c, err);
    }
    if (c.fd >= 0)
        close(c.fd);
    buf_release(&c.answer);
    return st;
}
