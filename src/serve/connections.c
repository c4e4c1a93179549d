/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/connections.h"

#include "base/clock.h"
#include "serve/http.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/tcp.h> /* the C library's has no tcpi_bytes_acked */
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* So long may an answer wait for a client that takes nothing, while others are refused for it. */
#define PATIENCE_US (2 * US_PER_S)

/* So exactly is it known how long: to ask the kernel costs as much as to receive a request. */
#define LOOK_US (50 * US_PER_MS)

/* A new stream may be one of so many more, until those that make room for it have gone. */
#define LEAVING 32

/* Behind this many that are no streams, a new one closes another: clients that are slow, idle or do
 * not read cannot keep others out. */
static size_t crowded(const struct connections *all)
{
    return all->max - all->max_streams - 2 * LEAVING;
}

void connections_init(struct connections *all, uint64_t max_descriptors)
{
    const size_t least = MAX_CONNECTIONS / 8; /* also where there are hardly any descriptors */

    all->n = all->n_streams = all->n_touched = all->n_peers_touched = 0;
    all->max = MAX_CONNECTIONS;
    if (max_descriptors < MAX_CONNECTIONS + SPARED_DESCRIPTORS)
        all->max = max_descriptors > least + SPARED_DESCRIPTORS
                       ? (size_t)max_descriptors - SPARED_DESCRIPTORS
                       : least;
    all->max_streams = all->max * HTTP_MAX_STREAMS / MAX_CONNECTIONS;
    if (all->max < MAX_CONNECTIONS)
        all->max_streams -= LEAVING * 2;
    TAILQ_INIT(&all->unused);
    LIST_INIT(&all->peers);
    LIST_INIT(&all->unused_peers);
    for (size_t i = 0; i < N_CONNECTION_STATES; i++)
        TAILQ_INIT(&all->by_state[i]);
}

/* MHD's limit is the pool's size, so there is one. */
static struct connection *take_unused(struct connections *all)
{
    struct connection *c = TAILQ_FIRST(&all->unused);

    if (c) {
        TAILQ_REMOVE(&all->unused, c, link);
        return c;
    }
    assert(all->n_touched < MAX_CONNECTIONS);
    return &all->pool[all->n_touched++];
}

/* ---- who holds them ---- */

static uint64_t number_of_v4(const void *bytes)
{
    uint32_t v4;

    memcpy(&v4, bytes, sizeof(v4));
    return v4;
}

/* What tells an address from others. */
static uint64_t number_of(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    uint64_t number;

    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        return number_of_v4(&v4.sin_addr);
    }
    if (address->sa_family != AF_INET6)
        return 0;
    memcpy(&v6, address, sizeof(v6));
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
        return number_of_v4(&v6.sin6_addr.s6_addr[12]);
    memcpy(&number, v6.sin6_addr.s6_addr, sizeof(number));
    return number;
}

/* As many peers at most as connections. They are few where one floods, and found at its head. */
static struct peer *join(struct connections *all, uint64_t address)
{
    struct peer *peer;

    LIST_FOREACH(peer, &all->peers, link)
    if (peer->address == address) {
        peer->n++;
        return peer;
    }
    peer = LIST_FIRST(&all->unused_peers);
    if (peer)
        LIST_REMOVE(peer, link);
    else
        peer = &all->peer_pool[all->n_peers_touched++];
    *peer = (struct peer){.address = address, .n = 1};
    LIST_INSERT_HEAD(&all->peers, peer, link);
    return peer;
}

static void leave(struct connections *all, struct peer *peer)
{
    if (--peer->n > 0)
        return;
    LIST_REMOVE(peer, link);
    LIST_INSERT_HEAD(&all->unused_peers, peer, link);
}

static void count_stream(struct connections *all, const struct connection *c, int change)
{
    all->n_streams += (size_t)change;
    c->peer->n_streams += (size_t)change;
}

/* Who has the most streams, or connections that are none; NULL: nobody has any. */
static struct peer *greediest(const struct connections *all, bool of_streams)
{
    struct peer *peer, *most = NULL;
    size_t n_most = 0;

    LIST_FOREACH(peer, &all->peers, link)
    {
        const size_t n = of_streams ? peer->n_streams : peer->n - peer->n_streams;
        if (n > n_most) {
            n_most = n;
            most = peer;
        }
    }
    return most;
}

/* peer NULL: of anybody. */
static struct connection *oldest_of(const struct connections *all, enum connection_state state,
                                    const struct peer *peer)
{
    struct connection *c;

    TAILQ_FOREACH(c, &all->by_state[state], link)
    if (!peer || c->peer == peer)
        return c;
    return NULL;
}

/* ---- making room ---- */

