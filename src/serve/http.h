/* The HTTP server: libmicrohttpd behind one handler function.
 *
 * One thread, epoll, bounded memory per connection and in total; bodies are whole in memory. GET
 * and HEAD everywhere, POST on one path; all else gets 405 before the handler sees it. A request
 * has to be whole within 75 s. Answers of 1 kB and more are gzipped for clients that ask.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include "base/buf.h"
#include "base/err.h"

struct http_request;

/* Path, percent-decoded. */
struct str http_path(const struct http_request *req);

/* Value of a query parameter, percent-decoded; p is NULL when it is not there. */
struct str http_query(const struct http_request *req, const char *name);

/* Value of a request header; p is NULL when it is not there. */
struct str http_header(const struct http_request *req, const char *name);

bool http_is_post(const struct http_request *req);

/* What a POST brought, HTTP_MAX_REQUEST bytes at most: longer ones get 413 before. */
struct str http_request_body(const struct http_request *req);

#define HTTP_MAX_REQUEST 4096
#define HTTP_MAX_HEADERS 16

struct http_response {
    int status;               /* 200 when the handler leaves it */
    const char *content_type; /* static; "application/json; charset=utf-8" when left */
    struct buf body;          /* ceiling HTTP_MAX_BODY; on overflow the client gets a 500 */
    struct {
        const char *name; /* static */
        char value[128];
    } headers[HTTP_MAX_HEADERS];
    size_t n_headers;

    /* faults, for the simulator */
    int64_t delay_us; /* send nothing until then; -1: never, until the client gives up */
    size_t cut_after; /* send this many bytes of the body, then reset the connection; 0: all */
};

#define HTTP_MAX_BODY (64u * 1024 * 1024)

void http_add_header(struct http_response *res, const char *name, const char *fmt, ...)
    PRINTF(3, 4);

/* Called on the server's thread, one request at a time. */
typedef void http_handler(void *ctx, const struct http_request *req, struct http_response *res);

struct http_setup {
    char address[64];      /* "127.0.0.1" or "::1" … */
    uint16_t port;         /* 0: any free one */
    const char *post_path; /* the one that takes POST; NULL: none */
    http_handler *handler;
    void *ctx;
};

struct http_server;

/* Start serving. ST_FATAL when the address cannot be had: the message names it, the process that
 * holds it where that can be found out, and --listen. Owner: http_stop(). */
enum st http_start(const struct http_setup *setup, struct http_server **ret_server,
                   struct err *err) MUST_USE;
uint16_t http_port(const struct http_server *s);
void http_stop(struct http_server *s); /* NULL is fine; waits for the thread */

#endif
