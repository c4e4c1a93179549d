/* SPDX-License-Identifier: Apache-2.0 */
#include "base/notify.h"

#include "tap.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* A socket with an abstract name that ends where it is said to. */
static int listen_at(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memcpy(at.sun_path + 1, name, strlen(name));
    if (bind(fd, (const struct sockaddr *)&at,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))) == 0)
        return fd;
    close(fd);
    return -1;
}

static void lines_reach_an_abstract_socket_whole(void)
{
    struct err err = ERR_INIT;
    char name[64], address[65], got[128];
    struct notify n;

    snprintf(name, sizeof(name), "geckotape-test-%ld", (long)getpid());
    snprintf(address, sizeof(address), "@%s", name);
    const int fd = listen_at(name);
    CHECK(fd >= 0);
    CHECK_OK(notify_open(&n, address, &err), err);
    CHECK_OK(notify_send(&n, "READY=1\nSTATUS=fine", &err), err);
    const ssize_t len = recv(fd, got, sizeof(got), 0);
    notify_close(&n);
    close(fd);
    CHECK(len > 0);
    CHECK_STR(((struct str){got, (size_t)len}), "READY=1\nSTATUS=fine");
}

static void without_a_name_nobody_is_told(void)
{
    struct err err = ERR_INIT;
    struct notify n;

    CHECK_OK(notify_open(&n, NULL, &err), err);
    CHECK_OK(notify_send(&n, "READY=1", &err), err);
    CHECK_OK(notify_open(&n, "", &err), err);
    CHECK_OK(notify_send(&n, "READY=1", &err), err);
    CHECK_EQ(n.fd, -1);
    notify_close(&n);
}

static void names_that_cannot_be_are_refused(void)
{
    char too_long[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
    const char *const bad[] = {"relative", "/", "@", "vsock:2:1234", too_long};

    memset(too_long, 'x', sizeof(too_long) - 1);
    too_long[0] = '/';
    too_long[sizeof(too_long) - 1] = '\0';
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = ERR_INIT;
        struct notify n;
        CHECK_EQ(notify_open(&n, bad[i], &err), ST_REJECT);
        CHECK(strstr(err.msg, "NOTIFY_SOCKET=") != NULL);
        CHECK_OK(notify_send(&n, "READY=1", &err), err);
    }
}

static void a_socket_that_is_not_there_is_told_of(void)
{
    struct err err = ERR_INIT;
    struct notify n;

    CHECK_OK(notify_open(&n, "/nonexistent/notify", &err), err);
    CHECK_EQ(notify_send(&n, "READY=1", &err), ST_AGAIN);
    notify_close(&n);
}

TAP_MAIN(TAP_CASE(lines_reach_an_abstract_socket_whole), TAP_CASE(without_a_name_nobody_is_told),
         TAP_CASE(names_that_cannot_be_are_refused),
         TAP_CASE(a_socket_that_is_not_there_is_told_of))
