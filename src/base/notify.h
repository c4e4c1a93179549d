/* What the service manager is told: datagrams of NAME=value lines to the socket that it names in
 * $NOTIFY_SOCKET (sd_notify(3)); a path, or "@name" in the abstract namespace.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include "base/err.h"

#include <sys/socket.h>
#include <sys/un.h>

struct notify {
    int fd; /* -1: nobody listens */
    struct sockaddr_un to;
    socklen_t to_len;
};

/* name: of the socket; NULL or "": nobody listens, and that is fine. ST_REJECT: no such name can
 * be; then nobody listens either. */
enum st notify_open(struct notify *n, const char *name, struct err *err) MUST_USE;
void notify_close(struct notify *n);

/* Send lines, as "READY=1\nSTATUS=…"; waits for at most a second. ST_AGAIN: it was not taken. */
enum st notify_send(const struct notify *n, const char *lines, struct err *err) MUST_USE;

#endif
