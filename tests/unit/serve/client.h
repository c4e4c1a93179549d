/* A raw HTTP client for tests: sends what it is told, reads what comes, waits at most 5 seconds. A
 * signal (libFuzzer has a timer) interrupts sockets with time limits whatever its flags: it is no
 * answer of the server. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_CLIENT_H
#define TESTS_CLIENT_H

#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct client {
    int fd;
    int error;      /* errno of the last read, 0 */
    struct str all; /* everything that was read */
    struct str body;
};

static char client_bytes[24 * 1024 * 1024];

/* from: one of the addresses that lead here, 127.0.0.1 to 127.255.255.254 */
static inline int client_connect_from(uint16_t port, const char *from)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in own = {.sin_family = AF_INET};
    const struct timeval limit = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    int rc = fd < 0 || inet_pton(AF_INET, from, &own.sin_addr) != 1
                 ? -1
                 : bind(fd, (struct sockaddr *)&own, sizeof(own));
    if (rc == 0)
        rc = connect(fd, (struct sockaddr *)&to, sizeof(to));
    while (rc != 0 && errno == EINTR)
        rc = connect(fd, (struct sockaddr *)&to, sizeof(to)); /* waits on for the same one */
    if (rc != 0 && errno != EISCONN) {
        printf("Bail out! connect: %s\n", strerror(errno));
        exit(1);
    }
    return fd;
}

static inline int client_connect(uint16_t port)
{
    return client_connect_from(port, "127.0.0.1");
}

static inline void client_send(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.p, bytes.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* the server has closed, and what it said can be read */
        bytes = (struct str){bytes.p + n, bytes.len - (size_t)n};
    }
}

/* Length of the first answer in `all`; 0 while it is not known. */
static inline size_t client_answer_len(struct str all, bool is_head)
{
    const char *end = memmem(all.p, all.len, "\r\n\r\n", 4);
    const char *field = end ? strcasestr(all.p, "\r\nContent-Length: ") : NULL;

    if (!end || !field || field > end)
        return 0;
    size_t head = (size_t)(end + 4 - all.p);
    return is_head ? head : head + strtoul(field + 18, NULL, 10);
}

/* Read one answer, or until the server closes. */
static inline struct client client_read(int fd, bool is_head)
{
    struct client c = {.fd = fd};
    size_t len = 0, want = 0;

    while (want == 0 || len < want) {
        ssize_t n = recv(fd, client_bytes + len, sizeof(client_bytes) - 1 - len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            c.error = errno;
        if (n <= 0)
            break;
        len += (size_t)n;
        client_bytes[len] = '\0';
        want = client_answer_len((struct str){client_bytes, len}, is_head);
    }
    c.all = (struct str){client_bytes, len};
    const char *end = memmem(client_bytes, len, "\r\n\r\n", 4);
    if (end)
        c.body = (struct str){end + 4, len - (size_t)(end + 4 - client_bytes)};
    return c;
}

static inline struct client client_exchange(uint16_t port, struct str request)
{
    int fd = client_connect(port);

    client_send(fd, request);
    struct client c = client_read(fd, str_starts(request, STR("HEAD ")));
    close(fd);
    return c;
}

/* GET with a User-Agent and further header lines ("Name: value\r\n"). */
static inline struct client client_get(uint16_t port, const char *target, const char *headers)
{
    static char request[65536];
    int len = snprintf(request, sizeof(request),
                       "GET %s HTTP/1.1\r\nHost: t\r\nUser-Agent: test\r\n%s\r\n", target, headers);

    return client_exchange(port, (struct str){request, (size_t)len});
}

/* Status code of what was read; 0: there is none. */
static inline int client_status(const struct client *c)
{
    return c->all.len > 12 && memcmp(c->all.p, "HTTP/1.", 7) == 0
               ? (int)strtol(c->all.p + 9, NULL, 10)
               : 0;
}

/* True when the head of the answer has this line, compared without case. */
static inline bool client_has(const struct client *c, const char *line)
{
    const char *found = c->all.len ? strcasestr(c->all.p, line) : NULL;

    return found && found < c->all.p + c->all.len && (!c->body.p || found < c->body.p);
}

#endif
