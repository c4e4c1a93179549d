/* GET /api/events: what happens, as server-sent events.
 *
 *   poll     a poll was loaded: as in /api/polls, and latency_ms of its last answer
 *   market   the rows that it changed, as in /api/market, and the coins that it lacks
 *   status   as /api/status, when the state of a job or a sink changes
 *   reset    something was missed: ask for everything anew
 *
 * All clients read one log of the last events, each at its own pace, so a client costs no memory
 * for what it has not read: who falls behind the log is hung up on, comes back with Last-Event-ID,
 * and is told reset.
 *
 * Threads: the HTTP server's, but for events_tell_poll() and events_are_heard().
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_EVENTS_H
#define SERVE_EVENTS_H

#include "serve/own.h"
#include "serve/serve.h"

struct events;

/* past: as in struct serve_setup. */
struct events *events_new(struct status *status, struct clock *past);
void events_free(struct events *e); /* NULL is fine; after the last client has gone */

/* One more client, whose last event had this id (p is NULL: it is new). */
void events_open(struct own *own, struct str last_id, struct http_response *res);

void events_get(struct own *own, const struct http_request *req, struct http_response *res);

/* Any thread: does anybody listen, or did a moment ago? */
bool events_are_heard(struct events *e);

/* Any thread. Then http_wake() what ticks. */
void events_tell_poll(struct events *e, const struct serve_loaded *loaded);

/* To be called when something was told, and when the time comes that is returned (monotonic).
 * snapshot: room for a copy. *ret_wake: clients have something to read. */
int64_t events_tick(struct events *e, struct status_snapshot *snapshot, int64_t now_us,
                    bool *ret_wake);

extern const struct operation op_events;

#endif
