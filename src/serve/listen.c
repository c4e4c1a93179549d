/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/listen.h"

#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 128
/* Bytes of answers that the kernel keeps for each client; left alone it is up to 4 MB, and all
 * connections of clients that do not read then take what the whole machine has for TCP. */
#define SEND_BUFFER  (128 * 1024)
#define STATE_LISTEN 0x0A /* of /proc/net/tcp */

/* The inode of a listening socket on `port`; 0 when `table` has none. */
static unsigned long listening_inode(const char *table, uint16_t port)
{
    unsigned long inode = 0;
    char line[512];
    FILE *f = fopen(table, "re");

    if (!f)
        return 0;
    while (inode == 0 && fgets(line, sizeof(line), f)) {
        unsigned local_port, state;
        unsigned long candidate;
        /* NOLINTNEXTLINE(cert-err34-c): the kernel wrote it */
        if (sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*d %*d %lu",
                   &local_port, &state, &candidate) == 3 &&
            local_port == port && state == STATE_LISTEN)
            inode = candidate;
    }
    fclose(f);
    return inode;
}

static bool has_socket(long pid, unsigned long inode)
{
    bool is_found = false;
    char path[300], target[64], wanted[64];

    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    snprintf(path, sizeof(path), "/proc/%ld/fd", pid);
    DIR *dir = opendir(path);
    if (!dir)
        return false; /* another user's process, or gone */
    for (struct dirent *entry; !is_found && (entry = readdir(dir)) != NULL;) {
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
        if (len > 0) {
            target[len] = '\0';
            is_found = strcmp(target, wanted) == 0;
        }
    }
    closedir(dir);
    return is_found;
}

static long pid_of_inode(unsigned long inode)
{
    long pid = 0;
    int64_t candidate;
    DIR *proc = opendir("/proc");

    if (!proc)
        return 0;
    for (struct dirent *entry; pid == 0 && (entry = readdir(proc)) != NULL;)
        if (str_to_i64(str_of(entry->d_name), 1, INT32_MAX, &candidate) &&
            has_socket((long)candidate, inode))
            pid = (long)candidate;
    closedir(proc);
    return pid;
}

/* " by process 17 (nginx)", or as much of it as can be known. */
static void describe_holder(uint16_t port, char *ret_text, size_t size)
{
    char path[64], name[32] = "";
    unsigned long inode = listening_inode("/proc/net/tcp", port);

    if (inode == 0)
        inode = listening_inode("/proc/net/tcp6", port);
    long pid = inode == 0 ? 0 : pid_of_inode(inode);
    if (pid == 0) {
        snprintf(ret_text, size, " by another process");
        return;
    }
    snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
    FILE *f = fopen(path, "re");
    if (f) {
        if (!fgets(name, sizeof(name), f))
            name[0] = '\0';
        name[strcspn(name, "\n")] = '\0';
        fclose(f);
    }
    snprintf(ret_text, size, " by process %ld%s%s%s", pid, name[0] ? " (" : "", name,
             name[0] ? ")" : "");
}

static enum st bind_error(int errnum, const char *address, uint16_t port, struct err *err)
{
    char holder[96];

    if (errnum == EADDRINUSE) {
        describe_holder(port, holder, sizeof(holder));
        return err_set(err, ST_FATAL,
                       "http: cannot listen on %s port %u: it is in use%s; "
                       "choose another port with --listen ADDR:PORT",
                       address, port, holder);
    }
    if (errnum == EACCES)
        return err_set(err, ST_FATAL,
                       "http: cannot listen on %s port %u: ports below 1024 need privileges; "
                       "choose another port with --listen ADDR:PORT",
                       address, port);
    if (errnum == EADDRNOTAVAIL)
        return err_set(err, ST_FATAL,
                       "http: cannot listen on %s: this machine has no such address; "
                       "choose another with --listen ADDR:PORT",
                       address);
    return err_sys(err, ST_FATAL, errnum, "http: cannot listen on %s port %u", address, port);
}

static uint16_t bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } where = {.v4 = {.sin_port = 0}};
    socklen_t len = sizeof(where);

    if (getsockname(fd, &where.any, &len) != 0)
        return 0;
    return ntohs(where.any.sa_family == AF_INET6 ? where.v6.sin6_port : where.v4.sin_port);
}

enum st listen_open(const char *address, uint16_t port, int *ret_fd, uint16_t *ret_port,
                    struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    char service[8];
    const int on = 1, send_buffer = SEND_BUFFER;

    snprintf(service, sizeof(service), "%u", port);
    int gai = getaddrinfo(address[0] ? address : NULL, service, &hints, &found);
    if (gai != 0)
        return err_set(err, ST_FATAL,
                       "http: cannot listen on \"%s\": %s; give an address with --listen ADDR:PORT",
                       address, gai_strerror(gai));
    int errnum = 0;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* REUSEADDR: a restart need not wait for the old connections' TIME_WAIT; SNDBUF is inherited by
     * what is accepted */
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer)) != 0 ||
        bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
        errnum = errno;
    freeaddrinfo(found);
    if (errnum != 0) {
        if (fd >= 0)
            close(fd);
        return bind_error(errnum, address, port, err);
    }
    *ret_fd = fd;
    *ret_port = bound_port(fd);
    return ST_OK;
}
