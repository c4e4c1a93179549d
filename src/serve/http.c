/* libmicrohttpd, driven by our own loop instead of its internal thread: so delays, deadlines and
 * making room need no lock and no second thread. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/metric.h"
#include "serve/connections.h"
#include "serve/listen.h"
#include "serve/page.h"
#include "serve/reply.h"
#include "serve/request.h"
#include "serve/stream.h"
#include "serve/tls.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Line and headers of a request must fit; a browser sends the cookies of every other server on
 * localhost along, so 8 kB is not enough. */
#define CONNECTION_MEMORY (16 * 1024)
#define REQUEST_TIME_US   (75 * US_PER_S)  /* for a whole request, keep-alive idling included */
#define HANDLER_US        (2 * US_PER_S)   /* what a question to a store may take */
#define ANSWER_TIME_US    (300 * US_PER_S) /* for taking the answer */
#define MAX_DROPPED       (64u * 1024)     /* bytes of a body that is too long */

struct http_server {
    struct http_setup setup;
    struct MHD_Daemon *daemon;
    struct tls *tls; /* NULL: plain HTTP */
    struct replies replies;
    struct connections connections;
    int epoll_fd; /* holds MHD's own epoll, wake_fd and delayed clients */
    int wake_fd;
    uint16_t port;
    size_t n_waiting; /* connections with a ticket */
    uint64_t turn;    /* of the loop; MHD_run() asks for what there is to read once, at its begin */
    int64_t tick_us;  /* when setup.tick is due */
    struct pulse pulse; /* of the loop, while it does not wait for anybody */
    bool has_resumed;   /* MHD_get_timeout() knows nothing of resumed connections */
    atomic_bool is_stopping;
    pthread_t thread;
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
    c = connections_add(
        &s->connections, mhd,
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    c->turn = s->turn;
    *context = c;
}

static void stop_waiting(struct http_server *s, struct connection *c)
{
    s->n_waiting -= c->wait_for != 0;
    c->wait_for = 0;
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
    if (c->stream.read)
        stream_end(c, s->epoll_fd);
    if (c->reply)
        MHD_destroy_response(c->reply);
    c->reply = NULL;
    page_drop(c->page);
    c->page = NULL;
    stop_waiting(s, c);
    c->waited_for = 0;
    c->is_bad = false;
    c->n_dropped = 0;
    buf_release(&c->body);
    connections_move(&s->connections, c, CONNECTION_WAITING);
}

static enum MHD_Result queue(struct connection *c, struct MHD_Response *reply, int status)
{
    const char code[] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
                         (char)('0' + status % 10), '\0'};

    metric_add(METRIC_HTTP_REQUESTS, code, NULL, 1);
    return MHD_queue_response(c->mhd, (unsigned)status, reply);
}

static enum MHD_Result send_reply(struct http_server *s, struct connection *c,
                                  struct MHD_Response *reply, int status)
{
    connections_begin_answer(&s->connections, c);
    enum MHD_Result result = queue(c, reply, status);
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
    c->due_us = res->faults.delay_us < 0 ? INT64_MAX : c->since_us + res->faults.delay_us;
    /* MHD does not watch a suspended connection; without the watch the delay is only longer */
    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, c->fd, &hangup);
    MHD_suspend_connection(c->mhd);
    return MHD_YES;
}

/* The same for a request whose answer is not there yet. */
static enum MHD_Result wait_for(struct http_server *s, struct connection *c,
                                const struct http_response *res)
{
    struct epoll_event hangup = {.events = EPOLLRDHUP, .data.ptr = c};

    connections_move(&s->connections, c, CONNECTION_DELAYED);
    c->wait_for = res->wait_for;
    c->due_us = c->since_us + res->wait_us;
    s->n_waiting++;
    epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, c->fd, &hangup);
    MHD_suspend_connection(c->mhd);
    return MHD_YES;
}

static void resume(struct http_server *s, struct connection *c, bool is_given_up)
{
    if (c->wait_for != 0)
        c->waited_for = c->wait_for;
    stop_waiting(s, c);
    epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    c->is_given_up = is_given_up;
    c->due_us = INT64_MAX;
    MHD_resume_connection(c->mhd);
    s->has_resumed = true;
}

