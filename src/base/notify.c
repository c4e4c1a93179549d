/* SPDX-License-Identifier: Apache-2.0 */
#include "base/notify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum st notify_open(struct notify *n, const char *name, struct err *err)
{
    const struct timeval patience = {.tv_sec = 1};
    const size_t len = name ? strlen(name) : 0;

    *n = (struct notify){.fd = -1, .to = {.sun_family = AF_UNIX}};
    if (len == 0)
        return ST_OK;
    if ((name[0] != '/' && name[0] != '@') || len < 2)
        return err_set(err, ST_REJECT, "NOTIFY_SOCKET=%.64s: neither a path nor @name", name);
    if (len >= sizeof(n->to.sun_path))
        return err_set(err, ST_REJECT, "NOTIFY_SOCKET=%.64s…: longer than a socket's name can be",
                       name);
    memcpy(n->to.sun_path, name, len + 1);
    if (name[0] == '@')
        n->to.sun_path[0] = '\0';
    /* an abstract name is as long as it is said to be; it has no end of its own */
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'));
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (n->fd < 0)
        return err_sys(err, ST_AGAIN, errno, "NOTIFY_SOCKET");
    (void)setsockopt(n->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    return ST_OK;
}

void notify_close(struct notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    n->fd = -1;
}

enum st notify_send(const struct notify *n, const char *lines, struct err *err)
{
    ssize_t sent;

    if (n->fd < 0)
        return ST_OK;
    do
        sent = sendto(n->fd, lines, strlen(lines), MSG_NOSIGNAL, (const struct sockaddr *)&n->to,
                      n->to_len);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? err_sys(err, ST_AGAIN, errno, "NOTIFY_SOCKET") : ST_OK;
}
