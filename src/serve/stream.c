/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/stream.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#define BLOCK 4096 /* bytes that are asked for at once */

/* A client that takes nothing of what it was sent for so long has gone, or does not read. */
#define TAKING_TIMEOUT_MS 60000

static ssize_t read_stream(void *cls, uint64_t at, char *to, size_t max)
{
    struct connection *c = cls;

    (void)at;
    ssize_t n = c->is_given_up ? -1 : c->stream.read(c->stream.ctx, to, max);
    if (n < 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (n == 0) {
        c->is_asleep = true;
        MHD_suspend_connection(c->mhd);
    }
    return n;
}

struct MHD_Response *stream_reply(struct connection *c, int epoll_fd)
{
    /* MHD does not watch a suspended connection; the edge comes once, also while it is awake */
    struct epoll_event hangup = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = c};
    const unsigned timeout_ms = TAKING_TIMEOUT_MS;

    setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &hangup);
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, read_stream, c, NULL);
}

bool stream_wake(struct connection *c)
{
    if (!c->is_asleep)
        return false;
    c->is_asleep = false;
    MHD_resume_connection(c->mhd);
    return true;
}

void stream_end(struct connection *c, int epoll_fd)
{
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    c->stream.closed(c->stream.ctx);
    c->stream = (struct http_stream){.read = NULL};
    c->is_given_up = false;
}
