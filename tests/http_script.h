/* A plain HTTP server for C tests, in a thread: answers the nth request with the nth step of a
 * script (the last one again for every later request) and remembers what it was asked.
 *
 *     struct http_script s;
 *     http_script_start(&s, (const struct http_step[]){{.answer = "HTTP/1.1 200 OK\r\n…"}}, 1);
 *     … s.url, s.n_requests, s.asked …
 *     http_script_stop(&s);
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_HTTP_SCRIPT_H
#define TESTS_HTTP_SCRIPT_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HTTP_SCRIPT_CONNECTIONS 8
#define HTTP_SCRIPT_ASKED       65536

struct http_step {
    const char *answer; /* status line, headers, body; NULL: say nothing, keep the connection */
    size_t len;         /* of answer; 0: strlen */
    size_t n_filler;    /* then so many times 'x' */
    bool is_closed;     /* then hang up */
    bool has_date;      /* a "Date: <now>" header goes behind the status line */
};

struct http_script {
    char url[64]; /* "http://127.0.0.1:PORT" */
    atomic_int n_requests;
    atomic_int n_connections;
    char asked[HTTP_SCRIPT_ASKED]; /* all requests as sent, read it after http_script_stop() */
    size_t n_asked;

    const struct http_step *steps;
    size_t n_steps;
    pthread_t thread;
    int listener, stop[2];
};

static void http_script_send(int fd, const void *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = send(fd, (const char *)bytes + at, len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        at += (size_t)n;
    }
}

static void http_script_answer(int fd, const struct http_step *step)
{
    static const char filler[65536] = {[0 ... 65535] = 'x'};
    const char *answer = step->answer;
    size_t len = step->len > 0 ? step->len : strlen(answer);

    if (step->has_date) {
        char date[64];
        time_t now = time(NULL);
        struct tm tm;
        gmtime_r(&now, &tm);
        size_t n = strftime(date, sizeof(date), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
        size_t line = (size_t)(strchr(answer, '\n') + 1 - answer);
        http_script_send(fd, answer, line);
        http_script_send(fd, date, n);
        answer += line;
        len -= line;
    }
    http_script_send(fd, answer, len);
    for (size_t left = step->n_filler; left > 0;) {
        size_t n = left < sizeof(filler) ? left : sizeof(filler);
        http_script_send(fd, filler, n);
        left -= n;
    }
}

/* One request has come whole (none of ours has a body); false when the connection is over. */
static bool http_script_serve(struct http_script *s, int fd)
{
    char request[8192];
    size_t n = 0;

    do {
        ssize_t got = recv(fd, request + n, sizeof(request) - 1 - n, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        request[n] = '\0';
    } while (strstr(request, "\r\n\r\n") == NULL && n < sizeof(request) - 1);
    if (s->n_asked + n < sizeof(s->asked)) {
        memcpy(s->asked + s->n_asked, request, n);
        s->n_asked += n;
    }
    size_t i = (size_t)atomic_fetch_add(&s->n_requests, 1);
    const struct http_step *step = &s->steps[i < s->n_steps ? i : s->n_steps - 1];
    if (step->answer)
        http_script_answer(fd, step);
    return !step->is_closed;
}

static void *http_script_run(void *arg)
{
    struct http_script *s = arg;
    struct pollfd fds[2 + HTTP_SCRIPT_CONNECTIONS] = {
        {.fd = s->listener, .events = POLLIN},
        {.fd = s->stop[0], .events = POLLIN},
    };
    nfds_t n = 2;

    while (poll(fds, n, -1) > 0 && fds[1].revents == 0) {
        for (nfds_t i = 2; i < n; i++)
            if (fds[i].revents && !http_script_serve(s, fds[i].fd)) {
                close(fds[i].fd);
                fds[i--] = fds[--n];
            }
        if (fds[0].revents && n < sizeof(fds) / sizeof(fds[0])) {
            fds[n++] = (struct pollfd){.fd = accept(s->listener, NULL, NULL), .events = POLLIN};
            atomic_fetch_add(&s->n_connections, 1);
        }
    }
    while (n > 2)
        close(fds[--n].fd);
    return NULL;
}

static inline void http_script_start(struct http_script *s, const struct http_step *steps,
                                     size_t n_steps)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    memset(s, 0, sizeof(*s));
    s->steps = steps;
    s->n_steps = n_steps;
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&at, len) != 0 ||
        listen(s->listener, 16) != 0 || getsockname(s->listener, (struct sockaddr *)&at, &len) ||
        pipe(s->stop) != 0 || pthread_create(&s->thread, NULL, http_script_run, s) != 0) {
        perror("http_script");
        abort();
    }
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", ntohs(at.sin_port));
}

/* A port of 127.0.0.1 that refuses all: it is taken, and nobody listens. To be closed by *ret_fd.
 */
static inline int http_script_refuse(int *ret_fd)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    *ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*ret_fd < 0 || bind(*ret_fd, (struct sockaddr *)&at, len) != 0 ||
        getsockname(*ret_fd, (struct sockaddr *)&at, &len) != 0) {
        perror("http_script");
        abort();
    }
    return ntohs(at.sin_port);
}

static inline void http_script_stop(struct http_script *s)
{
    close(s->stop[1]);
    pthread_join(s->thread, NULL);
    close(s->stop[0]);
    close(s->listener);
}

#endif
