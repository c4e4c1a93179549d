/* libmicrohttpd, driven by our own loop instead of its internal thread: so delays, deadlines and
 * making room need no lock and no second thread. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/metric.h"
#include "serve/connections.h"
#include "serve/gzip.h"
#include "serve/listen.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Line and headers of a request must fit; a browser sends the cookies of every other server on
 * localhost along, so 8 kB is not enough. */
#define CONNECTION_MEMORY (16 * 1024)
/* Bodies under way to clients that do not read; beyond it 503. */
#define MAX_PENDING_BYTES (64u * 1024 * 1024)
#define REQUEST_TIME_US   (75 * US_PER_S)  /* for a whole request, keep-alive idling included */
#define ANSWER_TIME_US    (300 * US_PER_S) /* for taking the answer */
#define MAX_DROPPED       (64u * 1024)     /* bytes of a body that is too long */
#define GZIP_FROM         1024             /* bytes; below it the headers weigh more */

struct http_server {
    struct http_setup setup;
    struct MHD_Daemon *daemon;
    struct gzip *gzip;
    struct connections connections;
    size_t pending_bytes; /* of bodies not yet sent */
    int epoll_fd;         /* holds MHD's own epoll, wake_fd and delayed clients */
    int wake_fd;
    uint16_t port;
    bool has_resumed; /* MHD_get_timeout() knows nothing of resumed connections */
    atomic_bool is_stopping;
    pthread_t thread;
};

struct http_request {
    struct MHD_Connection *mhd;
    struct str path, body;
    bool is_post;
};

/* A body that MHD sends; gone when the last byte is. */
struct body {
    struct http_server *server;
    size_t size, cut_after;
    char *bytes;
};

/* ---- connections ---- */

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = cls;
    struct connection *c = *context;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (c)
            connections_remove(&s->connections, c);
        return;
    }
    *context = connections_add(
        &s->connections, mhd,
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **request,
                         enum MHD_RequestTerminationCode how)
{
    struct http_server *s = cls;
    struct connection *c = *request;

    (void)mhd;
    (void)how;
    if (!c)
        return;
    if (c->reply)
        MHD_destroy_response(c->reply);
    c->reply = NULL;
    c->is_bad = false;
    c->n_dropped = 0;
    buf_release(&c->body);
    connections_move(&s->connections, c, CONNECTION_WAITING);
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* ---- the request ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decode in place, for the path, and for each name and value of the query. */
static size_t on_unescape(void *cls, struct MHD_Connection *mhd, char *text)
{
    struct connection *c = connection_of(mhd);
    size_t len = 0;

    (void)cls;
    for (const char *from = text; *from; len++) {
        int high = *from == '%' ? hex_digit(from[1]) : -1;
        int low = high >= 0 ? hex_digit(from[2]) : -1;
        if (*from == '%' && (low < 0 || high * 16 + low == 0))
            c->is_bad = true;
        text[len] = low >= 0 ? (char)(high * 16 + low) : *from;
        from += low >= 0 ? 3 : 1;
    }
    text[len] = '\0';
    if (!str_is_utf8((struct str){text, len}))
        c->is_bad = true;
    return len;
}

struct str http_path(const struct http_request *req)
{
    return req->path;
}

static struct str lookup(const struct http_request *req, enum MHD_ValueKind kind, const char *name)
{
    const char *value = NULL;
    size_t len = 0;

    if (MHD_lookup_connection_value_n(req->mhd, kind, name, strlen(name), &value, &len) != MHD_YES)
        return STR_NONE;
    return value ? (struct str){value, len} : STR("");
}

struct str http_query(const struct http_request *req, const char *name)
{
    return lookup(req, MHD_GET_ARGUMENT_KIND, name);
}

struct str http_header(const struct http_request *req, const char *name)
{
    return lookup(req, MHD_HEADER_KIND, name);
}

bool http_is_post(const struct http_request *req)
{
    return req->is_post;
}

struct str http_request_body(const struct http_request *req)
{
    return req->body;
}

/* ---- the answer ---- */

void http_add_header(struct http_response *res, const char *name, const char *fmt, ...)
{
    va_list ap;

    assert(res->n_headers < HTTP_MAX_HEADERS);
    char *value = res->headers[res->n_headers].value;
    const size_t size = sizeof(res->headers[0].value);
    va_start(ap, fmt);
    int len = vsnprintf(value, size, fmt, ap);
    va_end(ap);
    assert(len >= 0 && (size_t)len < size);
    res->headers[res->n_headers++].name = name;
}

static void set_plain_error(struct http_response *res, int status, const char *why)
{
    buf_release(&res->body);
    buf_addf(&res->body, "{\"error\":\"%s\"}", why);
    res->status = status;
    res->content_type = "application/json; charset=utf-8";
    res->delay_us = 0;
    res->cut_after = 0;
}

static void body_free(void *cls)
{
    struct body *body = cls;

    body->server->pending_bytes -= body->size;
    mem_free(body->bytes);
    mem_free(body);
}

static ssize_t body_read(void *cls, uint64_t at, char *to, size_t max)
{
    const struct body *body = cls;

    if (at >= body->cut_after)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t len = body->cut_after - (size_t)at;
    if (len > max)
        len = max;
    memcpy(to, body->bytes + at, len);
    return (ssize_t)len;
}

/* Hand the bytes of *b to MHD; NULL when there is no memory, *b is empty afterwards. */
static struct MHD_Response *take_body(struct http_server *s, struct buf *b, size_t cut_after)
{
    struct body *body = mem_try(NULL, sizeof(*body));

