/* Reading a store of the postgres: driver. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_POSTGRES_READER_H
#define LOAD_POSTGRES_READER_H

#include "load/sink.h"

/* sink_driver.open_query. A read-only connection of its own, also to a standby, made when it is
 * needed and anew when it is lost. Whoever bounds his answers (query.timeout_us) never waits longer
 * for a server that is away: the connecting goes on behind his back. */
enum st postgres_open_query(const struct sink_url *url, struct query **ret_query,
                            struct err *err) MUST_USE;

#endif
