/* /api/openapi.json: what is served, as an OpenAPI 3.1 document.
 *
 * It is made of the tables by which requests are routed, of what each operation says of itself
 * (serve/operation.h) and of the tables of columns, so that it is of exactly what is served.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_OPENAPI_H
#define SERVE_OPENAPI_H

#include "base/buf.h"
#include "serve/operation.h"

/* A path in order of the document; what is NULL is not served. */
struct openapi_path {
    const char *root, *pattern; /* "/api/v3", "/coins/{id}" */
    const char *tag;
    const struct operation *get, *post;
    bool has_at; /* it answers as of a moment, beside what its operation takes */
};

void openapi_begin(struct buf *b);
void openapi_add_path(struct buf *b, const struct openapi_path *path);
void openapi_end(struct buf *b);

#endif