    if (!body) {
        buf_release(b);
        return NULL;
    }
    *body = (struct body){.server = s, .size = b->len, .cut_after = cut_after, .bytes = b->p};
    s->pending_bytes += b->len;
    buf_init(b, b->max);
    struct MHD_Response *reply;
    if (cut_after > 0)
        reply = MHD_create_response_from_callback(body->size, 4096, body_read, body, body_free);
    else
        reply = MHD_create_response_from_buffer_with_free_callback_cls(body->size, body->bytes,
                                                                       body_free, body);
    if (!reply)
        body_free(body);
    return reply;
}

static bool has_header(const struct http_response *res, const char *name)
{
    for (size_t i = 0; i < res->n_headers; i++)
        if (strcmp(res->headers[i].name, name) == 0)
            return true;
    return false;
}

static void add_headers(struct MHD_Response *reply, const struct http_response *res, bool is_packed)
{
    if (is_packed)
        MHD_add_response_header(reply, "Content-Encoding", "gzip");
    MHD_add_response_header(reply, "Vary", "Accept-Encoding");
    MHD_add_response_header(reply, "Content-Type", res->content_type);
    MHD_add_response_header(reply, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(reply, "Referrer-Policy", "no-referrer");
    if (!has_header(res, "Content-Security-Policy"))
        MHD_add_response_header(reply, "Content-Security-Policy",
                                "default-src 'none'; frame-ancestors 'none'");
    for (size_t i = 0; i < res->n_headers; i++)
        MHD_add_response_header(reply, res->headers[i].name, res->headers[i].value);
}

/* Make *res what MHD sends; NULL when there is no memory at all. */
static struct MHD_Response *make_reply(struct http_server *s, const struct http_request *req,
                                       struct http_response *res)
{
    struct buf packed = BUF_INIT(HTTP_MAX_BODY);

    if (res->body.is_overflow)
        set_plain_error(res, 500, "the answer is too large or there is no memory for it");
    else if (s->pending_bytes + res->body.len > MAX_PENDING_BYTES) {
        set_plain_error(res, 503, "too many answers are waiting for slow clients");
        http_add_header(res, "Retry-After", "1");
    }
    bool is_packed = s->gzip && res->body.len >= GZIP_FROM && res->cut_after == 0 &&
                     gzip_is_accepted(http_header(req, "Accept-Encoding")) &&
                     gzip_pack(s->gzip, buf_str(&res->body), &packed);
    struct MHD_Response *reply = take_body(s, is_packed ? &packed : &res->body, res->cut_after);
    buf_release(&packed);
    if (reply)
        add_headers(reply, res, is_packed);
    return reply;
}

static enum MHD_Result send_reply(struct http_server *s, struct connection *c,
                                  struct MHD_Response *reply, int status)
{
    char code[16];

    snprintf(code, sizeof(code), "%d", status);
    metric_add(METRIC_HTTP_REQUESTS, code, NULL, 1);
    connections_begin_answer(&s->connections, c);
    enum MHD_Result result = MHD_queue_response(c->mhd, (unsigned)status, reply);
    MHD_destroy_response(reply);
    return result;
}

/* ---- delays ---- */

static enum MHD_Result delay(struct http_server *s, struct connection *c,
                             struct MHD_Response *reply, const struct http_response *res)
{
    struct epoll_event hangup = {.events = EPOLLRDHUP, .data.ptr = c};

    connections_move(&s->connections, c, CONNECTION_DELAYED);
    c->reply = reply;
    c->status = res->status;
    c->due_us = res->delay_us < 0 ? INT64_MAX : c->since_us + res->delay_us;
    /* MHD does not watch a suspended connection; without the watch the delay is only longer */
    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, c->fd, &hangup);
    MHD_suspend_connection(c->mhd);
    return MHD_YES;
}

static void resume(struct http_server *s, struct connection *c, bool is_given_up)
{
    epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    c->is_given_up = is_given_up;
    c->due_us = INT64_MAX;
    MHD_resume_connection(c->mhd);
    s->has_resumed = true;
}

/* MHD asks again after a delay. */
static enum MHD_Result after_delay(struct http_server *s, struct connection *c)
{
    struct MHD_Response *reply = c->reply;

