/* A JSON text as a tree: for the log of a Delta table, whose actions nest. */
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOAD_LAKE_NODE_H
#define LOAD_LAKE_NODE_H

#include "base/json.h"

struct node {
    enum json_event event; /* JSON_OBJECT_BEGIN, JSON_ARRAY_BEGIN, or a value's */
    struct str key;        /* in an object */
    struct str text;       /* of a string; of a number as sent */
    struct node *child, *next;
};

/* Parse one text, an object or an array. Owner: the arena, also of a copy of the text.
 * ST_REJECT: not JSON; ST_AGAIN: no room. */
enum st node_parse(struct json *j, struct str text, struct arena *arena, struct node **ret_node,
                   struct err *err) MUST_USE;

/* All of these take NULL, and answer as if nothing were there. */
const struct node *node_get(const struct node *object, const char *key);
const struct node *node_first(const struct node *container);
struct str node_text(const struct node *n); /* of a string */
bool node_is_true(const struct node *n);
int64_t node_int(const struct node *n, int64_t otherwise);

#endif
