/* SPDX-License-Identifier: Apache-2.0 */
#include "control/words.h"

#include "base/clock.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLIENT_US (5 * US_PER_S)            /* to send a request; to take a part of the answer */
#define MAX_SAY   ((size_t)8 * 1024 * 1024) /* bytes of one control_say() */
#define BACKLOG   16
#define PAUSE_MS  100 /* when the system has no descriptor left */

struct control_reply {
    struct control *server;
    int fd;
    bool has_gone;
};

/* The one thread of a client. Filled and joined by the accepting thread. */
struct client {
    struct control_reply reply;
    pthread_t thread;
    bool is_used;
    atomic_bool has_left; /* its thread has nothing more to do */
};

struct control {
    struct control_setup setup;
    int fd, dir_fd, stop_fd;
    struct sockaddr_un address;
    pthread_t thread;
    bool is_running;
    atomic_bool is_stopping;
    struct client clients[CONTROL_MAX_CLIENTS];
};

/* ---- sending ---- */

/* Wait until the client is ready, the server stops, or the time is over: then false. */
static bool wait_client(const struct control_reply *reply, short events, int64_t until_us)
{
    struct pollfd both[] = {{.fd = reply->fd, .events = events},
                            {.fd = reply->server->stop_fd, .events = POLLIN}};
    int64_t left_us = until_us - clock_mono_us(clock_system());

    if (left_us <= 0)
        return false;
    int n = poll(both, 2, (int)(left_us / US_PER_MS) + 1);
    return (n > 0 && both[1].revents == 0) || (n < 0 && errno == EINTR);
}

static bool send_all(struct control_reply *reply, struct str bytes)
{
    int64_t until_us = clock_mono_us(clock_system()) + CLIENT_US;

    while (bytes.len > 0 && !reply->has_gone) {
        ssize_t n = send(reply->fd, bytes.p, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            bytes = (struct str){bytes.p + n, bytes.len - (size_t)n};
            until_us = clock_mono_us(clock_system()) + CLIENT_US;
        } else if (errno == EINTR) {
            continue;
        } else {
            reply->has_gone = errno != EAGAIN || !wait_client(reply, POLLOUT, until_us);
        }
    }
    return !reply->has_gone;
}

bool control_is_open(struct control_reply *reply)
{
    struct pollfd client = {.fd = reply->fd};

    /* half-closed by a client that has said all is still open */
    if (poll(&client, 1, 0) > 0 && (client.revents & (POLLHUP | POLLERR | POLLNVAL)))
        reply->has_gone = true;
    return !reply->has_gone && !atomic_load(&reply->server->is_stopping);
}

bool control_say(struct control_reply *reply, const char *fmt, ...)
{
    struct buf text = BUF_INIT(MAX_SAY), lines = BUF_INIT(2 * MAX_SAY);
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&text, fmt, ap);
    va_end(ap);
    struct str rest = buf_str(&text), line;
    while (rest.len > 0) {
        str_cut(&rest, '\n', &line);
        if (line.len > 0 && line.p[0] == '.')
            buf_add_char(&lines, '.');
        buf_add_str(&lines, line);
        buf_add_char(&lines, '\n');
    }
    bool is_sent = send_all(reply, buf_str(&lines));
    buf_release(&lines);
    buf_release(&text);
    return is_sent && control_is_open(reply);
}

bool control_progress(struct control_reply *reply, const char *text)
{
    struct buf line = BUF_INIT(1024);

    buf_add_z(&line, ".progress ");
    buf_add_clean(&line, str_of(text), 512);
    buf_add_char(&line, '\n');
    bool is_sent = send_all(reply, buf_str(&line));
    buf_release(&line);
    return is_sent && control_is_open(reply);
}

static void send_end(struct control_reply *reply, enum st st, const struct err *err)
{
    struct buf line = BUF_INIT(2 * ERR_MSG_SIZE);

    buf_add_z(&line, st == ST_OK ? ".done" : st == ST_AGAIN ? ".again " : ".failed ");
    if (st != ST_OK)
        buf_add_clean(&line, str_of(err->msg), ERR_MSG_SIZE);
    buf_add_char(&line, '\n');
    send_all(reply, buf_str(&line));
    buf_release(&line);
}

/* ---- a client ---- */

/* Its line, NUL in place of its end; what follows is not read. */
static enum st read_line(struct control_reply *reply, struct buf *line, struct err *err)
{
    int64_t until_us = clock_mono_us(clock_system()) + CLIENT_US;
    char *end = NULL;

    while (end == NULL) {
        if (!wait_client(reply, POLLIN, until_us))
            return err_set(err, ST_AGAIN, "no whole request came in time");
        size_t left = line->max - line->len;
        char *room = left > 0 ? buf_room(line, left) : NULL;
        if (room == NULL)
            return err_set(err, ST_FATAL, "a request of more than %d bytes", CONTROL_MAX_REQUEST);
        ssize_t n = recv(reply->fd, room, left, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0) {
            reply->has_gone = n < 0;
            return err_set(err, ST_FATAL, "a request ends with a line feed");
        }
        buf_added(line, (size_t)n);
        end = memchr(room, '\n', (size_t)n);
    }
    if (memchr(line->p, '\0', (size_t)(end - line->p)))
        return err_set(err, ST_FATAL, "a request holds no NUL");
    *end = '\0';
    return ST_OK;
}

