/* A body in a file without a name, from which the kernel sends it without a copy (sendfile).
 *
 * libmicrohttpd does that too, but sends the headers by themselves and the file by 128 kB, each
 * with system calls of its own, which costs a page of 190 kB what it gains. So the file holds the
 * body as the one chunk of a chunked answer (RFC 9112, 7.1), which goes out between the headers and
 * the last chunk that libmicrohttpd sends, all in one go.
 *
 * Threads: the HTTP server's. Limits: so many files at a time, and bytes of each.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_BODY_FILE_H
#define SERVE_BODY_FILE_H

#include "serve/connections.h"
#include "serve/reply.h"

#include <microhttpd.h>

struct body_file;

/* Of a body that pays for it; NULL: it does not, or there is no room for a file. */
struct body_file *body_file_new(struct replies *r, struct str body);
void body_file_free(struct body_file *f); /* NULL is fine */

/* What MHD answers *c with; epoll_fd is told of c where the client is slower than we are. f has to
 * stay until body_file_end(). NULL when there is no memory. */
struct MHD_Response *body_file_reply(const struct body_file *f, struct connection *c, int epoll_fd);

/* Go on where the client has been waited for; false: it was not. */
bool body_file_wake(struct connection *c, int epoll_fd);

/* The answer is sent, or given up. */
void body_file_end(struct connection *c, int epoll_fd);

#endif
