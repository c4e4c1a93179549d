/* SPDX-License-Identifier: Apache-2.0 */
#include "serve/connections.h"

#include "base/clock.h"
#include "serve/http.h"

#include <assert.h>
#include <linux/tcp.h> /* the C library's has no tcpi_bytes_acked */
#include <netinet/in.h>
#include <sys/socket.h>

/* From here on a new connection closes the one that has waited for a request, or has been taking an
 * answer, for longest: clients that are slow, idle or do not read cannot keep others out, whatever
 * address they come from. */
#define CROWDED (MAX_CONNECTIONS - 64)

void connections_init(struct connections *all)
{
    all->n = 0;
    TAILQ_INIT(&all->unused);
    for (size_t i = 0; i < 3; i++)
        TAILQ_INIT(&all->by_state[i]);
    for (size_t i = 0; i < MAX_CONNECTIONS; i++)
        TAILQ_INSERT_TAIL(&all->unused, &all->pool[i], link);
}

static void make_room(struct connections *all)
{
    struct connection *waiting = connections_oldest(all, CONNECTION_WAITING);
    struct connection *answering = connections_oldest(all, CONNECTION_ANSWERING);

    if (answering && (!waiting || answering->since_us < waiting->since_us))
        connections_hang_up(all, answering);
    else if (waiting)
        connections_hang_up(all, waiting);
}

struct connection *connections_add(struct connections *all, struct MHD_Connection *mhd, int fd)
{
    struct connection *c = TAILQ_FIRST(&all->unused);

    assert(c); /* MHD's limit is the pool's size */
    TAILQ_REMOVE(&all->unused, c, link);
    *c = (struct connection){
        .state = CONNECTION_WAITING,
        .since_us = clock_mono_us(clock_system()),
        .mhd = mhd,
        .fd = fd,
        .body = BUF_INIT(HTTP_MAX_REQUEST),
    };
    if (++all->n > CROWDED)
        make_room(all);
    TAILQ_INSERT_TAIL(&all->by_state[CONNECTION_WAITING], c, link);
    return c;
}

void connections_remove(struct connections *all, struct connection *c)
{
    buf_release(&c->body);
    TAILQ_REMOVE(&all->by_state[c->state], c, link);
    TAILQ_INSERT_HEAD(&all->unused, c, link);
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
    const uint64_t taken = bytes_taken(c->fd);

    if (c->answer_us == 0 || taken != c->taken)
        c->answer_us = clock_mono_us(clock_system());
    c->taken = taken;
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
