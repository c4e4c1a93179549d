/* What can be asked of the API: one row per endpoint, and the requests that a selection takes. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EXTRACT_ENDPOINTS_H
#define EXTRACT_ENDPOINTS_H

#include "base/buf.h"
#include "base/json.h"
#include "extract/extract.h"

#define ENDPOINT_MAX_TARGET                                              \
    2000 /* bytes of a target with ids: servers answer 414 beyond theirs \
          */

struct endpoint {
    const char *name; /* as in struct stream_id */
    /* what an answer is: JSON_ARRAY_BEGIN or JSON_OBJECT_BEGIN; JSON_DONE: either, also empty */
    enum json_event top;
    enum json_event of;  /* what an array is of, or what an object has under its key; JSON_DONE:
                          * anything */
    const char *key;     /* of an object: has a value of that kind under it; NULL: "data" */
    const char *is_what; /* the same in words, for messages */
    /* Of an array of objects: a row has at least one of these keys; NULL behind the last. Not only
     * one, so that the loss of a field is no loss of all rows. */
    const char *marks[6];
    uint32_t max_per_page; /* rows; 0: all is on one page */
    /* All of the target but the ids' list, which comes last. */
    void (*add_target)(const struct stream_id *id, const struct selection *selection,
                       uint32_t per_page, uint32_t page, struct buf *ret_target);
};

/* NULL when there is no such endpoint. */
const struct endpoint *endpoint_find(const char *name);

/* Rows asked for on each page. */
uint32_t endpoint_per_page(const struct endpoint *ep, const struct selection *selection);

/* Pages of the selection, at most; 0: nobody knows, a sweep has to find its end. The ids are split
 * by their number and by the target's length, page N being the Nth part. */
uint32_t endpoint_pages(const struct endpoint *ep, const struct stream_id *id,
                        const struct selection *selection);

/* Append path and query of a page (from 1): "/coins/markets?vs_currency=…". No secrets in it: it
 * goes onto the tape. */
void endpoint_target(const struct endpoint *ep, const struct stream_id *id,
                     const struct selection *selection, uint32_t page, struct buf *ret_target);

#endif
