/* libmicrohttpd, driven by our own loop instead of its internal thread: so delays, deadlines and
 * making room need no lock and no second thread. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/http.h"

#include "base/clock.h"
#include "base/mem.h"
#include "serve/answer.h"
#include "serve/body_file.h"
#include "serve/listen.h"
#include "serve/pack.h"
#include "serve/request.h"
#include "serve/stream.h"
#include "serve/tls.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
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
            answer_resume(s, c, false);
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
        answer_resume(s, c, true);
    } else if (c->file.is_blocked) {
        s->has_resumed |= body_file_wake(c, s->epoll_fd);
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
    answer_resume(s, c, true);
    TAILQ_FOREACH(c, &s->connections.by_state[CONNECTION_STREAMING], link)
    {
        c->is_given_up = true;
        stream_wake(c);
    }
    TAILQ_FOREACH(c, &s->connections.by_state[CONNECTION_ANSWERING], link)
    {
        c->is_given_up = true;
        body_file_wake(c, s->epoll_fd);
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
        answer_on_request, s, MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)s->connections.max, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
        MHD_OPTION_NOTIFY_CONNECTION, answer_on_connection, s, MHD_OPTION_NOTIFY_COMPLETED,
        answer_on_completed, s, MHD_OPTION_UNESCAPE_CALLBACK, request_unescape, s,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, s->tls ? tls_options() : none,
        MHD_OPTION_END);
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
