/* The raw record behind a poll or a row: /api/record.
 *
 *   GET /api/record?stream=&offset=         its header, and its body as text
 *   GET /api/record?stream=&offset=&raw=1   its body, byte for byte
 *
 * A stream goes by the UUID that polls tell, or by its job's name.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_RECORD_H
#define SERVE_RECORD_H

#include "serve/own.h"

void record_get(struct own *own, const struct http_request *req, struct http_response *res);

extern const struct operation op_record;

#endif