    if (c->is_given_up)
        return MHD_NO; /* closes; on_completed() frees the reply */
    c->reply = NULL;
    return send_reply(s, c, reply, c->status);
}

/* ---- MHD's handler ---- */

static bool has_body(const struct http_request *req)
{
    struct str len = http_header(req, "Content-Length");

    return (len.p && !str_eq(len, STR("0"))) || http_header(req, "Transfer-Encoding").p;
}

/* A body of unknown length is counted as it comes. */
static bool is_too_long(const struct http_request *req)
{
    struct str len = http_header(req, "Content-Length");
    int64_t n;

    return len.p && !str_to_i64(len, 0, HTTP_MAX_REQUEST, &n);
}

static void refuse_method(struct http_response *res, bool takes_post)
{
    set_plain_error(res, 405,
                    takes_post ? "only GET, HEAD and POST are served here"
                               : "only GET and HEAD are served here");
    http_add_header(res, "Allow", takes_post ? "GET, HEAD, POST" : "GET, HEAD");
}

/* What is refused before the handler sees it; 0: nothing. */
static int refuse(const struct http_server *s, const struct connection *c,
                  const struct http_request *req, const char *method, struct http_response *res)
{
    const bool takes_post = s->setup.post_path && str_eq(req->path, str_of(s->setup.post_path));

    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0 && !(req->is_post && takes_post))
        refuse_method(res, takes_post);
    else if (!req->is_post && has_body(req))
        set_plain_error(res, 400, "a GET request has no body");
    else if (c->is_bad || req->path.len == 0 || req->path.p[0] != '/')
        set_plain_error(res, 400, "the request's target is not well-formed");
    else if (req->is_post && is_too_long(req))
        set_plain_error(res, 413, "a body of more than 4096 bytes is not read");
    return res->status;
}

/* The next bytes of a POST. Those beyond the ceiling are dropped, as MHD lets no answer go before
 * the end of the body; who goes on for long is hung up. */
static enum MHD_Result take_upload(struct connection *c, const char *upload, size_t *size)
{
    if (c->body.is_overflow || c->body.len + *size > c->body.max)
        c->n_dropped += *size;
    else
        buf_add(&c->body, upload, *size);
    *size = 0;
    return c->n_dropped > MAX_DROPPED ? MHD_NO : MHD_YES;
}

static enum MHD_Result answer(struct http_server *s, struct connection *c,
                              const struct http_request *req, struct http_response *res)
{
    enum MHD_Result result = MHD_NO;

    if (res->status == 0 && (c->n_dropped > 0 || c->body.is_overflow))
        set_plain_error(res, 413, "a body of more than 4096 bytes is not read");
    if (res->status == 0) {
        res->status = 200;
        res->content_type = "application/json; charset=utf-8";
        s->setup.handler(s->setup.ctx, req, res);
    }
    struct MHD_Response *reply = make_reply(s, req, res);
    if (reply)
        result =
            res->delay_us != 0 ? delay(s, c, reply, res) : send_reply(s, c, reply, res->status);
    buf_release(&res->body);
    return result;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request)
{
    struct http_server *s = cls;
    struct connection *c = connection_of(mhd);
    const struct http_request req = {.mhd = mhd,
                                     .path = str_of(url),
                                     .body = buf_str(&c->body),
                                     .is_post = strcmp(method, "POST") == 0};
    struct http_response res = {.status = 0, .body = BUF_INIT(HTTP_MAX_BODY)};
    const bool is_first = *request == NULL;

    (void)version;
    *request = c;
    if (c->reply)
        return after_delay(s, c);
    /* MHD wants to be told YES once before the answer; a refusal may come at once, and then closes
     * the connection instead of reading on */
    int refused = refuse(s, c, &req, method, &res);
    if (refused == 0 && is_first)
        return MHD_YES;
    if (refused == 0 && *upload_size > 0)
        return take_upload(c, upload, upload_size);
    return answer(s, c, &req, &res);
}

/* ---- the loop ---- */

