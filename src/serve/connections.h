/* The connections of the HTTP server by what they wait for and by who holds them, and which of them
 * must make room.
 *
 * An address may hold as many as there are while nobody else wants them: all clients behind a proxy
 * have one. Where it is crowded, who holds the most makes room, so nobody keeps others out.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_CONNECTIONS_H
#define SERVE_CONNECTIONS_H

#include "serve/http.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define MAX_CONNECTIONS (512 + HTTP_MAX_STREAMS)

/* Descriptors of the process that connections leave alone: polls, tape and stores need theirs. */
#define SPARED_DESCRIPTORS 256

struct MHD_Connection;
struct MHD_Response;
struct body_file;
struct http_page;

enum connection_state {
    CONNECTION_WAITING,   /* for (the rest of) a request */
    CONNECTION_ANSWERING, /* the client takes our answer */
    CONNECTION_DELAYED,   /* suspended; `reply` waits for its time, or for ever */
    CONNECTION_STREAMING, /* suspended while is_asleep */
    N_CONNECTION_STATES
};

/* A client's address; of IPv6 the network, as one host may have all of its addresses. */
struct peer {
    LIST_ENTRY(peer) link; /* in `peers`, or in the free list */
    uint64_t address;
    size_t n, n_streams; /* its connections; of them: streams */
    size_t n_takers;     /* of them: those that take an answer, when that was counted last */
};

LIST_HEAD(peer_list, peer);

struct connection {
    TAILQ_ENTRY(connection) link; /* in the list of its state, oldest first, or in the free list */
    struct peer *peer;
    enum connection_state state;
    int64_t since_us;  /* in this state */
    int64_t answer_us; /* when the first answer began since which no byte was taken; 0: none */
    uint64_t taken;    /* bytes, by then */
    int64_t looked_us; /* when that was looked at */
    uint64_t turn;     /* of the loop in which it was accepted */
    int64_t due_us;    /* delayed: when to send; INT64_MAX: never */
    struct MHD_Connection *mhd;
    struct MHD_Response *reply; /* delayed */
    int fd;
    int status;                /* of reply */
    uint64_t wait_for;         /* delayed: a ticket; no reply is there yet */
    uint64_t waited_for;       /* the one that the request at hand has waited for */
    struct http_page *page;    /* the answer under way, kept alive; NULL: it is no page */
    bool is_given_up;          /* delayed: the client has gone, or we stop */
    bool is_bad;               /* the request's target does not decode */
    struct http_stream stream; /* streaming */
    bool is_asleep;
    struct {
        const struct body_file *of; /* under way; NULL: none is */
        size_t n_sent;
        int epoll_fd;
        bool is_blocked; /* suspended until the client takes more */
    } file;
    struct buf body;  /* of a POST under way */
    size_t n_dropped; /* bytes of it beyond the ceiling */
};

TAILQ_HEAD(connection_list, connection);

struct connections {
    struct connection pool[MAX_CONNECTIONS];
    struct connection_list unused, by_state[N_CONNECTION_STATES];
    size_t n_touched; /* of the pool: those behind were never used, and cost no memory */
    size_t n, n_streams;
    size_t max, max_streams; /* as the descriptors allow */

    struct peer peer_pool[MAX_CONNECTIONS];
    struct peer_list peers, unused_peers; /* the last to come first */
    size_t n_peers_touched;
};

/* max_descriptors: of the process. */
void connections_init(struct connections *all, uint64_t max_descriptors);

/* A new one, waiting; where it is crowded one of the address that has the most is hung up for it,
 * its oldest. Never more than `max`. */
struct connection *connections_add(struct connections *all, struct MHD_Connection *mhd, int fd);
void connections_remove(struct connections *all, struct connection *c);

struct connection *connections_of(struct MHD_Connection *mhd);

/* The one that has been in this state for longest; NULL when there is none. */
struct connection *connections_oldest(struct connections *all, enum connection_state state);

void connections_move(struct connections *all, struct connection *c, enum connection_state state);

/* May it become a stream? Where there are max_streams, it takes the place of one of an address that
 * has more than its own, which is hung up; false: there is no such. */
bool connections_may_stream(struct connections *all, const struct connection *c);

/* Too many answers wait for clients that do not take them: hang up the oldest of the address that
 * has the most, if it has waited for a while. */
void connections_drop_taker(struct connections *all);

/* Move to answering. Its age there begins anew only if the client has taken something since the
 * answer before, as far as that is known: what the kernel's buffers swallow says nothing about the
 * client. */
void connections_begin_answer(struct connections *all, struct connection *c);

/* MHD sees the end of the stream and closes the connection its own way. */
void connections_hang_up(struct connections *all, struct connection *c);

#endif