static void *client_main(void *arg)
{
    struct client *client = arg;
    struct control_reply *reply = &client->reply;
    const struct control_setup *setup = &reply->server->setup;
    struct buf line = BUF_INIT(CONTROL_MAX_REQUEST);
    struct control_request request;
    struct err err = ERR_INIT;

    send_all(reply, STR(".\n"));
    enum st st = read_line(reply, &line, &err);
    if (st == ST_OK && !control_parse(line.p, &request))
        st = err_set(&err, ST_FATAL, "a request is words, percent-encoded, one space between");
    if (st == ST_OK)
        st = setup->handle(setup->ctx, &request, reply, &err);
    send_end(reply, st, &err);
    shutdown(reply->fd, SHUT_RDWR);
    buf_release(&line);
    atomic_store(&client->has_left, true);
    return NULL;
}

/* ---- the accepting thread ---- */

/* Join those that are done; all: wait for the others too. */
static void reap_clients(struct control *c, bool all)
{
    for (size_t i = 0; i < CONTROL_MAX_CLIENTS; i++) {
        struct client *client = &c->clients[i];
        if (!client->is_used || (!all && !atomic_load(&client->has_left)))
            continue;
        pthread_join(client->thread, NULL);
        close(client->reply.fd);
        client->is_used = false;
    }
}

/* Root and whoever runs this process; the socket's mode says the same. */
static bool is_allowed(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void turn_away(struct control *c, int fd, const char *why)
{
    struct control_reply reply = {.server = c, .fd = fd};
    struct err err = ERR_INIT;

    send_end(&reply, err_set(&err, ST_AGAIN, "%s", why), &err);
    close(fd);
}

static void take_client(struct control *c, int fd)
{
    struct client *free_one = NULL;

    if (!is_allowed(fd)) {
        close(fd);
        return;
    }
    reap_clients(c, false);
    for (size_t i = 0; i < CONTROL_MAX_CLIENTS && free_one == NULL; i++)
        if (!c->clients[i].is_used)
            free_one = &c->clients[i];
    if (free_one == NULL) {
        turn_away(c, fd, "too many ask at once; try again when one is done");
        return;
    }
    free_one->reply = (struct control_reply){.server = c, .fd = fd};
    atomic_store(&free_one->has_left, false);
    if (pthread_create(&free_one->thread, NULL, client_main, free_one) != 0)
        turn_away(c, fd, "the system gives no more threads; try again later");
    else
        free_one->is_used = true;
}

static void *accept_main(void *arg)
{
    struct control *c = arg;
    struct pollfd both[] = {{.fd = c->fd, .events = POLLIN}, {.fd = c->stop_fd, .events = POLLIN}};

    while (!atomic_load(&c->is_stopping)) {
        if (poll(both, 2, -1) < 0 || both[1].revents != 0)
            continue;
        int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            take_client(c, fd);
        else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            poll(&both[1], 1, PAUSE_MS);
    }
    return NULL;
}

/* ---- start and stop ---- */

static enum st listen_there(struct control *c, struct err *err)
{
    const char *path = c->address.sun_path;
    struct stat there;

    if (lstat(path, &there) == 0 && !S_ISSOCK(there.st_mode))
        return err_set(err, ST_FATAL, "is no socket; move it away");
    if (unlink(path) != 0 && errno != ENOENT)
        return err_sys(err, ST_FATAL, errno, "remove the old socket");
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return err_sys(err, ST_FATAL, errno, "socket");
    /* before bind(): the name never has another mode */
    if (fchmod(c->fd, 0600) != 0 ||
        bind(c->fd, (const struct sockaddr *)&c->address, sizeof(c->address)) != 0 ||
        listen(c->fd, BACKLOG) != 0)
        return err_sys(err, ST_FATAL, errno, "listen");
    return ST_OK;
}

enum st control_start(const struct control_setup *setup, struct control **ret_control,
                      struct err *err)
{
    struct control *c = mem_new(1, sizeof(*c));

    c->setup = *setup;
    c->fd = c->dir_fd = -1;
    c->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    enum st st = control_address(setup->data_dir, &c->address, &c->dir_fd, err);
    if (st == ST_OK && c->stop_fd < 0)
        st = err_sys(err, ST_FATAL, errno, "eventfd");
    if (st == ST_OK)
        st = listen_there(c, err);
    int rc = st == ST_OK ? pthread_create(&c->thread, NULL, accept_main, c) : 0;
    if (rc != 0)
        st = err_sys(err, ST_FATAL, rc, "start a thread");
    c->is_running = st == ST_OK;
    if (st != ST_OK) {
        control_stop(c);
        return err_wrap(err, ST_FATAL, "%s/control.sock: ", setup->data_dir);
    }
    *ret_control = c;
    return ST_OK;
}

void control_stop(struct control *c)
{
    const uint64_t one = 1;

    if (c == NULL)
        return;
    atomic_store(&c->is_stopping, true);
    if (c->stop_fd >= 0 && write(c->stop_fd, &one, sizeof(one)) < 0)
        assert(errno == EAGAIN); /* it is readable already */
    if (c->is_running) {
        unlink(c->address.sun_path); /* nobody new waits for an answer that will not come */
        pthread_join(c->thread, NULL);
        reap_clients(c, true);
    }
    if (c->fd >= 0)
        close(c->fd);
    if (c->stop_fd >= 0)
        close(c->stop_fd);
    if (c->dir_fd >= 0)
        close(c->dir_fd);
    mem_free(c);
}
