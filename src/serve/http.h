/* The HTTP server: libmicrohttpd behind one handler function.
 *
 * One thread, epoll, bounded memory per connection and in total; bodies are whole in memory, or
 * streams. GET, HEAD and OPTIONS everywhere, POST where it is taken; all else gets 405 before the
 * handler sees it.
 * A request has to be whole within 75 s, and to fit in 16 kB, of which each parameter takes some 60
 * bytes more: else it is 414 or 431, or nothing at all where there is no room to say so. Answers of
 * 1 kB and more are packed (zstd, gzip) for clients that ask; each with status 200 has an ETag, and
 * is a 304 for who has it.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_HTTP_H
#define SERVE_HTTP_H

#include "base/buf.h"
#include "base/err.h"
#include "base/pulse.h"

#include <sys/types.h>

struct http_request;

/* Path, percent-decoded. */
struct str http_path(const struct http_request *req);

/* Value of a query parameter, percent-decoded; p is NULL when it is not there. Where the operation
 * that answers is known, one that it says it takes. */
struct str http_query(const struct http_request *req, const char *name);

/* The same of any parameter, also of one that the operation does not take: for what is not served
 * here. */
struct str http_query_beyond(const struct http_request *req, const char *name);

/* Value of a request header; p is NULL when it is not there. */
struct str http_header(const struct http_request *req, const char *name);

/* Append path and query, decoded: the same for two requests that ask the same in the same order. */
void http_add_target(const struct http_request *req, struct buf *b);

/* Append what tells this request from every other: path and query, none of whose characters can be
 * taken for another's. */
void http_add_key(const struct http_request *req, struct buf *b);

/* The ticket that the request has waited for, or has found no room to wait for; 0: it has not. */
uint64_t http_waited_for(const struct http_request *req);

bool http_is_post(const struct http_request *req);

/* What a POST brought, HTTP_MAX_REQUEST bytes at most: longer ones get 413 before. */
struct str http_request_body(const struct http_request *req);

#define HTTP_MAX_WAITING 256 /* requests at a time, so that others find room */

#define HTTP_MAX_REQUEST 4096
#define HTTP_MAX_HEADERS 24

/* What the simulator wants broken. */
struct http_faults {
    int64_t delay_us;  /* send nothing until then; -1: never, until the client gives up */
    size_t cut_after;  /* send this many bytes of the body, then hang up; 0: all */
    size_t n_promised; /* Content-Length tells of so many bytes more than come; then hang up */
    bool is_gzip_cut;  /* half of a gzip stream, with a Content-Length that fits it */
    bool is_reset;     /* reset the connection instead of answering */
};

struct http_page; /* serve/page.h */

/* An answer without an end, whose bytes come as they are made. Called on the server's thread. */
struct http_stream {
    /* Write at most max bytes to `to` and return how many; 0: none now, the client sleeps until
     * http_wake_streams(); -1: hang up on it. NULL: the answer is no stream. */
    ssize_t (*read)(void *ctx, char *to, size_t max);
    void (*closed)(void *ctx); /* the client has gone: the last call */
    void *ctx;
};

/* At the same time; who wants one beyond them gets 503. */
#define HTTP_MAX_STREAMS 1200

/* What an answer of our own API has of what upstream would say. */
enum answer_part {
    ANSWER_UNSURE,
    ANSWER_WHOLE,
    ANSWER_LACKS, /* coins or currencies that were asked for */
};

struct http_response {
    int status;               /* 200 when the handler leaves it */
    const char *content_type; /* static; "application/json; charset=utf-8" when left */
    struct buf body;          /* ceiling HTTP_MAX_BODY; on overflow the client gets a 500 */
    size_t n_headers;
    int64_t as_of_us;      /* when what it tells was known; 0: it does not say */
    enum answer_part part; /* how much of what was asked for the store had */
    int64_t seen_us;       /* ANSWER_WHOLE: when all of it was seen last */
    /* Nothing is answered yet: the handler is called once more for the request, with this ticket,
     * by http_resume() or after wait_us; 0: it is answered */
    uint64_t wait_for;
    int64_t wait_us;
    struct http_page *page;    /* instead of all above: a whole answer, given away */
    struct http_faults faults; /* none where the handler leaves them */
    struct http_stream stream; /* instead of a body, where its read is set */
    struct {
        const char *name; /* static */
        char value[128];
    } headers[HTTP_MAX_HEADERS]; /* last: most of an answer, and not touched where there are none */
};

#define HTTP_MAX_BODY (64u * 1024 * 1024)

void http_add_header(struct http_response *res, const char *name, const char *fmt, ...)
    PRINTF(3, 4);

/* Called on the server's thread, one request at a time. */
typedef void http_handler(void *ctx, const struct http_request *req, struct http_response *res);

struct http_server;

struct http_setup {
    char address[64];               /* "127.0.0.1" or "::1" … */
    uint16_t port;                  /* 0: any free one */
    const char *tls_cert, *tls_key; /* files in PEM, borrowed; NULL or "": plain HTTP */
    bool (*takes_post)(void *ctx, struct str path); /* NULL: none does */
    http_handler *handler;
    http_handler *options; /* adds to the 204 of an OPTIONS; may be NULL */
    /* Called on the server's thread, soon after http_wake() and after a stream has begun, else when
     * it is time: returns when that is next (monotonic; INT64_MAX: never). May be NULL. */
    int64_t (*tick)(void *ctx, struct http_server *server, int64_t now_us);
    void (*ended)(void *ctx); /* the last call on the server's thread. May be NULL */
    void *ctx;
};

/* Start serving. ST_FATAL when the address cannot be had: the message names it, the process that
 * holds it where that can be found out, and --listen. Owner: http_stop(). */
enum st http_start(const struct http_setup *setup, struct http_server **ret_server,
                   struct err *err) MUST_USE;
uint16_t http_port(const struct http_server *s);
const struct pulse *http_pulse(const struct http_server *s); /* of its thread; any thread */

/* Any thread: read the certificate's files again, where there are any: see tls_reload(). */
enum st http_reload(struct http_server *s, struct err *err) MUST_USE;

/* Any thread: let tick be called. */
void http_wake(struct http_server *s);

/* The server's thread, within tick: those who wait for this ticket are asked for again. */
void http_resume(struct http_server *s, uint64_t ticket);

/* The server's thread, within tick: let all streams be read again. */
void http_wake_streams(struct http_server *s);

void http_stop(struct http_server *s); /* NULL is fine; waits for the thread */

#endif
