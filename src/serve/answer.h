/* Requests and their answers, as libmicrohttpd tells of them; the server that its thread runs
 * (http.c) and what both have in common.
 *
 * Threads: the HTTP server's.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_ANSWER_H
#define SERVE_ANSWER_H

#include "base/pulse.h"
#include "serve/connections.h"
#include "serve/reply.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

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

/* What MHD_start_daemon() is given; cls is the server. */
void answer_on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code);
enum MHD_Result answer_on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request);
void answer_on_completed(void *cls, struct MHD_Connection *mhd, void **request,
                         enum MHD_RequestTerminationCode how);

/* Go on with a delayed one: it is time, or its answer is there; or its client has gone. */
void answer_resume(struct http_server *s, struct connection *c, bool is_given_up);

#endif