void http_resume(struct http_server *s, uint64_t ticket)
{
    struct connection *c;

    TAILQ_FOREACH(c, &s->connections.by_state[CONNECTION_DELAYED], link)
    if (c->wait_for == ticket)
        resume(s, c, false);
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

static void response_init(struct http_response *res)
{
    memset(res, 0, offsetof(struct http_response, headers));
    buf_init(&res->body, HTTP_MAX_BODY);
}

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

static void add_allow(struct http_response *res, bool takes_post)
{
    http_add_header(res, "Allow", takes_post ? "GET, HEAD, OPTIONS, POST" : "GET, HEAD, OPTIONS");
}

static bool takes_post(const struct http_server *s, const struct http_request *req)
{
    return s->setup.takes_post && s->setup.takes_post(s->setup.ctx, req->path);
}

/* What is refused before the handler sees it; 0: nothing. */
static int refuse(const struct http_server *s, const struct connection *c,
                  const struct http_request *req, const char *method, struct http_response *res)
{
    const bool is_get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

    if (!is_get && !req->is_options && !(req->is_post && takes_post(s, req))) {
        reply_refuse(res, 405, "this method is not served here; Allow has those that are");
        add_allow(res, takes_post(s, req));
    } else if (!req->is_post && has_body(req)) {
        reply_refuse(res, 400, "only a POST has a body");
    } else if (c->is_bad || req->path.len == 0 || req->path.p[0] != '/') {
        reply_refuse(res, 400, "the request's target is not well-formed");
    } else if (req->is_post && is_too_long(req)) {
        reply_refuse(res, 413, "a body of more than 4096 bytes is not read");
    }
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

/* MHD would end the connection in good order; a socket that forgets its peer resets it. */
static enum MHD_Result reset(const struct connection *c, struct http_response *res)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    if (connect(c->fd, &nobody, sizeof(nobody)) != 0)
        shutdown(c->fd, SHUT_RDWR); /* then the client sees an end */
    buf_release(&res->body);
    return MHD_NO;
}

static enum MHD_Result begin_stream(struct http_server *s, struct connection *c,
                                    struct http_response *res)
{
    c->stream = res->stream;
    connections_move(&s->connections, c, CONNECTION_STREAMING);
    s->tick_us = s->setup.tick ? 0 : INT64_MAX;
    struct MHD_Response *reply = stream_reply(c, s->epoll_fd);
    buf_release(&res->body);
    if (!reply)
        return MHD_NO;
    reply_add_headers(reply, res);
    enum MHD_Result result = queue(c, reply, res->status);
    MHD_destroy_response(reply);
    return result;
}

static bool is_broken(const struct http_faults *faults)
{
    return faults->delay_us != 0 || faults->cut_after > 0 || faults->n_promised > 0 ||
           faults->is_gzip_cut || faults->is_reset;
}

/* An answer that is broken on purpose. */
static enum MHD_Result answer_broken(struct http_server *s, struct connection *c,
                                     const struct http_request *req, struct http_response *res)
{
    if (res->faults.is_reset)
        return reset(c, res);
    struct MHD_Response *reply = reply_make(&s->replies, http_header(req, "Accept-Encoding"), res);
    if (!reply)
        return MHD_NO;
    return res->faults.delay_us != 0 ? delay(s, c, reply, res)
                                     : send_reply(s, c, reply, res->status);
}

static enum MHD_Result answer_page(struct http_server *s, struct connection *c,
                                   const struct http_request *req, struct http_page *page)
{
    const enum encoding encoding = encoding_choose(http_header(req, "Accept-Encoding"));
    enum MHD_Result result = MHD_NO;
    int status;
    struct MHD_Response *reply =
        page_reply(page, encoding, http_header(req, "If-None-Match"), &status);

    connections_begin_answer(&s->connections, c);
    if (reply)
        result = queue(c, reply, status);
    c->page = page; /* until on_completed() */
    return result;
}

static enum MHD_Result send_answer(struct http_server *s, struct connection *c,
                                   const struct http_request *req, struct http_response *res)
{
    if (res->page)
        return answer_page(s, c, req, res->page);
    if (!reply_check(&s->replies, res))
        connections_drop_taker(&s->connections);
    if (is_broken(&res->faults))
        return answer_broken(s, c, req, res);
    struct http_page *page = page_new(&s->replies, res);
    return page ? answer_page(s, c, req, page) : MHD_NO;
}

static void answer_options(struct http_server *s, const struct http_request *req,
                           struct http_response *res)
{
    res->status = 204;
    add_allow(res, takes_post(s, req));
    if (s->setup.options)
        s->setup.options(s->setup.ctx, req, res);
}

static void ask(struct http_server *s, const struct http_request *req, struct http_response *res)
{
    response_init(res);
    res->status = 200;
    res->content_type = "application/json; charset=utf-8";
    s->setup.handler(s->setup.ctx, req, res);
}

/* Ask for the answer; where there is no room for one more to wait, as if it had waited. */
static void ask_handler(struct http_server *s, const struct http_request *req,
                        struct http_response *res)
{
    struct http_request again = *req;

    ask(s, req, res);
    if (res->wait_for == 0 || s->n_waiting < HTTP_MAX_WAITING)
        return;
    again.waited_for = res->wait_for;
    buf_release(&res->body);
    ask(s, &again, res);
    res->wait_for = 0;
}

static enum MHD_Result answer(struct http_server *s, struct connection *c,
                              const struct http_request *req, struct http_response *res)
{
    if (res->status == 0 && (c->n_dropped > 0 || c->body.is_overflow))
        reply_refuse(res, 413, "a body of more than 4096 bytes is not read");
    if (res->status == 0 && req->is_options)
        answer_options(s, req, res);
    else if (res->status == 0)
        ask_handler(s, req, res);
    if (res->wait_for != 0) {
        buf_release(&res->body);
        return wait_for(s, c, res);
    }
    if (res->stream.read && !connections_may_stream(&s->connections, c)) {
        res->stream.closed(res->stream.ctx);
        res->stream.read = NULL;
        reply_refuse(res, 503, "too many clients have a stream open");
        http_add_header(res, "Retry-After", "10");
    }
    if (res->stream.read)
        return begin_stream(s, c, res);
    enum MHD_Result result = send_answer(s, c, req, res);
    buf_release(&res->body);
    return result;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request)
{
    struct http_server *s = cls;
    struct connection *c = connections_of(mhd);
    const struct http_request req = {.mhd = mhd,
                                     .path = str_of(url),
                                     .body = buf_str(&c->body),
                                     .is_post = strcmp(method, "POST") == 0,
                                     .is_options = strcmp(method, "OPTIONS") == 0,
                                     .waited_for = c->waited_for,
                                     .turn = c->turn == s->turn ? 0 : s->turn,
                                     .replies = &s->replies};
    struct http_response res;
    const bool is_first = *request == NULL;
    int refused = 0;

    (void)version;
    *request = c;
    if (c->reply)
        return after_delay(s, c);
    if (c->waited_for != 0 && c->is_given_up)
        return MHD_NO;
    /* MHD wants to be told YES once before the answer; a refusal may come at once, and then closes
     * the connection instead of reading on */
    response_init(&res);
    if (is_first)
        refused = refuse(s, c, &req, method, &res);
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

/* The shorter of a wait (-1: for ever) and the time until due_us. */
static int64_t shorter(int64_t ms, int64_t due_us, int64_t now_us)
{
    if (due_us == INT64_MAX)
        return ms;
    int64_t left_ms = due_us > now_us ? (due_us - now_us + US_PER_MS - 1) / US_PER_MS : 0;
    return ms < 0 || left_ms < ms ? left_ms : ms;
}

static int wait_ms(struct http_server *s, int64_t now_us)
{
    MHD_UNSIGNED_LONG_LONG mhd_ms;
    int64_t ms = shorter(s->connections.n > 0 ? 1000 : -1, s->tick_us, now_us);
    const struct connection *c;

    if (s->has_resumed)
        return 0;
    TAILQ_FOREACH(c, &s->connections.by_state[CONNECTION_DELAYED], link)
    ms = shorter(ms, c->due_us, now_us);
    if (MHD_get_timeout(s->daemon, &mhd_ms) == MHD_YES && (ms < 0 || mhd_ms < (uint64_t)ms))
        ms = (int64_t)mhd_ms;
    return (int)ms;
}

/* One of our descriptors: MHD's, that wakes us, or a suspended connection's that has hung up. */
static void on_event(struct http_server *s, struct connection *c)
{
    uint64_t n_wakes;

    if (c == NULL) {
        if (read(s->wake_fd, &n_wakes, sizeof(n_wakes)) > 0 && s->setup.tick)
            s->tick_us = 0;
    } else if (c->state == CONNECTION_DELAYED) {
        resume(s, c, true);
    } else if (c->is_asleep) {
        c->is_given_up = true;
        s->has_resumed |= stream_wake(c);
    }
}

static void tick(struct http_server *s)
{
    const int64_t now_us = clock_mono_us(clock_system());

    if (s->tick_us <= now_us)
        s->tick_us = s->setup.tick(s->setup.ctx, s, now_us);
}

void http_wake_streams(struct http_server *s)
{
    struct connection *c;

    TAILQ_FOREACH(c, &s->connections.by_state[CONNECTION_STREAMING], link)
    s->has_resumed |= stream_wake(c);
}

static void give_up_all(struct http_server *s)
{
    struct connection *c;

    TAILQ_FOREACH(c, &s->connections.by_state[CONNECTION_DELAYED], link)
    resume(s, c, true);
    TAILQ_FOREACH(c, &s->connections.by_state[CONNECTION_STREAMING], link)
    {
        c->is_given_up = true;
        stream_wake(c);
    }
    MHD_run(s->daemon);
}

static void *loop(void *arg)
{
    struct http_server *s = arg;
    struct epoll_event events[16];

    tls_use_here(s->tls);
    while (!atomic_load(&s->is_stopping)) {
        tick(s);
        s->has_resumed = false; /* MHD_run() sees to what tick() has resumed */
        s->turn++;
        MHD_run(s->daemon);
        expire(s, clock_mono_us(clock_system()));
        pulse_rest(&s->pulse);
        int n = epoll_wait(s->epoll_fd, events, 16, wait_ms(s, clock_mono_us(clock_system())));
        pulse_expect(&s->pulse, HANDLER_US);
        for (int i = 0; i < n; i++)
            on_event(s, events[i].data.ptr);
    }
    give_up_all(s);
    if (s->setup.ended)
        s->setup.ended(s->setup.ctx);
    return NULL;
}

/* ---- start and stop ---- */

static uint64_t max_descriptors(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 1024;
}

static enum st watch(struct http_server *s, int fd, struct err *err)
{
    struct epoll_event readable = {.events = EPOLLIN, .data.ptr = NULL};

    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &readable) != 0)
        return err_sys(err, ST_FATAL, errno, "http: epoll_ctl");
    return ST_OK;
}

