/* What can be asked of the API: one row per endpoint. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_ENDPOINTS_H
#define EXTRACT_ENDPOINTS_H

#include "base/buf.h"
#include "base/json.h"
#include "tape/record.h"

struct endpoint {
    const char *name;      /* as in struct stream_id */
    enum json_event top;   /* what an answer is: JSON_ARRAY_BEGIN or JSON_OBJECT_BEGIN */
    const char *is_what;   /* the same in words, for messages */
    uint32_t max_per_page; /* rows */
    void (*add_target)(const struct stream_id *id, uint32_t per_page, uint32_t page,
                       struct buf *ret_target);
};

/* NULL when there is no such endpoint. */
const struct endpoint *endpoint_find(const char *name);

uint32_t endpoint_per_page(const struct endpoint *ep, uint32_t top);
uint32_t endpoint_pages(const struct endpoint *ep, uint32_t top);

/* Append path and query of page (from 1) of the first `top` rows: "/coins/markets?vs_currency=…".
 * No secrets in it: it goes onto the tape. */
void endpoint_target(const struct endpoint *ep, const struct stream_id *id, uint32_t top,
                     uint32_t page, struct buf *ret_target);

#endif