static void expire_state(struct http_server *s, enum connection_state state, int64_t before_us)
{
    struct connection *c;

    while ((c = connections_oldest(&s->connections, state)) != NULL && c->since_us < before_us)
        connections_hang_up(&s->connections, c);
}

static void expire(struct http_server *s, int64_t now_us)
{
    struct connection *c, *next;

    expire_state(s, CONNECTION_WAITING, now_us - REQUEST_TIME_US);
    expire_state(s, CONNECTION_ANSWERING, now_us - ANSWER_TIME_US);
    for (c = connections_oldest(&s->connections, CONNECTION_DELAYED); c; c = next) {
        next = TAILQ_NEXT(c, link);
        if (now_us >= c->due_us)
            resume(s, c, false);
    }
}

static int wait_ms(struct http_server *s, int64_t now_us)
{
    MHD_UNSIGNED_LONG_LONG mhd_ms;
    int64_t ms = s->connections.n > 0 ? 1000 : -1;
    const struct connection *c;

    if (s->has_resumed)
        return 0;
    TAILQ_FOREACH(c, &s->connections.by_state[CONNECTION_DELAYED], link)
    {
        int64_t left_ms = (c->due_us - now_us + US_PER_MS - 1) / US_PER_MS;
        if (left_ms < ms)
            ms = left_ms < 0 ? 0 : left_ms;
    }
    if (MHD_get_timeout(s->daemon, &mhd_ms) == MHD_YES && (ms < 0 || mhd_ms < (uint64_t)ms))
        ms = (int64_t)mhd_ms;
    return (int)ms;
}

static void *loop(void *arg)
{
    struct http_server *s = arg;
    struct epoll_event events[16];
    struct connection *c;

    while (!atomic_load(&s->is_stopping)) {
        s->has_resumed = false;
        MHD_run(s->daemon);
        expire(s, clock_mono_us(clock_system()));
        int n = epoll_wait(s->epoll_fd, events, 16, wait_ms(s, clock_mono_us(clock_system())));
        for (int i = 0; i < n; i++)
            if (events[i].data.ptr)
                resume(s, events[i].data.ptr, true);
    }
    TAILQ_FOREACH(c, &s->connections.by_state[CONNECTION_DELAYED], link)
    resume(s, c, true);
    MHD_run(s->daemon);
    return NULL;
}

/* ---- start and stop ---- */

static enum st watch(struct http_server *s, int fd, struct err *err)
{
    struct epoll_event readable = {.events = EPOLLIN, .data.ptr = NULL};

    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &readable) != 0)
        return err_sys(err, ST_FATAL, errno, "http: epoll_ctl");
    return ST_OK;
}

static enum st start_daemon(struct http_server *s, struct err *err)
{
    int listen_fd;
    enum st st = listen_open(s->setup.address, s->setup.port, &listen_fd, &s->port, err);

    if (st != ST_OK)
        return st;
    s->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, s->port, NULL, NULL, on_request,
                         s, MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)MAX_CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
                         MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_UNESCAPE_CALLBACK,
                         on_unescape, s, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (!s->daemon) {
        close(listen_fd);
        return err_set(err, ST_FATAL, "http: the server does not start: no memory or descriptors");
    }
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->epoll_fd < 0 || s->wake_fd < 0)
        return err_sys(err, ST_FATAL, errno, "http: epoll and eventfd");
    st = watch(s, s->wake_fd, err);
    if (st == ST_OK)
        st = watch(s, MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, err);
    return st;
}

static enum st start_thread(struct http_server *s, struct err *err)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int errnum = pthread_create(&s->thread, NULL, loop, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (errnum != 0)
        return err_sys(err, ST_FATAL, errnum, "http: cannot start its thread");
    return ST_OK;
}

static void release(struct http_server *s)
{
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    gzip_free(s->gzip);
    mem_free(s);
}

enum st http_start(const struct http_setup *setup, struct http_server **ret_server, struct err *err)
{
    struct http_server *s = mem_new(1, sizeof(*s));

    s->setup = *setup;
    s->epoll_fd = s->wake_fd = -1;
    connections_init(&s->connections);
    s->gzip = gzip_new();
    enum st st = start_daemon(s, err);
    if (st == ST_OK)
        st = start_thread(s, err);
    if (st != ST_OK) {
        release(s);
        return st;
    }
    *ret_server = s;
    return ST_OK;
}

uint16_t http_port(const struct http_server *s)
{
    return s->port;
}

void http_stop(struct http_server *s)
{
    const uint64_t one = 1;

    if (!s)
        return;
    atomic_store(&s->is_stopping, true);
    while (write(s->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
    pthread_join(s->thread, NULL);
    release(s);
}
