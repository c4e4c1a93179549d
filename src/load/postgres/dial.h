/* Connecting to a server on a thread of its own: names that do not resolve and hosts that do not
 * answer keep nobody waiting who does not want to. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POSTGRES_DIAL_H
#define LOAD_POSTGRES_DIAL_H

#include "load/postgres/url.h"

#include <libpq-fe.h>
#include <stdint.h>

struct dial;

/* Begin. ST_AGAIN: there is no thread. Owner: dial_take() or dial_give_up(). */
enum st dial_start(const struct postgres_url *url, struct dial **ret_dial,
                   struct err *err) MUST_USE;

/* Wait until it is over, at most so long; < 0: as long as it takes. False: it is not. */
bool dial_wait(struct dial *d, int64_t timeout_us);

/* What came of it, after dial_wait() returned true: good or bad (PQstatus()), NULL: no memory. */
PGconn *dial_take(struct dial *d);

/* Its thread cleans up behind itself. NULL is fine. */
void dial_give_up(struct dial *d);

#endif
