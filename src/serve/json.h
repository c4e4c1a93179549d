/* Members of a JSON object, appended one after the other. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_JSON_H
#define SERVE_JSON_H

#include "base/buf.h"

/* A comma, unless an object has just begun. */
void json_add_comma(struct buf *b);

/* "key": with the comma before it; the key is written as it is. */
void json_add_key(struct buf *b, const char *key);

/* "key":"text"; null where text.p is NULL. */
void json_add_text(struct buf *b, const char *key, struct str text);

#endif