static enum st start_daemon(struct http_server *s, struct err *err)
{
    static const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    int listen_fd;
    enum st st = ST_OK;

    if (s->setup.tls_cert && s->setup.tls_cert[0])
        st = tls_open(s->setup.tls_cert, s->setup.tls_key, &s->tls, err);
    if (st == ST_OK)
        st = listen_open(s->setup.address, s->setup.port, &listen_fd, &s->port, err);
    if (st != ST_OK)
        return st;
    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (s->tls ? MHD_USE_TLS : 0), s->port, NULL, NULL,
        on_request, s, MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)s->connections.max, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        s, MHD_OPTION_UNESCAPE_CALLBACK, request_unescape, s, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_ARRAY, s->tls ? tls_options() : none, MHD_OPTION_END);
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
    packer_free(s->replies.packer);
    tls_close(s->tls);
    mem_free(s);
}

enum st http_start(const struct http_setup *setup, struct http_server **ret_server, struct err *err)
{
    struct http_server *s = mem_new(1, sizeof(*s));

    s->setup = *setup;
    s->epoll_fd = s->wake_fd = -1;
    pulse_init(&s->pulse);
    s->tick_us = setup->tick ? 0 : INT64_MAX;
    connections_init(&s->connections, max_descriptors());
    s->replies.packer = packer_new();
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

const struct pulse *http_pulse(const struct http_server *s)
{
    return &s->pulse;
}

uint16_t http_port(const struct http_server *s)
{
    return s->port;
}

enum st http_reload(struct http_server *s, struct err *err)
{
    return s->tls ? tls_reload(s->tls, err) : ST_OK;
}

void http_wake(struct http_server *s)
{
    const uint64_t one = 1;

    while (write(s->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

void http_stop(struct http_server *s)
{
    if (!s)
        return;
    atomic_store(&s->is_stopping, true);
    http_wake(s);
    pthread_join(s->thread, NULL);
    release(s);
}
