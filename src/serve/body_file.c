/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/body_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

/* Below it a copy costs no more than the calls of a file; above it a file takes more of the disk
 * than is asked of a cache. */
#define FROM_BYTES ((size_t)128 * 1024)
#define MAX_BYTES  ((size_t)4 * 1024 * 1024)
#define MAX_FILES  16
/* A disk's: /tmp may be memory, whose pages are dearer to send. */
#define DIRECTORY "/var/tmp"

#define BLOCK 64 /* bytes that MHD sets aside for what never comes through it */

struct body_file {
    struct replies *replies;
    int fd;
    size_t len; /* of the file: body and frame */
};

static bool write_chunk(int fd, struct str body, size_t *ret_len)
{
    char size[24];
    const int n = snprintf(size, sizeof(size), "%zx\r\n", body.len);
    const struct iovec parts[] = {
        {size, (size_t)n}, {(void *)(uintptr_t)body.p, body.len}, {(void *)(uintptr_t)"\r\n", 2}};

    *ret_len = (size_t)n + body.len + 2;
    return writev(fd, parts, 3) == (ssize_t)*ret_len;
}

struct body_file *body_file_new(struct replies *r, struct str body)
{
    const char *directory = getenv("TMPDIR");
    struct body_file *f = NULL;
    size_t len;

    if (body.len < FROM_BYTES || body.len > MAX_BYTES || r->n_files >= MAX_FILES)
        return NULL;
    const int fd = open(directory && directory[0] ? directory : DIRECTORY,
                        O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 && write_chunk(fd, body, &len))
        f = mem_try(NULL, sizeof(*f));
    if (!f) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    *f = (struct body_file){.replies = r, .fd = fd, .len = len};
    r->n_files++;
    return f;
}

void body_file_free(struct body_file *f)
{
    if (!f)
        return;
    close(f->fd);
    f->replies->n_files--;
    mem_free(f);
}

static void set_cork(const struct connection *c, int is_on)
{
    setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &is_on, sizeof(is_on));
}

/* MHD does not watch a suspended connection. A client that only takes is none that has gone. */
static ssize_t wait_for_client(struct connection *c)
{
    struct epoll_event writable = {.events = EPOLLOUT, .data.ptr = c};

    if (epoll_ctl(c->file.epoll_fd, EPOLL_CTL_ADD, c->fd, &writable) != 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    c->file.is_blocked = true;
    MHD_suspend_connection(c->mhd);
    return 0;
}

/* MHD asks once it has sent the headers, and has nothing of its own under way. */
static ssize_t send_file(void *cls, uint64_t at, char *to, size_t max)
{
    struct connection *c = cls;
    const struct body_file *f = c->file.of;
    off_t from = (off_t)c->file.n_sent;

    (void)at;
    (void)to;
    (void)max;
    if (c->is_given_up)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    const ssize_t n = sendfile(c->fd, f->fd, &from, f->len - c->file.n_sent);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    c->file.n_sent += n > 0 ? (size_t)n : 0;
    return c->file.n_sent == f->len ? MHD_CONTENT_READER_END_OF_STREAM : wait_for_client(c);
}

struct MHD_Response *body_file_reply(const struct body_file *f, struct connection *c, int epoll_fd)
{
    struct MHD_Response *reply =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, send_file, c, NULL);

    if (!reply)
        return NULL;
    c->file.of = f;
    c->file.n_sent = 0;
    c->file.epoll_fd = epoll_fd;
    set_cork(c, 1);
    return reply;
}

bool body_file_wake(struct connection *c, int epoll_fd)
{
    if (!c->file.is_blocked)
        return false;
    c->file.is_blocked = false;
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    MHD_resume_connection(c->mhd);
    return true;
}

void body_file_end(struct connection *c, int epoll_fd)
{
    if (c->file.is_blocked)
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    if (c->file.of)
        set_cork(c, 0); /* the rest goes out */
    c->file.of = NULL;
    c->file.is_blocked = false;
}
