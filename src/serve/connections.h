/* The connections of the HTTP server by what they wait for, and which of them must make room. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_CONNECTIONS_H
#define SERVE_CONNECTIONS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define MAX_CONNECTIONS 512

struct MHD_Connection;
struct MHD_Response;

enum connection_state {
    CONNECTION_WAITING,   /* for (the rest of) a request */
    CONNECTION_ANSWERING, /* the client takes our answer */
    CONNECTION_DELAYED,   /* suspended; `reply` waits for its time, or for ever */
};

struct connection {
    TAILQ_ENTRY(connection) link; /* in the list of its state, oldest first, or in the free list */
    enum connection_state state;
    int64_t since_us;  /* in this state */
    int64_t answer_us; /* when the first answer began since which no byte was taken; 0: none */
    uint64_t taken;    /* bytes, by then */
    int64_t due_us;    /* delayed: when to send; INT64_MAX: never */
    struct MHD_Connection *mhd;
    struct MHD_Response *reply; /* delayed */
    int fd;
    int status;       /* of reply */
    bool is_given_up; /* delayed: the client has gone, or we stop */
    bool is_bad;      /* the request's target does not decode */
    struct buf body;  /* of a POST under way */
    size_t n_dropped; /* bytes of it beyond the ceiling */
};

TAILQ_HEAD(connection_list, connection);

struct connections {
    struct connection pool[MAX_CONNECTIONS];
    struct connection_list unused, by_state[3];
    size_t n;
};

void connections_init(struct connections *all);

/* A new one, waiting; where it is crowded the oldest is hung up for it. Never more than
 * MAX_CONNECTIONS. */
struct connection *connections_add(struct connections *all, struct MHD_Connection *mhd, int fd);
void connections_remove(struct connections *all, struct connection *c);

/* The one that has been in this state for longest; NULL when there is none. */
struct connection *connections_oldest(struct connections *all, enum connection_state state);

void connections_move(struct connections *all, struct connection *c, enum connection_state state);

/* Move to answering. Its age there begins anew only if the client has taken something since the
 * answer before: what the kernel's buffers swallow says nothing about the client. */
void connections_begin_answer(struct connections *all, struct connection *c);

/* MHD sees the end of the stream and closes the connection its own way. */
void connections_hang_up(struct connections *all, struct connection *c);

#endif
