/* What the files of the sqlite: driver have in common. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_SQLITE_SQLITE_H
#define LOAD_SQLITE_SQLITE_H

#include "load/sink.h"

/* sink_driver.open_query */
enum st sqlite_open_query(const struct sink_url *url, struct query **ret_query,
                          struct err *err) MUST_USE;

#endif