/* Of those that wait for a request or take an answer the oldest. */
static struct connection *choose(const struct connections *all, const struct peer *peer)
{
    struct connection *waiting = oldest_of(all, CONNECTION_WAITING, peer);
    struct connection *answering = oldest_of(all, CONNECTION_ANSWERING, peer);

    if (answering && (!waiting || answering->since_us < waiting->since_us))
        return answering;
    return waiting;
}

static void make_room(struct connections *all)
{
    struct connection *c = choose(all, greediest(all, false));

    if (!c)
        c = choose(all, NULL);
    if (c)
        connections_hang_up(all, c);
}

bool connections_may_stream(struct connections *all, const struct connection *c)
{
    if (all->n_streams < all->max_streams)
        return true;
    const struct peer *peer = greediest(all, true);
    if (!peer || peer->n_streams <= c->peer->n_streams + 1 ||
        all->n_streams >= all->max_streams + LEAVING)
        return false;
    connections_hang_up(all, oldest_of(all, CONNECTION_STREAMING, peer));
    return true;
}

void connections_drop_taker(struct connections *all)
{
    const int64_t before_us = clock_mono_us(clock_system()) - PATIENCE_US;
    struct peer *peer, *most = NULL;
    struct connection *c;

    LIST_FOREACH(peer, &all->peers, link)
    peer->n_takers = 0;
    TAILQ_FOREACH(c, &all->by_state[CONNECTION_ANSWERING], link)
    if (++c->peer->n_takers > (most ? most->n_takers : 0))
        most = c->peer;
    c = most ? oldest_of(all, CONNECTION_ANSWERING, most) : NULL;
    if (c && c->since_us < before_us)
        connections_hang_up(all, c);
}

struct connection *connections_add(struct connections *all, struct MHD_Connection *mhd, int fd)
{
    struct connection *c = take_unused(all);

    *c = (struct connection){
        .state = CONNECTION_WAITING,
        .since_us = clock_mono_us(clock_system()),
        .mhd = mhd,
        .peer = join(all, number_of(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
                                        ->client_addr)),
        .fd = fd,
        .body = BUF_INIT(HTTP_MAX_REQUEST),
    };
    if (++all->n - all->n_streams > crowded(all))
        make_room(all);
    TAILQ_INSERT_TAIL(&all->by_state[CONNECTION_WAITING], c, link);
    return c;
}

struct connection *connections_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void connections_remove(struct connections *all, struct connection *c)
{
    buf_release(&c->body);
    TAILQ_REMOVE(&all->by_state[c->state], c, link);
    TAILQ_INSERT_HEAD(&all->unused, c, link);
    if (c->state == CONNECTION_STREAMING)
        count_stream(all, c, -1);
    leave(all, c->peer);
    all->n--;
}

struct connection *connections_oldest(struct connections *all, enum connection_state state)
{
    return TAILQ_FIRST(&all->by_state[state]);
}

/* Keeps the list of the state ordered, also for one whose age there began earlier. */
static void move_since(struct connections *all, struct connection *c, enum connection_state state,
                       int64_t since_us)
{
    struct connection_list *list = &all->by_state[state];

    TAILQ_REMOVE(&all->by_state[c->state], c, link);
    count_stream(all, c, (state == CONNECTION_STREAMING) - (c->state == CONNECTION_STREAMING));
    c->state = state;
    c->since_us = since_us;
    struct connection *before = TAILQ_LAST(list, connection_list);
    while (before && before->since_us > since_us)
        before = TAILQ_PREV(before, connection_list, link);
    if (before)
        TAILQ_INSERT_AFTER(list, before, c, link);
    else
        TAILQ_INSERT_HEAD(list, c, link);
}

void connections_move(struct connections *all, struct connection *c, enum connection_state state)
{
    move_since(all, c, state, clock_mono_us(clock_system()));
}

/* Bytes that the client's side has acknowledged. */
static uint64_t bytes_taken(int fd)
{
    struct tcp_info info = {.tcpi_bytes_acked = 0};
    socklen_t len = sizeof(info);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
        return 0;
    return info.tcpi_bytes_acked;
}

void connections_begin_answer(struct connections *all, struct connection *c)
{
    const int64_t now_us = clock_mono_us(clock_system());

    if (c->answer_us == 0 || now_us - c->looked_us >= LOOK_US) {
        const uint64_t taken = bytes_taken(c->fd);
        if (c->answer_us == 0 || taken != c->taken)
            c->answer_us = now_us;
        c->taken = taken;
        c->looked_us = now_us;
    }
    move_since(all, c, CONNECTION_ANSWERING, c->answer_us);
}

void connections_hang_up(struct connections *all, struct connection *c)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};

    /* what is left of an answer goes with the connection, else the kernel would keep it */
    if (c->state == CONNECTION_ANSWERING)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    shutdown(c->fd, SHUT_RDWR);
    connections_move(all, c, c->state); /* not the next to be hung up again */
}
