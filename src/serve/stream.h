/* Connections whose answer is a stream: suspended while there is nothing to send, at no cost but
 * their memory.
 *
 * Threads: the HTTP server's.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_STREAM_H
#define SERVE_STREAM_H

#include "serve/connections.h"

/* What MHD sends of c->stream; epoll_fd then tells of c when its client hangs up. NULL when there
 * is no memory. */
struct MHD_Response *stream_reply(struct connection *c, int epoll_fd);

/* Let it be read again; where it is given up, it ends. Returns whether it was asleep. */
bool stream_wake(struct connection *c);

/* The client has gone. */
void stream_end(struct connection *c, int epoll_fd);

#endif
