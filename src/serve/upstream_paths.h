/* What upstream may be asked for. Private to serve/upstream.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_UPSTREAM_PATHS_H
#define SERVE_UPSTREAM_PATHS_H

#include "base/buf.h"
#include "serve/http.h"

/* Append what to ask upstream for, in one form for all who ask the same; false: nothing. */
bool upstream_write_target(const struct http_request *req, struct buf *ret_target);

#endif
