/* From a request that libmicrohttpd has read to the answer that it sends. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/answer.h"

#include "base/metric.h"
#include "serve/body_file.h"
#include "serve/page.h"
#include "serve/request.h"
#include "serve/stream.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#define MAX_DROPPED (64u * 1024) /* bytes of a body that is too long */

/* ---- connections ---- */

void answer_on_connection(void *cls, struct MHD_Connection *mhd, void **context,
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

void answer_on_completed(void *cls, struct MHD_Connection *mhd, void **request,
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
    body_file_end(c, s->epoll_fd);
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

void answer_resume(struct http_server *s, struct connection *c, bool is_given_up)
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
        answer_resume(s, c, false);
}

/* MHD asks again after a delay. */
static enum MHD_Result after_delay(struct http_server *s, struct connection *c)
{
    struct MHD_Response *reply = c->reply;

    if (c->is_given_up)
        return MHD_NO; /* closes; answer_on_completed() frees the reply */
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

/* The page from its file, where it has one and the client can take it from there. */
static struct MHD_Response *file_reply(struct http_server *s, struct connection *c,
                                       const struct http_request *req, struct http_page *page,
                                       enum encoding encoding)
{
    const struct body_file *file = s->tls || !req->takes_chunks ? NULL : page_file(page, encoding);
    struct MHD_Response *reply = file ? body_file_reply(file, c, s->epoll_fd) : NULL;

    if (reply)
        page_add_headers(page, reply);
    return reply;
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
    c->page = page; /* until answer_on_completed() */
    if (!reply)
        return MHD_NO;
    struct MHD_Response *by_file = status == 304 ? NULL : file_reply(s, c, req, page, encoding);
    result = queue(c, by_file ? by_file : reply, status);
    if (by_file)
        MHD_destroy_response(by_file);
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

enum MHD_Result answer_on_request(void *cls, struct MHD_Connection *mhd, const char *url,
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
                                     .takes_chunks = strcmp(method, "GET") == 0 &&
                                                     strcmp(version, "HTTP/1.1") == 0,
                                     .waited_for = c->waited_for,
                                     .turn = c->turn == s->turn ? 0 : s->turn,
                                     .replies = &s->replies};
    struct http_response res;
    const bool is_first = *request == NULL;
    int refused = 0;

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
